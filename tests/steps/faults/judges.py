"""What tests of faults look at when a phase has ended."""

import os

from steps import mtree, tree, volume

FULL = (  # the sentence of a volume that fills up amid the work: that of one that was refused before
    r"no space for \S+/{}: \d+ bytes are needed, \d+ bytes are free, so inodes or a quota ran out; use a larger claim"
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
    names = set(os.listdir(root)) - {volume.MANIFEST}
    return names, (root / volume.LISTING).read_bytes(), restored(root / volume.TREE)


def restored(target):
    """All that a restore leaves on the claim."""
    return list(tree.scan(target, digests=True))


def is_as_listed(root):
    """Whether the copy holds what its listing says."""
    with (root / volume.LISTING).open(encoding="ascii") as lines:
        return not list(tree.compare(mtree.parse(lines), root / volume.TREE, digests=True))
