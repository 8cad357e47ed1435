"""Claims that wait for a volume, and claims that must not go."""

from steps import errors
from steps.kubernetes import events, fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, Object
from steps.process import interruption

_FIRST_CONSUMER = "WaitForFirstConsumer"  # reason of an event: normal, a pod will bring the volume
_NO_VOLUME = "FailedBinding"  # a Normal event, though nothing comes of itself: no class is set, and no volume fits
_LOOK_S = 1.0


def still_there(cluster: Cluster, name: str) -> Object:
    """A claim that was made or seen before, and stays.

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
    """See that a new claim gets its volume now, or will with its first pod.

    A pod whose claim gets none stays Pending until the workflow's own deadline: Argo's `timeout` does not reach a pod
    that no node has and that has a retry strategy (workflow/controller/operator.go of 4.1.2), so it is asked here.

    Raises:
        errors.ClaimWithoutVolume: an event says why, or the volume that the claim names does not come; the next tries
            see whether it was only slow.
        errors.ClaimGone, errors.ClaimGoingAway: somebody has deleted it since it was made or seen.

    """
    for _ in interruption.looks(patience_s, _LOOK_S):
        if fields.phase(claim := still_there(cluster, name)) == "Bound":
            return
        event = events.last(cluster, CLAIM.name, name, claim["metadata"]["uid"])
        if event and (event.type == "Warning" or event.reason == _NO_VOLUME):
            raise errors.ClaimWithoutVolume(name, str(event))
        if event and event.reason == _FIRST_CONSUMER:
            return
    if volume := claim["spec"].get("volumeName"):  # Kubernetes says nothing about that
        raise errors.ClaimWithoutVolume(name, f"volume {volume} is missing or does not fit the claim")
