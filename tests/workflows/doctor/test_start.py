"""A small Workflow is started and removed; a thread of the server plays Argo's controller."""

import subprocess
import sys

import pytest

from steps.contract.names import INSTANCE_ID
from steps.kubernetes.workflow import WORKFLOW_LABEL
from workflows.doctor.finding import State
from workflows.doctor.start import CONTROLLER, POD_START, not_tried, start

pytestmark = pytest.mark.thorough

WAIT_S, LOOK_S = 1.0, 0.05
PULLING = {"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "pull access denied"}}}
EXECUTOR = {"name": "init", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}}
STARTING = {"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}
NO_NODE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: taint backup"}


class Controller:
    """Does with the next Workflow what a controller would do."""

    def __init__(self, stage):
        self.stage = stage
        self.workflow = {}
        stage.kubernetes.after_next("create", "workflows", self._take)
        self.status, self.pod_status, self.acts, self.finalizers = {}, None, None, []

    def _take(self, _request):
        name = next(iter(self.stage.exists("workflows")))
        self.workflow = self.stage.get("workflows", name)
        if self.status:
            self.stage.kubernetes.patch("workflows", self.stage.namespace, name, {"status": self.status})
        if self.pod_status is not None:
            self._make_pod(name)
        if self.acts:
            self.acts()

    def _make_pod(self, name):
        owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": name}
        metadata = {
            "name": name,
            "namespace": self.stage.namespace,
            "labels": {WORKFLOW_LABEL: name},
            "ownerReferences": [{**owner, "uid": self.workflow["metadata"]["uid"]}],
            "finalizers": self.finalizers,
        }
        containers = {"initContainers": [{"name": "init", "image": "quay.io/argoproj/argoexec:v4.1.2"}]}
        spec = {**containers, "containers": [{"name": "main", "image": "i:1"}]}
        self.stage.kubernetes.create(
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": self.pod_status}
        )


@pytest.fixture
def controller(applied):
    return Controller(applied)


def is_clean(stage):
    return stage.exists("workflows") == stage.exists("pods") == []


def by_subject(found):
    return {each.what: each for each in found}


def test_a_workflow_that_succeeds_proves_controller_and_pull_and_is_removed(applied, patient, controller):
    controller.status, controller.pod_status = {"phase": "Succeeded"}, {"phase": "Succeeded"}

    found = by_subject(start(patient(applied), WAIT_S, LOOK_S))

    assert [each.state for each in found.values()] == [State.OK, State.OK]
    assert "Argo v4.1.2" in found[POD_START].told
    assert is_clean(applied)


def test_the_workflow_is_made_as_the_phases_are_and_prints_the_help(empty, patient):
    controller = Controller(empty)
    controller.status = {"phase": "Succeeded"}
    file = {
        "argo": {"instanceID": "blue"},
        "pods": {
            "imagePullSecrets": [{"name": "registry"}],
            "tolerations": [{"key": "backup", "operator": "Exists"}],
            "executorResources": {"limits": {"cpu": "100m"}},
        },
    }

    list(start(patient(empty, file=file), WAIT_S, LOOK_S))

    spec = controller.workflow["spec"]
    template = spec["templates"][0]
    assert controller.workflow["metadata"]["name"].startswith("threescale-doctor-")
    assert controller.workflow["metadata"]["labels"][INSTANCE_ID] == "blue"
    assert (spec["serviceAccountName"], spec["imagePullSecrets"]) == ("threescale-verify", [{"name": "registry"}])
    assert template["container"]["args"] == ["--help"]
    assert (template["container"]["image"], template["automountServiceAccountToken"]) == ("i:1", True)
    assert template["container"]["securityContext"]["readOnlyRootFilesystem"] is True
    assert template["tolerations"] == [{"key": "backup", "operator": "Exists"}]
    assert '"wait"' in template["podSpecPatch"]
    assert "volumeMounts" not in template["container"]
    assert "{{" not in str(controller.workflow["spec"])


def test_the_command_of_the_workflow_succeeds():
    done = subprocess.run([sys.executable, "-m", "steps", "--help"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_a_workflow_that_nobody_takes_tells_about_the_controller(applied, patient):
    found = list(start(patient(applied), WAIT_S, LOOK_S))

    assert [(each.state, each.what) for each in found] == [(State.ERROR, CONTROLLER)]
    assert "argo.instanceID" in found[0].remedy
    assert is_clean(applied)


@pytest.mark.parametrize(
    ("status", "words", "field"),
    [
        ({"containerStatuses": [PULLING]}, "pull access denied", "pods.imagePullSecrets"),
        ({"initContainerStatuses": [EXECUTOR], "containerStatuses": [STARTING]}, "no such host", "executor's image"),
        ({"containerStatuses": [STARTING], "conditions": [NO_NODE]}, "0/3 nodes: taint backup", "pods.tolerations"),
    ],
    ids=["image", "image of the executor", "no node"],
)
def test_a_pod_that_waits_says_why_and_names_the_field(applied, patient, controller, status, words, field):
    controller.status, controller.pod_status = {"phase": "Running"}, {"phase": "Pending", **status}

    found = by_subject(start(patient(applied), WAIT_S, LOOK_S))

    assert (found[CONTROLLER].state, found[POD_START].state) == (State.OK, State.ERROR)
    assert words in found[POD_START].told
    assert field in found[POD_START].remedy
    assert is_clean(applied)


def test_nobody_waits_for_an_image_that_was_tried_in_vain(applied, patient, controller):
    controller.status, controller.pod_status = (
        {"phase": "Running"},
        {"phase": "Pending", "containerStatuses": [PULLING]},
    )

    found = by_subject(start(patient(applied), 30, LOOK_S))

    looks = [each for each in applied.kubernetes.requests if (each.verb, each.resource) == ("get", "workflows")]
    assert "ImagePullBackOff" in found[POD_START].told
    assert len(looks) < 30 / LOOK_S / 10
    assert is_clean(applied)


def test_a_pod_without_a_reason_is_told_by_its_last_event(applied, patient, controller):
    controller.status, controller.pod_status = {"phase": "Running"}, {"phase": "Pending"}

    def warn():
        pod = applied.get("pods", controller.workflow["metadata"]["name"])["metadata"]
        involved = {"kind": "Pod", "name": pod["name"], "uid": pod["uid"]}
        event = {"type": "Warning", "reason": "FailedMount", "message": "no volume", "involvedObject": involved}
        metadata = {"name": "event-1", "namespace": applied.namespace}
        applied.kubernetes.create({"apiVersion": "v1", "kind": "Event", "metadata": metadata, **event})

    controller.acts = warn

    found = by_subject(start(patient(applied), WAIT_S, LOOK_S))

    assert "FailedMount: no volume" in found[POD_START].told


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_workflow_that_ends_badly_tells_argos_message(applied, patient, controller, phase):
    controller.status = {"phase": phase, "message": 'pods "x" is forbidden: exceeded quota: cpu, requested: cpu=1'}

    found = by_subject(start(patient(applied), WAIT_S, LOOK_S))

    assert phase in found[POD_START].told
    assert "exceeded quota: cpu" in found[POD_START].told
    assert "pods.executorResources" in found[POD_START].remedy


@pytest.mark.parametrize(("file", "words"), [(None, "list workflowtemplates"), ({}, "create workflows")])
def test_an_account_without_the_rights_gets_one_line(applied, patient, file, words):
    found = list(start(patient(applied, "threescale-verify", file), WAIT_S, LOOK_S))

    assert [each.state for each in found] == [State.NOT_ALLOWED]
    assert words in found[0].told


def test_a_workflow_that_admission_refuses_is_an_error(applied, patient):
    applied.kubernetes.refuse_next("create", "workflows", status=403, reason="Forbidden", message="policy: no label")

    found = list(start(patient(applied), WAIT_S, LOOK_S))

    assert [each.state for each in found] == [State.ERROR]
    assert "policy: no label" in found[0].told


def test_a_workflow_whose_creation_got_no_answer_is_removed(applied, patient):
    applied.kubernetes.lose_answer_of_next("create", "workflows")

    found = list(start(patient(applied), WAIT_S, LOOK_S))

    assert [each.state for each in found] == [State.ERROR]
    assert is_clean(applied)


def test_ctrl_c_removes_the_workflow(applied, patient, controller, monkeypatch):
    controller.status, controller.pod_status = {"phase": "Running"}, {"phase": "Running"}
    sick = patient(applied)
    get, asked = sick.cluster.get, []

    def interrupted(kind, name):
        asked.append(kind.name)
        if asked.count("Workflow") == 1 and kind.name == "Workflow":
            raise KeyboardInterrupt
        return get(kind, name)

    monkeypatch.setattr(sick.cluster, "get", interrupted)

    with pytest.raises(KeyboardInterrupt):
        list(start(sick, 30))

    assert controller.workflow
    assert is_clean(applied)


def test_a_removal_without_an_answer_is_tried_again(applied, patient, controller):
    controller.status = {"phase": "Succeeded"}
    applied.kubernetes.refuse_next("delete", "workflows", status=503)

    list(start(patient(applied), WAIT_S, LOOK_S))

    assert is_clean(applied)


def test_a_pod_that_stays_is_named(applied, patient, controller, monkeypatch):
    monkeypatch.setattr("workflows.doctor.run._REMOVAL_S", 1.0)
    controller.status, controller.pod_status = {"phase": "Succeeded"}, {"phase": "Succeeded"}
    controller.finalizers = ["workflows.argoproj.io/status"]

    last = list(start(patient(applied), WAIT_S, LOOK_S))[-1]

    pod = controller.workflow["metadata"]["name"]
    assert last.state == State.WARNING
    assert f"pod/{pod}" in last.told
    assert f"kubectl -n threescale delete pod/{pod}" in last.remedy


def test_before_the_first_apply_nothing_is_started(empty, patient):
    without_templates = list(start(patient(empty), WAIT_S, LOOK_S))
    for name in empty.exists("serviceaccounts"):
        empty.kubernetes.delete("serviceaccounts", empty.namespace, name)
    without_account = list(start(patient(empty, file={}), WAIT_S, LOOK_S))

    assert [each.state for each in (*without_templates, *without_account)] == [State.NOT_TRIED] * 2
    assert "threescale-verify" in without_account[0].told


def test_without_a_start_both_lines_are_not_tried():
    found = list(not_tried(None))

    assert [(each.what, each.state) for each in found] == [
        (CONTROLLER, State.NOT_TRIED),
        (POD_START, State.NOT_TRIED),
    ]
