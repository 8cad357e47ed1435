"""The listing of a tree is written while it is copied, and is there when it is whole."""

import hashlib
import os

import pytest

from steps.archive import layout, listing
from steps.archive.manifest import PLACEHOLDER, Digest
from steps.files import mtree, writing
from steps.files.mtree import FILE, Entry
from steps.files.tally import as_lines


def taken(*paths, late=0):
    """What a copy tells of these files."""
    entries = [Entry(path, FILE, 0o640, 0, 0, 10**18, 0) for path in paths]
    return [each._replace(round=late) for each in as_lines(entries)]


@pytest.fixture
def root(tmp_path):
    writing.make_folder(tmp_path, layout.TREE)
    return tmp_path


def listed(root):
    with (root / layout.LISTING).open() as lines:
        return [entry.path for entry in mtree.parse(lines)]


def test_a_listing_is_whole_under_its_name_and_its_digest_is_that_of_its_bytes(root):
    digest, placeholder = listing.write(root, [*taken("a", "b"), *taken("c")], None)

    data = (root / layout.LISTING).read_bytes()
    assert digest == Digest(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    assert (listed(root), placeholder) == (["a", "b", "c"], "")
    assert sorted(os.listdir(root)) == sorted([layout.LISTING, layout.TREE])


def test_what_was_found_late_comes_to_its_place(root):
    digest, _ = listing.write(root, [*taken("b", "d"), *taken("a", "c", late=1), *taken("e", late=2)], None)

    assert listed(root) == ["a", "b", "c", "d", "e"]
    assert digest.size == (root / layout.LISTING).stat().st_size


@pytest.mark.parametrize("hidden", [[], [".hidden"]])
def test_a_placeholder_is_listed_where_no_entry_shows(root, hidden):
    assert listing.write(root, taken(*hidden), None)[1] == PLACEHOLDER
    assert listed(root) == [*hidden, PLACEHOLDER]
    assert os.listdir(root / layout.TREE) == [PLACEHOLDER]


def test_a_listing_is_not_written_over_the_one_that_is_still_read(root):
    first, second = (root / name for name in listing._PARTS)
    first.write_text("of a run before")

    def copying():
        assert first.read_text() == "of a run before"
        assert second.exists()
        yield from taken("a")

    listing.write(root, copying(), first)

    assert listed(root) == ["a"]
    assert not first.exists()


def test_of_two_that_were_begun_the_longer_one_is_what_is_known(root):
    first, second = (root / name for name in listing._PARTS)
    assert listing.earlier(root) is None

    first.write_text("1")
    second.write_text("22")
    assert listing.earlier(root) == second

    second.unlink()
    second.symlink_to("elsewhere")
    assert listing.earlier(root) == first
