"""Which snapshots are kept: the copies of backups as the catalogue's entries, decided by the same code as claims.

The snapshots of the own origin and of adopted ones are one line. Those of other origins are counted and never touched.
A snapshot that is not whole, and not proved, is what a failed run has left: it counts for no rule.

A snapshot has the time of its backup. If that time is later than the push, the clock of the backup was ahead. So the
time of the push stands beside it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from steps import errors
from steps.catalogue import catalogue, retention
from steps.catalogue.catalogue import OURS, BackupEntry, BackupState, Proof
from steps.catalogue.durations import Duration
from steps.catalogue.retention import Decision, Rules, Verdict, Words
from steps.contract.prune_contract import RulesAsked
from steps.kubernetes.cluster import Cluster
from steps.repository import ledger, origin, snapshots
from steps.repository.ledger import RepositoryLedger
from steps.repository.snapshots import Snapshot
from steps.restic.program import Restic

SHORT = 8  # characters of an ID that people see
_A_DAY = Duration.read("1d", "")
_WORDS = Words(
    left="not whole and not proved, and older than a day",
    server="the newest by the clock of its push",
    by_hand="restic forget {0.uid}",
)


def rules(asked: RulesAsked) -> Rules:
    """Parse the rules for snapshots. Raises as `Rules.of`."""
    return replace(Rules.of(asked), failed_after=_A_DAY, words=_WORDS)


@dataclass(frozen=True)
class Kept:
    """What is decided of a repository. `members`: the snapshots of one backup by the ID of the one that counts."""

    decision: Decision
    members: Mapping[str, Sequence[Snapshot]]
    others: Sequence[Snapshot]  # of other origins
    vanished: Sequence[str]  # IDs that the ledger knows and the repository does not

    @property
    def doomed(self) -> list[Snapshot]:
        """The snapshots to forget, the oldest first."""
        return [each for entry in self.decision.to_delete for each in self.members[entry.uid]]

    def text(self) -> Iterator[str]:
        """Yield the verdicts, and a line for each other origin."""
        yield from self.decision.text()
        for told, found in groupby(sorted(self.others, key=_line), key=_line):
            every = list(found)
            added = sum(each.added_bytes or 0 for each in every)
            yield errors.printable(f"not touched: {len(every)} snapshots of {told}, which added {added} bytes")


def judge(restic: Restic, cluster: Cluster, rules: Rules, now: datetime, claims: Collection[str] = ()) -> Kept:
    """Decide of all snapshots of a repository. Those of backups with these digests are kept: their claims need them.

    The ledger is read before the repository, so that a snapshot of a push beside this run does not seem to be gone.

    Raises:
        errors of `endings.of` and of `Cluster.get`: nothing is decided.

    """
    seen = look(restic, cluster)
    entries = seen.entries
    decision = retention.decide(entries, rules, now, catalogue.failed_run(cluster, entries))
    verdicts = [_held(each) if each.entry.manifest_sha256 in claims else each for each in decision.verdicts]
    ids = {each.id for each in [*seen.own, *seen.others]}
    # if no snapshot is ours, it is another repository
    vanished = [each for each in seen.known.snapshots if each not in ids] if seen.own else []
    return Kept(replace(decision, verdicts=verdicts), seen.members, seen.others, vanished)


def _held(verdict: Verdict) -> Verdict:
    return verdict if verdict.keep else replace(verdict, keep=True, why="its claim is still there")


@dataclass(frozen=True)
class Looked:
    """What a repository holds, and what is known of it. `members`: as in `Kept`."""

    known: RepositoryLedger
    own: Sequence[Snapshot]
    others: Sequence[Snapshot]
    members: Mapping[str, Sequence[Snapshot]]

    @property
    def entries(self) -> list[BackupEntry]:
        """The backups with a copy here, as entries of a catalogue."""
        return [_entry(group, self.known) for group in self.members.values()]


def lines(cluster: Cluster) -> set[str]:
    """Return the own origin and the adopted ones. Raises as `Cluster.get`."""
    return {origin.known(cluster), *origin.adopted(cluster)} - {""}


def look(restic: Restic, cluster: Cluster) -> Looked:
    """Read the ledger, and then the repository. Raises as `judge`."""
    known = ledger.read(cluster, restic.store.name)
    of_ours, found = lines(cluster), snapshots.every(restic)
    own = [each for each in found if each.origin in of_ours]
    members = {group[0].id: group for group in _groups(own, known)}
    return Looked(known, own, [each for each in found if each.origin not in of_ours], members)


def _groups(own: Iterable[Snapshot], known: RepositoryLedger) -> Iterator[list[Snapshot]]:
    """Yield the snapshots of each backup, the one that counts first. Two pushes at once leave two of one backup."""

    def worth(each: Snapshot) -> tuple[bool, bool, bool, bool, str]:
        facts = known.of(each.id)
        return (facts.damaged is not None, not facts.proved, not facts.verified, not facts.proven, each.id)

    whole: dict[str, list[Snapshot]] = {}
    for each in own:
        if is_good(each, known):
            whole.setdefault(each.digest, []).append(each)
        else:
            yield [each]
    yield from (sorted(group, key=worth) for group in whole.values())


def is_good(snapshot: Snapshot, known: RepositoryLedger) -> bool:
    """Return whether a snapshot holds a whole backup."""
    return snapshot.is_whole or known.of(snapshot.id).proved is not None


def _entry(group: Sequence[Snapshot], known: RepositoryLedger) -> BackupEntry:
    """Return the entry of a backup with its copies in this repository."""
    first = group[0]
    facts = known.of(first.id)
    good = is_good(first, known)
    written = first.written or first.started
    return BackupEntry(
        name=f"{first.backup} ({first.id[:SHORT]})",
        uid=first.id,
        maker=OURS,
        state=BackupState.COMPLETE if good else BackupState.FAILED,
        why="" if good else "its snapshot is not whole and not proved",
        created=min(written, first.started) if good else written,
        started=first.started,
        threescale_version=first.threescale_version,
        apimanager=first.apimanager,
        files=first.files,
        size_bytes=first.size_bytes,
        external=first.files is None and first.size_bytes is None,
        schedule=first.schedule,
        pinned=any(known.of(each.id).pinned for each in group),
        verified=_proof(facts.verified),
        proven=_proof(facts.proven),
        damaged=_proof(facts.damaged),
        damage=facts.damage,
        manifest_sha256=first.digest,
    )


def _proof(when: datetime | None) -> Proof | None:
    return Proof(when, "") if when else None


def _line(snapshot: Snapshot) -> str:
    return f"{snapshot.namespace or '?'}/{snapshot.apimanager or '?'} (origin {snapshot.origin})"
