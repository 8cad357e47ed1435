"""The verification of a backup in a repository, for a person: every byte of its snapshot is read back."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from steps.restic.program import Restic


def of_repository(restic: "Restic", scratch: Path, name: str) -> bool:
    """Read a backup in a repository, print what is wrong with it, and return whether it is whole.

    `name`: of the backup, the ID of its snapshot, or `latest`. `scratch` gets the listing for the time of the reading.
    """
    from steps import errors
    from steps.repository import download, reading_back, snapshots

    chosen = download.choose(snapshots.every(restic), name, "", restic.store.name)
    whole = True
    for finding in reading_back.findings(restic, chosen, scratch):
        whole = False
        click.echo(errors.printable(finding))
    state = "whole" if whole else "NOT whole"
    click.echo(errors.printable(f"{state}: backup {chosen.backup}, snapshot {chosen.id[:8]} of {chosen.started}"))
    return whole
