"""The watchdog: one phase that reads the catalogue and fails when the newest backup is older than it should be.

It has a mutex of its own, because a long restore must not keep it from looking; and a short time, because one that
waits for a node keeps the next from looking, too.
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
    advice="See the backups with `threescale-backup list -n NAMESPACE`, or `kubectl get pvc -l "
    "threescale-backup/backup`, mend what the sentence names, and make one now: `argo submit --from "
    "workflowtemplate/threescale-backup`.",
    mutex=NAME,
    tell_success=False,
    on_one_node=False,
    deadline_s=1800,  # a look takes seconds
    first=("watch",),
)


def watchdog(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-watchdog`."""
    with workflow_template(settings, _ABOUT) as built, DAG(name="watchdog"):
        Tasks(settings, built, WatchdogArguments)(Watch, Pod(metrics=metrics.of_catalogue()))
    return built
