"""The last task of a workflow, if a Secret with a URL is named: it sends the result to that URL.

The task runs after the report, whether the report succeeds or fails. Its own failure is ignored (`continueOn`), so a
message that can't be sent never turns a good backup red. Argo allows `continueOn` only with `dependencies`, so the task
uses these.
"""

from hera.expr import g
from hera.workflows import Parameter, Task

from steps.contract.arguments import REFUSED
from steps.contract.exit_contract import ExitNotify
from workflows.rendering.exit_handler import ERRORS_INPUT, FAILURES_INPUT, REFUSED_INPUT, WHATEVER_COMES, Ended
from workflows.rendering.parameters import output, words
from workflows.rendering.phase import Pod, Told, container
from workflows.rendering.placement import anywhere
from workflows.rendering.settings import Settings


def task(settings: Settings, ended: Ended, when: str) -> Task:
    """Build the task. Call this inside the DAG of the exit handler."""
    named = [Parameter(name=name, value="", description="An argument of the workflow.") for name in ended.told]
    status = Parameter(name="status", description="Status of the workflow, from Argo's workflow.status.")
    told = Told(
        [*named, status, FAILURES_INPUT, ERRORS_INPUT, REFUSED_INPUT],
        [
            *ended.words,
            *words(["status", "failures", "errors"]),
            *("--advice", ended.advice, "--form", settings.notify_form, *words([*ended.told, REFUSED])),
        ],
        [output(each) for each in ExitNotify.gives],
    )
    pod = Pod(timeout="5m", affinity=anywhere(), secret=settings.notify_secret or "", retried=False)
    notify = container(settings, ExitNotify.command, told, pod)
    return Task(
        name="notify",
        template=notify,
        dependencies=["report"],
        continue_on=WHATEVER_COMES,
        arguments={"status": f"{g.workflow.status:$}", **ended.arguments},
        when=when or None,
    )
