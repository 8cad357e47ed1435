"""The copy of one backup into one repository: a snapshot of exactly what its manifest names, and the proof of it.

Every byte is read each time (`--force`): a size and a time would not show a file that was changed under them. restic
keeps a snapshot also where it could not read a file, so nothing counts before the proof.
"""

import hashlib
import logging
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from steps import errors
from steps.archive import layout, seal
from steps.archive.contents import Backup
from steps.parts.file_storage import Amount, Progress
from steps.repository import sealed_content, snapshot_proof, snapshots
from steps.repository.snapshots import Snapshot
from steps.restic import locks
from steps.restic.program import Restic

log = logging.getLogger(__name__)

READING = ("--force", "--no-scan")  # every byte, and no count before: the manifest has it


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
                found.short_id,
            )
            continue
        if not (wrong := errors.Few.of(findings(restic, opened, found))):
            log.info("repository %s: snapshot %s of this backup exists already", restic.store.name, found.short_id)
            return Uploaded(found, was_there=True)
        _forget(restic, found, wrong)
    made = _save(restic, opened, origin, schedule, progress)
    if wrong := errors.Few.of(findings(restic, opened, made)):
        _forget(restic, made, wrong)
        raise errors.NotProved(opened.name, restic.store.name, wrong)
    log.info("repository %s: snapshot %s is proved", restic.store.name, made.short_id)
    return Uploaded(made, was_there=False)


def findings(restic: Restic, opened: Backup, snapshot: Snapshot) -> Iterator[str]:
    """Yield how a snapshot differs from the backup on the mounted claim."""
    manifest = restic.run("dump", "--no-lock", snapshot.id, snapshot.path(layout.MANIFEST))
    if hashlib.sha256(manifest).hexdigest() != opened.digest:
        yield f"{layout.MANIFEST} differs from the one on the claim"
        return
    nodes = restic.lines("ls", "--no-lock", "--json", snapshot.tree)
    yield from snapshot_proof.findings(
        opened, nodes, lambda path: restic.run("cat", "tree", "--no-lock", snapshot.tree.encode() + path)
    )


def _save(restic: Restic, opened: Backup, origin: str, schedule: str, progress: Progress) -> Snapshot:
    manifest = opened.facts
    expected = sealed_content.counts(opened)
    total = Amount(expected.files, expected.size_bytes)
    tags, named = snapshots.tags(manifest, opened.digest, expected.files, schedule), paths(opened)
    words = ["backup", "--json", *READING, "--host", origin, *snapshots.time_option(manifest)]
    words += [part for tag in tags for part in ("--tag", tag)]
    last: Mapping[str, Any] = {}
    for line in locks.lines(restic, *words, *named):
        if told := snapshots.read_message(line):
            last = told
            progress(Amount(int(told.get("files_done", 0)), int(told.get("bytes_done", 0))), total)
    facts = {"id": last.get("snapshot_id", ""), "time": manifest.started.isoformat(), "hostname": origin}
    made = Snapshot.parse({**facts, "paths": named, "tags": tags, "summary": last})
    if made is None or not made.id:
        raise errors.NoJson("backup", restic.store.name)
    progress(total, total)
    return made


def paths(opened: Backup) -> list[str]:
    """Return the top entries of the backup, never `lost+found`, folders of snapshots or strangers."""
    return [os.fspath(opened.root / name) for name in seal.top_entries(opened.root, opened.facts)]


def _forget(restic: Restic, snapshot: Snapshot, wrong: errors.Few) -> None:
    """Remove a snapshot that is not proved. Where the credentials may not, it stays, and nothing counts it.

    `restic forget` also ends well where the store refused it (restic 0.18), so the repository is read again.
    """
    name = f"repository {restic.store.name}: snapshot {snapshot.short_id}"
    log.info("%s differs from the backup: %s", name, wrong)
    try:
        locks.run(restic, "forget", snapshot.id, patience_s=0.0)
    except (errors.StoreRefused, errors.RepositoryLocked) as error:
        log.info("%s stays and is not counted: %s", name, error)
        return
    if any(each.id == snapshot.id for each in snapshots.every(restic, f"{snapshots.DIGEST}={snapshot.digest}")):
        log.info("%s stays and is not counted: the store did not delete it", name)
    else:
        log.info("%s: forgotten", name)
