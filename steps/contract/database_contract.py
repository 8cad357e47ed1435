"""The arguments of the copies of databases, and the inputs and outputs of their phases.

Templates have them only where an image with the clients of databases is configured.
"""

from pathlib import Path
from typing import Annotated, ClassVar

from steps.contract import values
from steps.contract.arguments import PLAN
from steps.contract.backup_contract import BackupArguments, BackupPrepare, BackupSeal, SavePart
from steps.contract.declaration import Declared, DeclaredPhase, Output, maybe, of_run
from steps.contract.mounts import Mount
from steps.contract.told import Placed
from steps.contract.value_kinds import OrNothing

COPIED = "copied-databases"


class AskedCopies(Declared):
    databases: Annotated[str, values.DATABASES] = "all"
    """Copy these databases: `all`, `none`, or names separated by commas: system-database, backend-redis, system-redis.
    Back up the others yourself."""
    database_credentials: Annotated[str, OrNothing(values.SECRET)] = ""
    """Copy the databases with values from a Secret of this name, which you create. Its key `system-database.URL`
    replaces the key `URL` of the Secret `system-database`, for instance to use a backup user or a replica."""


class _Drain(Declared):
    drain_minutes: Annotated[float, values.MINUTES] = 2
    """Wait at most this many minutes until the queues of Backend are empty. Jobs that are still queued then may be
    counted twice or lost."""


class BackupArgumentsWithDatabases(BackupArguments, AskedCopies, _Drain):
    """Arguments of `threescale-backup` with copies of the databases."""


class DatabasePhase(DeclaredPhase):
    """A phase that asks a database. It runs on the image with their clients."""

    on_databases: ClassVar[bool] = True

    credentials: Annotated[Path, Mount.CREDENTIALS]
    """Folder in memory for passwords and certificates."""


class BackupDatabases(DatabasePhase, AskedCopies, _Drain):
    """Ask each database whether it can be copied, before anything is written."""

    command = ("databases-backup", "databases")
    judges = True
    gives = (
        Output(COPIED, "Names of the databases that are copied, separated by commas."),
        *(Output(f"copies-{name}", f"`yes` if {name} is copied, else `no`.") for name in values.DATABASES.every),
        Output("database-lines", "Lines of the plan about the databases, as JSON."),
        of_run(PLAN, "`only` if the run is a plan and creates nothing, else `no`."),
    )


class _Planned(Declared):
    copied_databases: values.NamesTold = None
    """Names of the databases that are copied, separated by commas."""


class BackupPrepareWithDatabases(BackupPrepare, _Planned):
    """Plan the backup, check that nothing prevents the backup, and create the claim."""

    database_lines: str = ""
    """Lines of the plan about the databases, as JSON."""


class BackupSealWithDatabases(BackupSeal, _Planned):
    """Compare the volume with the reports of the phases, write the manifest, and mark the claim as complete."""


class SaveDatabase(SavePart, DatabasePhase, Placed):
    """A phase that copies a database."""

    gives = (
        maybe("rows", "Number of rows that were copied."),
        maybe("keys", "Number of keys that were copied."),
        maybe("bytes", "Number of bytes that were copied."),
    )

    database_credentials: Annotated[str, OrNothing(values.SECRET)] = ""
    """Name of a Secret whose values replace those of the databases' Secrets."""


class BackupSystemDatabase(SaveDatabase):
    """Dump System's database as of one moment, which is the moment of the backup."""

    command = ("databases-backup", "system-database")


class BackupBackendRedis(SaveDatabase):
    """Copy the keys of Backend's Redis: usage, alerts, and the configuration of Backend."""

    command = ("databases-backup", "backend-redis")


class BackupSystemRedis(SaveDatabase):
    """Copy the keys of System's Redis: the jobs of Sidekiq."""

    command = ("databases-backup", "system-redis")
