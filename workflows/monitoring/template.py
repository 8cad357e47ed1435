"""The common parts of all WorkflowTemplates: account, lock, deadlines, metrics and exit handler."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hera.workflows import Container, Parameter, WorkflowTemplate
from hera.workflows.models import LocalObjectReference, Mutex, PodGC, Synchronization, TTLStrategy, WorkflowMetadata

from steps.contract.arguments import PLAN
from steps.contract.declaration import Declared, failure
from steps.contract.names import KIND
from workflows.monitoring import metrics, notification
from workflows.rendering.exit_handler import Ended, exit_handler
from workflows.rendering.labels import DESCRIPTION, TITLE
from workflows.rendering.parameters import declare
from workflows.rendering.phase import pod_security
from workflows.rendering.placement import together
from workflows.rendering.settings import Settings

MUTEX = "threescale"
_DAY_S = 24 * 3600


@dataclass(frozen=True)
class About:
    """The differences between the workflows.

    `claim`: the argument that names the claim of the backup, if there is one. Two workflows with the same `mutex` never
    run at once. `tell_success`: also send a notification after a success. `first`: the templates that come before the
    others. They keep this order, so that a new rendering differs from an old one only in real changes.
    """

    name: str
    asked: type[Declared]
    title: str
    description: str
    advice: str
    claim: str = ""
    mutex: str = MUTEX
    tell_success: bool = True
    on_one_node: bool = True
    deadline_s: int = 12 * 3600
    first: Sequence[str] = ()

    @property
    def operation(self) -> str:
        """The operation in one word. Its entrypoint has the same name."""
        return self.name.removeprefix("threescale-")


@contextmanager
def workflow_template(
    settings: Settings,
    about: About,
    at_the_end: Callable[[], Mapping[str, Any]] | None = None,
    asked: Mapping[str, Parameter] | None = None,
) -> Iterator[WorkflowTemplate]:
    """Open a WorkflowTemplate. At its end the exit handler is added.

    `at_the_end` builds the templates of one more task of the exit handler, and returns the arguments of its Task.
    `asked`: the arguments, if their defaults are not those of the declaration.
    """
    arguments = asked or declare(about.asked)
    with WorkflowTemplate(
        name=about.name,
        namespace=settings.namespace,
        labels=settings.labels,
        annotations={TITLE: about.title, DESCRIPTION: about.description},
        workflow_metadata=WorkflowMetadata(labels={KIND: about.operation, **settings.argo.labels}),
        entrypoint=about.operation,
        on_exit="exit",
        arguments=list(arguments.values()),
        service_account_name=settings.account(about.name),
        image_pull_secrets=[LocalObjectReference(name=each.name) for each in settings.pods.image_pull_secrets] or None,
        parallelism=settings.argo.parallelism,
        security_context=pod_security(settings),
        affinity=together() if about.on_one_node else None,
        synchronization=Synchronization(mutexes=[Mutex(name=about.mutex)]),
        active_deadline_seconds=about.deadline_s,
        # An ended pod still prevents the deletion of its claims, System's too. So it is deleted, but not at once, so
        # that people can read its log. Its last message stays in the workflow.
        pod_gc=PodGC.model_validate(settings.argo.pod_gc.model_dump(by_alias=True)),
        ttl_strategy=TTLStrategy(seconds_after_success=7 * _DAY_S, seconds_after_failure=30 * _DAY_S),
        metrics=list(metrics.of_runs(about.operation, arguments)),
    ) as template:
        yield template
        of_run = {"claim": template.get_parameter(about.claim)} if about.claim else {}
        if PLAN in arguments:
            of_run[PLAN] = template.get_parameter(PLAN)
        ended = Ended(about.operation, of_run, about.advice, _errors(template))
        more = at_the_end() if at_the_end else {}
        exit_handler(settings, ended, notification.task, tell_success=about.tell_success, more=more)
    order = {name: place for place, name in enumerate(about.first)}
    template.templates.sort(key=lambda each: order.get(str(each.name), len(order)))


def _errors(template: WorkflowTemplate) -> list[str]:
    """Return the global names of the outputs `failure` of all phases."""
    names = [str(each.name) for each in template.templates if isinstance(each, Container)]
    return [failure(name).of_run for name in names]
