"""A file tree as a stream of entries in one stable order: each folder before its content, names by their bytes.

A worker takes a folder at a time, with the names in it that are no folders, and answers what other folders there are.
Everything is reached from a descriptor of its folder: a path may be longer than the system takes, and a name costs one
look-up. What is done with an entry (note it, read it, copy it) is the visitor's.

An errno proves nothing. NFS and GlusterFS answer ENOENT, ENOTDIR, ELOOP, ENXIO or ESTALE for what is there
(nfs-ganesha#341, glusterfs#2574 and #3436). So an entry has vanished only when a second look, in its folder opened
anew, finds the name neither by itself nor in the listing.
"""

import errno
import functools
import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Collection, Container, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from steps import errors, interruption, medium, mtree, volume
from steps.ahead import Ahead, More
from steps.beneath import READ, closed, open_folder, open_root, unlisted
from steps.errors import Few
from steps.mtree import FILE, FOLDER, LINK, Entry, place

BLOCK = 256 << 10  # fits a processor's own cache; a new buffer of 1 MiB for each read took twice as long
_SPARSE = 1 << 20  # files above this size may have holes worth a look
_STAT_BLOCK = 512  # bytes; what st_blocks counts in, see stat(2)
LARGE = 4 << 20  # files above this size are tasks of their own
TOGETHER = 128  # names in one task
_OPEN_AHEAD = 16  # files that the system reads while one is taken: half the time from a cold cache, with 8 workers
_LOOKS = 3  # at what was there and could not be opened
_ALONE_S = 0.06  # to look at 5,000 files of a disk, which takes 40 ms; others would be ready after 10, and end after 5
_NO_PROOF = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.EINVAL}
)  # what the system answers for a name that is gone or has become something else, and network volumes at other times
_KINDS = {stat.S_IFREG: FILE, stat.S_IFDIR: FOLDER, stat.S_IFLNK: LINK}


class Why(Enum):
    """Why an entry of a tree is none of its stream."""

    VANISHED = "vanished"
    HIDDEN = "hidden"  # its folder lists it, and nothing else finds it: NFS keeps the name of what is gone for a while
    SPECIAL = "special"  # a socket, FIFO or device
    UNREADABLE = "unreadable"
    CHANGING = "changing"


_REASONS = {
    Why.SPECIAL: "is a socket, FIFO or device",
    Why.UNREADABLE: "can't be read",
    Why.HIDDEN: "is listed in its folder and can't be found",
}
_OTHER_BYTES = "has other bytes than listed"


class Lost(NamedTuple):
    """An entry that could not be taken; `gone`: the outermost folder that vanished with it, or is hidden."""

    path: str
    why: Why
    gone: str = ""

    @property
    def name(self) -> str:
        """What to call it: the folder that vanished, with a slash, or the entry."""
        return f"{self.gone}/" if self.gone else self.path


class Doubt(NamedTuple):
    """An entry that could not be taken, and may be there: a second look decides."""

    path: str
    is_folder: bool = False


class Leaf(NamedTuple):
    """A name in a folder, and what kind the folder says it is; empty where it says another one, or nothing."""

    name: str
    kind: str


class Folder(NamedTuple):
    """A task: a folder with what lies in it; `made`: by the one above; `looks`: how often it was looked at before."""

    path: str
    made: bool = False
    looks: int = 0


class Names(NamedTuple):
    """A task: more names of a folder than were taken with it, or one that is `alone` because it is large."""

    folder: str
    leaves: Sequence[Leaf]
    alone: bool = False
    looks: int = 0


class Holes(NamedTuple):
    """So many bytes of files that were counted are holes, which need no room."""

    size_bytes: int


class Left(NamedTuple):
    """Everything in a folder has been taken, which could not be seen to when the folder itself was."""

    folder: Entry


class Listed(NamedTuple):
    """Entries that were taken, as lines of a listing, and what they add up to."""

    lines: str
    sums: "Sums"
    shared: int
    visible: bool  # any of them does not lie under a dot-name at the top
    round: int = 0  # 0: in the one order; entries of each later round are in order among themselves


class Grew(NamedTuple):
    """A file that grew while it was read: it was taken as it was at first."""

    path: str


Named = tuple[str, str]  # as a Leaf, which takes longer to make
Taken = Entry | Lost | Doubt
Sums = tuple[int, int, int, int, int]  # of a Tally: files, folders, links, bytes, fingerprint
Task = Folder | Names
Read = TypeVar("Read")
Of = TypeVar("Of")
Stream = int | OSError | None  # a file that was opened, or why not; None for what is no file
Take = Callable[[str, str, str, Stream], Taken | More]  # of a path, its name and its kind


@dataclass
class Tally:
    """What lies in a tree, in counts and names; sizes in bytes."""

    files: int = 0
    folders: int = 0
    links: int = 0
    size_bytes: int = 0
    fingerprint: int = 0  # of all paths, kinds and sizes, in no order; equal only within a process and its workers
    hole_bytes: int = 0  # of the size; none of what is compared, because a copy may have others
    shared: int = 0  # files of several names, once for each
    special: list[str] = field(default_factory=list)
    unreadable: Few = field(default_factory=Few)
    changing: Few = field(default_factory=Few)
    grew: Few = field(default_factory=Few)
    gone: set[str] = field(default_factory=set)  # names of what vanished, those of folders with a slash
    notes: list[str] = field(
        default_factory=list, compare=False
    )  # sentences for the evidence: what was left out, and why

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Tally":
        """Count the entries of a listing."""
        tally = cls()
        tally.add(_summed([(entry.path, entry.kind, entry.size) for entry in entries]))
        tally.shared = sum(entry.kind == FILE and entry.names > 1 for entry in entries)
        return tally

    @property
    def entries(self) -> int:
        """All of them."""
        return self.files + self.folders + self.links

    @property
    def vanished(self) -> Few:
        """What vanished; a folder stands for all that lay in it."""
        outermost, folder = Few(), "/"
        for name in sorted(self.gone, key=place):
            if not name.startswith(folder):
                outermost.append(name)
                folder = name if name.endswith("/") else folder
        return outermost

    @property
    def data_bytes(self) -> int:
        """What needs room: the size without the holes."""
        return max(self.size_bytes - self.hole_bytes, 0)

    @property
    def sums(self) -> Sums:
        """What can be added up and compared."""
        return self.files, self.folders, self.links, self.size_bytes, self.fingerprint

    def add(self, sums: Sums) -> None:
        """Add what was counted elsewhere."""
        files, folders, links, size_bytes, fingerprint = sums
        self.files += files
        self.folders += folders
        self.links += links
        self.size_bytes += size_bytes
        self.fingerprint ^= fingerprint

    def count(self, entry: Entry) -> None:
        """Count one entry of a listing."""
        self.add(_summed([(entry.path, entry.kind, entry.size)]))
        self.shared += entry.kind == FILE and entry.names > 1

    def lose(self, lost: Lost) -> None:
        """Note an entry that could not be taken."""
        if lost.why is Why.VANISHED:
            self.gone.add(lost.name)
        elif lost.why is Why.SPECIAL:
            self.special.append(lost.path)
        else:
            (self.changing if lost.why is Why.CHANGING else self.unreadable).append(lost.path)

    def listed(self, taken: Iterable[Lost | Grew | Listed]) -> Iterator[Listed]:
        """Pass the lines on, counted, and note the others."""
        for item in taken:
            if isinstance(item, Lost):
                self.lose(item)
            elif isinstance(item, Grew):
                self.grew.append(item.path)
            else:
                self.add(item.sums)
                self.shared += item.shared
                yield item

    def kept(self, taken: Iterable[Entry | Lost]) -> Iterator[Entry]:
        """Pass the entries on, counted, and note the others."""
        for item in taken:
            if isinstance(item, Lost):
                self.lose(item)
            else:
                self.count(item)
                yield item


def _summed(found: Iterable[tuple[str, str, int]]) -> Sums:
    """Add up entries by their path, kind and size: in one loop, because it is done for each."""
    files = folders = links = size_bytes = fingerprint = 0
    for each in found:
        _, kind, size = each
        fingerprint ^= hash(each)
        if kind == FILE:
            files += 1
            size_bytes += size
        elif kind == FOLDER:
            folders += 1
        else:
            links += 1
    return files, folders, links, size_bytes, fingerprint


def told(items: Iterable[Any]) -> Iterator[Any]:
    """Tell entries that follow each other as lines: to write them is for the workers, and cheaper to hand on."""
    for is_entry, run in groupby(items, key=lambda item: isinstance(item, Entry)):
        if is_entry:
            entries = list(run)
            tally = Tally.of(entries)
            visible = not all(entry.path.startswith(".") for entry in entries)
            yield Listed("".join(map(mtree.line, entries)), tally.sums, tally.shared, visible)
        else:
            yield from run


class Visitor(Protocol):
    """What is done with the entries of a tree, in the workers."""

    top: int  # a descriptor of the tree's root

    def folder(self, here: int, task: Folder) -> list[Any]:
        """Take a folder, opened; the root's path is empty. Raises OSError where it can't be read."""

    def names(self, here: int, task: Names) -> list[Any]:
        """Take some names of a folder, opened."""


def act(visitor: Visitor, task: Task) -> list[Any]:
    """Do a task of a walk; what could not be taken gets a second look."""
    try:
        items = _act(visitor, task)
    except OSError as error:
        if isinstance(task, Folder) and not task.path and is_no_proof(error) and task.looks < _LOOKS:
            return act(visitor, task._replace(looks=task.looks + 1))
        items = _doubt_task(task, error)
    return _decided(visitor, items, looks=task.looks, alone=isinstance(task, Names) and task.alone)


def look_again(visitor: Visitor, doubts: Sequence[Doubt]) -> list[Any]:
    """Take entries of one folder that were set aside, by what they are now."""
    return _decided(visitor, doubts, looks=0, alone=False)


def _act(visitor: Visitor, task: Task) -> list[Any]:
    with closed(open_folder(visitor.top, task.path if isinstance(task, Folder) else task.folder)) as here:
        return visitor.folder(here, task) if isinstance(task, Folder) else visitor.names(here, task)


def _doubt_task(task: Task, error: OSError) -> list[Any]:
    if isinstance(task, Folder):
        return [doubted(task.path, error, is_folder=True)]
    return [doubted(join(task.folder, leaf.name), error) for leaf in task.leaves]


def doubted(path: str, error: OSError, *, is_folder: bool = False) -> Doubt | Lost:
    """Tell what may have vanished from what can't be read; the root is never gone."""
    if path and error.errno in _NO_PROOF:
        return Doubt(path, is_folder)
    return Lost(path or ".", Why.UNREADABLE)


def is_no_proof(error: OSError) -> bool:
    """Whether an error may mean that a name is gone, and on a network volume need not."""
    return error.errno in _NO_PROOF


# --- the second look ---


def _decided(visitor: Visitor, items: Sequence[Any], *, looks: int, alone: bool) -> list[Any]:
    """Put in the place of each doubt what came of it; all doubts of a task lie in one folder."""
    while doubts := [item for item in items if isinstance(item, Doubt)]:
        looks += 1
        answers = iter(_second_look(visitor, doubts, looks, alone=alone))
        items = [each for item in items for each in (next(answers) if isinstance(item, Doubt) else (item,))]
    return list(items)


def _second_look(visitor: Visitor, doubts: Sequence[Doubt], looks: int, *, alone: bool) -> list[list[Any]]:
    """Open the folder anew, and take each entry as what it is now; the third time what is there can't be read."""
    folder = doubts[0].path.rpartition("/")[0]
    here = _reached(visitor.top, folder)
    if isinstance(here, Lost):
        return [[Lost(each.path, here.why, here.gone)] for each in doubts]
    answers: list[list[Any]] = []
    with closed(here):
        listed = functools.cache(partial(_names, here))
        for path, is_folder in doubts:
            name = path.rpartition("/")[2]
            seen = _seen(here, name, listed)
            kind = seen if isinstance(seen, Why) else _KINDS.get(stat.S_IFMT(seen.st_mode), Why.SPECIAL)
            if isinstance(kind, Why):
                answers.append([Lost(path, kind, path if is_folder else "")])
            elif looks > _LOOKS:
                answers.append([Lost(path, Why.UNREADABLE)])
            else:
                answers.append(_taken_as(visitor, here, Names(folder, [Leaf(name, kind)], alone, looks)))
    return answers


def _taken_as(visitor: Visitor, here: int, task: Names) -> list[Any]:
    try:
        items = visitor.names(here, task)
    except OSError as error:
        return [doubted(join(task.folder, leaf.name), error) for leaf in task.leaves]
    return [
        item._replace(task=item.task._replace(looks=task.looks)) if isinstance(item, More) else item for item in items
    ]


def _seen(here: int, name: str, listed: Callable[[], Container[str]]) -> os.stat_result | Why:
    """Look at a name in a folder; where it is not found, the folder's listing decides."""
    try:
        return os.stat(name, dir_fd=here, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_PROOF:
            return Why.UNREADABLE
    try:
        return Why.HIDDEN if name in listed() else Why.VANISHED
    except OSError:
        return Why.UNREADABLE


def _reached(top: int, path: str) -> int | Lost:
    """Open a folder part by part, or say which part of its path is not there any more, or can't be opened."""
    here, at = os.dup(top), ""
    for name in path.split("/") if path else ():
        at = join(at, name)
        with closed(here) as above:
            inner = _entered(above, name)
        if isinstance(inner, Why):
            return Lost(at, inner, at if inner is Why.VANISHED else "")
        here = inner
    return here


def _entered(above: int, name: str) -> int | Why:
    for _ in range(_LOOKS):
        try:
            return open_folder(above, name)
        except OSError as error:
            if error.errno not in _NO_PROOF:
                return Why.UNREADABLE
        seen = _seen(above, name, partial(_names, above))
        if isinstance(seen, Why):
            return seen
        if not stat.S_ISDIR(seen.st_mode):
            return Why.VANISHED  # something else has its name
    return Why.UNREADABLE


def _names(folder: int) -> frozenset[str]:
    with os.scandir(folder) as names:
        listed = [item.name for item in names]
    return frozenset([*listed, *unlisted(folder, listed)])


# --- taking ---


def in_order(
    folder: str, leaves: Sequence[Leaf], take: Callable[[Sequence[Leaf]], list[Any]], made: Callable[[str], bool]
) -> list[Any]:
    """Take a folder's names in their order: some now, those beyond `TOGETHER` and the folders as tasks of their own."""
    items: list[Any] = []
    room = TOGETHER
    for is_folder, run in groupby(leaves, key=lambda leaf: leaf.kind == FOLDER):
        if is_folder:
            items += [More(Folder(join(folder, leaf.name), made(leaf.name))) for leaf in run]
            continue
        names = list(run)
        items += take(names[:room]) if room else []
        items += [More(Names(folder, names[at : at + TOGETHER])) for at in range(room, len(names), TOGETHER)]
        room = max(0, room - len(names))
    return items


def by_itself(path: str) -> More:
    """In the place of a large file: a task of its own."""
    folder, _, name = path.rpartition("/")
    return More(Names(folder, [Leaf(name, FILE)], alone=True), apart=True)


def take_each(folder: str, opened: Iterable[tuple[Named, Stream]], take: Take) -> list[Any]:
    """Take names of a folder one by one; what the system refuses to show is lost."""
    items: list[Any] = []
    above = join(folder, "")
    for (name, kind), stream in opened:
        interruption.point()
        path = above + name
        try:
            items.append(take(path, name, kind, stream))
        except OSError as error:
            items.append(doubted(path, error))
    return items


def streams(here: int, leaves: Iterable[Named], known: Container[str] = ()) -> Iterator[tuple[Named, Stream]]:
    """Open the files of a folder some ahead of their reader.

    Of the `known` ones nothing is read ahead: they may not be read at all.
    """
    return ahead(
        (leaf, opened(here, leaf[0], ask=leaf[0] not in known) if leaf[1] == FILE else None) for leaf in leaves
    )


def ahead(files: Iterator[tuple[Of, Stream]]) -> Iterator[tuple[Of, Stream]]:
    """Have files opened some ahead of their reader, so that the system reads them meanwhile; each is closed here."""
    waiting: deque[tuple[Of, Stream]] = deque()
    try:
        for each in files:
            waiting.append(each)
            if len(waiting) > _OPEN_AHEAD:
                yield waiting[0]
                close(waiting.popleft()[1])
        while waiting:
            yield waiting[0]
            close(waiting.popleft()[1])
    finally:
        for _, stream in waiting:
            close(stream)


def opened(here: int, name: str, *, ask: bool) -> Stream:
    """Open a file of a folder, and `ask` the system to read it."""
    try:
        descriptor = os.open(name, READ, dir_fd=here)
    except OSError as error:
        return error
    if ask:
        _ask(descriptor, 0)
    return descriptor


def _ask(descriptor: int, start: int) -> None:
    """Ask the system to read some of a file that is read soon."""
    try:  # noqa: SIM105  to enter `suppress` takes longer than to ask
        os.posix_fadvise(descriptor, start, LARGE, os.POSIX_FADV_WILLNEED)
    except OSError:  # what has taken its name may be no file any more
        pass


def close(stream: Stream) -> None:
    """Close what was opened, if it was."""
    if isinstance(stream, int):
        os.close(stream)


def reading(here: int, name: str, stream: Stream, read: Callable[..., Read], *arguments: Any) -> Read:
    """Read a file that was opened ahead, or failed to be; None opens it once more.

    Raises:
        OSError: and whatever `read` raises, which gets the descriptor and the arguments

    """
    if isinstance(stream, int):
        return read(stream, *arguments)
    if stream is not None:
        raise stream
    with closed(os.open(name, READ, dir_fd=here)) as descriptor:
        return read(descriptor, *arguments)


def scan(
    root: Path,
    *,
    digests: bool = False,
    workers: int | None = None,
    passed_over: Collection[str] = volume.NO_CONTENT,
) -> Generator[Entry | Lost, None, None]:
    """List a tree but for names at its root; files without their digests, unless these are asked for."""
    look = partial(_Look, digests=digests, passed_over=passed_over)
    return _visit(root, look, workers, alone_s=0 if digests else _ALONE_S)


def measure(
    root: Path,
    workers: int | None = None,
    tell: Callable[[Tally], object] = lambda _so_far: None,
    passed_over: Collection[str] = volume.NO_CONTENT,
) -> Tally:
    """Count a tree's entries and bytes, but for names at its root; each second `tell` gets what is counted so far."""
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
    """Walk a tree with so many processes; None: as many as suit its medium."""
    try:
        top = open_tree(root)
    except OSError:  # a root that is not there is no empty tree
        yield Lost(".", Why.UNREADABLE)
        return
    count = medium.workers(root) if workers is None else workers
    with closed(top), Ahead(partial(act, visitor(top)), count, tick, alone_s=alone_s) as ahead:
        yield from ahead.stream([Folder("")])


def open_tree(root: Path) -> int:
    """Open the root of a tree, three times at most; the caller closes it.

    Raises:
        OSError

    """
    for _ in range(_LOOKS):
        try:
            return open_root(root)
        except OSError as error:
            if not is_no_proof(error):
                raise
    return open_root(root)


def differences(
    listed: Tally,
    entries: Callable[[], Iterable[Entry]],
    root: Path,
    workers: int | None = None,
    tick: Callable[[], object] = lambda: None,
    passed_over: Collection[str] = volume.NO_CONTENT,
) -> Iterator[str]:
    """Compare a tree with its listing by names, kinds and sizes; one by one only where the whole says that they differ.

    What was counted of the listing tells the whole: the same entries have the same fingerprint, and others another,
    but for one chance in 2**64.
    """
    found = measure(root, workers, lambda _so_far: tick(), passed_over)
    if listed.sums != found.sums or found.special or found.unreadable:
        yield from compare(entries(), root, digests=False, workers=workers, passed_over=passed_over)


def compare(
    entries: Iterable[Entry],
    root: Path,
    *,
    digests: bool,
    workers: int | None = None,
    passed_over: Collection[str] = volume.NO_CONTENT,
) -> Iterator[str]:
    """Hold a tree against its listing: names, kinds, sizes, links' targets, and the digests if asked for.

    Yields a finding an entry that is missing, extra or differs; both are read in the one order, nothing is kept.
    """
    for _, finding in _compared(entries, root, digests=digests, workers=workers, passed_over=passed_over):
        yield finding


def damaged(entries: Iterable[Entry], root: Path, workers: int | None = None) -> Iterator[tuple[Entry, str]]:
    """Read every byte of a tree, and say of which listed entries it is missing or another one, and how.

    Raises:
        errors.ReadFailed: the tree itself can't be read, so nothing can be said of what lies in it.

    """
    try:
        with closed(open_root(root)) as top:
            os.listdir(top)
    except OSError as error:
        raise errors.ReadFailed([str(root)], os.strerror(error.errno or 0)) from error
    for listed, finding in _compared(entries, root, digests=True, workers=workers, passed_over=volume.NO_CONTENT):
        if listed:
            yield listed, finding


def _compared(
    entries: Iterable[Entry], root: Path, *, digests: bool, workers: int | None, passed_over: Collection[str]
) -> Iterator[tuple[Entry | None, str]]:
    """Findings, each with the entry as it was listed; None: it was not."""
    scanned = scan(root, digests=digests, workers=workers, passed_over=passed_over)
    with closing(scanned):  # where the listing fails, else its processes would wait for ever
        found = (item for item in scanned if not _has_vanished(item))
        actual = next(found, None)
        for listed in entries:
            while actual and actual.path != listed.path and place(actual.path) < place(listed.path):
                yield None, _stray(actual)
                actual = next(found, None)
            if actual is None or actual.path != listed.path:
                yield listed, f"{listed.path!r} {_missing(root, listed.path)}"
                continue
            if difference := _difference(listed, actual):
                yield listed, f"{listed.path!r} {difference}"
            actual = next(found, None)
        while actual:
            yield None, _stray(actual)
            actual = next(found, None)


def _missing(root: Path, path: str) -> str:
    """Say how an entry is missing: a name that no folder lists, and that is found all the same, is one with another."""
    above, _, name = path.rpartition("/")
    with suppress(OSError), closed(open_root(root)) as top, closed(open_folder(top, above)) as here:
        os.stat(name, dir_fd=here, follow_symlinks=False)
        if name not in _names(here):
            return "is one with another name there: the volume does not tell the two apart, by case or form of a letter"
    return "is missing"


def unlike(files: Iterable[Entry], root: Path, workers: int | None = None) -> Iterator[str]:
    """Read listed files, and yield a finding for each that can't be read or has other bytes."""
    try:
        top = open_root(root)
    except OSError:
        yield f"'.' {_REASONS[Why.UNREADABLE]}"
        return
    count = medium.workers(root) if workers is None else workers
    with closed(top), Ahead(partial(_unlike, top), count) as processes:
        yield from processes.stream(_stretches(files))


def _stretches(files: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut them into tasks: of some files, or of one that is large."""
    stretch: list[Entry] = []
    size_bytes = 0
    for entry in files:
        stretch.append(entry)
        size_bytes += entry.size
        if len(stretch) == TOGETHER or size_bytes > LARGE:
            yield stretch
            stretch, size_bytes = [], 0
    if stretch:
        yield stretch


def _unlike(top: int, files: Sequence[Entry]) -> list[str]:
    found = []
    for entry, stream in ahead(_opened(top, files)):
        interruption.point()
        if difference := _other_bytes(top, entry, stream):
            found.append(f"{entry.path!r} {difference}")
    return found


def _opened(top: int, files: Iterable[Entry]) -> Iterator[tuple[Entry, Stream]]:
    """Open listed files one after the other, each folder once for those in it that follow each other."""
    for folder, entries in groupby(files, key=lambda entry: entry.path.rpartition("/")[0]):
        try:
            here = open_folder(top, folder)
        except OSError as error:
            yield from ((entry, error) for entry in entries)
            continue
        with closed(here):
            for entry in entries:
                yield entry, opened(here, entry.path.rpartition("/")[2], ask=True)


def _other_bytes(top: int, entry: Entry, stream: Stream) -> str:
    """Say what is wrong with the bytes of a file; what a network volume may answer for a good one is asked again."""
    for _ in range(_LOOKS):
        try:
            return "" if _is_as_listed(top, entry, stream) else _OTHER_BYTES
        except OSError as error:
            if not is_no_proof(error):
                break
        stream = None
    return _REASONS[Why.UNREADABLE]


def _is_as_listed(top: int, entry: Entry, stream: Stream) -> bool:
    if isinstance(stream, int):
        found = os.fstat(stream)
        same_size = stat.S_ISREG(found.st_mode) and found.st_size == entry.size
        return same_size and read_digest(stream, entry.size) == entry.digest
    if stream is not None:
        raise stream
    with closed(opened_again(top, entry.path)) as again:
        return _is_as_listed(top, entry, again)


def opened_again(top: int, path: str) -> int:
    """Open a file below the root once more, by its folder opened anew; the caller closes it."""
    folder, _, name = path.rpartition("/")
    with closed(open_folder(top, folder)) as here:
        return os.open(name, READ, dir_fd=here)


def digest(descriptor: int) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file that is opened."""
    size = os.fstat(descriptor).st_size
    return size, read_digest(descriptor, size)


def join(folder: str, name: str) -> str:
    """The path of a name in a folder; the root's is empty."""
    return f"{folder}/{name}" if folder else name


def found_in(folder: int, path: str, passed_over: Collection[str] = volume.NO_CONTENT) -> list[Leaf]:
    """The names in a folder, as it gives them; at the root without those that are passed over."""
    with os.scandir(folder) as names:
        listed = [Leaf(item.name, _kind(item)) for item in names]
    found = dict(listed)  # a name that is listed twice is one
    found.update(dict.fromkeys(unlisted(folder, [leaf.name for leaf in listed]), ""))
    return [Leaf(name, kind) for name, kind in found.items() if path or name not in passed_over]


def leaves(folder: int, path: str, passed_over: Collection[str] = volume.NO_CONTENT) -> list[Leaf]:
    """The names in a folder, in their order; at the root without those that are passed over."""
    found = found_in(folder, path, passed_over)
    if "".join([leaf.name for leaf in found]).isascii():
        return sorted(found)  # characters and bytes have one order then
    return sorted(found, key=lambda leaf: os.fsencode(leaf.name))


def _kind(item: os.DirEntry[str]) -> str:
    """As the folder says, which costs nothing on most file systems; others look at the name, which may fail."""
    try:
        if item.is_file(follow_symlinks=False):
            return FILE
        if item.is_dir(follow_symlinks=False):
            return FOLDER
        return LINK if item.is_symlink() else ""
    except OSError:
        return ""


def describe(path: str, found: os.stat_result, *, target: str = "", digest: str = "") -> Entry:
    """Write what was found of a file, folder or link as an entry."""
    kind = _KINDS[stat.S_IFMT(found.st_mode)]
    size, names = (found.st_size, found.st_nlink) if kind == FILE else (0, 1)
    mode = stat.S_IMODE(found.st_mode)
    return Entry(path, kind, mode, found.st_uid, found.st_gid, found.st_mtime_ns, size, target, digest, names)


def look(here: int, path: str, name: str, kind: str) -> Taken:
    """Describe what has a name in a folder, if it is of the kind that the folder said.

    Raises:
        OSError

    """
    found = os.stat(name, dir_fd=here, follow_symlinks=False)
    if _KINDS.get(stat.S_IFMT(found.st_mode)) != kind:
        return Doubt(path)
    return describe(path, found, target=os.readlink(name, dir_fd=here) if kind == LINK else "")


@dataclass
class _Look:
    """The visitor that only looks, and reads the files if digests are asked for."""

    top: int
    digests: bool
    passed_over: Collection[str]

    def folder(self, here: int, task: Folder) -> list[Any]:
        path, own = task.path, []
        if path:
            own = [describe(path, os.fstat(here))]
        found = leaves(here, path, self.passed_over)
        return own + in_order(path, found, partial(self._take, here, path), made=lambda _name: False)

    def names(self, here: int, task: Names) -> list[Any]:
        take = partial(self._take, here, task.folder, alone=task.alone)
        return in_order(task.folder, task.leaves, take, made=lambda _name: False)

    def _take(self, here: int, folder: str, leaves: Sequence[Leaf], *, alone: bool = False) -> list[Any]:
        if self.digests:
            return take_each(folder, streams(here, leaves), partial(self._read, here, alone=alone))
        return take_each(
            folder, ((leaf, None) for leaf in leaves), lambda path, name, kind, _: look(here, path, name, kind)
        )

    def _read(self, here: int, path: str, name: str, kind: str, stream: Stream, *, alone: bool) -> Taken | More:
        if kind != FILE:
            return look(here, path, name, kind)
        return reading(here, name, stream, self._read_file, path, alone)

    @staticmethod
    def _read_file(stream: int, path: str, alone: bool) -> Taken | More:
        found = os.fstat(stream)
        if not stat.S_ISREG(found.st_mode):
            return Doubt(path)
        if found.st_size > LARGE and not alone:
            return by_itself(path)
        return describe(path, found, digest=read_digest(stream, found.st_size))


@dataclass
class _Count:
    """The visitor that counts: files, folders, links, bytes and holes, in the order in which the folders have them."""

    top: int
    passed_over: Collection[str]

    def folder(self, here: int, task: Folder) -> list[Any]:
        path, found = task.path, found_in(here, task.path, self.passed_over)
        rest = range(TOGETHER, len(found), TOGETHER)
        more = [More(Names(path, found[at : at + TOGETHER])) for at in rest]
        return [*self._count(here, path, found[:TOGETHER]), *more]

    def names(self, here: int, task: Names) -> list[Any]:
        return self._count(here, task.folder, task.leaves)

    @staticmethod
    def _count(here: int, folder: str, leaves: Sequence[Leaf]) -> list[Any]:
        found: list[tuple[str, str, int]] = []
        items: list[Any] = []
        above = join(folder, "")
        hole_bytes = 0
        for name, kind in leaves:
            path, size_bytes = above + name, 0
            if kind == FILE:
                try:
                    status = os.stat(name, dir_fd=here, follow_symlinks=False)
                except OSError as error:
                    items.append(doubted(path, error))
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
        return [_summed(found), *([Holes(hole_bytes)] if hole_bytes else []), *items]


def _hole_bytes(here: int, name: str, size_bytes: int) -> int:
    """How much of a file is holes, 0 where the file system does not say.

    Blocks alone do not tell: where a file system compresses, data take fewer blocks, and more on another.
    """
    try:
        with closed(os.open(name, READ, dir_fd=here)) as stream:
            return max(size_bytes - _data_bytes(stream), 0)
    except OSError:
        return 0


def _data_bytes(stream: int) -> int:
    """How much of a file is no hole.

    Raises:
        OSError: the file system does not know, or contradicts itself.

    """
    total = end = 0
    while True:
        interruption.point()
        try:
            start = os.lseek(stream, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # no data any more
                return total
            raise
        before, end = end, os.lseek(stream, start, os.SEEK_HOLE)
        if not before <= start < end:
            raise OSError(errno.EINVAL, "data without an end")
        total += end - start


def read_digest(descriptor: int, expected: int) -> str:
    """Read a file and return its SHA-256; of one that is longer than expected, of a byte more."""
    sha256 = hashlib.sha256()
    for block in blocks(descriptor, expected):
        interruption.point()
        sha256.update(block)
    return sha256.hexdigest()


def blocks(descriptor: int, expected: int) -> Iterator[memoryview]:
    """Read a file to its expected end and a byte more, each block into the same memory; that end costs no extra call.

    One that has more has changed, and may grow faster than it is read.

    Of a large one the system is asked for more than is read, so that a disk is never idle while a block is digested.
    """
    done, asked = 0, 0
    while done <= expected:
        if expected > LARGE and asked < min(expected, done + LARGE):
            _ask(descriptor, asked)
            asked += LARGE
        wanted = min(BLOCK, expected - done + 1)
        block = _read(descriptor, wanted, expected - done)
        done += len(block)
        if block:
            yield block
        if len(block) < wanted:
            return


def small(descriptor: int, expected: int) -> bytes:
    """Read a file of less than a block to its end; of one that is longer than expected, a byte more."""
    content = os.read(descriptor, expected + 1)
    while len(content) < expected and (more := os.read(descriptor, expected + 1 - len(content))):
        content += more
    return content


def _read(descriptor: int, wanted: int, end: int) -> memoryview:
    """Read so many bytes, or less where the file ends; to come to the expected end is to have read to it."""
    block, done = _buffer(), 0
    while done < wanted:
        count = os.readv(descriptor, [block[done:wanted]])
        done += count
        if not count or done == end:
            break
    return block[:done]


@functools.cache
def _buffer() -> memoryview:
    """The one block through which a process reads large files; new ones each time cost more than the reading."""
    return memoryview(bytearray(BLOCK))


def _has_vanished(item: Entry | Lost) -> bool:
    return isinstance(item, Lost) and item.why is Why.VANISHED


def _stray(actual: Entry | Lost) -> str:
    return f"{actual.path!r} {_REASONS[actual.why] if isinstance(actual, Lost) else 'is not listed'}"


def _difference(listed: Entry, actual: Entry | Lost) -> str:
    if isinstance(actual, Lost):
        return _REASONS[actual.why]
    if listed.kind != actual.kind:
        return f"is a {actual.kind}, listed as {listed.kind}"
    if listed.size != actual.size:
        return f"has {actual.size} bytes, listed with {listed.size}"
    if listed.target != actual.target:
        return "points elsewhere than listed"
    if listed.digest and actual.digest and listed.digest != actual.digest:
        return _OTHER_BYTES
    return ""
