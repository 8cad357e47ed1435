"""The commands about backups: those of a namespace or a repository, and the record of a run."""

import sys
from contextlib import nullcontext
from pathlib import Path

import click

from steps.contract import values
from steps.phases.command_line import NamedPath, Value
from workflows.commands import printing
from workflows.commands.options import DeclaredCommand, Where, at_cluster, output_option, refuse
from workflows.commands.repository_options import PersonsRepository, at_cluster_or_repository

_OF_A_LIST = ("table", "wide", "json", "yaml", "name")
_LARGEST_BYTES = 16 << 20  # of a record; of a larger file only the start is read, which is no valid record


@click.command("list")
@at_cluster_or_repository
@output_option(
    *_OF_A_LIST,
    about="Print the list in this format. `wide` is a table with more columns, such as the digests of the manifests.",
)
def list_backups(where: Where, repository: PersonsRepository | None, output: str) -> None:
    """List the backups of a namespace or of a repository with their state, the newest first."""
    from steps.catalogue import catalogue
    from workflows.commands import listing

    if repository:
        _list_snapshots(repository, output)
        return
    entries = catalogue.read(where.connect())
    click.echo(
        listing.of_all([printing.shown(entry.as_json(), output) for entry in entries], output, where.namespace),
        nl=False,
    )


def _list_snapshots(repository: PersonsRepository, output: str) -> None:
    from steps.repository import snapshots
    from workflows.commands import snapshot_listing

    with repository.opened() as opened:
        found, name = snapshots.every(opened.restic), opened.restic.store.name
    entries = [printing.shown(snapshot_listing.facts(each), output) for each in found]
    click.echo(snapshot_listing.of_all(entries, output, name), nl=False)


@click.command(cls=DeclaredCommand, declared="watchdog_contract.WatchdogArguments")
@at_cluster
def check(where: Where, max_age: str, schedule: str, pushed_max_age: str, repositories: str, lock_warning: str) -> None:
    """Check that the newest backup is not too old. Exit code 1 means that it is too old or missing."""
    from datetime import UTC, datetime

    from steps import errors
    from steps.catalogue.durations import Duration
    from steps.phases import watchdog

    limit = Duration.read(max_age, "--max-age")
    pushed_limit = Duration.read(pushed_max_age, "--pushed-max-age") if pushed_max_age else None
    warning = Duration.read(lock_warning, "--lock-warning") if lock_warning else None
    seen = watchdog.look(where.connect(), schedule, datetime.now(UTC), repositories)
    newest = seen.check(limit, max_age)
    seen.check_copies(pushed_limit, pushed_max_age)
    seen.check_locks(warning, lock_warning)
    click.echo(errors.printable(seen.well(newest)))


@click.command()
@click.argument("name", type=Value(values.CLAIM), metavar="NAME")
@at_cluster_or_repository
@output_option("text", "json", "yaml")
def describe(name: str, where: Where, repository: PersonsRepository | None, output: str) -> None:
    """Show all facts about the backup NAME, and its result record if the namespace holds one.

    In a repository, NAME is also the ID of a snapshot or `latest`.
    """
    from steps.catalogue import catalogue
    from steps.evidence import records
    from workflows.commands import listing

    if repository:
        _describe_snapshot(name, repository, output)
        return
    cluster = where.connect()
    entry = catalogue.find(catalogue.read(cluster), name, where.namespace)
    record = records.find(cluster, "backup", entry.workflow_uid)
    facts = record.model_dump(mode="json") if record else None
    click.echo(listing.of_one(printing.shown(entry.as_json(), output), printing.shown(facts, output), output), nl=False)


def _describe_snapshot(name: str, repository: PersonsRepository, output: str) -> None:
    from steps.repository import download, snapshots
    from workflows.commands import snapshot_listing

    with repository.opened() as opened:
        store = opened.restic.store.name
        chosen = download.choose(snapshots.every(opened.restic), name, "", store)
        manifest = download.read(opened.restic, chosen).manifest
    entry = printing.shown(snapshot_listing.facts(chosen), output)
    facts = printing.shown(snapshot_listing.of_manifest(manifest), output)
    click.echo(snapshot_listing.of_one(entry, facts, output, store), nl=False)


@click.command()
@click.argument("name", type=Value(values.CLAIM), metavar="NAME")
@at_cluster
def pin(name: str, where: Where) -> None:
    """Protect the backup NAME from deletion by retention."""
    _pin(name, where, pinned=True)


@click.command()
@click.argument("name", type=Value(values.CLAIM), metavar="NAME")
@at_cluster
def unpin(name: str, where: Where) -> None:
    """Allow retention to delete the backup NAME again."""
    _pin(name, where, pinned=False)


def _pin(name: str, where: Where, *, pinned: bool) -> None:
    from steps.catalogue import catalogue

    entry = catalogue.pin(where.connect(), name, pinned=pinned)
    click.echo(f"{entry.name}: {'pinned, retention keeps it' if entry.pinned else 'unpinned, retention may delete it'}")


@click.command()
@click.argument("file", type=NamedPath(path_type=Path, allow_dash=True))
@click.option(
    "--output",
    type=NamedPath(path_type=Path),
    metavar="FILE",
    help="Write the page to this file. By default the page is printed.",
)
def report(file: Path, output: Path | None) -> None:
    """Write an HTML page about the result record in FILE. Use `-` to read the record from stdin."""
    from steps import errors
    from steps.evidence import result
    from workflows.commands import page

    if str(file) == "-" and sys.stdin is None:
        refuse("stdin is closed. Name a file")
    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as stream:
            record = result.parse(stream.read(_LARGEST_BYTES))
    except OSError as error:
        refuse(f"can't read {file}: {error.strerror}")
    except errors.NoResult as error:
        refuse(f"{file}: {error}")
    text = page.render(printing.printable(record.model_dump()))
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        refuse(f"can't write to {output}: {error.strerror}")
