"""The phase that tells a run's result to a URL of the user's, as a command; it never fails, whatever comes of it.

What it tells is the record of evidence where there is one in the namespace. A backup's own lies on its volume, which is
not mounted for this: what its claim says does instead.
"""

import logging
from pathlib import Path
from typing import Literal, get_args

import click

from steps import arguments, errors, evidence, marks, outcome, result, values
from steps.installation import CLAIM
from steps.result import Failure, Operation, Result
from steps.run import FOLDER, Run, refused_option

log = logging.getLogger(__name__)

Form = Literal["webhook", "slack"]
_SUCCEEDED = "Succeeded"  # as Argo calls it


@click.command("notify")
@click.option("--of", "operation", type=click.Choice(get_args(Operation)), required=True, help="What has ended.")
@click.option("--claim", default="", help="Claim of the backup; empty: called as the workflow.")
@click.option("--began", default="", help="When the workflow was made.")
@click.option("--status", required=True, help="{{workflow.status}} as Argo gives it.")
@click.option("--failures", required=True, help="{{workflow.failures}} as Argo gives it.")
@click.option("--plan", default="", help="The workflow's; a mere plan is told to nobody.")
@refused_option
@click.option("--advice", required=True, help="What to do next where it failed.")
@click.option("--form", type=click.Choice(get_args(Form)), default="webhook", show_default=True, help="Who reads it.")
@click.option("--secret", "folder", type=FOLDER, required=True, help="Where the Secret with `url` is mounted.")
@click.option("--limit-s", type=values.LIMIT_S, default=10.0, show_default=True, help="Limit of each of three tries.")
@click.pass_obj
def notify(  # noqa: PLR0913  what a workflow says of itself at its end
    run: Run,
    operation: Operation,
    claim: str,
    began: str,
    status: str,
    failures: str,
    plan: str,
    refused: bool,
    advice: str,
    form: Form,
    folder: Path,
    limit_s: float,
) -> None:
    """Post the result; what keeps it from being delivered is said here and nowhere else."""
    from steps import notification  # here, for the other phases begin sooner without

    if arguments.is_plan(operation, plan):
        log.info("a mere plan is told to nobody")
        return
    advice = outcome.REFUSED_ADVICE if refused else advice
    begun = run.record(operation, claim or (run.workflow.name if operation in evidence.NAMES else ""), since=began)
    try:
        url = notification.read_url(folder / "url")
        told = _told(run, _ended(begun, status, failures, advice, refused=refused))
        notification.post(url, notification.body(told, form), authority=folder / "ca.crt", limit_s=limit_s)
        said = "sent"
    except errors.PhaseError as error:
        said = f"not sent: {error}"
    except Exception as error:  # noqa: BLE001  a message never turns a good run red; its place is said, not its words
        said = f"not sent: {errors.Unexpected.at(error)}"
    log.info("notification: %s", said)
    run.output(notification=said)


def _ended(begun: Result, status: str, failures: str, advice: str, *, refused: bool) -> Result:
    """What the workflow itself says."""
    if status == _SUCCEEDED:
        return begun.model_copy(update={"outcome": result.SUCCEEDED, "ended": result.now()})
    try:
        failed = [Failure(phase=item.phase, sentence=item.sentence) for item in outcome.failures(failures)]
    except ValueError:
        failed = []
    return begun.failed(failed, (), advice, refused=refused)


def _told(run: Run, ended: Result) -> Result:
    """The same with what the namespace knows of it, where that can be read and agrees."""
    try:
        if ended.operation in evidence.NAMES:
            found = evidence.find(run.cluster(), ended.operation, run.workflow.uid)
            if found and found.outcome == ended.outcome:
                return found
        if ended.operation == "backup" and ended.outcome == result.SUCCEEDED:
            return _of_claim(run, ended)
    except errors.PhaseError as error:
        log.info("told without what the namespace knows: %s", error)
    return ended


def _of_claim(run: Run, ended: Result) -> Result:
    """A backup that succeeded, by the labels of its claim."""
    from steps.catalogue import moment

    claim = run.cluster().get(CLAIM, ended.claim)
    if claim is None:
        return ended
    counts = {"files": marks.label(claim, marks.FILES), "bytes": marks.label(claim, marks.BYTES)}
    return ended.model_copy(
        update={
            "backup": marks.label(claim, marks.BACKUP),
            "threescale_version": marks.label(claim, marks.THREESCALE_VERSION),
            "manifest_sha256": marks.annotation(claim, marks.MANIFEST_DIGEST),
            "counts": {name: int(text) for name, text in counts.items() if text.isdigit()},
            "ended": moment(marks.annotation(claim, marks.ENDED)) or ended.ended,
        }
    )
