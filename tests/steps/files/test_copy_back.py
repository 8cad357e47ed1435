"""A tree comes back by its listing, and by nothing else."""

import hashlib
import os
import subprocess
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import errors
from steps.files import comparison, copy_back, mtree, reading, walk
from steps.files.meter import Meter
from steps.files.mtree import FILE, FOLDER, LINK, Entry
from steps.files.tally import Tally
from tests.builders.fuse import Fuse, Killed
from tests.builders.refusals import Holding, refused
from tests.builders.trees import (
    ORDINARY_USER,
    ROOT,
    UNREADABLE,
    as_restored,
    back,
    build,
    extend,
    flip,
    folders,
    ordinary_user,
    out,
    remove_file,
    seen,
    trees,
    truncate,
    without_digest,
    written,
)


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


@pytest.mark.skipif(not UNREADABLE.exists(), reason="there is no file here that opens and can't be read")
def test_a_copy_that_fails_when_it_is_read_ends_the_restore(tmp_path):
    with refused(errors.ReadFailed, paths=[UNREADABLE.name]):
        back([entry(UNREADABLE.name)], UNREADABLE.parent, tmp_path)

    assert os.listdir(tmp_path) == []


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

    with ordinary_user(), refused(errors.ReadFailed, reason="Permission denied"):
        back(entries, copy, target)

    assert list(target.iterdir()) == []


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

    with refused(errors.BackupDamaged, findings=Holding("leads out of the tree")):
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

    with refused(errors.BackupDamaged, findings=Holding("'a' is out of order or listed twice")):
        back(listed, tmp_path / "source", tmp_path / "target")


@pytest.mark.parametrize("damage", [flip, truncate, extend], ids=lambda damage: damage.__name__)
def test_a_file_with_other_bytes_never_comes_under_its_name(copied, damage, tmp_path):
    copy, entries = copied
    damage(copy)
    (tmp_path / "target").mkdir()

    with refused(errors.BackupDamaged, findings=["'acme/logo.png' has different content than the listing"]):
        back(entries, copy, tmp_path / "target")

    assert os.listdir(tmp_path / "target/acme") == ["empty"]


def test_a_listed_file_that_is_missing_ends_the_restore(copied, tmp_path):
    copy, entries = copied
    remove_file(copy)
    (tmp_path / "target").mkdir()

    with refused(errors.BackupDamaged, findings=["'acme/logo.png' is missing"]):
        back(entries, copy, tmp_path / "target")


def test_a_listed_file_that_is_a_folder_ends_the_restore(copied, tmp_path):
    copy, entries = copied
    remove_file(copy)
    (copy / "acme/logo.png").mkdir()
    (tmp_path / "target").mkdir()

    with refused(errors.ReadFailed, reason="Is a directory"):
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


def damaged(entries, target):
    """The entries that are there with other bytes, or as something else."""
    findings = comparison.compare(entries, target, digests=True, workers=0)
    return [each for each in findings if not each.endswith((" is missing", " is not listed"))]


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
