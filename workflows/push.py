"""The copy to the repositories, top to bottom: choose a backup, then upload it to each repository and prove it.

A backup ends with the same upload where a repository is configured. Best effort is a DAG of its own there: `continueOn`
is no argument, and Argo refuses it in a task that depends on another one.
"""

from typing import cast

from hera.workflows import DAG, Container, Task, WorkflowTemplate

from steps.contract.push_contract import BEST_EFFORT, REQUIRED, PushArguments, PushChoose, PushUpload
from steps.contract.told import NODE, NODE_OPERATOR
from workflows.monitoring.template import About, workflow_template
from workflows.rendering.conditions import equal
from workflows.rendering.exit_handler import WHATEVER_COMES
from workflows.rendering.parameters import declare, value
from workflows.rendering.phase import Pod
from workflows.rendering.settings import Settings
from workflows.rendering.tasks import Tasks

NAME = "threescale-push"
UPLOAD = Pod(timeout="6h")
_CLAIM = "claim-name"
_ABOUT = About(
    NAME,
    PushArguments,
    title="Copy a backup off the cluster",
    description="Copies a sealed backup of this namespace to its restic repositories, encrypted and deduplicated. The "
    "snapshot is compared with the manifest of the backup. The claim then records the copy.",
    advice="The backup is not copied, or the copy is not proved. The claim is unchanged. Fix the reported problem and "
    "submit the same copy again. Data that was uploaded is used again.",
    first=("choose", "upload"),
)


def push(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-push`."""
    with workflow_template(settings, _ABOUT) as built, DAG(name="push", fail_fast=False):
        task = Tasks(settings, built, PushArguments)
        choose = task(PushChoose)
        choose >> task(PushUpload, UPLOAD, first=(_CLAIM, NODE_OPERATOR, NODE))
    return built


def at_the_end(task: Tasks, claim: str, wanted: str) -> list[Task]:
    """Make the last tasks of a backup, one of which runs. `wanted`: the output that says whether it must succeed."""
    required = task(PushUpload, UPLOAD, when=equal(wanted, REQUIRED), given={_CLAIM: claim})
    required.name = "push"
    upload = cast(Container, required.template)
    when, dag = equal(wanted, BEST_EFFORT), _best_effort(upload)
    return [required, Task(name="push-best-effort", template=dag, arguments=required.arguments, when=when)]


def _best_effort(upload: Container) -> DAG:
    """Build the DAG of an upload that may fail."""
    inputs = list(declare(PushUpload).values())
    with DAG(name="best-effort", inputs=inputs) as dag:
        told = {str(each.name): value(str(each.name)) for each in inputs}
        Task(name="upload", template=upload, arguments=told, continue_on=WHATEVER_COMES)
    return dag
