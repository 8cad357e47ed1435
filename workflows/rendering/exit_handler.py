"""What a workflow does at its end: it tells what failed and what to do next, and what else it is given to do.

The workflow's deadline does not reach here and the lock is held, so each pod may run on any node and nothing is tried
again: then `timeout` ends also a pod that no node can take.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hera.expr import g
from hera.workflows import DAG, Container, Parameter, Task
from hera.workflows.models import ContinueOn

from steps.contract.arguments import ONLY, PLAN, REFUSED
from steps.contract.exit_contract import ExitReport
from steps.contract.values import NO
from workflows.rendering import conditions
from workflows.rendering.parameters import output, words
from workflows.rendering.phase import Pod, Told, container
from workflows.rendering.placement import anywhere
from workflows.rendering.settings import Settings

WHATEVER_COMES = ContinueOn(failed=True, error=True)

FAILURES_INPUT = Parameter(
    name="failures", value="null", description="What failed, as Argo's workflow.failures says it."
)
ERRORS_INPUT = Parameter(name="errors", value="", description="The errors of the phases that failed, as JSON.")
REFUSED_INPUT = Parameter(name=REFUSED, value="", description="yes: a person's arguments were refused.")


class Ended(NamedTuple):
    """A workflow that has ended: its operation, arguments that are told by option, what to do where it failed.

    `errors`: the names that the outputs `failure` of its phases have in the whole workflow.
    """

    operation: str
    told: Mapping[str, Parameter]
    advice: str
    errors: Sequence[str]

    @property
    def words(self) -> list[str]:
        """What a phase is told first of it."""
        return ["--of", self.operation, "--began", f"{g.workflow.creationTimestamp.RFC3339:$}"]

    @property
    def arguments(self) -> dict[str, Any]:
        """What a task is given of it."""
        told = {"failures": f"{g.workflow.failures:$}", "errors": " ".join(map(conditions.or_empty, self.errors))}
        return {**told, REFUSED: conditions.or_empty(REFUSED), **self.told}


Notification = Callable[[Settings, Ended, str], Task]  # the last string is the condition under which it is sent


def exit_handler(
    settings: Settings, ended: Ended, notification: Notification, *, tell_success: bool, more: Mapping[str, Any]
) -> None:
    """Build it: a report of what failed, in the evidence too; a good run pays no pod for it.

    Where a Secret with a URL was named, the result is sent there as the last of all, and then a good run pays for that.
    `more`: one more Task.
    """
    sends = bool(settings.notify_secret)
    report = _report(settings, ended)
    with DAG(name="exit"):
        Task(
            name="report",
            template=report,
            arguments=ended.arguments,
            when=conditions.BROKEN,
            continue_on=WHATEVER_COMES if sends else None,
        )
        if sends:
            acts = conditions.differ(conditions.of_run(PLAN), ONLY) if PLAN in ended.told else ""
            notification(settings, ended, conditions.both(acts, "" if tell_success else conditions.BROKEN))
        if more:
            Task(**more)


def _report(settings: Settings, ended: Ended) -> Container:
    claim = Parameter(name="claim", value="", description="Claim of the backup. Empty: called as the workflow.")
    plan = Parameter(name=PLAN, value=NO, description="only: it was a mere plan, which leaves no evidence.")
    known = {FAILURES_INPUT.name, ERRORS_INPUT.name, REFUSED, *ended.told}
    told = Told(
        [each for each in (claim, FAILURES_INPUT, ERRORS_INPUT, plan, REFUSED_INPUT) if each.name in known],
        [
            *ended.words,
            *words(["failures", "errors"]),
            *("--advice", ended.advice, "--pod", f"{g.pod.name:$}"),
            *words([*ended.told, REFUSED]),
        ],
        [output(each) for each in ExitReport.gives],
    )
    return container(settings, ExitReport.command, told, Pod(affinity=anywhere(), retried=False))
