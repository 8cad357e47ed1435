"""The watchdog: one phase that reads the catalogue and fails when the newest backup is older than it should be.

It has a mutex of its own, because a long restore must not keep it from looking; and a short time, because one that
waits for a node keeps the next from looking, too.
"""

from hera.workflows import DAG, Task, WorkflowTemplate

from workflows.monitoring import metrics, notification
from workflows.parameters import WatchdogParameters, by_name
from workflows.rendering.handover import given_by, output, words
from workflows.rendering.phase import phase
from workflows.rendering.settings import Settings
from workflows.rendering.template import workflow_template

NAME = "threescale-watchdog"
_DEADLINE_S = 1800  # a look takes seconds

_ADVICE = (
    "See the backups with `threescale-backup list -n NAMESPACE`, or `kubectl get pvc -l threescale-backup/backup`, "
    "mend what the sentence names, and make one now: `argo submit --from workflowtemplate/threescale-backup`."
)


def watchdog(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-watchdog`."""
    asked = by_name(WatchdogParameters)
    facts = [name for name in (*metrics.CATALOGUE, *metrics.STATES) if name != metrics.WATCHED_OUTPUT]

    with workflow_template(
        settings,
        NAME,
        entrypoint="watchdog",
        title="See whether 3scale is backed up",
        description="Reads the catalogue of this namespace's backups and fails when the newest is too old; what it "
        "sees goes to Prometheus.",
        arguments=list(asked.values()),
        advice=_ADVICE,
        metrics=metrics.of_runs("watchdog", asked),
        notification=notification.task,
        mutex=NAME,
        tell_success=False,
        on_one_node=False,
        deadline_s=_DEADLINE_S,
    ) as built:
        watch = phase(
            settings,
            ["watch"],
            inputs=list(asked.values()),
            arguments=words(asked),
            outputs=[output(metrics.WATCHED_OUTPUT, default=""), *(output(name, default="NaN") for name in facts)],
            metrics=metrics.of_catalogue(),
            judges=asked,
        )
        with DAG(name="watchdog"):
            Task(name="watch", template=watch, arguments=given_by(built, asked))
    return built
