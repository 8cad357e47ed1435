"""The part of scheduler and kubelet: finds the volumes of a pod, runs its container, and reports how it ended.

A pod with a missing claim stays Pending, as in a cluster. After `pending_s` seconds the clock is put forward to the
limit that would end the waiting, so that a rehearsal does not wait as long as a cluster. Each pod is also an object of
the cluster, for code that reads pods.
"""

import base64
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from weakref import finalize

from workflows.rehearsal import errors
from workflows.rehearsal.kubelet import container, endings, volumes
from workflows.rehearsal.kubelet.container import Mount
from workflows.rehearsal.kubelet.endings import Ending, PodPhase
from workflows.rehearsal.kubelet.limits import Limit
from workflows.rehearsal.kubernetes.port import ClusterPort, Manifest

NODE_NAME: Final = "rehearsal"
GRACE_S: Final = 30.0  # terminationGracePeriodSeconds, unless set
ACTIVE_TOO_LONG: Final = "Pod was active on the node longer than the specified deadline"
_POLL_S: Final = 0.02


@dataclass(frozen=True)
class Order:
    """One try of a node. All tags of the template are replaced. Times are those of the rehearsal."""

    workflow: str
    path: str
    pod: str
    node: str
    node_id: str
    template: Mapping[str, Any]
    volumes: tuple[Mapping[str, Any], ...]
    service_account: str
    timeout_s: float | None = None
    pending_timeout_s: float | None = None
    pod_fields: Mapping[str, Any] = field(default_factory=dict)  # of the pod's spec

    @property
    def where(self) -> str:
        """Name it in an error."""
        return f"template {self.template['name']}"


class Pods(Protocol):
    """Runs pods: on this machine, or in a real cluster."""

    def run(self, order: Order, limit: Limit, tell: Callable[[PodPhase, str], None]) -> Ending:
        """Run a pod to its end."""


class Kubelet:
    """Runs pods in one namespace.

    Claims are folders below `folder`. All else is in a temporary folder.
    """

    def __init__(
        self,
        cluster: ClusterPort,
        folder: Path,
        namespace: str,
        *,
        user: int | None,
        time_scale: float,
        pending_s: float,
    ) -> None:
        self._cluster = cluster
        self._volumes = volumes.Volumes(folder / namespace, self._secret)
        self._namespace = namespace
        self._user = user
        self._time_scale = time_scale
        self._pending_s = pending_s
        self._home = Path(tempfile.mkdtemp(prefix="rehearsal-"))
        self._home.chmod(0o750)
        self._lock = threading.Lock()
        self._writers = volumes.Writers()
        self.on_start: Callable[[str, subprocess.Popen[bytes]], None] | None = None
        finalize(self, shutil.rmtree, self._home, ignore_errors=True)

    def volume(self, claim: str) -> Path:
        """Return the folder of a claim."""
        return self._volumes.claim(claim)

    def run(self, order: Order, limit: Limit, tell: Callable[[PodPhase, str], None]) -> Ending:
        """Run a pod to its end."""
        started = time.monotonic()
        if "" in volumes.claims(order.volumes):
            return Ending("Error", f'Pod "{order.pod}" is invalid: persistentVolumeClaim.claimName: Required value')
        pod = self._create(order)
        ending = self._wait_for_claims(order, pod, limit, tell)
        if ending is None:
            self._set_phase(pod, "Running")
            tell("Running", "")
            with self._try_folder() as folder:
                ending = self._run_container(order, folder, limit, started)
        self._set_phase(pod, "Succeeded" if ending.phase == "Succeeded" else "Failed")
        return ending

    # --- the container ---

    def _run_container(self, order: Order, folder: Path, limit: Limit, started: float) -> Ending:
        mounts = self._volumes.mounts(order.template["container"], order.volumes, folder, order.where)
        command = self._command(order, mounts, folder, limit)
        with self._writers.watch(mounts, order.where):
            process = container.start(command)
            if process is None:
                return endings.of(order.template, mounts, command, container.NO_SUCH_COMMAND)
            if self.on_start:
                self.on_start(order.node, process)
            late = started + order.timeout_s if order.timeout_s is not None else None
            reason = container.wait(process, lambda: limit.reason() or _too_late(late), self._grace_s)
        return endings.of(order.template, mounts, command, container.exit_code(process), reason)

    @property
    def _grace_s(self) -> float:
        return max(GRACE_S * self._time_scale, 1.0)

    def _command(self, order: Order, mounts: list[Mount], folder: Path, limit: Limit) -> container.Command:
        described = order.template["container"]
        working = volumes.new_folder(folder / "work", 0o750)
        variables = self._environment(order, mounts, working) | self._deadline(order, limit)
        words = [str(word) for word in (*described["command"], *described.get("args", []))]
        argv = [container.translate(container.expand(word, variables), mounts, order.where) for word in words]
        argv[0] = container.interpreter(argv[0])
        return container.Command(argv, variables, working, folder / "log", self._user)

    def _environment(self, order: Order, mounts: list[Mount], working: Path) -> dict[str, str]:
        return container.environment(working, mounts) | {
            "KUBECONFIG": str(self._kubeconfig(order.service_account)),
            "ARGO_NODE_ID": order.node_id,
            "ARGO_WORKFLOW_NAME": order.workflow,
            "ARGO_CONTAINER_NAME": "main",
            "ARGO_PROGRESS_FILE": str(volumes.new_folder(working.parent / "progress", 0o777) / "progress"),
        }

    def _deadline(self, order: Order, limit: Limit) -> dict[str, str]:
        """Return the earlier deadline of pod and workflow, in unscaled time."""
        left_s = [left for left in (order.timeout_s, limit.left_s()) if left is not None]
        if not left_s:
            return {}
        until = time.gmtime(time.time() + min(left_s) / self._time_scale)
        return {"ARGO_DEADLINE": time.strftime("%Y-%m-%dT%H:%M:%SZ", until)}

    def _secret(self, name: str) -> dict[str, bytes] | None:
        found = self._cluster.get("secrets", self._namespace, name)
        return found and {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}

    # --- claims ---

    def _wait_for_claims(
        self, order: Order, pod: Manifest, limit: Limit, tell: Callable[[PodPhase, str], None]
    ) -> Ending | None:
        """Wait until all claims exist. If they never do, return how the pod ended."""
        missing = self._missing_claim(order)
        if not missing:
            return None
        message = f'persistentvolumeclaim "{missing}" not found'
        self._cluster.apply(_unschedulable(pod, message))
        tell("Pending", f"Unschedulable: {message}")
        until = time.monotonic() + min(self._pending_s, order.pending_timeout_s or self._pending_s)
        while (missing := self._missing_claim(order)) and not limit.reason() and time.monotonic() < until:
            time.sleep(_POLL_S)
        if not missing:
            return None
        if not limit.reason() and order.pending_timeout_s is not None:
            return Ending("Failed", "timeout")
        return Ending("Failed", limit.reason() or limit.put_forward() or _for_ever(missing, order))

    def _missing_claim(self, order: Order) -> str:
        for claim in volumes.claims(order.volumes):
            if self._cluster.get("persistentvolumeclaims", self._namespace, claim) is None:
                return claim
        return ""

    # --- the objects and folders of a pod ---

    def _create(self, order: Order) -> Manifest:
        """Create the pod in the cluster, with the volumes and the container of the manifest."""
        pod = manifest(order, self._namespace) | {"status": {"phase": "Pending"}}
        self._cluster.apply(pod)
        return pod

    def _set_phase(self, pod: Manifest, phase: str) -> None:
        pod["spec"]["nodeName"] = NODE_NAME
        pod["status"] = {"phase": phase}
        self._cluster.apply(pod)

    def _kubeconfig(self, account: str) -> Path:
        file = self._home / f"{account}.kubeconfig"
        with self._lock:
            if not file.exists():
                self._cluster.kubeconfig(file, namespace=self._namespace, service_account=account)
                if self._user is not None:
                    os.chown(file, self._user, 0)
        return file

    @contextmanager
    def _try_folder(self) -> Iterator[Path]:
        """Make the folder of one try, and remove it after the try."""
        folder = Path(tempfile.mkdtemp(prefix="try-", dir=self._home))
        folder.chmod(0o750)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def manifest(order: Order, namespace: str) -> Manifest:
    """Return the Pod of an order, with its one container, named and labelled as Argo does."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": order.pod,
            "namespace": namespace,
            "labels": {"workflows.argoproj.io/workflow": order.workflow},
            "annotations": {
                "workflows.argoproj.io/node-name": order.path,
                "workflows.argoproj.io/node-id": order.node_id,
            },
        },
        "spec": {
            "serviceAccountName": order.service_account,
            "volumes": [dict(volume) for volume in order.volumes],
            "containers": [{**order.template["container"], "name": "main"}],
            "restartPolicy": "Never",
        },
    }


def _too_late(late: float | None) -> str:
    return ACTIVE_TOO_LONG if late is not None and time.monotonic() > late else ""


def _for_ever(claim: str, order: Order) -> str:
    raise errors.PendingForEver(claim, order.where)


def _unschedulable(pod: Manifest, message: str) -> Manifest:
    metadata = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.unschedulable", "namespace": metadata["namespace"]},
        "involvedObject": {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"]},
        "reason": "FailedScheduling",
        "message": message,
        "type": "Warning",
    }
