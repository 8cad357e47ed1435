"""The end of a workflow: report what failed and what to do next, send the notification, run one more task if given.

The workflow's deadline does not apply here, and the lock is held. So each pod may run on any node, and no pod is tried
again. Without retries, `timeout` also ends a pod that no node can take.
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

FAILURES_INPUT = Parameter(name="failures", value="null", description="Failed nodes, from Argo's workflow.failures.")
ERRORS_INPUT = Parameter(name="errors", value="", description="The errors of the phases that failed, as JSON.")
REFUSED_INPUT = Parameter(name=REFUSED, value="", description="`yes` if the arguments of a person were refused.")


class Ended(NamedTuple):
    """A workflow that has ended: its operation, the arguments passed as options, and the advice after a failure.

    `errors`: the global names of the outputs `failure` of its phases.
    """

    operation: str
    told: Mapping[str, Parameter]
    advice: str
    errors: Sequence[str]

    @property
    def words(self) -> list[str]:
        """The first options of a phase of the exit handler."""
        return ["--of", self.operation, "--began", f"{g.workflow.creationTimestamp.RFC3339:$}"]

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of a task of the exit handler."""
        told = {"failures": f"{g.workflow.failures:$}", "errors": " ".join(map(conditions.or_empty, self.errors))}
        return {**told, REFUSED: conditions.or_empty(REFUSED), **self.told}


Notification = Callable[[Settings, Ended, str], Task]  # the last string is the condition under which it is sent


def exit_handler(
    settings: Settings, ended: Ended, notification: Notification, *, tell_success: bool, more: Mapping[str, Any]
) -> None:
    """Build the exit handler. It reports what failed, also in the result record. A good run needs no pod for that.

    If a Secret with a URL is named, the last task sends the result there. Then a good run needs a pod, too.
    `more`: the arguments of one more Task.
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
    claim = Parameter(
        name="claim",
        value="",
        description="Name of the claim of the backup. If empty, the name of the workflow is used.",
    )
    plan = Parameter(name=PLAN, value=NO, description="`only` if the run was a plan. A plan leaves no result record.")
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
