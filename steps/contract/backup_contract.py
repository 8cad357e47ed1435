"""The arguments of a backup, and the inputs and outputs of its phases."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from steps.contract import values
from steps.contract.arguments import PLAN
from steps.contract.declaration import Declared, DeclaredPhase, Marker, Output, maybe, of_run
from steps.contract.mounts import Mount
from steps.contract.push_contract import Init, Push, Repositories
from steps.contract.told import PLACE, ClaimWait, Placed, WorkersAsked
from steps.contract.value_kinds import OrNothing

CLAIM = "backupPersistentVolumeClaimName"  # the operator's spelling, in its status
APIMANAGER = "apiManagerSourceName"
PUSH = "push"


class WantedBackup(Declared):
    """The arguments that a plan depends on."""

    name: Annotated[str, OrNothing(values.BACKUP)] = ""
    """Give the backup and its claim this name, a DNS-1123 label. If empty, the name of the workflow is used."""
    storage_request: Annotated[str, values.SIZE] = "10Gi"
    """Create the claim of the backup with this size."""
    storage_class: values.StorageClassOrNone = ""
    """Create the claim of the backup with this StorageClass. If empty, the cluster's default StorageClass is used.
    Choose `none` for a claim of no StorageClass, which gets a volume that an administrator has made."""
    volume_name: Annotated[str, OrNothing(values.VOLUME)] = ""
    """Write the backup to this existing, empty PersistentVolume. The claim then has the StorageClass in
    `storage-class`, or no StorageClass if `storage-class` is empty."""
    file_storage: Literal["", "external"] = ""
    """Choose `external` if System's files are in S3. The backup then saves the location and the Secret of the bucket,
    and you back up the bucket yourself. If empty, the files are copied from their claim, and an installation that uses
    S3 is refused."""


class _Plan(Declared):
    plan: Literal["no", "only"] = "no"
    """Choose `only` to print what the backup would do. A plan creates nothing."""


class _Schedule(Declared):
    schedule: values.ScheduleOrNone = ""
    """Record that the backup was started by this CronWorkflow, which sets the argument itself. If empty, a person
    started the backup. Retention keeps the backup of a person unless retention runs with `manual=yes`."""


class BackupArguments(WantedBackup, _Plan, WorkersAsked, _Schedule, ClaimWait, Push, Init):
    """Arguments of `threescale-backup`."""


class BackupPrepare(DeclaredPhase, WantedBackup, _Plan, WorkersAsked, _Schedule, ClaimWait, Push, Init, Repositories):
    """Plan the backup, check that nothing prevents the backup, and create the claim."""

    command = ("backup", "prepare")
    judges = True
    gives = (
        Output(CLAIM, "Name of the claim that holds the backup.", of_run=CLAIM),
        Output(APIMANAGER, "Name of the APIManager of the installation."),
        *PLACE,
        Output("file-storage", "`external` if System's files are in S3, `claim` if they are in a claim."),
        Output(
            PUSH, "`required`, `best-effort` or `no`: whether the backup is copied to the repositories.", default="no"
        ),
        maybe("planned-secrets", "Names of the Secrets that the plan saves."),
        maybe("planned-configmaps", "Names of the ConfigMaps that the plan saves."),
        Output("planned-routes", "Number of Route hosts that existed when the backup was planned.", default="0"),
        maybe("prepared", "Time when `prepare` began and ended, for the result record."),
        maybe("digest", "Digest of the plan."),
        maybe("summary", "Summary of the plan in numbers."),
        maybe("names", "Lines of the plan, with the names of the objects."),
        of_run(PLAN, "`only` if the run is a plan and creates nothing, else `no`."),
        of_run("scheduled", "`yes` if a CronWorkflow started the backup, else `no`."),
    )


class _OfClaim(Declared):
    claim: Annotated[str, values.CLAIM] = Field(alias="backupPersistentVolumeClaimName")
    """Name of the claim that holds the backup."""


class _OfApiManager(Declared):
    apimanager: Annotated[str, values.OBJECT] = Field(alias="apiManagerSourceName")
    """Name of the APIManager of the installation."""


class _PlannedSecrets(Declared):
    planned_secrets: values.NamesTold = None
    """Names of the Secrets that the plan saves."""


class _PlannedConfigMaps(Declared):
    planned_configmaps: values.NamesTold = None
    """Names of the ConfigMaps that the plan saves."""


class _PlannedRoutes(Declared):
    planned_routes: Annotated[int, values.COUNT] = 0
    """Number of Route hosts that existed when the backup was planned."""


class _BesideFiles(Declared):
    """The pods that run in parallel all list both claims, so that the scheduler considers both."""

    beside: Annotated[None, Mount.SOURCE_LISTED] = None


class _FilesMounted(Declared):
    file_storage: Annotated[Path, Mount.SOURCE]
    """Folder where system-storage is mounted."""


_SAVED = (
    maybe("objects", "Number of objects that were saved."),
    maybe("files", "Number of files that were copied."),
    maybe("bytes", "Number of bytes that were copied."),
)


class SavePart(DeclaredPhase, _OfClaim):
    """A phase that saves a part of a backup."""

    gives = _SAVED

    backup: Annotated[Path, Mount.BACKUP]
    """Folder where the backup is mounted."""


class _SaveObjects(SavePart, _OfApiManager, Placed):
    """A phase that saves objects, which it finds by the APIManager."""


class BackupSecrets(_SaveObjects, _PlannedSecrets, _BesideFiles):
    """Save the Secrets of the installation."""

    command = ("backup", "secrets")


class BackupConfigMaps(_SaveObjects, _PlannedConfigMaps, _BesideFiles):
    """Save the ConfigMaps of the installation."""

    command = ("backup", "configmaps")


class BackupApiManager(_SaveObjects, _PlannedRoutes, _BesideFiles):
    """Save the APIManager, and record which conditions, Deployments and Routes are ready now."""

    command = ("backup", "apimanager")


class BackupExternal(_SaveObjects, _PlannedSecrets, _PlannedConfigMaps, _PlannedRoutes):
    """Save all objects of an installation whose files are in S3. Only the backup's claim is mounted."""

    command = ("backup", "external")


class _UnusedApiManager(Declared):
    apimanager: Annotated[str, values.OBJECT, Marker.UNTOLD] = Field(alias="apiManagerSourceName")
    """Name of the APIManager of the installation."""


class BackupFileStorage(SavePart, _UnusedApiManager, Placed, WorkersAsked, _FilesMounted):
    """Copy the files of System FileStorage, and write a listing of the files with their digests."""

    command = ("backup", "file-storage")


class BackupSource(DeclaredPhase, Placed, _FilesMounted):
    """Warn in a plan of each folder of System FileStorage that a backup would skip."""

    command = ("backup", "source")
    gives = (maybe("names", "Lines of the plan, with the names of the objects."),)


class BackupSeal(DeclaredPhase, _OfClaim):
    """Compare the volume with the reports of the phases, write the manifest, and mark the claim as complete."""

    command = ("backup", "seal")
    gives = (*_SAVED, of_run("sealed", "`yes` if the backup is sealed and its claim is marked as complete."))

    prepared: str = ""
    """Time when `prepare` began and ended, for the result record."""
    backup: Annotated[Path, Mount.BACKUP]
    """Folder where the backup is mounted."""
