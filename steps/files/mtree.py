r"""The listing of a file tree as a BSD mtree specification, so that a system tool can verify a backup.

Format: mtree(5) of NetBSD, one entry a line, its path from the root first. Unusual bytes are written as `\ooo`,
which every mtree decodes by unvis(3). So any name can be listed: with blanks, newlines, or bytes that are not UTF-8.

By hand: on PyPI only bindings of libarchive write mtree, and libarchive is not in the image. It writes no `tags`, and
computes digests only from content that it reads again.
"""

import functools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from steps.files.beneath import closed, open_file

FILE = "file"
FOLDER = "dir"
LINK = "link"

_HEADER = "#mtree v2.0\n"
_ODD = re.compile(rb"[^A-Za-z0-9._/+,:@%~^-]")
_PLAIN = re.compile(r"[A-Za-z0-9._/+,:@%~^-]*")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_NAMES = "names:"  # a tag: mtree would compare `nlink` with the copy, where each name is a file of its own
_LINE = re.compile(
    r"\./(\S+) (type=(?:file|dir|link) mode=[0-7]+ uid=\d+ gid=\d+) time=(-?\d+)\.(\d{9})"
    rf"(?:(?: size=(\d+) sha256digest=(\S*)(?: tags={_NAMES}(\d+))?| link=(\S*)))?\n?",
    re.ASCII,
)
_NAME = r"(?=\S)[^\\\s]*(?:\\(?!000)[0-3][0-7]{2}[^\\\s]*)*"  # no name has a NUL
_SEALED = re.compile(
    rf"\./{_NAME} (type=(?:(f)ile|(l)ink|dir) mode=[0-7]{{4,7}} uid=\d{{1,10}} gid=\d{{1,10}})"
    r" time=-?\d{1,18}\.\d{9}"
    rf"(?(2) size=\d{{1,19}} sha256digest=[0-9a-f]{{64}}(?: tags={_NAMES}\d{{1,10}})?)(?(3) link={_NAME})\n?",
    re.ASCII,
)
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
_NO_ENTRY = ("#", ". ")
_ODD_PARTS = frozenset({"", ".", ".."})  # not allowed in a path, which has one spelling and stays below the root
_NEAR_ODD_PARTS = ("/.", "//", "/ ", "\\")  # a quick test: each line with such a part has one of these
_IS_FOLDER = f"type={FOLDER} "
_LARGEST_ID = (1 << 32) - 2  # the next one is -1, which means none
_NEAR_BYTES = 4096  # a part of a listing of this size is read in order, not halved


class Entry(NamedTuple):
    """One entry of a tree; the path is relative to the root, with undecodable bytes as surrogates (PEP 383)."""

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int = 0
    target: str = ""
    digest: str = ""
    names: int = 1  # of a file: hard links

    @property
    def name(self) -> str:
        """Its name in its folder."""
        return self.path.rpartition("/")[2]


def dump(lines: Iterable[str]) -> Iterator[str]:
    """Yield a specification, made of the lines of its entries."""
    yield _HEADER
    yield ". type=dir\n"
    yield from lines


def parse(lines: Iterable[str]) -> Iterator[Entry]:
    """Read a specification as `dump` writes it.

    Raises:
        ValueError: a line is not of that form; its number is in the message.

    """
    for number, line in enumerate(lines, 1):
        if line.startswith(_NO_ENTRY):
            continue
        try:
            yield entry(line)
        except ValueError as error:
            raise ValueError(f"line {number} can't be read") from error


def of_entries(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a specification that are entries."""
    return (line for line in lines if not line.startswith(_NO_ENTRY))


def head(line: str) -> tuple[str, bool]:
    """The path of a line's entry, and whether it is a folder. This takes a third of the time of `entry`."""
    path, _, rest = line.partition(" ")
    path = path.removeprefix("./")
    return _unescape(path) if "\\" in path else path, rest.startswith(_IS_FOLDER)


def place(path: str) -> bytes:
    """A sort key for paths: the order of a listing, name after name by their bytes."""
    return path.replace("/", "\0").encode(_ENCODING, _ERRORS)  # as os.fsencode, in half its time


def find(listing: Path, folder: str, names: Sequence[str]) -> dict[str, Entry]:
    """Look up some names of a folder in a specification. The names are in order, with no folder between them.

    The file may be incomplete and end anywhere. Then only its complete lines are searched.

    Raises:
        OSError
        ValueError: a line is not of the form that `dump` writes.

    """
    above = f"{folder}/" if folder else ""
    first, last = place(above + names[0]), place(above + names[-1])
    wanted, found = set(names), {}
    with closed(os.open(listing.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as root:
        descriptor = open_file(root, listing.name)
    with os.fdopen(descriptor, "rb") as stream:
        _seek(stream, first)
        for entry in parse(_whole_lines(stream)):
            if place(entry.path) > last:
                break
            within, _, name = entry.path.rpartition("/")
            if within == folder and name in wanted:
                found[name] = entry
    return found


def _seek(stream: BinaryIO, wanted: bytes) -> None:
    """Seek to a line not far before the first wanted one. No line before it is wanted."""
    low, high = 0, stream.seek(0, os.SEEK_END)
    while high - low > _NEAR_BYTES:
        middle = stream.seek((low + high) // 2)
        stream.readline()
        start, line = stream.tell(), stream.readline()
        if start >= high or not line.endswith(b"\n") or _place_of(line) >= wanted:
            high = middle
        else:
            low = start
    stream.seek(low)


def _place_of(line: bytes) -> bytes:
    """The place of a line's entry. Other lines come before all entries."""
    path, _, _ = line.decode("ascii").partition(" ")
    return place(_unescape(path[2:])) if path.startswith("./") else b""


def _whole_lines(stream: BinaryIO) -> Iterator[str]:
    return (line.decode("ascii") for line in stream if line.endswith(b"\n"))


def check(line: str) -> None:
    """Check that a line is a valid entry of a tree. A file must have a digest.

    Raises:
        ValueError

    """
    found = _SEALED.fullmatch(line)
    if found is None or (any(sign in line for sign in _NEAR_ODD_PARTS) and not _ODD_PARTS.isdisjoint(_parts(line))):
        raise ValueError(line)
    _facts(found[1])


def _parts(line: str) -> list[str]:
    return head(line)[0].split("/")


def line(of: Entry) -> str:
    """The line of an entry."""
    path, kind, mode, uid, gid, mtime_ns, size, target, digest, names = of
    seconds, nanoseconds = divmod(mtime_ns, 10**9)
    of_its_kind = ""
    if kind == FILE:
        of_its_kind = f" size={size} sha256digest={digest}"
    elif kind == LINK:
        of_its_kind = f" link={_escape(target)}"
    tags = f" tags={_NAMES}{names}" if names > 1 else ""
    return (
        f"./{_escape(path)} type={kind} mode={mode:04o} uid={uid} gid={gid} time={seconds}.{nanoseconds:09d}"
        f"{of_its_kind}{tags}\n"
    )


def entry(line: str) -> Entry:
    """Read a line as `line` writes it.

    Raises:
        ValueError: it is not of that form.

    """
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(line)
    path, facts, seconds, nanoseconds, size, digest, names, target = found.groups("")
    if "\\" in line:
        path, target = _unescape(path), _unescape(target)
    mtime_ns = int(seconds) * 10**9 + int(nanoseconds)
    return Entry(path, *_facts(facts), mtime_ns, int(size) if size else 0, target, digest, int(names) if names else 1)


@functools.lru_cache
def _facts(text: str) -> tuple[str, int, int, int]:
    """Read kind, mode, owner and group. The result is cached, because many entries share them."""
    kind, mode, uid, gid = (word.partition("=")[2] for word in text.split(" "))
    if max(int(uid), int(gid)) > _LARGEST_ID:
        raise ValueError(text)
    return kind, int(mode, 8), int(uid), int(gid)


def _escape(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return _ODD.sub(lambda found: b"\\%03o" % ord(found[0]), os.fsencode(text)).decode("ascii")


def _unescape(text: str) -> str:
    return os.fsdecode(_ESCAPE.sub(lambda found: chr(int(found[1], 8)), text).encode("latin-1"))
