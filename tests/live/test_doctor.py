"""A real API server judges the pods of the phases as the doctor builds them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steps.kubernetes.cluster import Cluster
from tests.live.kubernetes import Kubernetes
from tests.live.stage import Stage
from workflows.configuration.installation import Installation
from workflows.doctor import pods
from workflows.doctor.finding import Finding, Patient, State

pytestmark = pytest.mark.cluster

LIMITS = {"limits": {"cpu": "100m"}}


@pytest.fixture
def asked(live: Stage, kubernetes: Kubernetes, tmp_path: Path) -> Callable[..., list[Finding]]:
    """Ask about the pods of a namespace that enforces `restricted`, with these needs in the file."""
    path = str(kubernetes.kubeconfig(tmp_path / "doctor", namespace=live.namespace))

    def of(**needs: Any) -> list[Finding]:
        told = {"image": live.settings.image, "namespace": live.namespace, "pods": needs}
        cluster = Cluster.connect(live.namespace, 30, path)
        patient = Patient(cluster, lambda name: Cluster.connect(name, 30, path), Installation.model_validate(told))
        return list(pods.admitted(patient))

    return of


def test_a_namespace_that_enforces_restricted_admits_our_pods(asked: Callable[..., list[Finding]]) -> None:
    found = asked()

    assert {each.state for each in found} == {State.OK}, found


def test_a_quota_on_cpu_limits_refuses_pods_without_limits_and_admits_them_with_limits(
    live: Stage, asked: Callable[..., list[Finding]]
) -> None:
    metadata = {"name": "cpu", "namespace": live.namespace}
    spec = {"hard": {"limits.cpu": "2"}}
    live.kubernetes.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec})
    live.wait_for_quota("cpu")

    without = asked()
    with_limits = asked(resources=LIMITS, executorResources=LIMITS)

    assert {each.state for each in without} == {State.ERROR}, without
    assert all("pods.executorResources" in each.remedy for each in without)
    assert {each.state for each in with_limits} == {State.OK}, with_limits


def test_a_priority_class_that_does_not_exist_is_named(asked: Callable[..., list[Finding]]) -> None:
    found = asked(priorityClassName="no-such-class")

    assert {each.state for each in found} == {State.ERROR}
    assert all("pods.priorityClassName" in each.remedy for each in found)
