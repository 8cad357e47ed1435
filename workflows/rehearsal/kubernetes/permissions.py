"""Access rights: the Roles and RoleBindings in the cluster, read as Kubernetes reads them.

So a rehearsal fails with Forbidden if a workflow's Role lacks a rule, before a real cluster does.
"""

from __future__ import annotations

from workflows.rehearsal.kubernetes import kinds, refusals
from workflows.rehearsal.kubernetes.kinds import Object
from workflows.rehearsal.kubernetes.routing import Request
from workflows.rehearsal.kubernetes.store import Store

ADMINISTRATOR = "kubernetes-admin"

_BINDINGS = kinds.named("rolebindings")
_ROLES = kinds.named("roles")


def account(namespace: str, name: str) -> str:
    """Return the user name of a ServiceAccount in the API server."""
    return f"system:serviceaccount:{namespace}:{name}"


def check(store: Store, request: Request) -> None:
    """Refuse a request that no rule allows.

    An exec over a WebSocket is a GET. Since Kubernetes 1.35 it also needs the verb `create`.
    """
    verbs = [request.verb, "create"] if request.target == "pods/exec" and request.verb == "get" else [request.verb]
    if request.user == ADMINISTRATOR:
        return
    for verb in verbs:
        if not any(_allows(rule, request, verb) for rule in _rules(store, request)):
            raise refusals.forbidden(request, verb, _missing_roles(store, request))


def _rules(store: Store, request: Request) -> list[Object]:
    roles = [store.find(_ROLES, request.namespace, name) for name in _role_names(store, request)]
    return [rule for role in roles if role for rule in role.get("rules") or []]


def _role_names(store: Store, request: Request) -> list[str]:
    if not request.namespace:
        return []
    return [
        binding["roleRef"]["name"]
        for binding in store.list(_BINDINGS, request.namespace)
        if binding["roleRef"]["kind"] == "Role"
        and any(_is(request.user, subject, request.namespace) for subject in binding.get("subjects") or [])
    ]


def _missing_roles(store: Store, request: Request) -> str:
    missing = [name for name in _role_names(store, request) if not store.find(_ROLES, request.namespace, name)]
    said = [f'role.rbac.authorization.k8s.io "{name}" not found' for name in missing]
    if not said:
        return ""
    return f": RBAC: {said[0]}" if len(said) == 1 else f": RBAC: [{', '.join(said)}]"


def _is(user: str, subject: Object, namespace: str) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user == account(subject.get("namespace", namespace), subject["name"])
    return bool(subject["kind"] == "User" and user == subject["name"])


def _allows(rule: Object, request: Request, verb: str) -> bool:
    names = rule.get("resourceNames") or []
    return (
        _holds(rule.get("apiGroups"), request.group)
        and _holds(rule.get("verbs"), verb)
        and _holds(rule.get("resources"), request.target, f"*/{request.subresource}")
        and (not names or _decided_name(request) in names)
    )


def _decided_name(request: Request) -> str:
    """Return the name for the decision. The name of a new object is not known yet."""
    return "" if request.verb == "create" and not request.subresource else request.name


def _holds(allowed: list[str] | None, *wanted: str) -> bool:
    return bool({"*", *wanted} & set(allowed or []))
