"""What is measured, how often, and what is noted of each round."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.benchmarks.copying import programs
from tests.benchmarks.copying.media import Medium
from tests.benchmarks.copying.sets import Set

COLD: Final = "cold"
WARM: Final = "warm"
CACHES: Final = (COLD, WARM)
SLOW_ROUNDS: Final = 3  # most of such a round is the delay, which is steady


@dataclass(frozen=True)
class Case:
    """What one table shows."""

    set: str
    scale: float
    files: int
    size_bytes: int
    medium: str
    cache: str
    action: str


@dataclass(frozen=True)
class Round:
    """One run of one program. `seconds` end with the sync of the volume and leave out the interpreter's `start_s`."""

    case: Case
    program: str
    number: int
    seconds: float = 0
    start_s: float = 0
    sync_s: float = 0
    cpu_s: float = 0
    peak_mib: float = 0
    void: str = ""
    operations: dict[str, int] = field(default_factory=dict)  # of a slow medium, as the kernel asked for them
    delay_ms: float = 0  # the mean, as measured


@dataclass(frozen=True)
class Plan:
    """What is measured, and how often; no `workers` and no `rounds` are as many as an action, a set, a medium needs."""

    sets: tuple[Set, ...]
    media: tuple[Medium, ...]
    caches: tuple[str, ...]
    actions: tuple[str, ...]
    workers: tuple[int, ...] = ()
    words: tuple[str, ...] = programs.WORDS
    rounds: int = 0
    slow_files: int = 1000
    slow_mib: int = 256

    def places(self) -> Iterator[tuple[Medium, Set]]:
        """Each set on each medium, cut where the medium is slow."""
        for medium in self.media:
            for wanted in self.sets:
                if medium.is_local:
                    yield medium, wanted
                elif not wanted.is_for_local_only:
                    yield medium, wanted.cut(self.slow_files, self.slow_mib)

    def often(self, wanted: Set, medium: Medium) -> int:
        """How many rounds."""
        return self.rounds or (wanted.rounds if medium.is_local else SLOW_ROUNDS)


def describe(case: Case) -> str:
    """Name a case."""
    return f"{case.set}, {case.medium}, {case.cache} cache, {case.action}"
