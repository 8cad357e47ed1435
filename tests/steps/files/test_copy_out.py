"""A live tree is copied to a volume, and listed."""

import hashlib
import os
import random
import socket
import stat
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps.files import comparison, making, mtree, reading, scanning
from steps.files.mtree import FILE, FOLDER, LINK
from steps.files.tally import Tally
from tests.builders.fuse import Fuse, Killed
from tests.builders.trees import ROOT, back, build, folders, ordinary_user, out, seen, trees, without_digest, written


@given(trees)
@settings(max_examples=40, deadline=None)
def test_a_copy_is_readable_and_replaceable_by_the_group_and_compares_with_its_listing(content):
    with folders("source", "copy") as (source, copy):
        before = seen(build(source, content))

        entries = out(source, copy)

        assert [without_digest(entry) for entry in entries] == before
        assert list(comparison.compare(entries, copy, digests=True, workers=0)) == []
        for entry in seen(copy):
            needed = {FILE: 0o640, FOLDER: 0o770, LINK: 0}[entry.kind]
            assert entry.mode & needed == needed
        for entry in entries:
            if entry.kind == FILE:
                assert entry.digest == hashlib.sha256((source / entry.path).read_bytes()).hexdigest()
                assert (copy / entry.path).stat().st_mtime_ns == entry.mtime_ns


@given(trees)
@settings(max_examples=25, deadline=None)
def test_the_listing_of_a_tree_is_the_same_bytes_twice(content):
    with folders("source", "one", "two") as (source, one, two):
        build(source, content)

        assert "".join(written(out(source, one))) == "".join(written(out(source, two)))


@given(trees)
@settings(max_examples=8, deadline=None)
def test_several_processes_make_the_same_copies_and_the_same_listing_as_one(content):
    with folders("source", "one", "several", "back") as (source, one, several, restored):
        build(source, content)

        listing = "".join(written(out(source, one)))
        assert "".join(written(out(source, several, workers=3))) == listing
        back(mtree.parse(listing.splitlines(keepends=True)), several, restored, workers=3)

        assert seen(several) == seen(one)
        assert list(scanning.scan(one, digests=True, workers=3)) == list(
            scanning.scan(several, digests=True, workers=0)
        )
        assert [entry.path for entry in seen(restored)] == [entry.path for entry in seen(one)]


def test_what_is_neither_file_folder_nor_link_is_named_and_not_copied(source, tmp_path):
    (tmp_path / "copy").mkdir()
    os.mkfifo(source / "acme/pipe")
    tally = Tally()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(source / "socket"))

        entries = out(source, tmp_path / "copy", tally)

    assert tally.special == ["acme/pipe", "socket"]
    assert not {"acme/pipe", "socket"} & {entry.path for entry in entries}
    assert list(comparison.compare(entries, tmp_path / "copy", digests=True, workers=0)) == []


@pytest.mark.skipif(not ROOT, reason="only root can make files that another user may not read")
@pytest.mark.lesson(1, 25)
def test_what_can_not_be_read_is_named_after_all_else_was_copied(anyones):
    source, copy = anyones / "source", anyones / "copy"
    build(source, {b"aa": (FOLDER, {b"x": (FILE, b"1", 0o644, 0)}, 0o700, 0)})
    build(source, {b"bb": (FILE, b"2", 0o600, 0), b"cc": (FILE, b"3", 0o644, 0)})
    build(source, {b"dd": (FOLDER, {b"y": (FILE, b"4", 0o644, 0)}, 0o744, 0)})
    copy.mkdir()
    copy.chmod(0o777)
    for path in [source / "aa", source / "bb", source / "dd"]:
        os.chown(path, 4711, 4711)
    tally = Tally()

    with ordinary_user():
        entries = out(source, copy, tally)

    assert tally.unreadable.first == ["aa", "bb", "dd/y"]
    assert [entry.path for entry in entries] == ["cc", "dd"]
    assert (copy / "cc").read_bytes() == b"3"


@pytest.fixture
def while_read(monkeypatch):
    """Have something happen in the middle of each read; a mock, because another thread may always come too late."""
    pour = making.pour

    def disturb(act):
        def disturbed(*arguments):
            done = pour(*arguments)
            act()
            return done

        monkeypatch.setattr(making, "pour", disturbed)

    return disturb


def test_a_file_that_changes_once_while_it_is_read_is_read_again(tmp_path, while_read):
    (tmp_path / "copy").mkdir()
    file = build(tmp_path / "source", {b"upload": (FILE, b"begun", 0o644, 0)}) / "upload"
    contents = iter([b"begun and done"])
    while_read(lambda: [file.write_bytes(content) for content in contents])
    tally = Tally()

    (copied,) = out(tmp_path / "source", tmp_path / "copy", tally)

    assert tally.changing.first == []
    assert copied.digest == hashlib.sha256(b"begun and done").hexdigest()
    assert (tmp_path / "copy/upload").read_bytes() == b"begun and done"


@pytest.mark.lesson(25)
class TestALogThatGrows:
    """Something is added to a file each time that it is read; sizes in one read and in several blocks."""

    @pytest.fixture(params=[10, 300 << 10], ids=["small", "of two blocks"])
    def begun(self, tmp_path, request):
        (tmp_path / "copy").mkdir()
        (tmp_path / "source").mkdir()
        file = tmp_path / "source/app.log"
        file.write_bytes(random.Random(1).randbytes(request.param))  # noqa: S311  no secret
        return file, file.read_bytes()

    def test_is_saved_as_it_was_at_an_earlier_open_and_named(self, tmp_path, while_read, begun):
        file, _ = begun
        sizes = []

        def grow():
            sizes.append(file.stat().st_size)
            with file.open("ab") as stream:
                stream.write(b"a line\n")

        while_read(grow)
        tally = Tally()

        (entry,) = out(file.parent, tmp_path / "copy", tally)

        content = (tmp_path / "copy/app.log").read_bytes()
        assert tally.grew.first == ["app.log"]
        assert (len(content), len(sizes)) == (sizes[0], 2)
        assert file.read_bytes().startswith(content)
        assert (entry.size, entry.digest) == (len(content), hashlib.sha256(content).hexdigest())

    def test_is_a_failure_where_its_beginning_changes_too(self, tmp_path, while_read, begun):
        file, _ = begun

        def rewrite():
            size = file.stat().st_size
            file.write_bytes(random.Random(size).randbytes(size + 7))  # noqa: S311  no secret

        while_read(rewrite)
        tally = Tally()

        assert out(file.parent, tmp_path / "copy", tally) == []
        assert (tally.changing.first, tally.grew.first) == (["app.log"], [])
        assert os.listdir(tmp_path / "copy") == []

    def test_is_a_failure_where_another_file_takes_its_name(self, tmp_path, while_read, begun):
        file, content = begun
        lines = iter(range(9))

        def rotate():
            file.with_suffix(".new").write_bytes(content + b"line" * next(lines))
            file.with_suffix(".new").rename(file)

        while_read(rotate)
        tally = Tally()

        out(file.parent, tmp_path / "copy", tally)

        assert tally.grew.first == []

    def test_is_read_no_further_than_a_byte_beyond_its_size(self, begun):
        file, content = begun

        with file.open("rb") as stream:
            blocks = [bytes(block) for block in reading.blocks(stream.fileno(), 4)]

        assert b"".join(blocks) == content[:5]


def test_a_file_that_never_rests_is_named_and_left_out(tmp_path, while_read):
    (tmp_path / "copy").mkdir()
    content = {b"log": (FILE, b"1", 0o644, 0), b"quiet": (FILE, b"2", 0o644, 0)}
    file = build(tmp_path / "source", content) / "log"
    times_ns = iter(range(1, 99))
    while_read(lambda: os.utime(file, ns=(0, next(times_ns))))
    tally = Tally()

    entries = out(tmp_path / "source", tmp_path / "copy", tally)

    assert tally.changing.first == ["log"]
    assert [entry.path for entry in entries] == ["quiet"]
    assert os.listdir(tmp_path / "copy") == ["quiet"]


def test_setuid_is_listed_and_restored_but_not_on_the_copy(tmp_path):
    source = build(tmp_path / "source", {b"tool": (FILE, b"#!", 0o4755, 0)})
    (tmp_path / "copy").mkdir()
    (tmp_path / "target").mkdir()

    entries = out(source, tmp_path / "copy")
    back(entries, tmp_path / "copy", tmp_path / "target")

    assert entries[0].mode == 0o4755
    assert stat.S_IMODE((tmp_path / "copy/tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "target/tool").stat().st_mode) == 0o4775


def test_hard_links_and_holes_are_copied_as_what_they_hold_and_the_listing_says_how_many_names_there_are(tmp_path):
    source, copy = build(tmp_path / "source", {b"a": (FILE, b"1", 0o644, 10**18)}), tmp_path / "copy"
    copy.mkdir()
    (source / "b").hardlink_to(source / "a")
    with (source / "hole").open("wb") as sparse:
        sparse.truncate(1 << 20)
    tally = Tally()

    entries = out(source, copy, tally)

    assert [(entry.path, entry.names) for entry in entries] == [("a", 2), ("b", 2), ("hole", 1)]
    assert [line.endswith(" tags=names:2\n") for line in written(entries)][2:] == [True, True, False]
    assert tally.shared == 2
    assert (copy / "b").read_bytes() == b"1"
    assert (copy / "hole").read_bytes() == bytes(1 << 20)


def known_of(listing, keep):
    """What a listing that was cut off still tells."""
    return [*listing[: 2 + keep], "./cut-o"]


@given(trees, st.integers(0, 12), st.data())
@settings(max_examples=60, deadline=None)
@pytest.mark.lesson(11)
def test_a_copy_out_that_was_killed_ends_as_one_that_was_not(content, fuse, data):
    with folders("source", "undisturbed", "copy") as (source, undisturbed, copy):
        build(source, content)
        listing = written(out(source, undisturbed))
        with suppress(Killed):
            out(source, copy, meter=Fuse(fuse))
        kept = data.draw(st.integers(0, len(listing)))

        again = written(out(source, copy, known=known_of(listing, kept)))

        assert again == listing
        assert seen(copy) == seen(undisturbed)
        assert list(comparison.compare(mtree.parse(listing), copy, digests=True, workers=0)) == []


@pytest.mark.parametrize("name", ["acme/logo.png", "current"])
def test_of_what_is_none_of_the_listing_any_more_no_copy_is_left(copied, source, name):
    copy, entries = copied
    (source / name).unlink()
    os.mkfifo(source / name)

    again = out(source, copy, known=entries)

    assert [entry.path for entry in again] == [entry.path for entry in entries if entry.path != name]
    assert list(comparison.compare(again, copy, digests=True, workers=0)) == []


def test_a_file_that_changed_since_is_copied_again(copied, source):
    copy, entries = copied
    (source / "acme/logo.png").write_bytes(b"GIF8")

    again = out(source, copy, known=entries)

    assert (copy / "acme/logo.png").read_bytes() == b"GIF8"
    assert [entry.path for entry in again] == [entry.path for entry in entries]


def test_a_large_file_among_small_ones_is_copied_and_listed_in_its_place(tmp_path):
    content = dict.fromkeys((b"a", b"c"), (FILE, b"x", 0o644, 0))
    source = build(tmp_path / "source", {**content, b"b": (FILE, b"y" * (reading.LARGE + 1), 0o644, 0)})
    (tmp_path / "copy").mkdir()
    (tmp_path / "target").mkdir()

    entries = out(source, tmp_path / "copy")
    back(entries, tmp_path / "copy", tmp_path / "target")

    assert [entry.path for entry in entries] == ["a", "b", "c"]
    assert list(comparison.compare(entries, tmp_path / "target", digests=True, workers=0)) == []
