"""The commands of the phases of a backup, in the order in which they run."""

import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial

from steps import __version__, errors
from steps.archive import begin_marker, marks, seal
from steps.archive.begin_marker import VolumeState
from steps.archive.manifest import FileTree, Manifest, Report
from steps.catalogue import backup_claims, verification
from steps.catalogue.backup_claims import WantedClaim
from steps.contract import arguments, database_contract
from steps.contract import backup_contract as declared
from steps.contract.push_contract import BEST_EFFORT
from steps.contract.values import NO, YES
from steps.evidence import records, result
from steps.files import durability, writing
from steps.kubernetes import times, waiting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CONFIGMAP, SECRET, Kind
from steps.parts import apimanager, configmaps, file_storage, secrets
from steps.phases import repositories, saved_part
from steps.phases.command_line import PhaseGroup
from steps.phases.progress import progress
from steps.phases.run import Run, told_phase
from steps.plans import backup_plan
from steps.plans.plan import FILES, Does, Plan, told_lines
from steps.repository import probe
from steps.threescale import references

log = logging.getLogger(__name__)


backup_phases = PhaseGroup("backup", help="Phases of a backup, in the order in which they run.")


@backup_phases.phase(database_contract.BackupPrepareWithDatabases)
def _prepare(run: Run, told: database_contract.BackupPrepareWithDatabases) -> None:
    plan_only = arguments.is_plan("backup", told.plan)
    run.tell_plan(plan_only=plan_only)
    run.output(scheduled=YES if told.schedule else NO)
    run.need("prepare", told.claim_wait_s)
    cluster = run.cluster()
    wanted = WantedClaim.of(told, told.name if plan_only else told.name or run.workflow.name, told.schedule)
    _probe(told, cluster, init=told.repository_init == YES and not plan_only)
    planned = backup_plan.of(cluster, wanted, run.workflow, databases=told_lines(told.database_lines))
    run.output(digest=planned.plan.digest, summary=planned.plan.summary, names=planned.plan.names)
    if plan_only:
        planned.plan.check()
    else:
        backup_plan.prepare(cluster, planned, wanted, run.workflow)
        waiting.wait_for_volume(cluster, wanted.name, told.claim_wait_s)
        run.tell_times("prepared")
        log.info("prepared: backup %s", wanted.name)
    run.output(
        backupPersistentVolumeClaimName="" if plan_only else wanted.name,
        apiManagerSourceName=planned.apimanager["metadata"]["name"],
        node_operator=planned.placement.operator,
        node=planned.placement.node,
        file_storage=marks.place(external=wanted.external),
        planned_secrets=",".join(planned.saves(SECRET)),
        planned_configmaps=",".join(planned.saves(CONFIGMAP)),
        planned_routes=planned.routes,
        push=told.push,
    )


def _probe(told: declared.BackupPrepare, cluster: Cluster, *, init: bool) -> None:
    """Check the repositories before a backup begins. One that does not answer refuses only a required copy."""
    if told.push == NO:
        return
    if not repositories.stores(told):
        raise errors.NoRepositoryConfigured(f"push={told.push}")
    try:
        repositories.each(told, cluster, partial(probe.check, cluster=cluster, init=init))
    except errors.PhaseError as error:
        if told.push != BEST_EFFORT or isinstance(error, errors.Interrupted):
            raise
        log.info("the backup is made all the same, because push is best-effort: %s", error)


@backup_phases.phase(declared.BackupSecrets)
def _save_secrets(run: Run, told: declared.BackupSecrets) -> None:
    _part(run, told, "secrets", lambda: _secrets(run.cluster(), told))


@backup_phases.phase(declared.BackupConfigMaps)
def _save_configmaps(run: Run, told: declared.BackupConfigMaps) -> None:
    _part(run, told, "configmaps", lambda: _configmaps(run.cluster(), told))


@backup_phases.phase(declared.BackupApiManager)
def _save_apimanager(run: Run, told: declared.BackupApiManager) -> None:
    save = partial(apimanager.save, planned_routes=told.planned_routes)
    _part(run, told, "apimanager", lambda: save(run.cluster(), told.backup, told.apimanager))


@backup_phases.phase(declared.BackupExternal)
def _save_external(run: Run, told: declared.BackupExternal) -> None:
    cluster = run.cluster()
    save = partial(apimanager.save, is_external=True, planned_routes=told.planned_routes)
    parts = {
        "secrets": partial(_secrets, cluster, told),
        "configmaps": partial(_configmaps, cluster, told),
        "apimanager": partial(save, cluster, told.backup, told.apimanager),
    }
    run.output(objects=sum(len(saved_part.save(run, told, part, save).objects) for part, save in parts.items()))


@backup_phases.phase(declared.BackupFileStorage)
def _save_file_storage(run: Run, told: declared.BackupFileStorage) -> None:
    save = partial(file_storage.save, told.file_storage, told.backup)
    _part(run, told, "file-storage", lambda: save(progress(), told.workers))


@backup_phases.phase(declared.BackupSource)
def _look_at_source(run: Run, told: declared.BackupSource) -> None:
    plan = Plan(run.namespace)
    for name, shown in file_storage.snapshots(told.file_storage).items():
        how = f"skipped in {FILES}, contains {shown}: {file_storage.OF_SNAPSHOTS}"
        plan.add(Does.WARNING, f"folder {name}", how)
    if plan.lines:
        plan.check()
    else:
        log.info("%s: no folder is skipped because of its name", FILES)
    run.output(names=plan.names)


@backup_phases.phase(database_contract.BackupSealWithDatabases)
def _seal(run: Run, told: database_contract.BackupSealWithDatabases) -> None:
    run.need("seal")
    begin = run.begin(told.claim)
    cluster = run.cluster()
    with durability.durable(told.backup) as disk:
        state = begin_marker.begin(disk, begin)
        found = backup_claims.find(cluster, told.claim)
        if state is VolumeState.BEGUN:
            apimanager.check_same(cluster, found)
        sealed = seal.close(
            disk,
            tool_version=__version__,
            begin=begin,
            started=backup_claims.started(found),
            ended=times.now(),
            record=partial(_record, run, told),
            databases=told.copied_databases or (),
        )
    verification.check_sealed(found, sealed.digest)
    backup_claims.complete(cluster, found, sealed.manifest, sealed.digest)
    records.forget(run.cluster, "backup", run.workflow.uid)
    facts = sealed.manifest
    run.output(objects=len(facts.objects))
    _output_files(run, facts.file_storage)
    writing.mode_notes()
    log.info("sealed: backup %s, %d objects, %s", facts.backup, len(facts.objects), facts.files)
    log.info("SHA-256 of its manifest: %s. Keep the digest elsewhere, to recognize this backup later.", sealed.digest)
    run.output(sealed=YES)


def _record(run: Run, told: declared.BackupSeal, facts: Manifest, reports: Mapping[str, Report | None]) -> str:
    """Return the result record of a backup. All phases have ended but `seal`, which still writes the manifest."""
    begun = run.record("backup", told.claim)
    for phase in told_phase("prepare", told.prepared):
        begun = begun.did(phase)
    return result.text(result.of_backup(begun, facts, reports).did(run.phase("seal"), last=True))


def _secrets(cluster: Cluster, told: declared.BackupSecrets | declared.BackupExternal) -> Report:
    found = apimanager.named(cluster, told.apimanager)
    optional = apimanager.optional_secrets(found)
    saved = secrets.save(cluster, told.backup, optional=optional, named=references.of(found))
    return _all_planned(saved, SECRET, told.planned_secrets or (), cluster.namespace)


def _configmaps(cluster: Cluster, told: declared.BackupConfigMaps | declared.BackupExternal) -> Report:
    saved = configmaps.save(cluster, told.backup, references.of(apimanager.named(cluster, told.apimanager)))
    return _all_planned(saved, CONFIGMAP, told.planned_configmaps or (), cluster.namespace)


def _all_planned(saved: Report, kind: Kind, planned: Collection[str], namespace: str) -> Report:
    """Return `saved` if it holds every planned object. An optional object must not vanish after the plan either."""
    names = {path.rpartition("/")[2].removesuffix(".json") for path in saved.objects}
    if gone := [name for name in planned if name not in names]:
        raise errors.PlannedGone(kind.name, gone, namespace)
    return saved


def _part(run: Run, told: declared.SavePart, part: str, save: Callable[[], Report]) -> None:
    """Save one part of a backup, and write its outputs."""
    found = saved_part.save(run, told, part, save)
    run.output(objects=len(found.objects))
    _output_files(run, found.file_storage)


def _output_files(run: Run, facts: FileTree | None) -> None:
    if facts:
        run.output(files=facts.files, bytes=facts.size_bytes)
