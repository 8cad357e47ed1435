"""Wait for a claim's volume, and check that a claim still exists."""

from steps import errors
from steps.kubernetes import events, fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, Object
from steps.process import interruption

_FIRST_CONSUMER = "WaitForFirstConsumer"  # reason of a Normal event: the first pod gets the volume
_NO_VOLUME = "FailedBinding"  # a Normal event too, but no volume will come: no class is set, and no volume fits
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
    """Check that a new claim gets its volume now, or will get it with its first pod.

    A pod whose claim gets no volume stays Pending until the workflow's deadline. Argo's `timeout` does not end a pod
    without a node that has a retry strategy (workflow/controller/operator.go of 4.1.2). So the check is made here.

    Raises:
        errors.ClaimWithoutVolume: an event gives the reason, or the volume that the claim names does not come. Another
            try may find that it was only slow.
        errors.ClaimGone, errors.ClaimGoingAway: somebody deleted the claim in the meantime.

    """
    for _ in interruption.looks(patience_s, _LOOK_S):
        if fields.phase(claim := still_there(cluster, name)) == "Bound":
            return
        event = events.last(cluster, CLAIM.name, name, claim["metadata"]["uid"])
        if event and (event.type == "Warning" or event.reason == _NO_VOLUME):
            raise errors.ClaimWithoutVolume(name, str(event))
        if event and event.reason == _FIRST_CONSUMER:
            return
    if volume := claim["spec"].get("volumeName"):  # Kubernetes reports no event about that
        raise errors.ClaimWithoutVolume(name, f"volume {volume} is missing or does not fit the claim")
