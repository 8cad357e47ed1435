"""The last task of a workflow that tells its result elsewhere, where a Secret with a URL was named.

It comes after the report and whatever became of that, and its own failure counts for nothing (`continueOn`): a message
that can't be sent turns no good backup red. So it goes by `dependencies`, beside which alone Argo allows that.
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
    """Build the task, inside of the exit handler's DAG."""
    named = [Parameter(name=name, value="", description="An argument of the workflow.") for name in ended.told]
    status = Parameter(name="status", description="How it ended, as Argo's workflow.status says it.")
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
