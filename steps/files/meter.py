"""Settings and progress of a copy."""

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class SoFar(NamedTuple):
    """The progress of a copy."""

    entries: int = 0
    size_bytes: int = 0
    widened: int = 0
    ownership_kept: int = 0  # entries whose owner and group could not be set
    modes_refused: int = 0  # entries whose mode the volume does not keep
    times_refused: int = 0


class Meter:
    """Counts the progress of all processes. Each process has a row of its own in shared memory."""

    _COLUMNS = len(SoFar._fields)
    _ROWS = 1 + mmap.PAGESIZE // 64  # more than there are workers

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, self._ROWS * self._COLUMNS * 8)).cast("q")
        self._row = 0

    def enter(self, worker: int) -> None:
        """Count in the row of this worker from now on."""
        self._row = worker * self._COLUMNS

    def add(self, *, entries: int = 0, size_bytes: int = 0) -> None:
        """Add to the progress."""
        cells, row = self._cells, self._row
        cells[row] += entries
        cells[row + 1] += size_bytes

    def note(self, *, widened: bool = False, owner: bool = False, mode: bool = False, times: bool = False) -> None:
        """Count an entry whose rights, owner, mode or times differ from the listing."""
        for column, is_so in enumerate((widened, owner, mode, times), 2):
            self._cells[self._row + column] += is_so

    @property
    def counts(self) -> SoFar:
        """The sums over all processes."""
        cells = self._cells.tolist()
        return SoFar(*(sum(cells[column :: self._COLUMNS]) for column in range(self._COLUMNS)))


@dataclass(frozen=True)
class Work:
    """The settings of a copy: number of processes, where it is counted, and a function to call each second."""

    workers: int
    meter: Meter = field(default_factory=Meter)
    tick: Callable[[], object] = lambda: None
