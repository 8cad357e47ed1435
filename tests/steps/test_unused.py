"""The image leaves out what `images/steps/unused.txt` names, so nothing that a phase imports may stand there."""

import subprocess
import sys
from fnmatch import fnmatch
from importlib.metadata import files
from pathlib import Path

import pytest

from workflows.rehearsal.kubernetes.pod_exec import ExecResult

UNUSED = (Path(__file__).parents[2] / "images/steps/unused.txt").read_text().split()

# Everything is imported, and the door to Kubernetes used both ways, as if the modules were not there.
SCRIPT = """
import sys
from fnmatch import fnmatch

class LeftOut:
    def find_spec(self, name, path=None, target=None):
        if any(fnmatch(name.replace(".", "/"), pattern) for pattern in sys.argv[1:]):
            raise ModuleNotFoundError(f"{name} is left out", name=name)

sys.meta_path.insert(0, LeftOut())

import steps.__main__
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import SECRET

cluster = Cluster.connect("threescale", 5.0)
print(len(cluster.list(SECRET)), cluster.exec("system-sidekiq", "main", ["true"], 5.0))
"""


def use(stage, *left_out):
    stage.connect()
    environment = {"KUBECONFIG": str(stage.folder / "kubeconfig-None")}
    words = [sys.executable, "-c", SCRIPT, *left_out]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  our own


@pytest.fixture
def stage(empty):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "system-sidekiq", "namespace": empty.namespace}}
    empty.kubernetes.apply({**pod, "spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Running"}})
    empty.kubernetes.on_exec(lambda *_: ExecResult())
    return empty


def test_no_phase_imports_what_the_image_leaves_out(stage):
    ended = use(stage, *UNUSED)

    assert (ended.stdout, ended.stderr) == ("0 0\n", "")


def test_leaving_out_what_is_imported_would_be_seen(stage):
    ended = use(stage, "kubernetes/stream/ws_client")

    assert "ws_client" in ended.stderr


@pytest.mark.parametrize("pattern", [pattern for pattern in UNUSED if pattern.startswith("kubernetes/")])
def test_what_is_left_out_is_there_to_be_left_out(pattern):
    assert [path for path in files("kubernetes") or [] if fnmatch(str(path), f"{pattern}*")]
