"""The claim of a backup: found, made before anything is written, and told what became of it.

The backup claims are the catalogue: labels say whose and in which state, annotations are those of the operator's
APIManagerBackup. They have no owner, so that deleting a Workflow never touches a backup.
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
    """See that a backup can be called so.

    Raises:
        errors.BadName

    """
    if not values.BACKUP.fits(name):
        raise errors.BadName(name)


def find(cluster: Cluster, name: str) -> Object:
    """A claim that stays.

    Raises:
        errors.ClaimMissing: the sentence names the backups that are there; errors.ClaimGoingAway

    """
    claim = cluster.get(CLAIM, name)
    if claim is None:
        others = [obj["metadata"]["name"] for obj in cluster.list(CLAIM) if is_backup(obj)]
        raise errors.ClaimMissing(name, cluster.namespace, sorted(others))
    if fields.is_going(claim):
        raise errors.ClaimGoingAway(name, cluster.namespace)
    return claim


def check_mountable(cluster: Cluster, name: str, workflow: Workflow, patience_s: float) -> Object:
    """The claim of a backup, when a pod can mount it and there is something to mount.

    Raises:
        errors.ClaimMissing and its like, errors.ClaimUnbound, errors.ClaimInUse
        errors.ClaimWithoutVolume: the volume that it names was not bound to it in this time.

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
    """None where the name is free, the claim where this very workflow made it.

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
    """The claim of a new backup; an empty class means the cluster's default, `external` that it holds no files.

    In a plan an empty name is that of the workflow to come. An empty schedule means that a person asked for it.
    """

    name: str
    storage_request: str
    storage_class: str
    volume_name: str
    external: bool = False
    schedule: str = ""

    @classmethod
    def of(cls, asked: WantedBackup, name: str, schedule: str = "") -> "WantedClaim":
        """As a person asks for it."""
        external = asked.file_storage == EXTERNAL
        return cls(name, asked.storage_request, asked.storage_class, asked.volume_name, external, schedule)

    @property
    def spec(self) -> Object:
        """The spec of the claim."""
        spec = claims.spec_of(_ONCE, self.storage_request, self.storage_class)
        if self.volume_name:  # never the default class: it would keep the claim from this volume
            spec |= {"volumeName": self.volume_name, "storageClassName": self.storage_class}
        return spec


def create_backup(cluster: Cluster, wanted: WantedClaim, apimanager: Object, workflow: Workflow) -> Object:
    """Create the claim of a backup, in state running.

    Raises:
        errors.QuotaExceeded, errors.AlreadyExists

    """
    version = fields.annotation(apimanager, installation.THREESCALE_VERSION)
    labels = {
        marks.BACKUP: wanted.name,
        marks.STATE: marks.RUNNING,
        marks.WORKFLOW: workflow.name,
        marks.WORKFLOW_UID: workflow.uid,
        **({marks.THREESCALE_VERSION: version} if version else {}),
        **({marks.FILE_STORAGE: EXTERNAL} if wanted.external else {}),
        **({marks.SCHEDULE: wanted.schedule} if wanted.schedule else {}),
    }
    annotations = {
        installation.APIMANAGER_NAME: apimanager["metadata"]["name"],
        installation.APIMANAGER_UID: apimanager["metadata"]["uid"],
        installation.BACKUP_NAME: wanted.name,
        installation.BACKUP_UID: workflow.uid,
        marks.STARTED: times.utc(times.now()),
    }
    created = cluster.create(CLAIM, claims.new(wanted.name, labels, annotations, wanted.spec))
    log.info("PersistentVolumeClaim %s: created, %s", wanted.name, wanted.storage_request)
    return created


def complete(cluster: Cluster, claim: Object, manifest: Manifest, digest: str) -> None:
    """Say on its claim that a backup is complete, and whose it is, where it does not say so yet.

    A workflow resubmitted in memoized mode finishes on the claim of the one before, which had written nothing.
    """
    if marks.sealed(claim):
        return
    made_by = {marks.WORKFLOW: manifest.workflow, marks.WORKFLOW_UID: manifest.workflow_uid}
    facts = manifest.file_storage
    counts = {marks.FILES: str(facts.files), marks.BYTES: str(facts.size_bytes)} if facts else {}
    labels = {marks.BACKUP: manifest.backup, marks.STATE: marks.COMPLETE, **made_by, **counts}
    annotations = {marks.ENDED: times.utc(manifest.ended), marks.MANIFEST_DIGEST: digest}
    body = {"metadata": {"labels": labels, "annotations": annotations}}
    cluster.patch(CLAIM, claim["metadata"]["name"], body)


def give_up(cluster: Cluster, name: str, workflow: Workflow) -> bool:
    """Say on the claim of a backup that the run which made it has failed, where it is that run's and not complete.

    Tell whether it is that run's and complete all the same. A label for those who read it; whether a backup has failed
    is proved otherwise (`steps/catalogue/catalogue.py`).
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
    """When the backup of this claim began, by the clock of the pod that made it.

    Raises:
        errors.NotABackup: the claim was not made by a backup.

    """
    try:
        return datetime.fromisoformat(fields.annotation(claim, marks.STARTED))
    except ValueError as error:
        raise errors.NotABackup(f"claim {claim['metadata']['name']} has no annotation {marks.STARTED}") from error


def is_backup(claim: Object) -> bool:
    """Whether a claim says that it holds a backup, ours or the operator's."""
    return bool(fields.label(claim, marks.BACKUP) or fields.annotation(claim, installation.BACKUP_NAME))


def is_ours(claim: Object) -> bool:
    """Whether this tool made it: one label or annotation that it puts on its own claims tells, if all others are lost.

    A backup of the operator may carry what a person or a drill says of any backup.
    """
    metadata = claim["metadata"]
    names = {*(metadata.get("labels") or {}), *(metadata.get("annotations") or {})} - _OF_ANY_BACKUP
    return any(name.startswith(PREFIX) for name in names)


def _holder(claim: Object) -> str:
    if workflow := fields.label(claim, marks.WORKFLOW):
        return f"made by workflow {workflow}"
    return "a backup of the operator" if is_backup(claim) else "not a backup of this tool"
