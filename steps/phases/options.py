"""Options that several phases have."""

from collections.abc import Callable
from pathlib import Path

import click

from steps.contract import arguments, values
from steps.contract.values import NO, YES, Count
from steps.evidence.result import Operation
from steps.files import medium
from steps.process.command_line import Command, NamedPath, Value, all_of, or_nothing

claim_name = or_nothing("--claim-name", values.CLAIM, "Claim of the backup; empty: the one that is next.")
FOLDER = NamedPath(path_type=Path)  # what is wrong with it, the phase says better

claim = click.option("--claim", type=Value(values.CLAIM), required=True, help="Claim of the backup.")
backup = click.option("--backup", "root", type=FOLDER, required=True, help="Where it is mounted.")
mounted = all_of(claim, backup)


def plan(operation: Operation) -> Callable[[Command], Command]:
    """Whether it is only said what would be done."""
    return click.option(
        "--plan",
        "plan_only",
        type=click.Choice(arguments.words(operation)),
        default=NO,
        callback=lambda _context, _option, value: arguments.is_plan(operation, value),
        help="only: say what would be done, and change nothing.",
    )


refused = click.option(
    "--refused",
    default="",
    callback=lambda _context, _option, value: value == YES,
    help="yes: a person's arguments were refused, so it is no failure.",
)
claim_wait = click.option(
    "--claim-wait-s",
    type=Value(values.PAUSE_S),
    default=30.0,
    show_default=True,
    help="How long a claim may take for its volume.",
)


def workers(*, told: bool = True) -> Callable[[Command], Command]:
    """How many processes copy; `told` False: only checked, where it can still be refused before anything is made."""
    return click.option(
        "--workers",
        default="",
        callback=_number_or_nothing,
        expose_value=told,
        metavar="NUMBER",
        help="Processes that copy side by side.  [default: as suits the media]",
    )


def _number_or_nothing(context: click.Context, option: click.Parameter, value: str) -> int | None:
    """A workflow passes on what it was not told."""
    return Value(Count(1, medium.MOST))(value, option, context) if value else None
