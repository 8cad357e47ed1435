"""Nodes and pull Secrets that the pods need."""

import pytest

from workflows.doctor import needs
from workflows.doctor.finding import State

INFRA = {"key": "infra", "value": "yes", "effect": "NoSchedule"}


@pytest.fixture
def found(empty, patient):
    """Make a node, and return what is found for what pods need."""

    def of(pods, taints=(), labels=None, **spec):
        metadata = {"name": "node-1", "labels": labels or {}}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"taints": list(taints), **spec}}
        empty.kubernetes.apply(node)
        return list(needs.nodes(patient(empty, file={"pods": pods})))

    return of


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "infra", "value": "yes", "effect": "NoSchedule"},
        {"key": "infra", "operator": "Exists"},
        {"operator": "Exists"},
        {"key": "infra", "value": "yes"},
    ],
)
def test_a_node_takes_pods_that_tolerate_its_taint(found, toleration):
    (one,) = found({"tolerations": [toleration]}, [INFRA])

    assert (one.state, one.told) == (State.OK, "1 of 1 nodes take the pods.")


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "infra", "value": "no", "effect": "NoSchedule"},
        {"key": "other", "operator": "Exists"},
        {"key": "infra", "operator": "Exists", "effect": "NoExecute"},
    ],
)
def test_a_taint_that_no_toleration_matches_is_named_with_its_field(found, toleration):
    (one,) = found({"tolerations": [toleration]}, [INFRA])

    assert one.state is State.ERROR
    assert one.told == "None of 1 nodes takes the pods: node-1 has the taint infra=yes:NoSchedule."
    assert "pods.tolerations" in one.remedy


def test_a_taint_that_only_prefers_other_pods_keeps_none_away(found):
    (one,) = found({}, [{**INFRA, "effect": "PreferNoSchedule"}])

    assert one.state is State.OK


def test_a_label_that_no_node_has_is_named(found):
    (one,) = found({"nodeSelector": {"disk": "fast"}}, labels={"disk": "slow"})

    assert one.told.endswith("node-1 has no label disk=fast.")


def test_a_node_that_is_closed_takes_none(found):
    (one,) = found({}, unschedulable=True)

    assert one.told.endswith("node-1 is closed for new pods.")


def test_a_phase_that_needs_another_node_has_a_line_of_its_own(found):
    whole, own = found({"phases": {"backup/seal": {"nodeSelector": {"disk": "fast"}}}})

    assert (whole.state, own.state) == (State.OK, State.ERROR)
    assert own.what == "Nodes for backup/seal"


def test_a_pull_secret_that_is_missing_or_of_another_type_is_an_error(empty, patient):
    def state():
        pods = {"imagePullSecrets": [{"name": "my-pull"}]}
        (one,) = needs.pull_secrets(patient(empty, file={"pods": pods}))
        return one.state

    def apply(kind):
        metadata = {"name": "my-pull", "namespace": empty.namespace}
        empty.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata})

    assert state() is State.ERROR
    apply("Opaque")
    assert state() is State.ERROR
    empty.kubernetes.delete("secrets", empty.namespace, "my-pull")
    apply("kubernetes.io/dockerconfigjson")
    assert state() is State.OK
