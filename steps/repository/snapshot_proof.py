"""Compares the tree of a snapshot with the manifest and the listing of its backup: names, kinds, sizes.

restic makes a snapshot even if it could not read a file. So a backup is in a repository only if this finds nothing.
Both sides are streams in one order, and nothing is kept. Targets of links are compared in folders with a name that is
not UTF-8, because only tree objects have them.
"""

from collections.abc import Iterable, Iterator

from steps.archive.contents import Backup
from steps.files.mtree import FILE, FOLDER, LINK
from steps.repository import merging, nodes, sealed_content
from steps.repository.nodes import Node, TreeOf

_WORDS = {FILE: "file", FOLDER: "folder", LINK: "link"}


def findings(backup: Backup, lines: Iterable[bytes], tree_of: TreeOf) -> Iterator[str]:
    """Yield what the snapshot lacks, has too much or has different, a line each, by its path in the snapshot.

    `lines` are those of `restic ls --json`; `tree_of` returns what `restic cat tree` prints for a folder.

    Raises:
        errors.ReadFailed: the claim can't be read.
        errors.BackupDamaged: its listing is damaged.
        errors.NoDigests: the operator made the backup.

    """
    expected = sealed_content.entries(backup)
    try:
        yield from _compared(expected, nodes.read(lines, tree_of))
    except ValueError as error:
        yield f"the list of the snapshot is invalid: {error}"


def _compared(expected: Iterable[Node], found: Iterator[Node]) -> Iterator[str]:
    for wanted, actual in merging.by_place(expected, found):
        if wanted and actual:
            if difference := _difference(wanted, actual):
                yield f"{wanted.path!r} {difference}"
        elif wanted:
            yield f"{wanted.path!r} is missing in the snapshot"
        elif actual:
            yield f"{actual.path!r} is in the snapshot, but not part of the backup"


def _difference(wanted: Node, actual: Node) -> str:
    if wanted.kind != actual.kind:
        return f"is a {_words(actual)} in the snapshot, but a {_words(wanted)} in the backup"
    if wanted.size != actual.size:
        return f"has {actual.size} bytes in the snapshot instead of {wanted.size}"
    if actual.target is not None and wanted.target is not None and wanted.target != actual.target:
        return "has a different target in the snapshot"
    return ""


def _words(of: Node) -> str:
    return _WORDS.get(of.kind, of.kind)
