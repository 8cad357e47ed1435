"""The command `init`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steps import __version__
from steps.contract import values
from steps.phases.command_line import NamedPath, Value
from workflows.commands.options import Where, at_cluster_if_any, refuse

if TYPE_CHECKING:
    from workflows.commands.survey import Answer

_FILE = "threescale-backup.yaml"
_HEAD = """How threescale-backup is installed.
A line such as `#schedule: 0 4 * * *` is off. Remove its `#` to turn it on.
Check it with: threescale-backup doctor -f {file}
Apply it with: threescale-backup manifests -f {file} | kubectl apply --server-side -f -"""
_PLACEHOLDER = f"registry.example.com/threescale-backup:{__version__}"


@click.command()
@click.argument(
    "file", type=NamedPath(path_type=Path, dir_okay=False, allow_dash=True), default=_FILE, metavar="[FILE]"
)
@click.option(
    "--image",
    type=Value(values.IMAGE),
    metavar="REF",
    help="Run the phases with this image, best named by its digest.",
)
@at_cluster_if_any
@click.option(
    "--argo-namespace",
    type=Value(values.NAMESPACE),
    default="argo",
    show_default=True,
    metavar="NS",
    help="Ask in this namespace for the settings of Argo's controller.",
)
def init(file: Path, image: str | None, where: Where, argo_namespace: str) -> None:
    """Write a commented FILE that says how this tool is installed, by default threescale-backup.yaml.

    With a namespace, the cluster is asked for the APIManager and what it names, for StorageClasses, quotas and Argo.
    Nothing is changed there. A file that exists is not replaced. Use `-` to print the file.
    """
    from steps import errors
    from workflows.commands import survey
    from workflows.configuration import proposal

    answers: Sequence[Answer] = []
    if where.namespace:
        try:
            answers = list(survey.ask(where.connect(), where.at(argo_namespace).connect()))
        except errors.Unanswered as error:
            refuse(f"{error} No file is written")
    found = {"image": image or _PLACEHOLDER, **({"namespace": where.namespace} if where.namespace else {})}
    if argo_namespace != "argo":
        found["argo.namespace"] = argo_namespace
    notes: dict[str, str] = {} if image else {"image": "Replace this by the image that you have pushed."}
    for each in answers:
        found |= each.values
        if each.beside:
            notes[each.beside] = f"{notes.get(each.beside, '')}\n{each.told}"
    name = _FILE if str(file) == "-" else str(file)
    _write(file, proposal.write(found, notes, _HEAD.format(file=name)))
    for each in answers:
        click.echo(each.told, err=True)


def _write(file: Path, text: str) -> None:
    if str(file) == "-":
        click.echo(text, nl=False)
        return
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        refuse(f"{file} exists and is not replaced. Name another file, or move it away")
    except OSError as error:
        refuse(f"can't write to {file}: {error.strerror}")
    click.echo(f"Wrote {file}. Read it, and change what your cluster needs.", err=True)
