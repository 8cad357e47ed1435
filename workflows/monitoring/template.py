"""What all WorkflowTemplates share: who runs them, one at a time, for how long, and what they tell of their runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hera.workflows import Container, Parameter, WorkflowTemplate
from hera.workflows.models import Mutex, PodGC, Synchronization, TTLStrategy, WorkflowMetadata

from steps.contract.arguments import PLAN
from steps.contract.declaration import Declared, failure
from steps.contract.names import KIND, PART_OF
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
    """What sets one workflow apart.

    `claim`: the argument that names the backup's, where there is one. Two workflows of a `mutex` never run at once.
    `tell_success`: a notification is sent not only of failures. `first`: the templates that come before the others, as
    they always have, so that a new rendering differs from an old one only in what is new.
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
        """What it does, in a word, which names its entrypoint too."""
        return self.name.removeprefix("threescale-")


@contextmanager
def workflow_template(
    settings: Settings,
    about: About,
    at_the_end: Callable[[], Mapping[str, Any]] | None = None,
    asked: Mapping[str, Parameter] | None = None,
) -> Iterator[WorkflowTemplate]:
    """Open a WorkflowTemplate; at its end the exit handler is added.

    `at_the_end` makes the templates of one more task of the exit handler, and says what Task is to be given. `asked`:
    its arguments, where they have other defaults than declared.
    """
    arguments = asked or declare(about.asked)
    with WorkflowTemplate(
        name=about.name,
        namespace=settings.namespace,
        labels=PART_OF,
        annotations={TITLE: about.title, DESCRIPTION: about.description},
        workflow_metadata=WorkflowMetadata(labels={KIND: about.operation}),
        entrypoint=about.operation,
        on_exit="exit",
        arguments=list(arguments.values()),
        service_account_name=about.name,
        security_context=pod_security(settings),
        affinity=together() if about.on_one_node else None,
        synchronization=Synchronization(mutexes=[Mutex(name=about.mutex)]),
        active_deadline_seconds=about.deadline_s,
        # A pod that has ended still keeps its claims from being deleted, System's too; so it goes. Not at once, for
        # those who want to read its log; its last sentence stays in the workflow.
        pod_gc=PodGC(strategy="OnPodCompletion", delete_delay_duration="10m"),
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
    """The names that the errors of its phases have in the whole workflow."""
    names = [str(each.name) for each in template.templates if isinstance(each, Container)]
    return [failure(name).of_run for name in names]
