"""The gate: what the copier must hold, and what it aims at, judged from the rounds alone.

Its own time is that with 4 workers on the disk, as a phase takes on two processors, and with 8 behind a delay; or with
the most that were measured below.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.benchmarks.copying import media, programs, table
from tests.benchmarks.copying.plan import COLD, Case, Round, describe
from tests.benchmarks.copying.programs import BACKUP, CP, RESTORE, RSYNC, VERIFY

WORKERS: Final = 8
LOCAL_WORKERS: Final = 4
SLOW: Final = "1ms"
SLOW_FACTOR: Final = 3
DEEP_MIB: Final = 256
READ_SHARE: Final = 0.8
_AIM: Final = "aim:"
AIMS: Final[Mapping[str, float]] = {"portal": 0.6, "small": 0.6, "big": 1.05}  # of the time of cp -a


@dataclass(frozen=True)
class Verdict:
    """One line of the gate; `passed` is None where nothing was measured."""

    line: str
    found: str = ""
    passed: bool | None = None

    @property
    def is_aim(self) -> bool:
        """Whether it may be missed."""
        return self.line.startswith(_AIM)

    def __str__(self) -> str:
        word = {True: "pass", False: "FAIL", None: "not measured"}[self.passed]
        return f"{word:14}{self.line}{': ' if self.found else ''}{self.found}"


def judge(rounds: Sequence[Round]) -> list[Verdict]:
    """Hold the rounds against each line of the gate, then against the aim beyond it."""
    lines = (_whole, _local, _slow, _memory, _restore, _verify, _aim)
    return [verdict for judged in lines for verdict in judged(rounds)]


def _whole(rounds: Sequence[Round]) -> Iterator[Verdict]:
    """Else a copier that fails would be one that was not measured."""
    own = [each for each in rounds if each.program.startswith("ours")]
    void = [f"{each.program}, {describe(each.case)}" for each in own if each.void]
    yield Verdict("no round of ours is void", void[0] if void else "", not void if own else None)


def _local(rounds: Sequence[Round]) -> Iterator[Verdict]:
    asked = [case for case in table.cases(rounds) if case.medium == media.LOCAL and case.action == BACKUP]
    line = "locally not slower than rsync -a"
    yield from [_against(rounds, case, RSYNC, 1, line) for case in asked] or [Verdict(line)]


def _slow(rounds: Sequence[Round]) -> Iterator[Verdict]:
    asked = [case for case in table.cases(rounds) if case.medium == SLOW and case.action == BACKUP]
    asked = [case for case in asked if _own(rounds, case) == programs.ours(WORKERS)]
    line = f"under 1 ms and with {WORKERS} workers at least {SLOW_FACTOR}x faster than rsync -a"
    yield from [_against(rounds, case, RSYNC, 1 / SLOW_FACTOR, line) for case in asked] or [Verdict(line)]


def _memory(rounds: Sequence[Round]) -> Iterator[Verdict]:
    line = f"at most {DEEP_MIB} MiB at"
    asked = [case for case in table.cases(rounds) if case.set == "deep"]
    for case in asked:
        name = _own(rounds, case)
        peaks_mib = [each.peak_mib for each in rounds if (each.case, each.program) == (case, name) and not each.void]
        if peaks_mib:
            found = f"{name} {max(peaks_mib):.0f} MiB"
            yield Verdict(f"{line} {_where(case)}, {case.action}", found, max(peaks_mib) <= DEEP_MIB)
    if not asked:
        yield Verdict(f"{line} deep")


def _restore(rounds: Sequence[Round]) -> Iterator[Verdict]:
    line = "restore no slower than backup"
    asked = [case for case in table.cases(rounds) if case.action == RESTORE]
    for case in asked:
        name = _own(rounds, case)
        yield _compared(
            f"{line}, {_where(case)}",
            (f"{name}, restore", table.seconds(rounds, case, name)),
            (f"{name}, backup", table.seconds(rounds, replace(case, action=BACKUP), name)),
            1,
        )
    if not asked:
        yield Verdict(line)


def _verify(rounds: Sequence[Round]) -> Iterator[Verdict]:
    """From a cold cache or a slow medium only: what lies in memory is read faster than any digest is made."""
    line = f"verify at {READ_SHARE:.0%} of a plain parallel read"
    asked = [case for case in table.cases(rounds) if case.action == VERIFY and _is_read(case)]
    for case in asked:
        name = _own(rounds, case)
        yield _against(rounds, case, programs.plain_read(_workers(name)), 1 / READ_SHARE, line)
    if not asked:
        yield Verdict(line)


def _aim(rounds: Sequence[Round]) -> Iterator[Verdict]:
    for name, share in AIMS.items():
        asked = [case for case in table.cases(rounds) if (case.medium, case.set) == (media.LOCAL, name)]
        line = f"{_AIM} {share:g} of cp -a"
        yield from [_against(rounds, case, CP, share, line) for case in asked if case.action == BACKUP] or [
            Verdict(f"{line}, {name}")
        ]


def _against(rounds: Sequence[Round], case: Case, other: str, most: float, line: str) -> Verdict:
    name = _own(rounds, case)
    own, others = table.seconds(rounds, case, name), table.seconds(rounds, case, other)
    return _compared(f"{line}, {_where(case)}", (name, own), (other, others), most)


def _compared(line: str, own: tuple[str, float | None], other: tuple[str, float | None], most: float) -> Verdict:
    if own[1] is None or other[1] is None:
        return Verdict(line)
    share = own[1] / other[1]
    return Verdict(line, f"{own[0]} {own[1]:.2f} s, {other[0]} {other[1]:.2f} s, {share:.2f}", share <= most)


def _own(rounds: Sequence[Round], case: Case) -> str:
    """Name the copier with the workers it is judged with."""
    wanted = LOCAL_WORKERS if case.medium == media.LOCAL else WORKERS
    counts = {_workers(each.program) for each in rounds if each.case == case and each.program.startswith("ours")}
    return programs.ours(max((count for count in counts if count <= wanted), default=wanted))


def _workers(program: str) -> int:
    return int(program.split()[1])


def _is_read(case: Case) -> bool:
    return case.cache == COLD or case.medium != media.LOCAL


def _where(case: Case) -> str:
    scale = "" if case.scale == 1 else f" at {case.scale:g}"
    return f"{case.set}{scale}, {f'{case.cache} cache' if case.medium == media.LOCAL else case.medium}"
