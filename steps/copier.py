"""Copies a file tree with the digests of its files, in both directions, in one pass and by several threads.

On the way out the listing holds every entry as it was; the copy is widened, so that the next UID of the group can read
and replace it. On the way back a file comes under its name only when its bytes have the listed digest, and gets the
listed mode plus what System needs (group 0 writes), the listed times, and owner and group as far as the system allows.

A copy that was interrupted is gone on with: what a listing says is whole is read once and kept when it has the listed
digest; all else is made anew, and what another user has left, whose modes and times are not to be set.
"""

import errno
import hashlib
import os
import secrets
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from steps import errors, tree, volume
from steps.ahead import FAR, Ahead, ready
from steps.mtree import FILE, FOLDER, LINK, Entry
from steps.tree import BLOCK, LARGE, READ, TOGETHER, Leaf, Lost, Pending, Taken, Why, join

_READS = 3  # of a file that changes while it is read
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_USER_AND_GROUP_READ = 0o640
_USER_AND_GROUP_EXECUTE = 0o110
_GROUP_WRITE = 0o060
_GROUP_EXECUTE = 0o010
_FOLDER_OUT = 0o770
_FOLDER_BACK = 0o070
_OWNER_ALL = 0o700
_EXECUTE = 0o111


class Meter:
    """Counts what is done, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.entries = 0
        self.size_bytes = 0
        self.widened = 0
        self.ownership_kept = 0  # entries whose owner and group could not be set

    def add(self, *, entries: int = 0, size_bytes: int = 0, widened: int = 0, ownership_kept: int = 0) -> None:
        """Add to the counts."""
        with self._lock:
            self.entries += entries
            self.size_bytes += size_bytes
            self.widened += widened
            self.ownership_kept += ownership_kept


def copy_out(source: Path, target: Path, ahead: Ahead, meter: Meter, known: Iterable[Entry] = ()) -> Iterator[Taken]:
    """Copy a live tree into a folder; yield each entry as it was in the source, files with their digest.

    `known` are entries of an earlier listing, in the one order. What lies in the target and not in the source goes.

    Raises:
        errors.VolumeFull and its like for the target, errors.Interrupted

    """
    try:
        here = tree.open_root(source)
    except OSError:  # a root that is not there is no empty tree
        yield Lost(".", Why.UNREADABLE)
        return
    try:
        with _no_umask(), _opened_root(target) as there:
            settling = _Settling(ahead)
            yield from tree.walk(here, _Out(here, there, target, ahead, meter, _Known(known), settling), ahead)
            settling.wait()
    finally:
        os.close(here)


def copy_back(entries: Iterable[Entry], source: Path, target: Path, ahead: Ahead, meter: Meter, *, again: bool) -> None:
    """Copy a backup's tree into a folder as its listing says; `again` keeps what is there and whole.

    An entry without a digest (a backup without a listing) is copied as it is read.

    Raises:
        errors.BackupDamaged: a file is missing or has other bytes; it never comes under its name.
        errors.ReadFailed: a file can't be read.
        errors.VolumeFull and its like for the target, errors.Interrupted

    """
    with _no_umask(), _opened_root(source) as here, _opened_root(target) as there:
        _Back(here, there, target, ahead, meter).fill(entries, again=again)


# --- out ---


class _Known:
    """Finds entries of a listing that are asked for in its order."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = iter(entries)
        self._next = next(self._entries, None)

    def find(self, path: str) -> Entry | None:
        if self._next is None:  # as in every first run: nothing is worked out for a name
            return None
        place = tree.place(path)
        while self._next and tree.order(self._next) < place:
            self._next = next(self._entries, None)
        return self._next if self._next and self._next.path == path else None


class _Settling:
    """Tasks at the end of folders, whose order does not matter."""

    def __init__(self, ahead: Ahead) -> None:
        self._ahead = ahead
        self._started: deque[Future[None]] = deque()

    def add(self, task: Callable[[], None]) -> None:
        self._started.append(self._ahead.start(task))
        while self._started and (len(self._started) > FAR or self._started[0].done()):
            self._ahead.result(self._started.popleft())

    def wait(self) -> None:
        while self._started:
            self._ahead.result(self._started.popleft())


@dataclass(frozen=True)
class _Out:
    """The visitor that copies a live tree."""

    here: int
    there: int
    target: Path
    ahead: Ahead
    meter: Meter
    known: _Known
    settling: _Settling

    def enter(self, folder: Entry, names: Sequence[Leaf]) -> None:
        with volume.failures(self.target / folder.path):
            if folder.path and self._make(folder.path):
                return
            with tree.folder_of(self.there, folder.path) as there:
                for name in set(os.listdir(there)) - {leaf.name for leaf in names}:
                    if folder.path or name != volume.LOST_AND_FOUND:
                        _remove(name, there)

    def _make(self, path: str) -> bool:
        """Make a folder; False where it is there, since a run before this one."""
        above, _, name = path.rpartition("/")
        with tree.folder_of(self.there, above) as there:
            return _make_folder(name, there)

    def leave(self, folder: Entry) -> None:
        self.settling.add(partial(self._settle, folder))

    def _settle(self, folder: Entry) -> None:
        with volume.failures(self.target / folder.path), tree.folder_of(self.there, folder.path) as there:
            os.fchmod(there, (folder.mode & 0o777) | _FOLDER_OUT)
            os.utime(there, ns=(folder.mtime_ns, folder.mtime_ns))
        self.meter.add(entries=1)

    def task(self, folder: str, leaves: Sequence[Leaf]) -> Callable[[], list[Pending]]:
        known = {leaf.name: self.known.find(join(folder, leaf.name)) for leaf in leaves}
        return partial(self._take, folder, leaves, known)

    def _take(self, folder: str, leaves: Sequence[Leaf], known: Mapping[str, Entry | None]) -> list[Pending]:
        kinds = {leaf.name: leaf.kind for leaf in leaves}

        def take(here: int, path: str, name: str) -> Pending:
            self.ahead.point()
            if kinds[name] == FILE:
                return self._copy_file(here, there, path, known[name], alone=False)
            return self._copy_link(here, there, path) if kinds[name] == LINK else Lost(path, Why.SPECIAL)

        with _target_folder(self.there, folder, self.target) as there:
            return tree.take_each(self.here, folder, leaves, take)

    def _copy_alone(self, path: str, known: Entry | None) -> Taken:
        folder, _, name = path.rpartition("/")

        def take(here: int, path: str, _name: str) -> Pending:
            return self._copy_file(here, there, path, known, alone=True)

        with _target_folder(self.there, folder, self.target) as there:
            (taken,) = tree.take_each(self.here, folder, [Leaf(name, FILE)], take)
        return tree.only(taken)

    def _copy_link(self, here: int, there: int, path: str) -> Taken:
        name = path.rpartition("/")[2]
        found = os.stat(name, dir_fd=here, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            return Lost(path, Why.VANISHED)  # something else has taken its name meanwhile
        entry = tree.describe(path, found, target=os.readlink(name, dir_fd=here))
        with volume.failures(self.target / path):
            _make_link(entry, there)
        self.meter.add(entries=1)
        return entry

    def _copy_file(self, here: int, there: int, path: str, known: Entry | None, *, alone: bool) -> Pending:
        """Copy one file of the live tree, again while it changes under the reader's hands."""
        name, failed = path.rpartition("/")[2], Why.CHANGING
        for _ in range(_READS):
            with _opened(name, here) as stream:
                before = os.fstat(stream)
                if not stat.S_ISREG(before.st_mode):  # something else has taken its name meanwhile
                    return Lost(path, Why.VANISHED)
                if before.st_size > LARGE and not alone:
                    return self.ahead.start(partial(self._copy_alone, path, known))
                entry = tree.describe(path, before)
                try:
                    copied = self._kept(entry, known, there) or self._copy(entry, stream, there)
                    after = os.fstat(stream)
                except _SourceFailed as failure:
                    failed = Why.UNREADABLE
                    if failure.code == errno.ESTALE:  # another machine has put a new file in its place
                        continue
                    break
            failed = Why.CHANGING
            if (after.st_size, after.st_mtime_ns) == (copied.size, copied.mtime_ns):
                self.meter.add(entries=1)
                return copied
        with volume.failures(self.target / path), suppress(FileNotFoundError):
            _remove(name, there)
        return Lost(path, failed)

    def _kept(self, entry: Entry, known: Entry | None, there: int) -> Entry | None:
        """Keep what a run before this one has copied, when its bytes are those that were read then."""
        if known is None or (known.size, known.mtime_ns) != (entry.size, entry.mtime_ns):
            return None
        with volume.failures(self.target / entry.path), _whole(known, there, self.ahead) as copy:
            if copy is None:
                return None
            os.fchmod(copy, _wide_out(entry.mode))
            os.utime(copy, ns=(entry.mtime_ns, entry.mtime_ns))
        self.meter.add(size_bytes=entry.size)
        return entry._replace(digest=known.digest)

    def _copy(self, entry: Entry, stream: int, there: int) -> Entry:
        """Write what is read under its name, and return the entry with what it had."""
        name = entry.path.rpartition("/")[2]
        with volume.failures(self.target / entry.path), _creating(name, there, _wide_out(entry.mode)) as copy:
            try:
                size, sha256 = _pour(stream, copy, entry.size, self.ahead, self.meter)
                os.utime(copy, ns=(entry.mtime_ns, entry.mtime_ns))
            except BaseException:  # a SIGTERM too: half a file is left by a kill only
                _forget(name, there)
                raise
        return entry._replace(size=size, digest=sha256)


def _wide_out(mode: int) -> int:
    return (mode & 0o777) | _USER_AND_GROUP_READ | (_USER_AND_GROUP_EXECUTE if mode & _EXECUTE else 0)


# --- back ---


class _Back:
    """Fills a folder from a backup."""

    def __init__(self, here: int, there: int, target: Path, ahead: Ahead, meter: Meter) -> None:
        self._here = here
        self._there = there
        self._target = target
        self._ahead = ahead
        self._meter = meter
        self._refused: set[tuple[int, int]] = set()  # owners and groups that this user may not give
        self._strict: list[Entry] = []  # folders that their owner can't enter any more once they have their mode
        self._settling = _Settling(ahead)

    def fill(self, entries: Iterable[Entry], *, again: bool) -> None:
        """Bring all entries; folders get their mode and times when everything in them is there."""
        with volume.failures(self._target):
            self._clean("")
        for left in self._ahead.in_order(self._start(entries, again=again)):
            if left is None:
                continue
            if left.mode & _OWNER_ALL == _OWNER_ALL:
                self._settling.add(partial(self._settle_folder, left))
            else:
                self._strict.append(left)
        self._settling.wait()
        for folder in self._strict:  # the inner ones were left first
            self._settle_folder(folder)

    def _start(self, entries: Iterable[Entry], *, again: bool) -> Iterator[Future[Entry | None]]:
        """Give files and links to threads, some of a folder at a time, and make folders on the way."""
        above: list[Entry] = []
        batch: list[Entry] = []
        for entry in entries:
            folder, _, name = entry.path.rpartition("/")
            if batch and (entry.kind == FOLDER or folder != _parent(batch[0]) or _is_full(batch)):
                yield self._ahead.start(partial(self._bring, batch, again=again))
                batch = []
            while above and above[-1].path != folder:
                yield ready(above.pop())
            if name in {"", ".", ".."} or (folder and not above):  # else it could go through a link
                raise errors.BackupDamaged([f"the listing's entry {entry.path!r} leads out of the tree"])
            if entry.kind == FOLDER:
                self._enter(entry)
                above.append(entry)
            else:
                batch.append(entry)
        if batch:
            yield self._ahead.start(partial(self._bring, batch, again=again))
        yield from map(ready, reversed(above))

    def _enter(self, folder: Entry) -> None:
        with volume.failures(self._target / folder.path):
            with tree.folder_of(self._there, _parent(folder)) as there:
                made = _make_folder(_name(folder), there)
            if not made:
                self._clean(folder.path)

    def _clean(self, folder: str) -> None:
        """Remove what a run before this one had not given its name yet."""
        with tree.folder_of(self._there, folder) as there:
            for name in os.listdir(there):
                if name.startswith(volume.TEMPORARY):
                    _remove(name, there)

    def _bring(self, entries: Sequence[Entry], *, again: bool) -> None:
        folder = _parent(entries[0])
        with _target_folder(self._there, folder, self._target) as there:
            for entry in entries:
                self._ahead.point()
                if entry.kind == LINK:
                    self._bring_link(entry, there)
                elif not (again and self._is_there(entry, there)):
                    self._bring_file(entry, there)
                self._meter.add(entries=1)

    def _bring_link(self, entry: Entry, there: int) -> None:
        with volume.failures(self._target / entry.path):
            _make_link(entry, there)
            self._own(entry, partial(os.chown, _name(entry), dir_fd=there, follow_symlinks=False))

    def _is_there(self, entry: Entry, there: int) -> bool:
        """Whether a run before this one has brought a file; it gets its mode and times once more."""
        with volume.failures(self._target / entry.path), _whole(entry, there, self._ahead) as copy:
            if copy is None:
                return False
            self._settle(copy, entry, _wide_back(entry.mode))
        self._meter.add(size_bytes=entry.size)
        return True

    def _bring_file(self, entry: Entry, there: int) -> None:
        """Bring a file under another name, and give it its own when its bytes are the listed ones."""
        temporary = f"{volume.TEMPORARY}{secrets.token_hex(8)}"
        with self._source(entry) as stream, volume.failures(self._target / entry.path):
            try:
                with _creating(temporary, there, _wide_back(entry.mode)) as copy:
                    self._check(entry, *_pour(stream, copy, entry.size, self._ahead, self._meter))
                    self._settle(copy, entry, _wide_back(entry.mode))
                os.rename(temporary, _name(entry), src_dir_fd=there, dst_dir_fd=there)
            except _SourceFailed as failure:
                _forget(temporary, there)
                raise errors.ReadFailed([entry.path], os.strerror(failure.code)) from failure
            except BaseException:
                _forget(temporary, there)
                raise

    @staticmethod
    def _check(entry: Entry, size: int, sha256: str) -> None:
        if (size, sha256) != (entry.size, entry.digest or sha256):
            raise errors.BackupDamaged([f"{entry.path!r} has other bytes than the listing says"])

    @contextmanager
    def _source(self, entry: Entry) -> Iterator[int]:
        try:
            with tree.folder_of(self._here, _parent(entry)) as here:
                stream = os.open(_name(entry), READ, dir_fd=here)
        except FileNotFoundError as error:
            raise errors.BackupDamaged([f"{entry.path!r} is missing"]) from error
        except OSError as error:
            raise errors.ReadFailed([entry.path], os.strerror(error.errno or 0)) from error
        try:
            yield stream
        finally:
            os.close(stream)

    def _settle_folder(self, folder: Entry) -> None:
        with volume.failures(self._target / folder.path), tree.folder_of(self._there, folder.path) as there:
            self._settle(there, folder, folder.mode | _FOLDER_BACK)
        self._meter.add(entries=1)

    def _settle(self, descriptor: int, entry: Entry, mode: int) -> None:
        """Give an entry its owner, mode and times, in this order: a change of owner clears bits of the mode."""
        self._own(entry, partial(os.fchown, descriptor))
        os.fchmod(descriptor, mode)
        os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        self._meter.add(widened=int(mode != entry.mode))

    def _own(self, entry: Entry, chown: Callable[[int, int], None]) -> None:
        """Give an entry its owner and group, where this user may; what was refused once is not asked for again."""
        wanted = (entry.uid, entry.gid)
        if wanted not in self._refused:
            try:
                chown(*wanted)
            except OSError:
                self._refused.add(wanted)
        self._meter.add(ownership_kept=int(wanted in self._refused))


def _wide_back(mode: int) -> int:
    return mode | _GROUP_WRITE | (_GROUP_EXECUTE if mode & _EXECUTE else 0)


def _is_full(batch: Sequence[Entry]) -> bool:
    return len(batch) == TOGETHER or batch[-1].size > LARGE


def _parent(entry: Entry) -> str:
    return entry.path.rpartition("/")[0]


def _name(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]


# --- one entry ---


class _SourceFailed(Exception):
    """Reading failed, told apart from writing, which `volume.failures` turns into our errors."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _pour(stream: int, copy: int, expected: int, ahead: Ahead, meter: Meter) -> tuple[int, str]:
    """Write what is read; return how many bytes and their SHA-256.

    A file of the expected size is read without asking once more for its end.
    """
    size, sha256 = 0, hashlib.sha256()
    while True:
        wanted = min(BLOCK, max(expected - size, 0) + 1)
        try:
            block = os.read(stream, wanted)
        except OSError as error:
            raise _SourceFailed(error.errno or 0) from error
        sha256.update(block)
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(copy, rest) :]
        size += len(block)
        meter.add(size_bytes=len(block))
        if not block or (size == expected and len(block) < wanted):
            return size, sha256.hexdigest()
        ahead.point()


@contextmanager
def _opened_root(root: Path) -> Iterator[int]:
    with volume.failures(root):
        descriptor = tree.open_root(root)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _target_folder(top: int, path: str, target: Path) -> Iterator[int]:
    """A folder of the target, whose failures to open are the target's; what is done in it has failures of its own."""
    with volume.failures(target / path):
        descriptor = tree.open_folder(top, path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _opened(name: str, folder: int) -> Iterator[int]:
    stream = os.open(name, READ, dir_fd=folder)
    try:
        yield stream
    finally:
        os.close(stream)


@contextmanager
def _creating(name: str, folder: int, mode: int) -> Iterator[int]:
    """A new file, in the place of whatever has its name."""
    try:
        descriptor = os.open(name, _NEW, mode, dir_fd=folder)
    except FileExistsError:
        _remove(name, folder)
        descriptor = os.open(name, _NEW, mode, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _whole(listed: Entry, folder: int, ahead: Ahead) -> Iterator[int | None]:
    """A file as it is listed, opened; None where there is none or another."""
    try:
        descriptor = os.open(_name(listed), READ, dir_fd=folder)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ELOOP, errno.EACCES, errno.ENXIO}:
            raise
        yield None
        return
    try:
        found = os.fstat(descriptor)
        same = stat.S_ISREG(found.st_mode) and found.st_size == listed.size and bool(listed.digest) and _is_ours(found)
        yield descriptor if same and tree.read_digest(descriptor, ahead) == listed.digest else None
    finally:
        os.close(descriptor)


def _make_folder(name: str, folder: int) -> bool:
    """Make a folder; False where it is there, and now lets its owner in."""
    try:
        os.mkdir(name, _FOLDER_OUT, dir_fd=folder)
    except FileExistsError:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode) and _is_ours(found):
            os.chmod(name, _FOLDER_OUT, dir_fd=folder)
            return False
        _remove(name, folder)
        os.mkdir(name, _FOLDER_OUT, dir_fd=folder)
    return True


def _is_ours(found: os.stat_result) -> bool:
    """Whether this user may give an entry its mode and times; what another has left is made anew."""
    return os.geteuid() in {0, found.st_uid}


def _make_link(entry: Entry, folder: int) -> None:
    try:
        os.symlink(entry.target, _name(entry), dir_fd=folder)
    except FileExistsError:
        _remove(_name(entry), folder)
        os.symlink(entry.target, _name(entry), dir_fd=folder)
    os.utime(_name(entry), ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=folder, follow_symlinks=False)


def _remove(name: str, folder: int) -> None:
    """Remove whatever has this name, a folder with all that is in it."""
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        with tree.folder_of(folder, name) as inner:
            if _is_ours(os.fstat(inner)):
                os.fchmod(inner, _FOLDER_OUT)
            for below in os.listdir(inner):
                _remove(below, inner)
        os.rmdir(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


def _forget(name: str, folder: int) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)


@contextmanager
def _no_umask() -> Iterator[None]:
    """Modes are given when a file is made, which saves a call for each."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)
