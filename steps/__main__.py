"""The image's own command: one subcommand a phase, every path, name and limit an argument.

Exit codes: 0 done, 1 refused or failed for good, 75 try again. The last sentence of a phase that fails goes to stderr
and to the termination log, the only text that Argo shows beside a failed node.
"""

import gc
import logging
import os
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TextIO, get_args

import click

from steps import arguments, claims, errors, evidence, interruption, outcome, values
from steps.arguments import Given
from steps.backing_up import backup_phases
from steps.claims import Workflow
from steps.notifying import notify
from steps.proving import drill_phases, verify_phases
from steps.pruning import prune_phases
from steps.restoring import restore_phases
from steps.result import Failure, Operation, Result
from steps.run import FOLDER, Run, refused_option
from steps.watching import watch

log = logging.getLogger("steps")

_UMASK = 0o007  # all for the group, nothing for others


class Phases(click.Group):
    """Commands whose help is shown without what every phase has to be told; a refusal of arguments is an output."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.resilient_parsing = len(args) > 1 and args[-1] == "--help"
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.UsageError, errors.BadArgument):
            if isinstance(ctx.obj, Run):
                with suppress(OSError):  # the refusal is what counts
                    ctx.obj.tell_refused(ctx.invoked_subcommand or "")
            raise


@click.group(cls=Phases, context_settings={"max_content_width": 120})
@click.option("--namespace", type=values.NAMESPACE, required=True, help="Namespace of the 3scale installation.")
@click.option("--workflow", required=True, help="Name of the workflow.")
@click.option("--workflow-uid", required=True, help="Its uid: what it began, another one does not touch.")
@click.option("--service-account", default="", help="Who runs it, for the evidence.")
@click.option("--outputs", type=FOLDER, help="Folder for output parameters, a file each.")
@click.option("--termination-log", type=click.Path(path_type=Path), help="File for the last sentence of a failure.")
@click.option(
    "--request-timeout-s", type=values.LIMIT_S, default=30.0, show_default=True, help="Limit of each request."
)
@click.option(
    "--try", "try_number", type=values.COUNT, default=0, show_default=True, help="How often it was tried before."
)
@click.option("--tries", type=values.COUNT, default=0, show_default=True, help="After so many no other try follows.")
@click.option("--arguments", "parameters", default="", help="{{workflow.parameters}} as Argo gives it.")
@click.option("--labels", default="", help="{{workflow.labels.json}} as Argo gives it.")
@click.option("--known", default="", metavar="NAMES", help="Arguments of the workflow, for its first phase.")
@click.pass_context
def cli(  # noqa: PLR0913  what every phase is told, in one place
    context: click.Context,
    namespace: str,
    workflow: str,
    workflow_uid: str,
    service_account: str,
    outputs: Path | None,
    termination_log: Path | None,  # noqa: ARG001  looked for by main
    request_timeout_s: float,
    try_number: int,
    tries: int,
    parameters: str,
    labels: str,
    known: str,
) -> None:
    """Phases of the workflows of a 3scale installation."""
    if context.resilient_parsing:
        return
    by, given = Workflow(workflow, workflow_uid), Given.read(parameters, labels) if parameters else Given()
    last_try = try_number >= tries
    context.obj = Run(namespace, by, outputs, request_timeout_s, last_try, service_account, given=given)
    if known:
        given.check(known.split(","))


cli.add_command(backup_phases)
cli.add_command(restore_phases)
cli.add_command(watch)
cli.add_command(notify)
cli.add_command(prune_phases)
cli.add_command(verify_phases)
cli.add_command(drill_phases)


@cli.command("report")
@click.option("--of", "operation", type=click.Choice(get_args(Operation)), required=True, help="What has failed.")
@click.option("--claim", default="", help="Claim of the backup; empty: one that is made is called as the workflow.")
@click.option("--began", default="", help="When the workflow was made.")
@click.option("--failures", required=True, help="{{workflow.failures}} as Argo gives it.")
@click.option("--advice", required=True, help="What to do next.")
@click.option("--plan", default="", help="The workflow's; a mere plan leaves no evidence.")
@refused_option
@click.option("--pod", default="", help="The pod that runs this.")
@click.pass_obj
def report(  # noqa: PLR0913  what a workflow says of itself at its end
    run: Run,
    operation: Operation,
    claim: str,
    began: str,
    failures: str,
    advice: str,
    plan: str,
    refused: bool,
    pod: str,
) -> None:
    """Say what failed and what to do next, here and in the evidence, where it leaves any; never fails itself."""
    advice = outcome.REFUSED_ADVICE if refused else advice
    failed: list[outcome.Failure] = []
    held_back: list[str] = []
    try:
        failed = outcome.failures(failures)
        held_back = outcome.held_back(run.cluster(), run.workflow.name, failed, pod)
        text = outcome.explain(run.workflow.name, failed, held_back, advice)
    except Exception as error:  # noqa: BLE001  whatever it is, the rest is said; its message may quote data
        text = f"workflow {run.workflow.name} did not succeed ({type(error).__name__} while asking why); {advice}"
    for line in text.split("\n"):
        log.info(line)
    run.output(report=text)
    if arguments.is_plan(operation, plan) or operation not in evidence.NAMES:
        return
    if operation == "backup" and not refused and _is_sealed(run, claim or run.workflow.name):
        return

    def fail(found: Result) -> Result:
        failures = [Failure(phase=item.phase, sentence=item.sentence) for item in failed]
        return found.failed(failures, held_back, advice, refused=refused)

    called = claim or (run.workflow.name if operation == "backup" else "")
    evidence.note(run.cluster, run.record(operation, called, since=began), fail)


def _is_sealed(run: Run, claim: str) -> bool:
    """Say on the backup's claim that its run has failed, unless it is sealed all the same; tell whether it is."""
    try:
        return claims.give_up(run.cluster(), claim, run.workflow)
    except errors.PhaseError as error:
        log.info("claim %s has not been labelled: %s", claim, error)
    return False


def main() -> None:
    """Run one phase, and end with its exit code and, where it fails, its last sentence."""
    os.umask(_UMASK)
    _log_to(sys.stdout)
    interruption.catch()
    termination_log = _termination_log(sys.argv[1:])
    try:
        with cli.make_context("steps", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        _fail(termination_log, _one_line(error.format_message()), errors.REFUSED_EXIT)
    except errors.PhaseError as error:
        _fail(termination_log, str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001  the last door: its message may quote data, so only its place is shown
        _fail(termination_log, str(errors.Unexpected.at(error)), errors.REFUSED_EXIT)


class _Printable(logging.Formatter):
    """One line a record, whatever a name or a message brings in."""

    def format(self, record: logging.LogRecord) -> str:
        return errors.printable(record.getMessage())


class _Lines(logging.StreamHandler[TextIO]):
    """The log of a phase; where it can't be written the phase goes on, and says so once."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  as the base class has it
        logging.getLogger().removeHandler(self)
        interruption.forget_stdout()
        click.echo("the log can't be written any more: stdout is full or closed", err=True)


def _log_to(stream: TextIO) -> None:
    lines = _Lines(stream)
    lines.setFormatter(_Printable())
    logging.basicConfig(level=logging.INFO, handlers=[lines])


def _termination_log(arguments: list[str]) -> Path | None:
    """The file for the last sentence, looked for by hand: what is wrong may be the arguments themselves."""
    option = "--termination-log"
    for argument, following in pairwise([*arguments, ""]):
        if argument == option or argument.startswith(f"{option}="):
            return Path(following if argument == option else argument.removeprefix(f"{option}="))
    return None


def _one_line(text: str) -> str:
    """What click says: choices a line each, and here and there an argument as it is."""
    return errors.printable(" ".join(text.split()))


def _fail(termination_log: Path | None, sentence: str, exit_code: int) -> None:
    click.echo(sentence, err=True)
    if termination_log is not None:
        try:
            termination_log.write_text(sentence, errors="backslashreplace")
        except OSError as error:
            click.echo(f"no termination log: {error.strerror}", err=True)
    sys.exit(exit_code)


if __name__ == "__main__":
    gc.freeze()  # what is imported stays: to look through it in each collection, and at the end, takes 0.06 s
    main()
