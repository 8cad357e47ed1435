"""A verification by shares: each night continues in the listing where the last night stopped, until all is read.

A night begins at a position: the number of bytes of all files before it, in the listing's fixed order. So a night
depends only on the listing, the position and the share, and another try of the night reads the same files.
Files are read whole, because a digest is of a whole file. A night reads at least its share, so 10 % needs at most ten
nights.
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
    """Parse the share of the bytes that a night reads, such as `10%`. Empty means all.

    Raises:
        errors.BadSample

    """
    try:
        return values.SHARE.part(sample) if sample else ALL
    except ValueError as error:
        raise errors.BadSample(sample) from error


@dataclass(frozen=True)
class Rotation:
    """The progress: the position of the next night and the total, in bytes, in the backup with this manifest."""

    position: int
    total: int
    manifest_sha256: str

    @classmethod
    def read(cls, text: str) -> "Rotation | None":
        """Parse the text that `str` writes. None if the text is invalid or nothing is left to read."""
        found = _TEXT.fullmatch(text)
        read = cls(int(found[1]), int(found[2]), found[3]) if found else None
        return read if read and read.position < read.total else None

    @staticmethod
    def is_one(text: str) -> bool:
        """Return whether the text has the form that `str` writes, even if nothing is left to read."""
        return bool(_TEXT.fullmatch(text))

    def __str__(self) -> str:
        return f"{self.position} of {self.total} bytes, manifest {self.manifest_sha256}"


class Night:
    """The files of one night, in the listing's order. After the iteration, `end` is the position of the next night."""

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
