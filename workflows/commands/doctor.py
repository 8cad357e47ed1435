"""The command `doctor`."""

import json
import sys
from typing import Any

import click

from workflows.commands import installing
from workflows.commands.installing import InstallationCommand
from workflows.commands.options import Where, at_cluster, output_option, refuse


@click.command(cls=InstallationCommand, fields=False)
@at_cluster(namespace_required=False)
@click.option(
    "--start",
    is_flag=True,
    help="Start one small Workflow and remove it. This shows that the controller runs it and that the image can be "
    "pulled.",
)
@output_option("text", "json")
@click.pass_context
def doctor(context: click.Context, /, where: Where, output: str, *, start: bool, **_told: Any) -> None:
    """Check every precondition of a first backup and of a restore. Nothing is left in the cluster.

    FILE says how this tool is or will be installed. Exit code 1 means that a line says `error`.
    """
    raise NotImplementedError
