"""The claim of a backup: find it, create it before anything is written, and label it with the result.

The backup claims are the catalogue. Labels hold the owner and the state. Annotations are those of the operator's
APIManagerBackup. The claims have no owner reference, so deleting a Workflow never deletes a backup.
"""

import logging
from datetime import datetime
from typing import NamedTuple

from steps import errors
from steps.archive import marks
from steps.archive.manifest import Manifest
from steps.contract import values
from steps.contract.backup_contract import WantedBackup
from steps.contract.names import EXTERNAL, PREFIX
from steps.kubernetes import claims, fields, mounting, times, waiting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, Object
from steps.kubernetes.workflow import Workflow
from steps.threescale import installation

log = logging.getLogger(__name__)
_ONCE = "ReadWriteOnce"
_OF_ANY_BACKUP = frozenset({marks.PINNED, marks.PROVEN, marks.PROVEN_BY, marks.PROVEN_COUNTS})  # the operator's too


def check_name(name: str) -> None:
    """Check the name of a new backup.

    Raises:
        errors.BadName

    """
    if not values.BACKUP.fits(name):
        raise errors.BadName(name)


def find(cluster: Cluster, name: str) -> Object:
    """Return a claim that is not being deleted.

    Raises:
        errors.ClaimMissing: the message lists the existing backups.
        errors.ClaimGoingAway

    """
    claim = cluster.get(CLAIM, name)
    if claim is None:
        others = [obj["metadata"]["name"] for obj in cluster.list(CLAIM) if is_backup(obj)]
        raise errors.ClaimMissing(name, cluster.namespace, sorted(others))
    if fields.is_going(claim):
        raise errors.ClaimGoingAway(name, cluster.namespace)
    return claim


def check_mountable(cluster: Cluster, name: str, workflow: Workflow, patience_s: float) -> Object:
    """Return the claim of a backup if a pod can mount it and it is bound to a volume.

    Raises:
        errors.ClaimMissing, errors.ClaimGoingAway, errors.ClaimGone, errors.ClaimUnbound, errors.ClaimInUse
        errors.ClaimWithoutVolume: the volume that the claim names was not bound within `patience_s` seconds.

    """
    claim = find(cluster, name)
    if fields.phase(claim) == "Pending" and claim["spec"].get("volumeName"):
        waiting.wait_for_volume(
            cluster, name, patience_s
        )  # Kubernetes looks again every 15 s (pvClaimBinderSyncPeriod)
        claim = find(cluster, name)
    if (phase := fields.phase(claim)) != "Bound":
        raise errors.ClaimUnbound(name, phase or "new")
    mounting.check_once_pod(claim, mounting.users(cluster, name, workflow))
    return claim


def check_free(cluster: Cluster, name: str, workflow: Workflow) -> Object | None:
    """Return None if the name is free, or the claim if this workflow created it.

    Raises:
        errors.BadName, errors.ClaimTaken, errors.ClaimGoingAway

    """
    check_name(name)
    claim = cluster.get(CLAIM, name)
    if claim is None:
        return None
    if fields.is_going(claim):
        raise errors.ClaimGoingAway(name, cluster.namespace)
    if fields.label(claim, marks.WORKFLOW_UID) != workflow.uid:
        raise errors.ClaimTaken(name, cluster.namespace, _holder(claim))
    return claim


class WantedClaim(NamedTuple):
    """The claim of a new backup. Its class is the argument's. `external`: the backup holds no files.

    In a plan, an empty name stands for the name of the future workflow. An empty schedule means a manual backup.
    """

    name: str
    storage_request: str
    storage_class: str
    volume_name: str
    external: bool = False
    schedule: str = ""

    @classmethod
    def of(cls, asked: WantedBackup, name: str, schedule: str = "") -> "WantedClaim":
        """Return the claim that the arguments ask for."""
        external = asked.file_storage == EXTERNAL
        return cls(name, asked.storage_request, asked.storage_class, asked.volume_name, external, schedule)

    @property
    def spec(self) -> Object:
        """The spec of the claim."""
        return claims.on_volume(_ONCE, self.storage_request, self.storage_class, self.volume_name)


class _Source(NamedTuple):
    """What the claim says of the installation and of the start of its backup."""

    apimanager: str
    apimanager_uid: str
    threescale_version: str
    started: datetime


def create_backup(cluster: Cluster, wanted: WantedClaim, apimanager: Object, workflow: Workflow) -> Object:
    """Create the claim of a backup, in state running.

    Raises:
        errors.QuotaExceeded, errors.AlreadyExists

    """
    metadata, version = apimanager["metadata"], fields.annotation(apimanager, installation.THREESCALE_VERSION)
    return _create(cluster, wanted, _Source(metadata["name"], metadata["uid"], version, times.now()), workflow)


def create_fetched(cluster: Cluster, wanted: WantedClaim, facts: Manifest, workflow: Workflow) -> Object:
    """Create the claim of a backup that is fetched from a repository, in state running.

    Raises:
        errors.QuotaExceeded, errors.AlreadyExists

    """
    told = facts.source
    source = _Source(told.apimanager, told.apimanager_uid, told.threescale_version, facts.started)
    return _create(cluster, wanted, source, workflow)


def _create(cluster: Cluster, wanted: WantedClaim, source: _Source, workflow: Workflow) -> Object:
    labels = {
        marks.BACKUP: wanted.name,
        marks.STATE: marks.RUNNING,
        marks.WORKFLOW: workflow.name,
        marks.WORKFLOW_UID: workflow.uid,
        **({marks.THREESCALE_VERSION: source.threescale_version} if source.threescale_version else {}),
        **({marks.FILE_STORAGE: EXTERNAL} if wanted.external else {}),
        **({marks.SCHEDULE: wanted.schedule} if wanted.schedule else {}),
    }
    annotations = {
        installation.APIMANAGER_NAME: source.apimanager,
        installation.APIMANAGER_UID: source.apimanager_uid,
        installation.BACKUP_NAME: wanted.name,
        installation.BACKUP_UID: workflow.uid,
        marks.STARTED: times.utc(source.started),
    }
    created = cluster.create(CLAIM, claims.new(wanted.name, labels, annotations, wanted.spec))
    log.info("PersistentVolumeClaim %s: created, %s", wanted.name, wanted.storage_request)
    return created


def complete(cluster: Cluster, claim: Object, manifest: Manifest, digest: str, by: Workflow | None = None) -> None:
    """Label the claim of a backup as complete, with its workflow, unless the claim is labelled so already.

    `by`: the workflow, if it is not the one that made the backup. A workflow resubmitted in memoized mode finishes on
    the claim of the previous workflow, which had written nothing.
    """
    if marks.sealed(claim):
        return
    name, uid = (by.name, by.uid) if by else (manifest.workflow, manifest.workflow_uid)
    made_by = {marks.WORKFLOW: name, marks.WORKFLOW_UID: uid}
    facts = manifest.file_storage
    counts = {marks.FILES: str(facts.files), marks.BYTES: str(facts.size_bytes)} if facts else {}
    labels = {marks.BACKUP: claim["metadata"]["name"], marks.STATE: marks.COMPLETE, **made_by, **counts}
    annotations = {marks.ENDED: times.utc(manifest.ended), marks.MANIFEST_DIGEST: digest}
    body = {"metadata": {"labels": labels, "annotations": annotations}}
    cluster.patch(CLAIM, claim["metadata"]["name"], body)


def give_up(cluster: Cluster, name: str, workflow: Workflow) -> bool:
    """Label the claim of a backup as failed, if this workflow created it and the backup is not complete.

    Return True if this workflow created it and the backup is complete. The label is for people only. The tool itself
    finds out in another way whether a backup has failed (`steps/catalogue/catalogue.py`).
    """
    claim = cluster.get(CLAIM, name)
    if not claim or fields.label(claim, marks.WORKFLOW_UID) != workflow.uid:
        return False
    if marks.sealed(claim):
        return True
    labels = {marks.STATE: marks.FAILED}
    cluster.patch(CLAIM, name, {"metadata": {"uid": claim["metadata"]["uid"], "labels": labels}})
    return False


def started(claim: Object) -> datetime:
    """Return the time at which the backup began, by the clock of the pod that made it.

    Raises:
        errors.NotABackup: the claim has no valid start time, so no backup created it.

    """
    try:
        return datetime.fromisoformat(fields.annotation(claim, marks.STARTED))
    except ValueError as error:
        raise errors.NotABackup(f"claim {claim['metadata']['name']} has no annotation {marks.STARTED}") from error


def is_backup(claim: Object) -> bool:
    """Return whether a claim is marked as a backup of this tool or of the operator."""
    return bool(fields.label(claim, marks.BACKUP) or fields.annotation(claim, installation.BACKUP_NAME))


def is_ours(claim: Object) -> bool:
    """Return whether this tool created the claim. One of its own labels or annotations is enough, others may be lost.

    Marks that a person or a drill puts on any backup do not count: a backup of the operator may carry them too.
    """
    metadata = claim["metadata"]
    names = {*(metadata.get("labels") or {}), *(metadata.get("annotations") or {})} - _OF_ANY_BACKUP
    return any(name.startswith(PREFIX) for name in names)


def _holder(claim: Object) -> str:
    if workflow := fields.label(claim, marks.WORKFLOW):
        return f"made by workflow {workflow}"
    return "a backup of the operator" if is_backup(claim) else "not a backup of this tool"
