"""The arguments of the copies of databases, and the inputs and outputs of their phases.

Templates have them only where an image with the clients of databases is configured.
"""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from steps.contract import values
from steps.contract.arguments import PLAN
from steps.contract.backup_contract import BackupArguments, BackupPrepare, BackupSeal, SavePart
from steps.contract.declaration import Declared, DeclaredPhase, Output, maybe, of_run
from steps.contract.mounts import Mount
from steps.contract.restore_contract import (
    AskedDatabases,
    RestoreArguments,
    RestorePlanOnly,
    RestorePrepare,
)
from steps.contract.told import Placed, ReadBackup
from steps.contract.value_kinds import OrNothing

COPIED = "copied-databases"
_EVERY = values.DATABASES.every


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
        *(Output(f"copies-{name}", f"`yes` if {name} is copied, else `no`.") for name in _EVERY),
        Output("database-lines", "Lines of the plan about the databases, as JSON."),
        of_run(PLAN, "`only` if the run is a plan and creates nothing, else `no`."),
    )


class _Planned(Declared):
    copied_databases: values.NamesTold = None
    """Names of the databases that are copied, separated by commas."""


class _Lines(Declared):
    database_lines: str = ""
    """Lines of the plan about the databases, as JSON."""


class BackupPrepareWithDatabases(BackupPrepare, _Planned, _Lines):
    """Plan the backup, check that nothing prevents the backup, and create the claim."""


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


class AskedFilling(Declared):
    databases: Literal["auto", "restore", "external"] = "auto"
    """Choose `auto` to fill each database that is empty, and to leave one that holds this installation. Choose
    `restore` to refuse the restore unless every database is empty. Choose `external` if you restore the databases."""
    queues: Literal["empty", "restore"] = "empty"
    """Choose `restore` to bring back the queued jobs of Backend and System. They may already have been done."""


class RestoreArgumentsWithDatabases(RestoreArguments, AskedFilling):
    """Arguments of `threescale-restore` with the databases."""


class RestoreDatabases(ReadBackup, DatabasePhase, AskedDatabases, AskedFilling):
    """Ask each database what it holds, and refuse before anything is written if the restore could harm it."""

    command = ("databases-restore", "databases")
    gives = (
        *(Output(f"fills-{name}", f"`yes` if {name} is filled from the backup, else `no`.") for name in _EVERY),
        Output("database-lines", "Lines of the plan about the databases, as JSON."),
    )


class RestorePlanOnlyWithDatabases(RestorePlanOnly, _Lines):
    """Print what the restore is going to do. This phase changes nothing."""


class RestorePrepareWithDatabases(RestorePrepare, _Lines):
    """Plan the restore, check that nothing prevents the restore, and create the claim system-storage."""


class FillDatabase(ReadBackup, DatabasePhase, AskedDatabases):
    """A phase that fills a database from the backup."""

    gives = (
        maybe("rows", "Number of rows that were restored."),
        maybe("keys", "Number of keys that were restored."),
    )

    queues: Literal["empty", "restore"] = "empty"
    """Whether the queued jobs come back."""
    backup_digest: str = ""
    """Digest of the manifest of the backup with which the restore began. If empty, the digest recorded on the claim is
    used."""


class RestoreSystemDatabase(FillDatabase):
    """Restore System's database, all of it or nothing."""

    command = ("databases-restore", "system-database")


class RestoreBackendRedis(FillDatabase):
    """Restore the keys of Backend's Redis."""

    command = ("databases-restore", "backend-redis")


class RestoreSystemRedis(FillDatabase):
    """Restore the keys of System's Redis."""

    command = ("databases-restore", "system-redis")
