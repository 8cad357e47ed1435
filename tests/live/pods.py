"""Runs what the engine orders as pods of a real cluster, each made from its rendered template as Argo makes it.

Beside the container `main` stands another that shares its `/tmp`, because outputs are files there and a container that
has ended can't be asked any more; Argo's own `wait` is there for the same.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tests.live.kubernetes import Kubernetes, NotInTime, Object, until
from workflows.rehearsal.kubelet import endings
from workflows.rehearsal.kubelet.endings import Ending, PodPhase
from workflows.rehearsal.kubelet.limits import Limit
from workflows.rehearsal.kubelet.pod import Order, manifest
from workflows.rendering.parameters import OUTPUTS_PATH

POD_S: Final = 180.0  # for a pod to be scheduled, pulled, run
OF_TESTS: Final = {"pod-security.kubernetes.io/enforce": "restricted", "threescale-backup-tests": "true"}
LOCKED: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
# What the pods of the sample have, so that they run in every namespace and on every node, as those of 3scale would.
WITHIN_A_QUOTA: Final = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "500m", "memory": "256Mi"},
}
ANYWHERE: Final = [{"operator": "Exists"}]
_WAIT = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit()); signal.pause()"
_READ = """
import json, pathlib, sys
print(json.dumps({str(path): path.read_text() for path in pathlib.Path(sys.argv[1]).glob("*")}))
"""
_ENDED: Final = ("Succeeded", "Failed")
_PLAYED: Final = {
    *("name", "inputs", "outputs", "container", "volumes", "timeout", "retryStrategy", "affinity", "securityContext"),
    "automountServiceAccountToken",  # true, as it is in a pod that says nothing
}  # fields of a template; others would be lost here


class Pods:
    """Runs the pods of workflows in one namespace."""

    def __init__(self, kubernetes: Kubernetes, namespace: str) -> None:
        self._kubernetes = kubernetes
        self._namespace = namespace
        self.before: Callable[[Order], None] = lambda _: None
        self.on_start: Callable[[Order], None] = lambda _: None
        self.specs: dict[str, Object] = {}  # of each pod that ran, as the API server completed it
        self._lock = threading.Lock()

    def run(self, order: Order, limit: Limit, tell: Callable[[PodPhase, str], None]) -> Ending:
        """Run a pod to its end, and remove it."""
        self.before(order)
        self._kubernetes.create(self.pod(order))
        try:
            return self._watch(order, limit, tell)
        finally:
            self._kubernetes.delete("pods", self._namespace, order.pod, now=True)
            until(f"the end of pod {order.pod}", lambda: self._find(order) is None, POD_S)

    def _watch(self, order: Order, limit: Limit, tell: Callable[[PodPhase, str], None]) -> Ending:
        started = False

        def ended() -> Ending | None:
            nonlocal started
            if reason := limit.reason():
                return Ending("Failed", reason)
            pod = self._find(order)
            if pod is None or "deletionTimestamp" in pod["metadata"]:
                return Ending("Error", "pod deleted")
            main = _main(pod)
            if not started and "running" in main:
                started = True
                tell("Running", "")
                self.on_start(order)
            if "terminated" in main:
                with self._lock:
                    self.specs[order.pod] = pod["spec"]
                return self._ending(order, main["terminated"])
            if pod.get("status", {}).get("phase") in _ENDED:
                return Ending("Failed", pod["status"].get("message", pod["status"].get("reason", "")))
            return None

        try:
            ending: Ending = until(f"pod {order.pod}", ended, POD_S)
        except NotInTime as late:
            raise NotInTime(f"{late}; {self._why(order)}") from late
        return ending

    def _ending(self, order: Order, terminated: Mapping[str, Any]) -> Ending:
        log = self._kubernetes.log(self._namespace, order.pod, "main")
        said = str(terminated.get("message", "")).strip()
        files = self._output_files(order) if order.template.get("outputs") else {}
        return endings.judge(order.template, int(terminated["exitCode"]), said, log, files.get)

    def _output_files(self, order: Order) -> dict[str, str]:
        text = self._kubernetes.run(self._namespace, order.pod, "wait", "python", "-c", _READ, OUTPUTS_PATH)
        return dict(json.loads(text))

    def pod(self, order: Order) -> Object:
        """Write the pod of an order, as Argo makes it."""
        assert _PLAYED.issuperset(order.template), order.template.keys()
        pod = manifest(order, self._namespace)
        (main,) = pod["spec"]["containers"]
        environment = [
            {"name": "ARGO_NODE_ID", "value": order.node_id},
            {"name": "ARGO_WORKFLOW_NAME", "value": order.workflow},
            {"name": "ARGO_CONTAINER_NAME", "value": "main"},
            *main.get("env", []),
        ]
        wait = {
            "name": "wait",
            "image": main["image"],
            "command": ["python", "-c", _WAIT],
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp", "readOnly": True}],
            "securityContext": LOCKED,
        }
        pod["spec"] |= {**order.pod_fields, "containers": [{**main, "env": environment}, wait]}
        return pod

    def _find(self, order: Order) -> Object | None:
        return self._kubernetes.get("pods", self._namespace, order.pod)

    def _why(self, order: Order) -> str:
        """Tell what holds a pod back: its conditions and what its container waits for."""
        status = (self._find(order) or {}).get("status", {})
        return f"conditions {status.get('conditions')}, containers {status.get('containerStatuses')}"


def _main(pod: Object) -> Object:
    """Return the state of the container `main`."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    states: list[Object] = [status["state"] for status in statuses if status["name"] == "main"]
    return states[0] if states else {}


def hand_made(namespace: str, name: str, image: str, command: Sequence[str], **how: Any) -> Object:
    """Write a pod as locked in as the phases are; `how` are `claims`, by the path of their mount, and `security`."""
    claims: Mapping[str, str] = how.get("claims", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": how["security"],
            "tolerations": ANYWHERE,
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "command": list(command),
                    "securityContext": LOCKED,
                    "resources": WITHIN_A_QUOTA,
                    "volumeMounts": [{"name": claim, "mountPath": path} for path, claim in claims.items()],
                }
            ],
            "volumes": [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims.values()],
        },
    }


def run_python(kubernetes: Kubernetes, namespace: str, image: str, code: str, *arguments: str, **how: Any) -> str:
    """Run a program in a pod of its own and return what it prints; `how` as for `hand_made`.

    Raises:
        AssertionError: it failed, with its words.

    """
    name = "hand"
    kubernetes.create(hand_made(namespace, name, image, ["python", "-c", code, *arguments], **how))
    try:

        def ended() -> Object:
            found = kubernetes.get("pods", namespace, name) or {}
            return found if found.get("status", {}).get("phase") in _ENDED else {}

        found = until(f"pod {name}", ended, POD_S)
        said = kubernetes.log(namespace, name, "main")
        assert found["status"]["phase"] == "Succeeded", said
        return said
    finally:
        kubernetes.delete("pods", namespace, name, now=True)
        until(f"the end of pod {name}", lambda: kubernetes.get("pods", namespace, name) is None, POD_S)
