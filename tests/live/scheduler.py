"""Has the scheduler of a real cluster decide about pods that are made from the rendered templates.

Only a toleration is added to them, for the second node's taint. They never run: their image is nowhere.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.live.kubernetes import NotInTime, Object, until
from tests.live.pods import LOCKED
from tests.live.second_node import TOLERATION, SecondNode
from tests.live.stage import Stage
from workflows.manifests import render
from workflows.rehearsal.argo.engine import Engine
from workflows.rehearsal.kubelet.endings import Ending, PodPhase
from workflows.rehearsal.kubelet.limits import Limit
from workflows.rehearsal.kubelet.pod import Order

NO_IMAGE: Final = "localhost/threescale-backup/nowhere:1"
UNSCHEDULABLE: Final = "Unschedulable"
_DECISION_S: Final = 20.0


class Scheduler:
    """Places the pods of one namespace, on two nodes."""

    def __init__(self, stage: Stage, second: SecondNode, folder: Path) -> None:
        self._stage = stage
        self._kubernetes = stage.kubernetes
        self._second = second
        self._folder = folder

    def orders(self, template: str, told: Mapping[str, Mapping[str, str]], **parameters: str) -> dict[str, Order]:
        """Run through a workflow and return the pods that it orders, by phase; `told` is what phases tell the next."""
        recorder = _Recorder(told)
        engine = Engine(_NoCluster(), self._folder, namespace=self._stage.namespace, pods=recorder)
        for manifest in render(self._stage.settings):
            if manifest["kind"] == "WorkflowTemplate":
                engine.apply(manifest)
        ended = engine.submit(template, {name.replace("_", "-"): value for name, value in parameters.items()})
        assert ended.phase == "Succeeded", ended.failures
        return recorder.orders

    def prefer(self, node: str) -> None:
        """Have the scheduler take one node wherever it is free to choose, and see that it does."""
        self._second.prefer(node)
        until(f"a pod that is free to choose, on {node}", lambda: self._choice() == node, _DECISION_S)

    def place(self, *orders: Order) -> set[str]:
        """Have pods scheduled, asked for all at once, and leave them there; return the nodes that they got."""
        for order in orders:
            self._create(self._stage.pods.pod(order))
        return {self._node_of(order.pod) for order in orders}

    def refusal(self, order: Order) -> str:
        """Have a pod scheduled that can't be; return the scheduler's words."""
        self._create(self._stage.pods.pod(order))
        message: str = until(f"a refusal of {order.pod}", lambda: self._why_not(order.pod), _DECISION_S)
        return message

    def end(self, *orders: Order) -> None:
        """Remove pods, as if they had run to their end."""
        for order in orders:
            self._remove(order.pod)

    def put(self, name: str, node: str, claim: str) -> None:
        """Put a pod of somebody else's on a node, with a claim mounted; the scheduler is not asked."""
        volume = {"name": "storage", "persistentVolumeClaim": {"claimName": claim}}
        self._create(self._foreign_pod(name, nodeName=node, volumes=[volume]))

    def _choice(self) -> str:
        """Tell where a pod goes that is like a phase's, but for affinity and volumes."""
        self._create(self._foreign_pod("free-to-choose"))
        try:
            return self._node_of("free-to-choose")
        finally:
            self._remove("free-to-choose")

    def _foreign_pod(self, name: str, **spec: object) -> Object:
        container = {"name": "main", "image": NO_IMAGE, "securityContext": LOCKED}
        security = self._stage.installation.security
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": self._stage.namespace},
            "spec": {"containers": [container], "securityContext": security, **spec},
        }

    def _create(self, pod: Object) -> None:
        pod["spec"]["tolerations"] = [TOLERATION]
        self._kubernetes.create(pod)

    def _node_of(self, pod: str) -> str:
        try:
            node: str = until(f"a node for {pod}", lambda: self._pod(pod)["spec"].get("nodeName"), _DECISION_S)
        except NotInTime as late:
            raise NotInTime(f"{late}: {self._why_not(pod)}") from late
        return node

    def _why_not(self, pod: str) -> str:
        conditions = self._pod(pod).get("status", {}).get("conditions", [])
        said = [c["message"] for c in conditions if c["type"] == "PodScheduled" and c.get("reason") == UNSCHEDULABLE]
        return said[0] if said else ""

    def _pod(self, name: str) -> Object:
        return self._kubernetes.get("pods", self._stage.namespace, name) or {"spec": {}}

    def _remove(self, pod: str) -> None:
        self._kubernetes.delete("pods", self._stage.namespace, pod, now=True)
        until(f"the end of pod {pod}", lambda: "metadata" not in self._pod(pod), _DECISION_S)


class _Recorder:
    """Takes orders and says that all is done."""

    def __init__(self, told: Mapping[str, Mapping[str, str]]) -> None:
        self._told = told
        self.orders: dict[str, Order] = {}

    def run(self, order: Order, limit: Limit, tell: Callable[[PodPhase, str], None]) -> Ending:  # noqa: ARG002  a port
        self.orders[order.node] = order
        declared = [parameter["name"] for parameter in order.template.get("outputs", {}).get("parameters", [])]
        outputs = dict.fromkeys(declared, "said") | dict(self._told.get(order.node, {}))
        return Ending("Succeeded", exit_code=0, outputs=outputs)


class _NoCluster:
    """Keeps nothing: a workflow that is only run through leaves nothing behind."""

    def kubeconfig(self, path: Path, *, namespace: str, service_account: str | None = None) -> Path:
        raise NotImplementedError

    def get(self, resource: str, namespace: str, name: str) -> Object | None:  # noqa: ARG002  a port
        return None

    def apply(self, obj: Object) -> Object:
        return obj

    def delete(self, resource: str, namespace: str, name: str) -> None:
        raise NotImplementedError
