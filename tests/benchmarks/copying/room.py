"""Whether the disk has room for the sets, for a backup of the largest and for a copy of that: asked before all else."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.copying import sets
from tests.benchmarks.copying.errors import NoRoom
from tests.benchmarks.copying.sets import Set

_BLOCK: Final = 4096  # what a file of 100 B takes


@dataclass(frozen=True, order=True)
class Weight:
    """What a set takes of a disk."""

    size_bytes: int = 0
    inodes: int = 0


def weigh(wanted: Set) -> Weight:
    """What it takes once it is made."""
    size_bytes, inodes, folders = 0, 0, set()
    for path, file_bytes in sets.lay(wanted):
        size_bytes += -(-file_bytes // _BLOCK) * _BLOCK
        inodes += 1
        folders.add(path.rpartition("/")[0])
    return Weight(size_bytes + len(folders) * _BLOCK, inodes + len(folders))


def check(wanted: Iterable[Set], volume: Path) -> None:
    """See that all of it fits.

    Raises:
        NoRoom

    """
    weights = {each: weigh(each) for each in wanted}
    made = [weight for each, weight in weights.items() if not (volume / each.folder).exists()]
    needed = [*made, *2 * [max(weights.values(), default=Weight())]]
    size_bytes, inodes = sum(weight.size_bytes for weight in needed), sum(weight.inodes for weight in needed)
    free = os.statvfs(volume)
    if size_bytes > free.f_bavail * free.f_frsize:
        raise NoRoom(volume, size_bytes / 2**20, free.f_bavail * free.f_frsize / 2**20, "MiB")
    if free.f_files and inodes > free.f_favail:  # some file systems make inodes as they need them, and say 0
        raise NoRoom(volume, inodes, free.f_favail, "files and folders")
