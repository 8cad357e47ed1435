"""What quotas count, and how much room they leave.

Kubernetes counts an object under several names: `secrets` and `count/secrets`. Of claims it also counts the storage,
and both by class (kubernetes pkg/quota/v1/evaluator/core).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from steps import errors
from steps.kubernetes import fields
from steps.kubernetes.claims import quantity
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, CLUSTER_QUOTA, CONFIGMAP, QUOTA, SECRET, Kind, Object

KINDS = (QUOTA, CLUSTER_QUOTA)

_BY_NAME = (SECRET, CONFIGMAP, CLAIM)  # these are also counted by their resource alone
_OF_CLASS = "{}.storageclass.storage.k8s.io/{}"


class Limit(NamedTuple):
    """A quota's limit of one resource; numbers as the quota counts them, bytes for storage."""

    quota: str  # `ResourceQuota objects`
    resource: str  # `count/secrets`, `requests.storage`
    hard: Decimal
    used: Decimal


def needed(created: Iterable[tuple[Kind, Object]]) -> Counter[str]:
    """Count what new objects need, by the names that quotas give to it."""
    needs: Counter[str] = Counter()
    for kind, obj in created:
        needs[f"count/{kind.resource}.{kind.group}" if kind.group else f"count/{kind.resource}"] += 1
        if kind in _BY_NAME:
            needs[kind.resource] += 1
        if kind == CLAIM:
            size_bytes = int(quantity(obj["spec"]["resources"]["requests"]["storage"]))
            needs["requests.storage"] += size_bytes
            if of_class := obj["spec"].get("storageClassName"):
                needs[_OF_CLASS.format(of_class, CLAIM.resource)] += 1
                needs[_OF_CLASS.format(of_class, "requests.storage")] += size_bytes
    return needs


def limits(cluster: Cluster, kind: Kind) -> list[Limit]:
    """Read the limits that quotas of a kind set in the namespace; none where the cluster has no such kind.

    A quota with scopes counts some objects only, and none of those that a restore creates. A quota without a status
    limits nothing yet. An amount that is no quantity is left out, because the server itself judges each dry run.

    Raises:
        as `Cluster.list`

    """
    try:
        return [limit for each in cluster.list(kind) for limit in _limits(kind, each)]
    except errors.UnknownResource:
        return []


def _limits(kind: Kind, quota: Object) -> Iterator[Limit]:
    if fields.at(quota, "spec", "scopes") or fields.at(quota, "spec", "scopeSelector"):
        return
    status = fields.at(quota, "status", *(["total"] if kind == CLUSTER_QUOTA else [])) or {}
    used = status.get("used") or {}
    for resource, hard in (status.get("hard") or {}).items():
        most, now = _amount(hard), _amount(used.get(resource))
        if most is not None and now is not None:
            yield Limit(f"{kind.name} {quota['metadata']['name']}", resource, most, now)


def _amount(told: object) -> Decimal | None:
    """Return an amount, or None if it is missing or no quantity."""
    try:
        return quantity(str(told))
    except ValueError:
        return None
