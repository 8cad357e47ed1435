"""The verification, top to bottom: choose a backup, read it, and record the result on its claim.

A verification delays no backup. It has a mutex of its own, and mounts the claim read-only. Where a repository is
configured, a share of its data is read beside it.
"""

from hera.workflows import DAG, WorkflowTemplate

from steps.contract.told import NODE, NODE_OPERATOR
from steps.contract.value_kinds import NOTHING
from steps.contract.verify_contract import VerifyArguments, VerifyChoose, VerifyRead, VerifyRepository
from workflows.monitoring.template import About, workflow_template
from workflows.rendering.conditions import differ
from workflows.rendering.phase import Pod
from workflows.rendering.settings import Settings
from workflows.rendering.tasks import Tasks

NAME = "threescale-verify"
_ABOUT = About(
    NAME,
    VerifyArguments,
    title="Verify a backup",
    description="Reads a backup of this namespace, in full or a share in each run. Compares the bytes with the digests "
    "of the backup's seal. The result is written to the labels and annotations of the claim. The backup is mounted "
    "read-only.",
    advice="The backup is not verified. If it is damaged, its claim records that. Retention keeps a damaged backup, "
    "but no rule counts it. Make a new backup now, then find out what happened to the volume. If the backup could not "
    "be read, fix the reported problem and submit the same verification again.",
    mutex=NAME,
    first=("choose", "read", "repository"),
)


def verify(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-verify`."""
    with workflow_template(settings, _ABOUT) as built, DAG(name="verify", fail_fast=False):
        task = Tasks(settings, built, VerifyArguments)
        if settings.repositories:  # beside the others, and before `choose`: its `claim-name` is the argument
            task(VerifyRepository, Pod(timeout="6h"))
        choose = task(
            VerifyChoose, fixed={"repositories": ",".join(settings.repositories)} if settings.repositories else {}
        )
        there = differ(choose.get_parameter("claim-name").value, NOTHING) if settings.repositories else ""
        order = ("claim-name", "rotation", NODE_OPERATOR, NODE)
        choose >> task(VerifyRead, Pod(timeout="6h"), when=there, first=order)
    return built
