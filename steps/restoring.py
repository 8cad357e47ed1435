"""The phases of a restore as commands, in their order."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from steps import (
    apimanager,
    backup,
    claims,
    configmaps,
    errors,
    evidence,
    file_storage,
    installation,
    marks,
    prerequisites,
    result,
    routes,
    secrets,
)
from steps.backup import Backup
from steps.cluster import Cluster, Object
from steps.objects import Comparison
from steps.result import Counts, Done, Line, Phase, Result
from steps.run import (
    FOLDER,
    Function,
    Run,
    backup_option,
    claim_option,
    claim_wait_option,
    progress,
    told_phase,
    workers_option,
)
from steps.secrets import Databases
from steps.system_storage import Asked
from steps.tree import Tally

log = logging.getLogger(__name__)


def _ready_option(*, told: bool = True) -> Callable[[Function], Function]:
    """What to wait for; `told` as in `workers_option`."""
    names = click.Choice(["as-before", "available", "deployments"])
    return click.option("--ready", type=names, default="as-before", expose_value=told, help="What to wait for.")


def _wait_minutes_option(*, told: bool = True) -> Callable[[Function], Function]:
    return click.option(
        "--wait-minutes",
        type=click.FloatRange(0, 120),
        default=60,
        show_default=True,
        expose_value=told,
        help="Limit of each wait.",
    )


_domain_option = click.option("--wildcard-domain", default="", help="Another than the backup's; empty: as it was.")


def _databases_options(function: Function) -> Function:
    """The Secrets of the databases: expected, or restored."""
    names = click.Choice(["expect", "restore"])
    for option in (
        click.option("--database-overrides", default="", help="A Secret whose keys SECRET.KEY replace the backup's."),
        click.option("--database-secrets", type=names, default="expect", help="Whether they must be there before."),
    ):
        function = option(function)
    return function


def _databases(database_secrets: str, database_overrides: str) -> Databases:
    restored = database_secrets == "restore"
    if database_overrides and not restored:
        raise errors.OverridesWithoutRestore
    return Databases(restored, database_overrides)


@click.group("restore")
def restore_phases() -> None:
    """Phases of a restore, in their order."""


@restore_phases.command("check")
@claim_option
@_databases_options
@claim_wait_option
@click.pass_obj
def restore_check(run: Run, claim: str, database_secrets: str, database_overrides: str, claim_wait_s: float) -> None:
    """Check what can be checked without the backup."""
    databases = _databases(database_secrets, database_overrides)
    prerequisites.check_restore(
        run.cluster(), claim, run.workflow, claim_wait_s, databases=databases, last_try=run.last_try
    )
    run.tell_times("checked")
    log.info("checked: claim %s can be mounted, nothing of 3scale stands in the way", claim)


@restore_phases.command("prepare")
@claim_option
@backup_option
@click.option("--storage-class", default="", help="Class of the new system-storage; empty: as it was.")
@click.option("--access-mode", default="", help="Its access mode; empty: as it was.")
@click.option("--storage-request", default="", help="Its size; empty: as it was, or as the data need.")
@click.option("--threescale-version", default="", help="3scale's major.minor, where the operator's can't be read.")
@_domain_option
@_databases_options
@workers_option(told=False)
@_ready_option(told=False)
@_wait_minutes_option(told=False)
@claim_wait_option
@click.option("--checked", default="", help="When `check` began and ended, for the evidence.")
@click.pass_obj
def restore_prepare(  # noqa: PLR0913  one argument a workflow parameter
    run: Run,
    claim: str,
    root: Path,
    storage_class: str,
    access_mode: str,
    storage_request: str,
    threescale_version: str,
    wildcard_domain: str,
    database_secrets: str,
    database_overrides: str,
    claim_wait_s: float,
    checked: str,
) -> None:
    """Check the backup and all that is there already, then create system-storage."""
    restore = _open(run, root, claim, wildcard_domain)
    opened, cluster = restore.backup, restore.cluster
    asked = Asked(storage_class, access_mode, storage_request)
    databases = _databases(database_secrets, database_overrides)
    made = prerequisites.prepare_restore(
        cluster, opened, asked, threescale_version, databases=databases, last_try=run.last_try
    )
    if not opened.external:
        claims.wait_for_volume(cluster, installation.SYSTEM_STORAGE, claim_wait_s)
    run.output(file_storage=marks.place(external=bool(opened.external)))
    log.info("prepared: backup %s is whole", opened.name)
    restore.note("prepare", lambda: made, before=told_phase("check", checked))


@restore_phases.command("file-storage")
@claim_option
@backup_option
@click.option("--file-storage", "target", type=FOLDER, required=True, help="Where system-storage is mounted.")
@workers_option()
@click.pass_obj
def restore_file_storage(run: Run, claim: str, root: Path, target: Path, workers: int | None) -> None:
    """Fill system-storage, every byte checked."""
    restore = _open(run, root, claim)
    if restore.done():
        restore.note("file-storage")
        return
    tally = file_storage.restore(restore.cluster, restore.backup, target, progress(), workers)
    run.output(files=tally.files if tally else 0, bytes=tally.size_bytes if tally else 0)
    restore.note("file-storage", counts=_counts(tally) if tally else None)


@restore_phases.command("secrets")
@claim_option
@backup_option
@_domain_option
@_databases_options
@click.pass_obj
def restore_secrets(
    run: Run, claim: str, root: Path, wildcard_domain: str, database_secrets: str, database_overrides: str
) -> None:
    """Create the Secrets; the three of the databases are the user's, unless told otherwise."""
    databases = _databases(database_secrets, database_overrides)
    restore_all = partial(secrets.restore, databases=databases)
    _restore_objects(_open(run, root, claim, wildcard_domain), "secrets", secrets.to_restore, restore_all)


@restore_phases.command("configmaps")
@claim_option
@backup_option
@_domain_option
@click.pass_obj
def restore_configmaps(run: Run, claim: str, root: Path, wildcard_domain: str) -> None:
    """Create the ConfigMaps."""
    restore = _open(run, root, claim, wildcard_domain)
    _restore_objects(restore, "configmaps", configmaps.to_restore, configmaps.restore)


@restore_phases.command("apimanager")
@claim_option
@backup_option
@_domain_option
@click.pass_obj
def restore_apimanager(run: Run, claim: str, root: Path, wildcard_domain: str) -> None:
    """Create the APIManager, the last of all objects."""
    restore = _open(run, root, claim, wildcard_domain)
    created = apimanager.restore(restore.cluster, restore.backup)
    run.output(created=int(created))
    done = result.CREATED if created else result.KEPT
    restore.note("apimanager", lambda: [_line(restore.backup.apimanager, done)])


@restore_phases.command("routes")
@claim_option
@backup_option
@_ready_option()
@_wait_minutes_option()
@_domain_option
@click.option("--look-s", type=float, default=5.0, show_default=True, help="Pause between two looks.")
@click.pass_obj
def restore_routes(  # noqa: PLR0913  one argument a workflow parameter
    run: Run, claim: str, root: Path, ready: str, wait_minutes: float, wildcard_domain: str, look_s: float
) -> None:
    """Have Zync make the Routes, and wait until 3scale is ready."""
    restore = _open(run, root, claim, wildcard_domain)
    opened, cluster = restore.backup, restore.cluster
    patience = routes.Patience(wait_minutes, look_s)
    routes.resync(cluster, opened, patience)
    if opened.move:
        log.info(opened.move.left_to_do)
    routes.wait(cluster, opened, ready, patience)
    restore.note("routes", last=True)


class Restore(NamedTuple):
    """What a phase restores, and where; it notes what it did when that is done."""

    run: Run
    claim: str
    backup: Backup
    cluster: Cluster

    def done(self) -> bool:
        """Whether a restore of this backup has come as far as the APIManager; what it uses is then its own."""
        done = apimanager.present(self.cluster, self.backup.mark) is not None
        if done:
            log.info("kept: this backup's restore made the APIManager already")
        return done

    def note(
        self,
        phase: str,
        lines: Callable[[], list[Line]] = list,
        *,
        counts: Counts | None = None,
        before: Iterable[Phase] = (),
        last: bool = False,
    ) -> None:
        """Add this phase to the evidence of its workflow, and those `before` it that could not.

        It never fails, so whatever it must look at for that is looked at where nothing can.
        """
        ended = self.run.phase(phase, counts)

        def change(found: Result) -> Result:
            known = found.model_copy(update=_facts(self.backup))
            for each in before:
                known = known.did(each)
            return known.did(ended, lines(), last=last)

        evidence.note(self.run.cluster, self.run.record("restore", self.claim), change)


def _restore_objects(
    restore: Restore, phase: str, saved: Callable[[Backup], list[Object]], restore_all: Callable[..., Comparison]
) -> None:
    opened, cluster = restore.backup, restore.cluster
    if restore.done():
        restore.note(phase, lambda: [_line(obj, result.UNTOUCHED) for obj in saved(opened)])
        return
    last_try = restore.run.last_try
    found = restore_all(cluster, opened, prerequisites.living(cluster), opened.mark, last_try=last_try)
    restore.run.output(created=len(found.absent), kept=len(found.same))
    restore.note(phase, lambda: [*(_line(obj, result.CREATED) for obj in found.absent), *map(_kept, found.same)])


def _facts(opened: Backup) -> dict[str, str]:
    """What a backup says of itself, for the evidence."""
    return {
        "backup": opened.name,
        "manifest_sha256": opened.digest,
        "apimanager": opened.apimanager["metadata"]["name"],
        "threescale_version": opened.threescale_version,
        "file_storage": str(opened.external or "PersistentVolumeClaim"),
    }


def _line(obj: Object, done: Done) -> Line:
    return Line(kind=obj["kind"], name=obj["metadata"]["name"], done=done)


def _kept(name: str) -> Line:
    kind, _, own = name.partition(" ")
    return Line(kind=kind, name=own, done=result.KEPT)


def _counts(tally: Tally) -> Counts:
    return {"files": tally.files, "folders": tally.folders, "links": tally.links, "bytes": tally.size_bytes}


def _open(run: Run, root: Path, claim: str, wildcard_domain: str = "") -> Restore:
    opened = backup.open_at(root, claim)
    if opened.manifest is None:
        log.info("claim %s holds a backup that the operator made", claim)
    return Restore(run, claim, opened.under(wildcard_domain), run.cluster())
