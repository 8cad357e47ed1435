"""The commands that print YAML: the manifests of an installation, or a Workflow for a resource of the operator."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import click

from steps.contract import values
from steps.contract.names import INSTANCE_ID
from steps.phases.command_line import NamedPath, Value
from workflows.commands import doubts, installing
from workflows.commands.installing import InstallationCommand
from workflows.commands.options import read_file, refuse
from workflows.rendering import document

_START = 4096  # characters of a file, which hold its kind, its name and its labels


@click.command(cls=InstallationCommand)
@click.pass_context
def manifests(context: click.Context, /, **_told: Any) -> None:
    """Render the YAML manifests for a cluster with Argo Workflows."""
    from workflows import manifests

    source, installation = installing.asked(context)
    output = installation.output
    _deliver(manifests.of(installation), Path(source.beside(("output",), output)) if output else None)
    doubts.say(source, installation)


def _deliver(rendered: Sequence[dict[str, Any]], output: Path | None) -> None:
    """Print the manifests, or write one file each."""
    if output is None:
        click.echo("---\n".join(document.to_yaml(manifest) for manifest in rendered), nl=False)
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        for manifest in rendered:
            (output / document.file_name(manifest)).write_text(document.to_yaml(manifest))
        left = _left(output, {document.file_name(manifest) for manifest in rendered})
    except OSError as error:
        refuse(f"can't write to {output}: {error.strerror}")
    for manifest in rendered:
        click.echo(str(output / document.file_name(manifest)))
    if left:
        click.echo(
            f"Files of an earlier rendering that are no longer rendered: {', '.join(left)}. Delete their resources "
            "with kubectl delete -f FILE, then delete the files.",
            err=True,
        )


def _left(folder: Path, written: Collection[str]) -> list[str]:
    """Return the files in a folder that an earlier rendering wrote and this rendering did not."""
    found = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in written and path.is_file():
            with path.open(encoding="utf-8", errors="replace") as stream:
                if document.is_file_of_ours(path.name, stream.read(_START)):
                    found.append(path.name)
    return found


@click.command()
@click.option(
    "-f",
    "--file",
    type=NamedPath(path_type=Path, allow_dash=True),
    required=True,
    metavar="FILE",
    help="Read the APIManagerBackup or APIManagerRestore from this file. Use `-` to read from stdin.",
)
@click.option(
    "--instance-id",
    type=Value(values.LABEL_VALUE),
    default="",
    metavar="ID",
    help="Label the Workflow for the controller with this `instanceID`. By default a controller without one runs it.",
)
def workflow(file: Path, instance_id: str) -> None:
    """Print a Workflow that does the work of an APIManagerBackup or APIManagerRestore."""
    from workflows.commands import operators_resources

    rendered = read_file(str(file), operators_resources.workflow)
    if instance_id:
        rendered["metadata"]["labels"] = {INSTANCE_ID: instance_id}
    click.echo(document.to_yaml(rendered), nl=False)
