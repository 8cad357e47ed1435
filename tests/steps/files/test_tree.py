import errno
import hashlib
import os
import random
import shutil
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps.files import ahead, comparison, reading, scanning, walk
from steps.files.mtree import FILE, FOLDER, LINK
from steps.files.tally import Lost, Tally, Why
from tests.builders.trees import (
    MIB,
    ROOT,
    add_at_the_end,
    add_fifo,
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
)


def change_a_byte(path, at):
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(data)


def grow(path, _at):
    path.write_bytes(path.read_bytes() + b"!")


def become_a_folder(path, _at):
    path.unlink()
    path.mkdir()


def become_a_link(path, _at):
    path.unlink()
    path.symlink_to("elsewhere \N{CHECK MARK}")


@given(trees.filter(bool), st.data())
@settings(max_examples=60, deadline=None)
def test_random_damage_to_a_copy_is_found_where_it_is(content, data):
    with folders("source", "copy") as (source, copy):
        entries = out(build(source, content), copy)
        if not (files := [entry for entry in entries if entry.kind != FOLDER]):
            return
        hit = data.draw(st.sampled_from(files))
        damages = [become_a_folder, become_a_link]
        damages += [grow] if hit.kind == FILE else []
        damages += [change_a_byte] if hit.size else []
        data.draw(st.sampled_from(damages))(copy / hit.path, data.draw(st.integers(0, 99)))

        (finding,) = comparison.compare(entries, copy, digests=True, workers=0)

        assert finding.startswith(repr(hit.path))


@given(trees.filter(bool), st.data())
@settings(max_examples=40, deadline=None)
def test_an_entry_more_or_less_than_listed_is_found(content, data):
    with folders("source", "copy") as (source, copy):
        entries = out(build(source, content), copy)
        odd = data.draw(st.sampled_from(entries))
        listed = [entry for entry in entries if entry is not odd]

        assert list(comparison.compare(listed, copy, digests=True, workers=0)) == [f"{odd.path!r} is not listed"]
        if odd.kind != FOLDER:
            (copy / odd.path).unlink()

            assert list(comparison.compare(entries, copy, digests=True, workers=0)) == [f"{odd.path!r} is missing"]


ANY_DAMAGE = [
    (flip, ["'acme/logo.png' has other bytes than listed"]),
    (truncate, ["'acme/logo.png' has 3 bytes, listed with 4"]),
    (extend, ["'acme/logo.png' has 5 bytes, listed with 4"]),
    (fill, ["'acme/empty' has 1 bytes, listed with 0"]),
    (remove_file, ["'acme/logo.png' is missing"]),
    (remove_folder, ["'acme' is missing", "'acme/empty' is missing", "'acme/logo.png' is missing"]),
    (add_file, ["'acme/more' is not listed"]),
    (add_at_the_end, ["'zzz' is not listed"]),
    (add_fifo, ["'acme/pipe' is a socket, FIFO or device"]),
    (file_to_folder, ["'acme/empty' is a dir, listed as file"]),
    (folder_to_link, ["'none' is a link, listed as dir"]),
    (file_to_fifo, ["'acme/empty' is a socket, FIFO or device"]),
    (link_elsewhere, ["'current' points elsewhere than listed"]),
]
BY_THE_LOOK = [case for case in ANY_DAMAGE if case[0] not in {flip, link_elsewhere}]


def called(value):
    return getattr(value, "__name__", "")


@pytest.mark.parametrize(("damage", "findings"), ANY_DAMAGE, ids=called)
def test_any_damage_to_a_copy_is_found(copied, damage, findings):
    copy, entries = copied

    damage(copy)

    assert list(comparison.compare(entries, copy, digests=True, workers=0)) == findings


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("damage", "findings"), [*BY_THE_LOOK, (lambda _copy: None, [])], ids=called)
def test_any_other_name_kind_or_size_is_found_at_a_look(copied, damage, findings, workers):
    copy, entries = copied
    tally = Tally.of(entries)

    damage(copy)

    assert list(comparison.differences(tally, lambda: entries, copy, workers)) == findings


def test_only_a_tree_that_differs_is_compared_one_by_one(copied):
    copy, entries = copied
    tally = Tally.of(entries)

    assert list(comparison.differences(tally, lambda: pytest.fail("compared"), copy, 0)) == []


@given(trees.filter(bool), st.data())
@settings(max_examples=40, deadline=None)
def test_random_changes_of_names_kinds_and_sizes_are_found_at_a_look(content, data):
    with folders("source", "copy") as (source, copy):
        entries = out(build(source, content), copy)
        tally = Tally.of(entries)
        hit = data.draw(st.sampled_from(entries))
        changes = {
            FOLDER: [rename],
            FILE: [rename, grow, become_a_folder, become_a_link],
            LINK: [rename, become_a_folder],
        }
        change = data.draw(st.sampled_from(changes[hit.kind]))

        change(copy / hit.path, data.draw(st.integers(0, 99)))

        assert any(repr(hit.path) in each for each in comparison.differences(tally, lambda: entries, copy, 0))


def rename(path, number):
    path.rename(path.with_name(f"renamed-{number}-{path.name}"[:200]))


def test_a_comparison_without_digests_reads_no_file(copied):
    copy, entries = copied

    flip(copy)

    assert list(comparison.compare(entries, copy, digests=False, workers=0)) == []


def test_a_tree_that_is_gone_is_no_empty_one(tmp_path):
    assert list(scanning.scan(tmp_path / "gone", workers=0)) == [Lost(".", Why.UNREADABLE)]
    assert out(tmp_path / "gone", tmp_path, tally := Tally()) == []
    assert tally.unreadable.first == ["."]
    assert list(comparison.compare([], tmp_path / "gone", digests=True, workers=0)) == ["'.' can't be read"]


@pytest.mark.skipif(not ROOT, reason="only root can make files that another user may not read")
def test_a_copy_that_can_not_be_read_is_a_finding(anyones):
    source, copy = build(anyones / "source", {b"a": (FILE, b"1", 0o644, 0)}), anyones / "copy"
    copy.mkdir()
    entries = out(source, copy)
    copy.chmod(0o755)
    (copy / "a").chmod(0o600)

    with ordinary_user():
        findings = list(comparison.compare(entries, copy, digests=True, workers=0))

    assert findings == ["'a' can't be read"]


def test_while_a_tree_is_counted_it_is_told_how_far(tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "_TICK_S", 0)
    build(
        tmp_path / "tree", {b"%d" % number: (FOLDER, {b"a": (FILE, b"1", 0o644, 0)}, 0o755, 0) for number in range(9)}
    )
    told = []

    found = scanning.measure(tmp_path / "tree", 0, lambda so_far: told.append(so_far.entries))

    assert found.entries == 18
    assert told == sorted(told)
    assert {0, 17} <= {*told}


def test_a_folder_comes_before_its_content_and_a_like_name_after_it(tmp_path):
    build(tmp_path / "tree", {b"a": (FOLDER, {b"b": (FILE, b"", 0o644, 0)}, 0o755, 0), b"a-b": (FILE, b"", 0o644, 0)})

    assert [entry.path for entry in seen(tmp_path / "tree")] == ["a", "a/b", "a-b"]


def test_names_are_in_the_order_of_their_bytes_also_where_they_are_no_utf_8(tmp_path):
    smiling, no_utf_8 = "\U0001f600".encode(), b"\xff"
    build(tmp_path / "tree", dict.fromkeys((no_utf_8, smiling), (FILE, b"", 0o644, 0)))

    assert [os.fsencode(entry.path) for entry in seen(tmp_path / "tree")] == [smiling, no_utf_8]


def test_a_digest_is_that_of_all_bytes_of_a_file_of_several_blocks(tmp_path):
    content = random.Random(3).randbytes((2 << 20) + 1)  # noqa: S311  no secret
    (tmp_path / "file").write_bytes(content)

    with (tmp_path / "file").open("rb") as stream:
        assert reading.digest(stream.fileno()) == (len(content), hashlib.sha256(content).hexdigest())


class TestMeasure:
    def test_the_data_of_a_file_with_holes_are_counted_apart_from_its_length(self, tmp_path):
        sparse(tmp_path / "holes", 300 << 30, {0: b"a" * 4096, 200 << 30: b"b" * MIB})
        sparse(tmp_path / "hole", 3 * MIB, {})
        dense(tmp_path / "zeros", bytes(2 * MIB))

        tally = scanning.measure(tmp_path, 0)

        assert tally.size_bytes == (300 << 30) + 5 * MIB
        assert tally.data_bytes == 4096 + 3 * MIB

    def test_holes_are_none_of_what_is_compared(self, tmp_path):
        sparse(tmp_path / "a", 3 * MIB, {})
        entries = seen(tmp_path)

        assert list(comparison.differences(Tally.of(entries), lambda: entries, tmp_path, 0)) == []

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
    def test_a_file_system_that_knows_no_holes_counts_the_whole_length(self, tmp_path, monkeypatch, number):
        sparse(tmp_path / "a", 3 * MIB, {})

        seek = os.lseek

        def refuse(descriptor, at, how):
            if how in {os.SEEK_DATA, os.SEEK_HOLE}:
                raise OSError(number, "refused")
            return seek(descriptor, at, how)

        monkeypatch.setattr(os, "lseek", refuse)

        assert scanning.measure(tmp_path, 0).data_bytes == 3 * MIB

    def test_one_that_contradicts_itself_counts_the_whole_length(self, tmp_path, monkeypatch):
        sparse(tmp_path / "a", 3 * MIB, {})
        monkeypatch.setattr(os, "lseek", lambda *_: 0)  # data of no bytes, without an end

        assert scanning.measure(tmp_path, 0).data_bytes == 3 * MIB

    def test_fewer_blocks_alone_are_no_holes(self, tmp_path, monkeypatch):
        dense(tmp_path / "compressed", b"a" * 3 * MIB)
        look = os.stat

        def compressed(*arguments, **options):
            found = look(*arguments, **options)
            return SimpleNamespace(st_size=found.st_size, st_blocks=8)

        monkeypatch.setattr(os, "stat", compressed)

        assert scanning.measure(tmp_path, 0).data_bytes == 3 * MIB


class TestUnlike:
    """The bytes of listed files, without what names and sizes tell."""

    @pytest.fixture
    def listed(self, tmp_path):
        """A tree of some folders with a large file among small ones, and its listing."""
        root = tmp_path / "root"
        for number in range(3 * walk.TOGETHER):
            path = root / f"folder-{number % 7}" / f"file-{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(str(number).encode() if number % 5 else b"")
        (root / "folder-3/large").write_bytes(bytes(reading.LARGE + 1))
        (root / "link").symlink_to("folder-1")
        return root, [entry for entry in scanning.scan(root, digests=True, workers=0) if entry.kind == FILE]

    @pytest.mark.parametrize("workers", [0, 3])
    def test_files_with_the_listed_bytes_are_passed_over(self, listed, workers):
        root, entries = listed

        assert list(comparison.unlike(entries, root, workers)) == []

    @pytest.mark.parametrize("workers", [0, 3])
    def test_each_with_other_bytes_is_named_in_the_listing_s_order(self, listed, workers):
        root, entries = listed
        with (root / "folder-3/large").open("r+b") as stream:
            stream.write(b"x")
        (root / "folder-6/file-6").write_bytes(b"7")
        (root / "folder-1/file-1").write_bytes(b"2")

        assert list(comparison.unlike(entries, root, workers)) == [
            "'folder-1/file-1' has other bytes than listed",
            "'folder-3/large' has other bytes than listed",
            "'folder-6/file-6' has other bytes than listed",
        ]

    def test_each_that_can_not_be_read_as_it_is_listed_is_named(self, listed):
        root, entries = listed
        in_four = [entry.path for entry in entries if entry.path.startswith("folder-4/")]
        (root / "folder-1/file-1").write_bytes(b"longer")
        (root / "folder-2/file-2").unlink()
        (root / "folder-3/file-3").unlink()
        (root / "folder-3/file-3").mkdir()
        shutil.rmtree(root / "folder-4")

        assert list(comparison.unlike(entries, root, 0)) == [
            "'folder-1/file-1' has other bytes than listed",
            "'folder-2/file-2' can't be read",
            "'folder-3/file-3' has other bytes than listed",
            *(f"{path!r} can't be read" for path in in_four),
        ]

    def test_what_can_not_be_read_is_named(self, listed, monkeypatch):
        root, entries = listed
        monkeypatch.setattr(reading, "read_digest", fail_to_read)

        assert list(comparison.unlike(entries[:1], root, 0)) == [f"{entries[0].path!r} can't be read"]

    def test_a_root_that_is_gone_can_not_be_read(self, tmp_path, listed):
        assert list(comparison.unlike(listed[1], tmp_path / "gone", 0)) == ["'.' can't be read"]


def fail_to_read(*_arguments):
    raise OSError(5, "Input/output error")
