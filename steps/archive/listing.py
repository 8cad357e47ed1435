"""The listing of a tree, written while the tree is copied.

Until it is complete it has a temporary name. A later run reads there what is done.
"""

import hashlib
import heapq
import logging
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from steps.archive import layout
from steps.archive.manifest import PLACEHOLDER, Digest
from steps.files import mtree, volume, writing
from steps.files.beneath import closed
from steps.files.mtree import FILE, Entry
from steps.files.tally import Listed

log = logging.getLogger(__name__)

_PARTS = (f"{volume.TEMPORARY}listing-1", f"{volume.TEMPORARY}listing-2")
_LATE, _MERGED = f"{volume.TEMPORARY}listing-late", f"{volume.TEMPORARY}listing-merged"
_FLUSH_S = 1.0  # seconds of work that may be lost with the pod and are repeated
_FLUSH_BYTES = 1 << 16


def write(root: Path, taken: Iterable[Listed], earlier: Path | None) -> tuple[Digest, str]:
    """Write the listing while the tree is copied. An empty tree gets the placeholder that the operator needs.

    Entries that were found late are merged into their places. Returns the digest of the listing, and the name of the
    placeholder, empty if there is none.
    """
    part = _Part(root, next(name for name in _PARTS if earlier is None or earlier.name != name))
    visible = False

    def lines(items: Iterable[Listed]) -> Iterator[str]:
        nonlocal visible
        for listed in items:
            visible = visible or listed.visible
            yield listed.lines

    part.write(mtree.dump(()))
    for number, items in groupby(taken, key=lambda listed: listed.round):
        if number == 0:
            part.write(mtree.dump(lines(items)))
        else:
            part.merge(lines(items))
    if not visible:
        part.merge([mtree.line(_placeholder(root))])
    with volume.failures(root, part.name), closed(volume.open_root(root)) as top:
        os.rename(part.name, layout.LISTING, src_dir_fd=top, dst_dir_fd=top)
        for name in (*_PARTS, _LATE, _MERGED):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=top)
    return part.digest, "" if visible else PLACEHOLDER


class _Part:
    """A listing that is being written, and the digest of its content."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.digest = Digest(size=0, sha256=_EMPTY)

    def write(self, lines: Iterable[str]) -> None:
        """Write the lines, and replace all earlier content."""
        sha256, size = hashlib.sha256(), 0
        with volume.failures(self.root, self.name), closed(writing.opened_to_write(self.root, self.name)) as stream:
            for data in _pieces(lines):
                writing.put(stream, data)
                sha256.update(data)
                size += len(data)
            writing.give_mode(self.root, self.name, stream)
        self.digest = Digest(size=size, sha256=sha256.hexdigest())

    def merge(self, lines: Iterable[str]) -> None:
        """Merge more lines into their places. They must be in order among themselves."""
        late, merged = _Part(self.root, _LATE), _Part(self.root, _MERGED)
        late.write(lines)
        both = heapq.merge(self._entries(), late._entries(), key=lambda line: mtree.place(mtree.head(line)[0]))
        merged.write(mtree.dump(both))
        with volume.failures(self.root, self.name), closed(volume.open_root(self.root)) as top:
            os.rename(_MERGED, self.name, src_dir_fd=top, dst_dir_fd=top)
        self.digest = merged.digest

    def _entries(self) -> Iterator[str]:
        with os.fdopen(volume.opened(self.root, self.name), encoding="ascii") as found:
            yield from mtree.of_entries(found)


def _pieces(lines: Iterable[str]) -> Iterator[bytes]:
    """Gather lines, and yield them when they are many or have waited for a second."""
    waiting, flushed = bytearray(), time.monotonic()
    for line in lines:
        waiting += line.encode("ascii")
        if len(waiting) > _FLUSH_BYTES or time.monotonic() - flushed > _FLUSH_S:
            yield bytes(waiting)
            waiting.clear()
            flushed = time.monotonic()
    yield bytes(waiting)


def earlier(root: Path) -> Path | None:
    """The listing of an earlier run: the longest of the finished one and the begun ones. None if there is none."""
    with volume.failures(root):
        looked = {name: volume.look(root, name) for name in (layout.LISTING, *_PARTS)}
    found = {name: each.st_size for name, each in looked.items() if each and stat.S_ISREG(each.st_mode)}
    return root / max(found, key=lambda name: found[name]) if found else None


def _placeholder(root: Path) -> Entry:
    path = f"{layout.TREE}/{PLACEHOLDER}"
    with volume.failures(root, path), closed(writing.opened_to_write(root, path)) as made:
        writing.give_mode(root, path, made)
        found = os.fstat(made)
    log.info("System FileStorage has no visible entry at its root: created %s for the operator's restore", PLACEHOLDER)
    return Entry(PLACEHOLDER, FILE, writing.FILE_MODE, found.st_uid, found.st_gid, found.st_mtime_ns, 0, "", _EMPTY)


_EMPTY = hashlib.sha256().hexdigest()
