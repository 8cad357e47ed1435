"""Argo's kinds, version and pace."""

import re
from pathlib import Path

import pytest

from workflows.doctor import argo

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[3]
DIGEST = "@sha256:" + "0" * 64


def test_missing_kinds_are_named_with_the_version_to_install(surgery, states):
    surgery.stage.kubernetes.without("workflowtemplates.argoproj.io")
    surgery.stage.kubernetes.without("cronworkflows.argoproj.io")

    found = surgery.found("Argo's kinds")

    assert states(found) == ["error"]
    assert "WorkflowTemplate, CronWorkflow of argoproj.io/v1alpha1" in found[0]["told"]
    assert argo.SUPPORTED in found[0]["remedy"]


def test_a_cluster_without_argo_lacks_all_its_kinds(surgery):
    surgery.stage.kubernetes.without("argoproj.io")

    (found,) = surgery.found("Argo's kinds")

    assert "Workflow, WorkflowTemplate, CronWorkflow, WorkflowTaskResult" in found["told"]


@pytest.mark.parametrize(
    ("image", "state"),
    [
        ("quay.io/argoproj/workflow-controller:v4.1.2", "ok"),
        ("registry.example.com:5000/argo/workflow-controller:v4.0.10", "ok"),
        (f"quay.io/argoproj/workflow-controller:v4.1.3{DIGEST}", "ok"),
        ("quay.io/argoproj/workflow-controller:v4.2.0", "ok"),
        ("quay.io/argoproj/workflow-controller:v4.1.1", "error"),
        ("quay.io/argoproj/workflow-controller:v4.0.9", "error"),
        ("quay.io/argoproj/workflow-controller:v3.7.20", "error"),
        (f"quay.io/argoproj/workflow-controller{DIGEST}", "warning"),
        ("quay.io/argoproj/workflow-controller:latest", "warning"),
        ("quay.io/argoproj/workflow-controller:v4.1.2-rc1", "warning"),
        ("registry.example.com/mine:v4.1.2", "warning"),
    ],
)
def test_the_version_is_read_from_the_tag_of_the_image(surgery, states, image, state):
    surgery.controller(image=image)

    found = surgery.found("Argo's version")

    assert states(found) == [state]
    assert argo.SUPPORTED in "".join(found[0].values()) or state == "ok"


def test_the_supported_versions_are_those_of_the_readme():
    told = re.search(r"Argo Workflows \(([^)]*)\)", (ROOT / "README.md").read_text())

    assert told
    assert told[1] == argo.SUPPORTED
    assert all(f"{major}.{minor}.{patch}" in told[1] for (major, minor), patch in argo.FIRST_OF.items())


def test_a_controller_in_another_namespace_is_looked_for_there(surgery, states):
    surgery.write("argo:\n  namespace: tools\n")

    found = surgery.found("Argo's controller")

    assert states(found) == ["warning"]
    assert "Namespace tools has no Deployment workflow-controller" in found[0]["told"]
    assert "argo.namespace" in found[0]["remedy"]


def test_without_the_requeue_time_the_command_that_sets_it_is_shown(surgery, states):
    surgery.controller(env=[{"name": "OTHER", "value": "x"}])

    found = surgery.found("Argo's pace")

    assert states(found) == ["warning"]
    assert found[0]["remedy"] in (ROOT / "docs/how-to/install.md").read_text()


def test_with_the_requeue_time_its_value_is_shown(surgery):
    assert surgery.found("Argo's pace") == [
        {"state": "ok", "what": "Argo's pace", "told": "DEFAULT_REQUEUE_TIME is 1s.", "remedy": ""}
    ]


@pytest.mark.parametrize(
    ("args", "watched"),
    [
        (["--namespaced"], "argo"),
        (["--namespaced", "--managed-namespace", "other"], "other"),
        (["--namespaced", "--managed-namespace=other"], "other"),
    ],
)
def test_a_controller_of_another_namespace_is_an_error(surgery, states, args, watched):
    surgery.controller(args=args)

    found = surgery.found("Argo's namespace")

    assert states(found) == ["error"]
    assert f"only the workflows of namespace {watched}," in found[0]["told"]


@pytest.mark.parametrize("args", [[], ["--namespaced", "--managed-namespace", "threescale"]])
def test_a_controller_of_this_namespace_is_well(surgery, args):
    surgery.controller(args=args)

    assert surgery.found("Argo's namespace") == []


def test_who_may_not_read_argo_s_namespace_is_told_so(surgery, states):
    surgery.stage.kubernetes.refuse_next("get", "deployments", status=403, name="workflow-controller")

    found = surgery.found("Argo's controller")

    assert states(found) == ["not allowed to ask"]
    assert "get deployments workflow-controller" in found[0]["told"]
