"""What was found in a tree: entries that were taken, those that could not be and why, and what all add up to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from typing import Any, NamedTuple

from steps.errors import Few
from steps.files import mtree
from steps.files.mtree import FILE, FOLDER, Entry, place


class Why(Enum):
    """Why an entry of a tree is none of its stream."""

    VANISHED = "vanished"
    HIDDEN = "hidden"  # its folder lists it, and nothing else finds it: NFS keeps the name of what is gone for a while
    SPECIAL = "special"  # a socket, FIFO or device
    UNREADABLE = "unreadable"
    CHANGING = "changing"


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


Taken = Entry | Lost | Doubt
Sums = tuple[int, int, int, int, int]  # of a Tally: files, folders, links, bytes, fingerprint


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
        tally.add(summed([(entry.path, entry.kind, entry.size) for entry in entries]))
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
        self.add(summed([(entry.path, entry.kind, entry.size)]))
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


def summed(found: Iterable[tuple[str, str, int]]) -> Sums:
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


def as_lines(items: Iterable[Any]) -> Iterator[Any]:
    """Tell entries that follow each other as lines: to write them is for the workers, and cheaper to hand on."""
    for is_entry, run in groupby(items, key=lambda item: isinstance(item, Entry)):
        if is_entry:
            entries = list(run)
            tally = Tally.of(entries)
            visible = not all(entry.path.startswith(".") for entry in entries)
            yield Listed("".join(map(mtree.line, entries)), tally.sums, tally.shared, visible)
        else:
            yield from run
