"""Forget snapshots: one at a time, by ID, the oldest first, and only while nothing speaks against it.

restic's own policy is never used, because it knows nothing of the rules that protect backups. `restic forget` also ends
well where the store refused to delete (restic 0.18), so the repository is read again afterwards.
"""

import logging
from collections.abc import Sequence

from steps import errors
from steps.kubernetes.cluster import Cluster
from steps.process import interruption
from steps.repository import ledger, snapshots
from steps.repository.kept import SHORT, Kept
from steps.repository.snapshots import Snapshot
from steps.restic import locks
from steps.restic.program import Restic

log = logging.getLogger(__name__)

AT_MOST = 200  # in one run; each is two calls of restic


def forget(restic: Restic, cluster: Cluster, kept: Kept) -> int:
    """Forget what was decided, and clean the ledger. Return how many snapshots are gone.

    Raises:
        errors.NotForgotten: the store refused it. Otherwise errors of `endings.of` and of `Cluster.patch`.

    """
    doomed = kept.doomed
    if len(doomed) > AT_MOST:
        log.info("left to the next run: %d, because a run forgets a limited number", len(doomed) - AT_MOST)
    tried, said = [], ""
    for each in doomed[:AT_MOST]:
        interruption.point()
        if reason := _reprieve(restic, cluster, each):
            log.info("%s: %s", _name(each), reason)
            continue
        tried.append(each)
        if said := _forget(restic, each):
            break
    return _look(restic, cluster, kept, tried, said)


def _forget(restic: Restic, snapshot: Snapshot) -> str:
    """Forget one snapshot. Return what the store said if it refused it."""
    try:
        locks.run(restic, "forget", snapshot.id)
    except errors.Final as error:  # another reason than a refusal shows again when the repository is read
        return str(error)
    return ""


def _reprieve(restic: Restic, cluster: Cluster, snapshot: Snapshot) -> str:
    """Return the reason to leave a snapshot alone now."""
    found = snapshots.every(restic, f"{snapshots.DIGEST}={snapshot.digest}")
    if snapshot.id not in {each.id for each in found}:
        return "already forgotten"
    return "kept: it was pinned meanwhile" if ledger.read(cluster, restic.store.name).of(snapshot.id).pinned else ""


def _look(restic: Restic, cluster: Cluster, kept: Kept, tried: Sequence[Snapshot], said: str) -> int:
    """Read which snapshots are gone, and remove them from the ledger."""
    left = {each.id for each in snapshots.every(restic)} if tried else set()
    gone = [each for each in tried if each.id not in left]
    for each in gone:
        log.info("%s: forgotten", _name(each))
    _clean(restic, cluster, [*(each.id for each in gone), *kept.vanished])
    if stay := [_name(each) for each in tried if each.id in left]:
        raise errors.NotForgotten(restic.store.name, stay, said)
    return len(gone)


def _clean(restic: Restic, cluster: Cluster, gone: Sequence[str]) -> None:
    """Remove the entries of the ledger that no snapshot has any more."""
    known = ledger.read(cluster, restic.store.name)
    for each in (each for each in gone if known.of(each).pinned):
        log.info("snapshot %s: pinned, and not in the repository any more", each[:SHORT])
    ledger.forget(cluster, restic.store.name, [each for each in gone if each in known.snapshots])


def _name(snapshot: Snapshot) -> str:
    return f"snapshot {snapshot.id[:SHORT]} of backup {snapshot.backup}"
