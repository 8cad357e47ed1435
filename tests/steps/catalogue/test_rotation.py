from fractions import Fraction
from itertools import cycle
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steps import errors
from steps.catalogue import rotation
from steps.catalogue.rotation import Night, Rotation
from steps.files.mtree import FILE, FOLDER, LINK, Entry
from tests.builders.claims import DIGEST
from tests.builders.refusals import refused

sizes = st.lists(st.one_of(st.just(0), st.integers(1, 50), st.integers(1, 10**9)), max_size=60)
parts = st.integers(1, 100).map(lambda percent: Fraction(percent, 100))


def listing(of):
    """A tree with files of these sizes, and folders and links among them."""
    files = [Entry(f"f{number:04}", FILE, 0o640, 0, 0, 0, size) for number, size in enumerate(of)]
    others = [
        Entry(f"f{number:04}-{kind}", kind, 0o750, 0, 0, 0) for number in range(len(of)) for kind in (FOLDER, LINK)
    ]
    return sorted([*files, *others])


def nights(entries, of_each):
    """Read night after night, each by its part, until all is read."""
    total = sum(entry.size for entry in entries)
    position = 0
    for part in of_each:
        night = Night(entries, position, total, part)
        yield night, list(night)
        position = night.end
        if position >= total:
            return


@given(sizes, parts)
@pytest.mark.lesson(2)
def test_a_cycle_reads_every_file_and_takes_no_more_nights_than_its_share_says(of, part):
    entries = listing(of)
    every = list(nights(entries, [part] * 101))

    files = [entry for entry in entries if entry.kind == FILE]
    read = [entry for _, files in every for entry in files]
    assert set(read) == set(files)
    assert [entry for entry in read if entry.size] == [entry for entry in files if entry.size]
    assert len(every) <= ceil(1 / part)
    assert every[-1][0].end == sum(of)


@given(sizes, parts)
def test_a_night_reads_its_share_and_less_than_a_file_more(of, part):
    share = ceil(sum(of) * part)

    every = list(nights(listing(of), [part] * 101))

    for night, read in every:
        assert night.size_bytes == sum(entry.size for entry in read)
        assert night.files == len(read)
        assert night.size_bytes < share + max(of, default=0) or not sum(of)
    assert all(night.size_bytes >= share for night, _ in every[:-1])


@given(sizes, st.lists(parts, min_size=1, max_size=5))
def test_a_cycle_whose_share_changes_reads_every_file_all_the_same(of, of_each):
    entries = listing(of)
    read = [entry for _, files in nights(entries, cycle(of_each)) for entry in files]

    assert set(read) == {entry for entry in entries if entry.kind == FILE}


def test_a_tenth_a_night_has_read_all_at_the_tenth_night_and_not_before():
    every = list(nights(listing([1] * 100), [Fraction(1, 10)] * 20))

    assert [len(read) for _, read in every] == [10] * 10


@pytest.mark.parametrize(
    ("sample", "part"), [("", 1), ("10%", Fraction(1, 10)), ("0.5%", Fraction(1, 200)), ("100%", 1)]
)
def test_a_share_is_a_percentage_of_the_bytes(sample, part):
    assert rotation.share(sample) == part


@pytest.mark.parametrize("sample", ["0%", "0.0%", "100.1%", "999%", "10", "ten", "-5%", "\u0661\u0660%", " 10%"])
def test_what_is_no_share_is_refused(sample):
    with refused(errors.BadSample, sample=sample):
        rotation.share(sample)


def test_how_far_it_has_come_is_read_as_it_was_written():
    written = Rotation(19050, 190509, DIGEST)

    assert Rotation.read(str(written)) == written


@pytest.mark.parametrize(
    "text",
    ["", "-", "half", f"10 of 10 bytes, manifest {DIGEST}", f"11 of 10 bytes, manifest {DIGEST}", "1 of 2 bytes"],
)
def test_what_says_nothing_or_too_much_begins_anew(text):
    assert Rotation.read(text) is None
