"""The nightly reading of a repository, and its results in the ledger: progress, damaged packs and snapshots.

A claim is never marked: the backup on it is whole. A damaged snapshot stays marked until all its bytes are read again
and agree.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from steps import errors
from steps.kubernetes.cluster import Cluster
from steps.repository import damage, ledger, reading_back, snapshots
from steps.repository.damage import NightlyShare
from steps.repository.snapshots import Snapshot
from steps.restic.program import Restic

log = logging.getLogger(__name__)


def read_share(restic: Restic, cluster: Cluster, nights: int) -> NightlyShare:
    """Read the next share of the data. The progress advances only after a share without damage.

    Raises:
        errors.SnapshotsDamaged: the snapshots that use damaged packs are marked.
        errors.RepositoryLocked: somebody prunes. Otherwise as `damage.look`.

    """
    name = restic.store.name
    share = NightlyShare.after(ledger.read(cluster, name).reading, nights)
    log.info("repository %s: reads share %s of the data", name, share)
    found = damage.look(restic, share)
    if not found:
        ledger.note_reading(cluster, name, str(share))
        return share
    log.info("repository %s: %s", name, found)
    ledger.note_damage(cluster, name, {}, found.packs, index=found.unindexed)  # first, in case the search is killed
    using = damage.users(restic, snapshots.every(restic), found)
    ledger.note_damage(cluster, name, {each.id: str(found) for each in using})
    raise errors.SnapshotsDamaged(name, str(found), [each.backup for each in using] or ["none"])


def reread(restic: Restic, cluster: Cluster, scratch: Path) -> None:
    """Read one damaged snapshot whole, after a repair, to see whether a push has brought its data back."""
    known = ledger.read(cluster, restic.store.name)
    if known.packs or known.index:
        return
    for each in snapshots.every(restic):
        if known.of(each.id).damaged:
            read_whole(restic, cluster, each, scratch)
            return


def read_whole(restic: Restic, cluster: Cluster, snapshot: Snapshot, scratch: Path) -> errors.Few:
    """Read every byte of a snapshot, and mark it as verified or damaged. Returns what is wrong.

    Raises:
        errors of `endings.of`, except for damage

    """
    name, short = restic.store.name, snapshot.short_id
    if wrong := errors.Few.of(reading_back.findings(restic, snapshot, scratch)):
        log.info("repository %s: snapshot %s is damaged: %s", name, short, wrong)
        ledger.note_damage(cluster, name, {snapshot.id: str(wrong)})
    else:
        log.info("repository %s: every byte of snapshot %s was read back and is correct", name, short)
        ledger.note_verified(cluster, name, snapshot.id)
    return wrong


def count(cluster: Cluster, repositories: Iterable[str]) -> int:
    """Return how many snapshots are marked as damaged."""
    return sum(len(ledger.read(cluster, each).damaged) for each in repositories)
