"""Which calls fail: a table in a file that every process of a run maps, so that they count together.

`system_calls.c` reads it at the border to the system, `seam.py` where that can't be had; the table is the same in both.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

SHORT = -1  # half of what is asked for is read or written
VANISH = -2  # the folder of the path is removed, then the call is made
EVER = 1 << 30

ROW = struct.Struct("=6i1000s")  # call, what, first, last, seen, struck, pattern
ROWS = 4


class Call(IntEnum):
    """A kind of system call."""

    OPEN = 1
    CREATE = 2  # a file or a folder
    READ = 3
    WRITE = 4
    LOOK = 5  # at an open file
    REMOVE = 6  # a file


class Fault(NamedTuple):
    """What happens to the first to the last of the calls of a kind; `what` is an errno, SHORT or VANISH."""

    call: Call
    pattern: str  # of the whole path; `*` is for `/` too
    what: int
    first: int = 1
    last: int = EVER


def write(file: Path, faults: Sequence[Fault] = ()) -> None:
    """Write the table in place, because it is mapped."""
    rows = [ROW.pack(call, what, first, last, 0, 0, pattern.encode()) for call, pattern, what, first, last in faults]
    with file.open("r+b") as table:
        table.write(b"".join(rows).ljust(ROWS * ROW.size, b"\0"))


def struck(file: Path) -> list[int]:
    """How often each fault has struck."""
    rows = [ROW.unpack_from(file.read_bytes(), number * ROW.size) for number in range(ROWS)]
    return [row[5] for row in rows if row[0]]
