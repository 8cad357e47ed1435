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
    """Claim of the backup to restore (`backupPersistentVolumeClaimName` of the backup). Required."""


class AskedBackup(Declared):
    """What a person says of the backup."""

    manifest_sha256: Annotated[str, values.DIGEST] = ""
    """The digest of the backup's manifest, where you have kept it elsewhere: another backup is refused. Empty: the one
    on the claim."""
    made_by: Literal["", "operator"] = ""
    """`operator`: the backup has no manifest, and you know that the operator's APIManagerBackup made it. Empty: as the
    claim says."""


class AskedStorage(Declared):
    """What a person may ask of the new system-storage; empty: as it was."""

    storage_class: values.StorageClassOrNone = ""
    """StorageClass of the new system-storage. Empty: as it was."""
    access_mode: Literal["", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"] = ""
    """Access mode of the new system-storage. Empty: as it was."""
    storage_request: values.SizeOrNone = ""
    """Size of the new system-storage. Empty: as it was, or what the data need if that is more."""


class _Version(Declared):
    threescale_version: Annotated[str, values.OrNothing(values.VERSION)] = ""
    """3scale's major.minor, only where the operator's version can't be read in this namespace, for instance 2.16."""


class AskedDatabases(Declared):
    """The Secrets of the databases."""

    database_secrets: Literal["expect", "restore"] = "expect"
    """Secrets backend-redis, system-database and system-redis: `expect` them to be there, or `restore` the
    backup's."""
    database_overrides: Annotated[str, values.OrNothing(values.SECRET)] = ""
    """With `database-secrets=restore`: a Secret of yours, whose keys SECRET.KEY (system-database.URL) replace the
    backup's."""


class _Domain(Declared):
    wildcard_domain: Annotated[str, values.OrNothing(values.DOMAIN)] = ""
    """Another wildcard domain than the backup's, for instance apps.example.com; the tenants' own hosts stay. Empty: as
    it was."""


class _OnConflict(Declared):
    on_conflict: Literal["refuse", "keep", "replace"] = "refuse"
    """Secrets and ConfigMaps that say something else than the backup: `refuse` the restore, `keep` them, or `replace`
    them, once they are saved to a claim of their own."""


class _FileConflict(Declared):
    file_storage_conflict: Literal["refuse", "replace"] = "refuse"
    """Files in a system-storage that is there: `refuse` the restore, or `replace` them, once they are saved to that
    claim."""


class _FileDamage(Declared):
    file_storage_damage: Literal["refuse", "skip"] = "refuse"
    """Files of the backup that are damaged or missing: `refuse` the restore, or `skip` them and restore all others.
    Each plan reads every byte then."""


class _Plan(Declared):
    plan: Literal["no", "only"] = "no"
    """`only`: say what the restore would do, and change nothing."""


class _PlanDigest(Declared):
    plan_digest: str = ""
    """The digest of a plan: the restore goes on only if its plan is still that one."""


class _Approve(Declared):
    approve: Literal["no", "yes"] = "no"
    """`yes`: wait between the plan and the first change for `argo resume`, or the button in Argo's UI."""


class AskedReadiness(Declared):
    """What the end of a restore waits for."""

    ready: Literal["as-before", "available", "deployments"] = "as-before"
    """What the restore waits for: `available` is the APIManager's condition; `as-before` is that, or all that was ready
    at backup time; `deployments` are those that were ready."""
    wait_minutes: Annotated[float, values.MINUTES] = 60
    """How many minutes each wait for 3scale may take."""


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
    """Check what can be checked without the backup."""

    command = ("restore", "check")
    judges = True
    gives = (
        maybe("checked", "When `check` began and ended, for the evidence."),
        Output("time-limit", "How long a plan may take."),
        maybe("approve", "`yes` where a person approves of the plan."),
        of_run(PLAN, "`only` where nothing is to be changed."),
    )


class _ReadBackup(DeclaredPhase, _OfClaim, BackupMounted):
    """A phase that reads the backup."""


class RestorePlanOnly(_ReadBackup, RestoreWishes):
    """Say what the restore is going to do, and change nothing."""

    command = ("restore", "plan")
    judges = True
    gives = (
        maybe("digest", "Digest of the plan."),
        maybe("summary", "The plan in numbers."),
        maybe("names", "The lines of the plan."),
        maybe("left-out", "Files that are left out because they are damaged."),
    )

    time_limit: str = ""
    """How long the phase may take."""


class RestorePrepare(_ReadBackup, RestoreWishes, _PlanDigest, ClaimWait):
    """Plan the restore, refuse what speaks against it, then create system-storage."""

    command = ("restore", "prepare")
    judges = True
    gives = (
        Output("file-storage", "`external` where System's files are in S3."),
        Output("kept-secrets", "Secrets that were somebody else's when the restore was planned."),
        Output("kept-configmaps", "ConfigMaps that were somebody else's then."),
        Output("differing-secrets", "Secrets that differed when the restore was planned."),
        Output("differing-configmaps", "ConfigMaps that differed then."),
        Output("replaced-claim", "Claim to which what is replaced is saved first."),
        Output("set-aside-objects", "`yes` where objects are saved to it."),
        Output("set-aside-files", "`yes` where files are saved to it."),
        Output("plan-digest", "Digest of the plan."),
        Output("backup-digest", "Digest of the backup's manifest."),
        Output("tree-digest", "What the tree of a backup that the operator made was then."),
        Output("left-out", "Files that are left out because they are damaged."),
        Output("left-out-digest", "Digest of their names."),
    )

    checked: str = ""
    """When `check` began and ended, for the evidence."""
    time_limit: str = ""
    """How long the phase may take."""
    digest: str = ""
    """The digest of the plan that this workflow has shown."""


class _Digest(Declared):
    backup_digest: str = ""
    """The backup with which the restore began. Empty: as its claim says."""


class _ReplacedClaim(Declared):
    replaced_claim: str = ""
    """Claim to which what is replaced is saved first."""


class _ReplacedMounted(Declared):
    replaced: Annotated[Path, Mount.REPLACED]
    """Where that claim is mounted."""


class RestoreSetAsideObjects(_ReadBackup, _Digest, _ReplacedClaim, _ReplacedMounted):
    """Save the Secrets and ConfigMaps that will be replaced."""

    command = ("restore", "set-aside-objects")
    gives = (
        maybe("saved-secrets", "The Secrets that were saved, with their resourceVersions."),
        maybe("saved-configmaps", "The ConfigMaps that were saved, with their resourceVersions."),
    )

    differing_secrets: values.NamesTold = None
    """Secrets to save."""
    differing_configmaps: values.NamesTold = None
    """ConfigMaps to save."""


_COPIED = (maybe("files", "Files that were copied."), maybe("bytes", "Bytes that were copied."))


class RestoreSetAsideFiles(_ReadBackup, WorkersAsked, _Digest, _ReplacedClaim, _ReplacedMounted):
    """Save the files of system-storage that will be replaced."""

    command = ("restore", "set-aside-files")
    gives = _COPIED

    file_storage: Annotated[Path, Mount.SOURCE]
    """Where system-storage is mounted."""


class RestoreFileStorage(_ReadBackup, _FileConflict, WorkersAsked, _Digest):
    """Fill system-storage, every byte checked."""

    command = ("restore", "file-storage")
    gives = (*_COPIED, maybe("left-out", "Files that are left out because they are damaged."))

    tree_digest: str = ""
    """What the tree of a backup that the operator made was when the restore began."""
    left_out_digest: str = ""
    """Of the names of the files that the plan leaves out because they are damaged."""
    file_storage: Annotated[Path, Mount.TARGET]
    """Where system-storage is mounted."""


_CREATED = (
    maybe("created", "Objects that were created."),
    maybe("kept", "Objects that were kept."),
    maybe("replaced", "Objects that were replaced."),
)


class RestoreSecrets(_ReadBackup, _Domain, AskedDatabases, _OnConflict, _Digest):
    """Create the Secrets; the three of the databases are the user's, unless told otherwise."""

    command = ("restore", "secrets")
    gives = _CREATED

    kept_secrets: values.NamesTold = None
    """Those that were somebody else's when it was planned."""
    differing_secrets: values.NamesTold = None
    """Those that differed when it was planned."""
    replaced_claim: str = ""
    """Claim to which what is replaced is saved first."""
    saved_secrets: Annotated[Mapping[str, str] | None, values.VERSIONS] = None
    """Those that were saved, to be replaced."""


class RestoreConfigMaps(_ReadBackup, _Domain, _OnConflict, _Digest):
    """Create the ConfigMaps."""

    command = ("restore", "configmaps")
    gives = _CREATED

    kept_configmaps: values.NamesTold = None
    """Those that were somebody else's when it was planned."""
    differing_configmaps: values.NamesTold = None
    """Those that differed when it was planned."""
    replaced_claim: str = ""
    """Claim to which what is replaced is saved first."""
    saved_configmaps: Annotated[Mapping[str, str] | None, values.VERSIONS] = None
    """Those that were saved, to be replaced."""


class RestoreApiManager(_ReadBackup, _Domain, _Digest):
    """Create the APIManager, the last of all objects."""

    command = ("restore", "apimanager")
    gives = (maybe("created", "1 where it was created."),)


class RestoreRoutes(_ReadBackup, AskedReadiness, _Domain, _Digest):
    """Have Zync make the Routes, and wait until 3scale is ready."""

    command = ("restore", "routes")

    look_s: Annotated[float, values.PAUSE_S, Marker.FIXED] = 5.0
    """Seconds between two looks."""
