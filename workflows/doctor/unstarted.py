"""Why a pod has not started, and what a person can do."""

from collections.abc import Iterator
from typing import NamedTuple

from steps.kubernetes import fields
from steps.kubernetes.kinds import Object

# Reasons of a waiting container (Kubernetes, pkg/kubelet/images/types.go) and of a pod without a node (api/core/v1)
_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
_FINAL = frozenset({"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})  # the first: tried before
_UNSCHEDULABLE = "Unschedulable"
_USUAL = frozenset({"PodInitializing", "ContainerCreating"})
_REMEDIES = {
    "main": "Check `image`. Credentials of the registry are in the Secrets that pods.imagePullSecrets names.",
    "argo": "Check the executor's image in the settings of Argo's controller. Credentials of its registry are in the "
    "Secrets that pods.imagePullSecrets names.",
    _UNSCHEDULABLE: "Set pods.tolerations and pods.nodeSelector so that a node fits, or request less in "
    "pods.resources.",
}


class Why(NamedTuple):
    """The reason of Kubernetes with its message, and the remedy if this tool knows one."""

    told: str
    remedy: str = ""


def why(pod: Object) -> Why | None:
    """Return why a pod waits. None if its status gives no reason."""
    return next(_of_containers(pod), None) or next(_of_conditions(pod), None)


def is_hopeless(pod: Object) -> bool:
    """Return whether a container can't get its image, so that nobody needs to wait longer."""
    return any(reason in _FINAL for _, reason in _waiting(pod))


def _waiting(pod: Object) -> Iterator[tuple[Object, str]]:
    """Yield the containers that wait, each with its reason."""
    status = pod.get("status") or {}
    for each in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if reason := fields.at(each, "state", "waiting", "reason"):
            yield each, str(reason)


def _of_containers(pod: Object) -> Iterator[Why]:
    for each, reason in _waiting(pod):
        if reason in _USUAL:
            continue
        told = f"container {each['name']}: {_words(reason, fields.at(each, 'state', 'waiting', 'message'))}"
        yield Why(told, _REMEDIES["main" if each["name"] == "main" else "argo"] if reason in _PULL else "")


def _of_conditions(pod: Object) -> Iterator[Why]:
    for each in fields.at(pod, "status", "conditions") or []:
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            reason = str(each.get("reason", ""))
            yield Why(_words(reason, each.get("message")), _REMEDIES.get(reason, ""))


def _words(reason: str, message: str | None) -> str:
    return f"{reason}: {message}" if message else reason
