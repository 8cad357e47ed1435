"""The arguments of the watchdog, and the inputs and outputs of its phase."""

from functools import partial
from typing import Annotated

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Output, maybe
from steps.contract.value_kinds import OrNothing

STATES = ("running", "complete", "failed", "unknown", "damaged")  # of backups; a damaged one is in another state too


class WatchdogArguments(Declared):
    """Arguments of `threescale-watchdog`."""

    max_age: values.DurationText = values.MAX_AGE
    """Fail if the newest complete backup began longer ago than this, for instance 26h or 8d. Write years, months,
    weeks, days and hours as y, m, w, d and h."""
    schedule: values.ScheduleOrNone = "threescale-backup-schedule"
    """Report also the state of this CronWorkflow, which starts the backups. If empty, no CronWorkflow is checked."""
    pushed_max_age: values.DurationOrNone = ""
    """Fail if the newest backup with a copy in the repositories began longer ago than this, for instance 26h. If empty,
    copies are not checked."""
    repositories: Annotated[str, OrNothing(values.SECRETS)] = ""
    """Report damaged snapshots in the repositories of these Secrets, separated by commas."""

    lock_warning: values.DurationOrNone = ""
    """Fail if the store locks what the newest copy needs for less than this, for instance 7d. If empty, locks are not
    checked. A store whose locks are unknown is not reported."""


_or_nan = partial(Output, default="NaN")  # a number that may be unknown


class Watch(DeclaredPhase, WatchdogArguments):
    """Report the state of the backups, and fail if the newest backup is too old."""

    command = ("watch",)
    judges = True
    gives = (
        maybe("watched", "Unix time when the catalogue was read."),
        _or_nan("newest", "Unix time when the newest complete backup began, 0 if there is none."),
        _or_nan("verified", "Unix time when a backup was last verified in full and found correct, 0 if never."),
        _or_nan("proven", "Unix time when a backup was last restored for trial, 0 if never."),
        _or_nan("newest-files", "Number of files in the newest complete backup."),
        _or_nan("newest-bytes", "Number of bytes in the files of the newest complete backup."),
        _or_nan("newest-capacity", "Capacity in bytes of the claim of the newest complete backup."),
        _or_nan("before-files", "Number of files in the complete backup before the newest one."),
        _or_nan("before-bytes", "Number of bytes in the files of the complete backup before the newest one."),
        _or_nan(
            "pushed", "Unix time when the newest backup with a copy in the repositories began, 0 if there is none."
        ),
        _or_nan("damaged-snapshots", "Number of snapshots in the repositories that are marked as damaged."),
        _or_nan("locked-until", "Unix time when the first lock of the newest copy ends, 0 if an object has none."),
        _or_nan("scheduled", "1 if the CronWorkflow of the backups exists and is not suspended, else 0."),
        *(_or_nan(state, f"Number of backups in the state {state}.") for state in STATES),
    )
