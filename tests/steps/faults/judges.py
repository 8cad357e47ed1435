"""What tests of faults look at when a phase has ended."""

import os

from steps.archive import layout
from steps.files import comparison, mtree, scanning

FULL = (  # the sentence of a volume that fills up amid the work: that of one that was refused before
    r"There is not enough space for \S+/{}, \d+ bytes are needed\. "
    r"The volume has \d+ bytes free, so inodes or a quota ran out\. Use a larger claim\."
)


def contents(folder):
    """The bytes of all files, whatever they are called."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def without(path, folder):
    """The bytes of all files but one, or but those of a folder."""
    return {name: data for name, data in contents(folder).items() if not f"{name}/".startswith(f"{path}/")}


def saved(root):
    """All that a save leaves on the volume."""
    names = set(os.listdir(root)) - {layout.MANIFEST}
    return names, (root / layout.LISTING).read_bytes(), restored(root / layout.TREE)


def restored(target):
    """All that a restore leaves on the claim."""
    return list(scanning.scan(target, digests=True))


def is_as_listed(root):
    """Whether the copy holds what its listing says."""
    with (root / layout.LISTING).open(encoding="ascii") as lines:
        return not list(comparison.compare(mtree.parse(lines), root / layout.TREE, digests=True))
