"""How a copy is done, and how much of it is."""

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class SoFar(NamedTuple):
    """What is done so far."""

    entries: int = 0
    size_bytes: int = 0
    widened: int = 0
    ownership_kept: int = 0  # entries whose owner and group could not be set
    modes_refused: int = 0  # entries whose mode the volume does not keep
    times_refused: int = 0


class Meter:
    """Counts what is done, in any of the processes: each has a row of its own in memory that all of them see."""

    _COLUMNS = len(SoFar._fields)
    _ROWS = 1 + mmap.PAGESIZE // 64  # more than there are workers

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, self._ROWS * self._COLUMNS * 8)).cast("q")
        self._row = 0

    def enter(self, worker: int) -> None:
        """Count in the row of this worker from now on."""
        self._row = worker * self._COLUMNS

    def add(self, *, entries: int = 0, size_bytes: int = 0) -> None:
        """Add to what is done."""
        cells, row = self._cells, self._row
        cells[row] += entries
        cells[row + 1] += size_bytes

    def note(self, *, widened: bool = False, owner: bool = False, mode: bool = False, times: bool = False) -> None:
        """Add an entry to those that are not as they were listed."""
        for column, is_so in enumerate((widened, owner, mode, times), 2):
            self._cells[self._row + column] += is_so

    @property
    def counts(self) -> SoFar:
        """All processes' together."""
        cells = self._cells.tolist()
        return SoFar(*(sum(cells[column :: self._COLUMNS]) for column in range(self._COLUMNS)))


@dataclass(frozen=True)
class Work:
    """How a copy is done: by so many processes, counted where, and who is told each second."""

    workers: int
    meter: Meter = field(default_factory=Meter)
    tick: Callable[[], object] = lambda: None
