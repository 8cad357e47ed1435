import hashlib
import os
import random
import resource
import shutil
import socket
import stat
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import errors
from steps.files import comparison, copy_back, directory, making, mtree, reading, removal, scanning, walk
from steps.files.directory import Leaf
from steps.files.meter import Meter, Work
from steps.files.mtree import FILE, FOLDER, LINK, Entry
from steps.files.tally import Tally
from tests.builders.trees import (
    MIB,
    ORDINARY_USER,
    ROOT,
    add_at_the_end,
    add_file,
    build,
    dense,
    extend,
    file_to_fifo,
    file_to_folder,
    fill,
    flip,
    folder_to_link,
    folders,
    link_elsewhere,
    ordinary_user,
    out,
    remove_file,
    remove_folder,
    seen,
    sparse,
    trees,
    truncate,
    written,
)

MTREE = shutil.which("mtree")
KEYWORDS = "type,size,link,time,sha256"
UNREADABLE = Path("/proc/self").resolve() / "mem"  # a root is opened without following a link


def back(entries, source, target, meter=None, *, again=False, workers=0):
    lines = map(mtree.line, entries)
    return copy_back.copy(lines, source, target, Work(workers, meter or Meter()), again=again)


def as_restored(entry):
    """An entry as System needs it: the group of System's user writes."""
    if entry.kind == LINK:
        return entry
    executable = entry.kind == FOLDER or entry.mode & 0o111
    return entry._replace(mode=entry.mode | (0o070 if executable else 0o060))


def without_digest(entry):
    return entry._replace(digest="")


@given(trees)
@settings(max_examples=60, deadline=None)
def test_a_tree_that_was_copied_out_and_back_is_the_same(content):
    with folders("source", "copy", "back") as (source, copy, restored):
        before = seen(build(source, content))

        listing = written(out(source, copy))
        back(mtree.parse(listing), copy, restored)

        assert seen(restored) == [as_restored(entry) for entry in before]
        for entry in before:
            if entry.kind == FILE:
                assert (restored / entry.path).read_bytes() == (source / entry.path).read_bytes()


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


# Without `*`, `?` and `[`, which Debian's mtree takes for a pattern in its own listings too.
ODD = [
    b"a b",
    b"two\nlines",
    b"back\\slash",
    b"\\040",
    b"-rf",
    b".hidden",
    b"caf\xe9",
    b"#",
    b"gr\xc3\xb6\xc3\x9fe",
    b"a=b",
]


@pytest.mark.skipif(MTREE is None, reason="there is no mtree (Debian: mtree-netbsd) on this machine")
def test_the_mtree_of_the_system_finds_a_copy_to_be_as_listed(tmp_path):
    (tmp_path / "copy").mkdir()
    content = {name: (FILE, name, 0o600, 10**18 + number) for number, name in enumerate(ODD)}
    content |= {b"to-" + name: (LINK, name, 0o777, 10**18 + 1) for name in ODD}
    content |= {b"in-" + name: (FOLDER, dict(content), 0o755, 10**18 + 2) for name in ODD}
    listing = "".join(written(out(build(tmp_path / "source", content), tmp_path / "copy")))

    chosen = subprocess.run(  # noqa: S603  the system's own mtree
        [MTREE, "-C", "-k", KEYWORDS], input=listing.encode(), capture_output=True, check=True
    )
    judged = subprocess.run(  # noqa: S603  the system's own mtree
        [MTREE, "-p", str(tmp_path / "copy")], input=chosen.stdout, capture_output=True, check=False
    )

    assert (judged.stdout, judged.stderr, judged.returncode) == (b"", b"", 0)


def test_lost_and_found_is_left_out_at_the_top_only(source, tmp_path):
    (source / "lost+found/piece").mkdir(parents=True)
    (source / "acme/lost+found").mkdir()
    (tmp_path / "copy").mkdir()

    out(source, tmp_path / "copy")

    assert not (tmp_path / "copy/lost+found").exists()
    assert (tmp_path / "copy/acme/lost+found").is_dir()


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


def test_a_copy_is_counted(source, tmp_path):
    (tmp_path / "copy").mkdir()
    tally, meter = Tally(), Meter()

    out(source, tmp_path / "copy", tally, meter=meter)

    assert (tally.files, tally.folders, tally.links, tally.size_bytes) == (2, 2, 1, 4)
    assert meter.counts[:2] == (tally.entries, tally.size_bytes)
    assert scanning.measure(source, workers=0) == tally


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


@pytest.mark.skipif(not UNREADABLE.exists(), reason="there is no file here that opens and can't be read")
def test_a_copy_that_fails_when_it_is_read_ends_the_restore(tmp_path):
    with pytest.raises(errors.ReadFailed, match=UNREADABLE.name):
        back([entry(UNREADABLE.name)], UNREADABLE.parent, tmp_path)

    assert os.listdir(tmp_path) == []


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


@pytest.mark.skipif(not ROOT, reason="only root can make files that another user may not read")
def test_a_copy_that_can_not_be_read_is_not_restored(anyones):
    source, copy, target = (anyones / name for name in ("source", "copy", "target"))
    build(source, {b"a": (FILE, b"1", 0o644, 0)})
    copy.mkdir()
    target.mkdir()
    target.chmod(0o777)
    entries = out(source, copy)
    copy.chmod(0o755)
    (copy / "a").chmod(0o600)

    with ordinary_user(), pytest.raises(errors.ReadFailed, match="Permission denied"):
        back(entries, copy, target)

    assert list(target.iterdir()) == []


@pytest.mark.skipif(not ROOT, reason="only root can give files away, and then not")
@pytest.mark.lesson(14)
def test_an_ordinary_user_restores_all_but_the_owners(anyones):
    source, copy, target = (anyones / name for name in ("source", "copy", "target"))
    content = {b"a": (FILE, b"1", 0o604, 10**18), b"d": (FOLDER, {b"b": (FILE, b"2", 0o755, 0)}, 0o555, 10**18)}
    build(source, content | {b"l": (LINK, b"a", 0o777, 10**18)})
    for path in (copy, target):
        path.mkdir()
        path.chmod(0o777)
    entries = out(source, copy)
    meter = Meter()

    with ordinary_user():
        back(entries, copy, target, meter)

        assert list(comparison.compare(entries, target, digests=True, workers=0)) == []
    assert meter.counts.ownership_kept == 4
    assert meter.counts.widened == 3
    expected = [as_restored(entry)._replace(uid=ORDINARY_USER, digest="") for entry in entries]
    assert seen(target) == expected

    (target / "d/b").write_bytes(b"3")  # to be made anew, in a folder to which its owner may not write
    with ordinary_user():
        back(entries, copy, target, again=True)

        assert list(comparison.compare(entries, target, digests=True, workers=0)) == []
    assert seen(target) == expected


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_a_group_of_the_user_s_own_is_given_where_the_owner_can_not_be(anyones):
    source, copy, target = (anyones / name for name in ("source", "copy", "target"))
    build(source, {b"d": (FOLDER, {b"a": (FILE, b"1", 0o644, 0), b"b": (FILE, b"2", 0o644, 0)}, 0o755, 0)})
    for path, group in (("d", 3000), ("d/a", 3000), ("d/b", 4000)):
        os.chown(source / path, 1234, group)
    for path in (copy, target):
        path.mkdir()
        path.chmod(0o777)
    entries, before = out(source, copy), os.getgroups()

    os.setgroups([3000])
    try:
        with ordinary_user():
            back(entries, copy, target)
    finally:
        os.setgroups(before)

    own = target.joinpath("d/b").stat().st_gid
    assert [(entry.path, entry.uid, entry.gid) for entry in seen(target)] == [
        ("d", ORDINARY_USER, 3000),
        ("d/a", ORDINARY_USER, 3000),
        ("d/b", ORDINARY_USER, own),
    ]
    assert own != 4000


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
@pytest.mark.parametrize("together", [1, 2, walk.TOGETHER])
@pytest.mark.parametrize("large", [1, reading.LARGE])
def test_folders_that_their_owner_can_not_enter_are_closed_from_the_inside(anyones, together, large, monkeypatch):
    source, copy, target = (anyones / name for name in ("source", "copy", "target"))
    inner = {b"b": (FOLDER, {b"f": (FILE, b"content", 0o644, 0)}, 0o755, 10**18), b"c": (FILE, b"1", 0o644, 0)}
    last = {b"f": (FOLDER, {b"g": (FILE, b"2", 0o644, 0)}, 0o755, 10**18)}
    build(source, {b"a": (FOLDER, inner, 0o755, 10**18), b"e": (FOLDER, last, 0o755, 10**18)})
    for path in (copy, target):
        path.mkdir()
        path.chmod(0o777)
    entries = [each._replace(mode=0 if each.kind == FOLDER else each.mode) for each in out(source, copy)]
    monkeypatch.setattr(walk, "TOGETHER", together)
    monkeypatch.setattr(reading, "LARGE", large)

    with ordinary_user():
        back(entries, copy, target)

    assert seen(target) == [as_restored(without_digest(each))._replace(uid=ORDINARY_USER) for each in entries]


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


def entry(path, kind=FILE, content=b"", target=""):
    digest = hashlib.sha256(content).hexdigest() if kind == FILE else ""
    return Entry(path, kind, 0o755, os.getuid(), os.getgid(), 10**18, len(content), target, digest)


@pytest.mark.parametrize(
    "listed",
    [
        [entry("../evil")],
        [entry("a", FOLDER), entry("a/../../evil")],
        [entry("/etc/evil")],
        [entry("a//evil")],
        [entry(".")],
        [entry("")],
        [entry("a/./evil")],
        [entry("out", LINK, target="../outside"), entry("out/evil")],
        [entry("out", LINK, target="../outside"), entry("out/below/evil")],
        [entry("out", LINK, target="../outside"), entry("out/evil", FOLDER)],
        [entry("out", LINK, target="../outside"), entry("out/evil", LINK, target="x")],
    ],
    ids=lambda listed: " ".join(entry.path for entry in listed),
)
def test_a_listing_that_leads_out_of_the_tree_is_refused(listed, tmp_path):
    source, target, outside = (tmp_path / name for name in ("source", "target", "outside"))
    for folder in (source, source / "out/below", target, outside, outside / "below"):
        folder.mkdir(parents=True)
    (source / "out/evil").touch()
    (source / "out/below/evil").touch()

    with pytest.raises(errors.BackupDamaged, match="leads out of the tree"):
        back(listed, source, target)

    assert os.listdir(outside) == ["below"]
    assert os.listdir(outside / "below") == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("together", [1, walk.TOGETHER])
@pytest.mark.parametrize(
    "listed",
    [
        [entry("b"), entry("a")],
        [entry("a", LINK, target="b"), entry("a", FOLDER)],
        [entry("a"), entry("a")],
        [entry("b", FOLDER), entry("b/\u20ac"), entry("a")],
    ],
    ids=lambda listed: " ".join(entry.path for entry in listed),
)
def test_a_listing_that_is_not_in_its_order_is_refused(listed, together, tmp_path, monkeypatch):
    monkeypatch.setattr(walk, "TOGETHER", together)
    for each in listed:
        if each.kind == FILE:
            (tmp_path / "source" / each.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "source" / each.path).touch()
    for name in ("source", "target"):
        (tmp_path / name).mkdir(exist_ok=True)

    with pytest.raises(errors.BackupDamaged, match="'a' is not in its order, or there twice"):
        back(listed, tmp_path / "source", tmp_path / "target")


@pytest.mark.parametrize("damage", [flip, truncate, extend], ids=lambda damage: damage.__name__)
def test_a_file_with_other_bytes_never_comes_under_its_name(copied, damage, tmp_path):
    copy, entries = copied
    damage(copy)
    (tmp_path / "target").mkdir()

    with pytest.raises(errors.BackupDamaged, match=r"'acme/logo\.png' has other bytes than the listing says"):
        back(entries, copy, tmp_path / "target")

    assert os.listdir(tmp_path / "target/acme") == ["empty"]


def test_a_listed_file_that_is_missing_ends_the_restore(copied, tmp_path):
    copy, entries = copied
    remove_file(copy)
    (tmp_path / "target").mkdir()

    with pytest.raises(errors.BackupDamaged, match=r"'acme/logo\.png' is missing"):
        back(entries, copy, tmp_path / "target")


def test_a_listed_file_that_is_a_folder_ends_the_restore(copied, tmp_path):
    copy, entries = copied
    remove_file(copy)
    (copy / "acme/logo.png").mkdir()
    (tmp_path / "target").mkdir()

    with pytest.raises(errors.ReadFailed, match="Is a directory"):
        back(entries, copy, tmp_path / "target")


def test_without_digests_a_tree_is_restored_as_it_is_read(source, tmp_path):
    (tmp_path / "target").mkdir()
    entries = seen(source)

    back(entries, source, tmp_path / "target")

    assert seen(tmp_path / "target") == [as_restored(entry) for entry in entries]


@given(trees, st.integers(0, 9), st.integers(1, 5), st.sampled_from([0, 0, 0, 3]))
@settings(max_examples=40, deadline=None)
def test_however_a_tree_is_cut_into_tasks_it_is_the_same(content, large, together, workers):
    with folders("source", "copy", "another", "one", "other") as (source, copy, another, one, other):
        listing = written(out(build(source, content), copy))
        entries = list(mtree.parse(listing))
        back(entries, copy, one, expected := Meter())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "LARGE", large)
            patch.setattr(reading, "BLOCK", large)
            patch.setattr(walk, "TOGETHER", together)
            again = written(out(source, another, workers=workers))
            counted = back(entries, copy, other, meter := Meter(), workers=workers)

        assert again == listing
        assert seen(other) == seen(one)
        assert counted.sums == Tally.of(entries).sums
        assert meter.counts == expected.counts


@pytest.mark.parametrize("count", [walk.TOGETHER, walk.TOGETHER + 1, 3 * walk.TOGETHER])
def test_a_folder_of_many_files_is_restored_in_several_tasks(tmp_path, count):
    content = {b"many": (FOLDER, {b"%d" % number: (FILE, b"", 0o644, 0) for number in range(count)}, 0o755, 10**18)}
    source, copy, target = (tmp_path / name for name in ("source", "copy", "target"))
    copy.mkdir()
    target.mkdir()
    entries = out(build(source, content), copy)

    assert back(entries, copy, target).sums == Tally.of(entries).sums
    assert seen(target) == [as_restored(without_digest(entry)) for entry in entries]


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


@pytest.mark.parametrize("count", [0, 1, 300, 5000])
@pytest.mark.parametrize("workers", [1, 4])
def test_no_process_is_left_alone_with_the_last_part_of_a_restore(count, workers):
    left, brought = count, []
    for share in copy_back.shares(range(count), workers):
        assert len(share) <= max(left / workers / 2, 8)
        assert len(share) <= walk.TOGETHER

        left -= len(share)
        brought += share
    assert brought == list(range(count))


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


def held(path):
    """What a file takes of the disk, when all of it is there."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return path.stat().st_blocks * 512


SPARSE_AND_DENSE = {
    "holes-between": lambda path: sparse(
        path, 9 * MIB, {0: b"a" * 5000, 4 * MIB - 7: b"b" * 70_000, 9 * MIB - 1: b"c"}
    ),
    "hole-at-the-end": lambda path: sparse(path, 5 * MIB + 123, {MIB: b"a"}),
    "hole": lambda path: sparse(path, 3 * MIB, {}),
    "zeros": lambda path: dense(path, bytes(2 * MIB)),
    "zeros-of-one-page": lambda path: dense(path, bytes(4096)),
    "small-with-zeros": lambda path: dense(path, b"a" + bytes(100_000)),
    "data": lambda path: dense(path, bytes(range(1, 256)) * 8000),
}


@pytest.mark.parametrize("name", SPARSE_AND_DENSE)
def test_zeros_become_holes_on_either_side_and_the_digest_is_that_of_the_content(tmp_path, name):
    source, copied, target = folders = [tmp_path / each for each in ("source", "copied", "target")]
    for folder in folders:
        folder.mkdir()
    file = SPARSE_AND_DENSE[name](source / name)
    content = file.read_bytes()
    most = 4096 * sum(any(content[at : at + 4096]) for at in range(0, len(content), 4096)) + 3 * 4096

    (entry,) = out(source, copied)
    back([entry], copied, target)

    assert (entry.size, entry.digest) == (len(content), hashlib.sha256(content).hexdigest())
    for copy in (copied / name, target / name):
        assert copy.read_bytes() == content
        assert held(copy) <= most


# --- a copy that was killed is gone on with ---


class Killed(Exception):
    """Stands for SIGKILL: nothing after it is done."""


class Fuse(Meter):
    """Ends a copy after so many counts, wherever that is."""

    def __init__(self, left):
        super().__init__()
        self.left = left

    def add(self, **counts):
        self.left -= 1
        if self.left < 0:
            raise Killed
        super().add(**counts)


def damaged(entries, target):
    """The entries that are there with other bytes, or as something else."""
    findings = comparison.compare(entries, target, digests=True, workers=0)
    return [each for each in findings if not each.endswith((" is missing", " is not listed"))]


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


@given(trees, st.integers(0, 12), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_a_copy_back_that_was_killed_ends_as_one_that_was_not(content, fuse, together):
    with folders("source", "copy", "undisturbed", "target") as (source, copy, undisturbed, target):
        entries = out(build(source, content), copy)
        back(entries, copy, undisturbed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(walk, "TOGETHER", together)
            with suppress(Killed):
                back(entries, copy, target, Fuse(fuse))
            assert damaged(entries, target) == []

            back(entries, copy, target, again=True)

        assert seen(target) == seen(undisturbed)
        assert list(comparison.compare(entries, target, digests=True, workers=0)) == []


def test_what_is_whole_is_not_copied_again(copied, source, tmp_path):
    copy, entries = copied
    (tmp_path / "target").mkdir()
    back(entries, copy, tmp_path / "target")
    before = [(root / "acme/logo.png").stat().st_ino for root in (copy, tmp_path / "target")]

    out(source, copy, known=entries)
    back(entries, copy, tmp_path / "target", again=True)

    assert [(root / "acme/logo.png").stat().st_ino for root in (copy, tmp_path / "target")] == before


def test_what_is_whole_is_proved_from_the_volume_and_not_from_memory(copied, source, tmp_path, monkeypatch):
    copy, entries = copied
    (tmp_path / "target").mkdir()
    back(entries, copy, tmp_path / "target")
    dropped = []  # a stand-in, as only a disk that fails shows what memory hides

    def advise(descriptor, start, length, advice, advise=os.posix_fadvise):
        if advice == os.POSIX_FADV_DONTNEED:
            dropped.append((os.readlink(f"/proc/self/fd/{descriptor}"), start, length))
        advise(descriptor, start, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", advise)
    out(source, copy, known=entries)
    back(entries, copy, tmp_path / "target", again=True)

    files = [entry.path for entry in entries if entry.kind == FILE]
    assert dropped == [(str(root / path), 0, 0) for root in (copy, tmp_path / "target") for path in files]


@pytest.fixture
def read(monkeypatch):
    """Count the bytes of files that are read, by this process."""
    counts = []
    readv = os.readv

    def counted(descriptor, buffers):
        counts.append(readv(descriptor, buffers))
        return counts[-1]

    monkeypatch.setattr(os, "readv", counted)
    return counts


def test_a_rerun_without_changes_costs_one_read_of_the_copy(copied, source, tmp_path, read):
    copy, entries = copied
    (tmp_path / "target").mkdir()
    back(entries, copy, tmp_path / "target")
    size_bytes = sum(entry.size for entry in entries)
    read.clear()

    out(source, copy, known=entries)

    assert sum(read) == size_bytes
    read.clear()

    back(entries, copy, tmp_path / "target", again=True)

    assert sum(read) == size_bytes


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        truncate,
        extend,
        fill,
        remove_file,
        remove_folder,
        file_to_folder,
        folder_to_link,
        file_to_fifo,
        link_elsewhere,
        add_file,
        add_at_the_end,
    ],
    ids=lambda damage: damage.__name__,
)
def test_what_only_looks_whole_is_made_anew(copied, source, damage):
    copy, entries = copied
    when = (copy / "acme/logo.png").stat().st_mtime_ns
    damage(copy)
    if damage is flip:
        os.utime(copy / "acme/logo.png", ns=(when, when))

    again = out(source, copy, known=entries)

    assert again == entries
    assert list(comparison.compare(entries, copy, digests=True, workers=0)) == []


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


def test_a_path_may_be_longer_than_the_system_takes(tmp_path):
    for name in ("source", "copy", "target"):
        (tmp_path / name).mkdir()
    descriptor = os.open(tmp_path / "source", os.O_RDONLY)
    for _ in range(25):
        os.mkdir("x" * 200, dir_fd=descriptor)
        inner = os.open("x" * 200, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    leaf = os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor)
    os.write(leaf, b"deep")
    os.close(leaf)
    os.close(descriptor)

    entries = out(tmp_path / "source", tmp_path / "copy")
    back(entries, tmp_path / "copy", tmp_path / "target")

    assert entries[-1].path.endswith("/leaf")
    assert len(entries[-1].path) > 4096
    assert list(comparison.compare(entries, tmp_path / "target", digests=True, workers=0)) == []
    for name in ("source", "copy", "target"):
        subprocess.run(["rm", "-r", tmp_path / name], check=True)  # noqa: S603, S607  pytest itself can't


def test_a_large_file_among_small_ones_is_copied_and_listed_in_its_place(tmp_path):
    content = dict.fromkeys((b"a", b"c"), (FILE, b"x", 0o644, 0))
    source = build(tmp_path / "source", {**content, b"b": (FILE, b"y" * (reading.LARGE + 1), 0o644, 0)})
    (tmp_path / "copy").mkdir()
    (tmp_path / "target").mkdir()

    entries = out(source, tmp_path / "copy")
    back(entries, tmp_path / "copy", tmp_path / "target")

    assert [entry.path for entry in entries] == ["a", "b", "c"]
    assert list(comparison.compare(entries, tmp_path / "target", digests=True, workers=0)) == []


@pytest.mark.skipif(not ROOT, reason="only root can become two other users of group 0")
def test_another_user_of_the_group_goes_on_with_either_copy(anyones):
    content = {b"a": (FILE, b"1", 0o644, 10**18), b"d": (FOLDER, {b"b": (FILE, b"2", 0o755, 0)}, 0o755, 10**18)}
    source = build(anyones / "source", content | {b"l": (LINK, b"a", 0o777, 10**18)})
    undisturbed, copy, target = (anyones / name for name in ("undisturbed", "copy", "target"))
    for folder in (undisturbed, copy, target):
        folder.mkdir()
        folder.chmod(0o777)
    expected = out(source, undisturbed)
    with ordinary_user():
        known = out(source, copy)
        back(known, copy, target)
    with ordinary_user(ORDINARY_USER + 1):
        entries = out(source, copy, known=known)
        back(entries, copy, target, again=True)

        assert list(comparison.compare(entries, target, digests=True, workers=0)) == []
    assert entries == expected
    assert {entry.uid for entry in [*seen(copy), *seen(target)]} == {ORDINARY_USER + 1}
