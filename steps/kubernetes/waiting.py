"""Wait for a claim's volume, and check that a claim still exists."""

import re
from collections.abc import Iterable

from steps import errors
from steps.kubernetes import events, fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, Object
from steps.process import interruption

# Reasons of events (pkg/controller/volume/events/event.go of Kubernetes).
_WITH_POD = ("WaitForFirstConsumer", "WaitForPodScheduled")  # Normal: the volume comes with the first pod
_MISMATCH = "VolumeMismatch"  # the named volume has another size, class or access mode than the claim
_FAILED = "ProvisioningFailed"  # by any cause; a provisioner tries again, but not without the class
_NO_CLASS = re.compile(r'(storageclass|volumeattributesclass)(es)?\.storage\.k8s\.io "[^"]*" not found')
_LOOK_S = 1.0


def still_there(cluster: Cluster, name: str) -> Object:
    """Return a claim that existed before and is not being deleted.

    Raises:
        errors.ClaimGone, errors.ClaimGoingAway

    """
    claim = cluster.get(CLAIM, name)
    if claim is None:
        raise errors.ClaimGone(name, cluster.namespace)
    if fields.is_going(claim):
        raise errors.ClaimGoingAway(name, cluster.namespace)
    return claim


def wait_for_volume(cluster: Cluster, name: str, patience_s: float) -> None:
    """Wait for the volume of one claim, as `wait_for_volumes` does."""
    wait_for_volumes(cluster, [name], patience_s)


def wait_for_volumes(cluster: Cluster, names: Iterable[str], patience_s: float) -> None:
    """Check that new claims get their volumes within `patience_s` seconds, or will get them with their first pod.

    One limit holds for all of them. A slow provisioner warns and tries again by itself, so a warning does not end the
    wait, unless waiting can't help.

    A pod whose claim gets no volume stays Pending until the workflow's deadline. Argo's `timeout` does not end a pod
    without a node that has a retry strategy (workflow/controller/operator.go of 4.1.2). So the check is made here.

    Raises:
        errors.ClaimWithoutVolume: the volume does not come, with the last event as the reason.
        errors.ClaimGone, errors.ClaimGoingAway: somebody deleted the claim in the meantime.

    """
    left = list(names)
    for _ in interruption.looks(patience_s, _LOOK_S):
        left = [name for name in left if not _is_settled(cluster, name)]
        if not left:
            return
    name = left[0]
    raise errors.ClaimWithoutVolume(name, _why(cluster, still_there(cluster, name)))


def _is_settled(cluster: Cluster, name: str) -> bool:
    """Whether the claim has its volume, or gets it with its first pod.

    Raises:
        errors.ClaimWithoutVolume: waiting can't help; as `still_there`

    """
    if fields.phase(claim := still_there(cluster, name)) == "Bound":
        return True
    found = events.of(cluster, CLAIM.name, name, claim["metadata"]["uid"])
    if found and _is_final(found[-1]):
        raise errors.ClaimWithoutVolume(name, str(found[-1]))
    return bool(found) and found[-1].reason in _WITH_POD


def _is_final(event: events.Event) -> bool:
    return event.reason == _MISMATCH or (event.reason == _FAILED and bool(_NO_CLASS.search(event.message)))


def _why(cluster: Cluster, claim: Object) -> str:
    name = claim["metadata"]["name"]
    event = events.telling(events.of(cluster, CLAIM.name, name, claim["metadata"]["uid"]))
    if event:
        return str(event)
    if volume := claim["spec"].get("volumeName"):  # Kubernetes reports no event about that
        return f"volume {volume} is missing or does not fit the claim"
    return "Kubernetes reports no reason"
