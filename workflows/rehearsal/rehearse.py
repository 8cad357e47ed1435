"""The rehearsal: back up a sample installation, delete it, restore it, compare.

The workflows are the rendered ones. Each phase is a process of its own. It talks to the embedded Kubernetes with the
rights of its rendered Role.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps.contract.backup_contract import CLAIM
from workflows import backup, restore
from workflows.manifests import render
from workflows.rehearsal import comparison
from workflows.rehearsal.argo.engine import Engine, Node, Workflow
from workflows.rehearsal.comparison import Row
from workflows.rehearsal.kubernetes.cluster import Cluster
from workflows.rehearsal.threescale import installation
from workflows.rehearsal.threescale.objects import REFERENCED_SECRETS
from workflows.rendering.settings import Settings

NAMESPACE = "threescale"
IMAGE = "threescale-backup-steps:rehearsal"  # never pulled: phases run with this Python
SETTINGS = Settings(
    image=IMAGE,
    namespace=NAMESPACE,
    secrets=REFERENCED_SECRETS,
    look_s=0.1,  # the embedded operator is quicker than the real one
)
_SYSTEM_STORAGE = "system-storage"


@dataclass(frozen=True)
class Result:
    """How a rehearsal ended. If a workflow failed, there are no rows."""

    workflows: Sequence[Workflow]
    rows: Sequence[Row]

    @property
    def equal(self) -> bool:
        """Whether the restored installation is the one that was backed up."""
        succeeded = all(workflow.phase == "Succeeded" for workflow in self.workflows)
        return succeeded and bool(self.rows) and not any(row.differences for row in self.rows)


def rehearse(
    folder: Path,
    say: Callable[[str], None],
    *,
    manifests: Sequence[dict[str, Any]] | None = None,
) -> Result:
    """Run both workflows on a sample installation. `folder` holds the volumes.

    `manifests`: the manifests to apply. If None, they are rendered.
    """
    with Cluster() as cluster, installation.Operator(cluster):
        stage = _Stage(cluster, folder, say)
        for manifest in render(SETTINGS) if manifests is None else manifests:
            stage.engine.apply(manifest)
        return stage.play()


class _Stage:
    """The embedded Kubernetes, the engine, and the progress messages."""

    def __init__(self, cluster: Cluster, folder: Path, say: Callable[[str], None]) -> None:
        self._cluster, self._say = cluster, say
        self._started = time.monotonic()
        self.engine = Engine(cluster, folder, namespace=NAMESPACE, say=self._node)
        self._storage = self.engine.volume(_SYSTEM_STORAGE)

    def play(self) -> Result:
        """Back up, delete, restore, compare."""
        installation.install(self._cluster, NAMESPACE, self._storage)
        before = comparison.look(self._cluster, NAMESPACE, self._storage)
        self._tell(f"a sample 3scale installation runs in namespace {NAMESPACE}")
        saved = self._run(backup.NAME, {})
        if saved.phase != "Succeeded":
            return Result([saved], [])
        installation.lose(self._cluster, NAMESPACE, self._storage)
        installation.give_database_secrets(self._cluster, NAMESPACE)
        self._tell("the installation was deleted, and the three Secrets of the databases were created again")
        restored = self._run(restore.NAME, {"claim-name": saved.outputs[CLAIM]})
        if restored.phase != "Succeeded":
            return Result([saved, restored], [])
        after = comparison.look(self._cluster, NAMESPACE, self._storage)
        return Result([saved, restored], comparison.compare(before, after))

    def _run(self, template: str, arguments: dict[str, str]) -> Workflow:
        words = "".join(f" -p {name}={value}" for name, value in arguments.items())
        self._tell(f"argo submit --from workflowtemplate/{template}{words}")
        ended = self.engine.submit(template, arguments)
        self._tell(f"workflow {ended.name}: {ended.phase} {ended.message}".rstrip())
        return ended

    def _node(self, node: Node) -> None:
        """Report the end of a phase. The start of a phase is not reported."""
        if node.phase in {"Succeeded", "Failed", "Error"} and node.attempts:
            self._tell(f"    {node.name:<14} {node.phase:<10} {node.duration_s:5.2f} s  {node.message}".rstrip())

    def _tell(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._started:6.2f} s  {text}")


def empty(folder: Path) -> bool:
    """Whether a folder is absent or has nothing in it."""
    return not folder.exists() or not any(folder.iterdir())


def remove(folder: Path) -> None:
    """Remove the volumes, also folders without rights for their owner."""

    def allow(function: Callable[..., object], path: str, _error: object) -> None:
        Path(path).parent.chmod(0o700)
        function(path)

    shutil.rmtree(folder, onerror=allow)
