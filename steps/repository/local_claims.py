"""Whether the copy of a backup can take the place of its claim, and the reading that this needs.

A claim may go only if a whole copy of its backup lies in a repository of this installation, by the digest of the
manifest. Every byte of the copy was read back, and the ledger knows of no damage. Where the ledger knows of damaged
packs or of a damaged index, no copy of that repository counts until it is repaired.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from steps.catalogue import deletion
from steps.catalogue.catalogue import BackupEntry, BackupState
from steps.catalogue.deletion import CopiesAsked
from steps.catalogue.retention import Copies, Rules
from steps.kubernetes.cluster import Cluster
from steps.process import interruption
from steps.repository import damage_watch, kept, ledger, snapshots
from steps.repository.kept import SHORT, Looked
from steps.repository.ledger import Known, RepositoryLedger
from steps.repository.snapshots import Snapshot
from steps.restic.program import Restic

log = logging.getLogger(__name__)


@dataclass
class ReadBack:
    """How many copies were read back, how many are damaged, and how many are left to the next run."""

    whole: int = 0
    left: int = 0
    damaged: Sequence[tuple[str, str, str]] = ()  # repository, backup, what is wrong


def asked(opened: Sequence[Restic], cluster: Cluster, workflow_uid: str = "") -> CopiesAsked:
    """Return how a deletion asks the repositories. It is of the workflow with this uid."""
    return CopiesAsked(partial(copies, opened, cluster), partial(doubt, opened, cluster), workflow_uid)


def copies(opened: Sequence[Restic], cluster: Cluster, entries: Iterable[BackupEntry]) -> Copies:
    """Return what the repositories hold, beside the claims in `entries`.

    Raises:
        errors of `endings.of`: a repository can't be read, so nothing is known of any copy.

    """
    return _copies(_looked(opened, cluster), entries)


def doubt(opened: Sequence[Restic], cluster: Cluster, entry: BackupEntry) -> str:
    """Return why no copy can take the place of a claim at this moment, or an empty text.

    A restore that proved the claim then counts for the copy. Raises as `copies`.
    """
    for restic in opened:
        found = snapshots.every(restic, f"{snapshots.DIGEST}={entry.manifest_sha256}")
        known = ledger.read(cluster, restic.store.name)  # the last, because a verification may find damage meanwhile
        own = [each for each in found if _is_safe(each, known)]
        if safe := next((each for each in own if each.origin in kept.lines(cluster)), None):
            if proven := entry.proven and entry.proven.when:
                ledger.note(cluster, restic.store.name, safe.id, partial(_proven, proven))
            return ""
    return "its copy is no longer in a repository, or no longer known as read back whole"


def _proven(when: datetime, known: Known) -> Known:
    return known.model_copy(update={"proven": max(when, known.proven or when)})


def read_back(opened: Sequence[Restic], cluster: Cluster, rules: Rules, scratch: Path, until: float) -> ReadBack:
    """Read the copies of all claims that `keep-local` does not keep, the newest first. None begins after `until`.

    `until` is a time of the monotonic clock. Raises as `copies` and `Cluster.patch`.
    """
    done, looked = ReadBack(), _looked(opened, cluster)
    due = list(_due(cluster, rules, looked))
    for number, (restic, snapshot) in enumerate(due):
        interruption.point()
        if time.monotonic() > until:
            done.left = len(due) - number
            break
        if wrong := damage_watch.read_whole(restic, cluster, snapshot, scratch):
            done.damaged = [*done.damaged, (restic.store.name, snapshot.backup, str(wrong))]
        else:
            done.whole += 1
    return done


def _due(cluster: Cluster, rules: Rules, looked: Mapping[Restic, Looked]) -> Iterator[tuple[Restic, Snapshot]]:
    """Yield the copies that keep claims from going because nobody has read them back."""
    readable: dict[str, tuple[Restic, Snapshot]] = {}
    for restic, seen in looked.items():
        if not _is_broken(seen.known):
            for each in _whole(seen):
                if not seen.known.of(each.id).damaged:
                    readable.setdefault(each.digest, (restic, each))
    safe: Mapping[str, str] = {}

    def as_if_read(entries: Sequence[BackupEntry]) -> Copies:
        nonlocal safe
        found = _copies(looked, entries)
        safe = found.safe
        return Copies({**dict.fromkeys(readable, ""), **safe}, found.alone)

    going = deletion.judge(cluster, rules, CopiesAsked(as_if_read)).to_delete
    wanted = [each.manifest_sha256 for each in reversed(going) if each.state is BackupState.COMPLETE]
    yield from (readable[each] for each in dict.fromkeys(wanted) if each not in safe)


def _looked(opened: Sequence[Restic], cluster: Cluster) -> dict[Restic, Looked]:
    return {restic: kept.look(restic, cluster) for restic in opened}


def _copies(looked: Mapping[Restic, Looked], entries: Iterable[BackupEntry]) -> Copies:
    of_claims = {each.manifest_sha256 for each in entries if each.manifest_sha256}
    safe: dict[str, str] = {}
    alone: dict[str, BackupEntry] = {}
    for restic, seen in looked.items():
        for each in _whole(seen):
            if _is_safe(each, seen.known):
                safe.setdefault(each.digest, f"{restic.store.name}/{each.id[:SHORT]}")
        for entry in seen.entries:
            if entry.state is BackupState.COMPLETE and entry.manifest_sha256 not in of_claims:
                before = alone.get(entry.manifest_sha256)
                if before is None or before.damaged:  # a good copy in one of two repositories is enough
                    alone[entry.manifest_sha256] = entry
    return Copies(safe, list(alone.values()))


def _whole(seen: Looked) -> list[Snapshot]:
    """Return the snapshots of this installation that are whole."""
    return [each for each in seen.own if kept.is_good(each, seen.known)]


def _is_safe(snapshot: Snapshot, known: RepositoryLedger) -> bool:
    facts = known.of(snapshot.id)
    verified = facts.verified is not None and facts.damaged is None
    return verified and kept.is_good(snapshot, known) and not _is_broken(known)


def _is_broken(known: RepositoryLedger) -> bool:
    return bool(known.packs) or known.index
