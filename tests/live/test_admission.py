"""What a real API server refuses of a restore is in its plan, before anything is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from steps.archive import marks
from steps.kubernetes import fields
from tests.live.kubernetes import until
from tests.live.stage import Stage
from workflows.rehearsal.argo.engine import Workflow

pytestmark = pytest.mark.cluster

GROUP = "admissionregistration.k8s.io/v1"
POLICY_S = 30.0  # for a policy to be in force
WRITTEN = ("secrets", "configmaps", "persistentvolumeclaims", "apimanagers")


@pytest.fixture
def lost(live: Stage) -> Stage:
    """A namespace with a backup, whose installation is lost."""
    live.installation.install()
    backup = live.backup(name="nightly", storage_request="256Mi")
    assert backup.phase == "Succeeded", backup.failures
    live.installation.lose()
    live.installation.give_database_secrets()
    return live


@contextmanager
def policy(stage: Stage, resource: str, group: str, version: str) -> Iterator[str]:
    """Have a ValidatingAdmissionPolicy refuse each new object of a resource that no team claims, in this namespace."""
    name = f"{stage.namespace}-{resource}"
    rule = {"apiGroups": [group], "apiVersions": [version], "operations": ["CREATE"], "resources": [resource]}
    labels = "object.metadata.?labels[?'team'].hasValue()"
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": labels, "message": "label team is required"}],
    }
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": stage.namespace}}}
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": here}
    for kind, content in (("ValidatingAdmissionPolicy", spec), ("ValidatingAdmissionPolicyBinding", binding)):
        stage.kubernetes.create({"apiVersion": GROUP, "kind": kind, "metadata": {"name": name}, "spec": content})
    try:
        yield name
    finally:
        stage.kubernetes.delete("validatingadmissionpolicybindings", "", name)
        stage.kubernetes.delete("validatingadmissionpolicies", "", name)


def restored(stage: Stage) -> list[str]:
    """What a restore has written."""
    return [
        each["metadata"]["name"]
        for resource in WRITTEN
        for each in stage.kubernetes.list(resource, stage.namespace)
        if fields.annotation(each, marks.RESTORED_FROM)
    ]


def failure(workflow: Workflow, node: str) -> str:
    return workflow.node(node).attempts[-1].message


@pytest.mark.parametrize(
    ("resource", "group", "version"),
    [("secrets", "", "v1"), ("apimanagers", "apps.3scale.net", "v1alpha1"), ("persistentvolumeclaims", "", "v1")],
    ids=["secrets", "apimanagers", "persistentvolumeclaims"],
)
def test_what_a_policy_refuses_is_in_the_plan_and_nothing_is_written(
    lost: Stage, resource: str, group: str, version: str
) -> None:
    with policy(lost, resource, group, version) as name:

        def is_in_force() -> Workflow | None:
            planned = lost.restore("nightly", plan="only")
            return planned if planned.phase == "Failed" else None

        planned = until(f"policy {name}", is_in_force, POLICY_S)
        done = lost.restore("nightly")

    assert name in failure(planned, "plan")
    assert ("label team is required" in failure(planned, "plan")) == (resource != "secrets")  # words may hold a value
    assert name in failure(done, "prepare")
    assert restored(lost) == []


def test_a_quota_that_all_secrets_together_exceed_is_in_the_plan_and_nothing_is_written(lost: Stage) -> None:
    room = len(lost.kubernetes.list("secrets", lost.namespace)) + 3
    metadata = {"name": "of-objects", "namespace": lost.namespace}
    spec = {"hard": {"count/secrets": str(room)}}
    lost.kubernetes.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec})
    lost.wait_for_quota("of-objects")

    planned = lost.restore("nightly", plan="only")
    done = lost.restore("nightly")

    assert "ResourceQuota of-objects" in failure(planned, "plan")
    assert "ResourceQuota of-objects" in failure(done, "prepare")
    assert restored(lost) == []


def test_a_claim_over_a_limit_range_is_in_the_plan_and_nothing_is_written(lost: Stage) -> None:
    metadata = {"name": "small-claims", "namespace": lost.namespace}
    spec = {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Mi"}}]}
    lost.kubernetes.create({"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": spec})

    planned = lost.restore("nightly", plan="only")
    done = lost.restore("nightly")

    assert "maximum storage usage per PersistentVolumeClaim is 1Mi" in failure(planned, "plan")
    assert "maximum storage usage per PersistentVolumeClaim is 1Mi" in failure(done, "prepare")
    assert restored(lost) == []
