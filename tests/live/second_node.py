"""A second node for the cluster of `tests/cluster`: an object without a kubelet, so what is put there never runs.

It is empty and far larger than the first, so that the scheduler takes it before the first, unless it is shunned. A
taint keeps all pods away that do not tolerate it.
"""

import threading
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from tests.cluster.node import layout
from tests.live.kubernetes import Kubernetes, Object, Refused, until

FIRST: Final = layout.NAME
SECOND: Final = f"{FIRST}-second"
MARK: Final = "threescale-backup-tests"
TOLERATION: Final = {"key": MARK, "operator": "Exists"}
_LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_RENEW_S: Final = 5.0  # a node whose lease grows old is taken for dead after 40 s
_SIZE: Final = {"cpu": "64", "memory": "256Gi", "pods": "110"}


class SecondNode:
    """Is there, and taken for ready, for the length of a `with` block."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="second-node", daemon=True)

    def __enter__(self) -> Self:
        self._remove()  # what a run that was killed has left
        self._kubernetes.create(_node())
        self._kubernetes.call("POST", _LEASES, {"metadata": {"name": SECOND}, "spec": self._lease()})
        self._thread.start()
        until("the second node ready", self._is_open, 60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._remove()

    def prefer(self, node: str) -> None:
        """Have the scheduler take the first node before this one, or this one before the first."""
        self._kubernetes.patch("nodes", "", SECOND, {"spec": {"taints": _taints(shunned=node == FIRST)}})

    def clear(self, namespace: str = "") -> None:
        """Remove the pods that were put here: no kubelet confirms their end."""
        for pod in self._kubernetes.list("pods", namespace):
            if pod["spec"].get("nodeName") == SECOND:
                self._kubernetes.delete("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], now=True)

    def _is_open(self) -> bool:
        """Whether the taint is gone that a node has until it is seen to be ready."""
        node = self._kubernetes.get("nodes", "", SECOND) or {}
        return [taint["key"] for taint in node["spec"].get("taints", [])] == [MARK]

    def _live(self) -> None:
        while not self._stopping.wait(_RENEW_S):
            with suppress(Refused):
                self._kubernetes.call("PATCH", f"{_LEASES}/{SECOND}", {"spec": self._lease()})

    @staticmethod
    def _lease() -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"holderIdentity": SECOND, "leaseDurationSeconds": 40, "renewTime": now}

    def _remove(self) -> None:
        self.clear()
        self._kubernetes.delete("nodes", "", SECOND)
        with suppress(Refused):
            self._kubernetes.call("DELETE", f"{_LEASES}/{SECOND}")


def _node() -> Object:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "by the tests"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": SECOND, "labels": {"kubernetes.io/hostname": SECOND, MARK: "true"}},
        "spec": {"taints": _taints(shunned=False)},
        "status": {
            "capacity": _SIZE,
            "allocatable": _SIZE,
            "conditions": [{**ready, "lastHeartbeatTime": now, "lastTransitionTime": now}],
        },
    }


def _taints(*, shunned: bool) -> list[Object]:
    closed = {"key": MARK, "value": "scheduling", "effect": "NoSchedule"}
    last_choice = {"key": f"{MARK}/shunned", "effect": "PreferNoSchedule"}
    return [closed, last_choice] if shunned else [closed]
