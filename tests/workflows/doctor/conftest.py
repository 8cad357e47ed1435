"""A cluster that a person asks the doctor about, with Argo's controller in it."""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from steps.kubernetes.cluster import Cluster
from tests.builders.commands import run
from tests.conftest import REQUEST_TIMEOUT_S, Stage
from tests.documents import read
from workflows.configuration.installation import Installation
from workflows.doctor.finding import Patient
from workflows.manifests import render
from workflows.rehearsal.kubernetes import kinds
from workflows.rehearsal.rehearse import SETTINGS

SECRETS = ("my-env", "my-policy", "my-registry", "my-telemetry", "my-tls", "my-tracing")
EXECUTOR = (
    "securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, "
    "seccompProfile: {type: RuntimeDefault}}\n"
)
ARGO = "argo"

Findings = list[dict[str, str]]


@functools.cache
def _rendered(text: str) -> list[dict[str, Any]]:
    code, out, err = run("manifests", "-f", "-", stdin=text)
    assert code == 0, err
    return read(out)


@dataclass
class Surgery:
    """A namespace, the file of its installation, and the doctor."""

    stage: Stage

    def write(self, more: str = "", secrets: Sequence[str] = SECRETS) -> str:
        """Write the file, and return its name."""
        named = "".join(f"  - {name}\n" for name in secrets)
        file = self.stage.folder / "threescale-backup.yaml"
        file.write_text(
            f"image: registry.example.com/steps:1\nnamespace: threescale\naccess:\n  secrets:\n{named}{more}"
        )
        return str(file)

    def apply(self) -> list[dict[str, Any]]:
        """Apply the manifests of the file."""
        text = (self.stage.folder / "threescale-backup.yaml").read_text()
        applied = [each for each in _rendered(text) if each["kind"] != "PrometheusRule"]
        for each in applied:
            self.stage.kubernetes.apply(each)
        return applied

    def controller(
        self,
        *,
        image: str = "quay.io/argoproj/workflow-controller:v4.1.2",
        env: Any = (),
        args: Sequence[str] = (),
        **data: str,
    ) -> None:
        """Install Argo's controller with these settings."""
        container = {"name": "workflow-controller", "image": image, "env": list(env), "args": list(args)}
        spec = {"template": {"spec": {"containers": [container]}}}
        for head, name, more in (
            (("apps/v1", "Deployment"), "workflow-controller", {"spec": spec}),
            (("v1", "ConfigMap"), "workflow-controller-configmap", {"data": data}),
        ):
            metadata = {"name": name, "namespace": ARGO}
            self.stage.kubernetes.apply({"apiVersion": head[0], "kind": head[1], "metadata": metadata, **more})

    def run(self, *words: str, account: str | None = None) -> tuple[int, str, str]:
        """Run the doctor with the rights of an account or an administrator's."""
        self.stage.connect(account)
        return run("doctor", *words, "--kubeconfig", str(self.stage.folder / f"kubeconfig-{account}"))

    def findings(self, *words: str, account: str | None = None) -> Findings:
        """Return what the doctor finds for the file, or for other words."""
        file = str(self.stage.folder / "threescale-backup.yaml")
        _, out, err = self.run(*(words or ("-f", file)), "-o", "json", account=account)
        assert err == ""
        found: Findings = json.loads(out)
        return found

    def found(self, what: str, *words: str, account: str | None = None) -> Findings:
        """Return what the doctor finds about one thing."""
        return [each for each in self.findings(*words, account=account) if each["what"] == what]

    def everything(self) -> list[dict[str, Any]]:
        """Return all objects of the cluster."""
        store = self.stage.kubernetes._store
        return [each for kind in kinds.KINDS for each in store.list(kind)]


@pytest.fixture
def surgery(installed: Stage) -> Surgery:
    """An installation with all that a backup needs, and a file that says so."""
    made = Surgery(installed)
    made.write()
    made.apply()
    made.stage.kubernetes.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": {}})
    made.controller(env=[{"name": "DEFAULT_REQUEUE_TIME", "value": "1s"}], executor=EXECUTOR)
    return made


@pytest.fixture
def states() -> Callable[[Findings], list[str]]:
    return lambda found: [each["state"] for each in found]


@pytest.fixture
def applied(empty: Stage) -> Stage:
    """A namespace that has the WorkflowTemplates in its API server too, not only in the engine."""
    for manifest in render(SETTINGS):
        if manifest["kind"] == "WorkflowTemplate":
            empty.kubernetes.apply(manifest)
    return empty


@pytest.fixture
def patient() -> Callable[..., Patient]:
    """Make a patient of a stage: with the rights of an account, and with the fields of a file if `file` is given."""

    def of(stage: Stage, account: str | None = None, file: dict[str, Any] | None = None) -> Patient:
        cluster = stage.connect(account)
        path = str(stage.folder / f"kubeconfig-{account}")

        def elsewhere(namespace: str) -> Cluster:
            return Cluster.connect(namespace, REQUEST_TIMEOUT_S, path)

        told = (
            None if file is None else Installation.model_validate({"image": "i:1", "namespace": "threescale", **file})
        )
        return Patient(cluster, elsewhere, told)

    return of


@pytest.fixture
def configure() -> Callable[..., None]:
    """Give Argo's controller settings."""

    def of(stage: Stage, **data: str) -> None:
        metadata = {"name": "workflow-controller-configmap", "namespace": ARGO}
        stage.kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    return of
