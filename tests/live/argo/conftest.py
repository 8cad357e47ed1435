"""Whether the cluster has an Argo that works, and a namespace with the real WorkflowTemplates."""

import re
import shutil
import uuid
from pathlib import Path
from typing import Final

import pytest

from tests.live.argo.argo import API_VERSION, GROUP, Argo, Command
from tests.live.argo.hand import Hand
from tests.live.conftest import PREFIX, namespaced
from tests.live.kubernetes import Kubernetes, NotInTime, until
from tests.live.stage import Stage
from workflows.manifests import render

OLDEST: Final = {(4, 0): 10, (4, 1): 2}  # docs/how-to/install.md; a later minor will do
_KINDS: Final = ("workflows", "workflowtemplates", "cronworkflows", "workflowtaskresults")
_ANSWER_S: Final = 20.0


@pytest.fixture(scope="session")
def controller(kubernetes: Kubernetes) -> None:
    """See that workflows are run on this cluster; else say what is missing."""
    groups = {group["name"] for group in kubernetes.call("GET", "/apis")["groups"]}
    served = kubernetes.call("GET", f"/apis/{API_VERSION}")["resources"] if GROUP in groups else []
    if missing := sorted({*_KINDS} - {resource["name"] for resource in served}):
        pytest.skip(f"no Argo: the cluster has no CRDs for {', '.join(missing)} of {API_VERSION}")
    if too_old := _too_old(kubernetes):
        pytest.skip(too_old)
    namespace = f"{PREFIX}{uuid.uuid4().hex[:6]}"
    kubernetes.create(namespaced(namespace))
    try:
        _try_out(kubernetes, namespace)
    finally:
        kubernetes.delete("namespaces", "", namespace)


def _too_old(kubernetes: Kubernetes) -> str:
    """Read the version where Argo runs as it comes, from the image of its controller's Deployment."""
    for deployment in kubernetes.list("deployments"):
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            if found := re.search(r"/workflow-controller:v(\d+)\.(\d+)\.(\d+)", container["image"]):
                major, minor, patch = (int(number) for number in found.groups())
                if patch < OLDEST.get((major, minor), 0) or (major, minor) < min(OLDEST):
                    return f"Argo {major}.{minor}.{patch} is too old: 4.0.10, 4.1.2 or later is needed"
    return ""


def _try_out(kubernetes: Kubernetes, namespace: str) -> None:
    """Have the controller look at a workflow that needs no pod."""
    metadata = {"name": "is-anybody-there", "namespace": namespace}
    spec = {"entrypoint": "wait", "templates": [{"name": "wait", "suspend": {}}]}
    kubernetes.create({"apiVersion": API_VERSION, "kind": "Workflow", "metadata": metadata, "spec": spec})
    argo = Argo(kubernetes, namespace, None)
    try:
        until("a phase of a workflow", lambda: argo.get("is-anybody-there").phase, _ANSWER_S)
    except NotInTime:
        pytest.skip(f"no Argo: its CRDs are there, and no controller took up a workflow within {_ANSWER_S:g} s")


@pytest.fixture
def argo(controller: None, kubernetes: Kubernetes, live: Stage, tmp_path: Path) -> Argo:  # noqa: ARG001  it runs
    """Argo in a namespace to which all that is rendered was applied."""
    return argo_of(kubernetes, live, tmp_path)


def argo_of(kubernetes: Kubernetes, stage: Stage, folder: Path) -> Argo:
    """Apply all that is rendered for a stage."""
    for manifest in render(stage.settings):
        kubernetes.apply(manifest)
    program = shutil.which("argo")
    if not program:
        return Argo(kubernetes, stage.namespace, None)
    kubeconfig = kubernetes.kubeconfig(folder / "kubeconfig", namespace=stage.namespace)
    return Argo(kubernetes, stage.namespace, Command(program, kubeconfig, stage.namespace))


@pytest.fixture
def program() -> None:
    """What a test needs for which the API alone is not enough."""
    if not shutil.which("argo"):
        pytest.skip("no `argo` on the PATH: only that program retries and resubmits without Argo's server")


@pytest.fixture
def hand(live: Stage, argo: Argo) -> Hand:
    return Hand(live.kubernetes, live.namespace, argo)
