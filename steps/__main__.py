"""The command of the image. Each phase is a subcommand, and every path, name and limit is an argument.

Exit codes: 0 done, 1 refused or failed, 75 try again. The error message of a phase that fails goes to stderr and to the
termination log. Argo shows no other text beside a failed node.
"""

import gc
import importlib
import importlib.util
import logging
import os
import sys
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import click

from steps import errors
from steps.contract import values
from steps.contract.arguments import Given
from steps.kubernetes.workflow import Workflow
from steps.phases.command_line import FOLDER, Value
from steps.phases.run import Run
from steps.process import interruption

log = logging.getLogger("steps")

_UMASK = 0o007  # all for the group, nothing for others


_PHASES = {
    "backup": "backup.backup_phases",
    "databases-backup": "databases_backup.databases_backup_phases",
    "restore": "restore.restore_phases",
    "databases-restore": "databases_restore.databases_restore_phases",
    "verify": "verify.verify_phases",
    "drill": "drill.drill_phases",
    "prune": "prune.prune_phases",
    "push": "push.push_phases",
    "fetch": "fetch.fetch_phases",
    "repository-prune": "repository_prune.repository_prune_phases",
    "watch": "watchdog.watch",
    "report": "exit.report",
    "notify": "exit.notify",
}


_ON_DATABASES = ("databases-backup", "databases-restore")  # on the image with their clients
_CLIENT = "redis"  # a package of that image alone


def _is_on_this_image(name: str) -> bool:
    return name not in _ON_DATABASES or importlib.util.find_spec(_CLIENT) is not None


class Phases(click.Group):
    """The group of all phases. `--help` of a phase works without the required options, and errors become outputs.

    The modules of the phases are imported when they are needed, so that a phase starts sooner.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  as the base class has it
        return [name for name in _PHASES if _is_on_this_image(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  as the base class has it
        if cmd_name not in _PHASES:
            return None
        if not _is_on_this_image(cmd_name):
            raise errors.DatabaseClientMissing(_CLIENT)
        module, _, name = _PHASES[cmd_name].partition(".")
        found: click.Command = getattr(importlib.import_module(f"steps.phases.{module}"), name)
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.resilient_parsing = len(args) > 1 and args[-1] == "--help"
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if isinstance(ctx.obj, Run):
                with suppress(OSError):  # the error itself is what counts
                    self._tell(ctx.obj, error, ctx.invoked_subcommand or "")
            raise

    def _tell(self, run: Run, error: Exception, operation: str) -> None:
        """Output an error, and whether it is about the arguments of a person."""
        if isinstance(error, click.UsageError | errors.BadArgument):
            run.tell_refused(operation)
        run.tell_failure(_as_ours(error))


@click.group(cls=Phases, context_settings={"max_content_width": 120})
@click.option(
    "--namespace",
    type=Value(values.NAMESPACE),
    required=True,
    help="Work in this namespace, that of the 3scale installation.",
)
@click.option("--workflow", required=True, help="Run the phase for the workflow of this name.")
@click.option(
    "--workflow-uid",
    required=True,
    help="Run the phase for the workflow of this uid. A workflow with another uid can't continue its work.",
)
@click.option(
    "--service-account",
    default="",
    help="Write this ServiceAccount to the result record as the one that runs the phase.",
)
@click.option(
    "--outputs", type=FOLDER, help="Write the output parameters to this folder, each parameter to a file of its own."
)
@click.option(
    "--termination-log",
    type=click.Path(path_type=Path),
    help="Write the error message to this file if the phase fails.",
)
@click.option(
    "--request-timeout-s",
    type=Value(values.LIMIT_S),
    default=30.0,
    show_default=True,
    help="End each request to the API server after this many seconds.",
)
@click.option(
    "--try",
    "try_number",
    type=Value(values.COUNT),
    default=0,
    show_default=True,
    help="Count this many earlier attempts at the phase.",
)
@click.option(
    "--tries",
    type=Value(values.COUNT),
    default=0,
    show_default=True,
    help="Expect at most this many retries of the phase after its first attempt.",
)
@click.option(
    "--arguments",
    "parameters",
    default="",
    help="Read the arguments of the workflow from this JSON, the value of Argo's tag {{workflow.parameters}}.",
)
@click.option(
    "--labels",
    default="",
    help="Read the labels of the workflow from this JSON, the value of Argo's tag {{workflow.labels.json}}.",
)
@click.option(
    "--known",
    default="",
    metavar="NAMES",
    help="Refuse arguments of the workflow with other names than these, separated by commas.",
)
@click.pass_context
def cli(  # noqa: PLR0913  the options of every phase, in one place
    context: click.Context,
    namespace: str,
    workflow: str,
    workflow_uid: str,
    service_account: str,
    outputs: Path | None,
    termination_log: Path | None,  # noqa: ARG001  read by main
    request_timeout_s: float,
    try_number: int,
    tries: int,
    parameters: str,
    labels: str,
    known: str,
) -> None:
    """Run one phase of a workflow that backs up or restores a 3scale installation."""
    if context.resilient_parsing:
        return
    by, last_try = Workflow(workflow, workflow_uid), try_number >= tries
    run = context.obj = Run(namespace, by, outputs, request_timeout_s, last_try, service_account)
    if parameters:
        context.obj = replace(run, given=Given.read(parameters, labels))
    if known:
        context.obj.given.check(known.split(","))


def main() -> None:
    """Run one phase, and end with its exit code. A failed phase ends with its error message."""
    os.umask(_UMASK)
    _log_to(sys.stdout)
    interruption.catch()
    termination_log = _termination_log(sys.argv[1:])
    try:
        with cli.make_context("steps", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except Exception as error:  # noqa: BLE001  the last door
        _fail(termination_log, _as_ours(error))


class _Printable(logging.Formatter):
    """One line for each record, whatever characters a name or a message has."""

    def format(self, record: logging.LogRecord) -> str:
        return errors.printable(record.getMessage())


class _Lines(logging.StreamHandler[TextIO]):
    """The log of a phase. If it can't be written, the phase continues and reports that once."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  as the base class has it
        logging.getLogger().removeHandler(self)
        interruption.forget_stdout()
        click.echo("the log can't be written any more: stdout is full or closed", err=True)


def _log_to(stream: TextIO) -> None:
    lines = _Lines(stream)
    lines.setFormatter(_Printable())
    logging.basicConfig(level=logging.INFO, handlers=[lines])


def _termination_log(arguments: list[str]) -> Path | None:
    """Find the file for the error message without click, because the arguments themselves may be wrong."""
    option = "--termination-log"
    for argument, following in pairwise([*arguments, ""]):
        if argument == option or argument.startswith(f"{option}="):
            return Path(following if argument == option else argument.removeprefix(f"{option}="))
    return None


def _one_line(text: str) -> str:
    """Return a message of click on one line. It may list choices on lines of their own, and quote arguments."""
    return errors.printable(" ".join(text.split()))


def _as_ours(error: Exception) -> errors.PhaseError:
    """Return the error as a PhaseError. An unexpected error is named by its place, as its message may quote data."""
    if isinstance(error, errors.PhaseError):
        return error
    if isinstance(error, click.ClickException):
        return errors.WrongCommandLine(_one_line(error.format_message()))
    return errors.Unexpected.at(error)


def _fail(termination_log: Path | None, error: errors.PhaseError) -> None:
    sentence = str(error)
    click.echo(sentence, err=True)
    if termination_log is not None:
        try:
            termination_log.write_text(sentence, errors="backslashreplace")
        except OSError as lost:
            click.echo(f"the termination log can't be written: {lost.strerror}", err=True)
    sys.exit(error.exit_code)


if __name__ == "__main__":
    gc.freeze()  # the imported modules stay; checking them in each collection, and at the end, takes 0.06 s
    main()
