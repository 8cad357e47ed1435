"""The rounds as a table: each figure the median of the rounds that count, held against `rsync -a` and `cp -a`."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Final

from tests.benchmarks.copying import programs
from tests.benchmarks.copying.plan import Case, Round, describe

_HEAD: Final = (
    f"{'':24}{'s':>9}{'least':>9}{'most':>9}{'rsync':>8}{'cp':>8}{'MiB/s':>9}{'CPU s':>8}{'peak MiB':>10}  rounds"
)


def seconds(rounds: Iterable[Round], case: Case, program: str) -> float | None:
    """The median time of a program in a case, None where no round counts."""
    found = [each.seconds for each in rounds if (each.case, each.program) == (case, program) and not each.void]
    return median(found) if found else None


def cases(rounds: Iterable[Round]) -> list[Case]:
    """All cases, as they were measured."""
    return list(dict.fromkeys(each.case for each in rounds))


def lines(rounds: Sequence[Round]) -> Iterator[str]:
    """Write a table a case."""
    for case in cases(rounds):
        own = [each for each in rounds if each.case == case]
        yield f"{describe(case)}: {case.files} files, {case.size_bytes / 2**20:.1f} MiB{_delay(own)}"
        yield _HEAD
        for program in sorted({each.program for each in own}, key=_rank):
            yield _line(own, case, program)
        yield ""


def _rank(program: str) -> tuple[bool, list[int], str]:
    """Ours first, fewer workers before more."""
    return not program.startswith("ours"), [int(word) for word in program.split() if word.isdigit()], program


def _delay(rounds: Sequence[Round]) -> str:
    delays = [each.delay_ms for each in rounds if each.delay_ms]
    return f", each operation delayed by {median(delays):.2f} ms" if delays else ""


def _line(rounds: Sequence[Round], case: Case, program: str) -> str:
    own = [each for each in rounds if each.program == program]
    valid = [each for each in own if not each.void]
    if not valid:
        return f"{program:24} void: {own[0].void}"
    times = [each.seconds for each in valid]
    ratios = (_ratio(median(times), seconds(rounds, case, base)) for base in (programs.RSYNC, programs.CP))
    return (
        f"{program:24}{median(times):9.2f}{min(times):9.2f}{max(times):9.2f}{''.join(f'{each:>8}' for each in ratios)}"
        f"{case.size_bytes / 2**20 / median(times):9.1f}{median(each.cpu_s for each in valid):8.2f}"
        f"{max(each.peak_mib for each in valid):10.0f}  {len(valid)} of {len(own)}"
    )


def _ratio(time_s: float, base_s: float | None) -> str:
    return f"{time_s / base_s:.2f}x" if base_s else "-"
