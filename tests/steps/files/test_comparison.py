"""A copy that differs from its listing, in bytes or at a look."""

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps.files import comparison, reading, scanning, walk
from steps.files.mtree import FILE, FOLDER, LINK
from steps.files.tally import Tally
from tests.builders.trees import (
    ROOT,
    add_at_the_end,
    add_fifo,
    add_file,
    build,
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
    (flip, ["'acme/logo.png' has different content than the listing"]),
    (truncate, ["'acme/logo.png' has 3 bytes instead of 4"]),
    (extend, ["'acme/logo.png' has 5 bytes instead of 4"]),
    (fill, ["'acme/empty' has 1 bytes instead of 0"]),
    (remove_file, ["'acme/logo.png' is missing"]),
    (remove_folder, ["'acme' is missing", "'acme/empty' is missing", "'acme/logo.png' is missing"]),
    (add_file, ["'acme/more' is not listed"]),
    (add_at_the_end, ["'zzz' is not listed"]),
    (add_fifo, ["'acme/pipe' is a socket, FIFO or device"]),
    (file_to_folder, ["'acme/empty' is a dir, listed as file"]),
    (folder_to_link, ["'none' is a link, listed as dir"]),
    (file_to_fifo, ["'acme/empty' is a socket, FIFO or device"]),
    (link_elsewhere, ["'current' has a different target than the listing"]),
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
            "'folder-1/file-1' has different content than the listing",
            "'folder-3/large' has different content than the listing",
            "'folder-6/file-6' has different content than the listing",
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
            "'folder-1/file-1' has different content than the listing",
            "'folder-2/file-2' can't be read",
            "'folder-3/file-3' has different content than the listing",
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
