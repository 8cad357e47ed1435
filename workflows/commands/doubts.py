"""What is rendered as it was asked for, though one night it will not do what was meant: that is said on stderr."""

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
    """Say which night has no run because its clock leaves out the hour; `crons` are by their options."""
    now = datetime.now(UTC)
    for option, text in crons.items():
        if text is not None and (moment := cron.skipped(text, timezone, now)):
            click.echo(
                f"{option} {text!r}: {timezone} has no {moment:%H:%M} on {moment:%Y-%m-%d}, when its clock is put "
                "forward, and nothing is started then: another hour, such as 4, is there in every night",
                err=True,
            )


def of_shares(verify: str, sample: str, limit: timedelta | None, kept: timedelta) -> None:
    """Say where a verification by shares takes longer than an alert waits for it, or than every backup is kept."""
    share, pause = Fraction(sample.removesuffix("%") or 0) / 100, cron.pause(verify)
    if not share or pause is None:
        return
    taken = ceil(1 / share) * pause
    begin = f"--verify-argument sample={sample}: all of a backup is read within {told(taken)}"
    if limit is not None and taken > limit:
        click.echo(f"{begin}, and --verified-every waits {told(limit)}: take a larger share, or wait longer", err=True)
    if timedelta(0) < kept < taken:
        click.echo(f"{begin}, and the rules keep each for {told(kept)}: take a larger share, or keep more", err=True)


def kept(rules: "PruneArguments", schedule: str | None) -> timedelta:
    """For how long every night's backup is kept; zero where no rule is for nights, or nothing is deleted by night."""
    from steps.catalogue.durations import Duration

    if schedule is None:
        return timedelta(0)
    pause, now = cron.pause(schedule) or timedelta(0), datetime.now(UTC)
    within = now - Duration.read(rules.keep_within, "").before(now) if rules.keep_within else timedelta(0)
    return max(rules.keep_last * pause, timedelta(days=rules.keep_daily), within)


def of_rules(keeps: Sequence[str]) -> None:
    """Say what each night deletes, or that nothing is deleted."""
    if keeps:
        click.echo(f"Each night ends with retention: {', '.join(keeps)}. What goes is deleted.", err=True)
        return
    click.echo(
        "No rule says what to keep, so nothing is deleted and each night adds a claim: say --keep-daily 7, for "
        "instance. See them: threescale-backup list -n NAMESPACE; delete one: kubectl delete pvc NAME",
        err=True,
    )


def told(time: timedelta) -> str:
    """A time in words."""
    hours = int(time.total_seconds()) // 3600
    return f"{hours} h" if hours % _DAY_H else f"{hours // _DAY_H} d"
