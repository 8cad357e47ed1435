"""The phases of a backup as commands, in their order."""

import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

import click

from steps import __version__, errors
from steps.archive import begin_marker, layout, manifest, marks, seal
from steps.archive.begin_marker import VolumeState
from steps.archive.manifest import FileTree, Manifest, Report
from steps.catalogue import backup_claims, verification
from steps.catalogue.backup_claims import WantedClaim
from steps.contract import values
from steps.contract.names import EXTERNAL
from steps.contract.values import NO, YES
from steps.evidence import records, result
from steps.files import durability, writing
from steps.kubernetes import times, waiting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CONFIGMAP, SECRET, Kind
from steps.parts import apimanager, configmaps, file_storage, secrets
from steps.phases import options
from steps.phases.options import FOLDER
from steps.phases.progress import progress
from steps.phases.run import Run, told_phase
from steps.plans import backup_plan
from steps.plans.plan import FILES, Does, Plan
from steps.process.command_line import Command, Maybe, Value, all_of, one_of, or_nothing
from steps.threescale import references

log = logging.getLogger(__name__)


@click.group("backup")
def backup_phases() -> None:
    """Phases of a backup, in their order."""


@backup_phases.command("prepare")
@click.option("--name", type=Maybe(values.BACKUP), required=True, help="Name of the backup; empty: the workflow's.")
@click.option("--storage-request", type=Value(values.SIZE), required=True, help="Size of its claim.")
@or_nothing("--storage-class", values.STORAGE_CLASS, "Empty: the cluster's default.")
@or_nothing("--volume-name", values.VOLUME, "An existing PersistentVolume.")
@one_of("--file-storage", ["", EXTERNAL], "external: in S3, not saved.")
@or_nothing("--schedule", values.CRON_WORKFLOW, "The CronWorkflow that asks for it; empty: a person.")
@options.workers(told=False)
@options.plan("backup")
@options.claim_wait
@click.pass_obj
def backup_prepare(  # noqa: PLR0913  one argument a workflow parameter
    run: Run,
    name: str,
    storage_request: str,
    storage_class: str,
    volume_name: str,
    file_storage: str,
    schedule: str,
    plan_only: bool,
    claim_wait_s: float,
) -> None:
    """Plan the backup, refuse what speaks against it, then create the claim."""
    run.tell_plan(plan_only=plan_only)
    run.output(scheduled=YES if schedule else NO)
    run.need("prepare", claim_wait_s)
    cluster = run.cluster()
    external = file_storage == EXTERNAL
    called = name if plan_only else name or run.workflow.name
    wanted = WantedClaim(called, storage_request, storage_class, volume_name, external, schedule)
    planned = backup_plan.of(cluster, wanted, run.workflow)
    run.output(digest=planned.plan.digest, summary=planned.plan.summary, names=planned.plan.names)
    if plan_only:
        planned.plan.check()
    else:
        backup_plan.prepare(cluster, planned, wanted, run.workflow)
        waiting.wait_for_volume(cluster, wanted.name, claim_wait_s)
        run.tell_times("prepared")
        log.info("prepared: backup %s", wanted.name)
    run.output(
        backupPersistentVolumeClaimName="" if plan_only else wanted.name,
        apiManagerSourceName=planned.apimanager["metadata"]["name"],
        node_operator=planned.placement.operator,
        node=planned.placement.node,
        file_storage=marks.place(external=external),
        planned_secrets=",".join(planned.saves(SECRET)),
        planned_configmaps=",".join(planned.saves(CONFIGMAP)),
        planned_routes=planned.routes,
    )


_of_part = all_of(
    options.mounted,
    click.option("--apimanager", "name", type=Value(values.OBJECT), required=True, help="Name of the APIManager."),
)


def _planned_option(kind: Kind) -> Callable[[Command], Command]:
    """What must be there still, as `prepare` said it."""
    option = f"--planned-{kind.resource}"
    return click.option(
        option, callback=_names, default="", metavar="NAMES", help="Those that the plan saw: all there."
    )


_planned_routes_option = click.option(
    "--planned-routes",
    "routes",
    type=Value(values.COUNT),
    default=0,
    help="How many hosts of Routes the plan saw: no fewer now.",
)


def _names(_context: click.Context, _option: click.Parameter, told: str) -> list[str]:
    return [name for name in told.split(",") if name]


@backup_phases.command("secrets")
@_of_part
@_planned_option(SECRET)
@click.pass_obj
def backup_secrets(run: Run, claim: str, root: Path, name: str, planned_secrets: list[str]) -> None:
    """Save the Secrets."""
    _part(run, "secrets", claim, root, lambda: _secrets(run.cluster(), root, name, planned_secrets))


@backup_phases.command("configmaps")
@_of_part
@_planned_option(CONFIGMAP)
@click.pass_obj
def backup_configmaps(run: Run, claim: str, root: Path, name: str, planned_configmaps: list[str]) -> None:
    """Save the ConfigMaps."""
    _part(run, "configmaps", claim, root, lambda: _configmaps(run.cluster(), root, name, planned_configmaps))


@backup_phases.command("apimanager")
@_of_part
@_planned_routes_option
@click.pass_obj
def backup_apimanager(run: Run, claim: str, root: Path, name: str, routes: int) -> None:
    """Save the APIManager, and what is ready now."""
    _part(run, "apimanager", claim, root, lambda: apimanager.save(run.cluster(), root, name, planned_routes=routes))


@backup_phases.command("external")
@_of_part
@_planned_option(SECRET)
@_planned_option(CONFIGMAP)
@_planned_routes_option
@click.pass_obj
def backup_external(  # noqa: PLR0913  one argument a workflow parameter
    run: Run,
    claim: str,
    root: Path,
    name: str,
    planned_secrets: list[str],
    planned_configmaps: list[str],
    routes: int,
) -> None:
    """Save all objects of an installation whose files are external: no claim but the backup's is mounted."""
    cluster = run.cluster()
    parts = {
        "secrets": partial(_secrets, cluster, root, name, planned_secrets),
        "configmaps": partial(_configmaps, cluster, root, name, planned_configmaps),
        "apimanager": partial(apimanager.save, cluster, root, name, is_external=True, planned_routes=routes),
    }
    run.output(objects=sum(len(_save_part(run, phase, claim, root, save).objects) for phase, save in parts.items()))


@backup_phases.command("file-storage")
@options.mounted
@click.option("--file-storage", "source", type=FOLDER, required=True, help="Where system-storage is mounted.")
@options.workers()
@click.pass_obj
def backup_file_storage(run: Run, claim: str, root: Path, source: Path, workers: int | None) -> None:
    """Copy the tree of System FileStorage, with a listing."""
    _part(run, "file-storage", claim, root, lambda: file_storage.save(source, root, progress(), workers))


@backup_phases.command("source")
@click.option("--file-storage", "source", type=FOLDER, required=True, help="Where system-storage is mounted.")
@click.pass_obj
def backup_source(run: Run, source: Path) -> None:
    """Say what a plan can't see without the mounted claim: what of it would be passed over."""
    plan = Plan(run.namespace)
    for name, shown in file_storage.snapshots(source).items():
        how = f"passed over in {FILES}, with the {shown} that it shows: {file_storage.OF_SNAPSHOTS}"
        plan.add(Does.WARNING, f"folder {name}", how)
    if plan.lines:
        plan.check()
    else:
        log.info("nothing of %s would be passed over for its name", FILES)
    run.output(names=plan.names)


@backup_phases.command("seal")
@options.mounted
@click.option("--prepared", default="", help="When `prepare` began and ended, for the evidence.")
@click.pass_obj
def backup_seal(run: Run, claim: str, root: Path, prepared: str) -> None:
    """Compare the volume with the phases' reports, write the manifest, mark the claim complete."""
    run.need("seal")
    begin = run.begin(claim)
    cluster = run.cluster()
    with durability.durable(root) as disk:
        state = begin_marker.begin(disk, begin)
        found = backup_claims.find(cluster, claim)
        if state is VolumeState.BEGUN:
            apimanager.check_same(cluster, found)
        sealed = seal.close(
            disk,
            tool_version=__version__,
            begin=begin,
            started=backup_claims.started(found),
            ended=times.now(),
            record=partial(_record, run, claim, prepared),
        )
    verification.check_sealed(found, sealed.digest)
    backup_claims.complete(cluster, found, sealed.manifest, sealed.digest)
    records.forget(run.cluster, "backup", run.workflow.uid)
    facts = sealed.manifest
    run.output(objects=len(facts.objects))
    _output_files(run, facts.file_storage)
    writing.mode_notes()
    log.info("sealed: backup %s, %d objects, %s", facts.backup, len(facts.objects), facts.files)
    log.info("its manifest has SHA-256 %s: kept elsewhere, it tells this backup from another one", sealed.digest)
    run.output(sealed=YES)


def _record(run: Run, claim: str, prepared: str, facts: Manifest, reports: Mapping[str, Report | None]) -> str:
    """The evidence of a backup: its phases but the last have ended, and that one but for its seal."""
    begun = run.record("backup", claim)
    for phase in told_phase("prepare", prepared):
        begun = begun.did(phase)
    return result.text(result.of_backup(begun, facts, reports).did(run.phase("seal"), last=True))


def _secrets(cluster: Cluster, root: Path, name: str, planned: Collection[str]) -> Report:
    found = apimanager.named(cluster, name)
    optional = apimanager.optional_secrets(found)
    saved = secrets.save(cluster, root, optional=optional, named=references.of(found))
    return _all_planned(saved, SECRET, planned, cluster.namespace)


def _configmaps(cluster: Cluster, root: Path, name: str, planned: Collection[str]) -> Report:
    saved = configmaps.save(cluster, root, references.of(apimanager.named(cluster, name)))
    return _all_planned(saved, CONFIGMAP, planned, cluster.namespace)


def _all_planned(saved: Report, kind: Kind, planned: Collection[str], namespace: str) -> Report:
    """The same, if it holds all that the plan saw; one that may be absent may not vanish in between."""
    names = {path.rpartition("/")[2].removesuffix(".json") for path in saved.objects}
    if gone := [name for name in planned if name not in names]:
        raise errors.PlannedGone(kind.name, gone, namespace)
    return saved


def _part(run: Run, phase: str, claim: str, root: Path, save: Callable[[], Report]) -> None:
    """One part of a backup, and what it tells Argo."""
    found = _save_part(run, phase, claim, root, save)
    run.output(objects=len(found.objects))
    _output_files(run, found.file_storage)


def _save_part(run: Run, phase: str, claim: str, root: Path, save: Callable[[], Report]) -> Report:
    """One part of a backup: its data, a sync, its report; a part that is done stays."""
    run.need(phase)
    began = times.now()
    with durability.durable(root) as disk:
        state = begin_marker.begin(disk, run.begin(claim))
        found = manifest.reported(root, phase)
        if found:
            log.info("%s: nothing to do, it is done", phase)
        elif state is VolumeState.SEALED:
            raise errors.VolumeTaken(f"a {layout.MANIFEST}, though {phase} has not reported")
        else:
            saved = save()
            notes = (*saved.notes, *writing.mode_notes())
            found = saved.model_copy(update={"began": began, "ended": times.now(), "notes": notes})
            manifest.report(disk, phase, found)
    log.info("%s: done", phase)
    return found


def _output_files(run: Run, facts: FileTree | None) -> None:
    if facts:
        run.output(files=facts.files, bytes=facts.size_bytes)
