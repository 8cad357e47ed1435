"""Lists the names in a folder, and describes the entries of these names."""

import os
import stat
from collections.abc import Collection
from typing import NamedTuple

from steps.files import volume
from steps.files.beneath import unlisted
from steps.files.mtree import FILE, FOLDER, LINK, Entry
from steps.files.tally import Doubt, Taken

KINDS = {stat.S_IFREG: FILE, stat.S_IFDIR: FOLDER, stat.S_IFLNK: LINK}


class Leaf(NamedTuple):
    """A name in a folder, and its kind by the folder; empty for other kinds, or if the folder does not say."""

    name: str
    kind: str


def names_in(folder: int) -> frozenset[str]:
    """All names in an opened folder."""
    with os.scandir(folder) as names:
        listed = [item.name for item in names]
    return frozenset([*listed, *unlisted(folder, listed)])


def join(folder: str, name: str) -> str:
    """The path of a name in a folder. The path of the root is empty."""
    return f"{folder}/{name}" if folder else name


def found_in(folder: int, path: str, passed_over: Collection[str] = volume.NO_CONTENT) -> list[Leaf]:
    """The names in a folder, in the order of the folder; at the root without those in `passed_over`."""
    with os.scandir(folder) as names:
        listed = [Leaf(item.name, _kind(item)) for item in names]
    found = dict(listed)  # a name that is listed twice is one
    found.update(dict.fromkeys(unlisted(folder, [leaf.name for leaf in listed]), ""))
    return [Leaf(name, kind) for name, kind in found.items() if path or name not in passed_over]


def leaves(folder: int, path: str, passed_over: Collection[str] = volume.NO_CONTENT) -> list[Leaf]:
    """The names in a folder, sorted by their bytes; at the root without those in `passed_over`."""
    found = found_in(folder, path, passed_over)
    if "".join([leaf.name for leaf in found]).isascii():
        return sorted(found)  # characters and bytes have one order then
    return sorted(found, key=lambda leaf: os.fsencode(leaf.name))


def _kind(item: os.DirEntry[str]) -> str:
    """The kind by the folder, which costs nothing on most file systems. Others read the entry, which may fail."""
    try:
        if item.is_file(follow_symlinks=False):
            return FILE
        if item.is_dir(follow_symlinks=False):
            return FOLDER
        return LINK if item.is_symlink() else ""
    except OSError:
        return ""


def describe(path: str, found: os.stat_result, *, target: str = "", digest: str = "") -> Entry:
    """The entry of a file, folder or link, made from its status."""
    kind = KINDS[stat.S_IFMT(found.st_mode)]
    size, names = (found.st_size, found.st_nlink) if kind == FILE else (0, 1)
    mode = stat.S_IMODE(found.st_mode)
    return Entry(path, kind, mode, found.st_uid, found.st_gid, found.st_mtime_ns, size, target, digest, names)


def look(here: int, path: str, name: str, kind: str) -> Taken:
    """Describe the entry of a name in a folder, if it has the kind that the folder said.

    Raises:
        OSError

    """
    found = os.stat(name, dir_fd=here, follow_symlinks=False)
    if KINDS.get(stat.S_IFMT(found.st_mode)) != kind:
        return Doubt(path)
    return describe(path, found, target=os.readlink(name, dir_fd=here) if kind == LINK else "")
