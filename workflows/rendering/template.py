"""What all WorkflowTemplates share: who runs them, one at a time, for how long, and what is said when they fail."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hera.workflows import Parameter, WorkflowTemplate
from hera.workflows.models import Mutex, PodGC, Synchronization, TTLStrategy, WorkflowMetadata

from steps.contract.arguments import PLAN
from steps.contract.names import KIND, PART_OF
from workflows.rendering.exit_handler import Ended, Notification, exit_handler
from workflows.rendering.labels import DESCRIPTION, TITLE
from workflows.rendering.phase import Metric, pod_security
from workflows.rendering.placement import together
from workflows.rendering.settings import Settings

MUTEX = "threescale"
_DAY_S = 24 * 3600


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
    metrics: Sequence[Metric],
    notification: Notification,
    claim: str = "",
    mutex: str = MUTEX,
    tell_success: bool = True,
    on_one_node: bool = True,
    deadline_s: int = 12 * 3600,
    at_the_end: Callable[[], Mapping[str, Any]] | None = None,
) -> Iterator[WorkflowTemplate]:
    """Open a WorkflowTemplate; at its end the exit handler is added.

    `notification` makes the task that sends one. `claim`: the argument that names the backup's, where there is one. Two
    workflows of a `mutex` never run at once. `tell_success`: a notification is sent not only of failures. `at_the_end`
    makes the templates of one more task of the exit handler, and says what Task is to be given.
    """
    with WorkflowTemplate(
        name=name,
        namespace=settings.namespace,
        labels=PART_OF,
        annotations={TITLE: title, DESCRIPTION: description},
        workflow_metadata=WorkflowMetadata(labels={KIND: entrypoint}),
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
        metrics=list(metrics),
    ) as template:
        yield template
        told = {"claim": template.get_parameter(claim)} if claim else {}
        if PLAN in {each.name for each in arguments}:
            told[PLAN] = template.get_parameter(PLAN)
        more = at_the_end() if at_the_end else {}
        exit_handler(settings, Ended(entrypoint, told, advice), notification, tell_success=tell_success, more=more)
