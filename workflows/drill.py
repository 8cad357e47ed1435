"""The drill, top to bottom: all of a backup is restored to a scratch place, held against it, and removed.

What it has made is removed by its last phase, and where that did not run by the exit handler.
"""

from collections.abc import Mapping
from typing import Any

from hera.expr import g
from hera.workflows import DAG, Parameter, Task, WorkflowTemplate

from steps.contract.names import EXTERNAL
from steps.contract.values import NO, YES
from workflows.monitoring import metrics, notification
from workflows.parameters import DrillParameters, by_name
from workflows.rendering import conditions
from workflows.rendering.handover import (
    CLAIM_NAME,
    FILE_STORAGE,
    SCRATCH_CLAIM,
    count,
    given_by,
    output,
    value,
    words,
)
from workflows.rendering.mounts import Mount
from workflows.rendering.phase import phase
from workflows.rendering.placement import PLACE, place_of, together_in_place, told_place
from workflows.rendering.settings import Settings
from workflows.rendering.template import workflow_template

NAME = "threescale-drill"
SCRATCH = "scratch-namespace"
BACKUP = Mount.BACKUP_READ_ONLY
_PROVEN, _REMOVE = "proven", "remove"
_CLAIM = Parameter(name=CLAIM_NAME, description="Claim of the backup.")
_CHOSEN = Parameter(name="chosen", value="", description="When `choose` began and ended, for the evidence.")
_ADVICE = (
    "The backup is not proven; what the drill had made is removed, and if not, the next drill does it. Mend what the "
    "sentence names, then submit a new drill: `argo retry` can't go on with one whose scratch claim is gone."
)


def drill(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-drill`."""
    asked = by_name(DrillParameters)

    with workflow_template(
        settings,
        NAME,
        entrypoint="drill",
        title="Prove that a backup restores",
        description="Restores a backup of this namespace for trial: its Secrets and ConfigMaps to a scratch namespace, "
        "its APIManager by a dry run of the server, System's files to a scratch claim. All is compared, then removed.",
        arguments=list(asked.values()),
        claim=CLAIM_NAME,
        advice=_ADVICE,
        metrics=metrics.of_runs("drill", asked),
        notification=notification.task,
        mutex=NAME,
        at_the_end=_clean_up,
    ) as built:
        place, placed = place_of("claim"), together_in_place()
        others = [name for name in asked if name != CLAIM_NAME]
        choose = phase(
            settings,
            ["drill", "choose"],
            inputs=[asked[CLAIM_NAME], asked[SCRATCH]],
            arguments=words([CLAIM_NAME, SCRATCH]),
            outputs=[output(CLAIM_NAME), *told_place(), output("chosen", default="")],
            judges=asked,
        )
        prepare = phase(
            settings,
            ["drill", "prepare"],
            inputs=[_CLAIM, *(asked[name] for name in others), _CHOSEN, *place],
            arguments=["--claim", value(CLAIM_NAME), *words([*others, "chosen"])],
            outputs=[output(SCRATCH_CLAIM), output(FILE_STORAGE)],
            mounts=[BACKUP],
            affinity=placed,
            judges=(),
        )
        objects = phase(
            settings,
            ["drill", "objects"],
            inputs=[_CLAIM, asked[SCRATCH], *place],
            arguments=["--claim", value(CLAIM_NAME), *words([SCRATCH])],
            outputs=[count("created")],
            mounts=[BACKUP],
            affinity=placed,
        )
        file_storage = phase(
            settings,
            ["drill", "file-storage"],
            inputs=[_CLAIM, Parameter(name=SCRATCH_CLAIM, description="The scratch claim."), *place],
            arguments=["--claim", value(CLAIM_NAME), *words([SCRATCH_CLAIM])],
            outputs=[count("files"), count("bytes")],
            mounts=[BACKUP, Mount.SCRATCH],
            affinity=placed,
            timeout="6h",
        )
        remove = phase(
            settings,
            ["drill", _REMOVE],
            inputs=[
                asked[CLAIM_NAME],
                Parameter(name=_PROVEN, value=NO, description="yes: all before this was equal."),
            ],
            arguments=["--claim", value(CLAIM_NAME), *words([_PROVEN])],
        )
        with DAG(name="drill", fail_fast=False):
            first = Task(name="choose", template=choose, arguments=given_by(built, (CLAIM_NAME, SCRATCH)))
            chosen = given_by(first, (CLAIM_NAME, *PLACE))
            second = Task(
                name="prepare",
                template=prepare,
                arguments=chosen | given_by(built, others) | given_by(first, ["chosen"]),
            )
            parts = [
                Task(name="objects", template=objects, arguments=chosen | given_by(built, [SCRATCH])),
                Task(
                    name=FILE_STORAGE,
                    template=file_storage,
                    arguments=chosen | given_by(second, [SCRATCH_CLAIM]),
                    when=conditions.differ(second.get_parameter(FILE_STORAGE).value, EXTERNAL),
                ),
            ]
            last = Task(name=_REMOVE, template=remove, arguments={CLAIM_NAME: chosen[CLAIM_NAME], _PROVEN: YES})
            first >> second
            second >> parts
            for each in parts:
                each >> last
    return built


def _clean_up() -> Mapping[str, Any]:
    """Remove at the exit what was made, where the last phase has not."""
    claim = f"{getattr(g.workflow.parameters, CLAIM_NAME):$}"
    given = {CLAIM_NAME: claim, _PROVEN: NO}
    return {"name": _REMOVE, "template": _REMOVE, "arguments": given, "when": conditions.BROKEN}
