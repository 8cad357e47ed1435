"""The tables: the phases beside restic by hand, the calls around, memory and room. Each figure is a median."""

from collections.abc import Iterator, Sequence
from statistics import median

from tests.benchmarks.repository.rounds import FETCH, HAND, PHASE, PREPARE, PUSH, Round

LIMIT = 1.1
CALLS = 8  # around `backup` or `restore`
_WORK = {PUSH: "backup", FETCH: "restore"}


def lines(rounds: Sequence[Round]) -> Iterator[str]:
    """Write all tables in Markdown."""
    yield "| set, store, night | action | restic inside, s | by hand, s | ratio | calls around | their s | phase, s |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    yield from (_times(case) for case in _cases(rounds) if case[0].action != PREPARE)
    yield ""
    yield "| set, store, night | action | files | restic MiB | Python MiB | together MiB | scratch MiB |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    yield from (_memory(case) for case in _cases(rounds))
    yield ""
    yield "| set, store, night | action | by | requests | MiB sent | MiB received | MiB added | of it metadata |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    yield from (_amounts(case, by) for case in _cases(rounds) for by in (PHASE, HAND) if _of(case, by))


def verdicts(rounds: Sequence[Round]) -> Iterator[tuple[str, bool]]:
    """Yield what must hold, and whether it does."""
    for case in _cases(rounds):
        first = case[0]
        if first.action != PREPARE:
            ratio = _ratio(case)
            yield f"{_name(first)}, {first.action}: {ratio:.2f} of by hand, at most {LIMIT}", ratio <= LIMIT
            around = max(_around(each)[0] for each in _of(case, PHASE))
            yield f"{_name(first)}, {first.action}: {around} calls around, at most {CALLS}", around <= CALLS


def _times(case: Sequence[Round]) -> str:
    ours, first = _of(case, PHASE), case[0]
    around = max(_around(each)[0] for each in ours)
    cells = [
        _name(first), first.action, f"{median(each.restic_s for each in ours):.2f}",
        f"{median(each.seconds for each in _of(case, HAND)):.2f}", f"{_ratio(case):.2f}", f"{around}",
        f"{median(_around(each)[1] for each in ours):.2f}", f"{median(each.seconds for each in ours):.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _memory(case: Sequence[Round]) -> str:
    ours, first = _of(case, PHASE), case[0]
    sizes = [max(getattr(each, name) for each in ours)
             for name in ("restic_mib", "python_mib", "together_mib", "scratch_mib")]  # fmt: skip
    return f"| {_name(first)} | {first.action} | {first.files:,} | {' | '.join(f'{size:.0f}' for size in sizes)} |"


def _amounts(case: Sequence[Round], by: str) -> str:
    found, first = _of(case, by), case[0]
    names = ("sent_bytes", "received_bytes", "added_bytes", "metadata_bytes")
    sizes = [f"{median(getattr(each, name) for each in found) / 2**20:.2f}" for name in names]
    requests = f"{median(each.requests for each in found):.0f}"
    return f"| {' | '.join([_name(first), first.action, by, requests, *sizes])} |"


def _around(each: Round) -> tuple[int, float]:
    """How many calls of restic there are besides the work itself, and their seconds."""
    others = [told for name, told in each.calls.items() if name != _WORK.get(each.action)]
    return int(sum(count for count, _ in others)), sum(seconds for _, seconds in others)


def _ratio(case: Sequence[Round]) -> float:
    return median(each.restic_s for each in _of(case, PHASE)) / median(each.seconds for each in _of(case, HAND))


def _of(case: Sequence[Round], program: str) -> list[Round]:
    return [each for each in case if each.program == program]


def _cases(rounds: Sequence[Round]) -> list[list[Round]]:
    cases: dict[tuple[object, ...], list[Round]] = {}
    for each in rounds:
        cases.setdefault((each.set, each.scale, each.store, each.night, each.action), []).append(each)
    return list(cases.values())


def _name(each: Round) -> str:
    scale = "" if each.scale == 1 else f" at {each.scale:g}"
    return f"*{each.set}*{scale}, {each.store}, night {each.night}"
