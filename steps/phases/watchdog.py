"""The phase of the watchdog: check that backups still come, and fail with the reason if the newest is too old.

A failed run can report itself. A run that never started cannot. So the watchdog reads the claims, which outlive their
workflows, the controller and the schedule. If a backup is overdue, it also reports the state of these. The same facts
go to Prometheus (`workflows/monitoring/metrics.py`). There zero is a time that never was, NaN an unknown number.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from steps import errors
from steps.catalogue import catalogue
from steps.catalogue.catalogue import BackupEntry, BackupState
from steps.catalogue.durations import Duration
from steps.contract.names import INSTANCE_ID
from steps.contract.watchdog_contract import Watch
from steps.kubernetes import fields, times
from steps.kubernetes.claims import quantity
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CRON_WORKFLOW
from steps.kubernetes.times import now
from steps.phases.command_line import PhaseCommand
from steps.phases.run import Run
from steps.repository import ledger, remembered
from steps.repository.ledger import Lock

log = logging.getLogger(__name__)
NEVER = "0"
UNKNOWN = "NaN"
_CUT = 56  # of the 64 characters of a snapshot's ID
_DAYS_FROM_H = 72  # a shorter age is written in hours
_BEGINNING = datetime.min.replace(tzinfo=UTC)


class Going(StrEnum):
    """The state of a schedule."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    GONE = "gone"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Schedule:
    """A CronWorkflow. `last` is when it last started a workflow. `instance_id` is that of its controller."""

    name: str
    going: Going
    last: datetime | None = None
    instance_id: str = ""


@dataclass(frozen=True)
class Look:
    """The facts that the watchdog has read. `failed_run` is the result of `catalogue.failed_run`."""

    namespace: str
    now: datetime
    entries: Sequence[BackupEntry]
    schedule: Schedule
    failed_run: str = ""
    repositories: Sequence[str] = ()
    damaged: Sequence[str] = ()  # REPOSITORY/ID of snapshots
    locks: Mapping[str, Lock] = field(default_factory=dict)  # by repository, where the store locks anything

    @property
    def good(self) -> list[BackupEntry]:
        """The backups that can be restored, the newest first."""
        whole = [
            entry
            for entry in self.entries
            if entry.state is BackupState.COMPLETE and not (entry.damaged or entry.going)
        ]
        return sorted(whole, key=lambda entry: entry.began, reverse=True)

    def check(self, max_age: Duration, limit: str) -> BackupEntry:
        """Return the newest backup. `limit` is the maximum age as the argument gives it, for the message.

        Raises:
            errors.NoBackup, errors.BackupOverdue

        """
        newest = next(iter(self.good), None)
        if newest is None:
            raise errors.NoBackup(self.namespace, list(self._why(_BEGINNING)))
        oldest = max_age.before(self.now)
        if newest.began < oldest:
            age = told(self.now - newest.began)
            raise errors.BackupOverdue(newest.name, self.namespace, age, limit, list(self._why(oldest)))
        return newest

    def check_copies(self, max_age: Duration | None, limit: str) -> None:
        """Check that a backup with a copy in the repositories is young enough, and that no copy is damaged.

        Without `max_age` the age is not checked.

        Raises:
            errors.NotPushed, errors.CopiesDamaged

        """
        newest = self.pushed
        if max_age and (newest is None or newest.began < max_age.before(self.now)):
            name, age = (newest.name, told(self.now - newest.began)) if newest else ("", "")
            raise errors.NotPushed(self.namespace, name, age, limit)
        if self.damaged:
            raise errors.CopiesDamaged([each[:-_CUT] for each in self.damaged])

    def check_locks(self, warning: Duration | None, limit: str) -> None:
        """Check that the newest copies are locked for longer than `warning`. Without it nothing is checked.

        Raises:
            errors.LockEnds, errors.LockLacking

        """
        for name, lock in self.locks.items() if warning else ():
            if lock.lacking:
                raise errors.LockLacking(name, lock.backup, lock.lacking, lock.needed)
            if warning and lock.until and warning.before(lock.until) < self.now:
                raise errors.LockEnds(name, lock.backup, times.utc(lock.until), limit)

    @property
    def locked_until(self) -> str:
        """When the first lock ends, as a Unix time. Unknown if no store locks anything."""
        ends = [NEVER if lock.lacking else _unix(lock.until) for lock in self.locks.values()]
        return min(ends, key=int, default=UNKNOWN)

    @property
    def pushed(self) -> BackupEntry | None:
        """The newest backup that has a copy in each repository."""
        return next((entry for entry in self.good if entry.pushed), None)

    def well(self, newest: BackupEntry) -> str:
        """Return the message if the newest backup is young enough, with a warning if the schedule is off."""
        age = told(self.now - newest.began)
        return ". ".join([f"the newest complete backup, {newest.name}, began {age} ago", *self._off()])

    def facts(self) -> Mapping[str, str]:
        """Return the facts as numbers, by names of output parameters. Times are Unix times."""
        newest, before = [*self.good[:2], None, None][:2]
        return {
            "watched": _unix(self.now),
            "newest": _unix(newest.began if newest else None),
            "verified": _unix(max((entry.verified.when for entry in self.good if entry.verified), default=None)),
            "proven": _unix(max((entry.proven.when for entry in self.good if entry.proven), default=None)),
            "newest-files": _number(newest.files if newest else None),
            "newest-bytes": _number(newest.size_bytes if newest else None),
            "newest-capacity": _capacity(newest.capacity if newest else ""),
            "before-files": _number(before.files if before else None),
            "before-bytes": _number(before.size_bytes if before else None),
            **{state.value: str(sum(entry.state is state for entry in self.entries)) for state in BackupState},
            "damaged": str(sum(bool(entry.damaged) for entry in self.entries)),
            "pushed": _unix(self.pushed.began if self.pushed else None) if self.repositories else UNKNOWN,
            "damaged-snapshots": str(len(self.damaged)) if self.repositories else UNKNOWN,
            "locked-until": self.locked_until,
            "scheduled": _scheduled(self.schedule.going),
        }

    def _why(self, oldest: datetime) -> Iterator[str]:
        """Yield the possible reasons why there is no newer backup."""
        yield from self._off()
        yield from self._silent(oldest)
        good = self.good
        newer = [entry for entry in self.entries if not good or entry.began > good[0].began]
        if running := [entry for entry in newer if entry.state is BackupState.RUNNING]:
            maker, since = running[0].workflow or running[0].name, times.utc(running[0].started)
            yield f"workflow {maker} has been making a backup since {since}"
        elif failed := [entry for entry in newer if entry.state is BackupState.FAILED]:
            yield f"the last backup, {failed[0].name}, failed: {failed[0].why}"
        elif self.failed_run:
            yield f"workflow {self.failed_run} failed before it created a claim"

    def _off(self) -> Iterator[str]:
        name = self.schedule.name
        if self.schedule.going is Going.GONE:
            yield f"CronWorkflow {name} does not exist. Apply the output of `threescale-backup manifests --schedule`"
        elif self.schedule.going is Going.SUSPENDED:
            yield f"CronWorkflow {name} is suspended. Run `argo cron resume {name}` to resume it"

    def _silent(self, oldest: datetime) -> Iterator[str]:
        name, last = self.schedule.name, self.schedule.last
        if self.schedule.going is Going.ACTIVE and (last is None or last < oldest):
            since = f"since {times.utc(last)}" if last else "yet"
            yield f"CronWorkflow {name} has started no workflow {since}. Check Argo's controller and its log"
            if last is None:
                yield self._instance()

    def _instance(self) -> str:
        """Return which controllers start the workflows of a schedule that has never started any."""
        name, instance_id = self.schedule.name, self.schedule.instance_id
        if instance_id:
            return f"Only a controller with the instanceID {instance_id} runs CronWorkflow {name}"
        return f"A controller with an instanceID ignores CronWorkflow {name}, which has no label {INSTANCE_ID}"


def look(cluster: Cluster, schedule: str, now: datetime, repositories: str = "") -> Look:
    """Read the catalogue and the CronWorkflow named `schedule`. An empty name reads no CronWorkflow.

    `repositories`: names of Secrets, separated by commas. What is known of their snapshots is read too.

    Raises:
        errors.NotAllowed, errors.NoAnswer: the catalogue can't be read completely, so nothing is reported.

    """
    entries = catalogue.read(cluster)
    named = [each for each in repositories.split(",") if each]
    known = {name: ledger.read(cluster, name) for name in named}
    damaged = [f"{name}/{each}" for name, found in known.items() for each in found.damaged]
    locks = {name: found.lock for name, found in known.items() if found.lock and found.lock.until}
    failed = catalogue.failed_run(cluster, entries)
    entries += remembered.entries(known, entries)
    return Look(cluster.namespace, now, entries, _schedule(cluster, schedule), failed, named, damaged, locks)


def told(age: timedelta) -> str:
    """Return an age in words, rounded down."""
    hours = max(int(age.total_seconds()) // 3600, 0)
    return f"{hours} h" if hours < _DAYS_FROM_H else f"{hours // 24} d"


def _schedule(cluster: Cluster, name: str) -> Schedule:
    if not name:
        return Schedule(name, Going.NOT_ASKED)
    found = cluster.get(CRON_WORKFLOW, name)
    if found is None or fields.is_going(found):
        return Schedule(name, Going.GONE)
    last = times.moment(str(fields.at(found, "status", "lastScheduledTime") or ""))
    instance_id = str(fields.at(found, "metadata", "labels", INSTANCE_ID) or "")
    return Schedule(name, Going.SUSPENDED if found["spec"].get("suspend") else Going.ACTIVE, last, instance_id)


def _unix(moment: datetime | None) -> str:
    return str(int(moment.timestamp())) if moment else NEVER


def _number(number: int | None) -> str:
    return UNKNOWN if number is None else str(number)


def _capacity(text: str) -> str:
    try:
        return str(int(quantity(text)))
    except ValueError:
        return UNKNOWN


def _scheduled(going: Going) -> str:
    return UNKNOWN if going is Going.NOT_ASKED else str(int(going is Going.ACTIVE))


def _watch(run: Run, told: Watch) -> None:
    limit = Duration.read(told.max_age, "max-age")
    pushed_limit = Duration.read(told.pushed_max_age, "pushed-max-age") if told.pushed_max_age else None
    warning = Duration.read(told.lock_warning, "lock-warning") if told.lock_warning else None
    seen = look(run.cluster(), told.schedule, now(), told.repositories)
    run.output(**seen.facts())
    newest = seen.check(limit, told.max_age)
    seen.check_copies(pushed_limit, told.pushed_max_age)
    seen.check_locks(warning, told.lock_warning)
    log.info(seen.well(newest))
    for name, lock in seen.locks.items():
        log.info("repository %s: %s", name, lock)


watch = PhaseCommand(Watch, _watch)
