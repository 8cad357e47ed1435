"""A sample 3scale installation: create it in a cluster, delete it, and run its operator.

The installation has the shape and size of a real one, from its APIManager to the files of its tenants. So a rehearsal
shows what a backup holds and whether a restore brings it back.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from workflows.rehearsal.kubernetes import refusals
from workflows.rehearsal.kubernetes.cluster import Cluster
from workflows.rehearsal.kubernetes.kinds import Object
from workflows.rehearsal.threescale import file_storage as files
from workflows.rehearsal.threescale import objects, status
from workflows.rehearsal.threescale.operator import Operator

__all__ = ["Operator", "give_database_secrets", "install", "lose"]

NAME = "example-apimanager"

# Changes of a person. If they are missing, the operator restores its own defaults.
_SET = {
    "system-recaptcha": {"PUBLIC_KEY": "made-up-public-key", "PRIVATE_KEY": "made-up-private-key"},
    "system-smtp": {"address": "smtp.example.test", "port": "587"},
}
EDITS = {
    "apicast-environment": {"APICAST_RESPONSE_CODES": "false"},
    "backend-environment": {"RACK_ENV": "staging"},
    "system": {"service_discovery.yml": "production:\n  enabled: true\n"},
    "system-environment": {"RAILS_LOG_LEVEL": "debug"},
}
_ANNOTATIONS = {"example.test/contact": "api-team@example.test"}


def install(cluster: Cluster, namespace: str, file_storage: Path) -> None:
    """Create a healthy installation in a namespace, and its files in a folder."""
    cluster.apply(objects.operator_deployment(namespace))
    secrets = [cluster.apply(secret) for secret in sample_secrets(namespace)]
    apimanager = cluster.apply(sample_apimanager(namespace, secrets))
    for obj in [*objects.sample("configmaps", namespace), *objects.sample("claims", namespace)]:
        with suppress(refusals.Refused):  # a running operator created it first
            cluster.create(objects.owned(obj, apimanager))
    for name, data in EDITS.items():
        cluster.patch("configmaps", namespace, name, {"data": data})
    _install_workloads(cluster, namespace, apimanager)
    cluster.patch("apimanagers", namespace, NAME, {"status": status.of(cluster, apimanager)})
    files.write(file_storage)


def lose(cluster: Cluster, namespace: str, file_storage: Path) -> None:
    """Delete an installation with its files, its Secrets and the Secrets that its APIManager refers to.

    The objects that the APIManager owned are deleted, too, when this returns. The namespace and the operator stay.
    """
    secrets = (*objects.SECRETS, objects.DERIVED_SECRET, *objects.REFERENCED_SECRETS)
    with cluster.hand:  # a pass of the operator would create deleted objects again
        for resource, names in (("apimanagers", (NAME,)), ("secrets", secrets)):
            for name in names:
                with suppress(refusals.Refused):  # it is already deleted
                    cluster.delete(resource, namespace, name)
        cluster.collect_garbage()
    files.clear(file_storage)


def give_database_secrets(cluster: Cluster, namespace: str) -> None:
    """Create the three Secrets of the databases, as the administrator does before a restore."""
    for secret in objects.sample("secrets", namespace):
        if secret["metadata"]["name"] in objects.DATABASE_SECRETS:
            cluster.apply(secret)


def sample_secrets(namespace: str) -> list[Object]:
    """Return the Secrets of the sample, with the changes of a person."""
    secrets = objects.sample("secrets", namespace)
    for secret in secrets:
        for key, value in _SET.get(secret["metadata"]["name"], {}).items():
            secret["data"] |= objects.with_value(secret, key, value)["data"]
    return secrets


def sample_apimanager(namespace: str, secrets: list[Object]) -> Object:
    """Return the APIManager of the sample, which watches these Secrets."""
    (apimanager,) = objects.sample("apimanager", namespace)
    apimanager["metadata"]["labels"] = objects.secret_labels(secrets)
    apimanager["metadata"]["annotations"] |= _ANNOTATIONS
    return apimanager


def _install_workloads(cluster: Cluster, namespace: str, apimanager: Object) -> None:
    ready = {"status": objects.deployment_status(ready=True)}
    samples = objects.sample("deployments", namespace)
    deployments = [cluster.apply(objects.owned(sample, apimanager) | ready) for sample in samples]
    by_name = {deployment["metadata"]["name"]: deployment for deployment in deployments}
    for name in objects.WITH_FILE_STORAGE:
        cluster.apply(objects.pod(by_name[name], ready=True))
    backend = objects.backend_route(apimanager)
    cluster.apply(backend | {"status": objects.admitted(backend)})
    for route in objects.zync_routes(apimanager, by_name["zync-que"]):
        cluster.create(route | {"status": objects.admitted(route)})
