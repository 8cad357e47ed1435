"""What has been proved of a backup, written on its claim: the backup itself is written once, and mounted read-only.

Only a claim that a seal has marked carries what a verification found: `verified` when every byte was right, `damaged`
when one was not, until every byte is right again. `proven` when it was restored for trial.
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

_LENGTH = 2000  # of what is told of a damage; an object's annotations have 256 KiB together
_NOT_BEGUN: Mapping[str, str | None] = MappingProxyType({marks.VERIFYING: None, marks.VERIFYING_BY: None})  # by shares

Sight = Callable[[BackupEntry], datetime | None]


def due(entries: Iterable[BackupEntry], looked: Sight, namespace: str, what: str) -> BackupEntry:
    """The newest backup of ours that nobody has looked at, else the one that was looked at longest ago.

    Raises:
        errors.NothingToProve: there is no complete one.

    """
    ours = [each for each in entries if each.maker == OURS and each.state is BackupState.COMPLETE and not each.going]
    if not ours:
        raise errors.NothingToProve(namespace, what)
    never = [each for each in ours if looked(each) is None]
    if never:
        return max(never, key=lambda each: (each.started, each.created, each.name))
    return min(ours, key=lambda each: (looked(each) or each.started, each.name))


def check_ended(entries: Iterable[BackupEntry], name: str) -> None:
    """See that a backup that a person names is not still being made.

    Raises:
        errors.StillRunning

    """
    for each in entries:
        if each.name == name and each.state is BackupState.RUNNING:
            raise errors.StillRunning(name, each.workflow or each.why)


def is_sealed(claim: Object) -> bool:
    """Whether a seal has left the digest of the manifest on a claim."""
    return bool(fields.annotation(claim, marks.MANIFEST_DIGEST)) and backup_claims.is_backup(claim)


def verified(cluster: Cluster, claim: Object, workflow: Workflow) -> None:
    """Say that every byte was found right; a damage of before is mended then.

    Raises:
        errors.Rejected: the claim was made anew in between. Else as `Cluster.patch`.

    """
    gone = {marks.DAMAGED_BY: None, marks.DAMAGE: None, **_NOT_BEGUN}
    labels = {marks.VERIFIED: _now(), marks.DAMAGED: None}
    _patch(cluster, claim, labels, {marks.VERIFIED_BY: workflow.name, **gone})


def advanced(cluster: Cluster, claim: Object, rotation: Rotation) -> None:
    """Say how far a verification by shares has come, all of it right; raises as `verified`."""
    _patch(cluster, claim, {}, {marks.VERIFYING: str(rotation), marks.VERIFYING_BY: None})


def set_out(cluster: Cluster, claim: Object, workflow: Workflow) -> None:
    """Say who is about to read on in a backup that was begun: where that comes to nothing, the next run sees it."""
    if fields.annotation(claim, marks.VERIFYING):
        _patch(cluster, claim, {}, {marks.VERIFYING_BY: workflow.name})


def begin_anew(cluster: Cluster, entry: BackupEntry) -> None:
    """Forget how far a verification by shares has come, which could not be gone on with; raises as `verified`."""
    log.info(
        "%s: its verification starts again from the beginning, because workflow %s did not finish its share",
        entry.name,
        entry.verifying_by,
    )
    claim = {"metadata": {"name": entry.name, "uid": entry.uid}}
    _patch(cluster, claim, {}, _NOT_BEGUN)


def proven(cluster: Cluster, claim: Object, workflow: Workflow, counts: str) -> None:
    """Say that it was restored for trial, and equal; `counts`: what, and how long that took. Raises as `verified`."""
    _patch(
        cluster, claim, {marks.PROVEN: _now()}, {marks.PROVEN_BY: workflow.name, marks.PROVEN_COUNTS: counts or None}
    )


@contextmanager
def noting_damage(cluster: Cluster, claim: Object, workflow: Workflow) -> Iterator[None]:
    """Say on the claim that its backup is damaged, where that is what it ends with.

    Raises:
        whatever it ends with; or, the damage is in the log by then, as `verified`

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
    metadata = claim["metadata"]  # its uid too: one that was made anew is another backup
    body = {"metadata": {"uid": metadata["uid"], "labels": dict(labels), "annotations": dict(annotations)}}
    cluster.patch(CLAIM, metadata["name"], body)
