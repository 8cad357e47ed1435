"""Merges what a snapshot must have with what it has: two streams in the order of a listing, and nothing is kept."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar


class _Placed(Protocol):
    @property
    def place(self) -> bytes: ...


_Wanted = TypeVar("_Wanted", bound=_Placed)
_Actual = TypeVar("_Actual", bound=_Placed)


def by_place(expected: Iterable[_Wanted], found: Iterator[_Actual]) -> Iterator[tuple[_Wanted | None, _Actual | None]]:
    """Yield each wanted entry with the actual one of its place, None if there is none. A stray one has no wanted entry.

    `found` is read to its end, even after the last wanted entry.
    """
    actual = next(found, None)
    for wanted in expected:
        while actual is not None and actual.place < wanted.place:
            yield None, actual
            actual = next(found, None)
        if actual is None or actual.place != wanted.place:
            yield wanted, None
            continue
        yield wanted, actual
        actual = next(found, None)
    while actual is not None:
        yield None, actual
        actual = next(found, None)
