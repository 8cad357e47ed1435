"""The watchdog: one phase that reads the catalogue and fails when the newest backup is too old.

It has a mutex of its own, so that a long restore does not block it. Its deadline is short, because a run that waits for
a node blocks the next run.
"""

from hera.workflows import DAG, WorkflowTemplate

from steps.contract.watchdog_contract import Watch, WatchdogArguments
from workflows.monitoring import metrics
from workflows.monitoring.template import About, workflow_template
from workflows.rendering.phase import Pod
from workflows.rendering.settings import Settings
from workflows.rendering.tasks import Tasks

NAME = "threescale-watchdog"
_ABOUT = About(
    NAME,
    WatchdogArguments,
    title="Check that 3scale is backed up",
    description="Reads the catalogue of this namespace's backups. Fails if the newest complete backup is too old. The "
    "measured values go to Prometheus.",
    advice="List the backups with `threescale-backup list -n NAMESPACE` or `kubectl get pvc -l "
    "threescale-backup/backup`. Fix the reported problem. Then make a backup now with `argo submit --from "
    "workflowtemplate/threescale-backup`.",
    mutex=NAME,
    tell_success=False,
    on_one_node=False,
    deadline_s=1800,  # reading the catalogue takes seconds
    first=("watch",),
)


def watchdog(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-watchdog`."""
    with workflow_template(settings, _ABOUT) as built, DAG(name="watchdog"):
        Tasks(settings, built, WatchdogArguments)(Watch, Pod(metrics=metrics.of_catalogue()))
    return built
