"""Beside what is not 3scale's, an installation is lost and comes back on a real cluster."""

import pytest

from tests.live.installation import Operator
from tests.live.kubernetes import Object
from tests.live.stage import Stage

pytestmark = pytest.mark.cluster


def gateway(namespace: str) -> Object:
    """A self-managed APIcast without its controller, labelled as apicast-operator labels it; it runs no pod."""
    labels = {"app": "apicast", "threescale_component": "apicast"}
    pods = {"deployment": "apicast-gateway"}
    container = {"name": "apicast-gateway", "image": "registry.example.com/apicast"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "apicast-gateway", "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": pods},
            "template": {"metadata": {"labels": pods}, "spec": {"containers": [container]}},
        },
    }


def foreign_route(namespace: str) -> Object:
    admitted = {"type": "Admitted", "status": "True"}
    host = "grafana.apps.example.test"
    return {
        "apiVersion": "route.openshift.io/v1",
        "kind": "Route",
        "metadata": {"name": "grafana", "namespace": namespace, "labels": {"app": "grafana"}},
        "spec": {"host": host, "to": {"kind": "Service", "name": "grafana"}},
        "status": {"ingress": [{"host": host, "routerName": "default", "conditions": [admitted]}]},
    }


def test_an_installation_is_restored_beside_a_gateway_and_without_a_route_of_others(live: Stage) -> None:
    live.installation.install()
    live.kubernetes.create(gateway(live.namespace))
    live.kubernetes.create(foreign_route(live.namespace))
    backup = live.backup(name="nightly", storage_request="256Mi")
    assert backup.phase == "Succeeded", backup.failures
    live.installation.lose()
    live.installation.give_database_secrets()
    live.kubernetes.delete("routes", live.namespace, "grafana")

    with Operator(live.kubernetes, live.installation):
        restored = live.restore("nightly")

    assert restored.phase == "Succeeded", restored.failures
    assert live.get("deployments", "apicast-gateway") is not None
    assert "grafana" not in restored.node("prepare").log
