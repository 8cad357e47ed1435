"""What becomes of a backup's volume: any byte, name, kind or size of what lies on it, and its seal made to fit."""

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from steps.archive import layout

HUGE_BYTES = 4 << 30
LONG_BYTES = 8 << 20  # of a file in the tree, all bytes of which are read
_SMALL = 4 << 20
ODD = ["two\nlines", "\x1b[2J", "caf\udce9", "-rf", " ", "a" * 255, ".threescale-backup-x", "..x", "lost+found", ".zfs"]
VALUES: list[Any] = [
    *(None, True, 0, -1, 1 << 63, 10**400, 1.5, float("inf"), "", "x", "two\nlines\x1b[2J", "\ud800", "\0", "../../x"),
    *([], {}, [[]], [None], {"a": 1}, {"name": []}, {"": {"": None}}, "0001-01-01T00:00:00+14:00", "1e99999999"),
]
PATHS = [
    "./..",
    "./../x",
    "/x",
    ".//x",
    "./a/../../x",
    "./",
    "./\\000",
    "./\\777",
    "./a\\057..\\057x",
    "./" + "x/" * 999,
]
NUMBERS = ["-1", "9" * 19, "9" * 5000, "4294967295", "", "x", "99999999999"]


class Mutation(NamedTuple):
    """What is done, to which of the entries of a volume, and two numbers that say where or with what."""

    how: str
    entry: int
    number: int
    more: int


class Place(NamedTuple):
    """An entry of a volume, its root, and what lies outside."""

    root: Path
    at: Path
    outside: Path


def apply(root: Path, outside: Path, mutations: list[Mutation], *, sealed: bool) -> None:
    """Change a volume; `sealed` makes the digests fit again, as whoever writes the volume can."""
    for how, entry, number, more in mutations:
        entries = sorted(path for path in root.rglob("*") if path.name != "stranger")
        if not entries:
            return
        place = Place(root, entries[entry % len(entries)], outside)
        if how in _OF_LISTING:
            place = place._replace(at=root / layout.LISTING)
        MUTATIONS[how](place, number, more)
    if sealed:
        seal(root)


def seal(root: Path) -> None:
    """Make digests and sums fit what lies there, where there is a manifest that can say so."""
    try:
        found = json.loads((root / layout.MANIFEST).read_bytes()) if _is_small(root / layout.MANIFEST) else None
        found["objects"] = {path: _digest(root / path) or digest for path, digest in found["objects"].items()}
        found["result"] = _digest(root / layout.RESULT) or found["result"]
        found["file_storage"]["listing"] = _digest(root / layout.LISTING) or found["file_storage"]["listing"]
        sums = {path: each["sha256"] for path, each in found["objects"].items()}
        sums |= {layout.RESULT: found["result"]["sha256"], layout.LISTING: found["file_storage"]["listing"]["sha256"]}
        text = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(sums.items()))
        data = (json.dumps(found, indent=4, sort_keys=True) + "\n").encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OSError):
        return  # it says nothing of the kind any more
    for name, content in ((layout.SUMS, text.encode(errors="replace")), (layout.MANIFEST, data)):
        if not (root / name).exists() or _is_small(root / name):
            (root / name).write_bytes(content)


def _is_small(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size < _SMALL


def _digest(path: Path) -> dict[str, Any] | None:
    if not _is_small(path):
        return None
    data = path.read_bytes()
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


# --- bytes ---


def _edit(place: Place, data: bytes) -> None:
    place.at.write_bytes(data)


def _of_bytes(change: Any) -> Any:
    """A change of a file's bytes; other entries stay as they are."""

    def mutate(place: Place, number: int, more: int) -> None:
        if _is_small(place.at):
            data = place.at.read_bytes()
            place.at.write_bytes(change(data, number % (len(data) + 1), more))

    return mutate


def _huge(place: Place, _number: int, _more: int) -> None:
    if _is_small(place.at):
        is_of_tree = place.at.relative_to(place.root).parts[0] == layout.TREE
        os.truncate(place.at, LONG_BYTES if is_of_tree else HUGE_BYTES)


# --- JSON ---


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _of_json(change: Any) -> Any:
    """A change of a place in a JSON document; other entries stay as they are."""

    def mutate(place: Place, number: int, more: int) -> None:
        try:
            found = json.loads(place.at.read_bytes()) if _is_small(place.at) else None
            places = list(_places(found))
        except (ValueError, RecursionError):
            return
        if places:
            change(*places[number % len(places)], more)
            place.at.write_text(json.dumps(found, indent=4))

    return mutate


def _set(holder: Any, key: Any, more: int) -> None:
    holder[key] = VALUES[more % len(VALUES)]


def _drop(holder: Any, key: Any, _more: int) -> None:
    del holder[key]


def _call(holder: Any, key: Any, more: int) -> None:
    value = holder[key]
    if isinstance(holder, dict):
        del holder[key]
        holder[["two\nlines\x1b[2J", "\ud800", "../x", "/etc/passwd", "", "\0", "x" * 5000][more % 7]] = value


# --- kinds and names ---


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _another_kind(place: Place, number: int, more: int) -> None:
    _remove(place.at)
    _make(place, place.at, number, more)


def _make(place: Place, at: Path, number: int, more: int) -> None:
    """Make an entry that is no regular file, or one that nobody knows."""
    match number % 6:
        case 0:
            at.symlink_to([place.outside, place.outside / "file", "..", "nowhere", "/dev/zero"][more % 5])
        case 1:
            os.mkfifo(at)
        case 2:
            at.mkdir()
        case 3:
            with socket.socket(socket.AF_UNIX) as stream:
                here = os.open(at.parent, os.O_RDONLY)
                stream.bind(f"/proc/self/fd/{here}/{at.name}"[:107])
                os.close(here)
        case 4:
            at.write_bytes(b"{}")
        case 5:
            at.mkdir()
            (at / "stranger").symlink_to(place.outside)


def _stranger(place: Place, number: int, more: int) -> None:
    folder = place.at if place.at.is_dir() and not place.at.is_symlink() else place.at.parent
    at = folder / ODD[more % len(ODD)]
    if not os.path.lexists(at):
        _make(place, at, number if len(os.fsencode(at.name)) < 60 else number % 3, more)


def _rename(place: Place, _number: int, more: int) -> None:
    at = place.at.with_name(ODD[more % len(ODD)])
    if not os.path.lexists(at):
        place.at.rename(at)


def _swap(place: Place, number: int, _more: int) -> None:
    files = sorted(path for path in place.root.rglob("*") if _is_small(path))
    if files and _is_small(place.at):
        other = files[number % len(files)]
        ours, theirs = place.at.read_bytes(), other.read_bytes()
        place.at.write_bytes(theirs)
        other.write_bytes(ours)


# --- the listing ---


def _of_lines(change: Any) -> Any:
    """A change of a line of the listing, where there is one."""

    def mutate(place: Place, number: int, more: int) -> None:
        if _is_small(place.at):
            lines = place.at.read_bytes().decode("latin-1").splitlines(keepends=True)
            at = number % (len(lines) or 1)
            place.at.write_bytes("".join([*lines[:at], *change(lines[at:], more)]).encode("latin-1"))

    return mutate


def _lead_away(lines: list[str], more: int) -> list[str]:
    _, blank, rest = lines[0].partition(" ") if lines else ("", "", "")
    return [f"{PATHS[more % len(PATHS)]}{blank}{rest}", *lines[1:]]


def _count_oddly(lines: list[str], more: int) -> list[str]:
    words = lines[0].split(" ") if lines else [""]
    at = (more // len(NUMBERS)) % len(words)
    name, equals, _ = words[at].partition("=")
    end = "\n" if words[at].endswith("\n") else ""
    words[at] = f"{name}{equals}{NUMBERS[more % len(NUMBERS)]}{end}"
    return [" ".join(words), *lines[1:]]


MUTATIONS = {
    "flip": _of_bytes(
        lambda data, at, more: data[:at] + bytes(b ^ (1 << more % 8) for b in data[at:][:1]) + data[at + 1 :]
    ),
    "insert": _of_bytes(lambda data, at, more: data[:at] + bytes([more % 256]) + data[at:]),
    "delete": _of_bytes(lambda data, at, more: data[:at] + data[at + 1 + more % 9 :]),
    "truncate": _of_bytes(lambda data, at, _more: data[:at]),
    "double": _of_bytes(lambda data, _at, _more: data * 2),
    "empty": _of_bytes(lambda _data, _at, _more: b""),
    "deep": _of_bytes(lambda _data, _at, more: [b"[" * 100_000, b"[" * 900 + b"]" * 900, b'{"a":' * 100_000][more % 3]),
    "huge": _huge,
    "set": _of_json(_set),
    "nest": _of_json(
        lambda holder, key, more: holder.__setitem__(key, json.loads("[" * (more % 700) + "]" * (more % 700) or "0"))
    ),
    "drop": _of_json(_drop),
    "call": _of_json(_call),
    "another kind": _another_kind,
    "stranger": _stranger,
    "rename": _rename,
    "remove": lambda place, _number, _more: _remove(place.at),
    "swap": _swap,
    "lead away": _of_lines(_lead_away),
    "count oddly": _of_lines(_count_oddly),
    "twice": _of_lines(lambda lines, _more: [*lines[:1], *lines]),
    "out of order": _of_lines(lambda lines, _more: [*lines[1:2], *lines[:1], *lines[2:]]),
    "no line": _of_lines(lambda lines, _more: lines[1:]),
}
_OF_LISTING = ("lead away", "count oddly", "twice", "out of order", "no line")
