"""What a backup says of itself: the manifest that seals it, and the reports that the phases leave for it."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from steps import errors
from steps.archive import layout
from steps.contract import values
from steps.files.durability import Disk

SCHEMA_VERSION: Literal[1] = 1
PLACEHOLDER = "EMPTY-SYSTEM-FILESTORAGE"  # the operator's restore needs a visible entry at the top of the tree


Whole = Annotated[int, Field(ge=0, lt=1 << 63)]  # what a file system can hold
Quantity = Annotated[str, StringConstraints(pattern=f"^({values.QUANTITY})?$")]
_Path = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9.-]*)+$", max_length=400)]
_FIELD_LENGTH = 60  # of what is told of one


class _Model(BaseModel):
    # deferred: building all of them takes 30 ms, and a phase needs a few, after its work
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Digest(_Model):
    """Size in bytes and SHA-256 of a file."""

    size: Whole
    sha256: str


class SystemStorage(_Model):
    """The claim of System FileStorage as it was; sizes as Kubernetes quantities, empty where unknown."""

    storage_class: str = ""
    access_modes: tuple[str, ...] = ()
    request: str = ""
    capacity: Quantity = ""


class Ready(_Model):
    """What was ready when the APIManager was saved: types of True conditions, Deployments, hosts of admitted Routes."""

    conditions: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()


class External(_Model):
    """Where System's files lie in S3, by the keys of its Secret; the last two only of a store that is not Amazon's."""

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
    """Where a backup comes from; versions are empty where the APIManager does not record them."""

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


class FileTree(_Model):
    """System FileStorage in counts; the listing holds the rest."""

    files: Whole
    folders: Whole
    links: Whole
    size_bytes: Whole
    vanished: Whole = 0
    special: tuple[str, ...] = ()
    placeholder: Annotated[str, StringConstraints(pattern=f"^({PLACEHOLDER})?$")] = ""
    listing: Digest


class Report(_Model):
    """What one phase found in its source and when, left on the volume for `seal`."""

    objects: dict[str, Digest] = {}
    source: Source | None = None
    file_storage: FileTree | None = None
    began: datetime | None = None
    ended: datetime | None = None
    notes: tuple[str, ...] = ()  # sentences for the evidence, of what was left out and why


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
    result: Digest | None = None  # of result.json; None in backups of before

    @property
    def files(self) -> str:
        """System's files in words."""
        if self.file_storage is None:
            return f"file-storage: {self.source.external}"
        return f"{self.file_storage.files} files, {self.file_storage.size_bytes} bytes"


FILE_STORAGE = "file-storage"
PHASES = ("secrets", "configmaps", "apimanager", FILE_STORAGE)


def report(disk: Disk, phase: str, facts: Report) -> None:
    """Leave a phase's report on the volume, after its data: a later try believes it."""
    unknown_before = None if facts.notes else {"notes"}  # a tool of before reads those without
    layout.commit(disk, _report_path(phase), layout.as_json(facts.model_dump(mode="json", exclude=unknown_before)))


def reported(root: Path, phase: str) -> Report | None:
    """Read a phase's report, None where it has left none.

    Raises:
        errors.BackupDamaged: it is there and says nothing.

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
    """Write a manifest as it lies on the volume; what does not apply to it is left out, for readers of before."""
    return layout.as_json(manifest.model_dump(mode="json", exclude_none=True))


def parse(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        errors.NotABackup: damaged, or of another form than this tool reads.
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
    """The first fields that are not as they should be; one that is unknown may have any name."""
    fields = sorted({".".join(map(str, problem["loc"]))[:_FIELD_LENGTH] for problem in error.errors()})
    return ", ".join(fields[:5])


def _report_path(phase: str) -> str:
    return f"{layout.REPORTS}/{phase}.json"
