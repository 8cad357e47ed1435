"""The command that fetches a backup, or files of it, out of a repository into a folder of a person."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steps.contract import values
from steps.phases.command_line import Value
from workflows.commands.options import FOLDER
from workflows.commands.repository_options import Opened, PersonsRepository, at_repository

if TYPE_CHECKING:
    from steps.repository.snapshots import Snapshot


@click.command()
@click.argument("name", type=Value(values.SNAPSHOT), metavar="BACKUP")
@click.option(
    "--include",
    multiple=True,
    metavar="PATH",
    help="Fetch only this file or folder of the backup, such as `secrets/system-app.json`. The path begins at the root "
    "of the backup, and signs such as `*` stand for themselves.",
)
@click.option(
    "--to",
    "folder",
    type=FOLDER,
    required=True,
    metavar="DIR",
    help="Write to this new or empty folder. A fetch that was interrupted is resumed there.",
)
@at_repository
def fetch(name: str, include: tuple[str, ...], folder: Path, repository: PersonsRepository) -> None:
    """Fetch BACKUP out of a restic repository into a folder, without a cluster.

    BACKUP is a name, the ID of a snapshot, or `latest`. Fetched objects and files of System are compared with
    their digests. The folder then holds credentials in clear.
    """
    from steps import errors
    from steps.repository import download, excerpt, snapshots

    wanted = excerpt.paths(include)
    _check_free(folder)
    with repository.opened() as opened:
        store = opened.restic.store.name
        chosen = download.choose(snapshots.every(opened.restic), name, "", store)
        excerpt.check(opened.restic, chosen, wanted)
        mark = _begin(folder, [chosen.id, *wanted])
        told = _excerpt(opened, chosen, wanted, folder) if wanted else _whole(opened, chosen, folder)
    mark.unlink()
    click.echo(errors.printable(f"fetched: backup {chosen.backup}, snapshot {chosen.id[:8]}, to {folder}: {told}"))


def _whole(opened: Opened, chosen: "Snapshot", folder: Path) -> str:
    from steps.phases.progress import progress
    from steps.repository import download

    found = download.download(opened.restic, chosen, folder, progress())
    return f"whole, {found.facts.files}"


def _excerpt(opened: Opened, chosen: "Snapshot", wanted: Sequence[str], folder: Path) -> str:
    from steps.phases.progress import progress
    from steps.repository import excerpt

    agreed = excerpt.fetch(opened.restic, chosen, wanted, folder, opened.scratch, progress())
    return f"{agreed.files} files, {agreed.size_bytes} bytes agree with their digests"


def _marker(folder: Path) -> Path:
    """Return the file that a folder holds while it is being filled."""
    from steps.files import volume

    return folder / f"{volume.TEMPORARY}fetch"


def _check_free(folder: Path) -> None:
    """Refuse a folder that holds anything else than an interrupted fetch, before a repository is asked."""
    from steps import errors

    if folder.is_dir() and os.listdir(folder) and not _marker(folder).is_file():
        raise errors.FolderTaken(str(folder))


def _begin(folder: Path, facts: Iterable[str]) -> Path:
    """Make the folder, for its owner alone, and mark what is fetched to it. Returns the mark.

    Raises:
        errors.FolderTaken: it holds an interrupted fetch of something else.
        errors.FolderUnusable

    """
    from steps import errors

    mark, text = _marker(folder), "\n".join(facts).encode(errors="surrogateescape")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if mark.is_file() and mark.read_bytes() != text:
            raise errors.FolderTaken(str(folder))
        mark.write_bytes(text)
    except OSError as error:
        raise errors.FolderUnusable(str(folder), error.strerror or str(error)) from error
    return mark
