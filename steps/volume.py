"""Where each file lies on the backup volume, and how it gets there: whole or not at all, and to stay.

The layout is the one of the operator's APIManagerBackup (secrets/, configmaps/, apimanager/, system-filestorage-pvc/),
so that its APIManagerRestore can read it; what is ours lies beside it. Entries are readable and replaceable by every
UID of the group, because the next reader is rarely the writer: another namespace, the operator, a retry.

A power loss may take what was not synced: a name, or the bytes under it. So what a later phase or try believes without
a look at the data (the begin marker, a report, the manifest) has its name only when all before it is synced. A phase
syncs the whole volume a few times, not each file.
"""

import ctypes
import errno
import functools
import json
import logging
import os
import secrets
import stat
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from steps import beneath, errors, permissions
from steps.beneath import closed, open_file, open_folder

log = logging.getLogger(__name__)

BEGIN = "begin.json"
MANIFEST = "manifest.json"
RESULT = "result.json"
SUMS = "SHA256SUMS"
LISTING = "system-filestorage.mtree"
REPORTS = "reports"
SECRETS = "secrets"
CONFIGMAPS = "configmaps"
REFERENCED = "referenced"  # the operator passes over folders that it does not know
REFERENCED_SECRETS = f"{REFERENCED}/{SECRETS}"
REFERENCED_CONFIGMAPS = f"{REFERENCED}/{CONFIGMAPS}"
APIMANAGER = "apimanager/apimanager-backup.json"  # one fixed name, whatever the APIManager is called
TREE = "system-filestorage-pvc"
OF_APIMANAGER = APIMANAGER.partition("/")[0]
FOLDERS = (TREE, SECRETS, CONFIGMAPS, OF_APIMANAGER, REFERENCED, REFERENCED_SECRETS, REFERENCED_CONFIGMAPS, REPORTS)

LOST_AND_FOUND = "lost+found"  # the file system's own, never content
NO_CONTENT = (LOST_AND_FOUND,)
# Where a NAS shows earlier states of a volume, at its root and read-only: nobody can remove them, and a copy of them
# would be larger than the volume. NetApp ONTAP, Amazon FSx, Trident and Isilon .snapshot (on SMB ~snapshot), Synology
# and Btrfs's snapper .snapshots, ZFS (FSx for OpenZFS too) .zfs, Dell Celerra and Unity .ckpt. See velero#5578.
SNAPSHOTS = (".snapshot", ".snapshots", ".zfs", ".ckpt", "~snapshot")
TEMPORARY = ".threescale-backup-"

_LISTINGS = 3
_NO_FOLDER = {errno.ENOTDIR, errno.ELOOP}
_FULL = {errno.ENOSPC, errno.EDQUOT}  # which says nothing of a folder
_AS_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC  # a folder that may not be read takes files too
_PROBE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE_BACK_BYTES = 64 << 20  # 84 MiB took 0.39 s, with 16 MiB 0.43 s, without 0.42 s
_LOOK_S = 0.02
_PAGE = 4096  # bytes; what most file systems allocate at least
_PAGE_OF_ZEROS = bytes(_PAGE)
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC  # opens a link as itself, and waits for nobody at a FIFO
_NEW = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_WAY = {errno.ELOOP, errno.ENOTDIR}  # a link or a file has the name of a folder

_GROUP_READ = 0o050
# What is read whole is at most so large, and so is what is written to be read so. A marker holds three names. A line of
# a manifest, a report or SHA256SUMS, of an object or a host, takes 600 bytes at most: that is room for 27,000 of them.
# Kubernetes takes objects of 3 MiB; indentation and escaped signs make them longer.
_LARGEST_MARKER_BYTES = 64 << 10
_LARGEST_LIST_BYTES = 16 << 20
_LARGEST_OBJECT_BYTES = 16 << 20

FILE_MODE = 0o640
FOLDER_MODE = 0o770


class Begin(BaseModel):
    """The begin marker: whose volume this is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backup: str
    workflow: str
    workflow_uid: str


class State(Enum):
    """What a phase found on the volume."""

    BEGUN = "begun"
    SEALED = "sealed"


class failures:  # noqa: N801  a context manager, written out: it is entered for each file
    """Turn the system's errors at `path`, or at what lies `below` it, into ours.

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
    """One of the system's errors as ours; the path is put together here, where there is an error, and not each time."""
    named = str(error.filename or "")
    where = named if named.startswith("/") else str(path / below)  # a name in an opened folder says too little
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
    """What an ordinary user may still write on the file system of `path`; None where it does not say.

    One that counts no blocks at all (an object store, some FUSE file systems) is not full, it does not know.
    """
    try:
        usage = os.statvfs(path)
    except OSError:
        return None
    return usage.f_bavail * usage.f_frsize if usage.f_blocks else None


def put(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of it: the system may take less at a time."""
    done = os.write(descriptor, data)
    while done < len(data):
        done += os.write(descriptor, memoryview(data)[done:])


def put_sparse(descriptor: int, data: bytes | memoryview) -> bool:
    """Write all of it but pages of zeros, which become holes; True where it ends in one: its size is to be set then.

    The first byte of each page tells nearly always that it holds data: a block of 256 KiB takes 0.5 us so, and 15 us
    to search for 4 KiB of zeros, a tenth of what its digest takes.
    """
    holes = _holes(data) if 0 in bytes(data[::_PAGE]) else set()
    if not holes:
        put(descriptor, data)
        return False
    view = memoryview(data)
    for is_hole, run in groupby(range(0, len(view), _PAGE), holes.__contains__):
        pages = list(run)
        piece = view[pages[0] : pages[-1] + _PAGE]
        if is_hole:
            os.lseek(descriptor, len(piece), os.SEEK_CUR)
        else:
            put(descriptor, piece)
    return pages[-1] in holes


def _holes(data: bytes | memoryview) -> set[int]:
    """Where whole pages of zeros begin."""
    starts = range(0, len(data), _PAGE)
    return {at for at in starts if not data[at] and bytes(data[at : at + _PAGE]) == _PAGE_OF_ZEROS}


def open_root(root: Path) -> int:
    """Open a volume, or the folder that a person named, which may be a link; the caller closes it.

    Raises:
        OSError

    """
    return os.open(root, _ROOT)


def opened(root: Path, path: str) -> int:
    """Open a file of the backup to read it: no link is followed below the root; the caller closes it.

    Raises:
        OSError: EINVAL where anything else than a regular file has its name

    """
    with closed(open_root(root)) as top:
        return open_file(top, path)


def read(root: Path, path: str) -> bytes:
    """Read a file of the backup that fits into memory.

    Raises:
        OSError: as `opened`; EFBIG where it is larger than any such file is

    """
    largest = _largest_bytes(path)
    with os.fdopen(opened(root, path), "rb") as stream:
        data = stream.read(largest + 1) if os.fstat(stream.fileno()).st_size <= largest else None
    if data is None or len(data) > largest:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    return data


def _largest_bytes(path: str) -> int:
    """How large a file of the backup may be, by its kind."""
    if path == BEGIN:
        return _LARGEST_MARKER_BYTES
    is_list = path in {MANIFEST, RESULT, SUMS} or path.startswith(f"{REPORTS}/")
    return _LARGEST_LIST_BYTES if is_list else _LARGEST_OBJECT_BYTES


def _check_size(path: str, data: bytes) -> None:
    """See that what is to be written can be read."""
    if len(data) > (largest := _largest_bytes(path)):
        raise errors.FileTooLarge(path, len(data), largest)


def look(root: Path, path: str) -> os.stat_result | None:
    """What has a path on the volume, a link as itself; None where there is nothing.

    Raises:
        OSError: ELOOP or ENOTDIR where a link or a file has the name of a folder above it

    """
    with closed(open_root(root)) as top:
        return _look(top, path)


def _look(top: int, path: str) -> os.stat_result | None:
    try:
        with closed(beneath.opened(top, path, _LOOK)) as found:
            return os.fstat(found)
    except FileNotFoundError:
        return None


def is_there(root: Path, path: str) -> bool:
    """Whether anything has a path on the volume: what is in its way is no proof that it is missing.

    Raises:
        OSError

    """
    try:
        return look(root, path) is not None
    except OSError as error:
        if error.errno not in _NO_WAY:
            raise
        return True


def unread(error: OSError) -> str:
    """Say of a file of the backup why it was not read."""
    if error.errno == errno.EINVAL:
        return "is not a regular file"
    if error.errno == errno.EFBIG:
        largest = _largest_bytes(str(error.filename))
        shown = f"{largest >> 20} MiB" if largest >> 20 else f"{largest >> 10} KiB"
        return f"has more than {shown}, too many to be read"
    return "is missing" if isinstance(error, FileNotFoundError) else "can not be read"


def folder_findings(root: Path, folders: Iterable[str] = FOLDERS) -> Iterator[str]:
    """Say which folders of a backup are none, or can't be looked at; one that is missing is not told."""
    for folder in folders:
        try:
            found = look(root, folder)
        except OSError as error:
            if error.errno not in _NO_WAY:  # else the one above it is told
                yield f"{folder} {unread(error)}"
            continue
        if found and not stat.S_ISDIR(found.st_mode):
            yield f"{folder} is a {'link' if stat.S_ISLNK(found.st_mode) else 'file'}, not a folder"


class Disk:
    """A volume, held by a descriptor older than what a phase writes to it: a sync tells of all errors since."""

    def __init__(self, root: Path, descriptor: int) -> None:
        self.root = root
        self.descriptor = descriptor
        self._committed = ""

    def sync(self) -> None:
        """Make all durable that lies on the volume now.

        Raises:
            errors.VolumeFailed and its like, as `failures`.

        """
        with failures(self.root):
            syncfs(self.descriptor)

    def commit(self, name: str, data: bytes) -> None:
        """Write the record of this phase, as `write`, but after a sync of it and of all that it vouches for.

        Raises:
            errors.NotWritable and its like, as `failures`; errors.FileTooLarge

        """
        _check_size(name, data)
        with _beside(self.root, self.descriptor, name) as (folder, own), _temporary(folder, data) as temporary:
            self.sync()
            os.rename(temporary, own, src_dir_fd=folder, dst_dir_fd=folder)
            self._committed = name

    def withdraw(self) -> None:
        """Remove the record of a phase that fails after all."""
        if self._committed:
            above, _, name = self._committed.rpartition("/")
            with suppress(OSError), closed(open_folder(self.descriptor, above)) as folder:
                os.unlink(name, dir_fd=folder)  # where it fails, the failure that led here is the one to tell


@contextmanager
def durable(root: Path) -> Iterator[Disk]:
    """Hold a volume from before the first write of a phase until all of it is synced; around all that it writes.

    Raises:
        errors.VolumeFailed and its like, as `failures`.

    """
    with failures(root):
        descriptor = open_root(root)
    disk = Disk(root, descriptor)
    try:
        yield disk
        disk.sync()
    except BaseException:
        disk.withdraw()
        raise
    finally:
        os.close(descriptor)


@contextmanager
def writing_back(root: Path, written_bytes: Callable[[], int]) -> Iterator[Callable[[], object]]:
    """Have the system write to the disk while a phase still copies: each 64 MiB, and all when it calls what is yielded.

    What fails is told by the sync in the end: its descriptor is another one, and each is told of an error by itself.
    """
    asked, over = threading.Event(), threading.Event()

    def write_back() -> None:
        with suppress(OSError):
            descriptor = open_root(root)
            synced = 0
            while not over.is_set():
                if asked.wait(_LOOK_S) or written_bytes() - synced >= _WRITE_BACK_BYTES:
                    asked.clear()
                    synced = written_bytes()
                    _libc().syncfs(descriptor)
            os.close(descriptor)

    thread = threading.Thread(target=write_back, daemon=True)
    thread.start()
    try:
        yield asked.set
    finally:
        over.set()


def syncfs(descriptor: int) -> None:
    """Sync the file system of a descriptor, whose write-back errors since it was opened are raised."""
    if _libc().syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@functools.cache
def _libc() -> ctypes.CDLL:
    """The C library, for the `syncfs` that Python 3.11 lacks; loaded where it is used, as not every system has it."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syncfs.argtypes = [ctypes.c_int]
    return library


def write(root: Path, name: str, data: bytes) -> None:
    """Write a file whole: under a temporary name, then renamed; or leave nothing. To sync it is for `durable`.

    Raises:
        errors.NotWritable and its like, as `failures`; errors.FileTooLarge

    """
    _check_size(name, data)
    with (
        failures(root),
        closed(open_root(root)) as top,
        _beside(root, top, name) as (folder, own),
        _temporary(folder, data) as temporary,
    ):
        os.rename(temporary, own, src_dir_fd=folder, dst_dir_fd=folder)


@contextmanager
def _beside(root: Path, top: int, name: str) -> Iterator[tuple[int, str]]:
    """Open the folder of a file below an opened root, made if it is not there; yield it and the file's name in it."""
    above, _, own = name.rpartition("/")
    if above:
        _make_folder(root, top, above)
    with failures(root, name), closed(open_folder(top, above)) as folder:
        yield folder, own


def opened_to_write(root: Path, path: str) -> int:
    """Open a regular file to write it from its start, made if it is not there; the caller closes it.

    Raises:
        OSError: ELOOP, ENXIO or EINVAL where anything else has its name

    """
    with closed(open_root(root)) as top:
        descriptor = beneath.opened(top, path, _NEW | os.O_TRUNC, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def make_folder(root: Path, folder: str) -> None:
    """Make a folder that the whole group may use, whatever the umask; one that is there stays as it is.

    Raises:
        errors.NotWritable and its like, as `failures`.

    """
    with failures(root), closed(open_root(root)) as top:
        _make_folder(root, top, folder)


def _make_folder(root: Path, top: int, folder: str) -> None:
    above, _, name = folder.rpartition("/")
    with failures(root, folder), closed(open_folder(top, above)) as here:
        try:
            os.mkdir(name, FOLDER_MODE, dir_fd=here)
        except FileExistsError:  # since long, or since a phase beside this one made it
            found = _look(here, name)
            if found and not stat.S_ISDIR(found.st_mode):
                raise
        else:
            permissions.open_up(name, here, FOLDER_MODE)  # the umask, or a default ACL, may have shut it
            with closed(open_folder(here, name)) as made:
                _give_mode(root, folder, made, stat.S_IMODE(os.fstat(made).st_mode) | FOLDER_MODE)


def give_mode(root: Path, path: str, descriptor: int) -> None:
    """Give a file of the backup the mode by which its group reads it; a volume that keeps none is noted.

    Raises:
        errors.ModeNotKept: its group could not read it.

    """
    _give_mode(root, path, descriptor, FILE_MODE)


def _give_mode(root: Path, path: str, descriptor: int, mode: int) -> None:
    if permissions.give_mode(descriptor, mode):
        return
    found = os.fstat(descriptor).st_mode
    if not permissions.serves(os.fstat(descriptor), mode & _GROUP_READ):
        raise errors.ModeNotKept(str(root / path), f"{stat.S_IMODE(found):04o}", f"{mode:04o}", "read by its group")
    _without_mode.add(str(root / path))


def mode_notes() -> tuple[str, ...]:
    """Say, once, of how many of a backup's own files and folders the volume did not keep the mode in this process."""
    if not _without_mode:
        return ()
    note = f"{len(_without_mode)} files of the backup have another mode than they should: the volume does not keep it"
    _without_mode.clear()
    log.info("%s", note)
    return (note,)


_without_mode: set[str] = set()


def begin(disk: Disk, who: Begin) -> State:
    """Look at the volume and make it this workflow's own if it is empty; its marker and what lies there are durable.

    Raises:
        errors.VolumeTaken: it holds anything else than `lost+found` and this workflow's own backup. Nothing changed.

    """
    root = disk.root
    found = marker(root)
    if found is None:
        strange = content(root)
        if BEGIN not in strange:  # else a phase beside this one has come between the two looks
            if strange:
                raise errors.VolumeTaken(_strange(strange))
            _claim(disk, who)
        found = marker(root)
    if found is None or found.workflow_uid != who.workflow_uid:
        raise errors.VolumeTaken(_holder(root, found))
    disk.sync()  # a phase beside this one may have left the marker just now, and data without one would be refused
    return State.SEALED if is_there(root, MANIFEST) else State.BEGUN


def content(root: Path, without: Collection[str] | None = None) -> list[str]:
    """Name what lies at a volume's root, without what is no content, and leftovers of an interrupted write.

    `without` are the names that are no content; None: those that are `passed_over` on a mounted volume.

    Raises:
        errors.ReadFailed: it can't be listed.

    """
    names = _names_at(root)
    passed = passed_over(root) if without is None else without
    return sorted(name for name in names if name not in passed and not name.startswith(TEMPORARY))


def _names_at(root: Path) -> list[str]:
    """The names at a volume's root; a listing that fails is asked for again, a network volume may recover."""
    for left in reversed(range(_LISTINGS)):
        try:
            with closed(open_root(root)) as top:
                return beneath.names(top)
        except OSError as error:
            if not left:
                raise errors.ReadFailed([str(root)], os.strerror(error.errno or 0)) from error
    return []


def passed_over(root: Path) -> tuple[str, ...]:
    """Names at the root of a mounted volume that are no content: `lost+found`, and the snapshot folders of a NAS.

    A snapshot folder has one of the known names, and no file can be made in it. That is asked only where the mount is
    read-write; where it is read-only the name alone decides.

    Raises:
        errors.ReadFailed: it can't be listed.

    """
    there = _names_at(root)
    return (*NO_CONTENT, *(name for name in SNAPSHOTS if name in there and _is_snapshot_folder(root, name)))


def snapshots(passed: Collection[str]) -> tuple[str, ...]:
    """Those of the names passed over that are snapshot folders."""
    return tuple(name for name in passed if name in SNAPSHOTS)


def shown(root: Path, name: str) -> str:
    """How many entries a folder at a volume's root shows, in words; what lies deeper is not looked at."""
    try:
        with closed(open_root(root)) as top, closed(open_folder(top, name)) as folder:
            count = len(os.listdir(folder))
            return "1 entry" if count == 1 else f"{count} entries"
    except OSError:
        return "an unknown number of entries"


def _is_snapshot_folder(root: Path, name: str) -> bool:
    try:
        if not stat.S_ISDIR(os.lstat(root / name).st_mode):
            return False
    except OSError:  # of what is listed; it is no proof of anything
        pass
    return _is_read_only(root) or not _takes_files(root, name)


def _is_read_only(root: Path) -> bool:
    try:
        return bool(os.statvfs(root).f_flag & os.ST_RDONLY)
    except OSError:  # to make a file tells it too
        return False


def _takes_files(root: Path, name: str) -> bool:
    """Try to make a file in a folder; what is no folder counts too. A folder is never tried: it may make a snapshot."""
    probe = f"{TEMPORARY}{secrets.token_hex(8)}"
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
    with suppress(OSError):  # it was made, and that is the answer
        os.unlink(name, dir_fd=folder)
    return True


def clear(root: Path, folder: str) -> None:
    """Remove the files that lie in a folder of the volume."""
    with failures(root, folder), closed(open_root(root)) as top, closed(open_folder(top, folder)) as here:
        for name in os.listdir(here):
            os.unlink(name, dir_fd=here)


def marker(root: Path) -> Begin | None:
    """Whose a volume is, None where nobody has begun on it.

    Raises:
        errors.VolumeTaken: its marker can't be read.

    """
    try:
        with failures(root / BEGIN):
            return Begin.model_validate_json(read(root, BEGIN)) if is_there(root, BEGIN) else None
    except (ValidationError, errors.VolumeFailed) as error:
        raise errors.VolumeTaken(f"a {BEGIN} that can't be read") from error


def _claim(disk: Disk, who: Begin) -> None:
    """Leave the begin marker; of several phases that come at once, one writes it and all find it."""
    with _beside(disk.root, disk.descriptor, BEGIN) as (top, own), _temporary(top, as_json(who.model_dump())) as made:
        disk.sync()  # an empty marker would be nobody's
        _place(top, made, own)


def _place(folder: int, temporary: str, name: str) -> None:
    """Give the file its name unless it is taken; where links are unknown (SMB), the only rival is our own twin."""
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError as error:
        if not permissions.is_refusal(error):
            raise
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


@contextmanager
def _temporary(folder: int, data: bytes) -> Iterator[str]:
    """Write a file whole under a temporary name in an opened folder, and see that nothing keeps that name."""
    temporary = f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        with closed(os.open(temporary, _NEW | os.O_EXCL, 0o666, dir_fd=folder)) as stream:
            put(stream, data)
            give_mode(Path(), temporary, stream)
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)


def _strange(names: list[str]) -> str:
    if APIMANAGER.partition("/")[0] in names or SECRETS in names:
        return "a backup that this tool did not begin (made by the operator?)"
    return f"{len(names)} other entries at its root, the first is {names[0]!r}"


def _holder(root: Path, found: Begin | None) -> str:
    if found is None:
        return f"a {BEGIN} that vanished"
    state = "a finished backup" if is_there(root, MANIFEST) else "a backup begun"
    return f"{state} of workflow {found.workflow} (uid {found.workflow_uid})"


def as_json(value: object) -> bytes:
    """The form in which the operator writes objects, and we all that is JSON: indent 4, sorted keys, a newline."""
    return (json.dumps(value, indent=4, sort_keys=True) + "\n").encode()
