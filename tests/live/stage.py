"""The stage of the live tests: a namespace of a real cluster with all that is rendered, and what can be done there."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from steps.threescale.installation import SYSTEM_STORAGE
from tests.live.installation import Installation
from tests.live.kubernetes import Kubernetes, Object, until
from tests.live.pods import Pods
from tests.live.volumes import Opener
from workflows.manifests import render
from workflows.rehearsal.argo.engine import Engine, Workflow
from workflows.rehearsal.comparison import Node
from workflows.rehearsal.threescale import objects
from workflows.rendering.settings import Settings

TIME_SCALE: Final = 0.1  # of the back-offs and time-outs that Argo would keep

_OTHER_FILES: Final = """
import os, pathlib, sys
root = pathlib.Path(sys.argv[1])
(root / "since" / "empty").mkdir(parents=True)
(root / "since" / "a file.txt").write_text("written since the backup")
(root / "link").symlink_to("since/a file.txt")
os.utime(root / "since" / "a file.txt", ns=(1, 1_600_000_000_123_456_789))
"""


@dataclass
class Stage:
    """One namespace."""

    kubernetes: Kubernetes
    settings: Settings
    engine: Engine
    pods: Pods
    installation: Installation
    opener: Opener

    @property
    def namespace(self) -> str:
        return self.installation.namespace

    def backup(self, **parameters: str) -> Workflow:
        return self.engine.submit("threescale-backup", kebab(parameters))

    def restore(self, claim: str, **parameters: str) -> Workflow:
        return self.engine.submit("threescale-restore", {"claim-name": claim, **kebab(parameters)})

    def get(self, resource: str, name: str) -> Object | None:
        return self.kubernetes.get(resource, self.namespace, name)

    def claim(self, name: str, **metadata: Any) -> Object:
        """Make a claim of the cluster's default class."""
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "256Mi"}}}
        return self.kubernetes.create(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": name, "namespace": self.namespace, **metadata},
                "spec": spec,
            }
        )

    def goes(self, claim: str) -> bool:
        """Whether a claim is gone or about to be: pods that had it keep it until they are removed, in ten minutes."""
        found = self.get("persistentvolumeclaims", claim)
        return found is None or "deletionTimestamp" in found["metadata"]

    def another_installation(self) -> tuple[Object, dict[str, Node]]:
        """Lose the installation and leave in its place what somebody made since: a Secret with other values, and files.

        Return both.
        """
        self.installation.lose()
        self.installation.give_database_secrets()
        secret = next(obj for obj in objects.sample("secrets", self.namespace) if obj["metadata"]["name"] == "zync")
        other = base64.b64encode(b"another value").decode()
        there = self.kubernetes.create({**secret, "data": dict.fromkeys(secret["data"], other)})
        self.claim(SYSTEM_STORAGE)
        self.installation.run(_OTHER_FILES, "/storage", claims={"/storage": SYSTEM_STORAGE})
        return there, self.installation.tree(SYSTEM_STORAGE)

    def wait_for_quota(self, name: str) -> None:
        """Wait until the quota has counted what is there; before, it refuses nothing."""
        until(f"quota {name}", lambda: (self.get("resourcequotas", name) or {}).get("status", {}).get("used"), 30)


class _Port:
    """What the engine asks of a cluster; Argo's own objects it keeps for itself, or a controller would run them."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes

    def kubeconfig(self, path: Path, *, namespace: str, service_account: str | None = None) -> Path:
        raise NotImplementedError("pods have tokens of their own")

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        return self._kubernetes.get(resource, namespace, name)

    def delete(self, resource: str, namespace: str, name: str) -> None:
        self._kubernetes.delete(resource, namespace, name)

    def apply(self, obj: Object) -> Object:
        return obj if obj["kind"] == "Workflow" else self._kubernetes.apply(obj)


def build(kubernetes: Kubernetes, settings: Settings, opener: Opener, folder: Path) -> Stage:
    """Apply what is rendered to the namespace of the settings."""
    namespace = str(settings.namespace)
    pods = Pods(kubernetes, namespace)
    pods.before = lambda _: opener.open()
    engine = Engine(_Port(kubernetes), folder, namespace=namespace, time_scale=TIME_SCALE, pods=pods)
    manifests = render(settings)
    for manifest in manifests:
        engine.apply(manifest)
    security: dict[str, Any] = next(m for m in manifests if m["kind"] == "WorkflowTemplate")["spec"]["securityContext"]
    installation = Installation(kubernetes, namespace, settings.image, security)
    return Stage(kubernetes, settings, engine, pods, installation, opener)


def kebab(parameters: Mapping[str, str]) -> dict[str, str]:
    """Spell parameters as workflows do, from how Python does."""
    return {name.replace("_", "-"): value for name, value in parameters.items()}
