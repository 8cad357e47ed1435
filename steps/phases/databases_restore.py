"""The commands of the phases that fill databases, in the order in which they run. Their image has the clients."""

import json
import logging
from collections.abc import Mapping

from steps import errors
from steps.archive.contents import Backup
from steps.archive.manifest import DatabaseCopy
from steps.contract import database_contract as declared
from steps.contract import values
from steps.contract.values import NO, YES
from steps.databases import logins, redis_database, system_database
from steps.databases.target import Becomes, DatabaseTarget
from steps.kubernetes.cluster import Cluster
from steps.parts.secrets import Databases
from steps.phases import opened_backup
from steps.phases.command_line import PhaseGroup
from steps.phases.opened_backup import Restoration
from steps.phases.run import Run
from steps.plans.plan import Does

log = logging.getLogger(__name__)
databases_restore_phases = PhaseGroup(
    "databases-restore", help="Phases that fill the databases, in the order in which they run."
)
EXTERNAL, RESTORE = "external", "restore"


@databases_restore_phases.phase(declared.RestoreDatabases)
def _ask(run: Run, told: declared.RestoreDatabases) -> None:
    run.need("databases")
    restore = opened_backup.open_again(run, told.backup, told.claim, "")
    targets = dict.fromkeys(values.DATABASES.every, DatabaseTarget(Becomes.YOURS, "not in the backup"))
    if not restore.is_done():
        copies = _copies(restore.backup, told)
        targets = {name: _target(restore, told, name, copies.get(name)) for name in values.DATABASES.every}
    lines = [[_WORDS[each.becomes].value, f"Database {name}", each.words] for name, each in targets.items()]
    lines += [
        [Does.WARNING.value, f"Database {name}", words] for name, each in targets.items() for words in each.warnings
    ]
    actions = {each.becomes for each in targets.values()}
    if {Becomes.FILLED, Becomes.LEFT} <= actions:
        how = "some are filled and some are left, so usage and accounts may not fit together"
        lines.append([Does.WARNING.value, "the databases", how])
    for line in lines:
        log.info("%s  %s  %s", *line)
    run.output(database_lines=json.dumps(lines))
    run.output(**{f"fills_{name}": YES if each.becomes is Becomes.FILLED else NO for name, each in targets.items()})


_WORDS = {Becomes.FILLED: Does.CREATE, Becomes.LEFT: Does.KEEP, Becomes.YOURS: Does.YOURS}


def _copies(backup: Backup, told: declared.RestoreDatabases) -> Mapping[str, DatabaseCopy]:
    """Return the copies that a restore may use.

    Raises:
        errors.DatabaseNotInBackup

    """
    found = (backup.manifest.databases if backup.manifest else None) or {}
    if told.databases == RESTORE and (lacking := [name for name in values.DATABASES.every if name not in found]):
        raise errors.DatabaseNotInBackup(lacking)
    return {} if told.databases == EXTERNAL else found


def _target(
    restore: Restoration, told: declared.RestoreDatabases, name: str, copy: DatabaseCopy | None
) -> DatabaseTarget:
    """Ask a database what it holds. System's is asked even if the backup has no copy, because 3scale would found one.

    Raises:
        as `system_database.look`, `redis_database.look`; errors.DatabaseTaken

    """
    if name != logins.SYSTEM_DATABASE and copy is None:
        return DatabaseTarget(Becomes.YOURS, "not in the backup, restore it yourself")
    keys = _keys(restore.cluster, restore.backup, told, name)
    if name != logins.SYSTEM_DATABASE and copy:
        addresses = redis_database.of(name, keys)
        found = redis_database.look(name, addresses, copy, restore.backup.digest, told.credentials)
    else:
        found = _of_system(keys, told, copy)
    if told.databases == RESTORE and found.becomes is Becomes.LEFT:
        raise errors.DatabaseTaken(name, found.words)
    return found


def _of_system(keys: Mapping[str, str], told: declared.RestoreDatabases, copy: DatabaseCopy | None) -> DatabaseTarget:
    """Ask System's database. One that is the person's and can't be asked is a warning."""
    try:
        return system_database.look(logins.system_database(keys), copy, told.credentials)
    except (errors.DatabaseEngineUnknown, errors.DatabaseNoAnswer, errors.DatabaseTlsRefused) as error:
        if copy is not None:
            raise
        return DatabaseTarget(Becomes.YOURS, "restore it yourself", (f"it was not asked: {error}",))


@databases_restore_phases.phase(declared.RestoreSystemDatabase)
def _fill_system_database(run: Run, told: declared.RestoreSystemDatabase) -> None:
    restore, copy, keys = _opened(run, told)
    if copy:
        rows = system_database.restore(logins.system_database(keys), restore.backup, copy, told.credentials)
        run.output(rows=rows)
        restore.note(told.command[-1], counts={"rows": rows})


@databases_restore_phases.phase(declared.RestoreBackendRedis)
def _fill_backend_redis(run: Run, told: declared.RestoreBackendRedis) -> None:
    _fill_redis(run, told)


@databases_restore_phases.phase(declared.RestoreSystemRedis)
def _fill_system_redis(run: Run, told: declared.RestoreSystemRedis) -> None:
    _fill_redis(run, told)


def _fill_redis(run: Run, told: declared.FillDatabase) -> None:
    restore, copy, keys = _opened(run, told)
    name = told.command[-1]
    if copy:
        queues = told.queues == RESTORE
        written = redis_database.restore(
            name, redis_database.of(name, keys), restore.backup, copy, told.credentials, queues=queues
        )
        run.output(keys=written)
        restore.note(name, counts={"keys": written})


def _opened(run: Run, told: declared.FillDatabase) -> tuple[Restoration, DatabaseCopy | None, Mapping[str, str]]:
    """Return the backup, its copy of the phase's database, and the keys of the Secret. No copy: nothing to do."""
    name = told.command[-1]
    run.need(name)
    restore = opened_backup.open_again(run, told.backup, told.claim, told.backup_digest)
    if restore.is_done():
        return restore, None, {}
    copy = (restore.backup.facts.databases or {}).get(name)
    return restore, copy, _keys(restore.cluster, restore.backup, told, name)


def _keys(
    cluster: Cluster, backup: Backup, told: declared.RestoreDatabases | declared.FillDatabase, name: str
) -> Mapping[str, str]:
    """Return the keys of a database's Secret: the person's, or the backup's with the overrides."""
    for obj in Databases.of(told).to_restore(cluster, backup):
        if obj["metadata"]["name"] == name:
            return logins.decoded(obj.get("data") or {})
    return logins.keys(cluster, name)
