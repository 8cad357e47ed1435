"""The verification, top to bottom: choose a backup, read it, and say on its claim what was found.

It holds back no backup: its mutex is its own, and the claim that it mounts is read-only to it.
"""

from hera.workflows import DAG, Parameter, Task, WorkflowTemplate

from workflows.monitoring import metrics, notification
from workflows.parameters import VerifyParameters, by_name
from workflows.rendering.handover import CLAIM_NAME, count, given_by, output, value, words
from workflows.rendering.mounts import Mount
from workflows.rendering.phase import phase
from workflows.rendering.placement import PLACE, place_of, together_in_place, told_place
from workflows.rendering.settings import Settings
from workflows.rendering.template import workflow_template

NAME = "threescale-verify"
_SAMPLE, _ROTATION = "sample", "rotation"
_ADVICE = (
    "The backup that this is about is not verified. Where it is damaged, its claim says so and retention keeps it, but "
    "counts on it for nothing: make a new backup now, then look what has happened to the volume. Where it could not be "
    "looked at, mend what the sentence names and submit the same again."
)


def verify(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-verify`."""
    asked = by_name(VerifyParameters)

    with workflow_template(
        settings,
        NAME,
        entrypoint="verify",
        title="Verify a backup",
        description="Reads a backup of this namespace and holds every byte, or each night a share of them, against the "
        "digests of its seal. The result goes to the claim's labels and annotations; the backup is mounted read-only.",
        arguments=list(asked.values()),
        advice=_ADVICE,
        metrics=metrics.of_runs("verify", asked),
        notification=notification.task,
        mutex=NAME,
    ) as built:
        choose = phase(
            settings,
            ["verify", "choose"],
            inputs=list(asked.values()),
            arguments=words(asked),
            outputs=[output(CLAIM_NAME), *told_place(), output(_ROTATION)],
            judges=asked,
        )
        read = phase(
            settings,
            ["verify", "read"],
            inputs=[
                Parameter(name=CLAIM_NAME, description="Claim of the backup."),
                asked[_SAMPLE],
                Parameter(name=_ROTATION, value="", description="How far the nights before have come."),
                *place_of("claim"),
            ],
            arguments=["--claim", value(CLAIM_NAME), *words([_SAMPLE, _ROTATION])],
            outputs=[count("files"), count("bytes"), output("verified", default="")],
            mounts=[Mount.BACKUP_READ_ONLY],
            affinity=together_in_place(),
            timeout="6h",
        )
        with DAG(name="verify", fail_fast=False):
            first = Task(name="choose", template=choose, arguments=given_by(built, asked))
            chosen = given_by(first, (CLAIM_NAME, _ROTATION, *PLACE)) | given_by(built, [_SAMPLE])
            first >> Task(name="read", template=read, arguments=chosen)
    return built
