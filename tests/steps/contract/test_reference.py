"""The reference pages of arguments and outputs, made from the declarations. `RECORD_GOLDEN=1` writes them anew."""

import os
from pathlib import Path

import pytest

from steps.contract.database_contract import BackupArgumentsWithDatabases, RestoreArgumentsWithDatabases
from steps.contract.declaration import fields_of
from steps.contract.drill_contract import DrillArguments
from steps.contract.fetch_contract import FetchArguments
from steps.contract.prune_contract import PruneArguments, RepositoryPruneArguments
from steps.contract.push_contract import PushArguments
from steps.contract.verify_contract import VerifyArguments
from steps.contract.watchdog_contract import WatchdogArguments
from tests.builders.declared import PHASES

REFERENCE = Path(__file__).parents[3] / "docs/reference"
MADE = "This page is made from the code: `RECORD_GOLDEN=1 .venv/bin/python -m pytest tests/steps/contract`."
ARGUMENTS = {
    "threescale-backup": BackupArgumentsWithDatabases,
    "threescale-restore": RestoreArgumentsWithDatabases,
    "threescale-verify": VerifyArguments,
    "threescale-drill": DrillArguments,
    "threescale-prune": PruneArguments,
    "threescale-watchdog": WatchdogArguments,
    "threescale-push": PushArguments,
    "threescale-fetch": FetchArguments,
    "threescale-repository-prune": RepositoryPruneArguments,
}


def arguments_of(model):
    """A table of what a person may ask of a workflow."""
    yield from ("| Argument | What it does | Default |", "| --- | --- | --- |")
    for each in fields_of(model):
        default = "required" if each.default is None else f"`{each.default}`" if each.default else "empty"
        yield f"| `{each.told_as}` | {each.about} | {default} |"


def arguments():
    yield from ("# Arguments of the workflows", "", "Say them with `argo submit -p NAME=VALUE`, or in Argo's UI.", MADE)
    of_databases = "`databases`, `database-credentials`, `drain-minutes` and `queues`"
    yield f"{of_databases} exist only where `databases.image` is configured."
    for name, model in ARGUMENTS.items():
        yield from ("", f"## {name}", "", *arguments_of(model))


def of_phase(phase):
    """What a phase is told, by which volume it is served, and what it gives."""
    yield from ("", f"## {' '.join(phase.command)}", "", phase.__doc__)
    told = [f"`{each.told_as}`" for each in fields_of(phase) if each.is_input and each.is_option]
    mounts = [f"{each.mount.value.volume} at `{each.mount.value.path}`" for each in fields_of(phase) if each.mount]
    yield from ("", f"Told: {', '.join(told) or 'nothing'}.", "")
    yield f"Mounts: {', '.join(mount for mount in mounts if not mount.endswith('``')) or 'nothing'}."
    if phase.gives:
        yield from ("", "| Output | What it says |", "| --- | --- |")
        yield from (f"| `{each.name}` | {each.about} |" for each in phase.gives)


def outputs():
    yield from ("# Phases and their outputs", "", "Each phase is a step of a workflow and a command of the image.")
    yield from ("A phase that fails gives `failure`: its error as JSON (see [errors](errors.md)).", MADE)
    for phase in PHASES:
        yield from of_phase(phase)


@pytest.mark.parametrize("made", [arguments, outputs], ids=lambda made: made.__name__)
def test_a_reference_page_is_as_the_code_says(made):
    page, text = REFERENCE / f"{made.__name__}.md", "\n".join(made()) + "\n"
    if os.environ.get("RECORD_GOLDEN"):
        page.write_text(text)

    assert page.read_text() == text
