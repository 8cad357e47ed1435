"""The way back: a snapshot is chosen, fetched to an empty volume, and compared with its manifest byte by byte.

restic writes files in any order. So the manifest is left out, and committed when all other bytes are right: a volume
with a manifest holds a whole backup. A fetch that was killed is resumed by another one, which reads what is there.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from steps import errors
from steps.archive import contents, layout, manifest
from steps.archive.contents import Backup
from steps.archive.manifest import Manifest
from steps.contract.fetch_contract import LATEST
from steps.files import durability
from steps.kubernetes.claims import MARGIN
from steps.parts.file_storage import Amount, Progress
from steps.repository import snapshots
from steps.repository.snapshots import Snapshot
from steps.restic import locks
from steps.restic.program import Restic

log = logging.getLogger(__name__)

_ID = re.compile(r"[0-9a-f]{8,64}")
_ENTRY_BYTES = 8 << 10  # of a file system, for each entry: a block that is not full, and its place in a folder
_SMALLEST_BYTES = 64 << 20


class ReadManifest(NamedTuple):
    """The manifest of a snapshot, with its bytes."""

    manifest: Manifest
    data: bytes


def choose(found: Sequence[Snapshot], wanted: str, origin: str, repository: str) -> Snapshot:
    """Return the wanted snapshot: of a backup's name, of an ID, or the newest whole one of an origin.

    An origin without snapshots has a new line. `latest` then is the newest of the only other origin.

    Raises:
        errors.NoSnapshot, errors.ManySnapshots, errors.OtherOrigins

    """
    whole = [each for each in found if each.is_whole]
    if wanted == LATEST:
        return _latest(whole, origin, repository)
    by_id = [each for each in found if _ID.fullmatch(wanted) and each.id.startswith(wanted)]
    named = by_id or [each for each in whole if each.backup == wanted]
    if not named:
        raise errors.NoSnapshot(wanted, repository, sorted({each.backup for each in whole}))
    if len({each.digest for each in named}) > 1:
        raise errors.ManySnapshots(
            wanted, repository, [f"{each.short_id} of {each.started:%Y-%m-%d}" for each in named]
        )
    return named[0]


def _latest(whole: Sequence[Snapshot], origin: str, repository: str) -> Snapshot:
    own = [each for each in whole if each.origin == origin]
    origins = sorted({f"{each.namespace}/{each.apimanager} ({each.origin})" for each in whole})
    if not own and len(origins) > 1:
        raise errors.OtherOrigins(repository, origins)
    if not whole:
        raise errors.NoSnapshot(LATEST, repository)
    return (own or list(whole))[0]


def read(restic: Restic, snapshot: Snapshot) -> ReadManifest:
    """Read the manifest of a snapshot, and compare its digest with the snapshot's tag.

    Raises:
        errors.FetchedDiffers; as `manifest.parse` and `Restic.lines`

    """
    data = restic.run("dump", "--no-lock", snapshot.id, snapshot.path(layout.MANIFEST))
    if hashlib.sha256(data).hexdigest() != snapshot.digest:
        finding = errors.Few.of([f"{layout.MANIFEST} is not the one of the snapshot's tag"])
        raise errors.FetchedDiffers(snapshot.backup, snapshot.short_id, restic.store.name, finding)
    return ReadManifest(manifest.parse(data), data)


def needed_bytes(found: Manifest) -> int:
    """Return the size of a claim for a backup, by its manifest."""
    tree = found.file_storage
    entries = len(found.listed) + (tree.files + tree.folders + tree.links if tree else 0)
    data = sum(each.size for each in found.listed.values()) + (tree.size_bytes + tree.listing.size if tree else 0)
    return int(max(Decimal(data + entries * _ENTRY_BYTES) * MARGIN, Decimal(_SMALLEST_BYTES)))


def download(restic: Restic, snapshot: Snapshot, root: Path, progress: Progress) -> Backup:
    """Fetch a snapshot to a volume, check every byte, and commit the manifest. What is there already is read.

    Raises:
        errors.FetchedDiffers: what was fetched differs from the manifest, and no manifest is left.
        errors.VolumeFull and others of `volume.failures`; errors of `endings.of`

    """
    sealed = read(restic, snapshot)
    with durability.durable(root) as disk:
        _restore(restic, snapshot, root, sealed.manifest, progress)
        opened = Backup(root, sealed.manifest, snapshot.digest, sealed.manifest.backup)
        if wrong := errors.Few.of(opened.findings(digests=True)):
            raise errors.FetchedDiffers(snapshot.backup, snapshot.short_id, restic.store.name, wrong)
        disk.commit(layout.MANIFEST, sealed.data)
    return contents.open_at(root)


def _restore(restic: Restic, snapshot: Snapshot, root: Path, found: Manifest, progress: Progress) -> None:
    total = Amount(found.file_storage.files, found.file_storage.size_bytes) if found.file_storage else Amount(1, 1)
    for told in restoring(restic, snapshot, root, "--exclude", f"/{layout.MANIFEST}"):
        progress(Amount(int(told.get("files_restored", 0)), int(told.get("bytes_restored", 0))), total)
    progress(total, total)


def restoring(restic: Restic, snapshot: Snapshot, root: Path, *words: str | bytes) -> Iterator[Mapping[str, Any]]:
    """Restore entries of a backup below a folder, and yield what restic says of its progress. Raises as `locks.lines`.

    What is there already is read and kept if it is right.
    """
    source = ["restore", snapshot.tree, "--json", "--target", str(root)]
    options = ["--overwrite", "always", "--sparse", "--exclude-xattr", "*"]
    for line in locks.lines(restic, *source, *options, *words):
        yield snapshots.read_message(line)
