"""Opens a finished backup. A restore begins here, and needs a manifest that matches.

A backup that the operator's APIManagerBackup made has no manifest. It is opened after the checks that are possible
without one, and its `manifest` is None.
"""

import errno
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from steps import errors
from steps.archive import layout, manifest, operators_backup, saved, seal
from steps.archive.manifest import Digest, External, Manifest, Ready, SystemStorage
from steps.archive.marks import Mark
from steps.archive.operators_backup import OPENED
from steps.files import comparison, mtree, scanning, volume
from steps.files.tally import Tally
from steps.kubernetes import kinds
from steps.kubernetes.kinds import Kind
from steps.threescale import installation, references
from steps.threescale.domain import Move
from steps.threescale.references import Reference

_LENGTH = 16 << 10  # characters of a sentence; the annotations of a claim may have 256 KiB
_OF_ROUTES = ("Available", "RoutesReady")  # conditions of an APIManager


class LeftOut(NamedTuple):
    """The entries of a tree that a restore leaves out, because they are missing or differ from the listing."""

    paths: Collection[str]
    counts: Tally
    findings: errors.Few
    digest: str  # over the paths

    def __str__(self) -> str:
        return f"{len(self.findings)} entries are damaged or missing and are left out: {self.findings}"


@dataclass(frozen=True)
class Backup:
    """An opened backup. `manifest` is None for one that the operator made; `digest` identifies either.

    `sums` are the digests of the object files of an operator's backup; `digest` is made of them.
    """

    root: Path
    manifest: Manifest | None
    digest: str
    name: str
    move: Move | None = None  # to another wildcard domain
    sums: Mapping[str, Digest] = field(default_factory=dict)
    left_out: LeftOut | None = None  # None: nothing may be left out
    bound_to: str = ""  # `tree_digest` of an operator's backup, compared at the end of each reading

    @property
    def facts(self) -> Manifest:
        """The manifest of a backup that has one.

        Raises:
            errors.NoDigests: the operator made the backup.

        """
        if self.manifest is None:
            raise errors.NoDigests(self.name)
        return self.manifest

    @property
    def mark(self) -> Mark:
        """The mark that a restore of this backup puts on each object that it creates."""
        return Mark(self.name, self.digest)

    @property
    def tree(self) -> Path:
        return self.root / layout.TREE

    @cached_property
    def apimanager(self) -> dict[str, Any]:
        """The APIManager as saved."""
        return self.read(layout.APIMANAGER)

    @property
    def threescale_version(self) -> str:
        """The recorded 3scale version, MAJOR.MINOR, empty if the APIManager has none."""
        annotations = self.apimanager["metadata"].get("annotations") or {}
        return minor(str(annotations.get(installation.THREESCALE_VERSION, "")))

    @property
    def lacking(self) -> str:
        """The entries of its tree that are left out, in a sentence; empty: none."""
        return str(self.left_out)[:_LENGTH] if self.left_out and self.left_out.findings else ""

    @property
    def system_storage(self) -> SystemStorage:
        return self.manifest.source.system_storage if self.manifest else SystemStorage()

    @property
    def unreconciled(self) -> tuple[str, ...]:
        """Why the operator may not have looked after the APIManager when it was saved."""
        return (self.manifest.source.unreconciled if self.manifest else None) or ()

    @property
    def ready(self) -> Ready:
        """What was ready. Under a new domain, without Routes of the old domain and the conditions that need them."""
        found = self.manifest.source.ready if self.manifest else Ready()
        if self.move is None:
            return found
        conditions = tuple(name for name in found.conditions if name not in _OF_ROUTES)
        return Ready(
            conditions=conditions, deployments=found.deployments, routes=tuple(filter(self.move.stays, found.routes))
        )

    @cached_property
    def external(self) -> External | None:
        """Where System's files are, if not in this backup. A backup of the operator does not record the bucket."""
        if self.manifest:
            return self.manifest.source.external
        in_s3 = operators_backup.in_s3(self.root, self.sums.get(layout.APIMANAGER))
        return External(bucket="", region="") if in_s3 else None

    @property
    def size_bytes(self) -> int:
        """Bytes of the tree's files."""
        return self.counts.size_bytes

    @cached_property
    def data_bytes(self) -> int:
        """Bytes of the files without holes; this scans the whole tree. An entry that can't be read counts in full."""
        found = scanning.measure(self.tree) if self.manifest else self.counts
        return max(self.size_bytes - found.hole_bytes, 0)

    def needed_bytes(self, room_bytes: int | Decimal | None) -> int:
        """Bytes that a target needs: the size of the files if that fits, which needs no scan; else their data."""
        fits = room_bytes is None or self.size_bytes <= room_bytes
        return self.size_bytes if fits else self.data_bytes

    @cached_property
    def counts(self) -> Tally:
        """The counts of the tree's entries that are to be restored."""
        if self.manifest is None:
            return scanning.measure(self.tree)
        facts = self.manifest.file_storage
        if facts is None:
            return Tally()
        left = self.left_out.counts if self.left_out else Tally()
        return Tally(
            facts.files - bool(facts.placeholder) - left.files,
            facts.folders - left.folders,
            facts.links - left.links,
            facts.size_bytes - left.size_bytes,
        )

    def read(self, path: str) -> dict[str, Any]:
        """Read one object file, and compare it with the manifest, or with its content when the backup was opened.

        Raises:
            errors.BackupDamaged

        """
        expected = (self.manifest.objects if self.manifest else self.sums).get(path)
        if self.manifest and expected is None:
            raise errors.BackupDamaged([f"{path} is not in the manifest"])
        data, finding = saved.read(self.root, path, expected, saved.SEALED if self.manifest else OPENED)
        if expected is None and not finding:
            finding = f"{path} was not there {OPENED}"
        if finding:
            raise errors.BackupDamaged([finding])
        return self.move.rewritten(data) if self.move else data

    def under(self, wildcard_domain: str) -> "Backup":
        """The backup as it is restored under another wildcard domain; empty: under its own domain.

        Raises:
            errors.BadDomain, errors.BackupDamaged

        """
        if not wildcard_domain:
            return self
        return replace(self, move=Move.to(str(self.apimanager["spec"].get("wildcardDomain", "")), wildcard_domain))

    def objects(self, folder: str, names: Iterable[str]) -> list[dict[str, Any]]:
        """Read the named objects, as far as the backup holds them."""
        paths = [f"{folder}/{name}.json" for name in names]
        return [self.read(path) for path in paths if self._lists(path)]

    def referenced(self, kind: Kind) -> list[dict[str, Any]]:
        """Read the objects that its APIManager names, and the ConfigMaps that users edit.

        Other files in those folders are ignored. A backup of the operator has no such folders.

        Raises:
            errors.BackupDamaged

        """
        if self.manifest is None:
            return []
        edited = installation.EDITED_CONFIGMAPS if kind == kinds.CONFIGMAP else ()
        return self.objects(layout.PLACES[kind].others, sorted({*edited, *references.names(self.named, kind)}))

    @property
    def named(self) -> list[Reference]:
        """The references to objects in its APIManager."""
        return references.of(self.apimanager)

    def holds(self, reference: Reference) -> bool:
        """Whether it holds an object that its APIManager names. A backup of the operator does not."""
        return self.manifest is not None and self._lists(seal.path_of(reference))

    def check_listing(self) -> None:
        """Check that the tree is a folder and that the listing matches the manifest, before a tree is restored.

        Raises:
            errors.BackupDamaged

        """
        if findings := list(layout.folder_findings(self.root, [layout.TREE])):
            raise errors.BackupDamaged(findings)
        facts = self.manifest.file_storage if self.manifest else None
        if facts and (finding := seal.listing_finding(self.root, facts)):
            raise errors.BackupDamaged([finding])

    @cached_property
    def tree_digest(self) -> str:
        """SHA-256 over a tree that has no listing, to notice a later change; empty if there is a listing.

        It covers names, kinds, sizes, times in whole seconds, and targets of links.

        Raises:
            errors.ReadFailed, errors.BackupDamaged: an entry could not be listed.

        """
        if self.manifest or self.external:
            return ""
        total = hashlib.sha256()
        for line in operators_backup.lines(self.tree):
            total.update(operators_backup.stable(line))
        return total.hexdigest()

    def bound(self, tree_digest: str) -> "Backup":
        """The backup, whose tree must keep this `tree_digest`; empty: the digest that it has now.

        Raises:
            errors.TreeChanged; as `tree_digest`

        """
        if tree_digest and self.tree_digest != tree_digest:
            raise errors.TreeChanged(self.name)
        return replace(self, bound_to=self.tree_digest)

    def lines(self) -> Iterator[str]:
        """The lines of the tree's entries to restore; without digests if there is no listing.

        Raises:
            errors.TreeChanged: at the end, for a backup of the operator.

        """
        if self.manifest is None:
            return self._scanned()
        if self.left_out and (without := self.left_out.paths):
            return (line for line in self._listed() if mtree.head(line)[0] not in without)
        return self._listed()

    def _scanned(self) -> Iterator[str]:
        """The lines of a tree that has no listing, compared with `bound_to` at the end."""
        total = hashlib.sha256()
        for line in operators_backup.lines(self.tree):
            total.update(operators_backup.stable(line))
            yield line
        if self.bound_to and total.hexdigest() != self.bound_to:
            raise errors.TreeChanged(self.name)

    def _listed(self) -> Iterator[str]:
        """The lines of the listing, without the placeholder that a backup adds."""
        facts = self.manifest.file_storage if self.manifest else None
        lines = seal.lines(self.root, facts.listing if facts else None)
        if facts and (placeholder := facts.placeholder):
            return (line for line in lines if mtree.head(line)[0] != placeholder)
        return lines

    def salvaged(self, workers: int | None = None) -> "Backup":
        """The backup without damaged or missing files. This reads every byte. Objects and listing must be undamaged.

        Raises:
            errors.NoDigests: the operator made the backup.
            errors.BackupDamaged: its objects or its listing are damaged.
            errors.ReadFailed: the tree itself can't be read.

        """
        if self.manifest is None:
            raise errors.NoDigests(self.name)
        if findings := list(seal.objects_findings(self.root, self.manifest)):
            raise errors.BackupDamaged(findings)
        if self.external:
            return self
        self.check_listing()
        paths, counts, few, total = set(), Tally(), errors.Few(), hashlib.sha256()
        for entry, finding in comparison.damaged(mtree.parse(self._listed()), self.tree, workers):
            paths.add(entry.path)
            counts.count(entry)
            few.append(finding)
            total.update(f"{entry.path!a}\n".encode())
        return replace(self, left_out=LeftOut(paths, counts, few, total.hexdigest()))

    def findings(self, *, digests: bool, given: Collection[str] = ()) -> Iterator[str]:
        """Yield what is wrong, a line each. With `digests` every byte of the tree is read.

        `given` are paths that a backup of the operator need not hold, because their objects exist already.
        """
        if self.manifest is None:
            yield from operators_backup.findings(self.root, given, self.sums)
        elif self.left_out:
            yield from seal.objects_findings(self.root, self.manifest)  # the tree was checked already
        else:
            yield from seal.findings(self.root, self.manifest, digests=digests)
            yield from seal.sums_findings(self.root, self.manifest)

    @property
    def strangers(self) -> list[str]:
        """Names at its root that are not part of it, as `seal.strangers`."""
        return seal.strangers(self.root, self.manifest)

    def _lists(self, path: str) -> bool:
        if self.manifest:
            return path in self.manifest.objects
        return path in self.sums or volume.is_there(self.root, path)


def minor(version: str) -> str:
    """MAJOR.MINOR of a 3scale version. It decides whether the operator would upgrade a database."""
    return ".".join(version.split(".")[:2])


def open_at(root: Path, claim: str = "") -> Backup:
    """Open a finished backup. `claim` is its name if it has no manifest.

    Raises:
        errors.NotABackup: there is none, it was not finished, or it has a newer form.
        errors.ReadFailed: this user may not read it.

    """
    try:
        return _open(root, claim)
    except OSError as error:
        raise errors.ReadFailed([str(error.filename or root)], os.strerror(error.errno or 0)) from error


def _open(root: Path, claim: str) -> Backup:
    if not root.is_dir():
        raise errors.NotABackup(f"there is no folder {root}")
    if volume.is_there(root, layout.MANIFEST):
        data = _manifest(root)
        found = manifest.parse(data)
        return Backup(root, found, hashlib.sha256(data).hexdigest(), found.backup)
    if volume.is_there(root, layout.BEGIN):
        raise errors.NotABackup("it was begun and not finished, manifest.json is missing")
    if not volume.is_there(root, layout.APIMANAGER):
        if any(volume.is_there(root, path) for path in operators_backup.paths(root)):
            raise errors.NotABackup(
                f"the operator did not finish it, see the log of its Job; {operators_backup.first_gap(root)}"
            )
        names = volume.content(root)
        raise errors.NotABackup(f"manifest.json and {layout.APIMANAGER} are missing, it has {len(names)} other entries")
    sums = operators_backup.sums(root)
    return Backup(root, None, operators_backup.digest(root, sums), claim or root.name, sums=sums)


def _manifest(root: Path) -> bytes:
    try:
        return layout.read(root, layout.MANIFEST)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EFBIG}:
            raise
        raise errors.NotABackup(f"its {layout.MANIFEST} {layout.unread(error)}") from error
