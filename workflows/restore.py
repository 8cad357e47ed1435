"""The restore, top to bottom: every refusal comes before the first object is written, the APIManager comes last."""

from collections.abc import Iterable, Sequence
from typing import TypedDict, Unpack

from hera.workflows import DAG, Parameter, Suspend, Task, WorkflowTemplate

from steps.contract.arguments import ONLY, PLAN
from steps.contract.names import EXTERNAL
from steps.contract.values import YES
from workflows.monitoring import metrics, notification
from workflows.parameters import RestoreParameters, by_name
from workflows.rendering.conditions import both, differ, equal
from workflows.rendering.handover import (
    CLAIM_NAME,
    FILE_STORAGE,
    REPLACED_CLAIM,
    count,
    for_run,
    given_by,
    output,
    value,
    words,
)
from workflows.rendering.mounts import Mount
from workflows.rendering.phase import Metric, phase
from workflows.rendering.settings import Settings
from workflows.rendering.template import workflow_template

NAME = "threescale-restore"
BACKUP = Mount.BACKUP_READ_ONLY
DOMAIN = "wildcard-domain"
DATABASES = ("database-secrets", "database-overrides")
ON_CONFLICT, FILE_CONFLICT = "on-conflict", "file-storage-conflict"
SET_ASIDE_OBJECTS, SET_ASIDE_FILES = "set-aside-objects", "set-aside-files"
DIFFERING = ("differing-secrets", "differing-configmaps")
PLAN_DIGEST, APPROVE = "plan-digest", "approve"
BACKUP_DIGEST, TREE_DIGEST = "backup-digest", "tree-digest"
FILE_DAMAGE, LEFT_OUT, LEFT_OUT_DIGEST = "file-storage-damage", "left-out", "left-out-digest"
TIME_LIMIT = "time-limit"  # of a plan: `check` tells it, for one that reads every byte takes long
_PLANNED = (
    *("manifest-sha256", "made-by"),
    *("storage-class", "access-mode", "storage-request", "threescale-version", DOMAIN, *DATABASES),
    *("workers", "ready", "wait-minutes"),
    *(ON_CONFLICT, FILE_CONFLICT, FILE_DAMAGE),
)
_COPIED = [count("files"), count("bytes")]
_CREATED = [count("created"), count("kept"), count("replaced")]
_TOLD_BY_PREPARE = (
    *(FILE_STORAGE, "kept-secrets", "kept-configmaps", *DIFFERING),
    *(REPLACED_CLAIM, SET_ASIDE_OBJECTS, SET_ASIDE_FILES, PLAN_DIGEST, BACKUP_DIGEST, TREE_DIGEST),
    *(LEFT_OUT, LEFT_OUT_DIGEST),
)

_ADVICE = (
    "Mend what the sentence names. Then the same restore submitted again, or `argo retry WORKFLOW`, goes on from where "
    "this one ended: what it made carries the backup's mark and is kept."
)


def _told(name: str) -> Parameter:
    return Parameter(name=name, value="", description="What a phase before this one has told.")


class Facts(TypedDict, total=False):
    """What sets one phase apart."""

    mounts: Sequence[Mount]
    outputs: Sequence[Parameter]
    timeout: str
    judges: Iterable[str]
    metrics: Sequence[Metric]


def restore(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-restore`."""
    asked = by_name(RestoreParameters)

    with workflow_template(
        settings,
        NAME,
        entrypoint="restore",
        title="Restore 3scale",
        description="Restores a backup's Secrets, ConfigMaps, System FileStorage and APIManager into this namespace, "
        "which must hold no 3scale. Before it: restore the databases, and the Secrets backend-redis, system-redis and "
        "system-database unless database-secrets=restore.",
        arguments=list(asked.values()),
        claim=CLAIM_NAME,
        advice=_ADVICE,
        metrics=metrics.of_runs("restore", asked),
        notification=notification.task,
    ) as built:

        def task(
            name: str,
            *parameters: str,
            told: Sequence[Parameter] = (),
            more: Sequence[str] = (),
            **facts: Unpack[Facts],
        ) -> Task:
            """A phase whose inputs are the claim's name and workflow parameters, and what a task before it told."""
            mine = (CLAIM_NAME, *parameters)
            of_others = {str(each.name): each for each in told}
            own = phase(
                settings,
                ["restore", name],
                inputs=[*(asked[item] for item in mine), *(_told(item) for item in of_others)],
                arguments=["--claim", value(CLAIM_NAME), *words([*parameters, *of_others]), *more],
                **facts,
            )
            return Task(name=name, template=own, arguments=given_by(built, mine) | of_others)

        with DAG(name="restore", fail_fast=False):
            check = task(
                "check",
                *(*DATABASES, FILE_DAMAGE, PLAN, APPROVE),
                outputs=[output("checked", default=""), output(TIME_LIMIT), output(APPROVE, default=""), for_run(PLAN)],
                judges=asked,
            )
            only_planned, acts = (ask(check.get_parameter(PLAN).value, ONLY) for ask in (equal, differ))
            approved = equal(check.get_parameter(APPROVE).value, YES)
            time_limit = check.get_parameter(TIME_LIMIT)
            plan = task(
                PLAN,
                *_PLANNED,
                told=[time_limit],
                mounts=[BACKUP],
                outputs=[output("digest", default=""), count("summary"), output("names", default=""), count(LEFT_OUT)],
                timeout=value(TIME_LIMIT),
                judges=(),
            )
            plan.when = f"{only_planned} || {approved}"
            approve = Task(name=APPROVE, template=Suspend(name=APPROVE))
            approve.when = both(acts, approved)
            prepare = task(
                "prepare",
                *(*_PLANNED, PLAN_DIGEST),
                told=[check.get_parameter("checked"), time_limit, plan.get_parameter("digest")],
                mounts=[BACKUP],
                outputs=[output(name) for name in _TOLD_BY_PREPARE],
                timeout=value(TIME_LIMIT),
                judges=(),
            )
            prepare.when = acts
            prepared = given_by(prepare, _TOLD_BY_PREPARE)
            replaced_claim, digest = prepared[REPLACED_CLAIM], prepared[BACKUP_DIGEST]
            set_aside_objects = task(
                SET_ASIDE_OBJECTS,
                told=[digest, replaced_claim, *(prepared[name] for name in DIFFERING)],
                mounts=[BACKUP, Mount.REPLACED],
                outputs=[output("saved-secrets", default=""), output("saved-configmaps", default="")],
            )
            set_aside_objects.when = equal(prepared[SET_ASIDE_OBJECTS].value, YES)
            set_aside_files = task(
                SET_ASIDE_FILES,
                "workers",
                told=[digest, replaced_claim],
                mounts=[BACKUP, Mount.REPLACED, Mount.SOURCE],
                outputs=_COPIED,
                timeout="6h",
            )
            set_aside_files.when = equal(prepared[SET_ASIDE_FILES].value, YES)
            file_storage = task(
                "file-storage",
                *(FILE_CONFLICT, "workers"),
                told=[digest, prepared[TREE_DIGEST], prepared[LEFT_OUT_DIGEST]],
                mounts=[BACKUP, Mount.TARGET],
                outputs=[*_COPIED, count(LEFT_OUT)],
                timeout="6h",
                metrics=metrics.of_files("restore"),
            )
            file_storage.when = differ(prepared[FILE_STORAGE].value, EXTERNAL)
            secrets, configmaps = (
                task(
                    name,
                    *(DOMAIN, *more, ON_CONFLICT),
                    told=[
                        *(digest, prepared[f"kept-{name}"], prepared[f"differing-{name}"], replaced_claim),
                        set_aside_objects.get_parameter(f"saved-{name}"),
                    ],
                    mounts=[BACKUP],
                    outputs=_CREATED,
                )
                for name, more in (("secrets", DATABASES), ("configmaps", ()))
            )
            apimanager = task("apimanager", DOMAIN, told=[digest], mounts=[BACKUP], outputs=[count("created")])
            look_s = ["--look-s", f"{settings.look_s:g}"]
            routes = task(
                "routes", *("ready", "wait-minutes", DOMAIN), told=[digest], more=look_s, mounts=[BACKUP], timeout="5h"
            )

            check >> plan
            plan >> approve
            approve >> prepare
            for each in (set_aside_objects, set_aside_files, file_storage):
                prepare.on_success(each)  # not where it was skipped
            for each in (set_aside_objects, set_aside_files):
                each >> file_storage
            file_storage >> [secrets, configmaps]
            for each in (secrets, configmaps):
                each >> apimanager
            apimanager >> routes
    return built
