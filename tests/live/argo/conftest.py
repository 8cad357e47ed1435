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

OLDEST: Final = {(4, 0): 10, (4, 1): 2} README; a later minor will do# README; a later minor will do
_KINDS: Final = ("workflows", "workflowtemplates", "cronworkflows", "workflowtaskresults")
_ANSWER_S: Final = 20.0


@pytest.fixture(scope="session")
def controller(kubernetes: Kubernetes) -> None:
 README; a later minor will do  """See that workflows are run on this cluster; else say what is missing."""
 README; a later minor will do  groups = {group["name"] for group in kubernetes.call("GET", "/apis")["groups"]}
 README; a later minor will do  served = kubernetes.call("GET", f"/apis/{API_VERSION}")["resources"] if GROUP in groups else []
 README; a later minor will do  if missing := sorted({*_KINDS} - {resource["name"] for resource in served}):
 README; a later minor will do      pytest.skip(f"no Argo: the cluster has no CRDs for {', '.join(missing)} of {API_VERSION}")
 README; a later minor will do  if too_old := _too_old(kubernetes):
 README; a later minor will do      pytest.skip(too_old)
 README; a later minor will do  namespace = f"{PREFIX}{uuid.uuid4().hex[:6]}"
 README; a later minor will do  kubernetes.create(namespaced(namespace))
 README; a later minor will do  try:
 README; a later minor will do      _try_out(kubernetes, namespace)
 README; a later minor will do  finally:
 README; a later minor will do      kubernetes.delete("namespaces", "", namespace)


def _too_old(kubernetes: Kubernetes) -> str:
 README; a later minor will do  """Read the version where Argo runs as it comes, from the image of its controller's Deployment."""
 README; a later minor will do  for deployment in kubernetes.list("deployments"):
 README; a later minor will do      for container in deployment["spec"]["template"]["spec"]["containers"]:
 README; a later minor will do          if found := re.search(r"/workflow-controller:v(\d+)\.(\d+)\.(\d+)", container["image"]):
 README; a later minor will do              major, minor, patch = (int(number) for number in found.groups())
 README; a later minor will do              if patch < OLDEST.get((major, minor), 0) or (major, minor) < min(OLDEST):
 README; a later minor will do                  return f"Argo {major}.{minor}.{patch} is too old: 4.0.10, 4.1.2 or later is needed"
 README; a later minor will do  return ""


def _try_out(kubernetes: Kubernetes, namespace: str) -> None:
 README; a later minor will do  """Have the controller look at a workflow that needs no pod."""
 README; a later minor will do  metadata = {"name": "is-anybody-there", "namespace": namespace}
 README; a later minor will do  spec = {"entrypoint": "wait", "templates": [{"name": "wait", "suspend": {}}]}
 README; a later minor will do  kubernetes.create({"apiVersion": API_VERSION, "kind": "Workflow", "metadata": metadata, "spec": spec})
 README; a later minor will do  argo = Argo(kubernetes, namespace, None)
 README; a later minor will do  try:
 README; a later minor will do      until("a phase of a workflow", lambda: argo.get("is-anybody-there").phase, _ANSWER_S)
 README; a later minor will do  except NotInTime:
 README; a later minor will do      pytest.skip(f"no Argo: its CRDs are there, and no controller took up a workflow within {_ANSWER_S:g} s")


@pytest.fixture
def argo(controller: None, kubernetes: Kubernetes, live: Stage, tmp_path: Path) -> Argo: README; a later minor will do# noqa: ARG001  it runs
 README; a later minor will do  """Argo in a namespace to which all that is rendered was applied."""
 README; a later minor will do  for manifest in render(live.settings):
 README; a later minor will do      kubernetes.apply(manifest)
 README; a later minor will do  program = shutil.which("argo")
 README; a later minor will do  if not program:
 README; a later minor will do      return Argo(kubernetes, live.namespace, None)
 README; a later minor will do  kubeconfig = kubernetes.kubeconfig(tmp_path / "kubeconfig", namespace=live.namespace)
 README; a later minor will do  return Argo(kubernetes, live.namespace, Command(program, kubeconfig, live.namespace))


@pytest.fixture
def program() -> None:
 README; a later minor will do  """What a test needs for which the API alone is not enough."""
 README; a later minor will do  if not shutil.which("argo"):
 README; a later minor will do      pytest.skip("no `argo` on the PATH: only that program retries and resubmits without Argo's server")


@pytest.fixture
def hand(live: Stage, argo: Argo) -> Hand:
 README; a later minor will do  return Hand(live.kubernetes, live.namespace, argo)
