"""What a person may ask of a backup, and what its phases are told and give."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from steps.contract import values
from steps.contract.arguments import PLAN
from steps.contract.declaration import Declared, DeclaredPhase, Marker, Output, maybe, of_run
from steps.contract.mounts import Mount
from steps.contract.told import PLACE, ClaimWait, Placed, WorkersAsked

CLAIM = "backupPersistentVolumeClaimName"  # the operator's spelling, in its status
APIMANAGER = "apiManagerSourceName"


class WantedBackup(Declared):
    """What can be planned."""

    name: Annotated[str, values.OrNothing(values.BACKUP)] = ""
    """Name of the backup and of its claim, a DNS-1123 label. Empty: the workflow's name."""
    storage_request: Annotated[str, values.SIZE] = "10Gi"
    """Size of the claim that holds the backup."""
    storage_class: values.StorageClassOrNone = ""
    """StorageClass of that claim. Empty: the cluster's default."""
    volume_name: Annotated[str, values.OrNothing(values.VOLUME)] = ""
    """An existing, empty PersistentVolume to use. The claim's class is then `storage-class`, or none."""
    file_storage: Literal["", "external"] = ""
    """`external`: System's files lie in S3 and are yours to back up; where, and the Secret for it, are saved. Empty:
    they are copied, and S3 is refused."""


class _Plan(Declared):
    plan: Literal["no", "only"] = "no"
    """`only`: say what the backup would do, and make nothing."""


class _Schedule(Declared):
    schedule: values.ScheduleOrNone = ""
    """The CronWorkflow that asks for it, which says so itself. Empty: a person, and no retention touches it."""


class BackupArguments(WantedBackup, _Plan, WorkersAsked, _Schedule):
    """Arguments of `threescale-backup`."""


class BackupPrepare(DeclaredPhase, WantedBackup, _Plan, WorkersAsked, _Schedule, ClaimWait):
    """Plan the backup, refuse what speaks against it, then create the claim."""

    command = ("backup", "prepare")
    judges = True
    gives = (
        Output(CLAIM, "Claim that holds the backup.", of_run=CLAIM),
        Output(APIMANAGER, "Name of the APIManager."),
        *PLACE,
        Output("file-storage", "`external` where System's files are in S3."),
        maybe("planned-secrets", "The Secrets of the plan."),
        maybe("planned-configmaps", "The ConfigMaps of the plan."),
        Output("planned-routes", "How many hosts of Routes the plan saw.", default="0"),
        maybe("prepared", "When `prepare` began and ended, for the evidence."),
        maybe("digest", "Digest of the plan."),
        maybe("summary", "The plan in numbers."),
        maybe("names", "The lines of the plan."),
        of_run(PLAN, "`only` where nothing is to be made."),
        of_run("scheduled", "`yes` where a CronWorkflow asked for it."),
    )


class _OfClaim(Declared):
    claim: Annotated[str, values.CLAIM] = Field(alias="backupPersistentVolumeClaimName")
    """Claim that holds the backup."""


class _OfApiManager(Declared):
    apimanager: Annotated[str, values.OBJECT] = Field(alias="apiManagerSourceName")
    """Name of the APIManager."""


class _PlannedSecrets(Declared):
    planned_secrets: values.NamesTold = None
    """The secrets of the plan."""


class _PlannedConfigMaps(Declared):
    planned_configmaps: values.NamesTold = None
    """The configmaps of the plan."""


class _PlannedRoutes(Declared):
    planned_routes: Annotated[int, values.COUNT] = 0
    """How many hosts of Routes the plan saw."""


class _BesideFiles(Declared):
    """Each of those that run side by side lists both claims, so that the scheduler sees both."""

    beside: Annotated[None, Mount.SOURCE_LISTED] = None


class _FilesMounted(Declared):
    file_storage: Annotated[Path, Mount.SOURCE]
    """Where system-storage is mounted."""


_SAVED = (
    maybe("objects", "Objects that were saved."),
    maybe("files", "Files that were copied."),
    maybe("bytes", "Bytes that were copied."),
)


class SavePart(DeclaredPhase, _OfClaim):
    """A part of a backup."""

    gives = _SAVED

    backup: Annotated[Path, Mount.BACKUP]
    """Where the backup is mounted."""


class _SaveObjects(SavePart, _OfApiManager, Placed):
    """Objects, by the APIManager that names them."""


class BackupSecrets(_SaveObjects, _PlannedSecrets, _BesideFiles):
    """Save the Secrets."""

    command = ("backup", "secrets")


class BackupConfigMaps(_SaveObjects, _PlannedConfigMaps, _BesideFiles):
    """Save the ConfigMaps."""

    command = ("backup", "configmaps")


class BackupApiManager(_SaveObjects, _PlannedRoutes, _BesideFiles):
    """Save the APIManager, and what is ready now."""

    command = ("backup", "apimanager")


class BackupExternal(_SaveObjects, _PlannedSecrets, _PlannedConfigMaps, _PlannedRoutes):
    """Save all objects of an installation whose files are external: no claim but the backup's is mounted."""

    command = ("backup", "external")


class _UnusedApiManager(Declared):
    apimanager: Annotated[str, values.OBJECT, Marker.UNTOLD] = Field(alias="apiManagerSourceName")
    """Name of the APIManager."""


class BackupFileStorage(SavePart, _UnusedApiManager, Placed, WorkersAsked, _FilesMounted):
    """Copy the tree of System FileStorage, with a listing."""

    command = ("backup", "file-storage")


class BackupSource(DeclaredPhase, Placed, _FilesMounted):
    """Say what a plan can't see without the mounted claim: what of it would be passed over."""

    command = ("backup", "source")
    gives = (maybe("names", "The lines of the plan."),)


class BackupSeal(DeclaredPhase, _OfClaim):
    """Compare the volume with the phases' reports, write the manifest, mark the claim complete."""

    command = ("backup", "seal")
    gives = (*_SAVED, of_run("sealed", "`yes` once the backup is complete."))

    prepared: str = ""
    """When `prepare` began and ended, for the evidence."""
    backup: Annotated[Path, Mount.BACKUP]
    """Where the backup is mounted."""
