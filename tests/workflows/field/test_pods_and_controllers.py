"""What a cluster asks of pods, and what a controller asks of workflows, before it takes them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests import documents
from workflows.__main__ import main
from workflows.rehearsal.rehearse import SETTINGS
from workflows.schedule import schedule

pytestmark = pytest.mark.thorough

IMAGE = "registry.example.com/steps:1"
INSTANCE = "workflows.argoproj.io/controller-instanceid"  # Argo, workflow/common/common.go
CRONS = ["--schedule", "0 2 * * *", "--verify", "0 6 * * *", "--watchdog", "17 * * * *"]

Manifests = list[dict[str, Any]]


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, words)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def rendered(tmp_path: Path) -> Callable[[str], Manifests]:
    """Render what a file asks for beside an image, with schedules."""

    def of(text: str) -> Manifests:
        file = tmp_path / "threescale-backup.yaml"
        file.write_text(f"image: {IMAGE}\n{text}")
        code, out, err = run("manifests", "-f", str(file), *CRONS)
        assert code == 0, err
        return documents.read(out)

    return of


def of_kind(manifests: Manifests, kind: str) -> Manifests:
    return [each for each in manifests if each["kind"] == kind]


def test_under_a_quota_on_cpu_limits_every_container_can_have_one(rendered):
    manifests = rendered("pods:\n  resources:\n    limits:\n      cpu: 500m\n")

    templates = [part for each in of_kind(manifests, "WorkflowTemplate") for part in each["spec"]["templates"]]
    containers = [part["container"]["resources"] for part in templates if "container" in part]
    assert {resources["limits"].get("cpu") for resources in containers} == {"500m"}


def test_pods_can_pull_from_a_private_registry(rendered):
    manifests = rendered("pods:\n  imagePullSecrets:\n  - name: my-registry\n")

    asked = [each["spec"].get("imagePullSecrets") for each in of_kind(manifests, "WorkflowTemplate")]
    assert asked == [[{"name": "my-registry"}]] * len(asked)


def test_pods_can_run_on_tainted_nodes(rendered):
    manifests = rendered("pods:\n  tolerations:\n  - key: infra\n    operator: Exists\n")

    templates = [part for each in of_kind(manifests, "WorkflowTemplate") for part in each["spec"]["templates"]]
    asked = [part.get("tolerations") for part in templates if "container" in part]
    assert asked == [[{"key": "infra", "operator": "Exists"}]] * len(asked)


def test_a_controller_with_an_instance_id_takes_the_schedules_and_their_workflows(rendered):
    crons = of_kind(rendered("argo:\n  instanceID: ours\n"), "CronWorkflow")

    labels = [cron["metadata"].get("labels", {}).get(INSTANCE) for cron in crons]
    of_workflows = [cron["spec"]["workflowSpec"]["workflowMetadata"]["labels"].get(INSTANCE) for cron in crons]
    assert len(crons) == 3
    assert labels == of_workflows == ["ours"] * 3


@pytest.mark.parametrize("count", [0, 500])
def test_every_manifest_fits_into_the_annotation_that_kubectl_apply_writes(count):
    names = [word for number in range(count) for word in ("--secret", f"secret-{number:04}-of-a-name-as-people-give")]

    code, out, _ = run("manifests", "--image", IMAGE, *CRONS, *names)

    assert code == 0
    assert max(len(json.dumps(each)) for each in documents.read(out)) < 256 << 10


def test_of_a_schedule_that_never_started_anything_the_label_of_its_controller_is_doubted(empty):
    empty.engine.apply(schedule(SETTINGS, "0 2 * * *", "UTC").to_dict())
    kubeconfig = str(empty.kubernetes.kubeconfig(empty.folder / "kubeconfig", namespace=empty.namespace))

    code, _, err = run("check", "-n", empty.namespace, "--kubeconfig", kubeconfig)

    assert code == 1
    assert "CronWorkflow threescale-backup-schedule has started no workflow yet" in err
    assert "instanceid" in err.lower()
