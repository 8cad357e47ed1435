"""Reads the nodes of a snapshot from restic's output, with the bytes of each name.

`restic ls --json` lists folder after folder, the names of each by their bytes: the order of a backup's listing. It
replaces bytes that are not UTF-8 by U+FFFD. Then the names come from the tree object of the folder, in the same order.
There restic quotes them as Go's `strconv.Quote`.
"""

import base64
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from steps.files.mtree import FILE, FOLDER, LINK

TreeOf = Callable[[bytes], bytes]  # `restic cat tree` of a folder, by its path in the snapshot

_KINDS = {"file": FILE, "dir": FOLDER, "symlink": LINK}
_REPLACED = "\ufffd"
_LONE = re.compile("[\udc80-\udcff]")
_QUOTED = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)
_SIGNS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


class Node(NamedTuple):
    """An entry of a snapshot. `place` is its path without the first slash, as `mtree.place` makes it.

    The size is that of a file in bytes; the target is that of a link, None if it is unknown.
    """

    place: bytes
    kind: str
    size: int = 0
    target: bytes | None = None

    @property
    def path(self) -> str:
        """Its absolute path in the snapshot; undecodable bytes are surrogates."""
        return "/" + os.fsdecode(self.place.replace(b"\0", b"/"))


class _Exact(NamedTuple):
    """What the tree object of a folder says of a node."""

    name: bytes
    target: bytes | None


class _Folder:
    """A folder whose nodes are being read. `shown` is its path in the listing of restic."""

    __slots__ = ("_exact", "_next", "_place", "shown")

    def __init__(self, place: bytes, shown: str) -> None:
        self.shown = shown
        self._place = place
        self._exact: list[_Exact] | None = None
        self._next = 0

    def node(self, facts: dict[str, Any], tree_of: TreeOf) -> Node:
        """The next node of this folder."""
        name = facts["name"]
        if facts["path"] != f"{self.shown}/{name}" or "/" in name or not name:
            raise ValueError(facts["path"])
        if _REPLACED in name and self._exact is None:
            self._exact = _tree(tree_of(b"/" + self._place.replace(b"\0", b"/")))
        exact = _Exact(name.encode(), None) if self._exact is None else self._exact[self._next]
        self._next += 1
        if self._exact is not None and _as_listed(exact.name) != name:
            raise ValueError(facts["path"])
        place = b"%b\0%b" % (self._place, exact.name) if self._place else exact.name
        kind = _KINDS.get(facts["type"], facts["type"])
        size = int(facts.get("size", 0)) if kind == FILE else 0
        return Node(place, kind, size, exact.target)


def read(lines: Iterable[bytes], tree_of: TreeOf) -> Iterator[Node]:
    """Read the lines of `restic ls --json`. Only the folders above the current node are kept.

    A folder with a name that is not UTF-8 costs a call of `tree_of`, and memory for its tree object.

    Raises:
        ValueError: a line or a tree object is not of restic's form; the number of the line is in the message.

    """
    folders = [_Folder(b"", "")]
    for number, line in enumerate(lines, 1):
        try:
            facts = json.loads(line)
            if facts["struct_type"] == "snapshot":
                continue
            shown = facts["path"]
            del folders[shown.count("/") :]
            node = folders[-1].node(facts, tree_of)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"line {number} can't be read") from error
        if node.kind == FOLDER:
            folders.append(_Folder(node.place, shown))
        yield node


def _tree(data: bytes) -> list[_Exact]:
    """The nodes of a tree object. Each is reduced while it is read, because a folder may have many."""
    found = json.loads(data, object_hook=_reduced)
    if not isinstance(found, list):
        raise TypeError(type(found))
    return found


def _reduced(facts: dict[str, Any]) -> Any:
    if "nodes" in facts:
        return facts["nodes"]
    return _Exact(_unquoted(facts["name"]), _target(facts)) if "type" in facts else None


def _target(facts: dict[str, Any]) -> bytes | None:
    """The target of a link; one that is not UTF-8 is in base64."""
    if raw := facts.get("linktarget_raw"):
        return base64.b64decode(raw)
    target = facts.get("linktarget")
    return None if target is None else target.encode()


def _unquoted(text: str) -> bytes:
    r"""Undo `strconv.Quote`: \xNN is a byte, \uNNNN and \UNNNNNNNN are characters."""
    return _QUOTED.sub(_sign, text).encode(errors="surrogateescape")


def _sign(found: re.Match[str]) -> str:
    byte, short, long, sign = found.groups()
    if byte:
        code = int(byte, 16)
        return chr(code) if code < 0x80 else chr(0xDC00 + code)  # PEP 383
    return _SIGNS[sign] if sign else chr(int(short or long, 16))


def _as_listed(name: bytes) -> str:
    """A name as `restic ls --json` shows it: U+FFFD for each byte that is not UTF-8."""
    return _LONE.sub(_REPLACED, name.decode(errors="surrogateescape"))
