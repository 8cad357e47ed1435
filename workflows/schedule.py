"""The schedules: small CronWorkflows. Each starts a WorkflowTemplate and names no backup.

Without a `name`, each scheduled backup has the name of its workflow, and so a claim of its own. Without a `claim-name`,
a verification or a drill takes the next backup.

Two runs of a schedule never run at once, and a new run never replaces a running one. After an outage, Argo starts the
last missed run if it is no older than an hour. So an outage is reported, too.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import available_timezones

from hera.workflows import CronWorkflow, Parameter
from hera.workflows.models import WorkflowMetadata, WorkflowTemplateRef
from pydantic import ValidationError

from steps.contract.backup_contract import BackupArguments
from steps.contract.declaration import Declared, DeclaredField, fields_of
from steps.contract.drill_contract import DrillArguments
from steps.contract.names import KIND
from steps.contract.prune_contract import RepositoryPruneArguments
from steps.contract.verify_contract import VerifyArguments
from steps.contract.watchdog_contract import WatchdogArguments
from workflows import backup, drill, repository_prune, verify, watchdog
from workflows.rendering import cron as clock
from workflows.rendering.labels import TITLE
from workflows.rendering.parameters import declare
from workflows.rendering.settings import Settings

NAME = "threescale-backup-schedule"  # Argo allows 52 characters, it adds the time
_OF_ONE_NIGHT = "a schedule can't set it, because each backup needs another value"
_MISSED_S = 3600  # how late a run may start after the controller was down


class Cron(NamedTuple):
    """A requested CronWorkflow: its operation, cron schedule and arguments."""

    of: str
    cron: str
    arguments: Mapping[str, str]


class _Kind(NamedTuple):
    """The differences between the CronWorkflows of the operations."""

    template: str
    model: type[Declared]
    noun: str
    title: str
    refused: Mapping[str, str]
    fixed: Mapping[str, str] = {}
    kept: int = 7  # how many succeeded and how many failed workflows Argo keeps


_NEXT = {"claim-name": "each run takes the next backup"}
_KINDS = {
    "backup": _Kind(
        backup.NAME,
        BackupArguments,
        "a backup",
        "Back up 3scale by schedule",
        {
            "name": _OF_ONE_NIGHT,
            "volume-name": _OF_ONE_NIGHT,
            "plan": "a schedule makes backups, not plans",
            "repository-init": "it is for one run only. Give it to a backup or a push that you submit yourself",
            "schedule": "it is always the name of the CronWorkflow",
        },
        {"schedule": NAME},
    ),
    "verify": _Kind(verify.NAME, VerifyArguments, "a verification", "Verify the backups by schedule", _NEXT),
    "drill": _Kind(drill.NAME, DrillArguments, "a drill", "Restore the backups for trial by schedule", _NEXT),
    "repository-prune": _Kind(
        repository_prune.NAME,
        RepositoryPruneArguments,
        "the freeing of room in the repositories",
        "Free room in the repositories by schedule",
        {},
    ),
    "watchdog": _Kind(
        watchdog.NAME, WatchdogArguments, "the watchdog", "Check by schedule that 3scale is backed up", {}, kept=3
    ),
}


class BadScheduleError(ValueError):
    """A schedule that Argo would refuse only after `kubectl apply`. The text says what is wrong."""


def check_cron(cron: str) -> str:
    """Return a cron schedule that Argo takes. Raises BadScheduleError."""
    if mistake := clock.mistake(cron):
        raise BadScheduleError(f"{cron!r} is not a valid cron schedule: {mistake}")
    return cron


def check_timezone(timezone: str) -> str:
    """Return a time zone that the IANA database has. Raises BadScheduleError."""
    if timezone not in available_timezones():
        raise BadScheduleError(f"{timezone!r} is not a time zone of the IANA database, such as Europe/Madrid or UTC")
    return timezone


def arguments(of: str) -> list[DeclaredField]:
    """Return the arguments that a schedule of an operation can set."""
    kind = _KINDS[of]
    return [each for each in fields_of(kind.model) if each.told_as not in kind.refused]


def mistakes(of: str, arguments: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the arguments that Argo would not check and each run of an operation would refuse: name, sentence."""
    kind = _KINDS[of]
    known = {name: parameter.enum for name, parameter in declare(kind.model).items() if name not in kind.refused}
    for name, value in arguments.items():
        if name in kind.refused:
            yield name, kind.refused[name]
        elif name not in known:
            yield name, f"{name!r} is not an argument of {kind.noun}. Choose one of {', '.join(known)}"
        elif (choices := known[name]) and value not in choices:
            yield name, f"{value!r} is not one of {', '.join(map(repr, choices))}"
    try:
        kind.model.model_validate({name: value for name, value in arguments.items() if name in known})
    except ValidationError as error:
        for problem in error.errors():
            if not known[name := str(problem["loc"][0])]:  # else it was named above
                yield name, problem["msg"].removeprefix("Value error, ")


def schedule(
    settings: Settings,
    cron: str,
    timezone: str,
    arguments: Mapping[str, str] = MappingProxyType({}),
    *,
    of: str = "backup",
) -> CronWorkflow:
    """Build the CronWorkflow of an operation. Each of its runs gets `arguments`.

    Raises:
        BadScheduleError: Argo would refuse the schedule, the IANA database does not have the time zone, or a schedule
            of this operation can't set an argument.
    """
    kind = _KINDS[of]
    for name, sentence in mistakes(of, arguments):
        raise BadScheduleError(f"argument {name}: {sentence}")
    told = {**arguments, **kind.fixed}
    if of == "backup" and settings.database_image:
        told["databases"] = settings.databases
    return CronWorkflow(
        name=f"{kind.template}-schedule",
        namespace=settings.namespace,
        labels=settings.labels,
        annotations={TITLE: kind.title},
        schedules=[check_cron(cron)],
        timezone=check_timezone(timezone),
        concurrency_policy="Forbid",
        starting_deadline_seconds=_MISSED_S,
        successful_jobs_history_limit=kind.kept,
        failed_jobs_history_limit=kind.kept,
        workflow_metadata=WorkflowMetadata(labels={KIND: of, **settings.argo.labels}),
        workflow_template_ref=WorkflowTemplateRef(name=kind.template),
        arguments=[Parameter(name=name, value=value) for name, value in told.items()] or None,
    )
