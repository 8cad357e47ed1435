"""The phases of a restore as commands, in their order."""

import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Unpack

import click

from steps import errors
from steps.archive import begin_marker, marks
from steps.archive.contents import Backup
from steps.catalogue import backup_claims
from steps.contract import values
from steps.contract.values import NO, YES
from steps.evidence import result
from steps.evidence.result import Line
from steps.files import durability, writing
from steps.files.tally import Tally
from steps.kubernetes import fields, waiting
from steps.kubernetes.kinds import CONFIGMAP, SECRET, Object
from steps.parts import apimanager, configmaps, file_storage, readiness, secrets, set_aside, system_storage
from steps.parts.conflicts import KEEP, REPLACE, ObjectState, OnConflict, Standing
from steps.parts.readiness import Patience
from steps.parts.secrets import Databases
from steps.parts.system_storage import AskedStorage
from steps.phases import opened_backup, options, restore_options
from steps.phases.opened_backup import Restoration, Told
from steps.phases.options import FOLDER
from steps.phases.progress import progress
from steps.phases.restore_options import OPERATOR, SKIP, ConflictTold, PlanAsked
from steps.phases.run import NOTHING, Run, told_phase
from steps.plans import prerequisites, restore_plan
from steps.plans.restore_plan import RestorePlan, Wishes
from steps.process.command_line import Value, one_of
from steps.threescale import installation

log = logging.getLogger(__name__)

# So many at the best: less time than this is plainly too little.
_BYTES_A_SECOND = 500 << 20
_ENTRIES_A_SECOND = 20_000
_LOOKS, _READS_ALL = "15m", "6h"  # how long a plan may take, as Argo reads it


@click.group("restore")
def restore_phases() -> None:
    """Phases of a restore, in their order."""


def _plan(run: Run, asked: PlanAsked) -> tuple[Restoration, RestorePlan]:
    told = Told(asked["manifest_sha256"], asked["made_by"] == OPERATOR, asked["file_storage_damage"] == SKIP)
    restore = opened_backup.open_first(run, asked["root"], asked["claim"], told, asked["wildcard_domain"])
    wishes = Wishes(
        AskedStorage(asked["storage_class"], asked["access_mode"], asked["storage_request"]),
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
@options.claim
@restore_options.databases
@restore_options.file_damage
@options.plan("restore")
@one_of("--approve", [NO, YES], "yes: a person approves of the plan.")
@options.claim_wait
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
    run.output(time_limit=_READS_ALL if file_storage_damage == SKIP else _LOOKS)
    cluster = run.cluster()
    databases = Databases.asked(database_secrets, database_overrides)
    if plan_only:
        backup_claims.check_mountable(cluster, claim, run.workflow, claim_wait_s)
        log.info("checked: claim %s can be mounted", claim)
        return
    prerequisites.check_restore(cluster, claim, run.workflow, claim_wait_s, databases=databases, last_try=run.last_try)
    run.tell_times("checked")
    log.info("checked: claim %s can be mounted, nothing of 3scale stands in the way", claim)


@restore_phases.command("plan")
@restore_options.planned
@click.pass_obj
def restore_plan_only(run: Run, **asked: Unpack[PlanAsked]) -> None:
    """Say what the restore is going to do, and change nothing."""
    _, planned = _plan(run, asked)
    run.output(left_out=planned.left_out or NOTHING)
    run.output(digest=planned.plan.digest, summary=planned.plan.summary, names=planned.plan.names)
    planned.plan.check()


@restore_phases.command("prepare")
@restore_options.planned
@click.option("--plan-digest", default="", help="Go on only by this plan.")
@click.option("--digest", default="", help="The digest of the plan that this workflow has shown.")
@options.claim_wait
@click.option("--checked", default="", help="When `check` began and ended, for the evidence.")
@click.pass_obj
def restore_prepare(
    run: Run, plan_digest: str, digest: str, claim_wait_s: float, checked: str, **asked: Unpack[PlanAsked]
) -> None:
    """Plan the restore, refuse what speaks against it, then create system-storage."""
    run.need("prepare", claim_wait_s)
    restore, planned = _plan(run, asked)
    opened, cluster = restore.backup, restore.cluster
    made = restore_plan.prepare(cluster, planned, run.workflow, filter(None, (plan_digest, digest)))
    replaced_claim = set_aside.claim_name(run.workflow) if planned.wanted else ""
    if replaced_claim:
        waiting.wait_for_volume(cluster, replaced_claim, claim_wait_s)
    if not opened.external:
        waiting.wait_for_volume(cluster, installation.SYSTEM_STORAGE, claim_wait_s)
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
@restore_options.opened
@restore_options.replaced_claim
@restore_options.replaced
@click.option(
    "--differing-secrets", callback=restore_options.read_names, required=True, metavar="NAMES", help="Secrets to save."
)
@click.option(
    "--differing-configmaps",
    callback=restore_options.read_names,
    required=True,
    metavar="NAMES",
    help="ConfigMaps to save.",
)
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
    restore = opened_backup.open_again(run, root, claim, digest)
    run.need("set-aside-objects")
    with durability.durable(root_of_replaced) as disk:
        begin_marker.begin(disk, run.begin(replaced_claim))
        saved = set_aside.save_objects(restore.cluster, SECRET, differing_secrets, root_of_replaced)
        more = set_aside.save_objects(restore.cluster, CONFIGMAP, differing_configmaps, root_of_replaced)
    run.output(saved_secrets=restore_options.as_versions(saved), saved_configmaps=restore_options.as_versions(more))
    counts = {"set_aside": len(saved) + len(more)}
    restore.note("set-aside-objects", counts=counts, notes=writing.mode_notes())


@restore_phases.command("set-aside-files")
@restore_options.opened
@restore_options.replaced_claim
@restore_options.replaced
@click.option("--file-storage", "source", type=FOLDER, required=True, help="Where system-storage is mounted.")
@options.workers()
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
    restore = opened_backup.open_again(run, root, claim, digest)
    run.need("set-aside-files")
    with durability.durable(root_of_replaced) as disk:
        begin_marker.begin(disk, run.begin(replaced_claim))
    saved = set_aside.save_files(
        restore.cluster, restore.backup, source, root_of_replaced, run.workflow, progress(), workers
    )
    tree = saved.file_storage if saved else None
    run.output(files=tree.files if tree else 0, bytes=tree.size_bytes if tree else 0)
    counts = {"files_set_aside": tree.files, "bytes_set_aside": tree.size_bytes} if tree else None
    notes = (*(saved.notes if saved else ()), *writing.mode_notes())
    restore.note("set-aside-files", counts=counts, notes=notes)


@restore_phases.command("file-storage")
@restore_options.opened
@click.option("--tree-digest", default=NOTHING, help="What the tree of one that the operator made was then.")
@restore_options.file_conflict
@click.option(
    "--left-out-digest", default=NOTHING, help="Of the files that the plan leaves out because they are damaged."
)
@click.option("--file-storage", "target", type=FOLDER, required=True, help="Where system-storage is mounted.")
@options.workers()
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
    restore = opened_backup.open_again(run, root, claim, digest)
    salvages = left_out_digest not in {NOTHING, ""}
    tally = None
    if is_new := not restore.is_done():
        run.need("file-storage", _least_s(restore.backup, readings=2 if salvages else 1))
        restore = restore._replace(backup=restore.backup.bound("" if tree_digest == NOTHING else tree_digest))
        if salvages:
            restore = _as_planned(restore, left_out_digest, workers)
        replacing = run.workflow if file_storage_conflict == REPLACE else None
        tally = file_storage.restore(restore.cluster, restore.backup, target, progress(), workers, replacing=replacing)
    filled = backup_claims.find(restore.cluster, installation.SYSTEM_STORAGE)
    lacking = system_storage.left_out(filled, restore.backup)
    run.output(left_out=lacking or NOTHING)
    run.output(files=tally.files if tally else 0, bytes=tally.size_bytes if tally else 0)
    restore.note(
        "file-storage",
        lambda: _replaced_files(restore, filled, tally) if is_new else [],
        counts=opened_backup.counts_of(tally) if tally else None,
        notes=(*([lacking] if lacking else ()), *(tally.notes if tally else ())),
    )


@restore_phases.command("secrets")
@restore_options.opened
@restore_options.domain
@restore_options.databases
@restore_options.kept
@restore_options.conflicts
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
    **told: Unpack[ConflictTold],
) -> None:
    """Create the Secrets; the three of the databases are the user's, unless told otherwise."""
    databases = Databases.asked(database_secrets, database_overrides)
    conflict = restore_options.conflict(told)
    restore_all = partial(secrets.restore, databases=databases, planned=kept, conflict=conflict)
    restore = opened_backup.open_again(run, root, claim, digest, wildcard_domain)
    _restore_objects(restore, "secrets", secrets.to_restore, restore_all, conflict)


@restore_phases.command("configmaps")
@restore_options.opened
@restore_options.domain
@restore_options.kept
@restore_options.conflicts
@click.pass_obj
def restore_configmaps(
    run: Run,
    claim: str,
    root: Path,
    digest: str,
    wildcard_domain: str,
    kept: list[str] | None,
    **told: Unpack[ConflictTold],
) -> None:
    """Create the ConfigMaps."""
    conflict = restore_options.conflict(told)
    restore_all = partial(configmaps.restore, planned=kept, conflict=conflict)
    restore = opened_backup.open_again(run, root, claim, digest, wildcard_domain)
    _restore_objects(restore, "configmaps", configmaps.to_restore, restore_all, conflict)


@restore_phases.command("apimanager")
@restore_options.opened
@restore_options.domain
@click.pass_obj
def restore_apimanager(run: Run, claim: str, root: Path, digest: str, wildcard_domain: str) -> None:
    """Create the APIManager, the last of all objects."""
    run.need("apimanager")
    restore = opened_backup.open_again(run, root, claim, digest, wildcard_domain)
    if apimanager.present(restore.cluster, restore.backup.mark) is None:
        system_storage.check_filled(restore.cluster, restore.backup)
        prerequisites.check_still_there(restore.cluster, restore.backup)
    created = apimanager.restore(restore.cluster, restore.backup)
    system_storage.use(restore.cluster, restore.backup)
    run.output(created=int(created))
    done = result.CREATED if created else result.KEPT
    restore.note("apimanager", lambda: [opened_backup.line(restore.backup.apimanager, done)])


@restore_phases.command("routes")
@restore_options.opened
@restore_options.ready
@restore_options.wait_minutes
@restore_options.domain
@click.option("--look-s", type=Value(values.PAUSE_S), default=5.0, show_default=True, help="Pause between two looks.")
@click.pass_obj
def restore_routes(  # noqa: PLR0913  one argument a workflow parameter
    run: Run, claim: str, root: Path, digest: str, ready: str, wait_minutes: float, wildcard_domain: str, look_s: float
) -> None:
    """Have Zync make the Routes, and wait until 3scale is ready."""
    run.need("routes")
    restore = opened_backup.open_again(run, root, claim, digest, wildcard_domain)
    opened, cluster = restore.backup, restore.cluster
    patience = Patience(wait_minutes, look_s)
    readiness.resync(cluster, opened, patience)
    if opened.move:
        log.info(opened.move.left_to_do)
    readiness.wait(cluster, opened, ready, patience)
    restore.note("routes", last=True)


def _restore_objects(
    restore: Restoration,
    phase: str,
    saved: Callable[[Backup], list[Object]],
    restore_all: Callable[..., list[Standing]],
    conflict: OnConflict,
) -> None:
    opened, cluster = restore.backup, restore.cluster
    if restore.is_done():
        restore.note(phase, lambda: [opened_backup.line(obj, result.UNTOUCHED) for obj in saved(opened)])
        return
    restore.run.need(phase)
    living = prerequisites.living(cluster)
    found = restore_all(cluster, opened, living, opened.mark, last_try=restore.run.last_try)
    lines = [_became(each, conflict) for each in found]
    done = Counter(each.done for each in lines)
    restore.run.output(**{word: done[word] for word in (result.CREATED, result.KEPT, result.REPLACED)})
    restore.note(phase, lambda: lines)


def _became(each: Standing, conflict: OnConflict) -> Line:
    """What became of an object; one that a try before this has replaced says so itself."""
    saved_to = fields.annotation(each.found, marks.SAVED_TO) if each.found and each.state is ObjectState.MADE else ""
    if each.state is ObjectState.ABSENT:
        return opened_backup.line(each.obj, result.CREATED)
    if each.state is ObjectState.DIFFERS and conflict.asked == KEEP:
        return opened_backup.line(each.obj, result.KEPT, f"differs: {each.why}")
    if each.state is ObjectState.DIFFERS or (saved_to and saved_to == conflict.saved_to):
        return opened_backup.line(
            each.obj, result.REPLACED, f"{each.why}: what was there is in claim {conflict.saved_to}"
        )
    return opened_backup.line(each.obj, result.KEPT)


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
    return [opened_backup.line(claim, result.REPLACED, f"its files: what was there is in claim {saved_to}")]
