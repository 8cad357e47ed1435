"""The command `rehearse`."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workflows.commands.options import FOLDER, refuse

if TYPE_CHECKING:
    from workflows.rehearsal.comparison import Row


@click.command()
@click.option(
    "--keep",
    type=FOLDER,
    metavar="DIR",
    help="Keep the volumes of the rehearsal in this new or empty folder. By default they are removed.",
)
def rehearse(keep: Path | None) -> None:
    """Rehearse a backup and a restore with a sample installation. No cluster is needed."""
    from workflows.rehearsal import rehearse as rehearsal

    if keep is not None and not rehearsal.empty(keep):
        refuse(f"{keep} is not empty: name a new folder")
    try:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
        folder = keep.absolute() if keep else Path(tempfile.mkdtemp(prefix="threescale-rehearsal-"))
    except OSError as error:
        refuse(f"can't make a folder for the volumes: {error}")
    try:
        result = rehearsal.rehearse(folder, click.echo)
    finally:
        if keep is None:
            rehearsal.remove(folder)
    if result.rows:
        _show(result.rows)
    if keep is not None:
        click.echo(f"the volumes are in {keep}")
    click.echo("equal: the restored installation matches the original" if result.equal else "NOT equal")
    sys.exit(0 if result.equal else 1)


def _show(rows: "Sequence[Row]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "compared", "differ")
    for row in rows:
        table.add_row(row.what, str(row.count), str(len(row.differences)))
    Console().print(table)
    for row in rows:
        for difference in row.differences:  # without rich, which would wrap a long path
            click.echo(f"{row.what}: {difference}")
