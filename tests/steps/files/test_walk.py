"""The order of a tree, how deep it may be, and names that change while it is walked."""

import os
import resource
import socket
import subprocess
from contextlib import contextmanager

import pytest

from steps.files import comparison, directory, removal
from steps.files.directory import Leaf
from steps.files.mtree import FILE, FOLDER, LINK
from steps.files.tally import Tally
from tests.builders.trees import UNREADABLE, back, build, out, seen


def test_a_folder_comes_before_its_content_and_a_like_name_after_it(tmp_path):
    build(tmp_path / "tree", {b"a": (FOLDER, {b"b": (FILE, b"", 0o644, 0)}, 0o755, 0), b"a-b": (FILE, b"", 0o644, 0)})

    assert [entry.path for entry in seen(tmp_path / "tree")] == ["a", "a/b", "a-b"]


@pytest.mark.lesson(25)
def test_what_vanishes_while_the_tree_is_read_is_counted(source, tmp_path, listed):
    (tmp_path / "copy").mkdir()
    (source / "acme/logo.png").unlink()
    (source / "current").unlink()
    tally = Tally()
    listed({"acme": [Leaf("empty", FILE), Leaf("logo.png", FILE)]})
    listed({"": [Leaf("acme", FOLDER), Leaf("current", LINK), Leaf("gone", FOLDER), Leaf("none", FOLDER)]})

    entries = out(source, tmp_path / "copy", tally)

    assert [entry.path for entry in entries] == ["acme", "acme/empty", "none"]
    assert (tally.vanished.first, tally.unreadable.first) == (["acme/logo.png", "current", "gone/"], [])


@pytest.fixture
def listed(monkeypatch):
    """Have a folder list what is not there any more; a mock, because another thread may always come too late."""

    def claim(folders):
        look = directory.leaves

        def claimed(descriptor, path, *passed_over):
            return folders[path] if path in folders else look(descriptor, path, *passed_over)

        monkeypatch.setattr(directory, "leaves", claimed)

    return claim


def test_what_has_become_something_else_when_it_is_opened_is_taken_as_what_it_is_now(tmp_path, listed):
    (tmp_path / "copy").mkdir()
    (tmp_path / "source/folder").mkdir(parents=True)
    (tmp_path / "source/folder/inner").touch()
    (tmp_path / "source/link").touch()
    os.mkfifo(tmp_path / "source/pipe")
    (tmp_path / "source/now-a-link").symlink_to("link")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "source/socket"))
    (tmp_path / "source/now-a-file").touch()
    files = [Leaf(name, FILE) for name in ("folder", "no", "now-a-link", "pipe", "socket")]
    listed({"": [*files, Leaf("link", LINK), Leaf("now-a-file", FOLDER)]})
    tally = Tally()

    entries = out(tmp_path / "source", tmp_path / "copy", tally)

    assert [(entry.path, entry.kind) for entry in entries] == [
        ("folder", FOLDER),
        ("folder/inner", FILE),
        ("now-a-link", LINK),
        ("link", FILE),
        ("now-a-file", FILE),
    ]
    assert (tally.vanished.first, tally.special, tally.unreadable.first) == (["no"], ["pipe", "socket"], [])
    assert sorted(os.listdir(tmp_path / "copy")) == ["folder", "link", "now-a-file", "now-a-link"]


@pytest.mark.skipif(not UNREADABLE.exists(), reason="there is no file here that opens and can't be read")
def test_a_file_that_fails_when_it_is_read_is_named_and_leaves_nothing(tmp_path, listed):
    listed({"": [Leaf(UNREADABLE.name, FILE)]})
    tally = Tally()

    assert out(UNREADABLE.parent, tmp_path, tally) == []
    assert tally.unreadable.first == [UNREADABLE.name]
    assert os.listdir(tmp_path) == []


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [0, 4])
def test_folders_may_lie_in_each_other_deeper_than_calls_and_descriptors_go(tmp_path, workers):
    depth, source, copy, target = 5000, *(tmp_path / name for name in ("source", "copy", "target"))
    for path in (source, copy, target):
        path.mkdir()
    here = os.open(source, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        above, here = here, os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(above)
    os.close(here)

    try:
        with descriptors(256):
            entries = out(source, copy, workers=workers)
            differing = list(comparison.compare(entries, copy, digests=True, workers=workers))
            restored = back(entries, copy, target, workers=workers)
            again = back(entries, copy, target, workers=workers, again=True)
            found = seen(target)
            removal.empty(target)
        left = os.listdir(target)
    finally:
        subprocess.run(["rm", "-r", source, copy, target], check=True)  # noqa: S603, S607  Python's own gives up

    assert (len(entries), len(found), differing) == (depth, depth, [])
    assert restored.sums == again.sums == Tally.of(entries).sums
    assert left == []


@contextmanager
def descriptors(most):
    """No process may have more open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
