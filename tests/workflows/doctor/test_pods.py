"""The server is asked about the pods of the phases, and each refusal has its remedy."""

import json
from pathlib import Path

import pytest

from steps.contract.names import INSTANCE_ID
from workflows import manifests
from workflows.configuration.installation import Installation
from workflows.doctor import argo_pod, pods
from workflows.doctor.argo_pod import RESTRICTED, Executor
from workflows.doctor.finding import State

pytestmark = pytest.mark.thorough

MANY = 99
NOTHING = Executor()
FORBIDDEN = 'pods "threescale-doctor-1" is forbidden: '
QUOTA = FORBIDDEN + "exceeded quota: cpu, requested: limits.cpu=1, used: limits.cpu=0, limited: limits.cpu=500m"
NO_LIMITS = FORBIDDEN + "failed quota: cpu: must specify limits.cpu for: init,main,wait"
RANGE = FORBIDDEN + "maximum memory usage per Container is 128Mi, but limit is 256Mi"
SECURITY = FORBIDDEN + (
    'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (containers "init", "wait" must set '
    "securityContext.allowPrivilegeEscalation=false)"
)
PRIORITY = FORBIDDEN + "no PriorityClass with name night was found"
ACCOUNT = FORBIDDEN + 'error looking up service account threescale/x: serviceaccount "x" not found'
SCC = FORBIDDEN + "unable to validate against any security context constraint: [provider restricted-v2: .fsGroup: ...]"
WEBHOOK = 'admission webhook "policy.example.com" denied the request: label team is required'
NO_DRY_RUN = 'admission webhook "policy.example.com" does not support dry run'


def templates(**fields):
    installation = Installation.model_validate({"image": "registry.example.com/steps:1", **fields})
    return {each["metadata"]["name"]: each for each in pods_templates(installation)}


def pods_templates(installation):
    return [each for each in manifests.of(installation) if each["kind"] == "WorkflowTemplate"]


def built(workflow="threescale-backup", phase="file-storage", executor=NOTHING, **fields):
    spec = templates(**fields)[workflow]["spec"]
    template = next(each for each in spec["templates"] if each["name"] == phase)
    return argo_pod.build(spec, template, executor, "pod-1")


def container(pod, name):
    spec = pod["spec"]
    return next(each for each in [*spec["initContainers"], *spec["containers"]] if each["name"] == name)


def test_a_pod_has_argos_own_containers_with_the_resources_of_the_controller_under_those_of_the_file():
    executor = Executor(RESTRICTED, {"limits": {"cpu": "1", "memory": "64Mi"}}, "argoexec:v4.1.2")

    pod = built(executor=executor, pods={"executorResources": {"limits": {"cpu": "100m"}}})

    assert [each["name"] for each in pod["spec"]["initContainers"] + pod["spec"]["containers"]] == [
        "init",
        "wait",
        "main",
    ]
    for name in ("init", "wait"):
        own = container(pod, name)
        assert own["resources"]["limits"] == {"cpu": "100m", "memory": "64Mi"}
        assert (own["securityContext"], own["image"]) == (RESTRICTED, "argoexec:v4.1.2")


def test_a_pod_has_what_the_file_says_about_pods():
    needs = {
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "backup", "operator": "Exists"}],
        "priorityClassName": "low",
        "labels": {"team": "a"},
        "annotations": {"sidecar.istio.io/inject": "false"},
        "imagePullSecrets": [{"name": "registry"}],
        "phases": {"backup/file-storage": {"resources": {"limits": {"cpu": "2"}}, "imagePullSecrets": [{"name": "b"}]}},
    }

    pod = built(pods={**needs, "runAsUser": 5}, access={"accounts": {"backup": {"name": "saver"}}})

    spec, metadata = pod["spec"], pod["metadata"]
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == [{"key": "backup", "operator": "Exists"}]
    assert (spec["priorityClassName"], spec["serviceAccountName"]) == ("low", "saver")
    assert spec["imagePullSecrets"] == [{"name": "registry"}, {"name": "b"}]
    assert spec["securityContext"]["runAsUser"] == 5
    assert container(pod, "main")["resources"]["limits"]["cpu"] == "2"
    assert metadata["labels"]["team"] == "a"
    assert metadata["annotations"]["sidecar.istio.io/inject"] == "false"


@pytest.mark.parametrize("workflow", list(templates(watchdog={"schedule": "17 * * * *"})))
def test_no_pod_has_a_tag_or_a_mount_without_its_volume(workflow):
    spec = templates(watchdog={"schedule": "17 * * * *"}, notification={"secret": "url"})[workflow]["spec"]

    for template in spec["templates"]:
        if "container" in template:
            pod = argo_pod.build(spec, template, Executor(), "pod-1")
            volumes = {each["name"] for each in pod["spec"]["volumes"]}
            mounts = [m for c in (container(pod, n) for n in ("init", "wait", "main")) for m in c["volumeMounts"]]
            assert "{{" not in json.dumps(pod)
            assert {each["name"] for each in mounts} <= volumes


def test_a_tag_of_argo_becomes_a_harmless_word():
    template = {"container": {"image": "i:1"}, "metadata": {"labels": {"of": "{{workflow.name}}"}}}

    pod = argo_pod.build({}, template, NOTHING, "pod-1")

    assert pod["metadata"]["labels"]["of"] == "any"


def test_a_patch_merges_named_items_and_replaces_other_lists():
    target = {"containers": [{"name": "a", "args": ["1", "2"]}, {"name": "b"}], "kept": 1}

    merged = argo_pod.merge(target, {"containers": [{"name": "a", "args": ["3"]}, {"name": "c"}]})

    assert merged == {"containers": [{"name": "a", "args": ["3"]}, {"name": "b"}, {"name": "c"}], "kept": 1}


def test_the_server_admits_the_pods_and_nothing_is_created(applied, patient):
    applied.kubernetes.clear_requests()

    found = list(pods.admitted(patient(applied)))

    asked = [each for each in applied.kubernetes.requests if (each.verb, each.resource) == ("create", "pods")]
    assert {each.state for each in found} == {State.OK}
    assert all("can be pulled is not known" in each.told for each in found)
    assert len(asked) == len(found) <= 6
    assert all(each.dry_run for each in asked)
    assert applied.exists("pods") == []


def test_every_phase_of_the_templates_is_in_one_of_the_pods_that_are_asked_about(empty, patient):
    sick = patient(empty, file={"pods": {"phases": {"backup/file-storage": {"resources": {"limits": {"cpu": "2"}}}}}})

    found = pods.templates_of(sick)
    shapes = pods._shapes(found, Executor(), set(), sick.argo)

    phases = [phase for each in shapes for phase in each.phases]
    of_all = [t for each in found for t in each["spec"]["templates"] if "container" in t]
    assert len(phases) == len(set(phases)) == len(of_all)
    assert ["backup/file-storage"] in [each.phases for each in shapes]


def test_a_line_names_three_phases_and_the_number_of_the_others():
    shape = pods.Shape({}, ["backup/a", "backup/b", "backup/c", "backup/d"])

    assert shape.what == "Pods of backup/a, backup/b, backup/c and 1 more"


def test_without_accounts_the_pods_are_tried_with_the_default_one_and_the_line_says_so(applied, patient):
    for name in applied.exists("serviceaccounts"):
        applied.kubernetes.delete("serviceaccounts", applied.namespace, name)

    found = list(pods.admitted(patient(applied)))

    assert all("account default" in each.told for each in found)
    assert len(found) == 1


def test_the_pods_have_the_instance_id_of_the_file(empty, patient):
    sick = patient(empty, file={"argo": {"instanceID": "blue"}})

    shapes = pods._shapes(pods.templates_of(sick), Executor(), set(), sick.argo)

    assert {each.pod["metadata"]["labels"][INSTANCE_ID] for each in shapes} == {"blue"}


@pytest.mark.parametrize(
    "data",
    [
        {"executor": "securityContext: {runAsNonRoot: true}\nresources: {limits: {cpu: 1}}\n"},
        {"config": "executor:\n  securityContext: {runAsNonRoot: true}\n  resources: {limits: {cpu: 1}}\n"},
    ],
    ids=["by key", "all in one"],
)
def test_argos_own_containers_are_as_its_settings_say(empty, patient, configure, data):
    configure(empty, **data)

    executor, notes = pods.executor_of(patient(empty))

    assert executor == Executor({"runAsNonRoot": True}, {"limits": {"cpu": 1}})
    assert notes == []


def test_settings_that_say_nothing_about_the_executor_give_it_nothing(empty, patient, configure):
    configure(empty, parallelism="5")

    assert pods.executor_of(patient(empty)) == (Executor(), [])


@pytest.mark.parametrize("trouble", ["missing", "not allowed", "not YAML", "no map"])
def test_settings_that_can_not_be_read_are_assumed_to_fit_and_the_line_says_so(empty, patient, configure, trouble):
    if trouble != "missing":
        configure(empty, executor={"not YAML": "{", "no map": "5"}.get(trouble, ""))
    sick = patient(empty, "threescale-backup" if trouble == "not allowed" else None)

    executor, notes = pods.executor_of(sick)

    assert executor is None
    assert "assumed" in notes[0]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (QUOTA, ["pods.resources", "pods.executorResources"]),
        (NO_LIMITS, ["pods.resources", "pods.executorResources"]),
        (RANGE, ["pods.resources", "pods.executorResources"]),
        (SECURITY, ["kubectl -n argo-here patch configmap workflow-controller-configmap", "allowPrivilegeEscalation"]),
        (PRIORITY, ["pods.priorityClassName"]),
        (ACCOUNT, ["Apply the manifests"]),
        (SCC, ["pods.fsGroup"]),
        (WEBHOOK, ["pods.labels"]),
        ("something new", ["Correct the cause"]),
    ],
)
def test_a_refusal_is_an_error_in_the_servers_words_and_names_the_field(empty, patient, message, words):
    empty.kubernetes.refuse_next("create", "pods", status=403, reason="Forbidden", message=message, times=MANY)

    found = list(pods.admitted(patient(empty, file={"argo": {"namespace": "argo-here"}})))

    assert {each.state for each in found} == {State.ERROR}
    assert all(message in each.told for each in found)
    assert all(word in each.remedy for each in found for word in words)


def test_a_webhook_without_dry_runs_is_a_warning(applied, patient):
    applied.kubernetes.refuse_next("create", "pods", status=400, reason="BadRequest", message=NO_DRY_RUN, times=MANY)

    found = list(pods.admitted(patient(applied)))

    assert {each.state for each in found} == {State.WARNING}
    assert all("policy.example.com" in each.told for each in found)


def test_an_account_that_may_not_create_pods_gets_one_line(empty, patient):
    found = list(pods.admitted(patient(empty, "threescale-backup", file={})))

    assert [each.state for each in found] == [State.NOT_ALLOWED]


def test_without_a_file_and_without_templates_nothing_is_tried(empty, patient):
    found = list(pods.admitted(patient(empty)))

    assert [each.state for each in found] == [State.NOT_TRIED]


def test_the_command_for_the_executor_is_that_of_the_page_on_installing():
    page = (Path(manifests.__file__).parents[1] / "docs/how-to/install.md").read_text()

    command = pods.remedy(SECURITY, "argo").partition(": ")[2]

    assert command.replace('"executor": "', '"executor":\n      "') in page
