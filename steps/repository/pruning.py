"""Free the room that no snapshot needs, and take damaged packs out of a repository.

While the index names a damaged pack, restic believes that its data is there, and no push uploads it again. After a
repair nothing is pruned, because restic refuses to prune where data is missing. The next push heals what it can.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from steps import errors
from steps.kubernetes.cluster import Cluster
from steps.repository import ledger
from steps.restic import locks
from steps.restic.program import Restic

log = logging.getLogger(__name__)

_AT_ONCE = 100  # packs in one call; the arguments of a process have limited room


def prune(restic: Restic, cluster: Cluster, scratch: Path) -> int:
    """Repair the repository if packs are damaged, otherwise prune it. Return how many packs were taken out.

    `scratch`: the folder in which restic runs. It leaves copies of damaged packs there.

    Raises:
        errors.MayNotPrune: the credentials may not delete. Otherwise errors of `endings.of` and of `Cluster.patch`.

    """
    name = restic.store.name
    found = ledger.read(cluster, name)
    try:
        if not found.packs and not found.index:
            _run(restic, "prune")
            return 0
        repair(restic, found.packs, scratch, index=found.index)
    except errors.StoreRefused as error:
        raise errors.MayNotPrune(name, str(error)) from error
    ledger.repaired(cluster, name, found.packs)
    log.info("repository %s: not pruned, until the next push has uploaded the lost data again", name)
    return len(found.packs)


def repair(restic: Restic, packs: Sequence[str], scratch: Path, *, index: bool = False) -> None:
    """Take packs out of the index. What can still be read of them is kept. `index`: it lacks blobs.

    Raises:
        errors of `endings.of`

    """
    present = {line.decode().strip() for line in restic.lines("list", "packs", "--no-lock")}
    damaged = [each for each in packs if each in present]
    for start in range(0, len(damaged), _AT_ONCE):
        _run(restic, "repair", "packs", *damaged[start : start + _AT_ONCE])
    for copy in scratch.glob("pack-*"):
        copy.unlink()
    missing = len(packs) - len(damaged)
    if missing or index:
        _run(restic, "repair", "index")
    log.info("repository %s: %d damaged and %d missing packs taken out", restic.store.name, len(damaged), missing)


def _run(restic: Restic, *words: str) -> None:
    for line in locks.lines(restic, *words):
        log.info(restic.store.masked(line.decode(errors="replace")).strip())
