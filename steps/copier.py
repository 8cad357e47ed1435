"""Copies a file tree with the digests of its files, in both directions, in one pass and by several processes.

On the way out the listing holds every entry as it was; the copy is widened, so that the next UID of the group can read
and replace it. On the way back a file comes under its name only when its bytes have the listed digest, and gets the
listed mode plus what System needs (group 0 writes), the listed times, and owner and group as far as the system allows.

A copy that was interrupted is gone on with: what a listing says is whole is read once and kept when it has the listed
digest; all else is made anew, and what another user has left, whose modes and times are not to be set.

Tried and not taken, one file of 512 MiB from a warm cache with its sync, medians of 7 beside 0.96 s: `copy_file_range`
beside hashing 1.07 s (and not from one file system to another), `sendfile` beside hashing 0.98 s (what is written would
not be what was hashed), preallocation 0.92 s, blocks of 1 MiB 0.96 s, all within the noise; hashing in a thread 0.81 s,
for which several workers leave no processor. Preallocation of 8 such files by 4 workers, cold: 6.07 s and 6.13 s back,
beside 6.20 s and 6.25 s, in 84 pieces instead of 116. `sync_file_range` after each file: 0.74 s beside 0.61 s for 5,000
files. `O_NOATIME`: 30,000 files read in 0.12 s beside 0.13 s, the first time, and a pod mounts them read-only.
"""

import errno
import hashlib
import mmap
import os
import secrets
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial, wraps
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from steps import errors, interruption, mtree, tree, volume
from steps.ahead import Ahead, More
from steps.beneath import READ, closed, open_folder, open_root
from steps.mtree import FILE, FOLDER, LINK, Entry
from steps.tree import (
    BLOCK,
    LARGE,
    TOGETHER,
    Folder,
    Leaf,
    Left,
    Listed,
    Lost,
    Names,
    Stream,
    Taken,
    Tally,
    Why,
    join,
)

_Each = TypeVar("_Each")

_READS = 3  # of a file that changes while it is read
_FEW = 8  # entries in the last tasks of a restore
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_USER_AND_GROUP_READ = 0o640
_USER_AND_GROUP_EXECUTE = 0o110
_GROUP_WRITE = 0o060
_GROUP_EXECUTE = 0o010
_FOLDER_OUT = 0o770
_FOLDER_BACK = 0o070
_OWNER_ALL = 0o700
_EXECUTE = 0o111
_NOT_REMOVABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.ENOTEMPTY}
_SPECIAL_BITS = 0o7000  # set-user-ID and its like: a change of owner clears them


class Counts(NamedTuple):
    """What is done so far."""

    entries: int = 0
    size_bytes: int = 0
    widened: int = 0
    ownership_kept: int = 0  # entries whose owner and group could not be set


class Meter:
    """Counts what is done, in any of the processes: each has a row of its own in memory that all of them see."""

    _COLUMNS = len(Counts._fields)
    _ROWS = 1 + mmap.PAGESIZE // 64  # more than there are workers

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, self._ROWS * self._COLUMNS * 8)).cast("q")
        self._row = 0

    def enter(self, worker: int) -> None:
        """Count in the row of this worker from now on."""
        self._row = worker * self._COLUMNS

    def add(self, *, entries: int = 0, size_bytes: int = 0, widened: int = 0, ownership_kept: int = 0) -> None:
        """Add to the counts."""
        cells, row = self._cells, self._row
        cells[row] += entries
        cells[row + 1] += size_bytes
        if widened or ownership_kept:
            cells[row + 2] += widened
            cells[row + 3] += ownership_kept

    @property
    def counts(self) -> Counts:
        """All processes' together."""
        cells = self._cells.tolist()
        return Counts(*(sum(cells[column :: self._COLUMNS]) for column in range(self._COLUMNS)))


@dataclass(frozen=True)
class Work:
    """How a copy is done: by so many processes, counted where, and who is told each second."""

    workers: int
    meter: Meter = field(default_factory=Meter)
    tick: Callable[[], object] = lambda: None


def copy_out(
    source: Path,
    target: Path,
    work: Work,
    known: Path | None = None,
    passed_over: Collection[str] = volume.NO_CONTENT,
) -> Iterator[Listed | Lost]:
    """Copy a live tree into a folder; yield the lines of its listing: entries as they were, files with their digest.

    `known` is an earlier listing, `passed_over` are names at the source's root that are none of its content. What lies
    in the target and not in the source goes.

    Raises:
        errors.VolumeFull and its like for the target, errors.Interrupted

    """
    try:
        here = open_root(source)
    except OSError:  # a root that is not there is no empty tree
        yield Lost(".", Why.UNREADABLE)
        return
    with closed(here), _no_umask(), _opened_root(target) as there:
        out = _Out(here, there, target, work.meter, known)
        out.passed_over = passed_over
        with Ahead(out.act, work.workers, work.tick, out.meter.enter) as ahead:
            late = []
            for item in ahead.stream([Folder("")]):
                if isinstance(item, Left):
                    late.append(item)
                else:
                    yield item
            ahead.finish(late)


def copy_back(
    lines: Iterable[str],
    source: Path,
    target: Path,
    work: Work,
    *,
    again: bool,
    passed_over: Collection[str] = volume.NO_CONTENT,
) -> Tally:
    """Copy a backup's tree into a folder as the lines of its listing say, and count it; `again` keeps what is whole.

    Names at the target's root that are `passed_over` are not its content.
    An entry without a digest (a backup without a listing) is copied as it is read.

    Raises:
        errors.BackupDamaged: a file is missing or has other bytes; it never comes under its name.
        errors.ReadFailed: a file can't be read.
        errors.VolumeFull and its like for the target, errors.Interrupted

    """
    with _no_umask(), _opened_root(source) as here, _opened_root(target) as there:
        back = _Back(here, there, target, work.meter, again=again)
        back.passed_over = passed_over
        with Ahead(back.act, work.workers, work.tick, back.enter) as ahead:
            return _fill(back, ahead, lines, max(work.workers, 1))


def empty(root: Path, passed_over: Collection[str] = volume.NO_CONTENT) -> None:
    """Remove all that a volume holds but the names that are passed over at its root; the root stays as it is.

    Raises:
        errors.NotRemovable, errors.VolumeFailed and its like, errors.Interrupted

    """
    with _opened_root(root) as top, volume.failures(root):
        _keep(top, {*passed_over})


# --- out ---


class _Out:
    """The visitor that copies a live tree."""

    passed_over: Collection[str] = volume.NO_CONTENT  # at the source's root

    def __init__(self, here: int, there: int, target: Path, meter: Meter, known: Path | None) -> None:
        self.top = here
        self.meter = meter
        self._there = there
        self._target = target
        self._known = known

    def act(self, task: Folder | Names | Left) -> list[Any]:
        if isinstance(task, Left):
            with _target_folder(self._there, task.folder.path, self._target) as there:
                self._settle(there, task.folder)
            return []
        items = tree.act(self, task)
        for item in items:
            if isinstance(item, Lost) and item.path != ".":
                self._drop(item.path)
        return list(tree.told(items))

    def folder(self, here: int, task: Folder) -> list[Any]:
        """Copy a folder, opened: all of it but its folders, which are made."""
        found = tree.describe(task.path, os.fstat(here))
        leaves = tree.leaves(here, task.path, self.passed_over)
        with _target_folder(self._there, task.path, self._target) as there, volume.failures(self._target, task.path):
            if not task.made:
                _keep(there, {*(leaf.name for leaf in leaves), *(() if task.path else volume.NO_CONTENT)})
            take = partial(self._take, here, there, task.path)
            items = tree.in_order(task.path, leaves, take, made=partial(self._make_folder, there, task.path))
            if not task.path:
                return items
            if any(isinstance(item, More) and isinstance(item.task, Names) for item in items):
                return [found, *items, Left(found)]
            self._settle(there, found)
            return [found, *items]

    def _make_folder(self, there: int, folder: str, name: str) -> bool:
        with volume.failures(self._target, join(folder, name)):
            return _make_folder(name, there)

    def _drop(self, path: str) -> None:
        """Leave no copy of what is none of the listing: of this run, or of one before it."""
        above, _, name = path.rpartition("/")
        with (
            _target_folder(self._there, above, self._target) as there,
            volume.failures(self._target, path),
            suppress(FileNotFoundError),
        ):
            _remove(name, there)

    def names(self, here: int, task: Names) -> list[Any]:
        """Copy some names of a folder, opened."""
        with _target_folder(self._there, task.folder, self._target) as there:
            return self._take(here, there, task.folder, task.leaves, alone=task.alone)

    def _settle(self, there: int, folder: Entry) -> None:
        with volume.failures(self._target, folder.path):
            os.fchmod(there, (folder.mode & 0o777) | _FOLDER_OUT)
            os.utime(there, ns=(folder.mtime_ns, folder.mtime_ns))
        self.meter.add(entries=1)

    def _take(self, here: int, there: int, folder: str, leaves: Sequence[Leaf], *, alone: bool = False) -> list[Any]:
        known = self._find(folder, leaves)

        def take(path: str, name: str, kind: str, stream: Stream) -> Taken | More:
            if kind == FILE:
                return self._copy_file((here, there), path, name, stream, known.get(name), alone=alone)
            return self._copy_link(here, there, path) if kind == LINK else Lost(path, Why.SPECIAL)

        return tree.take_each(folder, tree.streams(here, leaves, known), take)

    def _find(self, folder: str, leaves: Sequence[Leaf]) -> Mapping[str, Entry]:
        """What an earlier listing knows of some names; nothing where it can't be read."""
        if self._known is None:
            return {}
        try:
            return mtree.find(self._known, folder, [leaf.name for leaf in leaves])
        except (OSError, ValueError):
            return {}

    def _copy_link(self, here: int, there: int, path: str) -> Taken:
        entry = tree.look(here, path, path.rpartition("/")[2])
        if isinstance(entry, Lost) or entry.kind != LINK:
            return Lost(path, Why.VANISHED)  # something else has taken its name meanwhile
        with volume.failures(self._target, path):
            _make_link(entry, there)
        self.meter.add(entries=1)
        return entry

    def _copy_file(
        self, folders: tuple[int, int], path: str, name: str, stream: Stream, known: Entry | None, *, alone: bool
    ) -> Taken | More:
        """Copy one file of the live tree, again while it changes under the reader's hands."""
        here, there = folders
        for _ in range(_READS):
            why = Why.CHANGING
            try:
                taken = tree.reading(here, name, stream, self._read_file, path, name, there, known, alone)
                if taken is not None:
                    return taken
            except OSError as error:  # the source's: what the target says is ours by now
                why = tree.lost(path, error).why
                if error.errno != errno.ESTALE:  # another machine has put a new file in its place
                    break
            stream = None
        return Lost(path, why)

    def _read_file(
        self, stream: int, path: str, name: str, there: int, known: Entry | None, alone: bool
    ) -> Taken | More | None:
        """Copy one file of the live tree; None if it changed meanwhile."""
        before = os.fstat(stream)
        if not stat.S_ISREG(before.st_mode):
            raise FileNotFoundError(errno.ENOENT, "something else has taken its name")
        if before.st_size > LARGE and not alone:
            return tree.by_itself(path)
        if known and self._is_kept(path, before, known, there):
            size, sha256 = known.size, known.digest
        else:
            size, sha256 = self._copy(path, name, before, stream, there)
        after = os.fstat(stream)
        if (after.st_size, after.st_mtime_ns) != (size, before.st_mtime_ns):
            return None
        self.meter.add(entries=1)
        return tree.describe(path, after, digest=sha256)

    def _is_kept(self, path: str, found: os.stat_result, known: Entry, there: int) -> bool:
        """Keep what a run before this one has copied, when its bytes are those that were read then."""
        if (known.size, known.mtime_ns) != (found.st_size, found.st_mtime_ns):
            return False
        with volume.failures(self._target, path), _whole(known, there) as copy:
            if copy is None:
                return False
            os.fchmod(copy, _wide_out(found.st_mode))
            os.utime(copy, ns=(found.st_mtime_ns, found.st_mtime_ns))
        self.meter.add(size_bytes=found.st_size)
        return True

    def _copy(self, path: str, name: str, found: os.stat_result, stream: int, there: int) -> tuple[int, str]:
        """Write what is read under its name; return how many bytes and their SHA-256."""
        where = (self._target, path)
        with _new_file(name, there, _wide_out(found.st_mode), where) as copy:
            read = _pour(stream, copy, found.st_size, where, self.meter)
            try:
                os.utime(copy, ns=(found.st_mtime_ns, found.st_mtime_ns))
            except OSError as error:
                raise volume.failure(error, *where) from error
        return read


def _keep(folder: int, names: set[str]) -> None:
    """Remove what is none of these from a folder."""
    for name in set(os.listdir(folder)) - names:
        _remove(name, folder)


def _wide_out(mode: int) -> int:
    return (mode & 0o777) | _USER_AND_GROUP_READ | (_USER_AND_GROUP_EXECUTE if mode & _EXECUTE else 0)


# --- back ---


class Bring(NamedTuple):
    """A task: entries that follow each other, as lines of the listing; and folders of tasks before it that end there.

    It is answered with what was counted, and with the folders to be settled when it and all before it is done.
    """

    lines: list[str]
    left: list[str]
    alone: bool = False  # a large file


class Settle(NamedTuple):
    """A task: folders whose content is there, to get their mode and times."""

    folders: list[Entry]


class _Back:
    """Brings the entries of a backup to a folder, in the workers."""

    passed_over: Collection[str] = volume.NO_CONTENT  # at the target's root

    def __init__(self, here: int, there: int, target: Path, meter: Meter, *, again: bool) -> None:
        self._here = here
        self._there = there
        self._target = target
        self._meter = meter
        self._again = again
        self._refused: set[tuple[int, int]] = set()  # owners and groups that this user may not give
        self._made_as: tuple[int, int] | None = None  # owner and group that a new file has in the folder at hand
        self._temporary = f"{volume.TEMPORARY}{secrets.token_hex(8)}"

    def enter(self, worker: int) -> None:
        """Have names of this worker's own for what is not whole yet."""
        self._meter.enter(worker)
        self._temporary += f"-{worker}"

    def act(self, task: Bring | Settle | Folder) -> list[Any]:
        if isinstance(task, Bring):
            return self._bring(task)
        if isinstance(task, Folder):
            return self._reclaim(task)
        for folder in task.folders:
            self.settle_folder(folder)
        return []

    def _reclaim(self, task: Folder) -> list[Any]:
        """Make a folder fit to go on with: no links, nothing without its name, only folders that are ours and open."""
        folders = []
        with _target_folder(self._there, task.path, self._target) as there, volume.failures(self._target, task.path):
            for name, kind in tree.leaves(there, task.path, self.passed_over):
                if name.startswith(volume.TEMPORARY) or (self._again and kind == LINK):
                    _remove(name, there)
                elif self._again and kind == FOLDER and _enter(name, there):
                    folders.append(More(Folder(join(task.path, name))))
        return folders

    def _bring(self, task: Bring) -> list[Any]:
        entries = [mtree.entry(line) for line in task.lines]
        left = [mtree.entry(line) for line in task.left]
        later: list[Any] = []
        brought: list[Entry] = []
        with closing(_Nest(self, self._there, self._target, left)) as nest:
            at, there = None, -1
            for (entry, folder, name), stream in tree.ahead(self._opened(entries, alone=task.alone)):
                interruption.point()
                if folder != at:
                    at, there = folder, nest.enter(folder)
                if entry.size > LARGE and not task.alone:
                    nest.hold()
                    later.append(More(Bring([mtree.line(entry)], [], alone=True), apart=True))
                    continue
                if entry.kind == FOLDER:
                    at, there = entry.path, nest.make(entry, name)
                elif entry.kind == LINK:
                    self._bring_link(entry, there)
                elif not (self._again and self._is_there(entry, there)):
                    self._bring_file(entry, name, there, stream)
                brought.append(entry)
        return [Tally.of(brought).sums, *later, *left]

    def _opened(self, entries: Iterable[Entry], *, alone: bool) -> Iterator[tuple[tuple[Entry, str, str], Stream]]:
        """Open the backup's files one after the other; an entry that is none, or a task of its own, comes as it is."""
        at: str | None = None
        here: Stream = None
        try:
            for entry in entries:
                folder, _, name = entry.path.rpartition("/")
                stream: Stream = None
                if entry.kind == FILE and (alone or entry.size <= LARGE):
                    if folder != at:
                        tree.close(here)
                        at, here = folder, _folder_or_why(self._here, folder)
                    stream = tree.opened(here, name, ask=not self._again) if isinstance(here, int) else here
                yield (entry, folder, name), stream
        finally:
            tree.close(here)

    @staticmethod
    def _unread(path: str, error: OSError) -> errors.PhaseError:
        if isinstance(error, FileNotFoundError):
            return errors.BackupDamaged([f"{path!r} is missing"])
        if error.errno == errno.ESTALE:
            return errors.VolumeStale(path)
        return errors.ReadFailed([path], os.strerror(error.errno or 0))

    def _bring_link(self, entry: Entry, there: int) -> None:
        with volume.failures(self._target, entry.path):
            _make_link(entry, there)
            self._own(entry, partial(os.chown, _name(entry), dir_fd=there, follow_symlinks=False))
        self._meter.add(entries=1)

    def _is_there(self, entry: Entry, there: int) -> bool:
        """Whether a run before this one has brought a file; it gets its mode and times once more."""
        with volume.failures(self._target, entry.path), _whole(entry, there) as copy:
            if copy is None:
                return False
            self._settle(copy, entry, mode := _wide_back(entry.mode))
        self._meter.add(entries=1, size_bytes=entry.size, widened=mode != entry.mode)
        return True

    def _bring_file(self, entry: Entry, name: str, there: int, stream: Stream) -> None:
        """Bring a file under its name when its bytes are the listed ones."""
        for left in reversed(range(_READS)):
            try:
                if isinstance(stream, int):
                    self._write_file(stream, entry, name, there)
                elif stream is None:
                    self._write_again(entry, name, there)
                else:
                    raise stream
            except OSError as error:  # the backup's: what the target says is ours by now
                if error.errno != errno.ESTALE or not left:
                    raise self._unread(entry.path, error) from error
                stream = None
            else:
                return

    def _write_again(self, entry: Entry, name: str, there: int) -> None:
        folder = open_folder(self._here, entry.path.rpartition("/")[0])
        with closed(folder), closed(os.open(name, READ, dir_fd=folder)) as stream:
            self._write_file(stream, entry, name, there)

    def _write_file(self, stream: int, entry: Entry, name: str, there: int) -> None:
        """Write a file under its name if it is the listed one: a small one is known before, a larger one renamed."""
        mode, where = _wide_back(entry.mode), (self._target, entry.path)
        if entry.size < BLOCK:
            content = tree.small(stream, entry.size)
            _hold(entry, len(content), hashlib.sha256(content).hexdigest())
            with _new_file(name, there, mode, where) as copy:
                try:  # not `volume.failures`: to enter it takes time for each file
                    volume.put(copy, content)
                    self._settle(copy, entry, mode, made=True)
                except OSError as error:
                    raise volume.failure(error, *where) from error
            self._meter.add(entries=1, size_bytes=entry.size, widened=mode != entry.mode)
            return
        with _new_file(self._temporary, there, mode, where, name) as copy:
            _hold(entry, *_pour(stream, copy, entry.size, where, self._meter))
            with volume.failures(*where):
                self._settle(copy, entry, mode, made=True)
        self._meter.add(entries=1, widened=mode != entry.mode)

    def settle_folder(self, folder: Entry, there: int | None = None) -> None:
        """Give a folder its mode and times when everything in it is there."""
        if there is None:
            with _target_folder(self._there, folder.path, self._target) as opened:
                self.settle_folder(folder, opened)
            return
        with volume.failures(self._target, folder.path):
            self._settle(there, folder, mode := folder.mode | _FOLDER_BACK)
        self._meter.add(entries=1, widened=mode != folder.mode)

    def enter_folder(self) -> None:
        """Find out anew how files are made here."""
        self._made_as = None

    def _settle(self, descriptor: int, entry: Entry, mode: int, *, made: bool = False) -> None:
        """Give an entry its owner, mode and times, in this order; a file that was just `made` has most of it."""
        if made and self._made_as is None:
            found = os.fstat(descriptor)
            self._made_as = (found.st_uid, found.st_gid)
        if not made or self._made_as != (entry.uid, entry.gid):
            self._own(entry, partial(os.fchown, descriptor))
        if not made or mode & _SPECIAL_BITS:
            os.fchmod(descriptor, mode)
        os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))

    def _own(self, entry: Entry, chown: Callable[[int, int], None]) -> None:
        """Give an entry its owner and group, or its group alone, where this user may; refused once is refused."""
        for wanted in ((entry.uid, entry.gid), (-1, entry.gid)):
            if wanted not in self._refused:
                try:
                    chown(*wanted)
                    break
                except OSError:
                    self._refused.add(wanted)
        self._meter.add(ownership_kept=int((entry.uid, entry.gid) in self._refused))


class _Nest:
    """The folders of the target that a task is in, opened, one in the other.

    Those that it has made are settled when it leaves them, but for those that still get something: `left`.
    """

    def __init__(self, back: _Back, top: int, target: Path, left: list[Entry]) -> None:
        self._back = back
        self._top = top
        self._target = target
        self._left = left
        self._levels: list[tuple[str, int, Entry | None]] = []  # path, descriptor, and what to settle
        self._held = 0  # so many levels get something later

    def enter(self, folder: str) -> int:
        """Go to a folder, out of those that do not hold it."""
        while self._levels and self._levels[-1][0] != folder:
            self._leave()
        if not self._levels:
            with volume.failures(self._target, folder):
                self._levels.append((folder, _made_folder(self._top, folder), None))
        self._back.enter_folder()
        return self._levels[-1][1]

    def make(self, folder: Entry, name: str) -> int:
        """Make a folder in the one at hand, and go there."""
        with volume.failures(self._target, folder.path):
            above = self._levels[-1][1]
            _make_folder(name, above)
            made = open_folder(above, name)
        self._levels.append((folder.path, made, folder))
        self._back.enter_folder()
        return made

    def hold(self) -> None:
        """Settle none of the folders at hand: something comes later."""
        self._held = len(self._levels)

    def _leave(self) -> None:
        _, descriptor, folder = self._levels[-1]
        if folder and len(self._levels) > self._held:
            self._back.settle_folder(folder, descriptor)
        elif folder:
            self._left.append(folder)
        self._levels.pop()
        self._held = min(self._held, len(self._levels))
        os.close(descriptor)

    def close(self) -> None:
        """Close them; those at hand may go on in the next task."""
        for _, descriptor, _ in self._levels:
            os.close(descriptor)


def _hold(entry: Entry, size: int, sha256: str) -> None:
    """Hold what was read against the listing."""
    if (size, sha256) != (entry.size, entry.digest or sha256):
        raise errors.BackupDamaged([f"{entry.path!r} has other bytes than the listing says"])


def _fill(back: _Back, ahead: Ahead[Bring | Settle | Folder], lines: Iterable[str], workers: int) -> Tally:
    """Bring all entries; folders get their mode and times when everything in them is there."""
    total = Tally()
    left: list[Entry] = []
    strict: list[Entry] = []  # folders that their owner can't enter any more once they have their mode
    ahead.finish([Folder("")])

    def tasks() -> Iterator[Bring | Settle]:
        for task in _stretches(shares(lines, workers)):
            yield task
            while len(left) >= TOGETHER:
                yield Settle([left.pop() for _ in range(TOGETHER)])

    for item in ahead.stream(tasks()):
        if isinstance(item, Entry):
            (left if item.mode & _OWNER_ALL == _OWNER_ALL else strict).append(item)
        else:
            total.add(item)
    ahead.finish(Settle(share) for share in shares(left, workers))
    for folder in strict:  # the inner ones were left first
        back.settle_folder(folder)
    return total


def shares(items: Iterable[_Each], workers: int) -> Iterator[list[_Each]]:
    """Cut what is to be done into shares, smaller ones toward the end: no process is left alone with the last 128.

    Behind 1 ms 1,000 files of `portal` take 8 workers 3.1 s, 4.0 s by shares of 128, and 4.3 s by shares of 0.1 s.
    """
    items, most = iter(items), 2 * workers * TOGETHER
    waiting: deque[_Each] = deque(islice(items, most))
    while waiting:
        share = min(max(len(waiting) // (2 * workers), _FEW), TOGETHER, len(waiting))
        yield [waiting.popleft() for _ in range(share)]
        waiting.extend(islice(items, share))


def _stretches(shares: Iterable[list[str]]) -> Iterator[Bring]:
    """Make tasks of a listing's shares.

    Raises:
        errors.BackupDamaged: an entry lies in no folder that was listed before it, so that it could go through a link.

    """
    above: list[tuple[str, str, Bring]] = []  # the path of a folder, its line and the task that makes it
    at = before = before_in = ""
    for share in shares:
        task = Bring(share, [])
        for line in share:
            path, is_folder = mtree.head(line)
            folder, _, name = path.rpartition("/")
            if folder != at:
                while above and above[-1][0] != folder:
                    _, left, maker = above.pop()
                    if maker is not task:
                        task.left.append(left)
                at = folder
            if name in {"", ".", ".."} or (folder and not above):
                raise errors.BackupDamaged([f"the listing's entry {path!r} leads out of the tree"])
            if (  # characters and bytes have one order then
                path <= before if folder == before_in and path.isascii() else mtree.place(path) <= mtree.place(before)
            ):
                raise errors.BackupDamaged([f"the listing's entry {path!r} is not in its order, or there twice"])
            before, before_in = path, folder
            if is_folder:
                above.append((path, line, task))
                at = path
        yield task
    yield Bring([], [line for _, line, _ in above[::-1]])


def _wide_back(mode: int) -> int:
    return mode | _GROUP_WRITE | (_GROUP_EXECUTE if mode & _EXECUTE else 0)


def _name(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]


# --- one entry ---


def _pour(stream: int, copy: int, expected: int, where: tuple[Path, str], meter: Meter) -> tuple[int, str]:
    """Write what is read; return how many bytes and their SHA-256.

    Raises:
        OSError: it can't be read.
        errors.VolumeFull and its like, for the target

    """
    if expected < BLOCK:
        content = tree.small(stream, expected)
        _put(copy, content, where)
        meter.add(size_bytes=len(content))
        return len(content), hashlib.sha256(content).hexdigest()
    size, sha256 = 0, hashlib.sha256()
    for block in tree.blocks(stream, expected):
        interruption.point()
        sha256.update(block)
        _put(copy, block, where)
        size += len(block)
        meter.add(size_bytes=len(block))
    return size, sha256.hexdigest()


def _put(copy: int, block: bytes | memoryview, where: tuple[Path, str]) -> None:
    try:
        volume.put(copy, block)
    except OSError as error:
        raise volume.failure(error, *where) from error


@contextmanager
def _opened_root(root: Path) -> Iterator[int]:
    """The root of a tree, whose failures to open are its volume's."""
    with volume.failures(root):
        descriptor = open_root(root)
    with closed(descriptor):
        yield descriptor


@contextmanager
def _target_folder(top: int, path: str, target: Path) -> Iterator[int]:
    """A folder of the target, whose failures to open are the target's; what is done in it has failures of its own."""
    with volume.failures(target, path):
        descriptor = open_folder(top, path)
    with closed(descriptor):
        yield descriptor


class _new_file:  # noqa: N801  a context manager, written out: it is entered for each file
    """A new file in the place of whatever has its name; gone again if anything fails, a SIGTERM too.

    With a `name` it gets that in the end: a network volume may say as late as at the close that it is full.
    """

    __slots__ = ("_copy", "_folder", "_mode", "_name", "_temporary", "_where")

    def __init__(self, temporary: str, folder: int, mode: int, where: tuple[Path, str], name: str = "") -> None:
        self._temporary = temporary
        self._folder = folder
        self._mode = mode
        self._where = where
        self._name = name

    def __enter__(self) -> int:
        try:
            self._copy = _create(self._temporary, self._folder, self._mode)
        except OSError as error:
            raise volume.failure(error, *self._where) from error
        return self._copy

    def __exit__(self, kind: type[BaseException] | None, failed: BaseException | None, trace: object) -> None:
        try:
            os.close(self._copy)
            if failed is None and self._name:
                os.rename(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError as error:
            self._forget()
            if failed is None:
                raise volume.failure(error, *self._where) from error
        if failed is not None:
            self._forget()

    def _forget(self) -> None:
        with suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._folder)


def _create(name: str, folder: int, mode: int) -> int:
    """Make a new file."""
    try:
        return os.open(name, _NEW, mode, dir_fd=folder)
    except FileExistsError:
        _remove(name, folder)
        return os.open(name, _NEW, mode, dir_fd=folder)


@contextmanager
def _whole(listed: Entry, folder: int) -> Iterator[int | None]:
    """A file as it is listed, opened; None where there is none or another."""
    try:
        descriptor = os.open(_name(listed), READ, dir_fd=folder)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ELOOP, errno.EACCES, errno.ENXIO}:
            raise
        yield None
        return
    with closed(descriptor):
        yield descriptor if _is_whole(descriptor, listed) else None


def _is_whole(descriptor: int, listed: Entry) -> bool:
    """Read it from the volume: what that failed to take may still be in memory as if it had."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size != listed.size or not listed.digest or not _is_ours(found):
        return False
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return tree.read_digest(descriptor, listed.size) == listed.digest


def _folder_or_why(top: int, path: str) -> int | OSError:
    """Open a folder, or tell what speaks against it."""
    try:
        return open_folder(top, path)
    except OSError as error:
        return error


def _made_folder(top: int, path: str) -> int:
    """Open a folder below the root that may have to be made, as those above it; the caller closes it."""
    try:
        return open_folder(top, path)
    except (FileNotFoundError, NotADirectoryError):
        if not path:
            raise
    inner = open_folder(top, "")
    for name in path.split("/"):
        with closed(inner) as outer:
            try:
                inner = open_folder(outer, name)
            except (FileNotFoundError, NotADirectoryError):
                _make_folder(name, outer)
                inner = open_folder(outer, name)
    return inner


def _make_folder(name: str, folder: int) -> bool:
    """Make a folder; False where it is there, perhaps since another process made it."""
    while True:
        try:
            os.mkdir(name, _FOLDER_OUT, dir_fd=folder)
        except FileExistsError:
            if _enter(name, folder):
                return False
        else:
            return True


def _enter(name: str, folder: int) -> bool:
    """Let ourselves into a folder that is there; what is no folder of ours is removed."""
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode) or not _is_ours(found):
        _remove(name, folder)
        return False
    if found.st_mode & _FOLDER_OUT != _FOLDER_OUT:
        os.chmod(name, _FOLDER_OUT, dir_fd=folder)
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


def _told(remove: Callable[[str, int], None]) -> Callable[[str, int], None]:
    """Have a removal that is refused end in a sentence that says what can't be removed, and why."""

    @wraps(remove)
    def told(name: str, folder: int) -> None:
        try:
            remove(name, folder)
        except OSError as error:
            if error.errno not in _NOT_REMOVABLE:
                raise
            with suppress(OSError):  # without /proc the name alone is told
                name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
            raise errors.NotRemovable(name, os.strerror(error.errno)) from error

    return told


@_told
def _remove(name: str, folder: int) -> None:
    """Remove whatever has this name, a folder with all that is in it."""
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        with closed(open_folder(folder, name)) as inner:
            if _is_ours(os.fstat(inner)):
                os.fchmod(inner, _FOLDER_OUT)
            for below in os.listdir(inner):
                interruption.point()
                _remove(below, inner)
        os.rmdir(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


@contextmanager
def _no_umask() -> Iterator[None]:
    """Modes are given when a file is made, which saves a call for each."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)
