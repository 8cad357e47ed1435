"""A tree held against its listing."""

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
    """Compare a tree with its listing by names, kinds and sizes; one by one only where the whole says that they differ.

    What was counted of the listing tells the whole: the same entries have the same fingerprint, and others another,
    but for one chance in 2**64.
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
    """Findings, each with the entry as it was listed; None: it was not."""
    scanned = scanning.scan(root, digests=digests, workers=workers, passed_over=passed_over)
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
    with suppress(OSError), closed(open_top(root)) as top, closed(open_folder(top, above)) as here:
        os.stat(name, dir_fd=here, follow_symlinks=False)
        if name not in directory.names_in(here):
            return "is the same file as another name: the volume does not distinguish case or form of letters"
    return "is missing"


def unlike(files: Iterable[Entry], root: Path, workers: int | None = None) -> Iterator[str]:
    """Read listed files, and yield a finding for each that can't be read or has other bytes."""
    try:
        top = open_top(root)
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
    """Open listed files one after the other, each folder once for those in it that follow each other."""
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
    """Say what is wrong with the bytes of a file; what a network volume may answer for a good one is asked again."""
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
