"""The status that the 3scale operator writes into an APIManager, in the texts of operator 0.13."""

from __future__ import annotations

from workflows.rehearsal.kubernetes.cluster import Cluster
from workflows.rehearsal.kubernetes.kinds import Object
from workflows.rehearsal.kubernetes.store import now
from workflows.rehearsal.threescale import objects


def of(cluster: Cluster, apimanager: Object) -> Object:
    """Return the status of an APIManager for the objects in its namespace."""
    namespace = apimanager["metadata"]["namespace"]
    expected = objects.expected_deployments(apimanager)
    found = {name: cluster.get("deployments", namespace, name) for name in expected}
    ready = sorted(name for name, obj in found.items() if obj and objects.is_ready(obj))
    starting = sorted(name for name, obj in found.items() if obj and not objects.is_ready(obj))
    unavailable = sorted(set(expected) - set(ready))
    routes = cluster.list("routes", namespace)
    admitted = {route["spec"]["host"] for route in routes if objects.is_admitted(route)}
    unadmitted = [host for host in objects.hosts(apimanager) if host not in admitted]
    missing = [name for name in referenced_secrets(apimanager) if not cluster.get("secrets", namespace, name)]
    unmet = [name for name in objects.DATABASE_SECRETS if not cluster.get("secrets", namespace, name)]
    conditions = [
        _condition("Available", [*unavailable, *unadmitted, *missing, *unmet]),
        _condition("DeploymentsAvailable", unavailable, "DeploymentsNotAvailable", "deployment(s) are not available"),
        _condition("RoutesReady", unadmitted, "RoutesNotReady", "route(s) are not yet admitted"),
        _condition("SecretsAvailable", missing, "MissingWatchedSecrets", "secret(s) are missing"),
    ]
    if unmet:
        conditions.append(_condition("Preflights", unmet, "PreflightsPass", "secret(s) are missing"))
    deployments = {"ready": ready} | ({"starting": starting} if starting else {"starting": None})
    return {"conditions": _timed(conditions, apimanager), "deployments": deployments}


def referenced_secrets(apimanager: Object) -> list[str]:
    """Name the Secrets that the APIcasts of an APIManager refer to."""
    names: set[str] = set()
    apicast = apimanager["spec"].get("apicast", {})
    for part in ("productionSpec", "stagingSpec"):
        spec = apicast.get(part) or {}
        several = [*spec.get("customPolicies", []), *spec.get("customEnvironments", [])]
        traces = [spec.get(kind, {}).get("tracingConfigSecretRef") for kind in ("openTracing", "openTelemetry")]
        named = [*(entry["secretRef"] for entry in several), spec.get("httpsCertificateSecretRef"), *traces]
        names |= {reference["name"] for reference in named if reference}
    return sorted(names)


def _condition(kind: str, against: list[str], reason: str = "", said: str = "") -> Object:
    if not against:
        return {"type": kind, "status": "True"}
    condition = {"type": kind, "status": "False"}
    return condition | ({"reason": reason, "message": f"The following {said}: {', '.join(against)}"} if reason else {})


def _timed(conditions: list[Object], apimanager: Object) -> list[Object]:
    """Keep the time of the last change of each condition between True and False."""
    before = {c["type"]: c for c in apimanager.get("status", {}).get("conditions", [])}

    def since(condition: Object) -> str:
        old = before.get(condition["type"], {})
        same = old.get("status") == condition["status"]
        return str(old["lastTransitionTime"]) if same else now()

    return [condition | {"lastTransitionTime": since(condition)} for condition in conditions]
