"""Copy a file tree with the digests of its files, in both directions, and compare one with its listing.

On the way out the listing holds every entry as it was; the copy is widened, so that the next UID of the group can read
and replace it. On the way back a file comes under its name only when its bytes have the listed digest, and gets the
listed mode plus what System needs (group 0 writes), the listed times, and owner and group as far as the system allows.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from steps import errors, interruption, volume
from steps.mtree import FILE, FOLDER, LINK, Entry

_BLOCK = 1 << 20
_READS = 3  # of a file that changes while it is read
_USER_AND_GROUP_READ = 0o640
_USER_AND_GROUP_EXECUTE = 0o110
_GROUP_WRITE = 0o060
_GROUP_EXECUTE = 0o010
_FOLDER_OUT = 0o770
_FOLDER_BACK = 0o070
_EXECUTE = 0o111


@dataclass
class Tally:
    """What a copy did, in counts and names; sizes in bytes."""

    files: int = 0
    folders: int = 0
    links: int = 0
    size_bytes: int = 0
    vanished: int = 0
    special: list[str] = field(default_factory=list)  # sockets, FIFOs, devices: never copied
    widened: int = 0
    ownership_kept: int = 0  # entries whose owner and group could not be set
    unreadable: list[str] = field(default_factory=list)
    changing: list[str] = field(default_factory=list)

    def count(self, entry: Entry) -> None:
        """Count one entry by its kind."""
        self.files += entry.kind == FILE
        self.folders += entry.kind == FOLDER
        self.links += entry.kind == LINK
        self.size_bytes += entry.size


Progress = Callable[[Tally], None]


def scan(root: Path, tally: Tally) -> Iterator[Entry]:
    """List a tree in its one stable order: each folder before its content, names by their bytes; no digests.

    `lost+found` at the top is left out. What vanishes or can't be read on the way is noted in `tally`.
    """
    waiting = [iter(_names(root, "", tally))]
    while waiting:
        path = next(waiting[-1], None)
        if path is None:
            waiting.pop()
            continue
        if entry := _look(root, path, tally):
            yield entry
            if entry.kind == FOLDER:
                waiting.append(iter(_names(root, path, tally)))


def measure(root: Path) -> Tally:
    """Count a tree's entries and bytes."""
    tally = Tally()
    for entry in scan(root, tally):
        tally.count(entry)
    return tally


def copy_out(source: Path, target: Path, tally: Tally, progress: Progress) -> Iterator[Entry]:
    """Copy a live tree into an empty folder; yield each entry as it was in the source, files with their digest.

    A file that vanishes is counted; one that can't be read or never rests is noted in `tally`, and the rest is copied.

    Raises:
        errors.VolumeFull and its like for the target, errors.Interrupted

    """
    folders: list[Entry] = []
    for entry in scan(source, tally):
        interruption.point()
        while folders and not entry.path.startswith(folders[-1].path + "/"):
            _finish_out(target, folders.pop())
        copied = _copy_entry_out(source, target, entry, tally)
        if copied is None:
            continue
        if copied.kind == FOLDER:
            folders.append(copied)
        tally.count(copied)
        progress(tally)
        yield copied
    while folders:
        _finish_out(target, folders.pop())


def copy_back(entries: Iterable[Entry], source: Path, target: Path, tally: Tally, progress: Progress) -> None:
    """Copy a backup's tree into an empty folder as its listing says.

    An entry without a digest (a backup without a listing) is copied as it is read.

    Raises:
        errors.BackupDamaged: a file is missing or has other bytes; it never comes under its name.
        errors.VolumeFull and its like for the target, errors.Interrupted

    """
    folders: list[Entry] = []
    for entry in entries:
        interruption.point()
        _guard(entry, target)
        with volume.failures(target / entry.path):
            _copy_entry_back(entry, source, target, tally)
        if entry.kind == FOLDER:
            folders.append(entry)
        tally.count(entry)
        progress(tally)
    for folder in reversed(folders):
        with volume.failures(target / folder.path):
            _settle(target / folder.path, folder, folder.mode | _FOLDER_BACK, tally)


def compare(entries: Iterable[Entry], root: Path, *, digests: bool) -> Iterator[str]:
    """Hold a tree against its listing: names, kinds, sizes, links' targets, and the digests if asked for.

    Yields a finding an entry that is missing, extra or differs; both are read in the one order, nothing is kept.
    """
    tally = Tally()
    found = scan(root, tally)
    actual = next(found, None)
    for listed in entries:
        interruption.point()
        while actual and _order(actual) < _order(listed):
            yield f"{actual.path!r} is not listed"
            actual = next(found, None)
        if actual is None or _order(actual) != _order(listed):
            yield f"{listed.path!r} is missing"
            continue
        if difference := _difference(listed, actual, root, digests=digests):
            yield f"{listed.path!r} {difference}"
        actual = next(found, None)
    while actual:
        yield f"{actual.path!r} is not listed"
        actual = next(found, None)
    for path in tally.special:
        yield f"{path!r} is a socket, FIFO or device"
    for path in tally.unreadable:
        yield f"{path!r} can't be read"


def digest(path: Path) -> tuple[int, str]:
    """A file's size in bytes and its SHA-256."""
    size, sha256 = 0, hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            interruption.point()
            size += len(block)
            sha256.update(block)
    return size, sha256.hexdigest()


def _order(entry: Entry) -> tuple[bytes, ...]:
    return tuple(os.fsencode(entry.path).split(b"/"))


def _names(root: Path, folder: str, tally: Tally) -> list[str]:
    try:
        names = os.listdir(root / folder)
    except OSError as error:
        if folder and isinstance(error, FileNotFoundError):
            tally.vanished += 1
        else:  # a root that is not there is no empty tree
            tally.unreadable.append(folder or ".")
        return []
    if not folder and volume.LOST_AND_FOUND in names:
        names.remove(volume.LOST_AND_FOUND)
    prefix = f"{folder}/" if folder else ""
    return [prefix + name for name in sorted(names, key=os.fsencode)]


def _look(root: Path, path: str, tally: Tally) -> Entry | None:
    try:
        found = os.lstat(root / path)
        target = os.readlink(root / path) if stat.S_ISLNK(found.st_mode) else ""
    except FileNotFoundError:
        tally.vanished += 1
        return None
    except OSError:
        tally.unreadable.append(path)
        return None
    kind = {stat.S_IFREG: FILE, stat.S_IFDIR: FOLDER, stat.S_IFLNK: LINK}.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        tally.special.append(path)
        return None
    return Entry(
        path=path,
        kind=kind,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        mtime_ns=found.st_mtime_ns,
        size=found.st_size if kind == FILE else 0,
        target=target,
    )


def _copy_entry_out(source: Path, target: Path, entry: Entry, tally: Tally) -> Entry | None:
    if entry.kind == FILE:
        return _copy_file_out(source, target, entry, tally)
    with volume.failures(target / entry.path):
        if entry.kind == FOLDER:
            (target / entry.path).mkdir(_FOLDER_OUT)
        else:
            _link(target / entry.path, entry)
    return entry


def _copy_file_out(source: Path, target: Path, entry: Entry, tally: Tally) -> Entry | None:
    """Copy one file of the live tree, again while it changes under the reader's hands."""
    for _ in range(_READS):
        try:
            descriptor = os.open(source / entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            tally.vanished += 1
            return None
        except OSError:
            tally.unreadable.append(entry.path)
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # something else has taken its name meanwhile
            os.close(descriptor)
            tally.vanished += 1
            return None
        with open(descriptor, "rb", buffering=0) as stream:  # noqa: PTH123  a descriptor, not a path
            before = os.fstat(descriptor)
            try:
                blocks = _read(stream.read)
                copied = _as_read(entry, before, target, blocks)
            except _SourceFailed:
                tally.unreadable.append(entry.path)
                return None
            after = os.fstat(descriptor)
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) == (copied.size, copied.mtime_ns):
            return copied
        (target / entry.path).unlink()
    tally.changing.append(entry.path)
    return None


class _SourceFailed(Exception):
    """Reading failed, told apart from writing, which `volume.failures` turns into our errors."""


def _read(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while True:
        interruption.point()  # one file may take hours
        try:
            block = read(_BLOCK)
        except OSError as error:
            raise _SourceFailed from error
        if not block:
            return
        yield block


def _as_read(entry: Entry, found: os.stat_result, target: Path, blocks: Iterable[bytes]) -> Entry:
    """Write what is read under its name, and return the entry as it was found in the source."""
    mode = stat.S_IMODE(found.st_mode)
    wide = (mode & 0o777) | _USER_AND_GROUP_READ | (_USER_AND_GROUP_EXECUTE if mode & _EXECUTE else 0)
    with volume.failures(target / entry.path), _unnamed(target) as temporary:
        size, sha256 = _write(temporary, blocks)
        temporary.chmod(wide)
        os.utime(temporary, ns=(found.st_mtime_ns, found.st_mtime_ns))
        temporary.rename(target / entry.path)
    return entry._replace(
        mode=mode, uid=found.st_uid, gid=found.st_gid, mtime_ns=found.st_mtime_ns, size=size, digest=sha256
    )


class _unnamed:  # noqa: N801  reads as the context manager that it is
    """A temporary file at the tree's root that is gone afterwards unless it was renamed."""

    def __init__(self, root: Path) -> None:
        self._path = root / f"{volume.TEMPORARY}{secrets.token_hex(8)}"

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)


def _write(path: Path, blocks: Iterable[bytes]) -> tuple[int, str]:
    size, sha256 = 0, hashlib.sha256()
    with path.open("xb", buffering=0) as stream:
        for block in blocks:
            sha256.update(block)
            size += len(block)
            rest = memoryview(block)
            while rest:
                rest = rest[stream.write(rest) :]
    return size, sha256.hexdigest()


def _finish_out(target: Path, folder: Entry) -> None:
    path = target / folder.path
    with volume.failures(path):
        path.chmod((folder.mode & 0o777) | _FOLDER_OUT)
        os.utime(path, ns=(folder.mtime_ns, folder.mtime_ns))


def _link(path: Path, entry: Entry) -> None:
    path.symlink_to(entry.target)
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)


def _guard(entry: Entry, target: Path) -> None:
    """Let no listing lead out of the target, be it by `..` or through a link.

    Raises:
        errors.BackupDamaged

    """
    parts = entry.path.split("/")
    above = (target.joinpath(*parts[:depth]) for depth in range(1, len(parts)))
    if "" in parts or "." in parts or ".." in parts or any(folder.is_symlink() for folder in above):
        raise errors.BackupDamaged([f"the listing's entry {entry.path!r} leads out of the tree"])


def _copy_entry_back(entry: Entry, source: Path, target: Path, tally: Tally) -> None:
    path = target / entry.path
    if entry.kind == FOLDER:
        path.mkdir(_FOLDER_OUT)
    elif entry.kind == LINK:
        _link(path, entry)
        _own(path, entry, tally)
    else:
        with _unnamed(target) as temporary:
            _write_checked(entry, source, temporary)
            wide = entry.mode | _GROUP_WRITE | (_GROUP_EXECUTE if entry.mode & _EXECUTE else 0)
            _settle(temporary, entry, wide, tally)
            temporary.rename(path)


def _write_checked(entry: Entry, source: Path, temporary: Path) -> None:
    try:
        stream = (source / entry.path).open("rb", buffering=0)
    except FileNotFoundError as error:
        raise errors.BackupDamaged([f"{entry.path!r} is missing"]) from error
    except OSError as error:
        raise errors.ReadFailed([entry.path], os.strerror(error.errno or 0)) from error
    with stream:
        try:
            size, sha256 = _write(temporary, _read(stream.read))
        except _SourceFailed as error:
            raise errors.ReadFailed([entry.path], str(error.__cause__)) from error
    if (size, sha256) != (entry.size, entry.digest or sha256):
        raise errors.BackupDamaged([f"{entry.path!r} has other bytes than the listing says"])


def _settle(path: Path, entry: Entry, mode: int, tally: Tally) -> None:
    """Give an entry its owner, mode and times, in this order: a change of owner clears bits of the mode."""
    _own(path, entry, tally)
    tally.widened += mode != entry.mode
    path.chmod(mode)
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))


def _own(path: Path, entry: Entry, tally: Tally) -> None:
    found = path.lstat()
    if (found.st_uid, found.st_gid) == (entry.uid, entry.gid):
        return
    try:
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    except OSError:
        tally.ownership_kept += 1


def _difference(listed: Entry, actual: Entry, root: Path, *, digests: bool) -> str:
    if listed.kind != actual.kind:
        return f"is a {actual.kind}, listed as {listed.kind}"
    if listed.size != actual.size:
        return f"has {actual.size} bytes, listed with {listed.size}"
    if listed.target != actual.target:
        return "points elsewhere than listed"
    if digests and listed.kind == FILE and listed.digest:
        try:
            same = digest(root / listed.path)[1] == listed.digest
        except OSError as error:
            return f"can't be read ({os.strerror(error.errno or 0)})"
        return "" if same else "has other bytes than listed"
    return ""
