"""The claims: what a pod can mount and where, and the claim of a backup, made before anything is written.

The backup claims are the catalogue: labels say whose and in which state, annotations are those of the operator's
APIManagerBackup. They have no owner, so that deleting a Workflow never touches a backup.
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from steps import errors, events, installation, interruption, marks, values
from steps.cluster import Cluster, Object
from steps.installation import CLAIM, POD
from steps.manifest import Manifest

log = logging.getLogger(__name__)

MARGIN = Decimal("1.2")  # over data, for what the file system itself needs
_LABEL_LENGTH = 63
WORKFLOW_LABEL = "workflows.argoproj.io/workflow"  # Argo puts it on the pods of a workflow
_ONCE_POD = "ReadWriteOncePod"
_ONCE = "ReadWriteOnce"
_FIRST_CONSUMER = "WaitForFirstConsumer"  # reason of an event: normal, a pod will bring the volume
_NO_VOLUME = "FailedBinding"  # a Normal event, though nothing comes of itself: no class is set, and no volume fits
_LOOK_S = 1.0
_MANY = ("ReadWriteMany", "ReadOnlyMany")
_OF_ANY_BACKUP = frozenset({marks.PINNED, marks.PROVEN, marks.PROVEN_BY, marks.PROVEN_COUNTS})  # the operator's too


class Workflow(NamedTuple):
    """Who asks."""

    name: str
    uid: str


class Placement(NamedTuple):
    """Where pods may run, as operator and value of a node's `metadata.name`."""

    operator: str
    node: str


ANYWHERE = Placement("NotIn", "no-node")
NOBODY = Workflow("-", "-")  # no workflow: no label can have this value


def check_name(name: str) -> None:
    """See that a backup can be called so.

    Raises:
        errors.BadName

    """
    if not values.BACKUP.fits(name):
        raise errors.BadName(name)


def check_size(value: str, parameter: str) -> Decimal:
    """A size in bytes.

    Raises:
        errors.BadQuantity

    """
    try:
        return values.SIZE.bytes(value)
    except ValueError as error:
        raise errors.BadQuantity(value, parameter) from error


def find(cluster: Cluster, name: str) -> Object:
    """A claim that stays.

    Raises:
        errors.ClaimMissing: the sentence names the backups that are there; errors.ClaimGoingAway

    """
    claim = cluster.get(CLAIM, name)
    if claim is None:
        others = [obj["metadata"]["name"] for obj in cluster.list(CLAIM) if is_backup(obj)]
        raise errors.ClaimMissing(name, cluster.namespace, sorted(others))
    if claim["metadata"].get("deletionTimestamp"):
        raise errors.ClaimGoingAway(name, cluster.namespace)
    return claim


def still_there(cluster: Cluster, name: str) -> Object:
    """A claim that was made or seen before, and stays.

    Raises:
        errors.ClaimGone, errors.ClaimGoingAway

    """
    claim = cluster.get(CLAIM, name)
    if claim is None:
        raise errors.ClaimGone(name, cluster.namespace)
    if claim["metadata"].get("deletionTimestamp"):
        raise errors.ClaimGoingAway(name, cluster.namespace)
    return claim


def users(cluster: Cluster, name: str, workflow: Workflow) -> list[Object]:
    """The pods of others that mount a claim and have not ended."""
    return [
        pod for pod in _mounting(cluster, name) if not ended(pod) and marks.label(pod, WORKFLOW_LABEL) != workflow.name
    ]


def ended(pod: Object) -> bool:
    """Whether a pod has run to its end, well or not."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def of(pod: Object) -> list[str]:
    """The claims that a pod mounts."""
    volumes = pod["spec"].get("volumes") or []
    return [item["persistentVolumeClaim"]["claimName"] for item in volumes if item.get("persistentVolumeClaim")]


def holders(cluster: Cluster, name: str) -> list[str]:
    """The pods that keep a claim from being deleted: as long as they exist, whether they have ended or not."""
    return sorted(pod["metadata"]["name"] for pod in _mounting(cluster, name))


def placement(cluster: Cluster, claim: Object, workflow: Workflow) -> Placement:
    """Where a pod can run that mounts this claim beside those that have it mounted now.

    Raises:
        errors.ClaimInUse, errors.ClaimOnTwoNodes

    """
    name, modes = claim["metadata"]["name"], claim["spec"].get("accessModes") or []
    if any(mode in modes for mode in _MANY):
        return ANYWHERE
    pods = users(cluster, name, workflow)
    check_once_pod(claim, pods)
    nodes = sorted({pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")})
    if len(nodes) > 1:
        raise errors.ClaimOnTwoNodes(name, nodes)
    return Placement("In", nodes[0]) if nodes else ANYWHERE


def check_once_pod(claim: Object, pods: Sequence[Object]) -> None:
    """See that a claim for one pod only has none.

    Raises:
        errors.ClaimInUse

    """
    if _ONCE_POD in (claim["spec"].get("accessModes") or []) and pods:
        names = [pod["metadata"]["name"] for pod in pods]
        raise errors.ClaimInUse(claim["metadata"]["name"], _ONCE_POD, names)


def check_mountable(cluster: Cluster, name: str, workflow: Workflow, patience_s: float) -> Object:
    """The claim of a backup, when a pod can mount it and there is something to mount.

    Raises:
        errors.ClaimMissing and its like, errors.ClaimUnbound, errors.ClaimInUse
        errors.ClaimWithoutVolume: the volume that it names was not bound to it in this time.

    """
    claim = find(cluster, name)
    if _phase(claim) == "Pending" and claim["spec"].get("volumeName"):
        wait_for_volume(cluster, name, patience_s)  # Kubernetes looks again every 15 s (pvClaimBinderSyncPeriod)
        claim = find(cluster, name)
    if (phase := _phase(claim)) != "Bound":
        raise errors.ClaimUnbound(name, phase or "new")
    check_once_pod(claim, users(cluster, name, workflow))
    return claim


def _phase(claim: Object) -> str:
    return str((claim.get("status") or {}).get("phase", ""))


def check_free(cluster: Cluster, name: str, workflow: Workflow) -> Object | None:
    """None where the name is free, the claim where this very workflow made it.

    Raises:
        errors.BadName, errors.ClaimTaken, errors.ClaimGoingAway

    """
    check_name(name)
    claim = cluster.get(CLAIM, name)
    if claim is None:
        return None
    if claim["metadata"].get("deletionTimestamp"):
        raise errors.ClaimGoingAway(name, cluster.namespace)
    if marks.label(claim, marks.WORKFLOW_UID) != workflow.uid:
        raise errors.ClaimTaken(name, cluster.namespace, _holder(claim))
    return claim


class Wanted(NamedTuple):
    """The claim of a new backup; an empty class means the cluster's default, `external` that it holds no files.

    In a plan an empty name is that of the workflow to come. An empty schedule means that a person asked for it.
    """

    name: str
    storage_request: str
    storage_class: str
    volume_name: str
    external: bool = False
    schedule: str = ""

    @property
    def spec(self) -> Object:
        """The spec of the claim."""
        spec = spec_of(_ONCE, self.storage_request, self.storage_class)
        if self.volume_name:  # never the default class: it would keep the claim from this volume
            spec |= {"volumeName": self.volume_name, "storageClassName": self.storage_class}
        return spec


def create_backup(cluster: Cluster, wanted: Wanted, apimanager: Object, workflow: Workflow) -> Object:
    """Create the claim of a backup, in state running.

    Raises:
        errors.QuotaExceeded, errors.AlreadyExists

    """
    version = marks.annotation(apimanager, installation.THREESCALE_VERSION)
    labels = {
        marks.BACKUP: wanted.name,
        marks.STATE: marks.RUNNING,
        marks.WORKFLOW: workflow.name,
        marks.WORKFLOW_UID: workflow.uid,
        **({marks.THREESCALE_VERSION: version} if version else {}),
        **({marks.FILE_STORAGE: marks.EXTERNAL} if wanted.external else {}),
        **({marks.SCHEDULE: wanted.schedule} if wanted.schedule else {}),
    }
    annotations = {
        installation.APIMANAGER_NAME: apimanager["metadata"]["name"],
        installation.APIMANAGER_UID: apimanager["metadata"]["uid"],
        installation.BACKUP_NAME: wanted.name,
        installation.BACKUP_UID: workflow.uid,
        marks.STARTED: utc(datetime.now(UTC)),
    }
    created = cluster.create(CLAIM, new(wanted.name, labels, annotations, wanted.spec))
    log.info("PersistentVolumeClaim %s: created, %s", wanted.name, wanted.storage_request)
    return created


def wait_for_volume(cluster: Cluster, name: str, patience_s: float) -> None:
    """See that a new claim gets its volume now, or will with its first pod.

    A pod whose claim gets none stays Pending until the workflow's own deadline: Argo's `timeout` does not reach a pod
    that no node has and that has a retry strategy (workflow/controller/operator.go of 4.1.2), so it is asked here.

    Raises:
        errors.ClaimWithoutVolume: an event says why, or the volume that the claim names does not come; the next tries
            see whether it was only slow.
        errors.ClaimGone, errors.ClaimGoingAway: somebody has deleted it since it was made or seen.

    """
    until = time.monotonic() + patience_s
    while _phase(claim := still_there(cluster, name)) != "Bound":
        event = events.last(cluster, CLAIM.name, name, claim["metadata"]["uid"])
        if event and (event.type == "Warning" or event.reason == _NO_VOLUME):
            raise errors.ClaimWithoutVolume(name, str(event))
        if event and event.reason == _FIRST_CONSUMER:
            return
        if time.monotonic() > until:
            if volume := claim["spec"].get("volumeName"):  # Kubernetes says nothing about that
                raise errors.ClaimWithoutVolume(name, f"volume {volume} is not there, or not for this claim")
            return
        interruption.sleep(_LOOK_S)


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
    annotations = {marks.ENDED: utc(manifest.ended), marks.MANIFEST_DIGEST: digest}
    body = {"metadata": {"labels": labels, "annotations": annotations}}
    cluster.patch(CLAIM, claim["metadata"]["name"], body)


def give_up(cluster: Cluster, name: str, workflow: Workflow) -> bool:
    """Say on the claim of a backup that the run which made it has failed, where it is that run's and not complete.

    Tell whether it is that run's and complete all the same. A label for those who read it; whether a backup has failed
    is proved otherwise (`steps/catalogue.py`).
    """
    claim = cluster.get(CLAIM, name)
    if not claim or marks.label(claim, marks.WORKFLOW_UID) != workflow.uid:
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
        return datetime.fromisoformat(marks.annotation(claim, marks.STARTED))
    except ValueError as error:
        raise errors.NotABackup(f"claim {claim['metadata']['name']} has no annotation {marks.STARTED}") from error


def label_time(moment: datetime) -> str:
    """A time as a label can hold it, ISO 8601 in its basic format."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def utc(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spec_of(access_mode: str, request: str, storage_class: str) -> Object:
    """The spec of a new claim; an empty class means the cluster's default."""
    spec: Object = {"accessModes": [access_mode], "resources": {"requests": {"storage": request}}}
    return {**spec, "storageClassName": storage_class} if storage_class else spec


def told(claim: Object) -> str:
    """A claim in words: its size, what it was asked for where it has none yet, how it can be mounted, its class."""
    spec = claim["spec"]
    capacity = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
    name = spec.get("storageClassName")
    of_class = {None: "of the default class", "": "of no class"}.get(name, f"of class {name}")
    volume = [f"on volume {spec['volumeName']}"] if spec.get("volumeName") and not capacity else []
    return ", ".join([capacity or spec["resources"]["requests"]["storage"], *spec["accessModes"], of_class, *volume])


def own_name(workflow: Workflow, suffix: str) -> str:
    """What a claim of a workflow is called: as that, cut where that is too long, and then told apart."""
    name = workflow.name.replace(".", "-")
    if len(name) + len(suffix) <= _LABEL_LENGTH:
        return f"{name}{suffix}"
    unique = f"-{hashlib.sha256(workflow.name.encode()).hexdigest()[:8]}{suffix}"
    return f"{name[: _LABEL_LENGTH - len(unique)]}{unique}"


def new(name: str, labels: dict[str, str], annotations: dict[str, str], spec: Object) -> Object:
    """A claim to create."""
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {"apiVersion": CLAIM.api_version, "kind": CLAIM.name, "metadata": metadata, "spec": spec}


def is_backup(claim: Object) -> bool:
    """Whether a claim says that it holds a backup, ours or the operator's."""
    return bool(marks.label(claim, marks.BACKUP) or marks.annotation(claim, installation.BACKUP_NAME))


def is_ours(claim: Object) -> bool:
    """Whether this tool made it: one label or annotation that it puts on its own claims tells, if all others are lost.

    A backup of the operator may carry what a person or a drill says of any backup.
    """
    metadata = claim["metadata"]
    names = {*(metadata.get("labels") or {}), *(metadata.get("annotations") or {})} - _OF_ANY_BACKUP
    return any(name.startswith(marks.PREFIX) for name in names)


def _mounting(cluster: Cluster, claim: str) -> list[Object]:
    return [pod for pod in cluster.list(POD) if claim in of(pod)]


def _holder(claim: Object) -> str:
    if workflow := marks.label(claim, marks.WORKFLOW):
        return f"made by workflow {workflow}"
    return "a backup of the operator" if is_backup(claim) else "no backup of ours"
