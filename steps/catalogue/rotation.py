"""A verification by shares: each night reads on in the listing where the last one stopped, until all of it is read.

Where a night begins is a position: the bytes of all files that stand before it in the listing's one order. So its cut
depends on nothing but the listing, the position and the share, and a night that is tried again reads the same files.
A file is read whole, because its digest is. A night reads no less than its share, so that of 10 % are ten at most.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from steps import errors
from steps.contract import values
from steps.files.mtree import FILE, Entry

ALL = Fraction(1)
_TEXT = re.compile(r"(\d{1,20}) of (\d{1,20}) bytes, manifest ([0-9a-f]{64})", re.ASCII)


def share(sample: str) -> Fraction:
    """What part of the bytes a night shall read, as a person says it: `10%`; empty: all.

    Raises:
        errors.BadSample

    """
    try:
        return values.SHARE.part(sample) if sample else ALL
    except ValueError as error:
        raise errors.BadSample(sample) from error


@dataclass(frozen=True)
class Rotation:
    """How far it has come: the position of the next night, of so many bytes, in the backup of this manifest."""

    position: int
    total: int
    manifest_sha256: str

    @classmethod
    def read(cls, text: str) -> "Rotation | None":
        """Read one as `str` writes it; None where it is none, or says that nothing is left."""
        found = _TEXT.fullmatch(text)
        read = cls(int(found[1]), int(found[2]), found[3]) if found else None
        return read if read and read.position < read.total else None

    @staticmethod
    def is_one(text: str) -> bool:
        """Whether it is as `str` writes one, also one that says that nothing is left."""
        return bool(_TEXT.fullmatch(text))

    def __str__(self) -> str:
        return f"{self.position} of {self.total} bytes, manifest {self.manifest_sha256}"


class Night:
    """The files of one night, in the listing's order; `end` is the position of the next, once they are taken."""

    def __init__(self, entries: Iterable[Entry], position: int, total: int, part: Fraction) -> None:
        self._entries = entries
        self._position = position
        self._size_bytes = ceil(total * part)
        self.files = 0
        self.size_bytes = 0
        self.end = position

    def __iter__(self) -> Iterator[Entry]:
        start = 0
        for entry in self._entries:
            if entry.kind != FILE:
                continue
            if start >= self._position:
                if entry.size and self.size_bytes >= self._size_bytes:
                    break
                self.files += 1
                self.size_bytes += entry.size
                yield entry
            start += entry.size
        self.end = start
