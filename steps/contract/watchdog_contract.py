"""What a person may ask of the watchdog, and what its phase is told and gives."""

from functools import partial

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Output, maybe

STATES = ("running", "complete", "failed", "unknown", "damaged")  # of which a backup may be in two


class WatchdogArguments(Declared):
    """Arguments of `threescale-watchdog`."""

    max_age: values.DurationText = values.MAX_AGE
    """How old the newest complete backup may be, in years, months, weeks, days and hours, for instance 26h or 8d."""
    schedule: values.ScheduleOrNone = "threescale-backup-schedule"
    """The CronWorkflow that should make the backups, to tell what became of it. Empty: none is looked at."""


_or_nan = partial(Output, default="NaN")  # a number that nobody may know


class Watch(DeclaredPhase, WatchdogArguments):
    """See whether the newest backup is as young as it should be; the facts are told in either case."""

    command = ("watch",)
    judges = True
    gives = (
        maybe("watched", "When the catalogue was read, in Unix time as all moments here."),
        _or_nan("newest", "When the newest complete backup began; 0 where there is none."),
        _or_nan("verified", "When every byte of a backup was last found right; 0 is never."),
        _or_nan("proven", "When a backup was last restored for trial; 0 is never."),
        _or_nan("newest-files", "Files of the newest complete backup."),
        _or_nan("newest-bytes", "Bytes of those files."),
        _or_nan("newest-capacity", "Bytes that its claim has."),
        _or_nan("before-files", "Files of the complete backup before it."),
        _or_nan("before-bytes", "Bytes of those files."),
        _or_nan("scheduled", "1 where the schedule is there and not suspended, else 0."),
        *(_or_nan(state, f"Backups that are {state}.") for state in STATES),
    )
