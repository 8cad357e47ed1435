"""Installations of 3scale 2.9 to 2.15: the sample's objects, with an APIManager and workloads as those years had them.

Source: operator, apimanager_types.go in the branches 3scale-2.9-stable to 3scale-2.15-stable. What is external was said
by `highAvailability` up to 2.11; workloads were DeploymentConfigs up to 2.14; the index was made by system-sphinx up to
2.13; the condition Available came with 2.11.
"""

import base64
from typing import Any

from steps.archive import layout
from steps.threescale import installation
from tests.builders import operators_backup
from workflows.rehearsal.kubernetes.cluster import ExecResult
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects

Object = dict[str, Any]

_APICAST = {
    "managementAPI": "status",
    "openSSLVerify": False,
    "responseCodes": True,
    "registryURL": "http://apicast-staging:8090/policies",
    "productionSpec": {"replicas": 1},
    "stagingSpec": {"replicas": 1},
}
_WITH_POLICIES = {
    **_APICAST,
    "productionSpec": {
        "customPolicies": [{"name": "my-policy", "version": "0.1", "secretRef": {"name": "my-policy"}}],
        "openTracing": {"enabled": True, "tracingConfigSecretRef": {"name": "my-tracing"}},
        "httpsCertificateSecretRef": {"name": "my-tls"},
    },
}
_COMMON = {
    "wildcardDomain": "apps.example.test",
    "tenantName": "3scale",
    "appLabel": "3scale-api-management",
    "resourceRequirementsEnabled": True,
    "backend": {"listenerSpec": {"replicas": 1}, "workerSpec": {"replicas": 1}, "cronSpec": {"replicas": 1}},
}
_EXTERNAL = {"system": {"database": True, "redis": True}, "backend": {"redis": True}}


def _spec(system: Object, **fields: Any) -> Object:
    parts = {"appSpec": {"replicas": 1}, "sidekiqSpec": {"replicas": 1}, **system}
    return {**_COMMON, "apicast": _APICAST, "zync": {"appSpec": {}, "queSpec": {}}, "system": parts, **fields}


def _files(size: str = "") -> Object:
    return {"persistentVolumeClaim": {"resources": {"requests": size}} if size else {"storageClassName": "standard"}}


# The operator passes over it: the files are in the claim.
_NEVER_READ = {"awsBucket": "b", "awsRegion": "r", "awsCredentialsSecret": {"name": "my-env"}}

# By version, as the annotation of the APIManager spells it: the patch from 2.15.
SPECS: dict[str, Object] = {
    "2.9": _spec(
        {"fileStorage": _files(), "sphinxSpec": {}, "image": "example.test/system", "database": {"mysql": {}}},
        highAvailability={"enabled": True},
        imageStreamTagImportInsecure=False,
        podDisruptionBudget={"enabled": True},
    ),
    "2.10": _spec(
        {"fileStorage": _files("200Mi") | {"amazonSimpleStorageService": _NEVER_READ}},
        highAvailability={"enabled": True, "externalZyncDatabaseEnabled": True},
        monitoring={"enabled": False},
    ),
    "2.11": _spec(
        {"fileStorage": _files("200Mi"), "sphinxSpec": {}, "database": {"postgresql": {}}},
        highAvailability={"enabled": True},
        apicast=_WITH_POLICIES,
    ),
    "2.12": _spec(
        {"fileStorage": _files("200Mi"), "sphinxSpec": {}},
        externalComponents=_EXTERNAL | {"zync": {"database": True}},
        apicast=_WITH_POLICIES,
    ),
    "2.13": _spec(
        {"fileStorage": _files("200Mi"), "sphinxSpec": {}},
        externalComponents=_EXTERNAL,
        highAvailability={"enabled": False},  # a left-over that no longer counts
        notKnownToAnyModel={"kept": [1, None, {"as": "it is"}]},
    ),
    "2.14": _spec({"fileStorage": _files("200Mi"), "searchdSpec": {}}, externalComponents=_EXTERNAL),
    "2.15.1": _spec(
        {"fileStorage": _files("200Mi"), "searchdSpec": {}},
        externalComponents=_EXTERNAL,
        apicast=_WITH_POLICIES,
        imagePullSecrets=[{"name": "my-registry"}],
    ),
}


def minor(version: str) -> str:
    """As the operator's pods tell it."""
    return ".".join(version.split(".")[:2])


def with_deployment_configs(version: str) -> bool:
    """Whether its workloads are DeploymentConfigs."""
    return int(minor(version).partition(".")[2]) < 15


def apimanager(version: str) -> Object:
    """The APIManager of this version, as the API server holds it."""
    obj: Object = operators_backup.objects()[layout.APIMANAGER]
    annotations = {installation.THREESCALE_VERSION: version, installation.OPERATOR_VERSION: "0.6.0"}
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations, "labels": {}}, "spec": SPECS[version]}


def install(stage: Any, version: str) -> None:
    """Put a healthy installation into the namespace."""
    stage.install()
    operator = threescale_objects.operator_deployment(stage.namespace)
    operator["spec"]["template"]["metadata"]["labels"]["rht.comp_ver"] = minor(version)
    stage.kubernetes.apply(operator)
    found = stage.get("apimanagers", threescale.NAME)
    old = apimanager(version)
    metadata = {**found["metadata"], **{key: old["metadata"][key] for key in ("annotations", "labels")}}
    stage.kubernetes.apply({**found, "metadata": metadata, "spec": old["spec"]})
    data = {"NAMESPACE": "", "MESSAGE_BUS_URL": "redis://message-bus.example.test:6379/8"}  # of old
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    stage.kubernetes.patch("secrets", stage.namespace, "system-redis", {"data": encoded})
    if with_deployment_configs(version):
        _turn_into_deployment_configs(stage)
    _tell(stage, version)


def come_up(stage: Any, version: str) -> list[str]:
    """Do what the operator and Zync of this version do once the APIManager is there; return what a pod was told."""
    told: list[str] = []
    owner = stage.get("apimanagers", threescale.NAME)
    label = "deploymentconfig" if with_deployment_configs(version) else "deployment"
    names = {"name": f"{installation.SIDEKIQ}-1", "labels": {label: installation.SIDEKIQ}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**names, "namespace": stage.namespace}}
    pod["spec"] = {"containers": [{"name": installation.SIDEKIQ}]}
    pod["status"] = threescale_objects.pod_status([installation.SIDEKIQ], ready=True)
    stage.kubernetes.apply(threescale_objects.owned(pod, owner))

    def resync(_pod: Object, _container: str, command: list[str]) -> ExecResult:
        told.append(command[-1])
        routes = [threescale_objects.backend_route(owner), *threescale_objects.zync_routes(owner, owner)]
        for route in routes:
            stage.kubernetes.create(route | {"status": threescale_objects.admitted(route)})
        _tell(stage, version)
        return ExecResult()

    stage.kubernetes.on_exec(resync)
    return told


def _tell(stage: Any, version: str) -> None:
    """Say in the APIManager's status that all is well, in the words of the version."""
    index = "system-sphinx" if int(minor(version).partition(".")[2]) < 14 else "system-searchd"
    known = {*threescale_objects.expected_deployments({"spec": SPECS[version]})} - {"system-searchd"}
    condition = "Ready" if minor(version) in {"2.9", "2.10"} else "Available"
    status = {
        "conditions": [{"type": condition, "status": "True"}],
        "deployments": {"ready": sorted({*known, index}), "starting": None},
    }
    stage.kubernetes.patch("apimanagers", stage.namespace, threescale.NAME, {"status": status})


def _turn_into_deployment_configs(stage: Any) -> None:
    """Put a DeploymentConfig in the place of each Deployment, and their label on the pods."""
    owner = stage.get("apimanagers", threescale.NAME)
    pods = stage.kubernetes.list("pods", stage.namespace)
    for name in threescale_objects.expected_deployments(owner):
        found = stage.get("deployments", name)
        stage.kubernetes.delete("deployments", stage.namespace, name)
        metadata = {"name": name, "namespace": stage.namespace, "labels": found["metadata"]["labels"]}
        config = {"apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig", "metadata": metadata}
        template = {"replicas": 1, "template": found["spec"]["template"]}
        stage.kubernetes.apply(threescale_objects.owned({**config, "spec": template}, owner))
    stage.kubernetes.collect_garbage()
    for pod in pods:
        labels = dict(pod["metadata"]["labels"])
        labels["deploymentconfig"] = labels.pop("deployment")
        metadata = {"name": pod["metadata"]["name"], "namespace": stage.namespace, "labels": labels}
        stage.kubernetes.apply(threescale_objects.owned({**pod, "metadata": metadata}, owner))
