"""The phases of a backup as commands, in their order."""

import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from steps import (
    __version__,
    apimanager,
    backup_plan,
    claims,
    configmaps,
    errors,
    evidence,
    file_storage,
    manifest,
    marks,
    references,
    result,
    seal,
    secrets,
    values,
    verification,
    volume,
)
from steps.claims import Wanted
from steps.cluster import Cluster
from steps.installation import CONFIGMAP, SECRET, Kind
from steps.manifest import FileTree, Manifest, Report
from steps.plan import FILES, Does, Plan
from steps.run import (
    FOLDER,
    Run,
    backup_option,
    claim_option,
    claim_wait_option,
    plan_option,
    progress,
    told_phase,
    workers_option,
)
from steps.values import NO, YES

log = logging.getLogger(__name__)


Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("backup")
def backup_phases() -> None:
    """Phases of a backup, in their order."""


@backup_phases.command("prepare")
@click.option(
    "--name", type=values.OrNothing(values.BACKUP), required=True, help="Name of the backup; empty: the workflow's."
)
@click.option("--storage-request", type=values.SIZE, required=True, help="Size of its claim.")
@click.option(
    "--storage-class", type=values.OrNothing(values.STORAGE_CLASS), default="", help="Empty: the cluster's default."
)
@click.option("--volume-name", type=values.OrNothing(values.VOLUME), default="", help="An existing PersistentVolume.")
@click.option("--file-storage", type=click.Choice(["", marks.EXTERNAL]), default="", help="external: in S3, not saved.")
@click.option(
    "--schedule",
    type=values.OrNothing(values.CRON_WORKFLOW),
    default="",
    help="The CronWorkflow that asks for it; empty: a person.",
)
@workers_option(told=False)
@plan_option("backup")
@claim_wait_option
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
    external = file_storage == marks.EXTERNAL
    called = name if plan_only else name or run.workflow.name
    wanted = Wanted(called, storage_request, storage_class, volume_name, external, schedule)
    planned = backup_plan.of(cluster, wanted, run.workflow)
    run.output(digest=planned.plan.digest, summary=planned.plan.summary, names=planned.plan.names)
    if plan_only:
        planned.plan.check()
    else:
        backup_plan.prepare(cluster, planned, wanted, run.workflow)
        claims.wait_for_volume(cluster, wanted.name, claim_wait_s)
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


_apimanager_option = click.option(
    "--apimanager", "name", type=values.OBJECT, required=True, help="Name of the APIManager."
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
    type=values.COUNT,
    default=0,
    help="How many hosts of Routes the plan saw: no fewer now.",
)


def _names(_context: click.Context, _option: click.Parameter, told: str) -> list[str]:
    return [name for name in told.split(",") if name]


@backup_phases.command("secrets")
@claim_option
@backup_option
@_apimanager_option
@_planned_option(SECRET)
@click.pass_obj
def backup_secrets(run: Run, claim: str, root: Path, name: str, planned_secrets: list[str]) -> None:
    """Save the Secrets."""
    _part(run, "secrets", claim, root, lambda: _secrets(run.cluster(), root, name, planned_secrets))


@backup_phases.command("configmaps")
@claim_option
@backup_option
@_apimanager_option
@_planned_option(CONFIGMAP)
@click.pass_obj
def backup_configmaps(run: Run, claim: str, root: Path, name: str, planned_configmaps: list[str]) -> None:
    """Save the ConfigMaps."""
    _part(run, "configmaps", claim, root, lambda: _configmaps(run.cluster(), root, name, planned_configmaps))


@backup_phases.command("apimanager")
@claim_option
@backup_option
@_apimanager_option
@_planned_routes_option
@click.pass_obj
def backup_apimanager(run: Run, claim: str, root: Path, name: str, routes: int) -> None:
    """Save the APIManager, and what is ready now."""
    _part(run, "apimanager", claim, root, lambda: apimanager.save(run.cluster(), root, name, planned_routes=routes))


@backup_phases.command("external")
@claim_option
@backup_option
@_apimanager_option
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
@claim_option
@backup_option
@click.option("--file-storage", "source", type=FOLDER, required=True, help="Where system-storage is mounted.")
@workers_option()
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
@claim_option
@backup_option
@click.option("--prepared", default="", help="When `prepare` began and ended, for the evidence.")
@click.pass_obj
def backup_seal(run: Run, claim: str, root: Path, prepared: str) -> None:
    """Compare the volume with the phases' reports, write the manifest, mark the claim complete."""
    run.need("seal")
    begin = run.begin(claim)
    cluster = run.cluster()
    with volume.durable(root) as disk:
        state = volume.begin(disk, begin)
        found = claims.find(cluster, claim)
        if state is volume.State.BEGUN:
            apimanager.check_same(cluster, found)
        sealed = seal.close(
            disk,
            tool_version=__version__,
            begin=begin,
            started=claims.started(found),
            ended=result.now(),
            record=partial(_record, run, claim, prepared),
        )
    verification.check_sealed(found, sealed.digest)
    claims.complete(cluster, found, sealed.manifest, sealed.digest)
    evidence.forget(run.cluster, "backup", run.workflow.uid)
    facts = sealed.manifest
    run.output(objects=len(facts.objects))
    _output_files(run, facts.file_storage)
    volume.mode_notes()
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
    began = result.now()
    with volume.durable(root) as disk:
        state = volume.begin(disk, run.begin(claim))
        found = manifest.reported(root, phase)
        if found:
            log.info("%s: nothing to do, it is done", phase)
        elif state is volume.State.SEALED:
            raise errors.VolumeTaken(f"a {volume.MANIFEST}, though {phase} has not reported")
        else:
            saved = save()
            notes = (*saved.notes, *volume.mode_notes())
            found = saved.model_copy(update={"began": began, "ended": result.now(), "notes": notes})
            manifest.report(disk, phase, found)
    log.info("%s: done", phase)
    return found


def _output_files(run: Run, facts: FileTree | None) -> None:
    if facts:
        run.output(files=facts.files, bytes=facts.size_bytes)
