"""What a backup holds, sealed with digests: a restore begins by opening the manifest, and never goes on without.

`seal` compares what lies on the volume with what each phase reported of its source, then writes SHA256SUMS, and last
and atomically the manifest: a volume without one holds no finished backup. A backup that the operator's
APIManagerBackup made has no manifest; it is opened after the checks that its form allows, and called so.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from steps import errors, installation, mtree, tree, volume
from steps.marks import Mark
from steps.mtree import Entry

SCHEMA_VERSION: Literal[1] = 1
PLACEHOLDER = "EMPTY-SYSTEM-FILESTORAGE"  # the operator's restore needs a visible entry at the top of the tree


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Digest(_Model):
    """Size in bytes and SHA-256 of a file."""

    size: int
    sha256: str


class SystemStorage(_Model):
    """The claim of System FileStorage as it was; sizes as Kubernetes quantities, empty where unknown."""

    storage_class: str = ""
    access_modes: tuple[str, ...] = ()
    request: str = ""
    capacity: str = ""


class Ready(_Model):
    """What was ready when the APIManager was saved: types of True conditions, Deployments, hosts of admitted Routes."""

    conditions: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()


class Source(_Model):
    """Where a backup comes from; versions are empty where the APIManager does not record them."""

    namespace: str
    apimanager: str
    apimanager_uid: str
    threescale_version: str = ""
    operator_version: str = ""
    wildcard_domain: str = ""
    file_storage: Literal["PersistentVolumeClaim"] = "PersistentVolumeClaim"
    system_storage: SystemStorage = SystemStorage()
    ready: Ready = Ready()


class FileTree(_Model):
    """System FileStorage in counts; the listing holds the rest."""

    files: int
    folders: int
    links: int
    size_bytes: int
    vanished: int = 0
    special: tuple[str, ...] = ()
    placeholder: str = ""
    listing: Digest


class Report(_Model):
    """What one phase found in its source, left on the volume for `seal`."""

    objects: dict[str, Digest] = {}
    source: Source | None = None
    file_storage: FileTree | None = None


class Manifest(_Model):
    """The seal of a backup; times in UTC, object files by their path on the volume."""

    schema_version: Literal[1] = SCHEMA_VERSION
    tool: str = "threescale-backup"
    tool_version: str
    backup: str
    workflow: str
    workflow_uid: str
    started: datetime
    ended: datetime
    source: Source
    objects: dict[str, Digest]
    file_storage: FileTree


PHASES = ("secrets", "configmaps", "apimanager", "file-storage")


def report(root: Path, phase: str, facts: Report) -> None:
    """Leave a phase's report on the volume."""
    volume.write(root, _report_path(phase), volume.as_json(facts.model_dump(mode="json")))


def reported(root: Path, phase: str) -> Report | None:
    """Read a phase's report, None where it has left none."""
    try:
        return Report.model_validate_json((root / _report_path(phase)).read_bytes())
    except FileNotFoundError:
        return None


def seal(root: Path, *, tool_version: str, begin: volume.Begin, started: datetime, ended: datetime) -> Manifest:
    """Compare the volume with the phases' reports and write SHA256SUMS and the manifest.

    Raises:
        errors.PhasesMissing: a phase has not reported.
        errors.BackupDamaged: something is missing, extra or differs.

    """
    found = {phase: reported(root, phase) for phase in PHASES}
    reports = [report for report in found.values() if report]
    source = next((report.source for report in reports if report.source), None)
    file_storage = next((report.file_storage for report in reports if report.file_storage), None)
    if len(reports) < len(PHASES) or source is None or file_storage is None:
        raise errors.PhasesMissing([phase for phase, facts in found.items() if facts is None])
    manifest = Manifest(
        tool_version=tool_version,
        backup=begin.backup,
        workflow=begin.workflow,
        workflow_uid=begin.workflow_uid,
        started=started,
        ended=ended,
        source=source,
        objects={path: digest for report in reports for path, digest in sorted(report.objects.items())},
        file_storage=file_storage,
    )
    if findings := [*_strangers(root, manifest), *_findings(root, manifest, digests=True)]:
        raise errors.BackupDamaged(findings)
    volume.write(root, volume.SUMS, _sums(manifest))
    volume.write(root, volume.MANIFEST, volume.as_json(manifest.model_dump(mode="json")))
    return manifest


@dataclass(frozen=True)
class Backup:
    """An opened backup. `manifest` is None for one that the operator made; `digest` identifies either."""

    root: Path
    manifest: Manifest | None
    digest: str
    name: str

    @property
    def mark(self) -> Mark:
        """What a restore of this backup leaves on what it creates."""
        return Mark(self.name, self.digest)

    @property
    def tree(self) -> Path:
        return self.root / volume.TREE

    @cached_property
    def apimanager(self) -> dict[str, Any]:
        """The APIManager as saved."""
        return self.read(volume.APIMANAGER)

    @property
    def threescale_version(self) -> str:
        """The recorded 3scale version, MAJOR.MINOR, empty where the APIManager does not say."""
        annotations = self.apimanager["metadata"].get("annotations") or {}
        return ".".join(str(annotations.get(installation.THREESCALE_VERSION, "")).split(".")[:2])

    @property
    def system_storage(self) -> SystemStorage:
        return self.manifest.source.system_storage if self.manifest else SystemStorage()

    @property
    def ready(self) -> Ready:
        return self.manifest.source.ready if self.manifest else Ready()

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of the tree's files."""
        return self.manifest.file_storage.size_bytes if self.manifest else tree.measure(self.tree).size_bytes

    @property
    def entries_count(self) -> int:
        if self.manifest is None:
            counted = tree.measure(self.tree)
            return counted.files + counted.folders + counted.links
        facts = self.manifest.file_storage
        return facts.files + facts.folders + facts.links - bool(facts.placeholder)

    def read(self, path: str) -> dict[str, Any]:
        """Read one object file, proved against the manifest where there is one.

        Raises:
            errors.BackupDamaged

        """
        data, finding = _read_object(self.root, path, self.manifest)
        if finding:
            raise errors.BackupDamaged([finding])
        return data

    def objects(self, folder: str, names: Iterable[str]) -> list[dict[str, Any]]:
        """Read those of the named objects that the backup holds."""
        paths = [f"{folder}/{name}.json" for name in names]
        return [self.read(path) for path in paths if (self.root / path).exists() or self._lists(path)]

    def entries(self) -> Iterator[Entry]:
        """The tree's entries to restore, in the listing's order; without digests where there is no listing."""
        if self.manifest is None:
            yield from tree.scan(self.tree, tree.Tally())
            return
        placeholder = self.manifest.file_storage.placeholder
        yield from (entry for entry in _listed(self.root) if entry.path != placeholder)

    def findings(self, *, digests: bool) -> Iterator[str]:
        """Say what is wrong, a line each; `digests` asks for every byte of the tree too."""
        if self.manifest is None:
            yield from _operator_findings(self.root)
        else:
            yield from _findings(self.root, self.manifest, digests=digests)
            yield from _sums_findings(self.root, self.manifest)

    def _lists(self, path: str) -> bool:
        return self.manifest is not None and path in self.manifest.objects


def open_backup(root: Path, claim: str = "") -> Backup:
    """Open a finished backup; `claim` names one that has no manifest to say its name.

    Raises:
        errors.NotABackup: nothing here, begun and never sealed, or of a newer form.

    """
    if not root.is_dir():
        raise errors.NotABackup(f"there is no folder {root}")
    path = root / volume.MANIFEST
    if path.exists():
        data = path.read_bytes()
        manifest = _parse(data)
        return Backup(root, manifest, hashlib.sha256(data).hexdigest(), manifest.backup)
    if (root / volume.BEGIN).exists():
        raise errors.NotABackup("it was begun and never sealed, there is no manifest.json")
    if not (root / volume.APIMANAGER).exists():
        names = volume.content(root)
        raise errors.NotABackup(f"no manifest.json and no {volume.APIMANAGER}, but {len(names)} other entries")
    return Backup(root, None, _operator_digest(root), claim or root.name)


def _parse(data: bytes) -> Manifest:
    try:
        version = json.loads(data).get("schema_version")
    except (ValueError, AttributeError) as error:
        raise errors.NotABackup("its manifest.json is damaged") from error
    if version != SCHEMA_VERSION:
        raise errors.NotABackup(f"its manifest has schema version {version}, this tool reads {SCHEMA_VERSION}")
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        fields = sorted({".".join(map(str, problem["loc"])) for problem in error.errors()})
        raise errors.NotABackup(f"its manifest.json is damaged ({', '.join(fields[:5])})") from error


def _report_path(phase: str) -> str:
    return f"{volume.REPORTS}/{phase}.json"


def _sums(manifest: Manifest) -> bytes:
    """What `sha256sum -c` reads at the root of the volume."""
    lines = {path: digest.sha256 for path, digest in manifest.objects.items()}
    lines[volume.LISTING] = manifest.file_storage.listing.sha256
    return "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(lines.items())).encode()


def _listed(root: Path) -> Iterator[Entry]:
    with (root / volume.LISTING).open(encoding="ascii") as lines:
        yield from mtree.parse(lines)


def _findings(root: Path, manifest: Manifest, *, digests: bool) -> Iterator[str]:
    for path in manifest.objects:
        if finding := _read_object(root, path, manifest)[1]:
            yield finding
    for folder in (volume.SECRETS, volume.CONFIGMAPS, volume.APIMANAGER.partition("/")[0]):
        for file in sorted((root / folder).glob("*")):
            if str(file.relative_to(root)) not in manifest.objects:
                yield f"{file.relative_to(root)} is not in the manifest"
    if finding := _file_finding(root, volume.LISTING, manifest.file_storage.listing):
        yield finding  # the listing can't judge the tree then
        return
    yield from (
        f"{volume.TREE}: {finding}" for finding in tree.compare(_listed(root), root / volume.TREE, digests=digests)
    )


def _strangers(root: Path, manifest: Manifest) -> Iterator[str]:
    known = {path.partition("/")[0] for path in manifest.objects}
    known |= {volume.BEGIN, volume.REPORTS, volume.LISTING, volume.TREE, volume.SUMS}
    yield from (f"{name} at the root is no part of a backup" for name in volume.content(root) if name not in known)


def _sums_findings(root: Path, manifest: Manifest) -> Iterator[str]:
    try:
        same = (root / volume.SUMS).read_bytes() == _sums(manifest)
    except OSError:
        same = False
    if not same:
        yield f"{volume.SUMS} is missing or not the manifest's"


def _file_finding(root: Path, path: str, expected: Digest) -> str:
    try:
        size, sha256 = tree.digest(root / path)
    except OSError as error:
        return f"{path} {'is missing' if isinstance(error, FileNotFoundError) else 'can not be read'}"
    if size != expected.size:
        return f"{path} has {size} bytes instead of {expected.size}"
    return "" if sha256 == expected.sha256 else f"{path} has other bytes than the manifest says"


def _read_object(root: Path, path: str, manifest: Manifest | None) -> tuple[dict[str, Any], str]:
    """Read an object file once and judge it: the object, or what is wrong with it."""
    try:
        data = (root / path).read_bytes()
    except OSError as error:
        return {}, f"{path} {'is missing' if isinstance(error, FileNotFoundError) else 'can not be read'}"
    if manifest is not None and path in manifest.objects:
        expected = manifest.objects[path]
        if len(data) != expected.size:
            return {}, f"{path} has {len(data)} bytes instead of {expected.size}"
        if hashlib.sha256(data).hexdigest() != expected.sha256:
            return {}, f"{path} has other bytes than the manifest says"
    if not data:
        return {}, f"{path} has 0 bytes: the backup was aborted"
    return _parse_object(path, data)


def _parse_object(path: str, data: bytes) -> tuple[dict[str, Any], str]:
    try:
        obj = json.loads(data)
    except ValueError:
        return {}, f"{path} is no JSON"
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata"), dict):
        return {}, f"{path} is no Kubernetes object"
    folder, _, file = path.partition("/")
    kind = {"secrets": "Secret", "configmaps": "ConfigMap"}.get(folder, installation.APIMANAGER.name)
    if obj.get("kind") != kind:
        return {}, f"{path} is a {obj.get('kind')}, no {kind}"
    name = obj["metadata"].get("name")
    if not name or (kind != installation.APIMANAGER.name and f"{name}.json" != file):
        return {}, f"{path} holds an object of another name"
    return obj, ""


def _operator_paths(root: Path) -> list[str]:
    """The object files that the operator writes; the one of zync may be absent where Zync is disabled."""
    apimanager, _ = _read_object(root, volume.APIMANAGER, None)
    zync = ((apimanager.get("spec") or {}).get("zync") or {}).get("enabled", True)
    secrets = [f"{volume.SECRETS}/{name}.json" for name in installation.SECRETS]
    optional = f"{volume.SECRETS}/{installation.ZYNC_SECRET}.json"
    return [
        volume.APIMANAGER,
        *(path for path in secrets if path != optional or zync or (root / path).exists()),
        *(f"{volume.CONFIGMAPS}/{name}.json" for name in installation.CONFIGMAPS),
    ]


def _operator_findings(root: Path) -> Iterator[str]:
    for path in _operator_paths(root):
        if finding := _read_object(root, path, None)[1]:
            yield finding
    if not (root / volume.TREE).is_dir():
        yield f"{volume.TREE} is missing"
        return
    tally = tree.Tally()
    for _ in tree.scan(root / volume.TREE, tally):
        pass
    yield from (f"{volume.TREE}: {path!r} can't be read" for path in tally.unreadable)


def _operator_digest(root: Path) -> str:
    """One digest over the object files that are there."""
    total = hashlib.sha256()
    for path in _operator_paths(root):
        if (root / path).is_file():
            total.update(f"{path} {tree.digest(root / path)[1]}\n".encode())
    return total.hexdigest()
