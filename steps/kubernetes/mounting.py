"""The pods that mount a claim, and the nodes where another pod can mount it too."""

from collections.abc import Sequence
from typing import NamedTuple

from steps import errors
from steps.kubernetes import fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import POD, Object
from steps.kubernetes.workflow import WORKFLOW_LABEL, Workflow

_ONCE_POD = "ReadWriteOncePod"
_MANY = ("ReadWriteMany", "ReadOnlyMany")


class Placement(NamedTuple):
    """Where pods may run, as operator and value of a node's `metadata.name`."""

    operator: str
    node: str


ANYWHERE = Placement("NotIn", "no-node")


def users(cluster: Cluster, name: str, workflow: Workflow) -> list[Object]:
    """Return the pods of other workflows that mount a claim and have not ended."""
    return [
        pod for pod in _mounting(cluster, name) if not ended(pod) and fields.label(pod, WORKFLOW_LABEL) != workflow.name
    ]


def ended(pod: Object) -> bool:
    """Return whether a pod has ended, with success or not."""
    return fields.phase(pod) in {"Succeeded", "Failed"}


def claims_of(pod: Object) -> list[str]:
    """Return the names of the claims that a pod mounts."""
    volumes = pod["spec"].get("volumes") or []
    return [item["persistentVolumeClaim"]["claimName"] for item in volumes if item.get("persistentVolumeClaim")]


def holders(cluster: Cluster, name: str) -> list[str]:
    """Return the pods that keep a claim from being deleted, by name. Ended pods do so too, until they are deleted."""
    return sorted(pod["metadata"]["name"] for pod in _mounting(cluster, name))


def placement(cluster: Cluster, claim: Object, workflow: Workflow) -> Placement:
    """Return where a pod can run that mounts this claim beside the pods that mount it now.

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
    """Check that no pod uses a claim for one pod only.

    Raises:
        errors.ClaimInUse

    """
    if _ONCE_POD in (claim["spec"].get("accessModes") or []) and pods:
        names = [pod["metadata"]["name"] for pod in pods]
        raise errors.ClaimInUse(claim["metadata"]["name"], _ONCE_POD, names)


def _mounting(cluster: Cluster, claim: str) -> list[Object]:
    return [pod for pod in cluster.list(POD) if claim in claims_of(pod)]
