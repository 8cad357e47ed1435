"""Warnings on stderr about manifests that are valid, but may not do what the administrator expects."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import click

from workflows.rendering import cron

if TYPE_CHECKING:
    from workflows.configuration.installation import Installation
    from workflows.configuration.reading import Source


def say(source: "Source", installation: "Installation") -> None:
    """Print the warnings, each on a line."""
    for each in (
        *_of_clocks(source, installation),
        *_of_shares(source, installation),
        *_of_rules(source, installation),
    ):
        click.echo(each, err=True)


def _of_clocks(source: "Source", installation: "Installation") -> Iterator[str]:
    """Warn about a night without a run, because its clock skips the hour."""
    now, timezone = datetime.now(UTC), installation.timezone
    for each in installation.crons:
        if moment := cron.skipped(each.cron, timezone, now):
            yield (
                f"{source.name((each.of, 'schedule'))} {each.cron!r}: {timezone} has no {moment:%H:%M} on "
                f"{moment:%Y-%m-%d}, because the clock is put forward. Nothing is started then. Choose an hour that "
                "exists in every night, such as 4."
            )


def _of_shares(source: "Source", installation: "Installation") -> Iterator[str]:
    """Warn if a verification by shares takes longer than the limit of the alert, or than each backup is kept."""
    from workflows.configuration import checks
    from workflows.configuration.checks import hours

    sample = installation.verify.arguments.get("sample", "")
    share, pause = Fraction(sample.removesuffix("%") or 0) / 100, cron.pause(installation.verify.schedule or "")
    if not share or pause is None:
        return
    taken, thresholds, kept = ceil(1 / share) * pause, checks.thresholds(installation), _kept(installation)
    limit = thresholds.verified_every if thresholds else None
    begin = f"{source.name(('verify', 'arguments'))} sample={sample}: reading a whole backup takes {hours(taken)}"
    if limit is not None and taken > limit:
        alert = source.name(("monitoring", "verifiedEvery"))
        yield f"{begin}, but {alert} is {hours(limit)}. Use a larger share or a longer time."
    if timedelta(0) < kept < taken:
        yield f"{begin}, but the rules keep a backup for {hours(kept)}. Use a larger share or keep more backups."


def _kept(installation: "Installation") -> timedelta:
    """Return how long each scheduled backup is kept.

    The result is zero if no schedule deletes backups, or if no rule for days, durations or numbers is set.
    """
    from steps.catalogue.durations import Duration

    schedule, rules = installation.backup.schedule, installation.rules
    if schedule is None:
        return timedelta(0)
    pause, now = cron.pause(schedule) or timedelta(0), datetime.now(UTC)
    within = now - Duration.read(rules.keep_within, "").before(now) if rules.keep_within else timedelta(0)
    return max(rules.keep_last * pause, timedelta(days=rules.keep_daily), within)


def _of_rules(source: "Source", installation: "Installation") -> Iterator[str]:
    """Say what each scheduled backup deletes, or that nothing is deleted."""
    keeps = installation.rules.keeps
    if installation.backup.schedule is None:
        return
    if keeps:
        yield (
            f"Each scheduled backup ends with retention: {', '.join(keeps)}. Backups that no rule keeps are deleted."
        )
        return
    rule = source.name(("retention", "keep-daily")) + (": 7" if source.file else " 7")
    yield (
        "No rule of retention is set, so nothing is deleted and each scheduled backup adds a claim. Set a rule, for "
        f"instance {rule}. List the backups: threescale-backup list -n NAMESPACE. Delete one: kubectl delete pvc NAME."
    )
