"""What a snapshot of a sealed backup must hold: all that the manifest and the listing name, and no stranger."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from steps import errors
from steps.archive import layout, seal
from steps.archive.contents import Backup
from steps.archive.manifest import Manifest
from steps.files import beneath, mtree, volume
from steps.files.beneath import closed
from steps.files.mtree import FILE, FOLDER, LINK, Entry
from steps.repository.nodes import Node

_TREE = mtree.place(layout.TREE)
_OF_THE_CLAIM = (layout.MANIFEST, layout.SUMS, layout.BEGIN, layout.RESULT)  # the manifest lacks the size of some


class Totals(NamedTuple):
    """What the summary of a snapshot says: regular files, and their bytes."""

    files: int
    size_bytes: int


def entries(backup: Backup) -> Iterator[Node]:
    """All entries of a sealed backup, in the order of a snapshot. The listing is read while it is compared.

    Raises:
        errors.ReadFailed: the claim can't be read.
        errors.BackupDamaged: the listing is invalid, or differs from the manifest; at its end.

    """
    fixed = _fixed(backup)
    yield from (node for node in fixed if node.place <= _TREE)
    if facts := _sealed(backup).file_storage:
        yield from map(_of_tree, seal.listed(backup.root, facts.listing))
    yield from (node for node in fixed if node.place > _TREE)


def counts(backup: Backup) -> Totals:
    """What the summary of a complete snapshot says. Links, folders and unreadable files are not counted there.

    Raises:
        errors.ReadFailed: the claim can't be read.

    """
    files = [node for node in _fixed(backup) if node.kind == FILE]
    facts = _sealed(backup).file_storage
    own = Totals(len(files), sum(node.size for node in files))
    return Totals(own.files + facts.files, own.size_bytes + facts.size_bytes) if facts else own


def _sealed(backup: Backup) -> Manifest:
    if backup.manifest is None:
        raise errors.NoDigests(backup.name)
    return backup.manifest


def _of_tree(entry: Entry) -> Node:
    place = b"%b\0%b" % (_TREE, mtree.place(entry.path))
    return Node(place, entry.kind, entry.size, os.fsencode(entry.target) if entry.kind == LINK else None)


def _fixed(backup: Backup) -> list[Node]:
    """The entries outside the tree, in order. The manifest decides where it has a size, else the claim."""
    facts = _sealed(backup)
    try:
        found = _looked(backup.root, [*_OF_THE_CLAIM, *layout.FOLDERS, *_reports(backup.root)])
    except OSError as error:
        raise errors.ReadFailed([str(error.filename or backup.root)], os.strerror(error.errno or 0)) from error
    sizes = {path: digest.size for path, digest in facts.listed.items()}
    if facts.result:
        sizes[layout.RESULT] = facts.result.size
    if facts.file_storage:
        sizes[layout.LISTING] = facts.file_storage.listing.size
        found[layout.TREE] = _node(layout.TREE, FOLDER)
    else:
        found.pop(layout.TREE, None)
    found |= {str(above): _node(str(above), FOLDER) for path in sizes for above in PurePosixPath(path).parents[:-1]}
    found |= {path: _node(path, FILE, size) for path, size in sizes.items()}
    return sorted(found.values())


def _reports(root: Path) -> list[str]:
    if not volume.is_there(root, layout.REPORTS):
        return []
    with closed(volume.open_root(root)) as top, closed(beneath.open_folder(top, layout.REPORTS)) as folder:
        return [f"{layout.REPORTS}/{name}" for name in beneath.names(folder)]


def _looked(root: Path, paths: Iterable[str]) -> dict[str, Node]:
    """What the claim has at these paths."""
    looked = {path: volume.look(root, path) for path in paths}
    return {path: _node(path, _kind(found), found.st_size) for path, found in looked.items() if found}


def _kind(found: os.stat_result) -> str:
    kinds = {stat.S_IFREG: FILE, stat.S_IFDIR: FOLDER, stat.S_IFLNK: LINK}
    return kinds.get(stat.S_IFMT(found.st_mode), "special file")


def _node(path: str, kind: str, size: int = 0) -> Node:
    return Node(mtree.place(path), kind, size if kind == FILE else 0)
