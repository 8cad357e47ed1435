"""Freeing room in the repositories: one phase, by a schedule of its own and with credentials that may delete.

It has the lock of the backups, because restic lets no push run beside it.
"""

from hera.workflows import DAG, WorkflowTemplate

from steps.contract.prune_contract import RepositoryPrune, RepositoryPruneArguments
from workflows.monitoring.template import About, workflow_template
from workflows.rendering.phase import Pod
from workflows.rendering.settings import Settings
from workflows.rendering.tasks import Tasks

NAME = "threescale-repository-prune"
_ABOUT = About(
    NAME,
    RepositoryPruneArguments,
    title="Free room in the repositories of the backups",
    description="Deletes data from the restic repositories that no snapshot needs any more, and takes damaged packs "
    "out of them. Snapshots are forgotten by `threescale-prune`, not here.",
    advice="No snapshot was lost, and a repository is whole after each interruption. Fix the reported problem and "
    "submit the workflow again.",
    on_one_node=False,
)


def repository_prune(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-repository-prune`."""
    settings = settings.for_pruning
    with workflow_template(settings, _ABOUT) as built, DAG(name="repository-prune", fail_fast=False):
        Tasks(settings, built, RepositoryPruneArguments)(RepositoryPrune, Pod(timeout="6h"))
    return built
