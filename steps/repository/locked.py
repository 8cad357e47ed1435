"""Until when the store keeps what the newest backup needs: the lock that ends first decides.

Deduplication makes the newest backup depend on packs of old nights, whose locks end before its own. So the packs are
asked, and not the snapshot alone. An object without a lock among locked ones is a gap, because a thief deletes it.
"""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from steps import errors
from steps.contract.fetch_contract import LATEST
from steps.kubernetes import times
from steps.kubernetes.cluster import Cluster
from steps.process import interruption
from steps.repository import download, ledger, needed, origin, snapshots
from steps.repository.ledger import Lock
from steps.restic import bucket
from steps.restic.bucket import Bucket
from steps.restic.program import Restic

log = logging.getLogger(__name__)

UNKNOWN, UNLOCKED = "unknown", "not-locked"
_LIMIT_S = 1800.0  # of all requests; 10,000 packs take 20 seconds at 30 ms and 16 at a time
_LOOK_S = 0.5


def check(restic: Restic, cluster: Cluster) -> str:
    """Ask the store about the newest backup of this installation, and record it. Returns the time, or a word.

    What the store does not tell is no failure. The ledger then keeps what was known before.

    Raises:
        errors.Interrupted; as `ledger.note`

    """
    name = restic.store.name
    try:
        found = look(restic, Bucket(restic.store), origin.known(cluster))
    except errors.Interrupted:
        raise
    except errors.PhaseError as error:
        log.info("repository %s: %s", name, error)
        return UNKNOWN
    ledger.note_lock(cluster, name, found)
    log.info("repository %s: %s", name, found)
    return times.utc(found.until) if found.until else UNLOCKED


def look(restic: Restic, store: Bucket, own: str) -> Lock:
    """Return which lock ends first, of the objects that the newest backup of an origin needs.

    Raises:
        errors.LocksNotTold, errors.NoSnapshot, errors.OtherOrigins; errors of `endings.of`; errors.Interrupted

    """
    newest = download.choose(snapshots.every(restic), LATEST, own, store.name)
    store.locked_until("config")  # a store that does not tell is not asked about thousands
    places = needed.objects(restic, newest)
    found = [times.moment(each) for each in _asked(store, places) if each]
    locked = [each for each in found if each]
    return Lock(
        backup=newest.backup,
        checked=times.now(),
        until=min(locked, default=None),
        needed=len(places),
        lacking=len(places) - len(locked),
    )


def _asked(store: Bucket, places: Sequence[str]) -> Sequence[str]:
    """Ask about several objects at a time. The first refusal ends it."""
    pool, until, found = ThreadPoolExecutor(bucket.PARALLEL), time.monotonic() + _LIMIT_S, list[str]()
    try:
        left = {pool.submit(store.locked_until, each) for each in places}
        while left:
            interruption.point()
            if time.monotonic() > until:
                raise errors.LocksNotTold(store.name, f"the store answers too slowly for {len(places)} objects")
            done, left = wait(left, _LOOK_S, FIRST_EXCEPTION)
            found += [each.result() for each in done]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return found
