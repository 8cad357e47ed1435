"""Copies a file tree with the digests of its files, in both directions, in one pass and by several processes.

On the way out the listing holds every entry as it was; the copy is widened, so that the next UID of the group can read
and replace it. On the way back a file comes under its name only when its bytes have the listed digest, and gets the
listed mode plus what System needs (group 0 writes), the listed times, and owner and group as far as the system allows.

A repetition goes on with a copy that was interrupted. A file that a listing calls whole is read once and kept when it
has the listed digest. All else is made anew, and what another user has left, whose modes and times can't be set. In any
other run nothing of the target is removed: what is there was made by a twin worker.

A name that only the listing of its folder shows is set aside and looked for again when all else is copied.

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
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from steps import beneath, errors, interruption, mtree, permissions, tree, volume
from steps.ahead import Ahead, More
from steps.beneath import READ, closed, open_folder, open_root
from steps.mtree import FILE, FOLDER, LINK, Entry
from steps.tree import (
    BLOCK,
    LARGE,
    TOGETHER,
    Doubt,
    Folder,
    Grew,
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
_PATIENCE_S = 60.0  # since the last of the names that only listings show: NFS keeps these so long (acdirmax, nfs(5))
_PAUSE_S = 1.0  # between two looks for such names
_FEW = 8  # entries in the last tasks of a restore
_HELD = 64  # folders in each other that a process has open: a tree may be deeper than descriptors go
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_USER_AND_GROUP_READ = 0o640
_USER_AND_GROUP_EXECUTE = 0o110
_GROUP_READ = 0o040
_GROUP_WRITE = 0o060
_GROUP_EXECUTE = 0o010
_FOLDER_OUT = 0o770
_FOLDER_BACK = 0o070
_OWNER_ALL = 0o700
_EXECUTE = 0o111
_SPECIAL_BITS = 0o7000  # set-user-ID and its like: a change of owner clears them


class Counts(NamedTuple):
    """What is done so far."""

    entries: int = 0
    size_bytes: int = 0
    widened: int = 0
    ownership_kept: int = 0  # entries whose owner and group could not be set
    modes_refused: int = 0  # entries whose mode the volume does not keep
    times_refused: int = 0


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

    def add(self, *, entries: int = 0, size_bytes: int = 0) -> None:
        """Add to what is done."""
        cells, row = self._cells, self._row
        cells[row] += entries
        cells[row + 1] += size_bytes

    def note(self, *, widened: bool = False, owner: bool = False, mode: bool = False, times: bool = False) -> None:
        """Add an entry to those that are not as they were listed."""
        for column, is_so in enumerate((widened, owner, mode, times), 2):
            self._cells[self._row + column] += is_so

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
    *,
    again: bool = False,
) -> Iterator[Listed | Lost | Grew]:
    """Copy a live tree into a folder; yield the lines of its listing: entries as they were, files with their digest.

    `known` is an earlier listing, which makes this a repetition, as `again` does: what lies in the target and not in
    the source goes.
    `passed_over` are names at the source's root that are none of its content. Lines of a later round, of names that
    were set aside, are in order among themselves.

    Raises:
        errors.VolumeFull and its like for the target, errors.Interrupted

    """
    try:
        here = tree.open_tree(source)
    except OSError:  # a root that is not there is no empty tree
        yield Lost(".", Why.UNREADABLE)
        return
    with closed(here), _no_umask(), _opened_root(target) as there:
        out = _Out(here, there, target, work.meter, known)
        out.passed_over = passed_over
        out.again = again or known is not None
        with Ahead(out.act, work.workers, work.tick, out.meter.enter) as ahead:
            aside: list[Doubt] = []
            yield from _passed(ahead, [Folder("")], aside)
            yield from _found_later(ahead, aside)


def _passed(ahead: Ahead[Any], tasks: Iterable[Any], aside: list[Doubt]) -> Iterator[Listed | Lost | Grew]:
    """Pass on what tasks are answered with, but for what is set aside."""
    late = []
    for item in ahead.stream(tasks):
        if isinstance(item, Left):
            late.append(item)
        elif isinstance(item, Lost) and item.why is Why.HIDDEN:
            aside.append(Doubt(item.path, is_folder=bool(item.gone)))
        else:
            yield item
    ahead.finish(late)


def _found_later(ahead: Ahead[Any], aside: list[Doubt]) -> Iterator[Listed | Lost | Grew]:
    """Look again for all names that were set aside, until none was found for long."""
    until, number = time.monotonic() + _PATIENCE_S, 0
    while aside and time.monotonic() < until:
        interruption.sleep(_PAUSE_S)
        number += 1
        doubts, aside = sorted(aside, key=lambda doubt: mtree.place(doubt.path)), []
        folders = groupby(doubts, key=lambda doubt: doubt.path.rpartition("/")[0])
        for item in _passed(ahead, (Aside(folder, list(each)) for folder, each in folders), aside):
            if isinstance(item, Listed):
                until = time.monotonic() + _PATIENCE_S
                yield item._replace(round=number)
            else:
                yield item
    yield from (Lost(doubt.path, Why.UNREADABLE) for doubt in aside)


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
    with _no_umask(), _opened_source(source) as here, _opened_root(target) as there:
        back = _Back(here, there, target, work.meter, again=again)
        back.passed_over = passed_over
        with Ahead(back.act, work.workers, work.tick, back.enter) as ahead:
            return _fill(back, ahead, lines, max(work.workers, 1))


def empty(root: Path, passed_over: Collection[str] | None = None) -> None:
    """Remove all that a volume holds but the names that are passed over at its root; the root stays as it is.

    None: those that the volume itself shows.

    Raises:
        errors.NotRemovable, errors.VolumeFailed and its like, errors.Interrupted

    """
    passed = volume.passed_over(root) if passed_over is None else passed_over
    with _opened_root(root) as top, volume.failures(root):
        _keep(top, {*passed})


def drop(root: Path, paths: Iterable[str]) -> None:
    """Remove what has these paths, as far as it is there, a folder with all that is in it.

    Raises:
        errors.NotRemovable, errors.VolumeFailed and its like, errors.Interrupted

    """
    with _opened_root(root) as top, volume.failures(root):
        for path in paths:
            above, _, name = path.rpartition("/")
            with suppress(FileNotFoundError), closed(open_folder(top, above)) as folder:
                _remove(name, folder)


def let_in(root: Path, names: Iterable[str]) -> None:
    """Let ourselves into those folders at a root that are ours; nothing where they are not there."""
    with _opened_root(root) as top:
        for name in names:
            with suppress(OSError):
                permissions.open_up(name, top, _FOLDER_OUT)


# --- what both ways do ---


class _Giver:
    """Gives what was made its mode and times, and counts what the volume refuses.

    `needed`, in the group's bits, is what a file must grant to be of use; a folder is entered besides.
    """

    def __init__(self, target: Path, meter: Meter, needed: int) -> None:
        self.target = target
        self.meter = meter
        self._needed = needed
        self._use = "written by System" if needed & _GROUP_WRITE == _GROUP_WRITE else "read by its group"
        self._inherits: bool | None = None  # whether files that are made in the folder at hand get an ACL

    def enter_folder(self) -> None:
        """Find out anew how files are made here."""
        self._inherits = None

    def gives_acl(self, folder: int) -> bool:
        """Whether the mode of what is made in the folder at hand must be set anew; asked once for each folder."""
        if self._inherits is None:
            self._inherits = permissions.inherits(folder)
        return self._inherits

    def give(self, descriptor: int, path: str, mode: int, mtime_ns: int) -> None:
        """Give an entry its mode and times.

        Raises:
            OSError
            errors.ModeNotKept: with the mode that it has it would be of no use.

        """
        self.give_mode(descriptor, path, mode)
        if not permissions.give_times(descriptor, mtime_ns):
            self.meter.note(times=True)

    def give_mode(self, descriptor: int, path: str, mode: int) -> None:
        """Give an entry its mode; raises what `give` does."""
        if permissions.give_mode(descriptor, mode):
            return
        self.meter.note(mode=True)
        found = os.fstat(descriptor)
        needed = self._needed | (_GROUP_EXECUTE if stat.S_ISDIR(found.st_mode) else 0)
        if not permissions.serves(found, needed):
            raise errors.ModeNotKept(str(self.target / path), _octal(found.st_mode), _octal(mode), self._use)

    def give_found(self, descriptor: int, folder: int, path: str, mode: int, mtime_ns: int) -> bool:
        """Give a file that was found its mode and times; False where it is another user's."""
        if not permissions.give_mode(descriptor, mode):
            if self._is_anothers(folder, permissions.takes_mode):
                return False
            self.give_mode(descriptor, path, mode)
        if not permissions.give_times(descriptor, mtime_ns):
            if self._is_anothers(folder, permissions.takes_times):
                return False
            self.meter.note(times=True)
        return True

    @staticmethod
    def _is_anothers(folder: int, refused: permissions.Give) -> bool:
        return permissions.is_anothers(folder, refused, _temporary_name())


def _temporary_name() -> str:
    return f"{volume.TEMPORARY}{secrets.token_hex(8)}"


def _octal(mode: int) -> str:
    return f"{stat.S_IMODE(mode):04o}"


# --- out ---


class Aside(NamedTuple):
    """A task: names of a folder that only its listing shows, to be looked for again."""

    folder: str
    doubts: list[Doubt]


class _Read(NamedTuple):
    """What was read of a file that changed meanwhile: as it was at its open, and the digest of so many bytes."""

    found: os.stat_result
    sha256: str

    def is_begun_by(self, later: os.stat_result) -> bool:
        """Whether a file may be this one, grown."""
        same = (self.found.st_dev, self.found.st_ino) == (later.st_dev, later.st_ino)
        return same and bool(self.sha256) and self.found.st_size <= later.st_size


class _Out(_Giver):
    """The visitor that copies a live tree."""

    passed_over: Collection[str] = volume.NO_CONTENT  # at the source's root

    def __init__(self, here: int, there: int, target: Path, meter: Meter, known: Path | None) -> None:
        super().__init__(target, meter, _GROUP_READ)
        self.top = here
        self._there = there
        self._known = known
        self.again = known is not None
        self._grew: list[str] = []

    def act(self, task: Folder | Names | Left | Aside) -> list[Any]:
        if isinstance(task, Left):
            with _target_folder(self._there, task.folder.path, self.target) as there:
                self._settle(there, task.folder)
            return []
        self._grew.clear()
        items = tree.look_again(self, task.doubts) if isinstance(task, Aside) else tree.act(self, task)
        for item in items:
            if isinstance(item, Lost) and item.path != ".":
                self._drop(item.path)
        if isinstance(task, Aside):
            items += self._left(task.folder)
        return [*tree.told(items), *map(Grew, self._grew)]

    def folder(self, here: int, task: Folder) -> list[Any]:
        """Copy a folder, opened: all of it but its folders, which are made."""
        found = tree.describe(task.path, os.fstat(here))
        leaves = tree.leaves(here, task.path, self.passed_over)
        with _target_folder(self._there, task.path, self.target) as there, volume.failures(self.target, task.path):
            if self.again and not task.made:
                _keep(there, {*(leaf.name for leaf in leaves), *(() if task.path else volume.NO_CONTENT)})
            items = self._in_order(here, there, Names(task.path, leaves))
            if not task.path:
                return items
            if any(_comes_later(item) for item in items):
                return [found, *items, Left(found)]
            self._settle(there, found)
            return [found, *items]

    def names(self, here: int, task: Names) -> list[Any]:
        """Copy some names of a folder, opened."""
        with _target_folder(self._there, task.folder, self.target) as there:
            for leaf in task.leaves if task.looks else ():
                if leaf.kind != FOLDER:
                    _remove_made(leaf.name, there)
            return self._in_order(here, there, task)

    def _in_order(self, here: int, there: int, task: Names) -> list[Any]:
        self.enter_folder()
        take = partial(self._take, here, there, task.folder, alone=task.alone)
        return tree.in_order(task.folder, task.leaves, take, made=partial(self._make_folder, there, task.folder))

    def _make_folder(self, there: int, folder: str, name: str) -> bool:
        with volume.failures(self.target, join(folder, name)):
            return _make_folder(name, there, again=self.again, takes_over=True)

    def _drop(self, path: str) -> None:
        """Leave no copy of what is not listed: a folder that was made for it, or what a run before has left."""
        above, _, name = path.rpartition("/")
        with (
            _target_folder(self._there, above, self.target) as there,
            volume.failures(self.target, path),
            suppress(FileNotFoundError),
        ):
            if self.again:
                _remove(name, there)
            else:
                _remove_made(name, there)

    def _left(self, path: str) -> list[Left]:
        """Have a folder settled once more; nothing where it can't be looked at any more."""
        try:
            with closed(open_folder(self.top, path)) as here:
                return [Left(tree.describe(path, os.fstat(here)))] if path else []
        except OSError:
            return []

    def _settle(self, there: int, folder: Entry) -> None:
        with volume.failures(self.target, folder.path):
            kept = os.fstat(there).st_mode & stat.S_ISGID  # by which later files get the volume's group
            self.give(there, folder.path, (folder.mode & 0o777) | _FOLDER_OUT | kept, folder.mtime_ns)
        self.meter.add(entries=1)

    def _take(self, here: int, there: int, folder: str, leaves: Sequence[Leaf], *, alone: bool = False) -> list[Any]:
        known = self._find(folder, leaves)

        def take(path: str, name: str, kind: str, stream: Stream) -> Taken | More:
            if kind == FILE:
                return self._copy_file((here, there), path, name, stream, known.get(name), alone=alone)
            return self._copy_link(here, there, path) if kind == LINK else Doubt(path)

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
        entry = tree.look(here, path, path.rpartition("/")[2], LINK)
        if isinstance(entry, Entry):
            with volume.failures(self.target, path):
                if not _make_link(entry, there, again=self.again):
                    self.meter.note(times=True)
            self.meter.add(entries=1)
        return entry

    def _copy_file(
        self, folders: tuple[int, int], path: str, name: str, stream: Stream, known: Entry | None, *, alone: bool
    ) -> Taken | More:
        """Copy one file of the live tree, again while it changes under the reader's hands."""
        here, there = folders
        earlier: _Read | None = None
        for _ in range(_READS):
            taken = tree.reading(here, name, stream, self._read_file, (path, name, there), known, alone, earlier)
            if not isinstance(taken, _Read):
                return taken
            earlier, stream = taken, None
        return Lost(path, Why.CHANGING)

    def _read_file(
        self, stream: int, to: tuple[str, str, int], known: Entry | None, alone: bool, earlier: _Read | None
    ) -> Taken | More | _Read:
        """Copy one file of the live tree, or what was there of one that only grows; no copy of one that changed."""
        path, name, there = to
        before = os.fstat(stream)
        if not stat.S_ISREG(before.st_mode):
            return Doubt(path)
        if before.st_size > LARGE and not alone:
            return tree.by_itself(path)
        if earlier and not earlier.is_begun_by(before):
            earlier = None
        if known and self._is_kept(path, before, known, there):
            taken = known if _is_unchanged(before, os.fstat(stream)) else _Read(before, "")
        else:
            taken = self._copy(stream, to, before, earlier)
        if isinstance(taken, _Read):
            with volume.failures(self.target, path), suppress(FileNotFoundError):
                os.unlink(name, dir_fd=there)
            return taken
        self.meter.add(entries=1)
        return taken if taken is not known else tree.describe(path, before, digest=known.digest)

    def _is_kept(self, path: str, found: os.stat_result, known: Entry, there: int) -> bool:
        """Keep what a run before this one has copied, when its bytes are those that were read then."""
        if (known.size, known.mtime_ns) != (found.st_size, found.st_mtime_ns):
            return False
        with volume.failures(self.target, path), _whole(known, there) as copy:
            if copy is None or not self.give_found(copy, there, path, _wide_out(found.st_mode), found.st_mtime_ns):
                return False
        self.meter.add(size_bytes=found.st_size)
        return True

    def _copy(
        self, stream: int, to: tuple[str, str, int], before: os.stat_result, earlier: _Read | None
    ) -> Entry | _Read:
        """Write what is read under its name, or as much as was there at an earlier open of a file that only grows."""
        path, name, there = to
        where, mode = (self.target, path), _wide_out(before.st_mode)
        with _new_file(name, there, mode, where, again=self.again) as copy:
            read = _pour(stream, copy, before.st_size, where, self.meter, earlier.found.st_size if earlier else -1)
            after = os.fstat(stream)
            grew = earlier and read.begin == earlier.sha256 and after.st_size > earlier.found.st_size
            with volume.failures(*where):
                if _is_unchanged(before, after) and not read.more and read.size == before.st_size:
                    entry = tree.describe(path, after, digest=read.sha256)
                elif earlier and grew:
                    os.ftruncate(copy, earlier.found.st_size)
                    entry = tree.describe(path, earlier.found, digest=earlier.sha256)
                    self._grew.append(path)
                else:
                    return _Read(before, read.sha256 if read.size == before.st_size else "")
                if self.gives_acl(there) or stat.S_IMODE(os.fstat(copy).st_mode) != mode:
                    self.give_mode(copy, path, mode)
                if not permissions.give_times(copy, entry.mtime_ns):
                    self.meter.note(times=True)
        return entry


def _remove_made(name: str, folder: int) -> None:
    """Remove the empty folder that was made for what is none; anything else of that name is a twin's."""
    with suppress(OSError):
        os.rmdir(name, dir_fd=folder)


def _comes_later(item: Any) -> bool:
    """Whether more of a folder is written after its own task has come to the end."""
    return isinstance(item, Doubt) or (isinstance(item, More) and isinstance(item.task, Names))


def _is_unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def _keep(folder: int, names: set[str]) -> None:
    """Remove what is none of these from a folder."""
    for name in set(beneath.names(folder)) - names:
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


class _Back(_Giver):
    """Brings the entries of a backup to a folder, in the workers."""

    passed_over: Collection[str] = volume.NO_CONTENT  # at the target's root

    def __init__(self, here: int, there: int, target: Path, meter: Meter, *, again: bool) -> None:
        super().__init__(target, meter, _GROUP_WRITE)
        self._here = here
        self._there = there
        self.again = again
        self._refused: set[tuple[int, int]] = set()  # owners and groups that this user may not give
        self._temporary = _temporary_name()

    def enter(self, worker: int) -> None:
        """Have names of this worker's own for what is not whole yet."""
        self.meter.enter(worker)
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
        with _target_folder(self._there, task.path, self.target) as there, volume.failures(self.target, task.path):
            for name, kind in tree.leaves(there, task.path, self.passed_over):
                if name.startswith(volume.TEMPORARY) or (self.again and kind == LINK):
                    _remove(name, there)
                elif self.again and kind == FOLDER and _enter(name, there, again=True, takes_over=True):
                    folders.append(More(Folder(join(task.path, name))))
        return folders

    def _bring(self, task: Bring) -> list[Any]:
        entries = [mtree.entry(line) for line in task.lines]
        left = [mtree.entry(line) for line in task.left]
        later: list[Any] = []
        brought: list[Entry] = []
        with closing(_Nest(self, self._there, left)) as nest:
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
                elif not (self.again and self._is_there(entry, there)):
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
                    stream = tree.opened(here, name, ask=not self.again) if isinstance(here, int) else here
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
        with volume.failures(self.target, entry.path):
            if not _make_link(entry, there, again=self.again):
                self.meter.note(times=True)
            self._own(entry, partial(os.chown, _name(entry), dir_fd=there, follow_symlinks=False))
        self.meter.add(entries=1)

    def _is_there(self, entry: Entry, there: int) -> bool:
        """Whether a run before this one has brought a file; it gets its mode and times once more."""
        with volume.failures(self.target, entry.path), _whole(entry, there) as copy:
            if copy is None:
                return False
            self._own(entry, partial(os.fchown, copy))
            if not self.give_found(copy, there, entry.path, mode := _wide_back(entry.mode), entry.mtime_ns):
                return False
        self._add(entry, mode, entry.size)
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
                if not left or not tree.is_no_proof(error):
                    raise self._unread(entry.path, error) from error
                stream = None
            else:
                return

    def _write_again(self, entry: Entry, name: str, there: int) -> None:
        with closed(tree.opened_again(self._here, entry.path)) as stream:
            self._write_file(stream, entry, name, there)

    def _write_file(self, stream: int, entry: Entry, name: str, there: int) -> None:
        """Write a file under its name if it is the listed one: a small one is known before, a larger one renamed."""
        mode, where = _wide_back(entry.mode), (self.target, entry.path)
        if entry.size < BLOCK:
            content = tree.small(stream, entry.size)
            _hold(entry, len(content), hashlib.sha256(content).hexdigest())
            with _new_file(name, there, mode, where, again=self.again) as copy:
                try:  # not `volume.failures`: to enter it takes time for each file
                    if volume.put_sparse(copy, content):
                        os.ftruncate(copy, len(content))
                    self._settle_made(copy, there, entry, mode)
                except OSError as error:
                    raise volume.failure(error, *where) from error
            self._add(entry, mode, entry.size)
            return
        with _new_file(self._temporary, there, mode, where, name, again=self.again) as copy:
            read = _pour(stream, copy, entry.size, where, self.meter)
            _hold(entry, read.size + read.more, read.sha256)
            with volume.failures(*where):
                self._settle_made(copy, there, entry, mode)
        self._add(entry, mode)

    def settle_folder(self, folder: Entry, there: int | None = None) -> None:
        """Give a folder its mode and times when everything in it is there."""
        if there is None:
            with _target_folder(self._there, folder.path, self.target) as opened:
                self.settle_folder(folder, opened)
            return
        with volume.failures(self.target, folder.path):
            self._own(folder, partial(os.fchown, there))
            self.give(there, folder.path, mode := folder.mode | _FOLDER_BACK, folder.mtime_ns)
        self._add(folder, mode)

    def _settle_made(self, descriptor: int, there: int, entry: Entry, mode: int) -> None:
        """Give a file that was just made its owner, mode and times, in this order; it has most of it."""
        found = os.fstat(descriptor)
        if (found.st_uid, found.st_gid) != (entry.uid, entry.gid):
            self._own(entry, partial(os.fchown, descriptor))
        if mode & _SPECIAL_BITS or stat.S_IMODE(found.st_mode) != mode or self.gives_acl(there):
            self.give_mode(descriptor, entry.path, mode)
        if not permissions.give_times(descriptor, entry.mtime_ns):
            self.meter.note(times=True)

    def _add(self, entry: Entry, mode: int, size_bytes: int = 0) -> None:
        self.meter.add(entries=1, size_bytes=size_bytes)
        if mode != entry.mode:
            self.meter.note(widened=True)

    def _own(self, entry: Entry, chown: Callable[[int, int], None]) -> None:
        """Give an entry its owner and group, or its group alone, where this user may; refused once is refused."""
        for wanted in ((entry.uid, entry.gid), (-1, entry.gid)):
            if wanted not in self._refused:
                try:
                    chown(*wanted)
                    break
                except OSError:
                    self._refused.add(wanted)
        if (entry.uid, entry.gid) in self._refused:
            self.meter.note(owner=True)


class _Level:
    """A folder of a nest: its path, its descriptor while it is held open, and what to settle."""

    __slots__ = ("descriptor", "folder", "path")

    def __init__(self, path: str, descriptor: int, folder: Entry | None) -> None:
        self.path = path
        self.descriptor: int | None = descriptor
        self.folder = folder

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


class _Nest:
    """The folders of the target that a task is in, one in the other, of which the innermost are open.

    Those that it has made are settled when it leaves them, but for those that still get something: `left`.
    """

    def __init__(self, back: _Back, top: int, left: list[Entry]) -> None:
        self._back = back
        self._top = top
        self._left = left
        self._levels: list[_Level] = []
        self._kept = 0  # so many levels get something later

    def enter(self, folder: str) -> int:
        """Go to a folder, out of those that do not hold it."""
        while self._levels and self._levels[-1].path != folder:
            self._leave()
        if not self._levels:
            with volume.failures(self._back.target, folder):
                self._add(_Level(folder, _made_folder(self._top, folder, again=self._back.again), None))
        self._back.enter_folder()
        return self._descriptor()

    def make(self, folder: Entry, name: str) -> int:
        """Make a folder in the one at hand, and go there."""
        with volume.failures(self._back.target, folder.path):
            above = self._descriptor()
            _make_folder(name, above, again=self._back.again)
            self._add(_Level(folder.path, open_folder(above, name), folder))
        self._back.enter_folder()
        return self._descriptor()

    def hold(self) -> None:
        """Settle none of the folders at hand: something comes later."""
        self._kept = len(self._levels)

    def close(self) -> None:
        """Close them; those at hand may go on in the next task."""
        for level in self._levels:
            level.close()

    def _add(self, level: _Level) -> None:
        self._levels.append(level)
        if len(self._levels) > _HELD:
            self._levels[-_HELD - 1].close()

    def _descriptor(self) -> int:
        """That of the folder at hand, which is opened again where too many lay in it."""
        level = self._levels[-1]
        if level.descriptor is None:
            with volume.failures(self._back.target, level.path):
                level.descriptor = open_folder(self._top, level.path)
        return level.descriptor

    def _leave(self) -> None:
        level = self._levels[-1]
        if level.folder and len(self._levels) > self._kept:
            self._back.settle_folder(level.folder, self._descriptor())
        elif level.folder:
            self._left.append(level.folder)
        self._levels.pop()
        self._kept = min(self._kept, len(self._levels))
        level.close()


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


class _Poured(NamedTuple):
    """What was written: bytes, their SHA-256, that of the first `mark`, and whether the file has more than expected."""

    size: int
    sha256: str
    begin: str
    more: bool


def _pour(stream: int, copy: int, expected: int, where: tuple[Path, str], meter: Meter, mark: int = -1) -> _Poured:
    """Write what is read, as much as is expected, zeros as holes.

    Raises:
        OSError: it can't be read.
        errors.VolumeFull and its like, for the target

    """
    done, sha256, begin, more = 0, hashlib.sha256(), "", False
    in_hole = False
    for found in [tree.small(stream, expected)] if expected < BLOCK else tree.blocks(stream, expected):
        interruption.point()
        block, more = found[: expected - done], len(found) > expected - done
        if done <= mark < done + len(block):
            sha256.update(block[: mark - done])
            begin = sha256.hexdigest()
            sha256.update(block[mark - done :])
        else:
            sha256.update(block)
        in_hole = _put(copy, block, where)
        done += len(block)
        meter.add(size_bytes=len(block))
    _end(copy, done, where, in_hole=in_hole)
    return _Poured(done, sha256.hexdigest(), sha256.hexdigest() if done == mark else begin, more)


def _put(copy: int, block: bytes | memoryview, where: tuple[Path, str]) -> bool:
    """Write a block, zeros as a hole; return whether it ends in one."""
    try:
        return volume.put_sparse(copy, block)
    except OSError as error:
        raise volume.failure(error, *where) from error


def _end(copy: int, size: int, where: tuple[Path, str], *, in_hole: bool) -> None:
    """Set the size of a file that ends in a hole: nothing was written there that would."""
    if in_hole:
        with volume.failures(*where):
            os.ftruncate(copy, size)


@contextmanager
def _opened_root(root: Path) -> Iterator[int]:
    """The root of a tree, whose failures to open are its volume's."""
    with volume.failures(root):
        descriptor = open_root(root)
    with closed(descriptor):
        yield descriptor


@contextmanager
def _opened_source(root: Path) -> Iterator[int]:
    """The root of a backup's tree."""
    try:
        descriptor = tree.open_tree(root)
    except OSError as error:
        raise errors.ReadFailed([str(root)], os.strerror(error.errno or 0)) from error
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
    """A new file, `again` in the place of whatever has its name; gone again if anything fails, a SIGTERM too.

    With a `name` it gets that in the end: a network volume may say as late as at the close that it is full.
    """

    __slots__ = ("_again", "_copy", "_folder", "_mode", "_name", "_temporary", "_where")

    def __init__(
        self, temporary: str, folder: int, mode: int, where: tuple[Path, str], name: str = "", *, again: bool
    ) -> None:
        self._again = again
        self._temporary = temporary
        self._folder = folder
        self._mode = mode
        self._where = where
        self._name = name

    def __enter__(self) -> int:
        try:
            self._copy = _create(self._temporary, self._folder, self._mode, again=self._again)
        except OSError as error:
            raise volume.failure(error, *self._where) from error
        return self._copy

    def __exit__(self, kind: type[BaseException] | None, failed: BaseException | None, trace: object) -> None:
        try:
            os.close(self._copy)
            if failed is None and self._name:
                self._rename()
        except OSError as error:
            self._forget()
            if failed is None:
                raise volume.failure(error, *self._where) from error
        if failed is not None:
            self._forget()

    def _rename(self) -> None:
        if self._again:
            os.rename(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            return
        try:
            beneath.rename_new(self._temporary, self._name, self._folder)
        except FileExistsError:
            self._forget()
            raise errors.NameTaken(_place_of(self._name, self._folder)) from None

    def _forget(self) -> None:
        with suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._folder)


def _create(name: str, folder: int, mode: int, *, again: bool) -> int:
    """Make a new file."""
    try:
        return os.open(name, _NEW, mode, dir_fd=folder)
    except FileExistsError:
        if not again:
            raise errors.NameTaken(_place_of(name, folder)) from None
        _remove(name, folder)
        return os.open(name, _NEW, mode, dir_fd=folder)


@contextmanager
def _whole(listed: Entry, folder: int) -> Iterator[int | None]:
    """A file as it is listed, opened; None where there is none or another, or it can't be read."""
    try:
        descriptor = os.open(_name(listed), READ, dir_fd=folder)
    except OSError:
        yield None
        return
    with closed(descriptor):
        yield descriptor if _is_whole(descriptor, listed) else None


def _is_whole(descriptor: int, listed: Entry) -> bool:
    """Read it from the volume: what that failed to take may still be in memory as if it had."""
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != listed.size or not listed.digest:
            return False
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return tree.read_digest(descriptor, listed.size) == listed.digest
    except OSError:
        return False


def _folder_or_why(top: int, path: str) -> int | OSError:
    """Open a folder, or tell what speaks against it."""
    try:
        return open_folder(top, path)
    except OSError as error:
        return error


def _made_folder(top: int, path: str, *, again: bool) -> int:
    """Open a folder below the root that may have to be made, as those above it; the caller closes it."""
    try:
        return open_folder(top, path)
    except OSError as error:
        if not path or not tree.is_no_proof(error):
            raise
    inner = open_folder(top, "")
    for name in path.split("/"):
        with closed(inner) as outer:
            try:
                inner = open_folder(outer, name)
            except OSError as error:
                if not tree.is_no_proof(error):
                    raise
                _make_folder(name, outer, again=again)
                inner = open_folder(outer, name)
    return inner


def _make_folder(name: str, folder: int, *, again: bool, takes_over: bool = False) -> bool:
    """Make a folder; False where it is there, perhaps since another process made it."""
    while True:
        try:
            os.mkdir(name, _FOLDER_OUT, dir_fd=folder)
        except FileExistsError:
            if _enter(name, folder, again=again, takes_over=takes_over):
                return False
            continue
        if permissions.inherits(folder):
            permissions.open_up(name, folder, _FOLDER_OUT)
        return True


def _enter(name: str, folder: int, *, again: bool, takes_over: bool) -> bool:
    """Let ourselves into a folder that is there; `again` what is no folder is removed.

    One that `takes_over` removes another user's folder too: not while others may have made it and fill it.
    """
    is_folder = _is_folder(name, folder)
    if not again:
        if not is_folder:
            raise errors.NameTaken(_place_of(name, folder))
        return True
    if is_folder and (
        permissions.open_up(name, folder, _FOLDER_OUT) or not (takes_over and _is_anothers_folder(folder))
    ):
        return True
    _remove(name, folder)
    return False


def _is_anothers_folder(above: int) -> bool:
    return permissions.is_anothers_folder(above, _temporary_name())


def _is_folder(name: str, folder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _make_link(entry: Entry, folder: int, *, again: bool) -> bool:
    """Make a link; return whether the volume took its times."""
    name = _name(entry)
    try:
        os.symlink(entry.target, name, dir_fd=folder)
    except FileExistsError:
        if not again:
            raise errors.NameTaken(_place_of(name, folder)) from None
        _remove(name, folder)
        os.symlink(entry.target, name, dir_fd=folder)
    except OSError as error:
        if permissions.is_refusal(error):
            raise errors.LinksNotKept(entry.path) from error
        raise
    return permissions.give_times(name, entry.mtime_ns, folder)


def _remove(name: str, folder: int) -> None:
    """Remove whatever has this name, a folder with all that is in it.

    Raises:
        errors.NotRemovable, errors.Interrupted, OSError

    """
    with closing(_Descent(folder)) as descent:
        pending = [[name]]
        while True:
            interruption.point()
            if pending[-1]:
                name = pending[-1].pop()
                with _removing(name, descent.here):
                    if _is_folder(name, descent.here):
                        pending.append(descent.enter(name))
                    else:
                        os.unlink(name, dir_fd=descent.here)
                continue
            pending.pop()
            if not pending:
                return
            name = descent.leave()
            with _removing(name, descent.here):
                os.rmdir(name, dir_fd=descent.here)


@contextmanager
def _removing(name: str, folder: int) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:  # gone already
        pass
    except OSError as error:
        if error.errno == errno.ESTALE:  # which another try may get over
            raise
        raise errors.NotRemovable(_place_of(name, folder), os.strerror(error.errno or 0)) from error


def _place_of(name: str, folder: int) -> str:
    """The path of a name in an opened folder; without /proc the name alone."""
    with suppress(OSError):
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
    return name


class _Descent:
    """The way down from a folder into those in it, of which the innermost are open: they may lie deep in each other."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._path: list[str] = []
        self._open: deque[int] = deque()

    @property
    def here(self) -> int:
        """The descriptor of the innermost folder."""
        return self._open[-1] if self._path else self._top

    def enter(self, name: str) -> list[str]:
        """Go into a folder, letting ourselves in; return the names in it."""
        permissions.open_up(name, self.here, _FOLDER_OUT)
        self._open.append(open_folder(self.here, name))
        self._path.append(name)
        if len(self._open) > _HELD:
            os.close(self._open.popleft())
        return beneath.names(self.here)

    def leave(self) -> str:
        """Go out of the innermost folder; return its name."""
        os.close(self._open.pop())
        name = self._path.pop()
        if self._path and not self._open:
            self._open.append(open_folder(self._top, "/".join(self._path)))
        return name

    def close(self) -> None:
        """Close what is open."""
        for descriptor in self._open:
            os.close(descriptor)


@contextmanager
def _no_umask() -> Iterator[None]:
    """Modes are given when a file is made, which saves a call for each."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)
