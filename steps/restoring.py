"""The phases of a restore as commands, in their order."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

import click

from steps import (
    apimanager,
    claims,
    configmaps,
    errors,
    file_storage,
    installation,
    marks,
    prerequisites,
    restore_plan,
    result,
    routes,
    secrets,
    set_aside,
    system_storage,
    values,
    volume,
)
from steps.backup import Backup
from steps.cluster import Object
from steps.installation import CONFIGMAP, SECRET
from steps.objects import KEEP, REFUSE, REPLACE, Conflict, Standing, State
from steps.restoration import Restoration, Told, counts_of, line, open_again, open_first
from steps.restore_plan import RestorePlan, Wishes
from steps.result import Line
from steps.run import (
    FOLDER,
    NOTHING,
    Function,
    Run,
    backup_option,
    claim_option,
    claim_wait_option,
    plan_option,
    progress,
    told_phase,
    workers_option,
)
from steps.secrets import Databases
from steps.system_storage import Asked
from steps.tree import Tally
from steps.values import NO, YES

log = logging.getLogger(__name__)

# So many at the best: less time than this is plainly too little.
_BYTES_A_SECOND = 500 << 20
_ENTRIES_A_SECOND = 20_000


_ready_option = click.option(
    "--ready",
    type=click.Choice(["as-before", "available", "deployments"]),
    default="as-before",
    help="What to wait for.",
)
_wait_minutes_option = click.option(
    "--wait-minutes", type=values.MINUTES, default=60, show_default=True, help="Limit of each wait."
)
_OPERATOR = "operator"
_SKIP = "skip"
_LOOKS, _READS_ALL = "15m", "6h"  # how long a plan may take, as Argo reads it


def _names(_context: click.Context, _option: click.Parameter, value: str | None) -> list[str] | None:
    return [name for name in value.split(",") if name != NOTHING] if value else None


def _versions(_context: click.Context, _option: click.Parameter, value: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in value.split(",") if pair not in {NOTHING, ""}]
    if wrong := [name for name, sign, _ in pairs if not sign]:
        raise click.BadParameter(f"{wrong[0]!r} is no NAME=VERSION")
    return {name: version for name, _, version in pairs}


def _as_versions(versions: Mapping[str, str]) -> str:
    return ",".join(f"{name}={version}" for name, version in versions.items()) or NOTHING


_on_conflict_option = click.option(
    "--on-conflict",
    type=click.Choice([REFUSE, KEEP, REPLACE]),
    default=REFUSE,
    help="What becomes of objects that say something else.",
)
_file_conflict_option = click.option(
    "--file-storage-conflict",
    type=click.Choice([REFUSE, REPLACE]),
    default=REFUSE,
    help="What becomes of files in a system-storage that is there.",
)
_file_damage_option = click.option(
    "--file-storage-damage",
    type=click.Choice([REFUSE, _SKIP]),
    default=REFUSE,
    help="What becomes of a backup of whose files some are damaged; skip: all others are restored.",
)
_replaced_claim_option = click.option(
    "--replaced-claim", default="", help="Claim to which what is replaced is saved first."
)
_replaced_option = click.option(
    "--replaced", "root_of_replaced", type=FOLDER, required=True, help="Where it is mounted."
)


def _conflict_options(function: Function) -> Function:
    """What a phase that restores objects is told of those that say something else."""
    for option in (
        _on_conflict_option,
        click.option(
            "--differing-secrets",
            "--differing-configmaps",
            "differing",
            callback=_names,
            metavar="NAMES",
            help="Those that differed when it was planned.",
        ),
        click.option(
            "--saved-secrets",
            "--saved-configmaps",
            "versions",
            default="",
            callback=_versions,
            metavar="NAME=VERSION,...",
            help="Those that were saved, to be replaced.",
        ),
        _replaced_claim_option,
    ):
        function = option(function)
    return function


class _Told(TypedDict):
    """What `_conflict_options` gives."""

    on_conflict: str
    differing: list[str] | None
    versions: dict[str, str]
    replaced_claim: str


def _conflict(told: _Told) -> Conflict:
    return Conflict(told["on_conflict"], told["differing"] or (), told["versions"], told["replaced_claim"])


_kept_option = click.option(
    "--kept-secrets",
    "--kept-configmaps",
    "kept",
    callback=_names,
    metavar="NAMES",
    help="Those that were somebody else's when it was planned.",
)
_digest_option = click.option(
    "--backup-digest", "digest", default="", help="The backup with which the restore began; empty: as its claim says."
)
_domain_option = click.option(
    "--wildcard-domain",
    type=values.OrNothing(values.DOMAIN),
    default="",
    help="Another than the backup's; empty: as it was.",
)


def _databases_options(function: Function) -> Function:
    """The Secrets of the databases: expected, or restored."""
    names = click.Choice(["expect", "restore"])
    for option in (
        click.option(
            "--database-overrides",
            type=values.OrNothing(values.SECRET),
            default="",
            help="A Secret whose keys SECRET.KEY replace the backup's.",
        ),
        click.option("--database-secrets", type=names, default="expect", help="Whether they must be there before."),
    ):
        function = option(function)
    return function


@click.group("restore")
def restore_phases() -> None:
    """Phases of a restore, in their order."""


def _planned_options(function: Function) -> Function:
    """All that the plan of a restore depends on."""
    for option in (
        _on_conflict_option,
        _file_conflict_option,
        _file_damage_option,
        click.option("--time-limit", default="", expose_value=False, help="Of the workflow, for this phase."),
        _wait_minutes_option,
        _ready_option,
        workers_option(told=False),
        _databases_options,
        _domain_option,
        click.option(
            "--threescale-version",
            type=values.OrNothing(values.VERSION),
            default="",
            help="3scale's major.minor, where the operator's can't be read.",
        ),
        click.option(
            "--storage-request",
            type=values.OrNothing(values.SIZE),
            default="",
            help="Its size; empty: as it was, or as the data need.",
        ),
        click.option("--access-mode", type=values.ACCESS_MODE, default="", help="Its access mode; empty: as it was."),
        click.option(
            "--storage-class",
            type=values.OrNothing(values.STORAGE_CLASS),
            default="",
            help="Class of the new system-storage; empty: as it was.",
        ),
        click.option(
            "--manifest-sha256",
            default="",
            callback=lambda _context, _option, value: value.strip().lower(),
            help="Digest of the backup's manifest, kept elsewhere; empty: the claim's.",
        ),
        click.option(
            "--made-by",
            type=click.Choice(["", _OPERATOR]),
            default="",
            help="operator: it has no manifest, all the same.",
        ),
        backup_option,
        claim_option,
    ):
        function = option(function)
    return function


class _Asked(TypedDict):
    """What `_planned_options` gives."""

    claim: str
    root: Path
    manifest_sha256: str
    made_by: str
    storage_class: str
    access_mode: str
    storage_request: str
    threescale_version: str
    wildcard_domain: str
    database_secrets: str
    database_overrides: str
    ready: str
    wait_minutes: float
    on_conflict: str
    file_storage_conflict: str
    file_storage_damage: str


def _plan(run: Run, asked: _Asked) -> tuple[Restoration, RestorePlan]:
    told = Told(asked["manifest_sha256"], asked["made_by"] == _OPERATOR, asked["file_storage_damage"] == _SKIP)
    restore = open_first(run, asked["root"], asked["claim"], told, asked["wildcard_domain"])
    wishes = Wishes(
        Asked(asked["storage_class"], asked["access_mode"], asked["storage_request"]),
        asked["threescale_version"],
        Databases.asked(asked["database_secrets"], asked["database_overrides"]),
        asked["ready"],
        asked["wait_minutes"],
        asked["on_conflict"],
        asked["file_storage_conflict"],
    )
    planned = restore_plan.of(restore.cluster, restore.backup, wishes, last_try=run.last_try, workflow=run.workflow)
    return restore, planned


@restore_phases.command("check")
@claim_option
@_databases_options
@_file_damage_option
@plan_option("restore")
@click.option("--approve", type=click.Choice([NO, YES]), default=NO, help="yes: a person approves of the plan.")
@claim_wait_option
@click.pass_obj
def restore_check(  # noqa: PLR0913  one argument a workflow parameter
    run: Run,
    claim: str,
    database_secrets: str,
    database_overrides: str,
    file_storage_damage: str,
    plan_only: bool,
    approve: str,
    claim_wait_s: float,
) -> None:
    """Check what can be checked without the backup."""
    run.tell_plan(plan_only=plan_only)
    run.output(approve=approve)
    run.output(time_limit=_READS_ALL if file_storage_damage == _SKIP else _LOOKS)
    cluster = run.cluster()
    databases = Databases.asked(database_secrets, database_overrides)
    if plan_only:
        claims.check_mountable(cluster, claim, run.workflow, claim_wait_s)
        log.info("checked: claim %s can be mounted", claim)
        return
    prerequisites.check_restore(cluster, claim, run.workflow, claim_wait_s, databases=databases, last_try=run.last_try)
    run.tell_times("checked")
    log.info("checked: claim %s can be mounted, nothing of 3scale stands in the way", claim)


@restore_phases.command("plan")
@_planned_options
@click.pass_obj
def restore_plan_only(run: Run, **asked: Unpack[_Asked]) -> None:
    """Say what the restore is going to do, and change nothing."""
    _, planned = _plan(run, asked)
    run.output(left_out=planned.left_out or NOTHING)
    run.output(digest=planned.plan.digest, summary=planned.plan.summary, names=planned.plan.names)
    planned.plan.check()


@restore_phases.command("prepare")
@_planned_options
@click.option("--plan-digest", default="", help="Go on only by this plan.")
@click.option("--digest", default="", help="The digest of the plan that this workflow has shown.")
@claim_wait_option
@click.option("--checked", default="", help="When `check` began and ended, for the evidence.")
@click.pass_obj
def restore_prepare(
    run: Run, plan_digest: str, digest: str, claim_wait_s: float, checked: str, **asked: Unpack[_Asked]
) -> None:
    """Plan the restore, refuse what speaks against it, then create system-storage."""
    run.need("prepare", claim_wait_s)
    restore, planned = _plan(run, asked)
    opened, cluster = restore.backup, restore.cluster
    made = restore_plan.prepare(cluster, planned, run.workflow, filter(None, (plan_digest, digest)))
    replaced_claim = set_aside.claim_name(run.workflow) if planned.wanted else ""
    if replaced_claim:
        claims.wait_for_volume(cluster, replaced_claim, claim_wait_s)
    if not opened.external:
        claims.wait_for_volume(cluster, installation.SYSTEM_STORAGE, claim_wait_s)
    run.output(
        file_storage=marks.place(external=bool(opened.external)),
        kept_secrets=",".join(planned.kept_secrets) or NOTHING,
        kept_configmaps=",".join(planned.kept_configmaps) or NOTHING,
        differing_secrets=",".join(planned.differing_secrets) or NOTHING,
        differing_configmaps=",".join(planned.differing_configmaps) or NOTHING,
        replaced_claim=replaced_claim or NOTHING,
        set_aside_objects=YES if planned.saves_objects else NO,
        set_aside_files=YES if planned.saves_files else NO,
        plan_digest=planned.plan.digest,
        backup_digest=opened.digest,
        tree_digest=opened.tree_digest or NOTHING,
        left_out=planned.left_out or NOTHING,
        left_out_digest=opened.left_out.digest if opened.left_out else NOTHING,
    )
    log.info("prepared: backup %s is whole", opened.name)
    restore.note("prepare", lambda: made, before=told_phase("check", checked))


@restore_phases.command("set-aside-objects")
@claim_option
@backup_option
@_digest_option
@_replaced_claim_option
@_replaced_option
@click.option("--differing-secrets", callback=_names, required=True, metavar="NAMES", help="Secrets to save.")
@click.option("--differing-configmaps", callback=_names, required=True, metavar="NAMES", help="ConfigMaps to save.")
@click.pass_obj
def restore_set_aside_objects(  # noqa: PLR0913  one argument a workflow parameter
    run: Run,
    claim: str,
    root: Path,
    digest: str,
    replaced_claim: str,
    root_of_replaced: Path,
    differing_secrets: list[str],
    differing_configmaps: list[str],
) -> None:
    """Save the Secrets and ConfigMaps that will be replaced."""
    restore = open_again(run, root, claim, digest)
    run.need("set-aside-objects")
    with volume.durable(root_of_replaced) as disk:
        volume.begin(disk, run.begin(replaced_claim))
        saved = set_aside.save_objects(restore.cluster, SECRET, differing_secrets, root_of_replaced)
        more = set_aside.save_objects(restore.cluster, CONFIGMAP, differing_configmaps, root_of_replaced)
    run.output(saved_secrets=_as_versions(saved), saved_configmaps=_as_versions(more))
    counts = {"set_aside": len(saved) + len(more)}
    restore.note("set-aside-objects", counts=counts, notes=volume.mode_notes())


@restore_phases.command("set-aside-files")
@claim_option
@backup_option
@_digest_option
@_replaced_claim_option
@_replaced_option
@click.option("--file-storage", "source", type=FOLDER, required=True, help="Where system-storage is mounted.")
@workers_option()
@click.pass_obj
def restore_set_aside_files(  # noqa: PLR0913  one argument a workflow parameter
    run: Run,
    claim: str,
    root: Path,
    digest: str,
    replaced_claim: str,
    root_of_replaced: Path,
    source: Path,
    workers: int | None,
) -> None:
    """Save the files of system-storage that will be replaced."""
    restore = open_again(run, root, claim, digest)
    run.need("set-aside-files")
    with volume.durable(root_of_replaced) as disk:
        volume.begin(disk, run.begin(replaced_claim))
    saved = set_aside.save_files(
        restore.cluster, restore.backup, source, root_of_replaced, run.workflow, progress(), workers
    )
    tree = saved.file_storage if saved else None
    run.output(files=tree.files if tree else 0, bytes=tree.size_bytes if tree else 0)
    counts = {"files_set_aside": tree.files, "bytes_set_aside": tree.size_bytes} if tree else None
    notes = (*(saved.notes if saved else ()), *volume.mode_notes())
    restore.note("set-aside-files", counts=counts, notes=notes)


@restore_phases.command("file-storage")
@claim_option
@backup_option
@_digest_option
@click.option("--tree-digest", default=NOTHING, help="What the tree of one that the operator made was then.")
@_file_conflict_option
@click.option(
    "--left-out-digest", default=NOTHING, help="Of the files that the plan leaves out because they are damaged."
)
@click.option("--file-storage", "target", type=FOLDER, required=True, help="Where system-storage is mounted.")
@workers_option()
@click.pass_obj
def restore_file_storage(  # noqa: PLR0913  one argument a workflow parameter
    run: Run,
    claim: str,
    root: Path,
    digest: str,
    file_storage_conflict: str,
    tree_digest: str,
    left_out_digest: str,
    target: Path,
    workers: int | None,
) -> None:
    """Fill system-storage, every byte checked."""
    restore = open_again(run, root, claim, digest)
    salvages = left_out_digest not in {NOTHING, ""}
    tally = None
    if is_new := not restore.is_done():
        run.need("file-storage", _least_s(restore.backup, readings=2 if salvages else 1))
        restore = restore._replace(backup=restore.backup.bound("" if tree_digest == NOTHING else tree_digest))
        if salvages:
            restore = _as_planned(restore, left_out_digest, workers)
        replacing = run.workflow if file_storage_conflict == REPLACE else None
        tally = file_storage.restore(restore.cluster, restore.backup, target, progress(), workers, replacing=replacing)
    filled = claims.find(restore.cluster, installation.SYSTEM_STORAGE)
    lacking = system_storage.left_out(filled, restore.backup)
    run.output(left_out=lacking or NOTHING)
    run.output(files=tally.files if tally else 0, bytes=tally.size_bytes if tally else 0)
    restore.note(
        "file-storage",
        lambda: _replaced_files(restore, filled, tally) if is_new else [],
        counts=counts_of(tally) if tally else None,
        notes=(*([lacking] if lacking else ()), *(tally.notes if tally else ())),
    )


@restore_phases.command("secrets")
@claim_option
@backup_option
@_digest_option
@_domain_option
@_databases_options
@_kept_option
@_conflict_options
@click.pass_obj
def restore_secrets(  # noqa: PLR0913  one argument a workflow parameter
    run: Run,
    claim: str,
    root: Path,
    digest: str,
    wildcard_domain: str,
    database_secrets: str,
    database_overrides: str,
    kept: list[str] | None,
    **told: Unpack[_Told],
) -> None:
    """Create the Secrets; the three of the databases are the user's, unless told otherwise."""
    databases = Databases.asked(database_secrets, database_overrides)
    conflict = _conflict(told)
    restore_all = partial(secrets.restore, databases=databases, planned=kept, conflict=conflict)
    restore = open_again(run, root, claim, digest, wildcard_domain)
    _restore_objects(restore, "secrets", secrets.to_restore, restore_all, conflict)


@restore_phases.command("configmaps")
@claim_option
@backup_option
@_digest_option
@_domain_option
@_kept_option
@_conflict_options
@click.pass_obj
def restore_configmaps(
    run: Run, claim: str, root: Path, digest: str, wildcard_domain: str, kept: list[str] | None, **told: Unpack[_Told]
) -> None:
    """Create the ConfigMaps."""
    conflict = _conflict(told)
    restore_all = partial(configmaps.restore, planned=kept, conflict=conflict)
    restore = open_again(run, root, claim, digest, wildcard_domain)
    _restore_objects(restore, "configmaps", configmaps.to_restore, restore_all, conflict)


@restore_phases.command("apimanager")
@claim_option
@backup_option
@_digest_option
@_domain_option
@click.pass_obj
def restore_apimanager(run: Run, claim: str, root: Path, digest: str, wildcard_domain: str) -> None:
    """Create the APIManager, the last of all objects."""
    run.need("apimanager")
    restore = open_again(run, root, claim, digest, wildcard_domain)
    if apimanager.present(restore.cluster, restore.backup.mark) is None:
        system_storage.check_filled(restore.cluster, restore.backup)
        prerequisites.check_still_there(restore.cluster, restore.backup)
    created = apimanager.restore(restore.cluster, restore.backup)
    system_storage.use(restore.cluster, restore.backup)
    run.output(created=int(created))
    done = result.CREATED if created else result.KEPT
    restore.note("apimanager", lambda: [line(restore.backup.apimanager, done)])


@restore_phases.command("routes")
@claim_option
@backup_option
@_digest_option
@_ready_option
@_wait_minutes_option
@_domain_option
@click.option("--look-s", type=values.PAUSE_S, default=5.0, show_default=True, help="Pause between two looks.")
@click.pass_obj
def restore_routes(  # noqa: PLR0913  one argument a workflow parameter
    run: Run, claim: str, root: Path, digest: str, ready: str, wait_minutes: float, wildcard_domain: str, look_s: float
) -> None:
    """Have Zync make the Routes, and wait until 3scale is ready."""
    run.need("routes")
    restore = open_again(run, root, claim, digest, wildcard_domain)
    opened, cluster = restore.backup, restore.cluster
    patience = routes.Patience(wait_minutes, look_s)
    routes.resync(cluster, opened, patience)
    if opened.move:
        log.info(opened.move.left_to_do)
    routes.wait(cluster, opened, ready, patience)
    restore.note("routes", last=True)


def _restore_objects(
    restore: Restoration,
    phase: str,
    saved: Callable[[Backup], list[Object]],
    restore_all: Callable[..., list[Standing]],
    conflict: Conflict,
) -> None:
    opened, cluster = restore.backup, restore.cluster
    if restore.is_done():
        restore.note(phase, lambda: [line(obj, result.UNTOUCHED) for obj in saved(opened)])
        return
    restore.run.need(phase)
    living = prerequisites.living(cluster)
    found = restore_all(cluster, opened, living, opened.mark, last_try=restore.run.last_try)
    lines = [_became(each, conflict) for each in found]
    done = Counter(each.done for each in lines)
    restore.run.output(**{word: done[word] for word in (result.CREATED, result.KEPT, result.REPLACED)})
    restore.note(phase, lambda: lines)


def _became(each: Standing, conflict: Conflict) -> Line:
    """What became of an object; one that a try before this has replaced says so itself."""
    saved_to = marks.annotation(each.found, marks.SAVED_TO) if each.found and each.state is State.MADE else ""
    if each.state is State.ABSENT:
        return line(each.obj, result.CREATED)
    if each.state is State.DIFFERS and conflict.asked == KEEP:
        return line(each.obj, result.KEPT, f"differs: {each.why}")
    if each.state is State.DIFFERS or (saved_to and saved_to == conflict.saved_to):
        return line(each.obj, result.REPLACED, f"{each.why}: what was there is in claim {conflict.saved_to}")
    return line(each.obj, result.KEPT)


def _as_planned(restore: Restoration, digest: str, workers: int | None) -> Restoration:
    """Leave out what the plan has left out, which is found anew; raises errors.MoreDamaged where that is another."""
    opened = restore.backup.salvaged(workers)
    if opened.left_out and opened.left_out.digest != digest:
        raise errors.MoreDamaged(opened.lacking)
    return restore._replace(backup=opened)


def _least_s(opened: Backup, readings: int) -> float:
    """Seconds that it takes at least to bring the files of a backup that is read so often."""
    return readings * opened.size_bytes / _BYTES_A_SECOND + opened.counts.entries / _ENTRIES_A_SECOND


def _replaced_files(restore: Restoration, claim: Object, tally: Tally | None) -> list[Line]:
    """What became of a system-storage that was there, where its files were saved, and in its place came others."""
    saved_to = system_storage.saved_to(claim, restore.backup)
    if not saved_to or (tally is None and saved_to != set_aside.claim_name(restore.run.workflow)):
        return []
    return [line(claim, result.REPLACED, f"its files: what was there is in claim {saved_to}")]
