"""The commands about a repository of copies, for people."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steps.contract import values
from steps.contract.value_kinds import Like
from steps.phases.command_line import Value
from workflows.commands.options import Where, at_cluster, refuse
from workflows.commands.repository_options import PersonsRepository, at_repository, privately_opened

if TYPE_CHECKING:
    from steps.kubernetes.cluster import Cluster
    from steps.repository.snapshots import Snapshot
    from steps.restic.store import Store

_ORIGIN = Like(r"[0-9a-f]{16}", "not an origin: write the 16 characters of 0-9 and a-f that the snapshots have as host")
_FILES = {"RESTIC_PASSWORD": "RESTIC_PASSWORD_FILE", "RESTIC_REPOSITORY": "RESTIC_REPOSITORY_FILE"}


@click.group()
def repository() -> None:
    """Work with the copies of backups in a restic repository."""


@repository.command()
@click.argument("origin", type=Value(_ORIGIN), metavar="ORIGIN")
@at_cluster
@click.option(
    "--repository",
    "name",
    type=Value(values.SECRET),
    metavar="SECRET",
    help="Name the repository of this Secret in the plan. Without RESTIC_REPOSITORY, its ledger is read.",
)
@click.option("--yes", is_flag=True, help="Adopt the origin after the plan without a question.")
def adopt(origin: str, where: Where, name: str | None, *, yes: bool) -> None:
    """Give the snapshots of another installation, the ORIGIN, to the retention of this one.

    The repository is read if RESTIC_REPOSITORY and RESTIC_PASSWORD or RESTIC_PASSWORD_FILE are in the environment.
    """
    from steps import errors
    from steps.repository import origin as origins

    cluster = where.connect()
    if origin == origins.known(cluster):
        raise errors.NothingToAdopt(origin, f"it is the origin of namespace {where.namespace} itself")
    if origin in origins.adopted(cluster):
        click.echo(f"origin {origin}: adopted already, nothing is changed")
        return
    for line in _plan(cluster, origin, name):
        click.echo(errors.printable(line))
    if not yes and not click.confirm("Adopt this origin?"):
        refuse(f"origin {origin} is not adopted, nothing is changed")
    origins.adopt(cluster, origin)
    click.echo(f"origin {origin}: adopted by namespace {where.namespace}")


@repository.command()
@click.argument("name", type=Value(values.SNAPSHOT), metavar="BACKUP")
@at_repository
def objects(name: str, repository: PersonsRepository) -> None:
    """Print the keys of the objects of the store that BACKUP needs, one on each line.

    BACKUP is a name, the ID of a snapshot, or `latest`. Without these objects it can't be restored, so extend their
    locks. For a store that is not S3, the paths begin at the root of the repository.
    """
    from steps import errors
    from steps.repository import download, needed, snapshots

    with repository.opened() as opened:
        store = opened.restic.store
        chosen = download.choose(snapshots.every(opened.restic), name, "", store.name)
        for place in needed.objects(opened.restic, chosen):
            click.echo(errors.printable(f"{store.prefix}{place}"))


def _plan(cluster: "Cluster", origin: str, name: str | None) -> Iterator[str]:
    """Yield what the adoption would mean.

    Raises:
        errors.NothingToAdopt: the repository was read and has no such snapshots.

    """
    from steps import errors
    from steps.repository import ledger, snapshots

    if _value("RESTIC_REPOSITORY"):
        with privately_opened(_store(name or "repository")) as opened:
            found = [each for each in snapshots.every(opened.restic) if each.origin == origin]
        if not found:
            raise errors.NothingToAdopt(origin, f"repository {name or 'of the environment'} has no snapshot of it")
        yield from _facts(found)
    else:
        yield f"the snapshots of {origin} are unknown, because RESTIC_REPOSITORY is not set and the repository not read"
        if name:
            yield f"the ledger of repository {name} knows {len(ledger.read(cluster, name).snapshots)} snapshots in all"
    yield f"retention of namespace {cluster.namespace} will forget snapshots of {origin} by its own rules"
    yield "see before what goes: argo submit --from workflowtemplate/threescale-prune -p plan=only"


def _facts(found: "Sequence[Snapshot]") -> Iterator[str]:
    """Yield the snapshots by their namespaces and APIManagers."""
    groups: dict[str, list[Snapshot]] = {}
    for each in found:
        groups.setdefault(f"{each.namespace or '?'}/{each.apimanager or '?'}", []).append(each)
    for told, every in groups.items():
        added = sum(each.added_bytes or 0 for each in every)
        dates = f"{every[-1].started:%Y-%m-%d} to {every[0].started:%Y-%m-%d}"
        yield f"{told}: {len(every)} snapshots of {dates}, which added {added} bytes"


def _store(name: str) -> "Store":
    """Return the repository that the environment describes by the keys of a Secret.

    Raises:
        errors.BadRepository

    """
    from steps.restic.store import KEYS, Store

    return Store(name, {key: value for key in KEYS if (value := _value(key))}).checked()


def _value(key: str) -> str:
    """Return a variable, or the content of the file that another variable names."""
    file = os.environ.get(_FILES.get(key, ""), "")
    file = file or (os.environ.get(key, "") if key == "GOOGLE_APPLICATION_CREDENTIALS" else "")
    if not file:
        return os.environ.get(key, "")
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"can't read {file}, the file of {key}: {getattr(error, 'strerror', None) or 'it is not text'}")
