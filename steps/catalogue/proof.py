"""Results of verifications and drills, written on the claim. The backup itself is written once and mounted read-only.

Only a sealed claim gets them. `verified`: every byte was right. `damaged`: a byte was wrong; this mark stays until a
verification finds every byte right. `proven`: a drill restored the backup.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import MappingProxyType

from steps import errors
from steps.archive import marks
from steps.catalogue import backup_claims
from steps.catalogue.catalogue import OURS, BackupEntry, BackupState
from steps.catalogue.rotation import Rotation
from steps.kubernetes import fields, times
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, Object
from steps.kubernetes.workflow import Workflow

log = logging.getLogger(__name__)

_LENGTH = 2000  # characters of the findings; all annotations of an object together have 256 KiB
_NOT_BEGUN: Mapping[str, str | None] = MappingProxyType({marks.VERIFYING: None, marks.VERIFYING_BY: None})  # by shares

Sight = Callable[[BackupEntry], datetime | None]


def due(entries: Iterable[BackupEntry], looked: Sight, namespace: str, what: str) -> BackupEntry:
    """Return the newest backup of this tool that was never checked, or else the one whose last check is the oldest.

    Raises:
        errors.NothingToProve: there is no complete backup.

    """
    ours = [each for each in entries if each.maker == OURS and each.state is BackupState.COMPLETE and not each.going]
    if not ours:
        raise errors.NothingToProve(namespace, what)
    never = [each for each in ours if looked(each) is None]
    if never:
        return max(never, key=lambda each: (each.started, each.created, each.name))
    return min(ours, key=lambda each: (looked(each) or each.started, each.name))


def unpushed(entries: Iterable[BackupEntry], namespace: str) -> BackupEntry:
    """Return the newest backup of this tool that has no copy in the repositories, else the newest one.

    Raises:
        errors.NothingToProve: there is no complete backup.

    """
    return due(entries, lambda entry: entry.pushed, namespace, "push")


def check_ended(entries: Iterable[BackupEntry], name: str) -> None:
    """Check that the named backup is not still running.

    Raises:
        errors.StillRunning

    """
    for each in entries:
        if each.name == name and each.state is BackupState.RUNNING:
            raise errors.StillRunning(name, each.workflow or each.why)


def is_sealed(claim: Object) -> bool:
    """Return whether the claim has the digest of a sealed manifest."""
    return bool(fields.annotation(claim, marks.MANIFEST_DIGEST)) and backup_claims.is_backup(claim)


def verified(cluster: Cluster, claim: Object, workflow: Workflow) -> None:
    """Mark a backup as verified: every byte is right. This removes an earlier mark of damage.

    Raises:
        errors.Rejected: the claim was recreated in the meantime. Otherwise as `Cluster.patch`.

    """
    gone = {marks.DAMAGED_BY: None, marks.DAMAGE: None, **_NOT_BEGUN}
    labels = {marks.VERIFIED: _now(), marks.DAMAGED: None}
    _patch(cluster, claim, labels, {marks.VERIFIED_BY: workflow.name, **gone})


def advanced(cluster: Cluster, claim: Object, rotation: Rotation) -> None:
    """Record the progress of a verification by shares that has found no damage so far. Raises as `verified`."""
    _patch(cluster, claim, {}, {marks.VERIFYING: str(rotation), marks.VERIFYING_BY: None})


def set_out(cluster: Cluster, claim: Object, workflow: Workflow) -> None:
    """Record the workflow that resumes a verification by shares, so that the next run sees if it did not finish."""
    if fields.annotation(claim, marks.VERIFYING):
        _patch(cluster, claim, {}, {marks.VERIFYING_BY: workflow.name})


def begin_anew(cluster: Cluster, entry: BackupEntry) -> None:
    """Discard the progress of a verification by shares that could not be resumed. Raises as `verified`."""
    log.info(
        "%s: its verification starts again from the beginning, because workflow %s did not finish its share",
        entry.name,
        entry.verifying_by,
    )
    claim = {"metadata": {"name": entry.name, "uid": entry.uid}}
    _patch(cluster, claim, {}, _NOT_BEGUN)


def proven(cluster: Cluster, claim: Object, workflow: Workflow, counts: str) -> None:
    """Mark a backup as restored by a drill and equal. `counts`: what was restored, how long. Raises as `verified`."""
    _patch(
        cluster, claim, {marks.PROVEN: _now()}, {marks.PROVEN_BY: workflow.name, marks.PROVEN_COUNTS: counts or None}
    )


def fetched(cluster: Cluster, claim: Object, repository: str, snapshot: str) -> None:
    """Record the snapshot from which a backup was fetched. Raises as `verified`."""
    _patch(cluster, claim, {}, {marks.SNAPSHOT: f"{repository}/{snapshot}"})


def pushed(cluster: Cluster, claim: Object, snapshots: Mapping[str, str]) -> None:
    """Mark a backup as copied: a proved snapshot of it is in each repository, by name. Raises as `verified`."""
    told = ",".join(f"{name}/{snapshot}" for name, snapshot in sorted(snapshots.items()))
    _patch(cluster, claim, {marks.PUSHED: _now()}, {marks.SNAPSHOT: told})


@contextmanager
def noting_damage(cluster: Cluster, claim: Object, workflow: Workflow) -> Iterator[None]:
    """Mark the claim as damaged if the block raises `errors.BackupDamaged`.

    Raises:
        what the block raises; as `verified` if the mark can't be written, and the damage is in the log by then

    """
    try:
        yield
    except errors.BackupDamaged as error:
        if is_sealed(claim):
            log.info(str(error))
            told = {marks.DAMAGED_BY: workflow.name, marks.DAMAGE: str(error)[:_LENGTH]}
            _patch(cluster, claim, {marks.DAMAGED: _now()}, {**told, **_NOT_BEGUN})
        raise


def _now() -> str:
    return times.label_time(times.now())


def _patch(
    cluster: Cluster, claim: Object, labels: Mapping[str, str | None], annotations: Mapping[str, str | None]
) -> None:
    metadata = claim["metadata"]  # its uid too: a recreated claim is another backup
    body = {"metadata": {"uid": metadata["uid"], "labels": dict(labels), "annotations": dict(annotations)}}
    cluster.patch(CLAIM, metadata["name"], body)
