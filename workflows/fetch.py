"""The fetch from a repository, top to bottom: choose a snapshot and create a claim, fetch the backup to it and check it.

The claim then holds the backup as if it had never left, and `threescale-restore` restores it.
"""

from hera.workflows import DAG, WorkflowTemplate

from steps.contract.fetch_contract import FetchArguments, FetchDownload, FetchPrepare
from steps.contract.told import NODE, NODE_OPERATOR
from workflows.monitoring.template import About, workflow_template
from workflows.rendering.phase import Pod
from workflows.rendering.settings import Settings
from workflows.rendering.tasks import Tasks

NAME = "threescale-fetch"
_ABOUT = About(
    NAME,
    FetchArguments,
    title="Fetch a backup from a repository",
    description="Fetches a backup from a restic repository to a new claim of this namespace, and compares every byte "
    "with the digests of its manifest. Restore the backup then with `threescale-restore`.",
    advice="No backup was fetched. Nothing was restored. Fix the reported problem and run the failed phases again with "
    "`argo retry WORKFLOW`, which continues with the same claim. Or delete the claim and submit the fetch again.",
    mutex=NAME,
    first=("prepare", "download"),
)


def fetch(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-fetch`."""
    with workflow_template(settings, _ABOUT) as built, DAG(name="fetch", fail_fast=False):
        task = Tasks(settings, built, FetchArguments)
        prepare = task(FetchPrepare)
        prepare >> task(FetchDownload, Pod(timeout="6h"), first=("claim-name", "from", "snapshot", NODE_OPERATOR, NODE))
    return built
