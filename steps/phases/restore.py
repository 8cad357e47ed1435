"""The commands of the phases of a restore, in the order in which they run."""

import logging
from collections import Counter
from collections.abc import Callable
from functools import partial

from steps import errors
from steps.archive import begin_marker, marks
from steps.archive.contents import Backup
from steps.catalogue import backup_claims
from steps.contract import arguments, database_contract, values
from steps.contract import restore_contract as declared
from steps.contract.value_kinds import NOTHING
from steps.contract.values import NO, YES
from steps.evidence import result
from steps.evidence.result import Line
from steps.files import durability, writing
from steps.files.tally import Tally
from steps.kubernetes import fields, waiting
from steps.kubernetes.kinds import CONFIGMAP, SECRET, Object
from steps.parts import apimanager, configmaps, file_storage, readiness, secrets, set_aside, system_storage
from steps.parts.conflicts import KEEP, REFUSE, REPLACE, ObjectState, OnConflict, Standing, Target
from steps.parts.readiness import Patience
from steps.parts.secrets import Databases
from steps.phases import opened_backup
from steps.phases.command_line import PhaseGroup
from steps.phases.opened_backup import Restoration
from steps.phases.progress import progress
from steps.phases.run import Run, told_phase
from steps.plans import prerequisites, restore_plan
from steps.plans.plan import told_lines
from steps.plans.restore_plan import RestorePlan
from steps.threescale import installation

log = logging.getLogger(__name__)
restore_phases = PhaseGroup("restore", help="Phases of a restore, in the order in which they run.")

# Speeds that no restore exceeds. A phase with too little time even at these speeds does not begin.
_BYTES_A_SECOND = 500 << 20
_ENTRIES_A_SECOND = 20_000
_LOOKS, _READS_ALL = "15m", "6h"  # time limits of a plan, in Argo's notation


@restore_phases.phase(declared.RestoreCheck)
def _check(run: Run, told: declared.RestoreCheck) -> None:
    plan_only = arguments.is_plan("restore", told.plan)
    run.tell_plan(plan_only=plan_only)
    run.output(approve=told.approve)
    run.output(time_limit=_LOOKS if told.file_storage_damage == REFUSE else _READS_ALL)
    cluster = run.cluster()
    databases = Databases.of(told)
    if plan_only:
        backup_claims.check_mountable(cluster, told.claim, run.workflow, told.claim_wait_s)
        log.info("checked: claim %s can be mounted", told.claim)
        return
    prerequisites.check_restore(
        cluster, told.claim, run.workflow, told.claim_wait_s, databases=databases, last_try=run.last_try
    )
    run.tell_times("checked")
    log.info("checked: claim %s can be mounted, and nothing of 3scale prevents the restore", told.claim)


@restore_phases.phase(database_contract.RestorePlanOnlyWithDatabases)
def _plan_only(run: Run, told: database_contract.RestorePlanOnlyWithDatabases) -> None:
    _, planned = _plan(run, told)
    run.output(left_out=planned.left_out or NOTHING)
    run.output(digest=planned.plan.digest, summary=planned.plan.summary, names=planned.plan.names)
    planned.plan.check()


@restore_phases.phase(database_contract.RestorePrepareWithDatabases)
def _prepare(run: Run, told: database_contract.RestorePrepareWithDatabases) -> None:
    run.need("prepare", told.claim_wait_s)
    restore, planned = _plan(run, told)
    opened, cluster = restore.backup, restore.cluster
    made = restore_plan.prepare(cluster, planned, run.workflow, filter(None, (told.plan_digest, told.digest)))
    replaced_claim = set_aside.claim_name(run.workflow) if planned.wanted else ""
    mounted = [replaced_claim, "" if opened.external else installation.SYSTEM_STORAGE]
    waiting.wait_for_volumes(cluster, filter(None, mounted), told.claim_wait_s)
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
    log.info("prepared: backup %s is complete", opened.name)
    restore.note("prepare", lambda: made, before=told_phase("check", told.checked))


@restore_phases.phase(declared.RestoreSetAsideObjects)
def _set_aside_objects(run: Run, told: declared.RestoreSetAsideObjects) -> None:
    restore = opened_backup.open_again(run, told.backup, told.claim, told.backup_digest)
    run.need("set-aside-objects")
    with durability.durable(told.replaced) as disk:
        begin_marker.begin(disk, run.begin(told.replaced_claim))
        saved = set_aside.save_objects(restore.cluster, SECRET, told.differing_secrets or (), told.replaced)
        more = set_aside.save_objects(restore.cluster, CONFIGMAP, told.differing_configmaps or (), told.replaced)
    run.output(saved_secrets=values.VERSIONS.told(saved), saved_configmaps=values.VERSIONS.told(more))
    counts = {"set_aside": len(saved) + len(more)}
    restore.note("set-aside-objects", counts=counts, notes=writing.mode_notes())


@restore_phases.phase(declared.RestoreSetAsideFiles)
def _set_aside_files(run: Run, told: declared.RestoreSetAsideFiles) -> None:
    restore = opened_backup.open_again(run, told.backup, told.claim, told.backup_digest)
    run.need("set-aside-files")
    with durability.durable(told.replaced) as disk:
        begin_marker.begin(disk, run.begin(told.replaced_claim))
    saved = set_aside.save_files(
        restore.cluster, restore.backup, told.file_storage, told.replaced, run.workflow, progress(), told.workers
    )
    tree = saved.file_storage if saved else None
    run.output(files=tree.files if tree else 0, bytes=tree.size_bytes if tree else 0)
    counts = {"files_set_aside": tree.files, "bytes_set_aside": tree.size_bytes} if tree else None
    notes = (*(saved.notes if saved else ()), *writing.mode_notes())
    restore.note("set-aside-files", counts=counts, notes=notes)


@restore_phases.phase(declared.RestoreFileStorage)
def _file_storage(run: Run, told: declared.RestoreFileStorage) -> None:
    restore = opened_backup.open_again(run, told.backup, told.claim, told.backup_digest)
    salvages = told.left_out_digest not in {NOTHING, ""}
    tally = None
    if is_new := not restore.is_done():
        run.need("file-storage", _least_s(restore.backup, readings=2 if salvages else 1))
        tree_digest = "" if told.tree_digest == NOTHING else told.tree_digest
        restore = restore._replace(backup=restore.backup.bound(tree_digest))
        if salvages:
            restore = _as_planned(restore, told.left_out_digest, told.workers)
        replacing = run.workflow if told.file_storage_conflict == REPLACE else None
        tally = file_storage.restore(
            restore.cluster, restore.backup, told.file_storage, progress(), told.workers, replacing=replacing
        )
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


@restore_phases.phase(declared.RestoreSecrets)
def _secrets(run: Run, told: declared.RestoreSecrets) -> None:
    conflict = OnConflict(
        told.on_conflict, told.differing_secrets or (), told.saved_secrets or {}, told.replaced_claim, told.kept_secrets
    )
    restore_all = partial(secrets.restore, databases=Databases.of(told))
    restore = opened_backup.open_again(run, told.backup, told.claim, told.backup_digest, told.wildcard_domain)
    _restore_objects(restore, "secrets", secrets.to_restore, restore_all, conflict)


@restore_phases.phase(declared.RestoreConfigMaps)
def _configmaps(run: Run, told: declared.RestoreConfigMaps) -> None:
    conflict = OnConflict(
        told.on_conflict,
        told.differing_configmaps or (),
        told.saved_configmaps or {},
        told.replaced_claim,
        told.kept_configmaps,
    )
    restore = opened_backup.open_again(run, told.backup, told.claim, told.backup_digest, told.wildcard_domain)
    _restore_objects(restore, "configmaps", configmaps.to_restore, configmaps.restore, conflict)


@restore_phases.phase(declared.RestoreApiManager)
def _apimanager(run: Run, told: declared.RestoreApiManager) -> None:
    run.need("apimanager")
    restore = opened_backup.open_again(run, told.backup, told.claim, told.backup_digest, told.wildcard_domain)
    if apimanager.present(restore.cluster, restore.backup.mark) is None:
        system_storage.check_filled(restore.cluster, restore.backup)
        prerequisites.check_still_there(restore.cluster, restore.backup)
    created = apimanager.restore(restore.cluster, restore.backup)
    system_storage.use(restore.cluster, restore.backup)
    run.output(created=int(created))
    done = result.CREATED if created else result.KEPT
    restore.note("apimanager", lambda: [opened_backup.line(restore.backup.apimanager, done)])


@restore_phases.phase(declared.RestoreRoutes)
def _routes(run: Run, told: declared.RestoreRoutes) -> None:
    run.need("routes")
    restore = opened_backup.open_again(run, told.backup, told.claim, told.backup_digest, told.wildcard_domain)
    opened, cluster = restore.backup, restore.cluster
    patience = Patience(told.wait_minutes, told.look_s)
    readiness.resync(cluster, opened, patience)
    if opened.move:
        log.info(opened.move.left_to_do)
    readiness.wait(cluster, opened, told.ready, patience)
    restore.note("routes", last=True)


def _plan(
    run: Run, told: database_contract.RestorePlanOnlyWithDatabases | database_contract.RestorePrepareWithDatabases
) -> tuple[Restoration, RestorePlan]:
    restore = opened_backup.open_first(run, told.backup, told.claim, told)
    planned = restore_plan.of(restore.cluster, restore.backup, told, last_try=run.last_try, workflow=run.workflow)
    planned.plan.lines[:0] = told_lines(told.database_lines)
    return restore, planned


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
    target = Target(cluster, prerequisites.living(cluster), opened.mark)
    found = restore_all(target, opened, last_try=restore.run.last_try, conflict=conflict)
    lines = [_became(each, conflict) for each in found]
    done = Counter(each.done for each in lines)
    restore.run.output(**{word: done[word] for word in (result.CREATED, result.KEPT, result.REPLACED)})
    restore.note(phase, lambda: lines)


def _became(each: Standing, conflict: OnConflict) -> Line:
    """Return the line of an object. An annotation tells whether an earlier try of this workflow replaced the object."""
    saved_to = fields.annotation(each.found, marks.SAVED_TO) if each.found and each.state is ObjectState.MADE else ""
    if each.state is ObjectState.ABSENT:
        return opened_backup.line(each.obj, result.CREATED)
    if each.state is ObjectState.DIFFERS and conflict.asked == KEEP:
        return opened_backup.line(each.obj, result.KEPT, f"differs: {each.why}")
    if each.state is ObjectState.DIFFERS or (saved_to and saved_to == conflict.saved_to):
        return opened_backup.line(
            each.obj, result.REPLACED, f"{each.why}; the previous object is in claim {conflict.saved_to}"
        )
    return opened_backup.line(each.obj, result.KEPT)


def _as_planned(restore: Restoration, digest: str, workers: int | None) -> Restoration:
    """Find the damaged files again, and leave them out. Raises errors.MoreDamaged if they differ from the plan's."""
    opened = restore.backup.salvaged(workers)
    if opened.left_out and opened.left_out.digest != digest:
        raise errors.MoreDamaged(opened.lacking)
    return restore._replace(backup=opened)


def _least_s(opened: Backup, readings: int) -> float:
    """Return the least number of seconds for restoring the files, if the backup is read `readings` times."""
    return readings * opened.size_bytes / _BYTES_A_SECOND + opened.counts.entries / _ENTRIES_A_SECOND


def _replaced_files(restore: Restoration, claim: Object, tally: Tally | None) -> list[Line]:
    """Return the line of an existing system-storage whose files were saved and replaced, else nothing."""
    saved_to = system_storage.saved_to(claim, restore.backup)
    if not saved_to or (tally is None and saved_to != set_aside.claim_name(restore.run.workflow)):
        return []
    return [opened_backup.line(claim, result.REPLACED, f"its previous files are in claim {saved_to}")]
