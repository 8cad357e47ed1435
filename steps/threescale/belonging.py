"""Which workloads, pods and Routes of a namespace are 3scale's.

Labels such as `threescale_component` don't tell: apicast-operator and people use them too. The controller of an object
tells, and where it has none, the operator's fixed names.
"""

from collections.abc import Iterable, Mapping

from steps.kubernetes import fields
from steps.kubernetes.kinds import APIMANAGER, DEPLOYMENT, DEPLOYMENT_CONFIG, Kind, Object
from steps.threescale import installation

# The label of a pod that names its workload, and the kind of that workload (operator, pkg/3scale/amp/component).
_POD_LABELS = dict(zip(installation.POD_LABELS, (DEPLOYMENT, DEPLOYMENT_CONFIG), strict=True))
_OF_WORKLOADS = ("ReplicaSet", "ReplicationController")  # what stands between a workload and its pods


def is_workload(obj: Object) -> bool:
    """Whether a Deployment or DeploymentConfig is 3scale's.

    An APIManager controls it, or nothing controls it and it has one of the operator's names. A database counts only if
    an APIManager controls it.
    """
    if controller := fields.controller(obj):
        return _is_apimanager(controller)
    return obj["metadata"]["name"] in installation.WORKLOADS


def pods(found: Iterable[Object], workloads: Mapping[Kind, Iterable[Object]]) -> list[Object]:
    """Return those pods that are 3scale's. `workloads` are all workloads of the namespace.

    A label names the workload of such a pod. The workload may be gone already.
    """
    known = {
        (kind, obj["metadata"]["name"]): is_workload(obj) for kind, objects in workloads.items() for obj in objects
    }
    return [each for each in found if _is_apimanager(fields.controller(each)) or _is_pod(each, known)]


def _is_pod(pod: Object, known: Mapping[tuple[Kind, str], bool]) -> bool:
    controller = fields.controller(pod)
    if controller and controller.get("kind") not in _OF_WORKLOADS:
        return False
    named = ((kind, fields.label(pod, label)) for label, kind in _POD_LABELS.items())
    return any(known.get(each, each[1] in installation.WORKLOADS) for each in named)


def is_route(route: Object) -> bool:
    """Whether a Route is the APIManager's or Zync's, by an owner or by Zync's label."""
    if any(fields.label(route, name) == installation.ZYNC_LABEL_VALUE for name in installation.ZYNC_LABELS):
        return True
    return any(_is_apimanager(each) or _is_zync(each) for each in fields.owners(route))


def _is_apimanager(owner: Object) -> bool:
    return _is_of(owner, APIMANAGER)


def _is_zync(owner: Object) -> bool:
    is_workload = _is_of(owner, DEPLOYMENT) or _is_of(owner, DEPLOYMENT_CONFIG)
    return is_workload and owner.get("name") in installation.ZYNC_WORKLOADS


def _is_of(owner: Object, kind: Kind) -> bool:
    return (fields.group(owner), owner.get("kind")) == (kind.group, kind.name)
