"""A file tree as a stream of entries in one stable order: each folder before its content, names by their bytes.

The main thread goes from folder to folder; what lies in them is looked at by several threads, a few names at a time, so
that a network volume's answers are waited for side by side. Everything is reached from a descriptor of its folder: a
path may be longer than the system takes, and a name costs one look-up. What a look does with an entry (note it, read
it, copy it) is the visitor's.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol

from steps import volume
from steps.ahead import Ahead, ready
from steps.mtree import FILE, FOLDER, LINK, Entry

BLOCK = 1 << 20
WORKERS = 8  # they wait more than they compute: twice the cores or more, whatever the medium
LARGE = 4 << 20  # files above this size are tasks of their own
TOGETHER = 64  # names in one task: threads that meet in one folder wait for each other, 16 took a third longer
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PATH_BYTES = 4000  # less than PATH_MAX
_KINDS = {stat.S_IFREG: FILE, stat.S_IFDIR: FOLDER, stat.S_IFLNK: LINK}


class Why(Enum):
    """Why an entry of a tree is none of its stream."""

    VANISHED = "vanished"
    SPECIAL = "special"  # a socket, FIFO or device
    UNREADABLE = "unreadable"
    CHANGING = "changing"


_REASONS = {Why.SPECIAL: "is a socket, FIFO or device", Why.UNREADABLE: "can't be read"}


class Lost(NamedTuple):
    """An entry that could not be taken."""

    path: str
    why: Why


class Leaf(NamedTuple):
    """A name in a folder that is no folder, and what kind the folder says it is; empty for a special file."""

    name: str
    kind: str


class Left(NamedTuple):
    """Everything in a folder has been taken."""

    folder: Entry


Taken = Entry | Lost
Pending = Entry | Lost | Left | Future[Taken]  # a long one may be given to another thread


@dataclass
class Tally:
    """What lies in a tree, in counts and names; sizes in bytes."""

    files: int = 0
    folders: int = 0
    links: int = 0
    size_bytes: int = 0
    vanished: int = 0
    special: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    changing: list[str] = field(default_factory=list)

    @property
    def entries(self) -> int:
        """All of them."""
        return self.files + self.folders + self.links

    def count(self, entry: Entry) -> None:
        """Count one entry by its kind."""
        self.files += entry.kind == FILE
        self.folders += entry.kind == FOLDER
        self.links += entry.kind == LINK
        self.size_bytes += entry.size

    def lose(self, lost: Lost) -> None:
        """Note an entry that could not be taken."""
        if lost.why is Why.VANISHED:
            self.vanished += 1
        else:
            {Why.SPECIAL: self.special, Why.UNREADABLE: self.unreadable, Why.CHANGING: self.changing}[lost.why].append(
                lost.path
            )

    def kept(self, taken: Iterable[Taken]) -> Iterator[Entry]:
        """Pass the entries on, counted, and note the others."""
        for item in taken:
            if isinstance(item, Lost):
                self.lose(item)
            else:
                self.count(item)
                yield item


class Visitor(Protocol):
    """What is done with the entries of a tree."""

    def enter(self, folder: Entry, names: Sequence[Leaf]) -> None:
        """Called in the order of the stream, before what lies in a folder; for the root too, whose path is empty."""

    def task(self, folder: str, leaves: Sequence[Leaf]) -> Callable[[], list[Pending]]:
        """Called in the order of the stream; what it returns runs in any thread, and answers for each of the names."""

    def leave(self, folder: Entry) -> None:
        """Called when everything in a folder has been taken."""


def walk(top: int, visitor: Visitor, ahead: Ahead) -> Iterator[Taken]:
    """Show the tree below a descriptor to a visitor, and yield what it took, in the one order.

    `lost+found` at the top is left out.
    """
    for items in ahead.in_order(_start(top, visitor, ahead)):
        for item in items:
            if isinstance(item, Left):
                visitor.leave(item.folder)
            else:
                yield ahead.result(item) if isinstance(item, Future) else item


def scan(root: Path, *, digests: bool = False, workers: int = WORKERS) -> Iterator[Taken]:
    """List a tree; files without their digests, unless these are asked for."""
    try:
        top = open_root(root)
    except OSError:  # a root that is not there is no empty tree
        yield Lost(".", Why.UNREADABLE)
        return
    try:
        with Ahead(workers) as ahead:
            yield from walk(top, _Look(top, ahead, digests), ahead)
    finally:
        os.close(top)


def measure(root: Path, workers: int = WORKERS) -> Tally:
    """Count a tree's entries and bytes."""
    tally = Tally()
    for _ in tally.kept(scan(root, workers=workers)):
        pass
    return tally


def compare(entries: Iterable[Entry], root: Path, *, digests: bool, workers: int = WORKERS) -> Iterator[str]:
    """Hold a tree against its listing: names, kinds, sizes, links' targets, and the digests if asked for.

    Yields a finding an entry that is missing, extra or differs; both are read in the one order, nothing is kept.
    """
    found = (item for item in scan(root, digests=digests, workers=workers) if not _has_vanished(item))
    actual = next(found, None)
    for listed in entries:
        while actual and order(actual) < order(listed):
            yield _stray(actual)
            actual = next(found, None)
        if actual is None or order(actual) != order(listed):
            yield f"{listed.path!r} is missing"
            continue
        if difference := _difference(listed, actual):
            yield f"{listed.path!r} {difference}"
        actual = next(found, None)
    while actual:
        yield _stray(actual)
        actual = next(found, None)


def digest(path: Path) -> tuple[int, str]:
    """A file's size in bytes and its SHA-256."""
    size, sha256 = 0, hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK):
            size += len(block)
            sha256.update(block)
    return size, sha256.hexdigest()


def order(item: Taken) -> tuple[bytes, ...]:
    """The place of an entry in the one order, to compare with."""
    return place(item.path)


def place(path: str) -> tuple[bytes, ...]:
    """The place of a path in the one order."""
    return tuple(os.fsencode(path).split(b"/"))


def join(folder: str, name: str) -> str:
    """The path of a name in a folder; the root's is empty."""
    return f"{folder}/{name}" if folder else name


def open_root(root: Path) -> int:
    """Open the root of a tree; the caller closes it."""
    return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextmanager
def folder_of(top: int, path: str) -> Iterator[int]:
    """A descriptor of a folder below the root, however long its path.

    Raises:
        OSError: it is not there, is no folder or may not be opened.

    """
    descriptor = open_folder(top, path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_folder(top: int, path: str) -> int:
    """Open a folder below the root, however long its path; the caller closes it."""
    raw = os.fsencode(path)
    if len(raw) <= _PATH_BYTES:
        return os.open(raw or b".", _OPEN_FOLDER, dir_fd=top)
    cut = raw.rindex(b"/", 0, _PATH_BYTES)
    nearer = os.open(raw[:cut], _OPEN_FOLDER, dir_fd=top)
    try:
        return open_folder(nearer, os.fsdecode(raw[cut + 1 :]))
    finally:
        os.close(nearer)


def _start(top: int, visitor: Visitor, ahead: Ahead) -> Iterator[Future[list[Pending]]]:
    """Go from folder to folder, and give the names in them to threads."""
    found = _look_at_folder(top, "")
    if isinstance(found, Lost):
        yield ready([Lost(".", Why.UNREADABLE)])
        return
    visitor.enter(*found)
    stack = [(found[0], _groups(found[1]))]
    while stack:
        folder, groups = stack[-1]
        group = next(groups, None)
        if group is None:
            stack.pop()
            if folder.path:
                yield ready([Left(folder)])
        elif group[0].kind != FOLDER:
            yield ahead.start(visitor.task(folder.path, group))
        else:
            found = _look_at_folder(top, join(folder.path, group[0].name))
            if isinstance(found, Lost):
                yield ready([found])
                continue
            visitor.enter(*found)
            yield ready([found[0]])
            stack.append((found[0], _groups(found[1])))


def _look_at_folder(top: int, path: str) -> tuple[Entry, list[Leaf]] | Lost:
    try:
        with folder_of(top, path) as descriptor:
            entry = describe(path, os.fstat(descriptor))
            with os.scandir(descriptor) as names:
                found = [Leaf(item.name, _kind(item)) for item in names]
    except (FileNotFoundError, NotADirectoryError):
        return Lost(path, Why.VANISHED)
    except OSError:
        return Lost(path, Why.UNREADABLE)
    if not path:
        found = [leaf for leaf in found if leaf.name != volume.LOST_AND_FOUND]
    return entry, sorted(found, key=lambda leaf: os.fsencode(leaf.name))


def _kind(item: os.DirEntry[str]) -> str:
    """As the folder says, which costs nothing on most file systems."""
    if item.is_dir(follow_symlinks=False):
        return FOLDER
    if item.is_symlink():
        return LINK
    return FILE if item.is_file(follow_symlinks=False) else ""


def _groups(leaves: list[Leaf]) -> Iterator[list[Leaf]]:
    """Cut a folder's names, in their order, into tasks: one folder, or some names that are none."""
    for is_folder, run in groupby(leaves, key=lambda leaf: leaf.kind == FOLDER):
        names = list(run)
        size = 1 if is_folder else TOGETHER
        yield from (names[start : start + size] for start in range(0, len(names), size))


def describe(path: str, found: os.stat_result, **more: str) -> Entry:
    """Write what was found of a file, folder or link as an entry."""
    kind = _KINDS[stat.S_IFMT(found.st_mode)]
    size = found.st_size if kind == FILE else 0
    return Entry(path, kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime_ns, size, **more)


@dataclass(frozen=True)
class _Look:
    """The visitor that only looks, and reads the files if digests are asked for."""

    top: int
    ahead: Ahead
    digests: bool

    def enter(self, folder: Entry, names: Sequence[Leaf]) -> None:
        pass

    def leave(self, folder: Entry) -> None:
        pass

    def task(self, folder: str, leaves: Sequence[Leaf]) -> Callable[[], list[Pending]]:
        return partial(take_each, self.top, folder, leaves, self._look)

    def _look(self, folder: int, path: str, name: str) -> Pending:
        self.ahead.point()
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "")
        if kind == FILE and self.digests:
            long = found.st_size > LARGE
            return self.ahead.start(partial(self._read_alone, path)) if long else self._read(folder, path, name)
        if kind == LINK:
            return describe(path, found, target=os.readlink(name, dir_fd=folder))
        return describe(path, found) if kind else Lost(path, Why.SPECIAL)

    def _read_alone(self, path: str) -> Taken:
        folder, _, name = path.rpartition("/")
        (found,) = take_each(self.top, folder, [Leaf(name, FILE)], self._read)
        return only(found)

    def _read(self, folder: int, path: str, name: str) -> Taken:
        descriptor = os.open(name, READ, dir_fd=folder)
        try:
            return describe(path, os.fstat(descriptor), digest=read_digest(descriptor, self.ahead))
        finally:
            os.close(descriptor)


def only(item: Pending) -> Taken:
    """What a task of its own took; it gives nothing to another thread."""
    if not isinstance(item, Entry | Lost):
        raise TypeError(item)
    return item


def take_each(top: int, folder: str, leaves: Sequence[Leaf], take: Callable[[int, str, str], Pending]) -> list[Pending]:
    """Take some names of a folder by its descriptor; what the system refuses to show is lost."""
    try:
        with folder_of(top, folder) as descriptor:
            return [_take_one(descriptor, join(folder, leaf.name), leaf.name, take) for leaf in leaves]
    except OSError as error:
        return [_lost(join(folder, leaf.name), error) for leaf in leaves]


def _take_one(folder: int, path: str, name: str, take: Callable[[int, str, str], Pending]) -> Pending:
    try:
        return take(folder, path, name)
    except OSError as error:
        return _lost(path, error)


def _lost(path: str, error: OSError) -> Lost:
    return Lost(path, Why.VANISHED if error.errno in {errno.ENOENT, errno.ENOTDIR} else Why.UNREADABLE)


def read_digest(descriptor: int, ahead: Ahead) -> str:
    """Read a file to its end and return its SHA-256."""
    sha256 = hashlib.sha256()
    while block := os.read(descriptor, BLOCK):
        ahead.point()
        sha256.update(block)
    return sha256.hexdigest()


def _has_vanished(item: Taken) -> bool:
    return isinstance(item, Lost) and item.why is Why.VANISHED


def _stray(actual: Taken) -> str:
    return f"{actual.path!r} {_REASONS[actual.why] if isinstance(actual, Lost) else 'is not listed'}"


def _difference(listed: Entry, actual: Taken) -> str:
    if isinstance(actual, Lost):
        return _REASONS[actual.why]
    if listed.kind != actual.kind:
        return f"is a {actual.kind}, listed as {listed.kind}"
    if listed.size != actual.size:
        return f"has {actual.size} bytes, listed with {listed.size}"
    if listed.target != actual.target:
        return "points elsewhere than listed"
    if listed.digest and actual.digest and listed.digest != actual.digest:
        return "has other bytes than listed"
    return ""
