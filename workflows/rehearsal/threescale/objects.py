"""The objects of the sample installation, as the API server of a real one held them.

`sample/` was taken from 3scale 2.16, with all details that cause errors: last-applied annotations with copies of
values, managedFields, labels with uids, and fields that no typed model knows. Each value in it is made up.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path

from workflows.rehearsal.kubernetes.kinds import Object
from workflows.rehearsal.kubernetes.store import now

SAMPLE = Path(__file__).parent / "sample"
SAMPLE_NAMESPACE = "src"

DATABASE_SECRETS = ("backend-redis", "system-database", "system-redis")
SECRETS = (
    "backend-internal-api",
    "backend-listener",
    "backend-redis",
    "system-app",
    "system-database",
    "system-events-hook",
    "system-master-apicast",
    "system-memcache",
    "system-recaptcha",
    "system-redis",
    "system-seed",
    "system-smtp",
    "zync",
)
DERIVED_SECRET = "hashed-secret-data"  # noqa: S105 - the name of a Secret, not its value
REFERENCED_SECRETS = ("my-env", "my-policy", "my-registry", "my-telemetry", "my-tls", "my-tracing")
SECRET_LABEL = "secret.apimanager.apps.3scale.net/"  # noqa: S105 - the start of a label's name
WATCHED_LABEL = "apimanager.apps.3scale.net/watched-by"

# The order in which the operator brings them up; read off the creation times of a real installation.
GROUPS = (
    ("backend-cron", "backend-listener", "backend-worker"),
    ("system-memcache", "system-searchd"),
    ("system-sidekiq",),
    ("system-app",),
    ("zync", "zync-database", "zync-que"),
    ("apicast-production", "apicast-staging"),
)
ZYNC = frozenset({"zync", "zync-database", "zync-que"})
WITH_FILE_STORAGE = ("system-app", "system-sidekiq")

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def sample(name: str, namespace: str) -> list[Object]:
    """Read one of the sample's files, as if it came from this namespace."""
    objects: list[Object] = json.loads((SAMPLE / f"{name}.json").read_text(encoding="utf-8"))
    for obj in objects:
        metadata = obj["metadata"]
        metadata["namespace"] = namespace
        if said := metadata.get("annotations", {}).get(_LAST_APPLIED):
            old, new = (f'"namespace":"{place}"' for place in (SAMPLE_NAMESPACE, namespace))
            metadata["annotations"][_LAST_APPLIED] = said.replace(old, new)
    return objects


def owned(obj: Object, owner: Object) -> Object:
    """Set the controller of an object as its owner."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": True,
        "controller": True,
    }
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": [reference]}}


def secret_labels(secrets: Iterable[Object]) -> dict[str, str]:
    """Return the labels by which an APIManager knows the Secrets it watches."""
    watched = [s for s in secrets if WATCHED_LABEL in (s["metadata"].get("labels") or {})]
    return {f"{SECRET_LABEL}{secret['metadata']['uid']}": "true" for secret in watched}


def with_value(secret: Object, key: str, value: str) -> Object:
    """Add a value to a Secret."""
    return secret | {"data": secret.get("data", {}) | {key: base64.b64encode(value.encode()).decode()}}


def expected_deployments(apimanager: Object) -> list[str]:
    """Name the Deployments that an APIManager needs, in the order of their starts."""
    names = [name for group in GROUPS for name in group]
    return [name for name in names if name not in ZYNC or zync_enabled(apimanager)]


def zync_enabled(apimanager: Object) -> bool:
    """Whether an installation has Zync. It has by default."""
    return bool(apimanager["spec"].get("zync", {}).get("enabled", True))


def deployment_status(*, ready: bool) -> Object:
    """Return the status of a Deployment with one pod."""
    if not ready:
        return {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1}
    available = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    return {"observedGeneration": 1, **counts, "conditions": [available | {"lastTransitionTime": now()}]}


def is_ready(deployment: Object) -> bool:
    """Whether all pods of a Deployment are ready."""
    status = deployment.get("status", {})
    return bool(status.get("readyReplicas", 0) >= status.get("replicas", 1))


def pod(deployment: Object, *, ready: bool) -> Object:
    """Return the pod of a Deployment. Its name is the same in both states."""
    uid, name = deployment["metadata"]["uid"], deployment["metadata"]["name"]
    template = deployment["spec"]["template"]
    metadata = dict(template["metadata"]) | {
        "name": f"{name}-{uid[:8]}-{uid[-5:]}",
        "namespace": deployment["metadata"]["namespace"],
    }
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    names = [container["name"] for container in template["spec"]["containers"]]
    return owned(obj, deployment) | {"status": pod_status(names, ready=ready)}


def pod_status(containers: list[str], *, ready: bool) -> Object:
    """Return the status of a pod that runs, or is about to run."""
    truth = "True" if ready else "False"
    return {
        "phase": "Running" if ready else "Pending",
        "conditions": [{"type": "Ready", "status": truth, "lastTransitionTime": now()}],
        "containerStatuses": [{"name": name, "ready": ready, "restartCount": 0} for name in containers],
    }


def backend_route(apimanager: Object) -> Object:
    """Return the only Route that the operator itself creates."""
    spec = apimanager["spec"]
    route = _route(apimanager["metadata"]["namespace"], f"backend-{_tenant(spec)}.{spec['wildcardDomain']}")
    route["metadata"] |= {"name": "backend", "labels": labels("backend")}
    route["spec"] |= {"port": {"targetPort": "http"}, "to": _to("backend-listener")}
    return owned(route, apimanager)


def zync_routes(apimanager: Object, zync_que: Object) -> list[Object]:
    """Return the Routes of Zync: two of the first product, that of the master and two of the first tenant."""
    namespace, spec = apimanager["metadata"]["namespace"], apimanager["spec"]
    tenant, domain = _tenant(spec), spec["wildcardDomain"]
    wanted = (
        ("api", f"api-{tenant}-apicast-production", "apicast-production", "gateway"),
        ("api", f"api-{tenant}-apicast-staging", "apicast-staging", "gateway"),
        ("master", "master", "system-master", "http"),
        ("provider", f"{tenant}", "system-developer", "http"),
        ("provider", f"{tenant}-admin", "system-provider", "http"),
    )
    routes = []
    for part, first, service, port in wanted:
        route = _route(namespace, f"{first}.{domain}")
        made = {"3scale.net/created-by": "zync", "zync.3scale.net/route-to": service}
        route["metadata"] |= {"generateName": f"zync-3scale-{part}-", "labels": made}
        route["spec"] |= {"port": {"targetPort": port}, "to": _to(service)}
        routes.append(owned(route, zync_que))
    return routes


def hosts(apimanager: Object) -> list[str]:
    """Name the hosts whose Routes must be admitted before an APIManager is Available."""
    spec = apimanager["spec"]
    tenant, domain = _tenant(spec), spec["wildcardDomain"]
    of_zync = [f"api-{tenant}-apicast-production", f"api-{tenant}-apicast-staging", "master", tenant, f"{tenant}-admin"]
    return [f"{first}.{domain}" for first in [f"backend-{tenant}", *(of_zync if zync_enabled(apimanager) else [])]]


def admitted(route: Object) -> Object:
    """Return the status of a Route that the router has admitted."""
    condition = {"type": "Admitted", "status": "True", "lastTransitionTime": now()}
    host = route["spec"]["host"]
    return {"ingress": [{"host": host, "routerName": "default", "wildcardPolicy": "None", "conditions": [condition]}]}


def is_admitted(route: Object) -> bool:
    """Whether every ingress of a Route is admitted."""
    ingress = route.get("status", {}).get("ingress", [])
    conditions = [condition for entry in ingress for condition in entry["conditions"]]
    return bool(conditions) and all(c["status"] == "True" for c in conditions if c["type"] == "Admitted")


def labels(component: str) -> dict[str, str]:
    """Return the labels of an object that the operator created."""
    return {"app": "3scale-api-management", "threescale_component": component}


def operator_deployment(namespace: str) -> Object:
    """Return the operator's own Deployment. The labels of its pods hold the version of 3scale that it installs."""
    told = {
        "app": "3scale-api-management",
        "com.company": "Red_Hat",
        "control-plane": "controller-manager",
        "rht.comp": "3scale",
        "rht.comp_ver": "2.16",
        "rht.subcomp": "3scale-operator",
        "rht.subcomp_t": "infrastructure",
    }
    container = {"name": "manager", "image": "registry.redhat.io/3scale-amp2/3scale-rhel9-operator:1.22"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "threescale-operator-controller-manager-v2",
            "namespace": namespace,
            "labels": {"app": "3scale-api-management", "control-plane": "controller-manager"},
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"control-plane": "controller-manager"}},
            "template": {"metadata": {"labels": told}, "spec": {"containers": [container]}},
        },
        "status": deployment_status(ready=True),
    }


def _tenant(spec: Object) -> str:
    return str(spec.get("tenantName", "3scale"))


def _to(service: str) -> Object:
    return {"kind": "Service", "name": service, "weight": 100}


def _route(namespace: str, host: str) -> Object:
    tls = {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"}
    return {
        "apiVersion": "route.openshift.io/v1",
        "kind": "Route",
        "metadata": {"namespace": namespace},
        "spec": {"host": host, "tls": tls, "wildcardPolicy": "None"},
    }
