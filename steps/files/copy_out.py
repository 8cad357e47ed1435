"""Copies a live file tree out, with the digests of its files, in one pass and by several processes.

The listing has every entry as it was. The copy has more permissions, so that another UID of the group can read and
replace it.

A repetition resumes an interrupted copy. A file that an earlier listing names is read once, and kept if it has the
listed digest. All other entries are recreated. So are files of another user, whose modes and times can't be set. Any
other run removes nothing from the target: existing entries were made by a twin worker.

By hand: shutil.copytree and dirsync use paths, whose folders may become links meanwhile, and give no digests of the
copied files. sysrsync runs rsync, which is not in the image. None keeps the files that an earlier listing names.

A name that only the listing of its folder shows is set aside, and looked for again when all other entries are copied.

Tried and not taken, one file of 512 MiB from a warm cache with its sync, medians of 7 beside 0.96 s: `copy_file_range`
beside hashing 1.07 s (and not from one file system to another), `sendfile` beside hashing 0.98 s (what is written would
not be what was hashed), preallocation 0.92 s, blocks of 1 MiB 0.96 s, all within the noise; hashing in a thread 0.81 s,
for which several workers leave no processor. `sync_file_range` after each file: 0.74 s beside 0.61 s for 5,000 files.
`O_NOATIME`: 30,000 files read in 0.12 s beside 0.13 s, the first time, and a pod mounts them read-only.
"""

import os
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from steps.files import directory, making, mtree, permissions, reading, removal, tally, volume, walk
from steps.files.ahead import Ahead, More
from steps.files.beneath import closed, open_folder
from steps.files.directory import Leaf, join
from steps.files.giving import EXECUTE, GROUP_READ, Giver
from steps.files.making import READS
from steps.files.meter import Meter, Work
from steps.files.mtree import FILE, FOLDER, LINK, Entry
from steps.files.reading import Stream
from steps.files.removal import FOLDER_OUT
from steps.files.tally import Doubt, Grew, Listed, Lost, Taken, Why
from steps.files.walk import Folder, Left, Names
from steps.process import interruption

_PATIENCE_S = 60.0  # since a name that only listings show was last found: NFS caches names so long (acdirmax, nfs(5))
_PAUSE_S = 1.0  # between two looks for such names
_USER_AND_GROUP_READ = 0o640
_USER_AND_GROUP_EXECUTE = 0o110


def copy(
    source: Path,
    target: Path,
    work: Work,
    known: Path | None = None,
    passed_over: Collection[str] = volume.NO_CONTENT,
    *,
    again: bool = False,
) -> Iterator[Listed | Lost | Grew]:
    """Copy a live tree into a folder; yield the lines of its listing: entries as they were, files with their digest.

    `known` is an earlier listing. It makes this a repetition, as `again` does: entries of the target that are not in
    the source are removed.
    `passed_over` are names at the source's root that are skipped. Lines of a later round, of names that were set aside,
    are in order among themselves.

    Raises:
        errors.VolumeFull and others of `volume.failures` for the target, errors.Interrupted

    """
    try:
        here = walk.open_tree(source)
    except OSError:  # a missing root is not an empty tree
        yield Lost(".", Why.UNREADABLE)
        return
    with closed(here), making.no_umask(), removal.opened_root(target) as there:
        out = _Out(here, there, target, work.meter, known)
        out.passed_over = passed_over
        out.again = again or known is not None
        with Ahead(out.act, work.workers, work.tick, out.meter.enter) as ahead:
            aside: list[Doubt] = []
            yield from _passed(ahead, [Folder("")], aside)
            yield from _found_later(ahead, aside)


def _passed(ahead: Ahead[Any], tasks: Iterable[Any], aside: list[Doubt]) -> Iterator[Listed | Lost | Grew]:
    """Pass on the answers of tasks, except for names that are set aside."""
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
    """Look again for all names that were set aside, until none was found for a minute."""
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


class Aside(NamedTuple):
    """A task: names that only the listing of their folder shows, to look for again."""

    folder: str
    doubts: list[Doubt]


class _Read(NamedTuple):
    """A file that changed while it was read: its status when it was opened, and the digest of that many bytes."""

    found: os.stat_result
    sha256: str

    def is_begun_by(self, later: os.stat_result) -> bool:
        """Whether a later status may be of the same file, grown."""
        same = (self.found.st_dev, self.found.st_ino) == (later.st_dev, later.st_ino)
        return same and bool(self.sha256) and self.found.st_size <= later.st_size


class _Out(Giver):
    """The visitor that copies a live tree."""

    passed_over: Collection[str] = volume.NO_CONTENT  # at the source's root

    def __init__(self, here: int, there: int, target: Path, meter: Meter, known: Path | None) -> None:
        super().__init__(target, meter, GROUP_READ)
        self.top = here
        self._there = there
        self._known = known
        self.again = known is not None
        self._grew: list[str] = []

    def act(self, task: Folder | Names | Left | Aside) -> list[Any]:
        if isinstance(task, Left):
            with making.target_folder(self._there, task.folder.path, self.target) as there:
                self._settle(there, task.folder)
            return []
        self._grew.clear()
        items = walk.look_again(self, task.doubts) if isinstance(task, Aside) else walk.act(self, task)
        for item in items:
            if isinstance(item, Lost) and item.path != ".":
                self._drop(item.path)
        if isinstance(task, Aside):
            items += self._left(task.folder)
        return [*tally.as_lines(items), *map(Grew, self._grew)]

    def folder(self, here: int, task: Folder) -> list[Any]:
        """Copy an opened folder. Its folders are created but not copied."""
        found = directory.describe(task.path, os.fstat(here))
        leaves = directory.leaves(here, task.path, self.passed_over)
        with (
            making.target_folder(self._there, task.path, self.target) as there,
            volume.failures(self.target, task.path),
        ):
            if self.again and not task.made:
                removal.keep(there, {*(leaf.name for leaf in leaves), *(() if task.path else volume.NO_CONTENT)})
            items = self._in_order(here, there, Names(task.path, leaves))
            if not task.path:
                return items
            if any(_comes_later(item) for item in items):
                return [found, *items, Left(found)]
            self._settle(there, found)
            return [found, *items]

    def names(self, here: int, task: Names) -> list[Any]:
        """Copy some names of a folder, opened."""
        with making.target_folder(self._there, task.folder, self.target) as there:
            for leaf in task.leaves if task.looks else ():
                if leaf.kind != FOLDER:
                    _remove_made(leaf.name, there)
            return self._in_order(here, there, task)

    def _in_order(self, here: int, there: int, task: Names) -> list[Any]:
        self.enter_folder()
        take = partial(self._take, here, there, task.folder, alone=task.alone)
        return walk.in_order(task.folder, task.leaves, take, made=partial(self._make_folder, there, task.folder))

    def _make_folder(self, there: int, folder: str, name: str) -> bool:
        with volume.failures(self.target, join(folder, name)):
            return making.make_folder(name, there, again=self.again, takes_over=True)

    def _drop(self, path: str) -> None:
        """Remove the copy of an entry that is not listed: a folder made for it, or the rest of an earlier run."""
        above, _, name = path.rpartition("/")
        with (
            making.target_folder(self._there, above, self.target) as there,
            volume.failures(self.target, path),
            suppress(FileNotFoundError),
        ):
            if self.again:
                removal.remove(name, there)
            else:
                _remove_made(name, there)

    def _left(self, path: str) -> list[Left]:
        """Settle a folder again; nothing if it can't be read any more."""
        try:
            with closed(open_folder(self.top, path)) as here:
                return [Left(directory.describe(path, os.fstat(here)))] if path else []
        except OSError:
            return []

    def _settle(self, there: int, folder: Entry) -> None:
        with volume.failures(self.target, folder.path):
            kept = os.fstat(there).st_mode & stat.S_ISGID  # with it later files get the volume's group
            self.give(there, folder.path, (folder.mode & 0o777) | FOLDER_OUT | kept, folder.mtime_ns)
        self.meter.add(entries=1)

    def _take(self, here: int, there: int, folder: str, leaves: Sequence[Leaf], *, alone: bool = False) -> list[Any]:
        known = self._find(folder, leaves)

        def take(path: str, name: str, kind: str, stream: Stream) -> Taken | More:
            if kind == FILE:
                return self._copy_file((here, there), path, name, stream, known.get(name), alone=alone)
            return self._copy_link(here, there, path) if kind == LINK else Doubt(path)

        return walk.take_each(folder, reading.streams(here, leaves, known), take)

    def _find(self, folder: str, leaves: Sequence[Leaf]) -> Mapping[str, Entry]:
        """The entries of an earlier listing for some names; none if the listing can't be read."""
        if self._known is None:
            return {}
        try:
            return mtree.find(self._known, folder, [leaf.name for leaf in leaves])
        except (OSError, ValueError):
            return {}

    def _copy_link(self, here: int, there: int, path: str) -> Taken:
        entry = directory.look(here, path, path.rpartition("/")[2], LINK)
        if isinstance(entry, Entry):
            with volume.failures(self.target, path):
                if not making.make_link(entry, there, again=self.again):
                    self.meter.note(times=True)
            self.meter.add(entries=1)
        return entry

    def _copy_file(
        self, folders: tuple[int, int], path: str, name: str, stream: Stream, known: Entry | None, *, alone: bool
    ) -> Taken | More:
        """Copy one file of the live tree, and copy it again while it changes, three times at most."""
        here, there = folders
        earlier: _Read | None = None
        for _ in range(READS):
            taken = reading.read_by(here, name, stream, self._read_file, (path, name, there), known, alone, earlier)
            if not isinstance(taken, _Read):
                return taken
            earlier, stream = taken, None
        return Lost(path, Why.CHANGING)

    def _read_file(
        self, stream: int, to: tuple[str, str, int], known: Entry | None, alone: bool, earlier: _Read | None
    ) -> Taken | More | _Read:
        """Copy one file of the live tree, or the earlier part of a file that only grows; not one that changed."""
        path, name, there = to
        before = os.fstat(stream)
        if not stat.S_ISREG(before.st_mode):
            return Doubt(path)
        if before.st_size > reading.LARGE and not alone:
            return walk.by_itself(path)
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
        return taken if taken is not known else directory.describe(path, before, digest=known.digest)

    def _is_kept(self, path: str, found: os.stat_result, known: Entry, there: int) -> bool:
        """Keep the copy of an earlier run, if its content is as listed and the source is unchanged."""
        if (known.size, known.mtime_ns) != (found.st_size, found.st_mtime_ns):
            return False
        with volume.failures(self.target, path), making.whole(known, there) as copy:
            if copy is None or not self.give_found(copy, there, path, _wide_out(found.st_mode), found.st_mtime_ns):
                return False
        self.meter.add(size_bytes=found.st_size)
        return True

    def _copy(
        self, stream: int, to: tuple[str, str, int], before: os.stat_result, earlier: _Read | None
    ) -> Entry | _Read:
        """Write what is read, or the part that existed at an earlier open of a file that only grows."""
        path, name, there = to
        where, mode = (self.target, path), _wide_out(before.st_mode)
        with making.new_file(name, there, mode, where, again=self.again) as copy:
            read = making.pour(
                stream, copy, before.st_size, where, self.meter, earlier.found.st_size if earlier else -1
            )
            after = os.fstat(stream)
            grew = earlier and read.begin == earlier.sha256 and after.st_size > earlier.found.st_size
            with volume.failures(*where):
                if _is_unchanged(before, after) and not read.more and read.size == before.st_size:
                    entry = directory.describe(path, after, digest=read.sha256)
                elif earlier and grew:
                    os.ftruncate(copy, earlier.found.st_size)
                    entry = directory.describe(path, earlier.found, digest=earlier.sha256)
                    self._grew.append(path)
                else:
                    return _Read(before, read.sha256 if read.size == before.st_size else "")
                if self.gives_acl(there) or stat.S_IMODE(os.fstat(copy).st_mode) != mode:
                    self.give_mode(copy, path, mode)
                if not permissions.give_times(copy, entry.mtime_ns):
                    self.meter.note(times=True)
        return entry


def _remove_made(name: str, folder: int) -> None:
    """Remove an empty folder that was made for an entry that is not a folder. Anything else belongs to a twin."""
    with suppress(OSError):
        os.rmdir(name, dir_fd=folder)


def _comes_later(item: Any) -> bool:
    """Whether more entries of a folder are written after its own task has ended."""
    return isinstance(item, Doubt) or (isinstance(item, More) and isinstance(item.task, Names))


def _is_unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def _wide_out(mode: int) -> int:
    return (mode & 0o777) | _USER_AND_GROUP_READ | (_USER_AND_GROUP_EXECUTE if mode & EXECUTE else 0)
