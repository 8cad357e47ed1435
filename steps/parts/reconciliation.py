"""Whether the operator looks after an APIManager. If it does not, the objects may not be what the APIManager asks for.

The status can't tell by its age: it has no observedGeneration, and the operator writes it only when it changes
(operator, apimanager_types.go and apimanager_status_reconciler.go). A message of the status is never repeated here,
because it may hold the address of a database.
"""

from collections.abc import Iterator

from steps import errors
from steps.archive.contents import minor
from steps.kubernetes import fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import DEPLOYMENT, Object
from steps.threescale import installation

UNKNOWN = "the operator was not asked, it has no Deployment in this namespace or the Role does not allow to get it"
_PREFLIGHTS = "Preflights"  # from 2.15


def doubts(apimanager: Object, operator: Object | None) -> list[str]:
    """Why the operator may not reconcile an APIManager, a clause each. `operator` is its Deployment, None: unknown."""
    return [*_of_apimanager(apimanager), *(_of_operator(apimanager, operator) if operator else ())]


def operator(cluster: Cluster) -> Object | None:
    """The operator's Deployment, None if it runs in another namespace or may not be read.

    Raises:
        errors.NoAnswer

    """
    try:
        return find_operator(cluster)
    except (errors.NotAllowed, errors.UnknownResource):  # a Role of an older version
        return None


def find_operator(cluster: Cluster) -> Object | None:
    """The operator's Deployment, None if it runs in another namespace. Raises as `Cluster.get`."""
    return next(filter(None, (cluster.get(DEPLOYMENT, name) for name in installation.OPERATOR_DEPLOYMENTS)), None)


def version(operator: Object) -> str:
    """The 3scale version that an operator installs, MAJOR.MINOR. Empty if its pods have no version label."""
    labels = fields.at(operator, "spec", "template", "metadata", "labels") or {}
    return str(labels.get(installation.OPERATOR_VERSION_LABEL, ""))


def _of_apimanager(apimanager: Object) -> Iterator[str]:
    if fields.is_going(apimanager):
        yield f"is being deleted since {apimanager['metadata']['deletionTimestamp']}"
    if not fields.annotation(apimanager, installation.THREESCALE_VERSION):  # the operator's first write
        yield "was never reconciled, it has no annotation with a version"
    conditions = fields.at(apimanager, "status", "conditions") or []
    if any(each.get("type") == _PREFLIGHTS and each.get("status") == "False" for each in conditions):
        yield f"may not be reconciled, its condition {_PREFLIGHTS} is False"


def _of_operator(apimanager: Object, operator: Object) -> Iterator[str]:
    name = operator["metadata"]["name"]
    if not fields.at(operator, "status", "availableReplicas"):
        yield f"is not reconciled, Deployment {name} of the operator has no available pod"
    told, installs = fields.annotation(apimanager, installation.THREESCALE_VERSION), version(operator)
    if told and installs and minor(told) != minor(installs):
        yield f"was reconciled last by an operator of {told}, and Deployment {name} is of {installs}"
