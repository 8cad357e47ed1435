"""Deleting backups: a claim at a time, and only while everything that spoke for it still does.

What was judged a minute ago may be pinned, mounted or made anew by now. So before each deletion the claim is read, then
the whole catalogue, then who lives and who mounts; and the claim is deleted by the uid that was judged, in the version
that was read first. Where somebody has changed it since, the API server refuses, and the next run judges it anew.
"""

import logging
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from steps import catalogue, claims, errors, marks, result, retention, seal, volume
from steps.catalogue import Entry, State
from steps.cluster import Cluster
from steps.installation import CLAIM, VOLUME
from steps.retention import Decision, Rules

log = logging.getLogger(__name__)

RECLAIM = (
    "A claim's data go with it where its volume has the reclaim policy Delete; with Retain they stay on the "
    "PersistentVolume, Released, until an administrator deletes that"
)
# What the volume of a failed run holds.
NOTHING, BACKUP, OTHER = "nothing", "backup", "other"


class Judged(NamedTuple):
    """A claim that may go: another of its name is another one."""

    name: str
    uid: str


def judge(cluster: Cluster, rules: Rules) -> Decision:
    """Read the catalogue, all of it, and say what becomes of each backup.

    Raises:
        errors.NotAllowed, errors.NoAnswer: it can't be read whole, so nothing is said.

    """
    entries = catalogue.read(cluster, whole=True)
    return retention.decide(entries, rules, result.now(), catalogue.failed_run(cluster, entries))


def mend(cluster: Cluster, decision: Decision) -> None:
    """Give backups that lost it the label by which people select them; the annotations tell that they are ours.

    Raises:
        errors.Rejected: the claim was made anew in between. Else as `Cluster.patch`.

    """
    for entry in (each.entry for each in decision.verdicts):
        if not entry.labelled and entry.state is not State.UNKNOWN:
            catalogue.label(cluster, entry, {marks.BACKUP: entry.name})
            log.info("%s: it has its label %s again", entry.name, marks.BACKUP)


def delete(cluster: Cluster, judged: Judged, rules: Rules, *, read: bool = False) -> bool:
    """Delete a claim if it may still go, and tell whether it is gone; `read`: its volume was, and holds no manifest.

    Raises:
        errors.NotAllowed, errors.NoAnswer, errors.Rejected: it is not known, or not allowed; what is there stays.

    """
    claim = cluster.get(CLAIM, judged.name)
    if claim is None or claim["metadata"]["uid"] != judged.uid or claim["metadata"].get("deletionTimestamp"):
        return _is_gone(judged)
    decision = judge(cluster, rules)
    if reason := next(_reprieves(cluster, judged, decision, read=read), ""):
        log.info("%s: kept: %s", judged.name, reason)
        return False
    try:
        if not cluster.delete(CLAIM, judged.name, judged.uid, claim["metadata"]["resourceVersion"]):
            return _is_gone(judged)
    except errors.Conflict:
        log.info("%s: kept: it has changed while it was judged", judged.name)
        return False
    why = next(each.why for each in decision.verdicts if each.entry.uid == judged.uid)
    log.info("%s: deleted: %s; %s", judged.name, why, _of_volume(str(claim["spec"].get("volumeName") or "")))
    return True


def look(cluster: Cluster, root: Path, name: str) -> str:
    """Say what the volume of a failed run holds; a manifest that is right makes it a backup, and its claim is told so.

    Raises:
        errors.ClaimMissing, errors.ClaimGoingAway; errors.ReadFailed: the volume can't be looked at.

    """
    claim = claims.find(cluster, name)
    entry = catalogue.find(catalogue.read(cluster, whole=True), name, cluster.namespace)
    if entry.state is not State.FAILED:
        return _left(name, f"it is {entry.state} now")
    names = volume.content(root)
    if volume.MANIFEST not in names:
        reason = _foreign(cluster, root, name, names)
        return _left(name, reason) if reason else NOTHING
    try:
        begin = volume.marker(root)
        if begin is None or begin.backup != name:
            return _left(name, f"its volume holds a {volume.MANIFEST} of {begin.backup if begin else 'no run'}")
        sealed = seal.confirmed(root, begin=begin, started=claims.started(claim), now=result.now())
    except (errors.BackupDamaged, errors.PhasesMissing, errors.NotABackup, errors.VolumeTaken) as error:
        return _left(name, str(error))
    claims.complete(cluster, claim, sealed.manifest, sealed.digest)
    log.info("%s: its volume holds a manifest, so it is a backup: its label says so again", name)
    return BACKUP


def reclaimed(cluster: Cluster, decision: Decision) -> list[str]:
    """What becomes of the data of those that would go, by name where their volumes may be read, else in general."""
    going = [entry for entry in (*decision.to_delete, *decision.to_read) if entry.volume]
    if not going:
        return []
    try:
        policies = {entry.name: _policy(cluster, entry) for entry in going}
    except errors.NotAllowed:
        return [RECLAIM]
    found = {policy: [name for name in policies if policies[name] == policy] for policy in sorted({*policies.values()})}
    return [
        f"reclaim policy {policy}: {_MEANING.get(policy, _UNKNOWN)}: {', '.join(found[policy])}" for policy in found
    ]


_MEANING = {
    "Delete": "the data go with the claim",
    "Retain": "the data stay on the PersistentVolume, Released, until an administrator deletes that",
}
_UNKNOWN = "what becomes of the data can't be said"


def _policy(cluster: Cluster, entry: Entry) -> str:
    found = cluster.get(VOLUME, entry.volume) or {"spec": {}}
    return str(found["spec"].get("persistentVolumeReclaimPolicy", "unknown"))


def _reprieves(cluster: Cluster, judged: Judged, decision: Decision, *, read: bool) -> Iterator[str]:
    """Say why a claim may not go, if there is a reason."""
    verdict = next((each for each in decision.verdicts if each.entry.uid == judged.uid), None)
    if decision.frozen:
        yield f"nothing may be deleted: {decision.frozen}"
    if verdict is None:
        yield "it is no backup any more"
        return
    if verdict.keep:
        yield verdict.why
    if verdict.unread and not read:
        yield "its volume was not read"
    if verdict.entry.workflow_uid in catalogue.living(cluster):
        yield f"workflow {verdict.entry.workflow} has not ended"
    if pods := claims.users(cluster, judged.name, claims.NOBODY):
        yield f"in use by pod {', '.join(sorted(pod['metadata']['name'] for pod in pods))}"


def _foreign(cluster: Cluster, root: Path, name: str, names: Sequence[str]) -> str:
    """Say why what lies on a volume without a manifest is not for us to delete, empty where it is the failed run's."""
    if not names:
        return ""
    try:
        found = volume.marker(root)
    except errors.VolumeTaken as error:
        return str(error)
    if found is None or found.backup != name:
        return f"its volume holds what no backup of this name began, {names[0]!r} for instance"
    if found.workflow_uid in catalogue.living(cluster):
        return f"workflow {found.workflow}, which writes to it, has not ended"
    with volume.failures(root):  # a link may lead to what another one keeps here
        return next(volume.folder_findings(root, {*volume.FOLDERS, *_links(root, names)}), "")


def _links(root: Path, names: Sequence[str]) -> Iterator[str]:
    looked = ((name, volume.look(root, name)) for name in names)
    return (name for name, found in looked if found and stat.S_ISLNK(found.st_mode))


def _is_gone(judged: Judged) -> bool:
    log.info("%s: gone already", judged.name)
    return True


def _left(name: str, reason: str) -> str:
    log.info("%s: kept: %s", name, reason)
    return OTHER


def _of_volume(name: str) -> str:
    return f"the data of volume {name} go too, unless its reclaim policy is Retain" if name else "it had no volume"
