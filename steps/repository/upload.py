"""The copy of one backup into one repository: a snapshot of exactly what its manifest names, and the proof of it.

Every byte is read each time (`--force`): a size and a time would not show a file that was changed under them. restic
keeps a snapshot also where it could not read a file, so nothing counts before the proof.
"""

import hashlib
import logging
import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

from steps import errors
from steps.archive import layout, seal
from steps.archive.contents import Backup
from steps.archive.manifest import Manifest
from steps.parts.file_storage import Amount, Progress
from steps.repository import sealed_content, snapshot_proof, snapshots
from steps.repository.snapshots import Snapshot
from steps.restic import locks
from steps.restic.program import Restic

log = logging.getLogger(__name__)


class Uploaded(NamedTuple):
    """A proved snapshot of a backup."""

    snapshot: Snapshot
    was_there: bool


def upload(
    restic: Restic, opened: Backup, origin: str, schedule: str, progress: Progress, damaged: Collection[str] = ()
) -> Uploaded:
    """Copy a sealed backup into a repository, unless a proved snapshot of it is there.

    `damaged` are the IDs of snapshots that count as absent, because the repository has lost data of them.

    Raises:
        errors.NotProved: the snapshot differs from the backup.
        errors of `endings.of`

    """
    for found in snapshots.every(restic, f"{snapshots.DIGEST}={opened.digest}"):
        if found.id in damaged:
            log.info(
                "repository %s: snapshot %s of this backup is damaged, so the backup is copied again",
                restic.store.name,
                found.id[:8],
            )
            continue
        if not (wrong := errors.Few.of(findings(restic, opened, found))):
            log.info("repository %s: snapshot %s of this backup exists already", restic.store.name, found.id[:8])
            return Uploaded(found, was_there=True)
        _forget(restic, found, wrong)
    made = _save(restic, opened, origin, schedule, progress)
    if wrong := errors.Few.of(findings(restic, opened, made)):
        _forget(restic, made, wrong)
        raise errors.NotProved(opened.name, restic.store.name, wrong)
    log.info("repository %s: snapshot %s is proved", restic.store.name, made.id[:8])
    return Uploaded(made, was_there=False)


def findings(restic: Restic, opened: Backup, snapshot: Snapshot) -> Iterator[str]:
    """Yield how a snapshot differs from the backup on the mounted claim."""
    manifest = restic.run("dump", "--no-lock", snapshot.id, f"{snapshot.root}/{layout.MANIFEST}")
    if hashlib.sha256(manifest).hexdigest() != opened.digest:
        yield f"{layout.MANIFEST} differs from the one on the claim"
        return
    tree = f"{snapshot.id}:{snapshot.root}"
    nodes = restic.lines("ls", "--no-lock", "--json", tree)
    yield from snapshot_proof.findings(
        opened, nodes, lambda path: restic.run("cat", "tree", "--no-lock", tree.encode() + path)
    )


def _save(restic: Restic, opened: Backup, origin: str, schedule: str, progress: Progress) -> Snapshot:
    manifest = opened.facts
    expected = sealed_content.counts(opened)
    total = Amount(expected.files, expected.size_bytes)
    words = ["backup", "--json", "--force", "--no-scan", "--host", origin, *snapshots.time_option(manifest)]
    words += [
        part for tag in snapshots.tags(manifest, opened.digest, expected.files, schedule) for part in ("--tag", tag)
    ]
    made = ""
    for line in locks.lines(restic, *words, *_paths(opened, manifest)):
        told = snapshots.read_message(line)
        if told:
            progress(Amount(int(told.get("files_done", 0)), int(told.get("bytes_done", 0))), total)
        made = str(told.get("snapshot_id", made))
    found = [each for each in snapshots.every(restic, f"{snapshots.DIGEST}={opened.digest}") if each.id == made]
    if not found:
        raise errors.NoJson("backup", restic.store.name)
    progress(total, total)
    return found[0]


def _paths(opened: Backup, manifest: Manifest) -> list[str]:
    """Return the top entries of the backup, never `lost+found`, folders of snapshots or strangers."""
    return [os.fspath(opened.root / name) for name in seal.top_entries(opened.root, manifest)]


def _forget(restic: Restic, snapshot: Snapshot, wrong: errors.Few) -> None:
    """Remove a snapshot that is not proved. Where the credentials may not, it stays, and nothing counts it."""
    name = f"repository {restic.store.name}: snapshot {snapshot.id[:8]}"
    log.info("%s differs from the backup: %s", name, wrong)
    try:
        for _ in locks.lines(restic, "forget", snapshot.id):
            pass
    except errors.StoreRefused as error:
        log.info("%s stays and is not counted: %s", name, error)
    else:
        log.info("%s: forgotten", name)
