"""The command that reads every byte of a backup: in a folder, or in a repository without a cluster."""

import sys
from pathlib import Path
from typing import Any

import click

from steps.contract import values
from steps.phases.command_line import Value
from workflows.commands.options import FOLDER, refuse
from workflows.commands.repository_options import Opened, PersonsRepository, instead_of_folder

_LATEST = "latest"  # of `steps.contract.fetch_contract`, which imports pydantic


@click.command()
@click.argument("place", required=False, metavar="DIR|BACKUP")
@click.option(
    "--for-operator",
    is_flag=True,
    help="Check also whether the operator's APIManagerRestore could restore this backup. "
    "If it could not, the exit code is 1.",
)
@instead_of_folder
def verify(place: str | None, repository: PersonsRepository | None, *, for_operator: bool) -> None:
    """Check every byte of the backup in the folder DIR, a mounted or copied volume.

    With `--repository`, the BACKUP in a repository is read instead, without a cluster. BACKUP is a name, the ID of a
    snapshot, or `latest`, the default.

    Exit code 1 means that the backup is damaged, incomplete or can't be read.
    """
    if repository is None:
        whole = _folder(_read_as(FOLDER, place), for_operator=for_operator)
    elif for_operator:
        raise click.UsageError("--for-operator needs DIR. Fetch the backup out of the repository first.")
    else:
        name = _read_as(Value(values.SNAPSHOT), _LATEST if place is None else place)
        with repository.opened() as opened:
            whole = of_repository(opened, name)
    sys.exit(0 if whole else 1)


def _read_as(kind: Any, text: str | None) -> Any:
    """Read the argument of the command, which is of another kind with `--repository`."""
    context = click.get_current_context()
    argument = next(each for each in context.command.params if each.name == "place")
    if text is None:
        raise click.MissingParameter("Name a folder, or a repository by --repository.", param=argument)
    return kind.convert(text, argument, context)


def _folder(folder: Path, *, for_operator: bool) -> bool:
    """Check a folder, print what is found, and return whether nothing is wrong."""
    from steps import errors
    from steps.archive import contents, operators_restore

    try:
        opened = contents.open_at(folder)
        findings = list(opened.findings(digests=True))
        strangers = errors.Few.of(map(repr, opened.strangers))
        objections = list(operators_restore.objections(opened)) if for_operator else []
        left = [repr(path) for path in operators_restore.left_behind(opened)] if for_operator else []
    except errors.PhaseError as error:
        refuse(f"{folder}: {error}")
    for finding in findings:
        click.echo(errors.printable(finding))
    if opened.manifest is None:
        maker = "made by the operator, without digests, so only checked that everything exists and can be read"
    else:
        maker = (
            f"backup {opened.name} of 3scale {opened.manifest.source.threescale_version or '(version not recorded)'}"
        )
    here = f"{opened.counts.entries} entries, {opened.size_bytes} bytes"
    files = f"file-storage: {opened.external}" if opened.external else here
    click.echo(errors.printable(f"{'NOT whole' if findings else 'whole'}: {maker}, {files}"))
    if strangers:
        click.echo(errors.printable(f"not part of the backup, skipped by a restore: {strangers}"))
    for objection in objections:
        click.echo(errors.printable(f"the operator's APIManagerRestore can't restore this backup: {objection}"))
    if for_operator and not objections and not findings:
        click.echo(
            f"the operator's APIManagerRestore can restore this backup{', without ' if left else ''}{', '.join(left)}"
        )
    return not findings and not objections


def of_repository(opened: Opened, name: str) -> bool:
    """Read a backup in a repository, print what is wrong with it, and return whether it is whole.

    `name`: of the backup, the ID of its snapshot, or `latest`.
    """
    from steps import errors
    from steps.kubernetes import times
    from steps.repository import download, reading_back, snapshots

    restic = opened.restic
    chosen = download.choose(snapshots.every(restic), name, "", restic.store.name)
    whole = True
    for finding in reading_back.findings(restic, chosen, opened.scratch):
        whole = False
        click.echo(errors.printable(finding))
    state = "whole" if whole else "NOT whole"
    began = times.utc(chosen.started)
    click.echo(errors.printable(f"{state}: backup {chosen.backup}, snapshot {chosen.id[:8]} of {began}"))
    return whole
