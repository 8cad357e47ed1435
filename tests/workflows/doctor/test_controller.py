"""The settings of Argo's controller."""

from pathlib import Path

import pytest

from tests.workflows.doctor.conftest import EXECUTOR
from workflows.doctor import controller

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[3]


def restrict(surgery, level="restricted"):
    labels = {"pod-security.kubernetes.io/enforce": level}
    surgery.stage.kubernetes.patch("namespaces", "", "threescale", {"metadata": {"labels": labels}})


def test_an_instance_id_that_the_file_lacks_is_an_error_with_the_field_to_set(surgery, states):
    surgery.controller(instanceID="blue")

    found = surgery.found("instanceID")

    assert states(found) == ["error"]
    assert found[0]["told"] == "The controller runs only the workflows with instanceID blue, and the file has none."
    assert found[0]["remedy"].startswith("Set the field argo.instanceID to blue in ")


def test_an_instance_id_that_the_controller_lacks_is_an_error(surgery, states):
    surgery.write("argo:\n  instanceID: blue\n")

    found = surgery.found("instanceID")

    assert states(found) == ["error"]
    assert found[0]["remedy"].startswith("Remove the field argo.instanceID in ")


@pytest.mark.parametrize("data", [{"instanceID": "blue"}, {"config": "instanceID: blue\n"}])
def test_the_same_instance_id_is_well_in_both_forms_of_the_configmap(surgery, states, data):
    surgery.write("argo:\n  instanceID: blue\n")
    surgery.controller(**data)

    assert states(surgery.found("instanceID")) == ["ok"]


def test_without_a_file_the_instance_id_of_the_controller_is_a_warning(surgery, states):
    surgery.controller(instanceID="blue")

    assert states(surgery.found("instanceID", "-n", "threescale")) == ["warning"]


@pytest.mark.parametrize(
    ("executor", "lacking"),
    [
        ("", ["allowPrivilegeEscalation: false", "capabilities: {drop: [ALL]}"]),
        ("resources: {}\n", ["allowPrivilegeEscalation: false", "capabilities: {drop: [ALL]}"]),
        (EXECUTOR.replace("[ALL]", "[NET_RAW]"), ["capabilities: {drop: [ALL]}"]),
        (EXECUTOR.replace("RuntimeDefault", "Unconfined"), ["seccompProfile: {type: RuntimeDefault}"]),
        (EXECUTOR.replace("runAsNonRoot: true", "runAsNonRoot: false"), ["runAsNonRoot: true"]),
    ],
)
def test_in_a_restricted_namespace_the_executor_must_be_fit(surgery, states, executor, lacking):
    restrict(surgery)
    surgery.controller(**({"executor": executor} if executor else {}))

    found = surgery.found("Argo's executor")

    assert states(found) == ["error"]
    assert found[0]["told"].endswith(f"lacks {', '.join(lacking)}.")


def test_the_remedy_is_the_command_of_the_page_on_installing(surgery):
    restrict(surgery)
    surgery.controller()

    (found,) = surgery.found("Argo's executor")

    page = "".join(line.strip() for line in (ROOT / "docs/how-to/install.md").read_text().splitlines())
    command = found["remedy"].partition(": ")[2]
    assert command.startswith("kubectl -n argo patch configmap")
    assert command.replace(" ", "") in page.replace(" ", "")


def test_a_fit_executor_is_well_in_a_restricted_namespace(surgery, states):
    restrict(surgery)

    assert states(surgery.found("Argo's executor")) == ["ok"]


def test_elsewhere_the_executor_needs_nothing(surgery, states):
    restrict(surgery, "baseline")
    surgery.controller()

    assert states(surgery.found("Argo's executor")) == ["ok"]


def test_who_may_not_read_the_namespace_gets_a_warning(surgery, states):
    surgery.controller()
    surgery.stage.kubernetes.refuse_next("get", "namespaces", status=403)

    found = surgery.found("Argo's executor")

    assert states(found) == ["warning"]
    assert "not allowed to ask whether the namespace enforces restricted" in found[0]["told"]


def test_a_value_without_its_line_break_can_t_be_read_by_argo_either(surgery, states):
    surgery.controller(executor=EXECUTOR.strip())

    found = surgery.found("Argo's settings")

    assert states(found) == ["error"]
    assert "is not valid YAML" in found[0]["told"]


def test_a_token_that_is_taken_away_by_default_is_well(surgery, states):
    surgery.controller(workflowDefaults="spec:\n  automountServiceAccountToken: false\n")

    assert states(surgery.found("Token of the pods")) == ["ok"]


@pytest.mark.parametrize("pods", ["executorResources:", "phases:\n    backup/seal:\n      executorResources:"])
def test_pods_without_init_and_wait_are_at_odds_with_their_resources(surgery, states, pods):
    indent = " " * (len(pods.splitlines()[-1]) - len(pods.splitlines()[-1].lstrip()) + 4)
    surgery.write(f"pods:\n  {pods}\n{indent}limits:\n{indent}  cpu: 100m\n")
    surgery.controller(initlessPod="enabled: true\n")

    found = surgery.found("initlessPod")

    assert states(found) == ["warning"]


def test_pods_without_init_and_wait_are_well_otherwise(surgery):
    surgery.controller(initlessPod="enabled: true\n")

    assert surgery.found("initlessPod") == []


def test_limits_of_parallel_workflows_are_shown(surgery):
    surgery.controller(parallelism="3", namespaceParallelism="2")

    assert "at most 3 workflows at" in surgery.found("parallelism")[0]["told"]
    assert "at most 2 workflows of a namespace at" in surgery.found("namespaceParallelism")[0]["told"]


def test_settings_that_are_not_there_are_not_guessed(surgery, states):
    surgery.stage.kubernetes.delete("configmaps", "argo", controller.CONFIG)

    found = surgery.findings()

    assert states([each for each in found if each["what"] == "Argo's settings"]) == ["warning"]
    assert not [each for each in found if each["what"] in {"instanceID", "Argo's executor"}]


def test_who_may_not_read_the_settings_is_told_so(surgery, states):
    surgery.stage.kubernetes.refuse_next("get", "configmaps", status=403, name=controller.CONFIG)

    assert states(surgery.found("Argo's settings")) == ["not allowed to ask"]
