"""What a person may ask of a restore, and what its phases are told and give."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from steps.contract import values
from steps.contract.arguments import PLAN
from steps.contract.declaration import Declared, DeclaredPhase, Marker, Output, maybe, of_run
from steps.contract.mounts import Mount
from steps.contract.told import BackupMounted, ClaimWait, WorkersAsked


class _OfClaim(Declared):
    claim: Annotated[str, values.CLAIM] = Field(alias="claim-name")
    """Name of the claim of the backup to restore. The backup reports this name in its output
    `backupPersistentVolumeClaimName`. This argument is required."""


class AskedBackup(Declared):
    """What a person says of the backup."""

    manifest_sha256: Annotated[str, values.DIGEST] = ""
    """SHA-256 digest of the backup's manifest, if you keep the digest outside the cluster. A backup with another
    manifest is refused. If empty, the digest recorded on the claim is used."""
    made_by: Literal["", "operator"] = ""
    """Choose `operator` if the backup has no manifest and you know that the operator's APIManagerBackup made the
    backup. If empty, the labels and annotations of the claim decide."""


class AskedStorage(Declared):
    """What a person may ask of the new system-storage; empty: as it was."""

    storage_class: values.StorageClassOrNone = ""
    """StorageClass of the new claim system-storage. If empty, the StorageClass at the time of the backup is used."""
    access_mode: Literal["", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"] = ""
    """Access mode of the new claim system-storage. If empty, the access mode at the time of the backup is used."""
    storage_request: values.SizeOrNone = ""
    """Size of the new claim system-storage. If empty, the size at the time of the backup is used, or the size that the
    data need if that is larger."""


class _Version(Declared):
    threescale_version: Annotated[str, values.OrNothing(values.VERSION)] = ""
    """Version of 3scale as major.minor, for instance 2.16. This is only needed if the operator's version can't be read
    in this namespace, or if the backup records no version."""


class AskedDatabases(Declared):
    """The Secrets of the databases."""

    database_secrets: Literal["expect", "restore"] = "expect"
    """Choose `expect` if you create the Secrets backend-redis, system-database and system-redis before the restore.
    Choose `restore` to restore these Secrets from the backup."""
    database_overrides: Annotated[str, values.OrNothing(values.SECRET)] = ""
    """Name of a Secret that you created with other values for the databases' Secrets. A key such as
    `system-database.URL` replaces the key `URL` of the Secret `system-database`. This needs
    `database-secrets=restore`."""


class _Domain(Declared):
    wildcard_domain: Annotated[str, values.OrNothing(values.DOMAIN)] = ""
    """Wildcard domain of the restored 3scale if it differs from the backup's, for instance apps.example.com. The
    tenants' own hosts are not changed. If empty, the backup's wildcard domain is used."""


class _OnConflict(Declared):
    on_conflict: Literal["refuse", "keep", "replace"] = "refuse"
    """Decides about existing Secrets and ConfigMaps that differ from the backup. Choose `refuse` to refuse the restore,
    `keep` to leave the objects unchanged, or `replace` to replace the objects. They are first saved to a separate
    claim."""


class _FileConflict(Declared):
    file_storage_conflict: Literal["refuse", "replace"] = "refuse"
    """Decides about an existing claim system-storage that holds files. Choose `refuse` to refuse the restore, or
    `replace` to replace the files. They are first saved to a separate claim."""


class _FileDamage(Declared):
    file_storage_damage: Literal["refuse", "skip"] = "refuse"
    """Decides about files of the backup that are damaged or missing. Choose `refuse` to refuse the restore, or `skip`
    to restore all other files. With `skip`, each plan reads every byte of the backup."""


class _Plan(Declared):
    plan: Literal["no", "only"] = "no"
    """Choose `only` to print what the restore would do. A plan changes nothing."""


class _PlanDigest(Declared):
    plan_digest: str = ""
    """Digest of a plan that you have read. The restore is refused if its plan has another digest. If empty, any plan is
    carried out."""


class _Approve(Declared):
    approve: Literal["no", "yes"] = "no"
    """Choose `yes` to let the restore print its plan and wait before the first change. Continue with `argo resume`, or
    with the button in Argo's UI."""


class AskedReadiness(Declared):
    """What the end of a restore waits for."""

    ready: Literal["as-before", "available", "deployments"] = "as-before"
    """Decides when 3scale counts as ready at the end of the restore. Choose `available` to wait for the APIManager's
    condition Available. Choose `deployments` to wait for the Deployments that were ready at the time of the backup.
    Choose `as-before` to wait for Available, or until all that was ready at the time of the backup is ready again."""
    wait_minutes: Annotated[float, values.MINUTES] = 60
    """Time limit in minutes for each wait for 3scale."""


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
    """All that the plan of a restore depends on."""


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

    time_limit: str = ""
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
    time_limit: str = ""
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
