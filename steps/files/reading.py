"""Reads files of a tree: opens some files ahead of their reader, and reads blocks and digests."""

import functools
import hashlib
import os
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, TypeVar

from steps.files.beneath import READ, closed, open_folder
from steps.files.mtree import FILE
from steps.process import interruption

BLOCK = 256 << 10  # fits into the cache of a processor; a new buffer of 1 MiB for each read took twice as long
LARGE = 4 << 20  # files above this size are tasks of their own
_OPEN_AHEAD = 16  # files that the system reads ahead: half the time from a cold cache, with 8 workers


Named = tuple[str, str]  # like a Leaf, but faster to create
Read = TypeVar("Read")
Of = TypeVar("Of")
Stream = int | OSError | None  # an opened file, or the error; None for other entries


def streams(here: int, leaves: Iterable[Named], known: Container[str] = ()) -> Iterator[tuple[Named, Stream]]:
    """Open the files of a folder some ahead of their reader.

    The content of `known` files is not read ahead, because it may not be needed.
    """
    return opened_ahead(
        (leaf, opened(here, leaf[0], ask=leaf[0] not in known) if leaf[1] == FILE else None) for leaf in leaves
    )


def opened_ahead(files: Iterator[tuple[Of, Stream]]) -> Iterator[tuple[Of, Stream]]:
    """Keep some files open ahead of their reader, so that the system reads them meanwhile. All are closed here."""
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
    """Open a file of a folder, and `ask` the system to read it ahead."""
    try:
        descriptor = os.open(name, READ, dir_fd=here)
    except OSError as error:
        return error
    if ask:
        _ask(descriptor, 0)
    return descriptor


def _ask(descriptor: int, start: int) -> None:
    """Ask the system to read a part of a file ahead."""
    try:  # noqa: SIM105  to enter `suppress` takes longer than to ask
        os.posix_fadvise(descriptor, start, LARGE, os.POSIX_FADV_WILLNEED)
    except OSError:  # the name may belong to another kind of entry now
        pass


def close(stream: Stream) -> None:
    """Close a stream, if it was opened."""
    if isinstance(stream, int):
        os.close(stream)


def read_by(here: int, name: str, stream: Stream, read: Callable[..., Read], *arguments: Any) -> Read:
    """Read a file that was opened ahead, or raise the error of its open. None opens it again.

    Raises:
        OSError, and whatever `read` raises, which gets the descriptor and the arguments

    """
    if isinstance(stream, int):
        return read(stream, *arguments)
    if stream is not None:
        raise stream
    with closed(os.open(name, READ, dir_fd=here)) as descriptor:
        return read(descriptor, *arguments)


def opened_again(top: int, path: str) -> int:
    """Open a file below the root again, through its folder, which is opened again too; the caller closes it."""
    folder, _, name = path.rpartition("/")
    with closed(open_folder(top, folder)) as here:
        return os.open(name, READ, dir_fd=here)


def digest(descriptor: int) -> tuple[int, str]:
    """Size in bytes and SHA-256 of an opened file."""
    size = os.fstat(descriptor).st_size
    return size, read_digest(descriptor, size)


def read_digest(descriptor: int, expected: int) -> str:
    """Read a file and return its SHA-256. Of a file longer than expected, one byte more is read."""
    sha256 = hashlib.sha256()
    for block in blocks(descriptor, expected):
        interruption.point()
        sha256.update(block)
    return sha256.hexdigest()


def blocks(descriptor: int, expected: int) -> Iterator[memoryview]:
    """Read a file to its expected end and one byte more, each block into the same memory. The end needs no extra call.

    A longer file has changed, and may grow faster than it is read.

    For a large file the system is asked to read ahead, so that the disk is not idle while a block is digested.
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
    """Read a file of less than a block to its end. Of a file longer than expected, one byte more is read."""
    content = os.read(descriptor, expected + 1)
    while len(content) < expected and (more := os.read(descriptor, expected + 1 - len(content))):
        content += more
    return content


def _read(descriptor: int, wanted: int, end: int) -> memoryview:
    """Read so many bytes, or fewer if the file ends. Stop at the expected end, without a call to confirm it."""
    block, done = _buffer(), 0
    while done < wanted:
        count = os.readv(descriptor, [block[done:wanted]])
        done += count
        if not count or done == end:
            break
    return block[:done]


@functools.cache
def _buffer() -> memoryview:
    """The block into which a process reads large files. A new block for each read costs more than the read."""
    return memoryview(bytearray(BLOCK))
