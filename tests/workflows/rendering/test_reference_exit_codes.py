"""The reference page of exit codes, made from the retry strategy of a phase and from the errors."""

import re
from collections.abc import Iterator

from hera.workflows.models import IntOrString

from steps import errors
from tests.builders.reference import code, made_by, recorded, table
from workflows.rendering import phase

_TRIES = phase._RETRY
CODES = {
    "0": "The step is done.",
    "1": "The step was refused or has failed for good. Another try would end in the same way.",
    "75": "Another try may succeed. For example Kubernetes did not answer, or the pod was asked to stop.",
    "137": "The pod was killed (SIGKILL), for example because it used too much memory.",
    "143": "The pod was evicted, or its node was drained (SIGTERM).",
    "-1": "The pod or its node is lost. Argo reports -1 because there is no exit code.",
}
ROOTS = (errors.TryAgain, errors.Unanswered)  # which are never raised themselves
OF_SECONDS = {"10s": 10, "2m": 120}


def tried_again() -> set[str]:
    """The exit codes after which Argo tries again."""
    return set(re.findall(r"'(-?\d+)'", _TRIES.expression or ""))


def pauses() -> str:
    """The seconds before each further try."""
    backoff = _TRIES.backoff
    assert backoff is not None
    first, longest = OF_SECONDS[str(backoff.duration)], OF_SECONDS[str(backoff.cap)]
    factor = int(backoff.factor.root if isinstance(backoff.factor, IntOrString) else backoff.factor or 1)
    every = [min(first * factor**number, longest) for number in range(int(str(_TRIES.limit)))]
    return f"{', '.join(map(str, every[:-1]))} and {every[-1]} seconds"


def raised(kind: type[errors.PhaseError] = errors.PhaseError) -> Iterator[type[errors.PhaseError]]:
    for below in kind.__subclasses__():
        yield from (below, *raised(below))


def page_of_exit_codes() -> Iterator[str]:
    again = tried_again()
    yield from ("# Exit codes", "", made_by("tests/workflows/rendering/test_reference_exit_codes.py"), "")
    yield from ("## Of a step of a workflow", "")
    rows = ((number, meaning, "yes" if number in again else "no") for number, meaning in CODES.items())
    yield from table("Code", "Meaning", "Argo tries again", rows=rows)
    yield from ("", "Argo also tries again if the step ends in the state `Error`.")
    yield f"It tries up to {_TRIES.limit} times more, after {pauses()}."
    yield "A few errors end with 75 first, and with 1 on the last try."
    yield "If the last try ends with 75, mend what the sentence names."
    yield "Then use `argo retry WORKFLOW`, or submit the same restore again (the plan's digest stays valid)."
    yield from ("", "These steps run once only, so that they do not hold the lock of the workflow for long:", "")
    yield "- `report` and `notify` of the exit handler, which have 15 and 5 minutes"
    yield "- the steps of retention at the end of a scheduled backup"
    yield "- `look`, which reads the volume of a failed run"
    yield from ("", "A step that fails prints its error as one sentence.")
    yield "Argo shows this sentence beside the step, in `argo get` and in its UI."
    yield "[errors](errors.md) lists all errors, and [faults](faults.md) says what they leave behind."
    yield "The step `report` of the exit handler says which steps failed, what held back a pod, and what to do next."
    yield "Pods are deleted ten minutes after they end. Use Argo's log archive to read their logs later."
    yield from ("", "## Errors with the exit code 75", "")
    kinds = {kind.code for kind in raised() if kind.exit_code == errors.TRY_AGAIN_EXIT and kind not in ROOTS}
    yield from (f"- [{each}](errors.md#{each})" for each in sorted(kinds))
    yield from ("", "## Of the command threescale-backup", "")
    yield f"The [command line](command-line.md#exit-codes) has the codes {code('0')}, {code('1')} and {code('2')}."
    yield "Code 2 means that the command line is invalid."


def test_the_page_of_exit_codes_is_as_the_code_says() -> None:
    page, made = recorded("exit-codes.md", page_of_exit_codes())

    assert page == made


def test_every_code_after_which_argo_tries_again_has_a_sentence() -> None:
    assert tried_again() < CODES.keys()
    assert {str(kind.exit_code) for kind in raised()} == {"1", "75"}
