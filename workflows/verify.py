"""The verification, top to bottom: choose a backup, read it, and say on its claim what was found.

It holds back no backup: its mutex is its own, and the claim that it mounts is read-only to it.
"""

from hera.workflows import DAG, WorkflowTemplate

from steps.contract.told import NODE, NODE_OPERATOR
from steps.contract.verify_contract import VerifyArguments, VerifyChoose, VerifyRead
from workflows.monitoring.template import About, workflow_template
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
    advice="The backup that this is about is not verified. Where it is damaged, its claim says so and retention keeps "
    "it, but counts on it for nothing: make a new backup now, then look what has happened to the volume. Where it "
    "could not be looked at, mend what the sentence names and submit the same again.",
    mutex=NAME,
    first=("choose", "read"),
)


def verify(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-verify`."""
    with workflow_template(settings, _ABOUT) as built, DAG(name="verify", fail_fast=False):
        task = Tasks(settings, built, VerifyArguments)
        choose = task(VerifyChoose)
        choose >> task(VerifyRead, Pod(timeout="6h"), first=("claim-name", "rotation", NODE_OPERATOR, NODE))
    return built
