"""The phases of a restore as commands, in their order."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from steps import (
    apimanager,
    backup,
    claims,
    configmaps,
    errors,
    file_storage,
    installation,
    marks,
    prerequisites,
    routes,
    secrets,
)
from steps.backup import Backup
from steps.cluster import Cluster
from steps.objects import Comparison
from steps.run import FOLDER, Function, Run, backup_option, claim_option, claim_wait_option, progress, workers_option
from steps.secrets import Databases
from steps.system_storage import Asked

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
) -> None:
    """Check the backup and all that is there already, then create system-storage."""
    opened = _open(root, claim, wildcard_domain)
    asked = Asked(storage_class, access_mode, storage_request)
    cluster = run.cluster()
    databases = _databases(database_secrets, database_overrides)
    prerequisites.prepare_restore(
        cluster, opened, asked, threescale_version, databases=databases, last_try=run.last_try
    )
    if not opened.external:
        claims.wait_for_volume(cluster, installation.SYSTEM_STORAGE, claim_wait_s)
    run.output(file_storage=marks.place(external=bool(opened.external)))
    log.info("prepared: backup %s is whole", opened.name)


@restore_phases.command("file-storage")
@claim_option
@backup_option
@click.option("--file-storage", "target", type=FOLDER, required=True, help="Where system-storage is mounted.")
@workers_option()
@click.pass_obj
def restore_file_storage(run: Run, claim: str, root: Path, target: Path, workers: int | None) -> None:
    """Fill system-storage, every byte checked."""
    opened = _open(root, claim)
    cluster = run.cluster()
    if _done(cluster, opened):
        return
    tally = file_storage.restore(cluster, opened, target, progress(), workers)
    run.output(files=tally.files if tally else 0, bytes=tally.size_bytes if tally else 0)


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
    _restore_objects(run, _open(root, claim, wildcard_domain), partial(secrets.restore, databases=databases))


@restore_phases.command("configmaps")
@claim_option
@backup_option
@_domain_option
@click.pass_obj
def restore_configmaps(run: Run, claim: str, root: Path, wildcard_domain: str) -> None:
    """Create the ConfigMaps."""
    _restore_objects(run, _open(root, claim, wildcard_domain), configmaps.restore)


@restore_phases.command("apimanager")
@claim_option
@backup_option
@_domain_option
@click.pass_obj
def restore_apimanager(run: Run, claim: str, root: Path, wildcard_domain: str) -> None:
    """Create the APIManager, the last of all objects."""
    created = apimanager.restore(run.cluster(), _open(root, claim, wildcard_domain))
    run.output(created=int(created))


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
    opened = _open(root, claim, wildcard_domain)
    cluster = run.cluster()
    patience = routes.Patience(wait_minutes, look_s)
    routes.resync(cluster, opened, patience)
    if opened.move:
        log.info(opened.move.left_to_do)
    routes.wait(cluster, opened, ready, patience)


def _restore_objects(run: Run, opened: Backup, restore_all: Callable[..., Comparison]) -> None:
    cluster = run.cluster()
    if _done(cluster, opened):
        return
    result = restore_all(cluster, opened, prerequisites.living(cluster), opened.mark, last_try=run.last_try)
    run.output(created=len(result.absent), kept=len(result.same))


def _done(cluster: Cluster, opened: Backup) -> bool:
    """Whether a restore of this backup has come as far as the APIManager; what it uses is then its own."""
    done = apimanager.present(cluster, opened.mark) is not None
    if done:
        log.info("kept: this backup's restore made the APIManager already")
    return done


def _open(root: Path, claim: str, wildcard_domain: str = "") -> Backup:
    opened = backup.open_at(root, claim)
    if opened.manifest is None:
        log.info("claim %s holds a backup that the operator made", claim)
    return opened.under(wildcard_domain)
