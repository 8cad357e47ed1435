"""Reads a tree: lists its entries, with or without digests of its files, or only counts them."""

import errno
import os
import stat
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from steps.files import directory, medium, reading, tally, volume, walk
from steps.files.ahead import Ahead, More
from steps.files.beneath import READ, closed
from steps.files.directory import Leaf
from steps.files.mtree import FILE, FOLDER, Entry
from steps.files.reading import Stream
from steps.files.tally import Doubt, Lost, Taken, Tally, Why
from steps.files.walk import Folder, Names, Visitor
from steps.process import interruption

_SPARSE = 1 << 20  # bytes; only larger files are searched for holes
_STAT_BLOCK = 512  # bytes; the unit of st_blocks, see stat(2)
_ALONE_S = 0.06  # enough for 5,000 files on a disk (40 ms); workers take 10 ms to start, and 5 to end


class Holes(NamedTuple):
    """Bytes of counted files that are holes and need no space."""

    size_bytes: int


def scan(
    root: Path,
    *,
    digests: bool = False,
    workers: int | None = None,
    passed_over: Collection[str] = volume.NO_CONTENT,
) -> Generator[Entry | Lost, None, None]:
    """List a tree, except the names `passed_over` at its root; with `digests`, every file is read."""
    look = partial(_Look, digests=digests, passed_over=passed_over)
    return _visit(root, look, workers, alone_s=0 if digests else _ALONE_S)


def measure(
    root: Path,
    workers: int | None = None,
    tell: Callable[[Tally], object] = lambda _so_far: None,
    passed_over: Collection[str] = volume.NO_CONTENT,
) -> Tally:
    """Count entries and bytes of a tree, except names at its root. `tell` gets the counts so far each second."""
    total = Tally()
    count = partial(_Count, passed_over=passed_over)
    for item in _visit(root, count, workers, alone_s=_ALONE_S, tick=lambda: tell(total)):
        if isinstance(item, Lost):
            total.lose(item)
        elif isinstance(item, Holes):
            total.hole_bytes += item.size_bytes
        else:
            total.add(item)
    return total


def _visit(
    root: Path,
    visitor: Callable[[int], Visitor],
    workers: int | None,
    *,
    alone_s: float,
    tick: Callable[[], object] = lambda: None,
) -> Generator[Any, None, None]:
    """Walk a tree with this number of processes; None: as many as suit its medium."""
    try:
        top = walk.open_tree(root)
    except OSError:  # a missing root is not an empty tree
        yield Lost(".", Why.UNREADABLE)
        return
    count = medium.workers(root) if workers is None else workers
    with closed(top), Ahead(partial(walk.act, visitor(top)), count, tick, alone_s=alone_s) as ahead:
        yield from ahead.stream([Folder("")])


@dataclass
class _Look:
    """The visitor that describes entries, and reads the files for their digests if asked."""

    top: int
    digests: bool
    passed_over: Collection[str]

    def folder(self, here: int, task: Folder) -> list[Any]:
        path, own = task.path, []
        if path:
            own = [directory.describe(path, os.fstat(here))]
        found = directory.leaves(here, path, self.passed_over)
        return own + walk.in_order(path, found, partial(self._take, here, path), made=lambda _name: False)

    def names(self, here: int, task: Names) -> list[Any]:
        take = partial(self._take, here, task.folder, alone=task.alone)
        return walk.in_order(task.folder, task.leaves, take, made=lambda _name: False)

    def _take(self, here: int, folder: str, leaves: Sequence[Leaf], *, alone: bool = False) -> list[Any]:
        if self.digests:
            return walk.take_each(folder, reading.streams(here, leaves), partial(self._read, here, alone=alone))
        return walk.take_each(
            folder,
            ((leaf, None) for leaf in leaves),
            lambda path, name, kind, _: directory.look(here, path, name, kind),
        )

    def _read(self, here: int, path: str, name: str, kind: str, stream: Stream, *, alone: bool) -> Taken | More:
        if kind != FILE:
            return directory.look(here, path, name, kind)
        return reading.read_by(here, name, stream, self._read_file, path, alone)

    @staticmethod
    def _read_file(stream: int, path: str, alone: bool) -> Taken | More:
        found = os.fstat(stream)
        if not stat.S_ISREG(found.st_mode):
            return Doubt(path)
        if found.st_size > reading.LARGE and not alone:
            return walk.by_itself(path)
        return directory.describe(path, found, digest=reading.read_digest(stream, found.st_size))


@dataclass
class _Count:
    """The visitor that counts files, folders, links, bytes and holes, in the order of the folders."""

    top: int
    passed_over: Collection[str]

    def folder(self, here: int, task: Folder) -> list[Any]:
        path, found = task.path, directory.found_in(here, task.path, self.passed_over)
        rest = range(walk.TOGETHER, len(found), walk.TOGETHER)
        more = [More(Names(path, found[at : at + walk.TOGETHER])) for at in rest]
        return [*self._count(here, path, found[: walk.TOGETHER]), *more]

    def names(self, here: int, task: Names) -> list[Any]:
        return self._count(here, task.folder, task.leaves)

    @staticmethod
    def _count(here: int, folder: str, leaves: Sequence[Leaf]) -> list[Any]:
        found: list[tuple[str, str, int]] = []
        items: list[Any] = []
        above = directory.join(folder, "")
        hole_bytes = 0
        for name, kind in leaves:
            path, size_bytes = above + name, 0
            if kind == FILE:
                try:
                    status = os.stat(name, dir_fd=here, follow_symlinks=False)
                except OSError as error:
                    items.append(walk.doubted(path, error))
                    continue
                size_bytes = status.st_size
                if size_bytes > _SPARSE and status.st_blocks * _STAT_BLOCK < size_bytes:
                    hole_bytes += _hole_bytes(here, name, size_bytes)
            elif kind == FOLDER:
                items.append(More(Folder(path)))
            elif not kind:
                items.append(Doubt(path))
                continue
            found.append((path, kind, size_bytes))
        return [tally.summed(found), *([Holes(hole_bytes)] if hole_bytes else []), *items]


def _hole_bytes(here: int, name: str, size_bytes: int) -> int:
    """Bytes of a file that are holes, 0 if the file system does not say.

    The number of blocks is not enough: data take fewer blocks if the file system compresses, and more on others.
    """
    try:
        with closed(os.open(name, READ, dir_fd=here)) as stream:
            return max(size_bytes - _data_bytes(stream), 0)
    except OSError:
        return 0


def _data_bytes(stream: int) -> int:
    """Bytes of a file that are not holes.

    Raises:
        OSError: the file system does not support this, or contradicts itself.

    """
    total = end = 0
    while True:
        interruption.point()
        try:
            start = os.lseek(stream, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # no more data
                return total
            raise
        before, end = end, os.lseek(stream, start, os.SEEK_HOLE)
        if not before <= start < end:
            raise OSError(errno.EINVAL, "data without an end")
        total += end - start
