"""The arguments of a restore, and the inputs and outputs of its phases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from steps.contract import values
from steps.contract.arguments import PLAN
from steps.contract.declaration import Declared, DeclaredPhase, Marker, Output, maybe, of_run
from steps.contract.mounts import Mount
from steps.contract.told import BackupMounted, ClaimWait, WorkersAsked
from steps.contract.value_kinds import OrNothing


class _OfClaim(Declared):
    claim: Annotated[str, values.CLAIM] = Field(alias="claim-name")
    """Restore the backup on the claim of this name. A backup reports the name in its output
    `backupPersistentVolumeClaimName`. This argument is required."""


class AskedBackup(Declared):
    """Arguments that describe the backup."""

    manifest_sha256: Annotated[str, values.DIGEST] = ""
    """Refuse the backup if its manifest has another SHA-256 digest than this one, which you have kept elsewhere. If
    empty, the digest recorded on the claim is used."""
    made_by: Literal["", "operator"] = ""
    """Choose `operator` if the backup has no manifest and you know that the operator's APIManagerBackup made the
    backup. If empty, the labels and annotations of the claim decide."""


class AskedStorage(Declared):
    """Arguments about a new system-storage. If empty, the values of the backed-up claim are used."""

    storage_class: values.StorageClassOrNone = ""
    """Create the claim system-storage with this StorageClass. If empty, the StorageClass at the time of the backup is
    used. Choose `none` for a claim of no StorageClass, which gets a volume that an administrator has made."""
    volume_name: Annotated[str, OrNothing(values.VOLUME)] = ""
    """Restore System's files to this existing, empty PersistentVolume. The claim system-storage then has the
    StorageClass in `storage-class`, or no StorageClass if `storage-class` is empty."""
    access_mode: Literal["", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"] = ""
    """Create the claim system-storage with this access mode. If empty, the access mode at the time of the backup is
    used."""
    storage_request: values.SizeOrNone = ""
    """Create the claim system-storage with this size. If empty, the size at the time of the backup is used, or the size
    that the data need if that is larger."""


class _Version(Declared):
    threescale_version: Annotated[str, OrNothing(values.VERSION)] = ""
    """Assume this version of 3scale, written as major.minor, for instance 2.16. Set the version only if the operator's
    version can't be read in this namespace, or if the backup records no version."""


class AskedDatabases(Declared):
    """Arguments about the Secrets of the databases."""

    database_secrets: Literal["expect", "restore"] = "expect"
    """Choose `expect` if you create the Secrets backend-redis, system-database and system-redis before the restore.
    Choose `restore` to restore these Secrets from the backup."""
    database_overrides: Annotated[str, OrNothing(values.SECRET)] = ""
    """Replace values in the databases' Secrets by values from a Secret of this name, which you create. Its key
    `system-database.URL` replaces the key `URL` of the Secret `system-database`, for instance. This needs
    `database-secrets=restore`."""


class _Domain(Declared):
    wildcard_domain: Annotated[str, OrNothing(values.DOMAIN)] = ""
    """Restore 3scale under this wildcard domain instead of the backup's, for instance apps.example.com. The tenants'
    own hosts are not changed. If empty, the backup's wildcard domain is used."""


class _OnConflict(Declared):
    on_conflict: Literal["refuse", "keep", "replace"] = "refuse"
    """Choose `refuse` to refuse the restore if existing Secrets or ConfigMaps differ from the backup. Choose `keep` to
    leave these objects unchanged, or `replace` to replace them. Replaced objects are first saved to a separate
    claim."""


class _FileConflict(Declared):
    file_storage_conflict: Literal["refuse", "replace"] = "refuse"
    """Choose `refuse` to refuse the restore if an existing claim system-storage holds files. Choose `replace` to
    replace these files. Replaced files are first saved to a separate claim."""


class _FileDamage(Declared):
    file_storage_damage: Literal["refuse", "skip"] = "refuse"
    """Choose `refuse` to refuse the restore if files of the backup are damaged or missing. Choose `skip` to leave these
    files out and restore all others. With `skip`, each plan reads every byte of the backup."""


class _Plan(Declared):
    plan: Literal["no", "only"] = "no"
    """Choose `only` to print what the restore would do. A plan changes nothing."""


class _PlanDigest(Declared):
    plan_digest: str = ""
    """Refuse the restore if its plan has another digest than this one, taken from a plan that you have read. If empty,
    the digest of the plan is not checked."""


class _Approve(Declared):
    approve: Literal["no", "yes"] = "no"
    """Choose `yes` to let the restore print its plan and wait before the first change. Continue with `argo resume`, or
    with the button in Argo's UI."""


class AskedReadiness(Declared):
    """Arguments about the wait at the end of a restore."""

    ready: Literal["as-before", "available", "deployments"] = "as-before"
    """Choose `available` to end the restore when the APIManager has the condition Available. Choose `deployments` to
    end when the Deployments that were ready at the time of the backup are ready again. Choose `as-before` to end when
    3scale is Available, or when everything that was ready at the time of the backup is ready again."""
    wait_minutes: Annotated[float, values.MINUTES] = 60
    """Fail if one of the waits for 3scale takes longer than this many minutes."""


class RestoreArguments(
    _OfClaim,
    AskedBackup,
    AskedStorage,
    _Version,
    AskedDatabases,
    _Domain,
    _OnConflict,
    _FileConflict,
    _FileDamage,
    _Plan,
    _PlanDigest,
    _Approve,
    WorkersAsked,
    AskedReadiness,
    ClaimWait,
):
    """Arguments of `threescale-restore`."""


class RestoreWishes(
    AskedBackup,
    AskedStorage,
    _Version,
    _Domain,
    AskedDatabases,
    WorkersAsked,
    AskedReadiness,
    _OnConflict,
    _FileConflict,
    _FileDamage,
):
    """The arguments that a plan depends on."""


class RestoreCheck(DeclaredPhase, _OfClaim, AskedDatabases, _FileDamage, _Plan, _Approve, ClaimWait):
    """Check the arguments, the claim and the namespace before the backup is mounted."""

    command = ("restore", "check")
    judges = True
    gives = (
        maybe("checked", "Time when `check` began and ended, for the result record."),
        Output("time-limit", "Time limit of the phase that plans, for instance 15m."),
        maybe("approve", "`yes` if the restore waits until a person approves the plan, else `no`."),
        of_run(PLAN, "`only` if the run is a plan and changes nothing, else `no`."),
    )


class _ReadBackup(DeclaredPhase, _OfClaim, BackupMounted):
    """A phase that reads the backup."""


class RestorePlanOnly(_ReadBackup, RestoreWishes):
    """Print what the restore is going to do. This phase changes nothing."""

    command = ("restore", "plan")
    judges = True
    gives = (
        maybe("digest", "Digest of the plan."),
        maybe("summary", "Summary of the plan in numbers."),
        maybe("names", "Lines of the plan, with the names of the objects."),
        maybe("left-out", "Sentence about the files that are left out because they are damaged or missing."),
    )

    time_limit: str = "15m"
    """Time limit of the phase, for instance 15m."""


class RestorePrepare(_ReadBackup, RestoreWishes, _PlanDigest, ClaimWait):
    """Plan the restore, check that nothing prevents the restore, and create the claim system-storage."""

    command = ("restore", "prepare")
    judges = True
    gives = (
        Output("file-storage", "`external` if System's files are in S3, `claim` if they are in a claim."),
        Output("kept-secrets", "Names of Secrets that existed with the backup's content when the restore was planned."),
        Output(
            "kept-configmaps",
            "Names of ConfigMaps that existed with the backup's content when the restore was planned.",
        ),
        Output("differing-secrets", "Names of Secrets that differed from the backup when the restore was planned."),
        Output(
            "differing-configmaps", "Names of ConfigMaps that differed from the backup when the restore was planned."
        ),
        Output("replaced-claim", "Name of the claim to which objects and files are saved before they are replaced."),
        Output("set-aside-objects", "`yes` if objects are saved to the replaced-claim, else `no`."),
        Output("set-aside-files", "`yes` if files are saved to the replaced-claim, else `no`."),
        Output("plan-digest", "Digest of the plan."),
        Output("backup-digest", "Digest of the backup's manifest."),
        Output("tree-digest", "Digest of the file tree of a backup of the operator, which has no manifest."),
        Output("left-out", "Sentence about the files that are left out because they are damaged or missing."),
        Output("left-out-digest", "Digest of the names of the files that are left out."),
    )

    checked: str = ""
    """Time when `check` began and ended, for the result record."""
    time_limit: str = "15m"
    """Time limit of the phase, for instance 15m."""
    digest: str = ""
    """Digest of the plan that this workflow has printed."""


class _Digest(Declared):
    backup_digest: str = ""
    """Digest of the manifest of the backup with which the restore began. If empty, the digest recorded on the claim is
    used."""


class _ReplacedClaim(Declared):
    replaced_claim: str = ""
    """Name of the claim to which objects and files are saved before they are replaced."""


class _ReplacedMounted(Declared):
    replaced: Annotated[Path, Mount.REPLACED]
    """Folder where the claim for replaced objects and files is mounted."""


class RestoreSetAsideObjects(_ReadBackup, _Digest, _ReplacedClaim, _ReplacedMounted):
    """Save the Secrets and ConfigMaps that the restore will replace."""

    command = ("restore", "set-aside-objects")
    gives = (
        maybe("saved-secrets", "Names and resourceVersions of the Secrets that were saved."),
        maybe("saved-configmaps", "Names and resourceVersions of the ConfigMaps that were saved."),
    )

    differing_secrets: values.NamesTold = None
    """Names of the Secrets to save before they are replaced."""
    differing_configmaps: values.NamesTold = None
    """Names of the ConfigMaps to save before they are replaced."""


_COPIED = (maybe("files", "Number of files that were copied."), maybe("bytes", "Number of bytes that were copied."))


class RestoreSetAsideFiles(_ReadBackup, WorkersAsked, _Digest, _ReplacedClaim, _ReplacedMounted):
    """Save the files of system-storage that the restore will replace."""

    command = ("restore", "set-aside-files")
    gives = _COPIED

    file_storage: Annotated[Path, Mount.SOURCE]
    """Folder where system-storage is mounted."""


class RestoreFileStorage(_ReadBackup, _FileConflict, WorkersAsked, _Digest):
    """Copy System's files to system-storage, and check every byte."""

    command = ("restore", "file-storage")
    gives = (
        *_COPIED,
        maybe("left-out", "Sentence about the files that are left out because they are damaged or missing."),
    )

    tree_digest: str = ""
    """Digest of the file tree when the restore began. It is used for a backup of the operator, which has no
    manifest."""
    left_out_digest: str = ""
    """Digest of the names of the files that the plan leaves out because they are damaged or missing."""
    file_storage: Annotated[Path, Mount.TARGET]
    """Folder where system-storage is mounted."""


_CREATED = (
    maybe("created", "Number of objects that were created."),
    maybe("kept", "Number of objects that were kept."),
    maybe("replaced", "Number of objects that were replaced."),
)


class RestoreSecrets(_ReadBackup, _Domain, AskedDatabases, _OnConflict, _Digest):
    """Create the Secrets. The three Secrets of the databases are created only with `database-secrets=restore`."""

    command = ("restore", "secrets")
    gives = _CREATED

    kept_secrets: values.NamesTold = None
    """Names of objects that existed with the backup's content when the restore was planned."""
    differing_secrets: values.NamesTold = None
    """Names of objects that differed from the backup when the restore was planned."""
    replaced_claim: str = ""
    """Name of the claim to which objects and files are saved before they are replaced."""
    saved_secrets: Annotated[Mapping[str, str] | None, values.VERSIONS] = None
    """Names and resourceVersions of the objects that were saved and will be replaced."""


class RestoreConfigMaps(_ReadBackup, _Domain, _OnConflict, _Digest):
    """Create the ConfigMaps of the backup."""

    command = ("restore", "configmaps")
    gives = _CREATED

    kept_configmaps: values.NamesTold = None
    """Names of objects that existed with the backup's content when the restore was planned."""
    differing_configmaps: values.NamesTold = None
    """Names of objects that differed from the backup when the restore was planned."""
    replaced_claim: str = ""
    """Name of the claim to which objects and files are saved before they are replaced."""
    saved_configmaps: Annotated[Mapping[str, str] | None, values.VERSIONS] = None
    """Names and resourceVersions of the objects that were saved and will be replaced."""


class RestoreApiManager(_ReadBackup, _Domain, _Digest):
    """Create the APIManager after all other objects."""

    command = ("restore", "apimanager")
    gives = (maybe("created", "1 if the APIManager was created, else 0."),)


class RestoreRoutes(_ReadBackup, AskedReadiness, _Domain, _Digest):
    """Start Zync's resync, which creates the Routes, and wait until 3scale is ready."""

    command = ("restore", "routes")

    look_s: Annotated[float, values.PAUSE_S, Marker.FIXED] = 5.0
    """Seconds between two checks whether 3scale is ready."""
