"""The result of a walk through a tree: entries that were taken, entries that were not and why, and the totals."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from typing import Any, NamedTuple

from steps.errors import Few
from steps.files import mtree
from steps.files.mtree import FILE, FOLDER, Entry, place


class Why(Enum):
    """Why an entry of a tree was not taken."""

    VANISHED = "vanished"
    HIDDEN = "hidden"  # its folder lists it, but it can't be found: NFS keeps names of deleted files for a while
    SPECIAL = "special"  # a socket, FIFO or device
    UNREADABLE = "unreadable"
    CHANGING = "changing"


class Lost(NamedTuple):
    """An entry that was not taken; `gone`: the outermost folder that vanished with it, or is hidden."""

    path: str
    why: Why
    gone: str = ""

    @property
    def name(self) -> str:
        """Its name in messages: the folder that vanished, with a slash, or the entry."""
        return f"{self.gone}/" if self.gone else self.path


class Doubt(NamedTuple):
    """An entry that could not be taken, but may exist: a second look decides."""

    path: str
    is_folder: bool = False


class Listed(NamedTuple):
    """Entries that were taken, as lines of a listing, with their totals."""

    lines: str
    sums: "Sums"
    shared: int
    visible: bool  # one of them is not below a dot-name at the top
    round: int = 0  # 0: in the order of the listing; entries of a later round are in order among themselves


class Grew(NamedTuple):
    """A file that grew while it was read. It was saved without the new data."""

    path: str


Taken = Entry | Lost | Doubt
Sums = tuple[int, int, int, int, int]  # of a Tally: files, folders, links, bytes, fingerprint


@dataclass
class Tally:
    """Counts and names of the entries of a tree; sizes in bytes."""

    files: int = 0
    folders: int = 0
    links: int = 0
    size_bytes: int = 0
    fingerprint: int = 0  # of all paths, kinds and sizes, in any order; only for one process and its workers
    hole_bytes: int = 0  # part of the size; not compared, because a copy may have other holes
    shared: int = 0  # files with several names (hard links), counted once for each name
    special: list[str] = field(default_factory=list)
    unreadable: Few = field(default_factory=Few)
    changing: Few = field(default_factory=Few)
    grew: Few = field(default_factory=Few)
    gone: set[str] = field(default_factory=set)  # names of vanished entries; those of folders end with a slash
    notes: list[str] = field(
        default_factory=list, compare=False
    )  # sentences for the evidence: what was left out, and why

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Tally":
        """Count the entries of a listing."""
        tally = cls()
        tally.add(summed([(entry.path, entry.kind, entry.size) for entry in entries]))
        tally.shared = sum(entry.kind == FILE and entry.names > 1 for entry in entries)
        return tally

    @property
    def entries(self) -> int:
        """The number of all entries."""
        return self.files + self.folders + self.links

    @property
    def vanished(self) -> Few:
        """The vanished entries. A folder stands for all its content."""
        outermost, folder = Few(), "/"
        for name in sorted(self.gone, key=place):
            if not name.startswith(folder):
                outermost.append(name)
                folder = name if name.endswith("/") else folder
        return outermost

    @property
    def data_bytes(self) -> int:
        """The bytes that need space: the size without the holes."""
        return max(self.size_bytes - self.hole_bytes, 0)

    @property
    def sums(self) -> Sums:
        """The totals that can be added and compared."""
        return self.files, self.folders, self.links, self.size_bytes, self.fingerprint

    def add(self, sums: Sums) -> None:
        """Add totals that were counted elsewhere."""
        files, folders, links, size_bytes, fingerprint = sums
        self.files += files
        self.folders += folders
        self.links += links
        self.size_bytes += size_bytes
        self.fingerprint ^= fingerprint

    def count(self, entry: Entry) -> None:
        """Count one entry of a listing."""
        self.add(summed([(entry.path, entry.kind, entry.size)]))
        self.shared += entry.kind == FILE and entry.names > 1

    def lose(self, lost: Lost) -> None:
        """Count an entry that was not taken."""
        if lost.why is Why.VANISHED:
            self.gone.add(lost.name)
        elif lost.why is Why.SPECIAL:
            self.special.append(lost.path)
        else:
            (self.changing if lost.why is Why.CHANGING else self.unreadable).append(lost.path)

    def listed(self, taken: Iterable[Lost | Grew | Listed]) -> Iterator[Listed]:
        """Count the lines and pass them on; count the other items too."""
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
        """Count the entries and pass them on; count the lost ones too."""
        for item in taken:
            if isinstance(item, Lost):
                self.lose(item)
            else:
                self.count(item)
                yield item


def summed(found: Iterable[tuple[str, str, int]]) -> Sums:
    """The totals of entries, by path, kind and size. One loop, because it runs for each entry."""
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


def as_lines(items: Iterable[Any]) -> Iterator[Any]:
    """Turn consecutive entries into lines. The workers do this, and lines are cheaper to send."""
    for is_entry, run in groupby(items, key=lambda item: isinstance(item, Entry)):
        if is_entry:
            entries = list(run)
            tally = Tally.of(entries)
            visible = not all(entry.path.startswith(".") for entry in entries)
            yield Listed("".join(map(mtree.line, entries)), tally.sums, tally.shared, visible)
        else:
            yield from run
