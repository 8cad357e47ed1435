"""The command `doctor`."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from workflows.commands import installing
from workflows.commands.installing import InstallationCommand
from workflows.commands.options import Where, at_cluster_of_file, output_option, refuse

if TYPE_CHECKING:
    from steps.kubernetes.cluster import Cluster
    from workflows.doctor.finding import Finding, Patient


@click.command(cls=InstallationCommand, fields=False)
@at_cluster_of_file
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
    from workflows.doctor import start as starting
    from workflows.doctor.examinations import EXAMINATIONS
    from workflows.doctor.finding import State, examine

    last = starting.start if start else starting.not_tried
    found = [*examine(_patient(context, where), *EXAMINATIONS, last)]
    if output == "json":
        click.echo(json.dumps([each._asdict() for each in found], indent=2))
    else:
        click.echo("\n".join(_lines(found)))
    if any(each.state is State.ERROR for each in found):
        sys.exit(1)


def _patient(context: click.Context, where: Where) -> "Patient":
    """Connect to the namespace that the option or the file names."""
    from workflows.doctor.finding import Patient

    file = context.params["file"]
    if file is None:
        if not where.namespace:
            refuse("No namespace is given. Use -n NAMESPACE, or -f FILE with the field namespace")
        return Patient(where.connect(), _elsewhere(where))
    source, installation = installing.asked(context)
    if installation.namespace is None:
        refuse(f"{source.file}: the field namespace is missing. Add it to the file, or use -n NAMESPACE")
    override = f" --namespace {where.namespace}" if where.namespace else ""
    where = where.at(installation.namespace)
    name = "FILE" if str(file) == "-" else shlex.quote(source.file)
    rendering = f"threescale-backup manifests -f {name}{override}"
    return Patient(where.connect(), _elsewhere(where), installation, name, rendering)


def _elsewhere(where: Where) -> "Callable[[str], Cluster]":
    """Return how the objects of another namespace are reached."""
    return lambda namespace: where.at(namespace).connect()


def _lines(found: "Sequence[Finding]") -> Iterator[str]:
    """Yield an aligned line for each finding, and its remedy on an indented line."""
    from steps.errors import printable
    from workflows.commands import tables

    rows = [tuple(map(printable, (each.state, each.what, each.told))) for each in found]
    for line, each in zip(tables.aligned(rows), found, strict=True):
        yield line
        if each.remedy:
            yield f"    {printable(each.remedy)}"
