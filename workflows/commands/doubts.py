"""Warnings on stderr about manifests that are valid, but may not do what the administrator expects."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import click

from workflows.rendering import cron

if TYPE_CHECKING:
    from steps.contract.prune_contract import PruneArguments

_DAY_H = 24


def of_clocks(crons: Mapping[str, str | None], timezone: str) -> None:
    """Warn about a night without a run, because its clock skips the hour. `crons` are by the names of their options."""
    now = datetime.now(UTC)
    for option, text in crons.items():
        if text is not None and (moment := cron.skipped(text, timezone, now)):
            click.echo(
                f"{option} {text!r}: {timezone} has no {moment:%H:%M} on {moment:%Y-%m-%d}, because the clock is put "
                "forward. Nothing is started then. Choose an hour that exists in every night, such as 4.",
                err=True,
            )


def of_shares(verify: str, sample: str, limit: timedelta | None, kept: timedelta) -> None:
    """Warn if a verification by shares takes longer than the limit of the alert, or than each backup is kept."""
    share, pause = Fraction(sample.removesuffix("%") or 0) / 100, cron.pause(verify)
    if not share or pause is None:
        return
    taken = ceil(1 / share) * pause
    begin = f"--verify-argument sample={sample}: reading a whole backup takes {told(taken)}"
    if limit is not None and taken > limit:
        click.echo(f"{begin}, but --verified-every is {told(limit)}. Use a larger share or a longer time.", err=True)
    if timedelta(0) < kept < taken:
        click.echo(
            f"{begin}, but the rules keep a backup for {told(kept)}. Use a larger share or keep more backups.", err=True
        )


def kept(rules: "PruneArguments", schedule: str | None) -> timedelta:
    """Return how long each scheduled backup is kept.

    The result is zero if no schedule deletes backups, or if no rule for days, durations or numbers is set.
    """
    from steps.catalogue.durations import Duration

    if schedule is None:
        return timedelta(0)
    pause, now = cron.pause(schedule) or timedelta(0), datetime.now(UTC)
    within = now - Duration.read(rules.keep_within, "").before(now) if rules.keep_within else timedelta(0)
    return max(rules.keep_last * pause, timedelta(days=rules.keep_daily), within)


def of_rules(keeps: Sequence[str]) -> None:
    """Say what each scheduled backup deletes, or that nothing is deleted."""
    if keeps:
        click.echo(
            f"Each scheduled backup ends with retention: {', '.join(keeps)}. Backups that no rule keeps are deleted.",
            err=True,
        )
        return
    click.echo(
        "No --keep rule is set, so nothing is deleted and each scheduled backup adds a claim. Set a rule, for instance "
        "--keep-daily 7. List the backups: threescale-backup list -n NAMESPACE. Delete one: kubectl delete pvc NAME.",
        err=True,
    )


def told(time: timedelta) -> str:
    """Write a duration as hours, or as whole days."""
    hours = int(time.total_seconds()) // 3600
    return f"{hours} h" if hours % _DAY_H else f"{hours // _DAY_H} d"
