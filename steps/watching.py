"""The phase of the watchdog as a command: it fails with one sentence when the newest backup is too old."""

import logging

import click

from steps import result, values
from steps.run import Run

log = logging.getLogger(__name__)


@click.command("watch")
@click.option(
    "--max-age",
    type=values.DURATION,
    required=True,
    help="How old the newest complete backup may be, for instance 26h.",
)
@click.option(
    "--schedule",
    type=values.OrNothing(values.CRON_WORKFLOW),
    default="",
    help="The CronWorkflow that should make them; empty: none is looked at.",
)
@click.pass_obj
def watch(run: Run, max_age: str, schedule: str) -> None:
    """See whether the newest backup is as young as it should be; the facts are told in either case."""
    from steps import watchdog  # here, for the other phases begin sooner without
    from steps.retention import Duration

    limit = Duration.read(max_age, "max-age")
    seen = watchdog.look(run.cluster(), schedule, result.now())
    run.output(**seen.facts())
    log.info(seen.well(seen.check(limit, max_age)))
