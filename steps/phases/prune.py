"""The phases of retention as commands: decide and delete; of a failed run read the volume, then remove the claim."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, Unpack

import click

from steps.catalogue import backup_claims, deletion
from steps.catalogue.durations import Duration, zone
from steps.catalogue.retention import PERIODS, Rules
from steps.contract import values
from steps.contract.values import NO, YES
from steps.phases import options
from steps.phases.run import Run
from steps.process.command_line import Command, Value, all_of, one_of, or_nothing

log = logging.getLogger(__name__)

# Linux takes 128 KiB for one argument or variable (MAX_ARG_STRLEN), and Argo hands a pod its template in a variable,
# in which an argument stands twice: so many starts of uids, 45 kB, fit.
_DELETED_AT_MOST = 2000  # a phase has 15 minutes, and each takes four requests
_READ_AT_MOST = 100  # each is three nodes of the Workflow, which etcd keeps up to some 1.5 MB
_claim_option = click.option(
    "--claim-name", "claim", type=Value(values.CLAIM), required=True, help="Claim of a run that failed."
)


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


def _number_option(option: str, default: int, about: str) -> Callable[[Command], Command]:
    return click.option(option, type=Value(values.COUNT), default=default, show_default=True, help=about)


# What a phase is told of the rules.
_rules_options = all_of(
    _number_option("--keep-last", 0, "The newest so many."),
    *(_number_option(f"--keep-{name}", 0, "The newest of so many.") for name in PERIODS),
    or_nothing("--keep-within", values.DURATION, "All so far back from the newest, such as 1y6m or 30d."),
    _number_option("--minimum-redundancy", 3, "So many complete ones."),
    click.option(
        "--max-shrink", type=Value(values.FRACTION), default=values.MAX_SHRINK, show_default=True, help="Else all."
    ),
    one_of("--manual", [NO, YES], "yes: those too that a person asked for."),
    one_of("--operators", [NO, YES], "yes: those too of APIManagerBackups."),
    or_nothing("--failed-after", values.DURATION, "When claims of failed runs go; empty: never."),
    click.option("--timezone", default="UTC", show_default=True, help="Whose hours and days."),
)


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
        manual=told["manual"] == YES,
        operators=told["operators"] == YES,
        timezone=zone(told["timezone"]),
        failed_after=Duration.read(failed_after, "failed-after") if failed_after else None,
    )


def _doomed(_context: click.Context, _option: click.Parameter, value: str) -> list[str]:
    return [uid for uid in value.split(",") if uid]


@click.group("prune")
def prune_phases() -> None:
    """Phases of retention, in their order."""


@prune_phases.command("decide")
@options.plan("prune")
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
    doomed, failed = decision.to_delete[:_DELETED_AT_MOST], decision.to_read[:_READ_AT_MOST]
    if later := len(going) - len(doomed) - len(failed):
        log.info("%d of them are left to the next run, which one argument and one workflow can't hold", later)
    run.output(
        kept=len(decision.verdicts) - len(going),
        to_delete=len(doomed),
        doomed=",".join(deletion.short(entry.uid) for entry in doomed),
        failed=json.dumps([entry.name for entry in failed]),
    )


@prune_phases.command("delete")
@click.option("--doomed", callback=_doomed, default="", metavar="UID,...", help="Those that may go; starts of uids.")
@_rules_options
@click.pass_obj
def prune_delete(run: Run, doomed: list[str], **told: Unpack[_Told]) -> None:
    """Delete them one by one, the oldest first, each only if it may still go."""
    _delete(run, "delete", doomed, _rules(told))


@prune_phases.command("look")
@_claim_option
@options.backup
@click.pass_obj
def prune_look(run: Run, claim: str, root: Path) -> None:
    """Say what the volume of a failed run holds; mend the label of one that is a backup."""
    run.need("look")
    cluster = run.cluster()
    run.output(holds=deletion.look(cluster, root, claim), uid=backup_claims.find(cluster, claim)["metadata"]["uid"])


@prune_phases.command("remove")
@_claim_option
@click.option("--uid", required=True, help="Its uid when its volume was read.")
@_rules_options
@click.pass_obj
def prune_remove(run: Run, claim: str, uid: str, **told: Unpack[_Told]) -> None:
    """Delete the claim of a failed run whose volume was read and holds no manifest."""
    log.info("claim %s: its volume was read, and holds no manifest", claim)
    _delete(run, "remove", [uid], _rules(told), read=True)


def _delete(run: Run, phase: str, doomed: list[str], rules: Rules, *, read: bool = False) -> None:
    run.need(phase)
    gone = deletion.delete(run.cluster(), doomed, rules, read=read)
    log.info("%d of %d deleted", gone, len(doomed))
    run.output(deleted=gone, spared=len(doomed) - gone)
