"""The phases of retention as commands: decide and delete; of a failed run read the volume, then remove the claim."""

import json
import logging
from pathlib import Path
from typing import TypedDict, Unpack

import click

from steps import claims, deletion, interruption
from steps.deletion import Judged
from steps.retention import PERIODS, Duration, Rules, zone
from steps.run import Function, Run, backup_option, plan_option

log = logging.getLogger(__name__)

_YES, _NO = "yes", "no"
_number = click.IntRange(0)
_claim_option = click.option("--claim-name", "claim", required=True, help="Claim of a run that failed.")


class _Told(TypedDict):
    """What `_rules_options` gives, beside a number for each of `retention.PERIODS`."""

    keep_last: int
    keep_hourly: int
    keep_daily: int
    keep_weekly: int
    keep_monthly: int
    keep_yearly: int
    keep_within: str
    minimum_redundancy: int
    max_shrink: float
    manual: str
    operators: str
    failed_after: str
    timezone: str


def _rules_options(function: Function) -> Function:
    """What a phase is told of the rules."""
    choice = click.Choice([_NO, _YES])
    for option in (
        click.option("--keep-last", type=_number, default=0, help="The newest so many."),
        *(click.option(f"--keep-{name}", type=_number, default=0, help="The newest of so many.") for name in PERIODS),
        click.option("--keep-within", default="", help="All so far back from the newest, such as 1y6m or 30d."),
        click.option("--minimum-redundancy", type=_number, default=3, show_default=True, help="So many complete ones."),
        click.option("--max-shrink", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Else all."),
        click.option("--manual", type=choice, default=_NO, help="yes: those too that a person asked for."),
        click.option("--operators", type=choice, default=_NO, help="yes: those too of APIManagerBackups."),
        click.option("--failed-after", default="", help="When claims of failed runs go; empty: never."),
        click.option("--timezone", default="UTC", show_default=True, help="Whose hours and days."),
    ):
        function = option(function)
    return function


def _rules(told: _Told) -> Rules:
    """Read the rules.

    Raises:
        errors.BadDuration, errors.BadTimezone

    """
    within, failed_after = told["keep_within"], told["failed_after"]
    return Rules(
        last=told["keep_last"],
        periods={
            "hourly": told["keep_hourly"],
            "daily": told["keep_daily"],
            "weekly": told["keep_weekly"],
            "monthly": told["keep_monthly"],
            "yearly": told["keep_yearly"],
        },
        within=Duration.read(within, "keep-within") if within else None,
        minimum_redundancy=told["minimum_redundancy"],
        max_shrink=told["max_shrink"],
        manual=told["manual"] == _YES,
        operators=told["operators"] == _YES,
        timezone=zone(told["timezone"]),
        failed_after=Duration.read(failed_after, "failed-after") if failed_after else None,
    )


def _judged(_context: click.Context, _option: click.Parameter, value: str) -> list[Judged]:
    return [Judged(*pair.split("/", 1)) for pair in value.split(",") if pair]


@click.group("prune")
def prune_phases() -> None:
    """Phases of retention, in their order."""


@prune_phases.command("decide")
@plan_option("prune")
@_rules_options
@click.pass_obj
def prune_decide(run: Run, plan_only: bool, **told: Unpack[_Told]) -> None:
    """Say of each backup whether it stays or goes, and by which rule."""
    run.tell_plan(plan_only=plan_only)
    cluster = run.cluster()
    decision = deletion.judge(cluster, _rules(told))
    for line in decision.text():
        log.info(line)
    log.info(deletion.RECLAIM)
    if plan_only:
        log.info("it is only a plan: nothing is deleted")
    else:
        deletion.mend(cluster, decision)
    going = [*decision.to_delete, *decision.to_read]
    run.output(
        kept=len(decision.verdicts) - len(going),
        to_delete=len(decision.to_delete),
        doomed=",".join(f"{entry.name}/{entry.uid}" for entry in decision.to_delete),
        failed=json.dumps([entry.name for entry in decision.to_read]),
    )


@prune_phases.command("delete")
@click.option("--doomed", callback=_judged, default="", metavar="NAME/UID,...", help="Those that may go.")
@_rules_options
@click.pass_obj
def prune_delete(run: Run, doomed: list[Judged], **told: Unpack[_Told]) -> None:
    """Delete them one by one, the oldest first, each only if it may still go."""
    _delete(run, "delete", doomed, _rules(told))


@prune_phases.command("look")
@_claim_option
@backup_option
@click.pass_obj
def prune_look(run: Run, claim: str, root: Path) -> None:
    """Say what the volume of a failed run holds; mend the label of one that is a backup."""
    run.need("look")
    cluster = run.cluster()
    run.output(holds=deletion.look(cluster, root, claim), uid=claims.find(cluster, claim)["metadata"]["uid"])


@prune_phases.command("remove")
@_claim_option
@click.option("--uid", required=True, help="Its uid when its volume was read.")
@_rules_options
@click.pass_obj
def prune_remove(run: Run, claim: str, uid: str, **told: Unpack[_Told]) -> None:
    """Delete the claim of a failed run whose volume was read and holds no manifest."""
    _delete(run, "remove", [Judged(claim, uid)], _rules(told), read=True)


def _delete(run: Run, phase: str, doomed: list[Judged], rules: Rules, *, read: bool = False) -> None:
    run.need(phase)
    cluster, gone = run.cluster(), 0
    for each in doomed:
        interruption.point()
        gone += deletion.delete(cluster, each, rules, read=read)
    log.info("%d of %d deleted", gone, len(doomed))
    run.output(deleted=gone, spared=len(doomed) - gone)
