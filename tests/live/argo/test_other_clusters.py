"""A cluster that asks much: limits on processors, a taint, a private registry, an instanceID, hardened defaults.

The doctor names each trouble before; with a file that answers them, a backup and a restore succeed.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.live.argo.argo import Argo, Command
from tests.live.argo.controller import Controller
from tests.live.installation import Operator
from tests.live.kubernetes import Kubernetes, until
from tests.live.registry import Registry, serve
from tests.live.second_node import FIRST
from tests.live.stage import Stage

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("controller", "program")]

ROOT: Final = Path(__file__).parents[3]
CONFIG: Final = "workflow-controller-configmap"
INSTANCE: Final = "ours"
PULL_SECRET: Final = "may-pull"  # noqa: S105  the name of a Secret
TAINT: Final = {"key": "dedicated", "value": "infra", "effect": "NoSchedule"}
HARD: Final = {"limits.cpu": "8", "limits.memory": "8Gi", "requests.cpu": "4", "requests.memory": "4Gi"}
LOCKED: Final = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
DEFAULTS: Final = {
    "spec": {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "podGC": {"strategy": "OnPodSuccess"},
        "ttlStrategy": {"secondsAfterCompletion": 86400},
        "templateDefaults": {
            "automountServiceAccountToken": False,
            "container": {"securityContext": {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}},
        },
    }
}
# What the file says against each trouble.
NEEDS: Final[dict[str, Any]] = {
    "resources": {"limits": {"cpu": "500m"}},
    "executorResources": {
        "requests": {"cpu": "10m", "memory": "32Mi"},
        "limits": {"cpu": "500m", "memory": "256Mi"},
    },
    "tolerations": [TAINT],
    "imagePullSecrets": [{"name": PULL_SECRET}],
}


@pytest.fixture
def hardened(own_cluster: Kubernetes) -> Iterator[None]:
    """Give Argo's controller an instanceID and defaults that take rights away, and tell it so by a new start."""
    running = Controller.find()
    if running is None:
        pytest.skip("the controller is no process of this machine, so its settings are not changed")
    namespace = running.words[running.words.index("--namespace") + 1]
    before = own_cluster.get("configmaps", namespace, CONFIG)
    assert before
    data = {"instanceID": INSTANCE, "executor": f"securityContext: {json.dumps(LOCKED)}\n"}
    data["workflowDefaults"] = yaml.safe_dump(DEFAULTS)

    def configure(data: dict[str, str]) -> None:
        found = Controller.find()
        assert found
        with found.down():
            own_cluster.delete("configmaps", namespace, CONFIG)
            metadata = {"name": CONFIG, "namespace": namespace}
            own_cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    configure(data)
    yield
    configure(before["data"])


@pytest.fixture
def tainted(own_cluster: Kubernetes) -> Iterator[None]:
    own_cluster.patch("nodes", "", FIRST, {"spec": {"taints": [TAINT]}})
    yield
    own_cluster.patch("nodes", "", FIRST, {"spec": {"taints": None}})


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    archive = tmp_path_factory.mktemp("registry") / "steps.tar"
    subprocess.run([sys.executable, "tests/cluster", "image", "--output", str(archive)], check=True, cwd=ROOT)  # noqa: S603  our own
    with serve(archive) as served:
        yield served


@dataclass
class House:
    """The namespace, the file of its installation, and the commands of a person."""

    stage: Stage
    file: Path
    kubeconfig: Path
    image: str

    def write(self, *without: str, instance: str = INSTANCE) -> None:
        """Write the file, without some of what the pods need."""
        pods = self.stage.settings.pods
        needs = {name: value for name, value in NEEDS.items() if name not in without}
        users = {"fsGroup": pods.fs_group, "runAsUser": pods.run_as_user, "imagePullPolicy": "Always"}
        fields = {
            "image": self.image,
            "namespace": self.stage.namespace,
            "access": {"secrets": list(self.stage.settings.secrets)},
            "pods": {**users, **needs},
            "argo": {"instanceID": instance} if instance else {},
        }
        self.file.write_text(yaml.safe_dump(fields))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  our own command
            [sys.executable, "-m", "workflows", *words], capture_output=True, text=True, check=False, cwd=ROOT
        )

    def errors(self, *words: str) -> dict[str, str]:
        """Ask the doctor and return its errors: what was told, and the remedy."""
        told = ("-f", str(self.file), "--kubeconfig", str(self.kubeconfig), "-o", "json")
        asked = self.command("doctor", *told, *words)
        assert asked.stdout, asked.stderr
        return {
            each["what"]: f"{each['told']} {each['remedy']}"
            for each in json.loads(asked.stdout)
            if each["state"] == "error"
        }

    def apply(self) -> None:
        rendered = self.command("manifests", "-f", str(self.file))
        assert rendered.returncode == 0, rendered.stderr
        for each in yaml.safe_load_all(rendered.stdout):
            self.stage.kubernetes.apply(each)


@pytest.fixture
def house(live: Stage, own_cluster: Kubernetes, registry: Registry, tmp_path: Path) -> House:
    """An installation in a namespace with a quota on processors and memory, and the Secret of the registry."""
    live.installation.install()
    quota = {"metadata": {"name": "computing", "namespace": live.namespace}, "spec": {"hard": HARD}}
    own_cluster.create({"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    live.wait_for_quota("computing")
    own_cluster.create(registry.pull_secret(PULL_SECRET, live.namespace))
    kubeconfig = own_cluster.kubeconfig(tmp_path / "kubeconfig", namespace=live.namespace)
    return House(live, tmp_path / "threescale-backup.yaml", kubeconfig, registry.image)


@pytest.fixture
def argo(house: House, program: None) -> Argo:  # noqa: ARG001  it is there
    command = Command("argo", house.kubeconfig, house.stage.namespace, "--instanceid", INSTANCE)
    return Argo(house.stage.kubernetes, house.stage.namespace, command)


@pytest.mark.usefixtures("hardened", "tainted")
def test_the_doctor_names_each_trouble_and_a_file_that_answers_them_backs_up_and_restores(
    house: House, argo: Argo, registry: Registry
) -> None:
    house.write(*NEEDS, instance="")
    bare = house.errors()
    house.write("imagePullSecrets")
    house.apply()
    unpulled = house.errors("--start")
    house.write()
    house.apply()
    answered = house.errors("--start")

    assert "argo.instanceID" in bare["instanceID"]
    (refused,) = [told for what, told in bare.items() if what.startswith("Pods of")]
    assert "limits.cpu for: init,main,wait" in refused
    assert "pods.executorResources" in refused
    assert "dedicated=infra:NoSchedule" in bare["Nodes for the pods"]
    assert "pods.imagePullSecrets" in unpulled["Start of a pod"]
    assert not {"instanceID", "Nodes for the pods", "Start of a pod", "Start of a Workflow"} & {*answered}
    assert not [what for what in answered if what.startswith("Pods of")]
    assert not house.stage.kubernetes.list("workflows", house.stage.namespace)

    before = len(registry.pulled)
    backup = argo.wait(argo.backup(name="nightly"))
    assert backup.phase == "Succeeded", backup.failures()
    assert len(registry.pulled) > before
    house.stage.kubernetes.delete("workflows", house.stage.namespace, backup.name)
    house.stage.installation.lose()
    house.stage.installation.give_database_secrets()
    with Operator(house.stage.kubernetes, house.stage.installation):
        restored = argo.wait(argo.restore("nightly"))
    assert restored.phase == "Succeeded", restored.failures()


@pytest.mark.usefixtures("hardened")
def test_a_schedule_without_the_instance_id_starts_nothing_and_the_check_says_why(house: House, argo: Argo) -> None:
    schedule = ("--schedule", "* * * * *")
    house.write("tolerations", instance="")
    rendered = house.command("manifests", "-f", str(house.file), *schedule)
    for each in yaml.safe_load_all(rendered.stdout):
        house.stage.kubernetes.apply(each)
    told = house.command("check", "-n", house.stage.namespace, "--kubeconfig", str(house.kubeconfig)).stderr

    assert "A controller with an instanceID ignores CronWorkflow threescale-backup-schedule" in told

    house.write("tolerations")
    rendered = house.command("manifests", "-f", str(house.file), *schedule)
    for each in yaml.safe_load_all(rendered.stdout):
        house.stage.kubernetes.apply(each)

    until("a workflow of the schedule", argo.workflows, 130)
    ended = argo.wait(argo.workflows()[0].name)
    assert ended.phase == "Succeeded", ended.failures()
