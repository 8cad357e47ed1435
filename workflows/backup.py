"""The backup, top to bottom: prepare a claim, save the four parts side by side, seal.

Of a mere plan `source` alone follows: it mounts System's files and says what of them a backup would pass over.

Three levels deep, because each level of a DAG costs a controller round (10 s by default). Where System's files are
external there is no claim of theirs to mount, so one phase saves the rest in the place of the four.
"""

from collections.abc import Sequence
from functools import partial

from hera.workflows import DAG, Parameter, Task, WorkflowTemplate
from hera.workflows.models import ValueFrom

from steps.contract.arguments import ONLY, PLAN
from steps.contract.names import EXTERNAL
from steps.threescale.installation import SYSTEM_STORAGE
from workflows import prune
from workflows.monitoring import metrics, notification
from workflows.parameters import BackupParameters, PruneParameters, by_name
from workflows.rendering.conditions import both, differ, equal
from workflows.rendering.handover import (
    APIMANAGER,
    CLAIM,
    FILE_STORAGE,
    count,
    for_run,
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

NAME = "threescale-backup"

_CLAIM = Parameter(name=CLAIM, description="Claim that holds the backup.")
_APIMANAGER = Parameter(name=APIMANAGER, description="Name of the APIManager.")
_PLACE = place_of(SYSTEM_STORAGE)
_PREPARED = Parameter(name="prepared", value="", description="When `prepare` began and ended, for the evidence.")
_PLANNED = {
    f"planned-{resource}": Parameter(name=f"planned-{resource}", value="", description=f"The {resource} of the plan.")
    for resource in ("secrets", "configmaps")
}
_ROUTES = "planned-routes"
_PLANNED |= {_ROUTES: Parameter(name=_ROUTES, value="0", description="How many hosts of Routes the plan saw.")}
_ADVICE = (
    "No finished backup was made. `argo retry WORKFLOW` tries the failed phases again (one that was stopped: with "
    "`--restart-successful --node-field-selector phase=Failed`); to start anew, submit again with another name. "
    "Claims of failed runs: `kubectl get pvc -l threescale-backup/state=failed`."
)


def backup(settings: Settings, rules: PruneParameters | None = None) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-backup`; with rules that keep something a scheduled one ends with them."""
    asked = by_name(BackupParameters)

    with workflow_template(
        settings,
        NAME,
        entrypoint="backup",
        title="Back up 3scale",
        description="Saves Secrets, ConfigMaps, the APIManager and System FileStorage of this namespace's 3scale to a "
        "claim of its own. The databases are external: back them up beside it.",
        arguments=list(asked.values()),
        claim="name",
        advice=_ADVICE,
        metrics=metrics.of_runs("backup", asked),
        notification=notification.task,
        at_the_end=partial(prune.at_the_end, settings, rules) if rules and rules.keeps else None,
    ) as built:
        prepare = phase(
            settings,
            ["backup", "prepare"],
            inputs=list(asked.values()),
            arguments=words(asked),
            outputs=[
                output(CLAIM, global_name=CLAIM),
                output(APIMANAGER),
                *told_place(),
                output(FILE_STORAGE),
                *(output(name, default=str(told.value)) for name, told in _PLANNED.items()),
                output("prepared", default=""),
                output("digest", default=""),
                count("summary"),
                output("names", default=""),
                for_run(PLAN),
                for_run("scheduled"),
            ],
            judges=asked,
        )

        def part(
            name: str,
            *arguments: str,
            more: Sequence[str] = (),
            planned: Sequence[str] = (),
            mount: Mount | None = Mount.SOURCE_LISTED,
            timeout: str = "15m",
        ) -> Task:
            """One of those that run side by side: every one lists both claims, so that the scheduler sees both."""
            own = phase(
                settings,
                ["backup", name],
                inputs=[
                    _CLAIM,
                    _APIMANAGER,
                    *_PLACE,
                    *(asked[item] for item in more),
                    *map(_PLANNED.__getitem__, planned),
                ],
                arguments=["--claim", value(CLAIM), *arguments, *words([*more, *planned])],
                outputs=[count("objects"), count("files"), count("bytes")],
                mounts=[Mount.BACKUP, *([mount] if mount else [])],
                claim=CLAIM,
                affinity=together_in_place(),
                timeout=timeout,
            )
            told = made | given_by(built, more) | given_by(first, planned)
            when = both(acts, (differ if mount else equal)(files, EXTERNAL))
            return Task(name=name, template=own, arguments=told, when=when)

        source = phase(
            settings,
            ["backup", "source"],
            inputs=_PLACE,
            outputs=[output("names", default="")],
            mounts=[Mount.SOURCE],
            affinity=together_in_place(),
        )
        seal = phase(
            settings,
            ["backup", "seal"],
            inputs=[_CLAIM, _PREPARED],
            arguments=["--claim", value(CLAIM), *words(["prepared"])],
            outputs=[count("objects"), count("files"), count("bytes"), for_run("sealed")],
            mounts=[Mount.BACKUP],
            claim=CLAIM,
            timeout="4h",
            metrics=metrics.of_files("backup"),
        )
        with DAG(name="backup", fail_fast=False) as dag:
            first = Task(name="prepare", template=prepare, arguments=given_by(built, asked))
            only_planned, acts = (ask(first.get_parameter(PLAN).value, ONLY) for ask in (equal, differ))
            files = first.get_parameter(FILE_STORAGE).value
            made = given_by(first, (CLAIM, APIMANAGER, *PLACE))
            parts = [
                part("secrets", "--apimanager", value(APIMANAGER), planned=["planned-secrets"]),
                part("configmaps", "--apimanager", value(APIMANAGER), planned=["planned-configmaps"]),
                part("apimanager", "--apimanager", value(APIMANAGER), planned=[_ROUTES]),
                part("file-storage", more=["workers"], mount=Mount.SOURCE, timeout="6h"),
                part(
                    "external", "--apimanager", value(APIMANAGER), planned=[*_PLANNED], mount=None
                ),  # instead of these, without a source
            ]
            looks = Task(
                name="source",
                template=source,
                arguments=given_by(first, PLACE),
                when=both(only_planned, differ(files, EXTERNAL)),
            )
            last = Task(name="seal", template=seal, arguments=given_by(first, (CLAIM, "prepared")), when=acts)
            for each in (looks, *parts):
                first >> each
                each >> last
            dag.outputs = [Parameter(name=CLAIM, value_from=ValueFrom(parameter=str(made[CLAIM].value)))]
    return built
