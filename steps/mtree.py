r"""The listing of a file tree as a BSD mtree specification, so that a tool of the system can judge a backup.

Format: mtree(5) of NetBSD, one entry a line, its path from the root first. Bytes outside a plain set are written as
`\ooo`, which every mtree reads back by unvis(3), so that no name is too odd: blanks, newlines, bytes
that are no UTF-8.
"""

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

FILE = "file"
FOLDER = "dir"
LINK = "link"

_HEADER = "#mtree v2.0\n"
_PLAIN = re.compile(rb"[A-Za-z0-9._/+,:@%~^-]")
_ESCAPE = re.compile(r"\\([0-7]{3})")


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


def dump(entries: Iterable[Entry]) -> Iterator[str]:
    """Write a specification, a line at a time."""
    yield _HEADER
    yield ". type=dir\n"
    for entry in entries:
        yield _line(entry)


def parse(lines: Iterable[str]) -> Iterator[Entry]:
    """Read a specification as `dump` writes it.

    Raises:
        ValueError: a line is not of that form; its number is in the message.

    """
    for number, line in enumerate(lines, 1):
        if line.startswith(("#", ". ")):
            continue
        try:
            yield _entry(line)
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(f"line {number} can't be read") from error


def _line(entry: Entry) -> str:
    seconds, nanoseconds = divmod(entry.mtime_ns, 10**9)
    words = [
        f"./{_escape(entry.path)} type={entry.kind} mode={entry.mode:04o} uid={entry.uid} gid={entry.gid} "
        f"time={seconds}.{nanoseconds:09d}"
    ]
    if entry.kind == FILE:
        words.append(f"size={entry.size} sha256digest={entry.digest}")
    if entry.kind == LINK:
        words.append(f"link={_escape(entry.target)}")
    return " ".join(words) + "\n"


def _entry(line: str) -> Entry:
    path, *words = line.rstrip("\n").split(" ")
    if not path.startswith("./"):
        raise ValueError(path)
    facts = dict(word.split("=", 1) for word in words)
    seconds, nanoseconds = facts["time"].split(".")
    kind = facts["type"]
    if kind not in {FILE, FOLDER, LINK}:
        raise ValueError(kind)
    return Entry(
        path=_unescape(path[2:]),
        kind=kind,
        mode=int(facts["mode"], 8),
        uid=int(facts["uid"]),
        gid=int(facts["gid"]),
        mtime_ns=int(seconds) * 10**9 + int(nanoseconds),
        size=int(facts["size"]) if kind == FILE else 0,
        target=_unescape(facts["link"]) if kind == LINK else "",
        digest=facts["sha256digest"] if kind == FILE else "",
    )


def _escape(text: str) -> str:
    return "".join(chr(byte) if _PLAIN.match(bytes([byte])) else f"\\{byte:03o}" for byte in os.fsencode(text))


def _unescape(text: str) -> str:
    return os.fsdecode(_ESCAPE.sub(lambda found: chr(int(found[1], 8)), text).encode("latin-1"))
