"""Compares a tree with its listing."""

import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import groupby
from pathlib import Path

from steps import errors
from steps.files import directory, medium, reading, scanning, volume, walk
from steps.files.ahead import Ahead
from steps.files.beneath import closed, open_folder, open_top
from steps.files.mtree import Entry, place
from steps.files.reading import Stream
from steps.files.tally import Lost, Tally, Why
from steps.files.walk import LOOKS
from steps.process import interruption

_REASONS = {
    Why.SPECIAL: "is a socket, FIFO or device",
    Why.UNREADABLE: "can't be read",
    Why.HIDDEN: "is listed in its folder but can't be found",
}
_OTHER_BYTES = "has different content than the listing"


def differences(
    listed: Tally,
    entries: Callable[[], Iterable[Entry]],
    root: Path,
    workers: int | None = None,
    tick: Callable[[], object] = lambda: None,
    passed_over: Collection[str] = volume.NO_CONTENT,
) -> Iterator[str]:
    """Compare a tree with its listing by names, kinds and sizes. Single entries are compared only if the totals differ.

    `listed` has the totals of the listing. Equal entries have equal fingerprints, and different ones
    have different fingerprints, except for a chance of 1 in 2**64.
    """
    found = scanning.measure(root, workers, lambda _so_far: tick(), passed_over)
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
    """Compare a tree with its listing: names, kinds, sizes, targets of links, and with `digests` the digests.

    Yields a finding for each entry that is missing, extra or differs. Both are read in one order and not kept.
    """
    for _, finding in _compared(entries, root, digests=digests, workers=workers, passed_over=passed_over):
        yield finding


def damaged(entries: Iterable[Entry], root: Path, workers: int | None = None) -> Iterator[tuple[Entry, str]]:
    """Read every byte of a tree, and yield the listed entries that are missing or differ, each with its finding.

    Raises:
        errors.ReadFailed: the root of the tree can't be read.

    """
    try:
        with closed(open_top(root)) as top:
            os.listdir(top)
    except OSError as error:
        raise errors.ReadFailed([str(root)], os.strerror(error.errno or 0)) from error
    for listed, finding in _compared(entries, root, digests=True, workers=workers, passed_over=volume.NO_CONTENT):
        if listed:
            yield listed, finding


def _compared(
    entries: Iterable[Entry], root: Path, *, digests: bool, workers: int | None, passed_over: Collection[str]
) -> Iterator[tuple[Entry | None, str]]:
    """Findings, each with its listed entry; None if the entry is not listed."""
    scanned = scanning.scan(root, digests=digests, workers=workers, passed_over=passed_over)
    with closing(scanned):  # if the listing fails, its processes would else wait forever
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
    """How an entry is missing. A name that is found but not listed by its folder is the same file as another name."""
    above, _, name = path.rpartition("/")
    with suppress(OSError), closed(open_top(root)) as top, closed(open_folder(top, above)) as here:
        os.stat(name, dir_fd=here, follow_symlinks=False)
        if name not in directory.names_in(here):
            return "is the same file as another name: the volume does not distinguish case or form of letters"
    return "is missing"


def unlike(files: Iterable[Entry], root: Path, workers: int | None = None) -> Iterator[str]:
    """Read listed files, and yield a finding for each that can't be read or has different content."""
    try:
        top = open_top(root)
    except OSError:
        yield f"'.' {_REASONS[Why.UNREADABLE]}"
        return
    count = medium.workers(root) if workers is None else workers
    with closed(top), Ahead(partial(_unlike, top), count) as processes:
        yield from processes.stream(_stretches(files))


def _stretches(files: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut the files into tasks. A large file ends its task."""
    stretch: list[Entry] = []
    size_bytes = 0
    for entry in files:
        stretch.append(entry)
        size_bytes += entry.size
        if len(stretch) == walk.TOGETHER or size_bytes > reading.LARGE:
            yield stretch
            stretch, size_bytes = [], 0
    if stretch:
        yield stretch


def _unlike(top: int, files: Sequence[Entry]) -> list[str]:
    found = []
    for entry, stream in reading.opened_ahead(_opened(top, files)):
        interruption.point()
        if difference := _other_bytes(top, entry, stream):
            found.append(f"{entry.path!r} {difference}")
    return found


def _opened(top: int, files: Iterable[Entry]) -> Iterator[tuple[Entry, Stream]]:
    """Open listed files one after the other. A folder is opened once for consecutive files in it."""
    for folder, entries in groupby(files, key=lambda entry: entry.path.rpartition("/")[0]):
        try:
            here = open_folder(top, folder)
        except OSError as error:
            yield from ((entry, error) for entry in entries)
            continue
        with closed(here):
            for entry in entries:
                yield entry, reading.opened(here, entry.name, ask=True)


def _other_bytes(top: int, entry: Entry, stream: Stream) -> str:
    """What is wrong with the content of a file, empty if nothing. Errors that an intact file may give are retried."""
    for _ in range(LOOKS):
        try:
            return "" if _is_as_listed(top, entry, stream) else _OTHER_BYTES
        except OSError as error:
            if not walk.is_no_proof(error):
                break
        stream = None
    return _REASONS[Why.UNREADABLE]


def _is_as_listed(top: int, entry: Entry, stream: Stream) -> bool:
    if isinstance(stream, int):
        found = os.fstat(stream)
        same_size = stat.S_ISREG(found.st_mode) and found.st_size == entry.size
        return same_size and reading.read_digest(stream, entry.size) == entry.digest
    if stream is not None:
        raise stream
    with closed(reading.opened_again(top, entry.path)) as again:
        return _is_as_listed(top, entry, again)


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
        return f"has {actual.size} bytes instead of {listed.size}"
    if listed.target != actual.target:
        return "has a different target than the listing"
    if listed.digest and actual.digest and listed.digest != actual.digest:
        return _OTHER_BYTES
    return ""
