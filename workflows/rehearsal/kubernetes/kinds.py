"""The kinds that the rehearsal's API server serves, and its discovery answers.

Backup and restore use only a few resources. A request for any other must fail here, as in a cluster without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

RBAC_GROUP = "rbac.authorization.k8s.io"
STORAGE_GROUP = "storage.k8s.io"
BUILT_IN_GROUPS = frozenset({"", "apps", RBAC_GROUP, STORAGE_GROUP})
VERBS = ["create", "delete", "get", "list", "patch", "update"]


@dataclass(frozen=True)
class Kind:
    """One resource of the API server."""

    group: str
    version: str
    resource: str
    name: str
    namespaced: bool = True
    has_status: bool = False

    @property
    def api_version(self) -> str:
        """Return group and version as an object writes them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """Return resource and group as the API server's messages write them."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def built_in(self) -> bool:
        """Whether this kind belongs to Kubernetes itself. All others are custom resources."""
        return self.group in BUILT_IN_GROUPS

    @property
    def subresources(self) -> frozenset[str]:
        """Name the subresources of this kind, and the kind itself."""
        return frozenset({"", *(["status"] if self.has_status else []), *(["exec"] if self.name == "Pod" else [])})

    @property
    def counts_generations(self) -> bool:
        """Whether `metadata.generation` counts the changes of this kind's spec."""
        return self.group not in {"", RBAC_GROUP, STORAGE_GROUP}


KINDS = (
    Kind("", "v1", "configmaps", "ConfigMap"),
    Kind("", "v1", "events", "Event"),
    Kind("", "v1", "namespaces", "Namespace", namespaced=False, has_status=True),
    Kind("", "v1", "nodes", "Node", namespaced=False, has_status=True),
    Kind("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False, has_status=True),
    Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", has_status=True),
    Kind("", "v1", "pods", "Pod", has_status=True),
    Kind("", "v1", "resourcequotas", "ResourceQuota", has_status=True),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "serviceaccounts", "ServiceAccount"),
    Kind("apps", "v1", "deployments", "Deployment", has_status=True),
    Kind(RBAC_GROUP, "v1", "rolebindings", "RoleBinding"),
    Kind(RBAC_GROUP, "v1", "roles", "Role"),
    Kind(STORAGE_GROUP, "v1", "storageclasses", "StorageClass", namespaced=False),
    Kind("apps.3scale.net", "v1alpha1", "apimanagerbackups", "APIManagerBackup", has_status=True),
    Kind("apps.3scale.net", "v1alpha1", "apimanagers", "APIManager", has_status=True),
    Kind("apps.openshift.io", "v1", "deploymentconfigs", "DeploymentConfig", has_status=True),
    # Argo's CRDs have no status subresource: its controller writes the whole object.
    Kind("argoproj.io", "v1alpha1", "cronworkflows", "CronWorkflow"),
    Kind("argoproj.io", "v1alpha1", "workflows", "Workflow"),
    Kind("argoproj.io", "v1alpha1", "workflowtaskresults", "WorkflowTaskResult"),
    Kind("argoproj.io", "v1alpha1", "workflowtemplates", "WorkflowTemplate"),
    Kind("route.openshift.io", "v1", "routes", "Route", has_status=True),
)

_BY_RESOURCE = {kind.resource: kind for kind in KINDS}
_BY_OBJECT = {(kind.api_version, kind.name): kind for kind in KINDS}


def named(resource: str) -> Kind:
    """Return the kind with that plural. Each plural is unique."""
    return _BY_RESOURCE[resource]


def served(group: str, version: str, resource: str) -> Kind | None:
    """Return the kind of a path, or None if there is none."""
    kind = _BY_RESOURCE.get(resource)
    return kind if kind and (kind.group, kind.version) == (group, version) else None


def of(obj: Object) -> Kind:
    """Return the kind that an object names."""
    return _BY_OBJECT[obj["apiVersion"], obj["kind"]]


def known(obj: Object) -> bool:
    """Whether an object, or a reference to one, names a kind of this server."""
    return (obj["apiVersion"], obj["kind"]) in _BY_OBJECT


def discovery(path: str, kinds: Sequence[Kind]) -> Object | None:
    """Answer a discovery path such as `/apis/apps/v1`, or return None for an unknown one."""
    match path.strip("/").split("/"):
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups(kinds)}
        case ["apis", group]:
            return next((g for g in _groups(kinds) if g["name"] == group), None)
        case ["api", "v1"]:
            return _resources("", "v1", kinds)
        case ["apis", group, group_version]:
            return _resources(group, group_version, kinds)
        case _:
            return None


_EVERYWHERE = ("authorization.k8s.io", "v1")  # a group of every API server, without resources here


def _groups(kinds: Sequence[Kind]) -> list[Object]:
    served = {(kind.group, kind.version) for kind in kinds if kind.group}
    versions = sorted({*served, _EVERYWHERE})
    return [_group(name, group_version) for name, group_version in versions]


def _group(name: str, group_version: str) -> Object:
    both = {"groupVersion": f"{name}/{group_version}", "version": group_version}
    return {"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": [both], "preferredVersion": both}


def _resources(group: str, group_version: str, kinds: Sequence[Kind]) -> Object | None:
    found = [kind for kind in kinds if (kind.group, kind.version) == (group, group_version)]
    if not found:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": [_resource(kind) for kind in found],
    }


def _resource(kind: Kind) -> Object:
    return {
        "name": kind.resource,
        "singularName": kind.name.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.name,
        "verbs": VERBS,
    }
