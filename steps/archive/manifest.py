"""The manifest that seals a backup, and the reports that its phases write for the manifest."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from steps import errors
from steps.archive import layout
from steps.contract import values
from steps.files.durability import Disk

SCHEMA_VERSION: Literal[1] = 1
PLACEHOLDER = "EMPTY-SYSTEM-FILESTORAGE"  # the operator's restore needs a visible entry at the top of the tree


Whole = Annotated[int, Field(ge=0, lt=1 << 63)]  # the largest size of a file system
Quantity = Annotated[str, StringConstraints(pattern=f"^({values.QUANTITY})?$")]
_Path = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9.-]*)+$", max_length=400)]
_FIELD_LENGTH = 60  # of its name in a message


class _Model(BaseModel):
    # deferred: to build all models takes 30 ms, and a phase needs a few of them, after its work
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Digest(_Model):
    """Size in bytes and SHA-256 of a file."""

    size: Whole
    sha256: str


class SystemStorage(_Model):
    """The claim of System FileStorage at backup time; sizes as Kubernetes quantities, empty if unknown.

    Without a name in `storage_class`, `no_class` tells a claim of no class (`""` in Kubernetes) from one that names
    none. Backups made before lack it: then the cluster's default is meant. `data_source` and `data_source_ref` say from
    what the claim was filled, by the keys of Kubernetes.
    """

    storage_class: str = ""
    no_class: bool = False
    access_modes: tuple[str, ...] = ()
    request: str = ""
    capacity: Quantity = ""
    labels: dict[str, str] = {}
    volume_attributes_class: str = ""
    data_source: dict[str, str] = {}
    data_source_ref: dict[str, str] = {}

    @property
    def class_name(self) -> str | None:
        """The class as Kubernetes writes it: empty for no class, None for the cluster's default."""
        return self.storage_class or ("" if self.no_class else None)


class Ready(_Model):
    """What was ready when the APIManager was saved: types of True conditions, Deployments, hosts of admitted Routes."""

    conditions: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()


class External(_Model):
    """Where System's files are in S3, by the keys of its Secret; the last two only for a store other than Amazon's."""

    bucket: str
    region: str
    hostname: str = ""
    path_style: str = ""

    def __str__(self) -> str:
        if not self.bucket:
            return "external, in S3"
        where = f" at {self.hostname}" if self.hostname else ""
        return f"external, in S3 bucket {self.bucket} of {self.region}{where}"


class Source(_Model):
    """The installation that was backed up. Versions are empty if the APIManager does not record them."""

    namespace: str
    apimanager: str
    apimanager_uid: str
    threescale_version: str = ""
    operator_version: str = ""
    wildcard_domain: str = ""
    file_storage: Literal["PersistentVolumeClaim", "external"] = "PersistentVolumeClaim"
    external: External | None = None
    system_storage: SystemStorage = SystemStorage()
    ready: Ready = Ready()
    unreconciled: tuple[str, ...] | None = None  # why its operator may not look after it; None: nothing was found


class FileTree(_Model):
    """The counts of System FileStorage, and the digest of its listing."""

    files: Whole
    folders: Whole
    links: Whole
    size_bytes: Whole
    vanished: Whole = 0
    special: tuple[str, ...] = ()
    placeholder: Annotated[str, StringConstraints(pattern=f"^({PLACEHOLDER})?$")] = ""
    listing: Digest


class DatabaseCopy(_Model):
    """The copy of one database: what made it, of which moment, and its files on the volume.

    `moment` is that of System's database, by the clock of its server; all of it is of that moment. Each key of a Redis
    is exact at some moment between `began` and `ended`. `counts` are rows by table, or keys by kind. By `same` a
    database of the same installation is known: the master account and the number of tenants, or digests of keys.
    """

    engine: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,20}$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+-]{0,64}$")]
    client: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+-]{0,64}$")] = ""
    moment: datetime | None = None
    began: datetime
    ended: datetime
    counts: dict[str, Whole] = {}
    sequences: dict[str, int] = {}
    extensions: tuple[str, ...] = ()
    schema_digest: str = ""
    same: tuple[str, ...] = ()
    files: dict[_Path, Digest]

    @property
    def size_bytes(self) -> int:
        return sum(each.size for each in self.files.values())


class Report(_Model):
    """What one phase saved and when, written to the volume for `seal`."""

    objects: dict[str, Digest] = {}
    source: Source | None = None
    file_storage: FileTree | None = None
    began: datetime | None = None
    ended: datetime | None = None
    database: DatabaseCopy | None = None
    notes: tuple[str, ...] = ()  # sentences for the evidence: what was left out and why


class Manifest(_Model):
    """The seal of a backup; times in UTC, object files by their path on the volume."""

    schema_version: Literal[1] = SCHEMA_VERSION
    tool: str = "threescale-backup"
    tool_version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+-]{0,64}$")]
    backup: str
    workflow: str
    workflow_uid: str
    started: datetime
    ended: datetime
    source: Source
    objects: dict[_Path, Digest]
    file_storage: FileTree | None = None  # None where it is external
    databases: dict[str, DatabaseCopy] | None = None  # None: none was copied
    result: Digest | None = None  # of result.json; None in backups of older versions

    @property
    def listed(self) -> dict[str, Digest]:
        """All files whose digests the manifest holds, but for its result and its listing."""
        copies = (self.databases or {}).values()
        return {**self.objects, **{path: digest for each in copies for path, digest in each.files.items()}}

    @property
    def files(self) -> str:
        """System's files, in words."""
        if self.file_storage is None:
            return f"file-storage: {self.source.external}"
        return f"{self.file_storage.files} files, {self.file_storage.size_bytes} bytes"


FILE_STORAGE = "file-storage"
PHASES = ("secrets", "configmaps", "apimanager", FILE_STORAGE)
COPIED = values.DATABASES.every  # each copied by a phase of this name


def report(disk: Disk, phase: str, facts: Report) -> None:
    """Write the report of a phase to the volume after its data are synced, because a later try relies on it."""
    unknown_before: dict[str, Any] = {}  # older versions of the tool read reports without these
    if not facts.notes:
        unknown_before["notes"] = True
    if facts.database is None:
        unknown_before["database"] = True
    if facts.source and facts.source.unreconciled is None:
        unknown_before["source"] = {"unreconciled"}
    layout.commit(disk, _report_path(phase), layout.as_json(facts.model_dump(mode="json", exclude=unknown_before)))


def reported(root: Path, phase: str) -> Report | None:
    """Read the report of a phase, None if there is none.

    Raises:
        errors.BackupDamaged: the report is invalid or can't be read.

    """
    path = _report_path(phase)
    if damaged := list(layout.folder_findings(root, [layout.REPORTS])):
        raise errors.BackupDamaged(damaged)
    try:
        return Report.model_validate_json(layout.read(root, path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise errors.BackupDamaged([f"{path} {layout.unread(error)}"]) from error
    except ValidationError as error:
        raise errors.BackupDamaged([f"{path} is not a valid report"]) from error


def text(manifest: Manifest) -> bytes:
    """The bytes of a manifest on the volume. Empty fields are left out, so that older versions can read it."""
    return layout.as_json(manifest.model_dump(mode="json", exclude_none=True))


def parse(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        errors.NotABackup: it is damaged, or has a schema version that this tool does not read.
    """
    try:
        version = json.loads(data).get("schema_version")
    except (ValueError, AttributeError, RecursionError) as error:
        raise errors.NotABackup("its manifest.json is damaged") from error
    version = version if isinstance(version, int) else None
    if version != SCHEMA_VERSION:
        raise errors.NotABackup(f"its manifest has schema version {version}, this tool reads {SCHEMA_VERSION}")
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        raise errors.NotABackup(f"its manifest.json is damaged ({misfits(error)})") from error


def misfits(error: ValidationError) -> str:
    """The first invalid fields, their names cut in length: an unknown field may have any name."""
    fields = sorted({".".join(map(str, problem["loc"]))[:_FIELD_LENGTH] for problem in error.errors()})
    return ", ".join(fields[:5])


def _report_path(phase: str) -> str:
    return f"{layout.REPORTS}/{phase}.json"
