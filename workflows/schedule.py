"""The backup by night, and the watchdog: thin CronWorkflows that start a WorkflowTemplate and name nothing.

Without a `name` each night's backup is called as its workflow, so each has a claim of its own.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import available_timezones

from hera.workflows import CronWorkflow, Parameter
from hera.workflows.models import WorkflowMetadata, WorkflowTemplateRef

from workflows import backup, watchdog
from workflows.parameters import BackupParameters, declare
from workflows.phases import Settings
from workflows.template import PART_OF

NAME = "threescale-backup-schedule"  # Argo allows 52 characters, it adds the time
WATCH_NAME = "threescale-watchdog-schedule"
_FIELDS = 5
_OF_ONE_NIGHT = "it suits one night only, each backup needs its own"
_REFUSED = {
    "name": _OF_ONE_NIGHT,
    "volume-name": _OF_ONE_NIGHT,
    "plan": "by night backups are made, not planned",
    "schedule": "it is the CronWorkflow's own name",
}
_MISSED_S = 3600  # how late a night may begin after the controller was down


class BadScheduleError(ValueError):
    """A schedule that Argo would refuse only after it was applied; the text says what is wrong."""


def schedule(
    settings: Settings, cron: str, timezone: str, arguments: Mapping[str, str] = MappingProxyType({})
) -> CronWorkflow:
    """Build the CronWorkflow of the backups; `arguments` are those of each night's.

    Raises:
        BadScheduleError: no five fields, no time zone of the IANA database, no argument of a backup by night.
    """
    _check_times(cron, timezone)
    _check(arguments)
    return _cron_workflow(
        settings, Cron(NAME, cron, timezone, backup.NAME, "backup", 7), {**arguments, "schedule": NAME}
    )


def watch(settings: Settings, cron: str, timezone: str, max_age: str) -> CronWorkflow:
    """Build the CronWorkflow of the watchdog; one that was missed is made up for, so that an outage is told of.

    Raises:
        BadScheduleError: no five fields, no time zone of the IANA database.
    """
    _check_times(cron, timezone)
    asked = {"max-age": max_age, "schedule": NAME}
    return _cron_workflow(settings, Cron(WATCH_NAME, cron, timezone, watchdog.NAME, "watchdog", 3), asked)


class Cron(NamedTuple):
    """What differs between two CronWorkflows; `kept` is how many workflows of either end stay."""

    name: str
    schedule: str
    timezone: str
    template: str
    kind: str
    kept: int


_TITLES = {"backup": "Back up 3scale by schedule", "watchdog": "See by schedule whether 3scale is backed up"}


def _cron_workflow(settings: Settings, cron: Cron, arguments: Mapping[str, str]) -> CronWorkflow:
    """Never two at once, never one in the place of one that runs, and after an outage the last that was missed.

    Argo names each workflow after the CronWorkflow and the time, so that none meets another's name.
    """
    return CronWorkflow(
        name=cron.name,
        namespace=settings.namespace,
        labels=PART_OF,
        annotations={"workflows.argoproj.io/title": _TITLES[cron.kind]},
        schedules=[cron.schedule],
        timezone=cron.timezone,
        concurrency_policy="Forbid",
        starting_deadline_seconds=_MISSED_S,
        successful_jobs_history_limit=cron.kept,
        failed_jobs_history_limit=cron.kept,
        workflow_metadata=WorkflowMetadata(labels={"threescale-backup/kind": cron.kind}),
        workflow_template_ref=WorkflowTemplateRef(name=cron.template),
        arguments=[Parameter(name=name, value=value) for name, value in arguments.items()],
    )


def _check_times(cron: str, timezone: str) -> None:
    if not cron.startswith("@") and len(cron.split()) != _FIELDS:
        raise BadScheduleError(f'{cron!r} is no cron schedule: write five fields, for instance "0 2 * * *"')
    if timezone not in available_timezones():
        raise BadScheduleError(f"{timezone!r} is no time zone of the IANA database, for instance Europe/Madrid or UTC")


def _check(arguments: Mapping[str, str]) -> None:
    """Refuse what Argo would hand on unread, night after night."""
    known = {str(parameter.name): parameter.enum for parameter in declare(BackupParameters)}
    for name, reason in _REFUSED.items():
        if name in arguments:
            raise BadScheduleError(f"argument {name}: {reason}")
        del known[name]
    for name, value in arguments.items():
        if name not in known:
            raise BadScheduleError(f"{name!r} is no argument of a backup: it has {', '.join(known)}")
        if (choices := known[name]) and value not in choices:
            raise BadScheduleError(f"argument {name}: {value!r} is none of {', '.join(map(repr, choices))}")
