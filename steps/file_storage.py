"""System FileStorage: its tree goes to the backup with a listing, and comes back checked against it."""

import hashlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from steps import claims, errors, installation, marks, mtree, system_storage, tree, volume
from steps.backup import Backup
from steps.cluster import Cluster
from steps.installation import CLAIM
from steps.manifest import PLACEHOLDER, Digest, FileTree, Report
from steps.mtree import FILE, Entry

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


def save(source: Path, root: Path, progress: Progress) -> Report:
    """Copy the tree of the mounted claim to the volume and write its listing.

    Raises:
        errors.VolumeFull: before the first byte where it is foreseeable.
        errors.ReadFailed, errors.ChangedWhileRead: after everything else was copied.

    """
    expected = tree.measure(source)
    target = root / volume.TREE
    volume.make_folder(target)
    volume.clear(target)
    _check_space(target, expected.size_bytes)
    tally = tree.Tally()
    total = expected.files + expected.folders + expected.links
    entries = tree.copy_out(source, target, tally, _counting(progress, total))
    listing, placeholder = _list(root, entries)
    _judge(tally)
    log.info(
        "%d files, %d folders, %d links: saved, %d bytes", tally.files, tally.folders, tally.links, tally.size_bytes
    )
    return Report(
        file_storage=FileTree(
            files=tally.files + bool(placeholder),
            folders=tally.folders,
            links=tally.links,
            size_bytes=tally.size_bytes,
            vanished=tally.vanished,
            special=tuple(tally.special),
            placeholder=placeholder,
            listing=listing,
        )
    )


def restore(cluster: Cluster, backup: Backup, target: Path, progress: Progress) -> tree.Tally | None:
    """Fill system-storage from the backup; None where it was filled before, because a 3scale may have written since.

    A target that a restore of this backup began is emptied and filled again. The claim says `begun` before the first
    byte and `complete` after the last was checked and synced.

    Raises:
        errors.TargetNotEmpty: it holds files and this backup's mark does not say `begun`.
        errors.BackupDamaged, errors.TargetDiffers, errors.VolumeFull and its like

    """
    claim = claims.find(cluster, installation.SYSTEM_STORAGE)
    system_storage.check(claim, backup)
    state = marks.annotation(claim, marks.RESTORE_STATE)
    if state == marks.COMPLETE:
        log.info("PersistentVolumeClaim %s: kept, its files were restored before", CLAIM.name)
        return None
    backup.check_listing()
    if state == marks.BEGUN:
        volume.clear(target)
    elif found := volume.content(target):
        raise errors.TargetNotEmpty(installation.SYSTEM_STORAGE, found)
    _check_space(target, backup.size_bytes)
    system_storage.mark(cluster, backup, marks.BEGUN)
    with volume.durable(target):
        tally = _fill(backup, target, progress)
    system_storage.mark(cluster, backup, marks.COMPLETE)
    return tally


def _fill(backup: Backup, target: Path, progress: Progress) -> tree.Tally:
    tally = tree.Tally()
    tree.copy_back(backup.entries(), backup.tree, target, tally, _counting(progress, backup.entries_count))
    if findings := list(tree.compare(backup.entries(), target, digests=False)):
        raise errors.TargetDiffers(installation.SYSTEM_STORAGE, findings)
    log.info(
        "%d files, %d folders, %d links: restored, %d bytes", tally.files, tally.folders, tally.links, tally.size_bytes
    )
    if tally.widened:
        log.info("%d entries got more rights for the group than they had, so that System can write", tally.widened)
    if tally.ownership_kept:
        log.info("%d entries keep the restoring user as owner, it may not give them away", tally.ownership_kept)
    return tally


def _list(root: Path, entries: Iterable[Entry]) -> tuple[Digest, str]:
    """Write the listing while the tree is copied; an empty one gets the placeholder that the operator needs."""
    sha256, size, visible = hashlib.sha256(), 0, False
    with volume.writing(root, volume.LISTING) as stream:

        def seen() -> Iterable[Entry]:
            nonlocal visible
            for entry in entries:
                visible = visible or not entry.path.startswith(".")
                yield entry
            if not visible:
                yield _placeholder(root / volume.TREE)

        for line in mtree.dump(seen()):
            data = line.encode("ascii")
            sha256.update(data)
            size += len(data)
            stream.write(data)
    return Digest(size=size, sha256=sha256.hexdigest()), "" if visible else PLACEHOLDER


def _placeholder(folder: Path) -> Entry:
    path = folder / PLACEHOLDER
    with volume.failures(path):
        path.write_bytes(b"")
        path.chmod(volume.FILE_MODE)
        found = path.stat()
    log.info("the file storage shows no entry at its top: %s stands in, for the operator's own restore", PLACEHOLDER)
    return Entry(PLACEHOLDER, FILE, volume.FILE_MODE, found.st_uid, found.st_gid, found.st_mtime_ns, 0, "", _EMPTY)


_EMPTY = hashlib.sha256().hexdigest()


def _check_space(target: Path, needed_bytes: int) -> None:
    free = volume.free_bytes(target)
    if needed_bytes > free:
        raise errors.VolumeFull(str(target), needed_bytes, free)


def _judge(tally: tree.Tally) -> None:
    """Say what was not copied; what could not be read is a failure."""
    if tally.vanished:
        log.info("%d entries vanished while the tree was read", tally.vanished)
    for path in tally.special:
        log.info("%r: not copied, it is a socket, FIFO or device", path)
    if tally.unreadable:
        raise errors.ReadFailed(tally.unreadable, "from System FileStorage")
    if tally.changing:
        raise errors.ChangedWhileRead(tally.changing)


def _counting(progress: Progress, total: int) -> tree.Progress:
    return lambda tally: progress(tally.files + tally.folders + tally.links, total)
