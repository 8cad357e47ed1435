"""The last task of a workflow that tells its result elsewhere, where a Secret with a URL was named.

It comes after the report and whatever became of that, and its own failure counts for nothing (`continueOn`): a message
that can't be sent turns no good backup red. So it goes by `dependencies`, beside which alone Argo allows that.
"""

from collections.abc import Mapping

from hera.expr import g
from hera.workflows import Parameter, Task
from hera.workflows.models import ContinueOn

from workflows import conditions
from workflows.conditions import REFUSED
from workflows.phases import Settings, anywhere, output, phase, value, words

WHATEVER_COMES = ContinueOn(failed=True, error=True)


def task(settings: Settings, operation: str, told: Mapping[str, Parameter], advice: str, when: str) -> Task:
    """Build the task, inside of the exit handler's DAG; `told`: arguments of the workflow, by option."""
    named = {name: Parameter(name=name, value="", description="An argument of the workflow.") for name in told}
    status = Parameter(name="status", description="How it ended, as Argo's workflow.status says it.")
    failures = Parameter(name="failures", value="null", description="What failed, as Argo's workflow.failures says it.")
    refused = Parameter(name=REFUSED, value="", description="yes: a person's arguments were refused.")
    notify = phase(
        settings,
        ["notify"],
        inputs=[*named.values(), status, failures, refused],
        arguments=[
            *("--of", operation, "--began", f"{g.workflow.creationTimestamp.RFC3339:$}"),
            *("--status", value("status"), "--failures", value("failures"), "--advice", advice),
            *("--form", settings.notify_form, *words([*named, REFUSED])),
        ],
        outputs=[output("notification", default="")],
        secret=settings.notify_secret or "",
        timeout="5m",
        affinity=anywhere(),
        retried=False,
    )
    return Task(
        name="notify",
        template=notify,
        dependencies=["report"],
        continue_on=WHATEVER_COMES,
        arguments={
            "status": f"{g.workflow.status:$}",
            "failures": f"{g.workflow.failures:$}",
            REFUSED: conditions.or_empty(REFUSED),
            **told,
        },
        when=when or None,
    )
