"""Reads files of a tree: opened some ahead of their reader, by blocks, to their digest."""

import functools
import hashlib
import os
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, TypeVar

from steps.files.beneath import READ, closed, open_folder
from steps.files.mtree import FILE
from steps.process import interruption

BLOCK = 256 << 10  # fits a processor's own cache; a new buffer of 1 MiB for each read took twice as long
LARGE = 4 << 20  # files above this size are tasks of their own
_OPEN_AHEAD = 16  # files that the system reads while one is taken: half the time from a cold cache, with 8 workers


Named = tuple[str, str]  # as a Leaf, which takes longer to make
Read = TypeVar("Read")
Of = TypeVar("Of")
Stream = int | OSError | None  # a file that was opened, or why not; None for what is no file


def streams(here: int, leaves: Iterable[Named], known: Container[str] = ()) -> Iterator[tuple[Named, Stream]]:
    """Open the files of a folder some ahead of their reader.

    Of the `known` ones nothing is read ahead: they may not be read at all.
    """
    return opened_ahead(
        (leaf, opened(here, leaf[0], ask=leaf[0] not in known) if leaf[1] == FILE else None) for leaf in leaves
    )


def opened_ahead(files: Iterator[tuple[Of, Stream]]) -> Iterator[tuple[Of, Stream]]:
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


def read_by(here: int, name: str, stream: Stream, read: Callable[..., Read], *arguments: Any) -> Read:
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


def opened_again(top: int, path: str) -> int:
    """Open a file below the root once more, by its folder opened anew; the caller closes it."""
    folder, _, name = path.rpartition("/")
    with closed(open_folder(top, folder)) as here:
        return os.open(name, READ, dir_fd=here)


def digest(descriptor: int) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file that is opened."""
    size = os.fstat(descriptor).st_size
    return size, read_digest(descriptor, size)


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
