"""Two streams in one order are merged: each wanted entry meets the one of its place."""

from typing import NamedTuple

import pytest

from steps.repository import merging


class Entry(NamedTuple):
    place: bytes
    side: str


def side(name, places):
    return [Entry(place.encode(), name) for place in places]


def merged(wanted, actual):
    """The merge, as `w` and `a` of each pair, in its order."""
    pairs = list(merging.by_place(side("wanted", wanted), iter(side("actual", actual))))
    assert {each.side for each, _ in pairs if each} <= {"wanted"}
    assert {each.side for _, each in pairs if each} <= {"actual"}
    return [tuple(each.place.decode() if each else "-" for each in pair) for pair in pairs]


def test_entries_of_one_place_meet():
    assert merged("abc", "abc") == [("a", "a"), ("b", "b"), ("c", "c")]


@pytest.mark.parametrize(
    ("actual", "pairs"),
    [
        ("bc", [("a", "-"), ("b", "b"), ("c", "c")]),
        ("ac", [("a", "a"), ("b", "-"), ("c", "c")]),
        ("ab", [("a", "a"), ("b", "b"), ("c", "-")]),
        ("", [("a", "-"), ("b", "-"), ("c", "-")]),
    ],
)
def test_a_wanted_entry_that_is_not_there_stands_alone(actual, pairs):
    assert merged("abc", actual) == pairs


@pytest.mark.parametrize(
    ("wanted", "pairs"),
    [
        ("bc", [("-", "a"), ("b", "b"), ("c", "c")]),
        ("ac", [("a", "a"), ("-", "b"), ("c", "c")]),
        ("a", [("a", "a"), ("-", "b"), ("-", "c")]),
        ("", [("-", "a"), ("-", "b"), ("-", "c")]),
    ],
)
def test_a_stray_entry_stands_alone(wanted, pairs):
    assert merged(wanted, "abc") == pairs


def test_entries_of_other_places_stand_in_the_order_of_their_places():
    assert merged("bd", "ace") == [("-", "a"), ("b", "-"), ("-", "c"), ("d", "-"), ("-", "e")]


def test_two_empty_streams_have_no_pair():
    assert merged("", "") == []


def test_an_entry_that_is_there_twice_is_a_stray():
    assert merged("a", "aa") == [("a", "a"), ("-", "a")]


def test_nothing_is_read_ahead_but_one_entry_of_each_stream():
    read = []

    def reading(entries):
        for each in entries:
            read.append((each.side, each.place))
            yield each

    pairs = merging.by_place(reading(side("wanted", "abc")), reading(side("actual", "abc")))
    next(pairs)

    assert read == [("actual", b"a"), ("wanted", b"a")]
