"""The drill, top to bottom: restore a whole backup to a scratch place, compare it with the backup, remove it.

The last phase removes the created objects. If the last phase did not run, the exit handler removes them.
"""

from collections.abc import Mapping
from typing import Any

from hera.expr import g
from hera.workflows import DAG, WorkflowTemplate

from steps.contract import drill_contract as declared
from steps.contract.names import EXTERNAL
from steps.contract.told import NODE, NODE_OPERATOR
from steps.contract.values import NO, YES
from workflows.monitoring.template import About, workflow_template
from workflows.rendering import conditions
from workflows.rendering.phase import Pod
from workflows.rendering.settings import Settings
from workflows.rendering.tasks import Tasks

NAME = "threescale-drill"
_CLAIM, _PROVEN, _REMOVE = "claim-name", "proven", "remove"
_PLACED = (_CLAIM, NODE_OPERATOR, NODE)
_ABOUT = About(
    NAME,
    declared.DrillArguments,
    title="Restore a backup for trial",
    description="Restores a backup of this namespace for trial. Secrets and ConfigMaps go to a scratch namespace, and "
    "System's files go to a scratch claim. The APIManager is sent to the server as a dry run. Everything is compared "
    "with the backup and then removed.",
    advice="The backup is not proven. The objects of the drill are removed now, or by the next drill. Fix the reported "
    "problem, then submit a new drill. `argo retry` can't resume a drill, because its scratch claim is removed.",
    claim=_CLAIM,
    mutex=NAME,
    first=("choose", "prepare", "objects", "file-storage", _REMOVE),
)


def drill(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-drill`."""
    with workflow_template(settings, _ABOUT, _clean_up) as built, DAG(name="drill", fail_fast=False):
        task = Tasks(settings, built, declared.DrillArguments)
        choose = task(declared.DrillChoose)
        prepare = task(declared.DrillPrepare, first=_PLACED)
        files = prepare.get_parameter("file-storage").value
        parts = [
            task(declared.DrillObjects, first=_PLACED),
            task(declared.DrillFileStorage, Pod(timeout="6h"), when=conditions.differ(files, EXTERNAL), first=_PLACED),
        ]
        remove = task(declared.DrillRemove, given={_PROVEN: YES})
        choose >> prepare
        prepare >> parts
        for each in parts:
            each >> remove
    return built


def _clean_up() -> Mapping[str, Any]:
    """Remove the created objects at the exit, if the last phase has not removed them."""
    given = {_CLAIM: f"{getattr(g.workflow.parameters, _CLAIM):$}", _PROVEN: NO}
    return {"name": _REMOVE, "template": _REMOVE, "arguments": given, "when": conditions.BROKEN}
