"""What all WorkflowTemplates share: who runs them, one at a time, for how long, and what is said when they fail."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hera.expr import g
from hera.workflows import DAG, Parameter, Task, WorkflowTemplate
from hera.workflows.models import Mutex, PodGC, Synchronization, TTLStrategy, WorkflowMetadata

from steps.values import NO
from workflows import conditions, metrics, notification
from workflows.conditions import REFUSED
from workflows.phases import (
    PLAN,
    Settings,
    anywhere,
    output,
    phase,
    pod_security,
    together,
    value,
    words,
)

MUTEX = "threescale"
_DAY_S = 24 * 3600
_TITLE = "workflows.argoproj.io/title"
_DESCRIPTION = "workflows.argoproj.io/description"
PART_OF = {"app.kubernetes.io/part-of": "threescale-backup"}


@contextmanager
def workflow_template(  # noqa: PLR0913  what may differ between two, nothing else
    settings: Settings,
    name: str,
    *,
    entrypoint: str,
    title: str,
    description: str,
    arguments: Sequence[Parameter],
    advice: str,
    claim: str = "",
    mutex: str = MUTEX,
    tell_success: bool = True,
    on_one_node: bool = True,
    deadline_s: int = 12 * 3600,
    at_the_end: Callable[[], Mapping[str, Any]] | None = None,
) -> Iterator[WorkflowTemplate]:
    """Open a WorkflowTemplate; at its end the exit handler is added.

    `claim`: the argument that names the backup's, where there is one. Two workflows of a `mutex` never run at once.
    `tell_success`: a notification is sent not only of failures. `at_the_end` makes the templates of one more task of
    the exit handler, and says what Task is to be given.
    """
    is_planned = PLAN in {item.name for item in arguments}
    with WorkflowTemplate(
        name=name,
        namespace=settings.namespace,
        labels=PART_OF,
        annotations={_TITLE: title, _DESCRIPTION: description},
        workflow_metadata=WorkflowMetadata(labels={"threescale-backup/kind": entrypoint}),
        entrypoint=entrypoint,
        on_exit="exit",
        arguments=list(arguments),
        service_account_name=name,
        security_context=pod_security(settings),
        affinity=together() if on_one_node else None,
        synchronization=Synchronization(mutexes=[Mutex(name=mutex)]),
        active_deadline_seconds=deadline_s,
        # A pod that has ended still keeps its claims from being deleted, System's too; so it goes. Not at once, for
        # those who want to read its log; its last sentence stays in the workflow.
        pod_gc=PodGC(strategy="OnPodCompletion", delete_delay_duration="10m"),
        ttl_strategy=TTLStrategy(seconds_after_success=7 * _DAY_S, seconds_after_failure=30 * _DAY_S),
        metrics=metrics.of_runs(entrypoint, planned=is_planned),
    ) as template:
        yield template
        given = {"claim": claim, PLAN: PLAN if is_planned else ""}
        told = {name: template.get_parameter(argument) for name, argument in given.items() if argument}
        more = at_the_end() if at_the_end else {}
        _exit_handler(settings, entrypoint, told, advice, tell_success=tell_success, more=more)


def _exit_handler(
    settings: Settings,
    operation: str,
    told: Mapping[str, Parameter],
    advice: str,
    *,
    tell_success: bool,
    more: Mapping[str, Any],
) -> None:
    """Tell what failed and what to do next, in the evidence too; a good run pays no pod for it.

    Where a Secret with a URL was named, the result is sent there as the last of all, and then a good run pays for that.

    The workflow's deadline does not reach here and the lock is held, so each pod may run on any node and nothing is
    tried again: then `timeout` ends also a pod that no node can take.
    """
    named = Parameter(name="claim", value="", description="Claim of the backup. Empty: called as the workflow.")
    failures = Parameter(name="failures", value="null", description="What failed, as Argo's workflow.failures says it.")
    plan = Parameter(name=PLAN, value=NO, description="only: it was a mere plan, which leaves no evidence.")
    refused = Parameter(name=REFUSED, value="", description="yes: a person's arguments were refused.")
    report = phase(
        settings,
        ["report"],
        inputs=[item for item in (named, failures, plan, refused) if item in (failures, refused) or item.name in told],
        arguments=[
            *("--of", operation, "--began", f"{g.workflow.creationTimestamp.RFC3339:$}"),
            *("--failures", value("failures"), "--advice", advice, "--pod", f"{g.pod.name:$}"),
            *words([*told, REFUSED]),
        ],
        outputs=[output("report", default="")],
        affinity=anywhere(),
        retried=False,
    )
    sends = bool(settings.notify_secret)
    with DAG(name="exit"):
        Task(
            name="report",
            template=report,
            arguments={"failures": f"{g.workflow.failures:$}", REFUSED: conditions.or_empty(REFUSED), **told},
            when=conditions.BROKEN,
            continue_on=notification.WHATEVER_COMES if sends else None,
        )
        if sends:
            acts = conditions.differ(conditions.of_run(PLAN), conditions.ONLY) if PLAN in told else ""
            when = conditions.both(acts, "" if tell_success else conditions.BROKEN)
            notification.task(settings, operation, told, advice, when)
        if more:
            Task(**more)
