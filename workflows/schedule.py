"""The backup by night: a thin CronWorkflow that starts the WorkflowTemplate and names nothing.

Without a `name` each night's backup is called as its workflow, so each has a claim of its own.
"""

from collections.abc import Mapping
from types import MappingProxyType
from zoneinfo import available_timezones

from hera.workflows import CronWorkflow, Parameter
from hera.workflows.models import WorkflowMetadata, WorkflowTemplateRef

from workflows import backup
from workflows.parameters import BackupParameters, declare
from workflows.phases import Settings
from workflows.template import PART_OF

NAME = "threescale-backup-schedule"  # Argo allows 52 characters, it adds the time
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
    """Build the CronWorkflow; `arguments` are those of each night's backup.

    Raises:
        BadScheduleError: no five fields, no time zone of the IANA database, no argument of a backup by night.
    """
    if not cron.startswith("@") and len(cron.split()) != _FIELDS:
        raise BadScheduleError(f'{cron!r} is no cron schedule: write five fields, for instance "0 2 * * *"')
    if timezone not in available_timezones():
        raise BadScheduleError(f"{timezone!r} is no time zone of the IANA database, for instance Europe/Madrid or UTC")
    _check(arguments)
    return CronWorkflow(
        name=NAME,
        namespace=settings.namespace,
        labels=PART_OF,
        annotations={"workflows.argoproj.io/title": "Back up 3scale by schedule"},
        schedules=[cron],
        timezone=timezone,
        concurrency_policy="Forbid",
        starting_deadline_seconds=_MISSED_S,
        successful_jobs_history_limit=7,
        failed_jobs_history_limit=7,
        workflow_metadata=WorkflowMetadata(labels={"threescale-backup/kind": "backup"}),
        workflow_template_ref=WorkflowTemplateRef(name=backup.NAME),
        arguments=[Parameter(name=name, value=value) for name, value in {**arguments, "schedule": NAME}.items()],
    )


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
