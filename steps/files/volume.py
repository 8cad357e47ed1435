"""A mounted volume: its errors, its free space, and the entries at its root and below. No link is followed."""

import errno
import os
import secrets
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from steps import errors
from steps.files import beneath
from steps.files.beneath import closed, open_file, open_folder

LOST_AND_FOUND = "lost+found"  # the file system's own, never content
NO_CONTENT = (LOST_AND_FOUND,)
# Folders at the root of a volume in which a NAS shows earlier states, read-only. Nobody can remove them, and a copy of
# them would be larger than the volume. NetApp ONTAP, Amazon FSx, Trident and Isilon .snapshot (on SMB ~snapshot),
# Synology and Btrfs's snapper .snapshots, ZFS (FSx for OpenZFS too) .zfs, Dell Celerra and Unity .ckpt. See
# velero#5578.
SNAPSHOTS = (".snapshot", ".snapshots", ".zfs", ".ckpt", "~snapshot")
TEMPORARY = ".threescale-backup-"

_LISTINGS = 3
_NO_FOLDER = {errno.ENOTDIR, errno.ELOOP}
_FULL = {errno.ENOSPC, errno.EDQUOT}  # these say nothing about a folder
_AS_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC  # an unreadable folder may take files too
_PROBE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC  # opens a link itself, and does not block at a FIFO
NO_WAY = {errno.ELOOP, errno.ENOTDIR}  # a link or a file is in the place of a folder


class failures:  # noqa: N801  a context manager, written out: it is entered for each file
    """Turn errors of the system at `path`, or at the path `below` it, into errors of this tool.

    Raises:
        errors.NotWritable, errors.VolumeReadOnly, errors.VolumeFull, errors.VolumeStale, errors.VolumeFailed

    """

    __slots__ = ("_below", "_path")

    def __init__(self, path: Path, below: str = "") -> None:
        self._path = path
        self._below = below

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise failure(error, self._path, self._below) from error


def failure(error: OSError, path: Path, below: str = "") -> errors.PhaseError:
    """The error of this tool for an error of the system. The path is joined only here, to save time without errors."""
    named = str(error.filename or "")
    where = named if named.startswith("/") else str(path / below)  # a name without its folder says too little
    reason = error.strerror or os.strerror(error.errno or 0)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return errors.NotWritable(where, reason)
    if error.errno == errno.EROFS:
        return errors.VolumeReadOnly(where)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return errors.VolumeFull(where, None, free_bytes(path if path.exists() else path.parent))
    if error.errno == errno.ESTALE:
        return errors.VolumeStale(where)
    return errors.VolumeFailed(where, reason)


def free_bytes(path: Path) -> int | None:
    """Bytes that an ordinary user may still write on the file system of `path`; None if unknown.

    A file system that reports no blocks at all (an object store, some FUSE file systems) is not full but unknown.
    """
    try:
        usage = os.statvfs(path)
    except OSError:
        return None
    return usage.f_bavail * usage.f_frsize if usage.f_blocks else None


def open_root(root: Path) -> int:
    """Open a volume, or a folder that a person named. It may be a link. The caller closes it.

    Raises:
        OSError

    """
    return os.open(root, _ROOT)


def opened(root: Path, path: str) -> int:
    """Open a file of the backup to read it: no link is followed below the root; the caller closes it.

    Raises:
        OSError: EINVAL if it is not a regular file

    """
    with closed(open_root(root)) as top:
        return open_file(top, path)


def look(root: Path, path: str) -> os.stat_result | None:
    """The status of a path on the volume, of a link itself; None if nothing is there.

    Raises:
        OSError: ELOOP or ENOTDIR if a link or a file is in the place of a folder above it

    """
    with closed(open_root(root)) as top:
        return look_below(top, path)


def look_below(top: int, path: str) -> os.stat_result | None:
    """The same as `look`, below an opened folder."""
    try:
        with closed(beneath.opened(top, path, _LOOK)) as found:
            return os.fstat(found)
    except FileNotFoundError:
        return None


def is_there(root: Path, path: str) -> bool:
    """Whether anything is at a path on the volume. A link or file in the place of a folder counts as there.

    Raises:
        OSError

    """
    try:
        return look(root, path) is not None
    except OSError as error:
        if error.errno not in NO_WAY:
            raise
        return True


def content(root: Path, without: Collection[str] | None = None) -> list[str]:
    """The names at a volume's root, except those that are not content and leftovers of an interrupted write.

    `without` are the names that are not content; None: those of `passed_over`.

    Raises:
        errors.ReadFailed: the root can't be listed.

    """
    names = _names_at(root)
    passed = passed_over(root) if without is None else without
    return sorted(name for name in names if name not in passed and not name.startswith(TEMPORARY))


def _names_at(root: Path) -> list[str]:
    """The names at a volume's root. A failed listing is repeated, because a network volume may recover."""
    for left in reversed(range(_LISTINGS)):
        try:
            with closed(open_root(root)) as top:
                return beneath.names(top)
        except OSError as error:
            if not left:
                raise errors.ReadFailed([str(root)], os.strerror(error.errno or 0)) from error
    return []


def passed_over(root: Path) -> tuple[str, ...]:
    """Names at the root of a mounted volume that are not content: `lost+found`, and the snapshot folders of a NAS.

    A snapshot folder has one of the known names, and no file can be created in it. On a read-only mount the name alone
    decides.

    Raises:
        errors.ReadFailed: the root can't be listed.

    """
    there = _names_at(root)
    return (*NO_CONTENT, *(name for name in SNAPSHOTS if name in there and _is_snapshot_folder(root, name)))


def snapshots(passed: Collection[str]) -> tuple[str, ...]:
    """The snapshot folders among the skipped names."""
    return tuple(name for name in passed if name in SNAPSHOTS)


def shown(root: Path, name: str) -> str:
    """How many entries a folder at a volume's root shows, in words. Deeper entries are not counted."""
    try:
        with closed(open_root(root)) as top, closed(open_folder(top, name)) as folder:
            count = len(os.listdir(folder))
            return "1 entry" if count == 1 else f"{count} entries"
    except OSError:
        return "an unknown number of entries"


def temporary_name() -> str:
    """A unique name for an incomplete file."""
    return f"{TEMPORARY}{secrets.token_hex(8)}"


def _is_snapshot_folder(root: Path, name: str) -> bool:
    try:
        if not stat.S_ISDIR(os.lstat(root / name).st_mode):
            return False
    except OSError:  # the name is listed, so an error proves nothing
        pass
    return _is_read_only(root) or not _takes_files(root, name)


def _is_read_only(root: Path) -> bool:
    try:
        return bool(os.statvfs(root).f_flag & os.ST_RDONLY)
    except OSError:  # the attempt to create a file will tell
        return False


def _takes_files(root: Path, name: str) -> bool:
    """Try to create a file in a folder; True for other entries too. No folder is tried: it may make a snapshot."""
    probe = temporary_name()
    try:
        with closed(open_root(root)) as top, closed(os.open(name, _AS_PLACE, dir_fd=top)) as folder:
            return _takes_file(folder, probe)
    except OSError as error:
        return error.errno in _NO_FOLDER


def _takes_file(folder: int, name: str) -> bool:
    try:
        os.close(os.open(name, _PROBE, 0o600, dir_fd=folder))
    except OSError as error:
        return error.errno in _FULL
    with suppress(OSError):  # the file was created, and that is the answer
        os.unlink(name, dir_fd=folder)
    return True
