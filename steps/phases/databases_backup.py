"""The commands of the phases that copy databases, in the order in which they run. Their image has the clients."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

from steps import errors
from steps.archive.manifest import Report
from steps.contract import database_contract as declared
from steps.contract import values
from steps.contract.values import NO, YES
from steps.databases import logins, redis_database, system_database
from steps.databases.survey import Surveyed
from steps.kubernetes.cluster import Cluster
from steps.phases import saved_part
from steps.phases.command_line import PhaseGroup
from steps.phases.run import Run
from steps.plans.plan import Does
from steps.process import interruption

log = logging.getLogger(__name__)
databases_backup_phases = PhaseGroup(
    "databases-backup", help="Phases that copy the databases, in the order in which they run."
)

_LOOK_S = 2.0


@databases_backup_phases.phase(declared.BackupDatabases)
def _ask(run: Run, told: declared.BackupDatabases) -> None:
    run.tell_plan(plan_only=run.given.is_plan("backup"))
    run.need("databases")
    cluster, chosen = run.cluster(), values.DATABASES.chosen(told.databases)
    lines, refused = [], {}
    for name in values.DATABASES.every:
        if name not in chosen:
            lines.append([Does.YOURS.value, f"Database {name}", "not copied: back it up yourself"])
            continue
        try:
            found = _surveyed(cluster, name, told)
        except errors.Final as error:
            refused[name] = str(error)
            continue
        lines.append([Does.SAVE.value, f"Database {name}", f"{found.words}, {found.size_bytes} bytes on its server"])
        lines += [[Does.WARNING.value, f"Database {name}", each] for each in found.warnings]
    if refused:
        passing = [name for name in chosen if name not in refused]
        raise errors.DatabasesRefused(list(refused.values()), ",".join(passing) or "none")
    for line in lines:
        log.info("%s  %s  %s", *line)
    run.output(copied_databases=",".join(chosen), database_lines=json.dumps(lines))
    run.output(**{f"copies_{name}": YES if name in chosen else NO for name in values.DATABASES.every})


def _surveyed(cluster: Cluster, name: str, told: declared.BackupDatabases) -> Surveyed:
    keys = logins.keys(cluster, name, told.database_credentials)
    if name == logins.SYSTEM_DATABASE:
        return system_database.survey(logins.system_database(keys), told.credentials)
    found = redis_database.survey(redis_database.of(name, keys), told.credentials)
    if name == logins.BACKEND_REDIS:
        return found._replace(warnings=_drained(redis_database.of(name, keys), told))
    return found


def _drained(addresses: redis_database.Addresses, told: declared.BackupDatabases) -> tuple[str, ...]:
    """Wait until the queues of Backend are empty. Return a warning if they are not."""
    until = time.monotonic() + told.drain_minutes * 60
    while (jobs := redis_database.queued(addresses, told.credentials)) and time.monotonic() < until:
        interruption.sleep(_LOOK_S)
    return (f"{jobs} jobs are queued, which may be counted twice or lost",) if jobs else ()


@databases_backup_phases.phase(declared.BackupSystemDatabase)
def _save_system_database(run: Run, told: declared.BackupSystemDatabase) -> None:
    def save() -> Report:
        address = logins.system_database(_keys(run, told))
        return system_database.save(address, told.backup, told.credentials)

    _save(run, told, save, "rows")


@databases_backup_phases.phase(declared.BackupBackendRedis)
def _save_backend_redis(run: Run, told: declared.BackupBackendRedis) -> None:
    _save(run, told, partial(_save_redis, run, told), "keys")


@databases_backup_phases.phase(declared.BackupSystemRedis)
def _save_system_redis(run: Run, told: declared.BackupSystemRedis) -> None:
    _save(run, told, partial(_save_redis, run, told), "keys")


def _save_redis(run: Run, told: declared.BackupBackendRedis | declared.BackupSystemRedis) -> Report:
    name = told.command[-1]
    return redis_database.save(name, redis_database.of(name, _keys(run, told)), told.backup, told.credentials)


def _keys(run: Run, told: declared.SaveDatabase) -> Mapping[str, str]:
    return logins.keys(run.cluster(), told.command[-1], told.database_credentials)


def _save(run: Run, told: declared.SaveDatabase, save: Callable[[], Report], unit: str) -> None:
    found = saved_part.save(run, told, told.command[-1], save).database
    if found:
        run.output(**{unit: sum(found.counts.values()), "bytes": found.size_bytes})
