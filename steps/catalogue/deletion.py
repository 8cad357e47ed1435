"""Delete backups: one claim at a time, and only while the reasons to delete it still hold.

A claim that was judged a minute ago may be pinned, mounted or recreated by now. So a second pod judges the chosen
claims again, a batch at a time: reading the whole catalogue before each deletion would take quadratic time.
Before each deletion the claim, the running workflows and the pods that mount the claim are read again. The claim is
deleted by the uid and the version that were judged. If somebody has changed it since, it stays until the next run.
"""

import logging
import stat
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from steps import errors
from steps.archive import begin_marker, layout, marks, seal
from steps.catalogue import backup_claims, catalogue, retention, verification
from steps.catalogue.catalogue import BackupEntry, BackupState
from steps.catalogue.retention import NO_COPIES, Copies, Decision, Rules, Verdict
from steps.files import volume
from steps.kubernetes import fields, mounting, times, workflow
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, VOLUME
from steps.process import interruption

log = logging.getLogger(__name__)

RECLAIM = (
    "With reclaim policy Delete, a claim's data are deleted with the claim. With Retain, the data stay on the "
    "PersistentVolume in phase Released until an administrator deletes the volume"
)
# The contents of a failed run's volume.
NOTHING, BACKUP, OTHER = "nothing", "backup", "other"


BATCH = 200  # claims that are deleted after one reading of the catalogue
_SHORT = 8  # characters of a uid


@dataclass(frozen=True)
class CopiesAsked:
    """How a deletion asks the repositories. By default there are none."""

    copies: Callable[[Sequence[BackupEntry]], Copies] = lambda _entries: NO_COPIES
    doubt: Callable[[BackupEntry], str] = lambda _entry: ""  # why the copy of a backup can't take its place now
    workflow_uid: str = ""  # of the backup at whose end this deletion runs; it writes to its claim no more


NO_COPIES_ASKED = CopiesAsked()


def short(uid: str) -> str:
    """Return the start of a uid, so that thousands of them fit into one argument of the next phase.

    The next phase judges every matching claim again, so two uids with the same start delete nothing that the rules
    keep.
    """
    return uid[:_SHORT]


def judge(cluster: Cluster, rules: Rules, repositories: CopiesAsked = NO_COPIES_ASKED) -> Decision:
    """Read the whole catalogue, and decide which backups are kept and which are deleted.

    Raises:
        errors.NotAllowed, errors.NoAnswer: the catalogue can't be read completely, so nothing is decided.
        errors of `endings.of`: a repository can't be read.

    """
    entries = catalogue.read(cluster, whole=True)
    copies = repositories.copies(entries)
    failed = catalogue.failed_run(cluster, [*entries, *copies.alone])
    return retention.decide(entries, rules, times.now(), failed, copies)


def mend(cluster: Cluster, decision: Decision) -> None:
    """Restore the label by which people select backups, if it is missing. The annotations show whose backup it is.

    Raises:
        errors.Rejected: the claim was recreated in the meantime. Otherwise as `Cluster.patch`.

    """
    for entry in (each.entry for each in decision.verdicts):
        if not entry.labelled and entry.state is not BackupState.UNKNOWN:
            catalogue.label(cluster, entry, {marks.BACKUP: entry.name})
            log.info("%s: label %s restored", entry.name, marks.BACKUP)


def delete(
    cluster: Cluster,
    doomed: Sequence[str],
    rules: Rules,
    repositories: CopiesAsked = NO_COPIES_ASKED,
    *,
    read: bool = False,
) -> int:
    """Delete the claims with these uids or starts of uids, if the rules still allow it. Return how many are gone.

    `read`: their volumes were read and hold no manifest.

    Raises:
        errors.NotAllowed, errors.NoAnswer, errors.Rejected: the remaining claims stay.

    """
    gone = 0
    for start in range(0, len(doomed), BATCH):
        decision = judge(cluster, rules, repositories)
        if decision.frozen:
            log.info("kept %d of %d backups, nothing is deleted: %s", len(doomed) - start, len(doomed), decision.frozen)
            break
        gone += _delete_batch(cluster, doomed[start : start + BATCH], decision, repositories, read=read)
    return gone


def _delete_batch(
    cluster: Cluster, doomed: Sequence[str], decision: Decision, repositories: CopiesAsked, *, read: bool
) -> int:
    judged = {short(each.entry.uid): each for each in decision.verdicts}
    found = {uid: each for uid in doomed if (each := judged.get(short(uid))) and each.entry.uid.startswith(uid)}
    gone = 0
    for verdict in found.values():
        interruption.point()
        gone += _delete(cluster, verdict, repositories, read=read)
    return gone + _gone_before(cluster, {*doomed} - found.keys())


def _gone_before(cluster: Cluster, doomed: AbstractSet[str]) -> int:
    """Count the uids that have no claim any more. A claim that exists and is no longer a backup stays."""
    heads = [head["metadata"] for head in cluster.heads(CLAIM)] if doomed else []
    names = {short(head["uid"]): head["name"] for head in heads}
    for uid in sorted(doomed):
        is_there = short(uid) in names
        log.info(
            "%s: %s",
            names.get(short(uid), uid),
            "kept: the claim is no longer a backup" if is_there else "already deleted",
        )
    return sum(short(uid) not in names for uid in doomed)


def _delete(cluster: Cluster, verdict: Verdict, repositories: CopiesAsked, *, read: bool) -> bool:
    """Delete a claim if nothing speaks against it. Return whether the claim is gone."""
    entry = verdict.entry
    if reason := next(_reprieves(cluster, verdict, repositories, read=read), ""):
        log.info("%s: kept: %s", entry.name, reason)
        return False
    claim = cluster.get(CLAIM, entry.name)
    if claim is None or claim["metadata"]["uid"] != entry.uid or fields.is_going(claim):
        return _is_gone(entry.name)
    try:
        if not cluster.delete(CLAIM, entry.name, entry.uid, entry.version):
            return _is_gone(entry.name)
    except errors.Conflict:
        log.info("%s: kept: the claim has changed since it was checked", entry.name)
        return False
    log.info("%s: deleted: %s. %s", entry.name, verdict.why, _of_volume(entry.volume))
    return True


def look(cluster: Cluster, root: Path, name: str) -> str:
    """Return the contents of a failed run's volume. If its manifest is valid, the claim is labelled complete.

    If the claim has lost its state and has the digest of a sealed manifest, the manifest must match it. Otherwise the
    claim is kept as it is.

    Raises:
        errors.ClaimMissing, errors.ClaimGoingAway; errors.ReadFailed: the volume can't be read.

    """
    claim = backup_claims.find(cluster, name)
    entry = catalogue.find(catalogue.read(cluster, whole=True), name, cluster.namespace)
    if entry.state is not BackupState.FAILED:
        return _left(name, f"the backup is {entry.state} now")
    names = volume.content(root)
    try:
        if layout.MANIFEST not in names:
            verification.check_sealed(claim, "")
            reason = _foreign(cluster, root, name, names)
            return _left(name, reason) if reason else NOTHING
        begin = begin_marker.marker(root)
        if begin is None or begin.backup != name:
            return _left(
                name,
                f"its volume holds a {layout.MANIFEST} of {f'backup {begin.backup}' if begin else 'an unknown run'}",
            )
        sealed = seal.confirmed(root, begin=begin, started=backup_claims.started(claim), now=times.now())
        verification.check_sealed(claim, sealed.digest)
    except (errors.BackupDamaged, errors.PhasesMissing, errors.NotABackup, errors.VolumeTaken) as error:
        return _left(name, str(error))
    backup_claims.complete(cluster, claim, sealed.manifest, sealed.digest)
    log.info("%s: complete: its volume holds a valid manifest, and the labels of its claim are restored", name)
    return BACKUP


def reclaimed(cluster: Cluster, decision: Decision) -> list[str]:
    """Say whether the data are deleted with the claims: by name, or in general if volumes may not be read."""
    going = [entry for entry in (*decision.to_delete, *decision.to_read) if entry.volume]
    if not going:
        return []
    try:
        policies = _policies(cluster, going)
    except errors.NotAllowed:
        return [RECLAIM]
    found = {policy: [name for name in policies if policies[name] == policy] for policy in sorted({*policies.values()})}
    return [
        f"reclaim policy {policy}, {_MEANING.get(policy, _UNKNOWN)}: {', '.join(found[policy])}" for policy in found
    ]


_MEANING = {
    "Delete": "the data are deleted with the claim",
    "Retain": "the data stay on the PersistentVolume in phase Released until an administrator deletes the volume",
}
_UNKNOWN = "it is not known whether the data are deleted"


def _policies(cluster: Cluster, entries: Sequence[BackupEntry]) -> dict[str, str]:
    """Return the reclaim policies of the volumes by backup name. One list of all volumes is enough."""
    wanted = {entry.volume for entry in entries}
    found = {
        volume["metadata"]["name"]: str(fields.at(volume, "spec", "persistentVolumeReclaimPolicy") or "unknown")
        for volume in cluster.each(VOLUME)
        if volume["metadata"]["name"] in wanted
    }
    return {entry.name: found.get(entry.volume, "unknown") for entry in entries}


def _reprieves(cluster: Cluster, verdict: Verdict, repositories: CopiesAsked, *, read: bool) -> Iterator[str]:
    """Yield the reasons to keep a claim."""
    entry = verdict.entry
    if verdict.keep:
        yield verdict.why
    if verdict.unread and not read:
        yield "its volume was not checked for a manifest"
    if entry.workflow_uid in catalogue.living(cluster) - _at_its_end(entry, repositories):
        yield f"workflow {entry.workflow} has not ended"
    if pods := mounting.users(cluster, entry.name, workflow.NOBODY):
        yield f"in use by pod {', '.join(sorted(pod['metadata']['name'] for pod in pods))}"
    if entry.state is BackupState.COMPLETE and (doubt := repositories.doubt(entry)):  # the last, because it takes time
        yield doubt


def _at_its_end(entry: BackupEntry, repositories: CopiesAsked) -> set[str]:
    """Return the workflow that runs this deletion, if the backup is complete. Its last phase is over."""
    return {repositories.workflow_uid} if entry.state is BackupState.COMPLETE else set()


def _foreign(cluster: Cluster, root: Path, name: str, names: Sequence[str]) -> str:
    """Say why a volume without a manifest must not be deleted. Empty if its files are those of the failed run."""
    if not names:
        return ""
    try:
        found = begin_marker.marker(root)
    except errors.VolumeTaken as error:
        return str(error)
    if found is None or found.backup != name:
        return f"its volume holds files that no backup of this name wrote, for example {names[0]!r}"
    if found.workflow_uid in catalogue.living(cluster):
        return f"workflow {found.workflow} writes to its volume and has not ended"
    with volume.failures(root):  # a link may lead to files of another owner
        return next(layout.folder_findings(root, {*layout.FOLDERS, *_links(root, names)}), "")


def _links(root: Path, names: Sequence[str]) -> Iterator[str]:
    looked = ((name, volume.look(root, name)) for name in names)
    return (name for name, found in looked if found and stat.S_ISLNK(found.st_mode))


def _is_gone(name: str) -> bool:
    log.info("%s: already deleted", name)
    return True


def _left(name: str, reason: str) -> str:
    log.info("%s: kept: %s", name, reason)
    return OTHER


def _of_volume(name: str) -> str:
    return (
        f"The data on volume {name} are deleted too, unless its reclaim policy is Retain"
        if name
        else "It had no volume"
    )
