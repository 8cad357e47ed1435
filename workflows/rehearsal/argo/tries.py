"""How a node with a container becomes pods, one for each try, until a try succeeds or no further try is allowed."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from workflows.rehearsal.argo import nodes, retry_strategy, tags
from workflows.rehearsal.argo.nodes import Attempt, Node, Phase
from workflows.rehearsal.argo.scope import Scope, Subject
from workflows.rehearsal.kubelet.limits import Limit
from workflows.rehearsal.kubelet.pod import Order, Pods

_POLL_S: Final = 0.01
_OF_THE_POD: Final = ("affinity", "securityContext")  # what the manifests set there and a machine can't play


class Ledger(Protocol):
    """Records the state of nodes, and knows the time in the workflow."""

    time_scale: float

    def record(self, node: Node) -> Node:
        """Keep the newest state of a node and report it."""

    def now_s(self) -> float:
        """Return the time since the workflow started."""


class Tries:
    """Runs the container templates of one workflow."""

    def __init__(self, subject: Subject, pods: Pods, scope: Scope, ledger: Ledger) -> None:
        self._subject = subject
        self._pods = pods
        self._scope = scope
        self._ledger = ledger

    def run(self, template: dict[str, Any], node: Node, limit: Limit) -> Node:
        """Try a container template until it succeeds or its strategy allows no further try."""
        values = self._scope.values(node)
        where = f"template {template['name']}"
        strategy = template.pop("retryStrategy", None)
        if strategy is None:
            attempt = self._try(template, node, values, limit)
            return self._settle(node, (attempt,), attempt.phase, attempt.message, template)
        strategy = tags.substitute(strategy, values, where)
        node = replace(node, retried=True)
        attempts: tuple[Attempt, ...] = ()
        while True:
            attempts += (self._try(template, replace(node, attempts=attempts), values, limit),)
            last = attempts[-1]
            if last.phase == "Succeeded":
                return self._settle(node, attempts, "Succeeded", "", template)
            message = self._after_failure(strategy, replace(node, attempts=attempts), limit, where)
            if message is not None:
                return self._settle(node, attempts, last.phase, message, template)

    def _after_failure(self, strategy: Mapping[str, Any], node: Node, limit: Limit, where: str) -> str | None:
        """Wait the back-off. Return the last message, or None if another try follows."""
        wait_s = retry_strategy.backoff_s(strategy, len(node.attempts))
        if wait_s and not limit.reason():
            self._ledger.record(replace(node, phase="Running", message=f"Backoff for {wait_s:g} seconds"))
            until = time.monotonic() + wait_s * self._ledger.time_scale
            while time.monotonic() < until and not limit.reason():
                time.sleep(min(_POLL_S, wait_s * self._ledger.time_scale))
        if limit.reason():
            return f"retry exceeded workflow deadline ({limit.reason()})"
        return retry_strategy.verdict(strategy, node.attempts[-1], len(node.attempts), where)

    def _try(self, template: Mapping[str, Any], node: Node, values: tags.Values, limit: Limit) -> Attempt:
        number = len(node.attempts)
        path = f"{node.path}({number})" if node.retried else node.path
        pod = nodes.pod_name(self._subject.name, path, node.template)
        mine = {**values, "pod.name": pod} | ({"retries": str(number)} if node.retried else {})
        order = self._order(tags.substitute(template, mine, f"template {node.template}"), node, path, pod)
        started = self._ledger.now_s()

        def tell(phase: Phase, message: str) -> None:
            self._ledger.record(replace(node, phase=phase, message=message))

        tell("Pending", "")
        ending = self._pods.run(order, limit, tell)
        return Attempt(
            number, pod, ending.phase, ending.message, ending.exit_code, ending.outputs, ending.log,
            started, self._ledger.now_s() - started,
        )  # fmt: skip

    def _order(self, template: Mapping[str, Any], node: Node, path: str, pod: str) -> Order:
        kept = {key: self._subject.spec[key] for key in _OF_THE_POD if key in self._subject.spec}
        spec = tags.substitute(kept, self._scope.values(), "workflow spec")
        timeout_s = self._scaled(template.get("timeout"))
        account = template.get("serviceAccountName") or self._subject.spec.get("serviceAccountName") or "default"
        return Order(
            workflow=self._subject.name,
            path=path,
            pod=pod,
            node=node.name,
            node_id=nodes.node_id(self._subject.name, path),
            template=template,
            volumes=tuple(template.get("volumes", [])),
            service_account=account,
            pod_fields={key: value for key in _OF_THE_POD if (value := template.get(key, spec.get(key)))},
            timeout_s=timeout_s,
            # The controller checks the node of the template. With retries, that node is never Pending.
            pending_timeout_s=None if node.retried else timeout_s,
        )

    def _settle(
        self, node: Node, attempts: tuple[Attempt, ...], phase: Phase, message: str, template: Mapping[str, Any]
    ) -> Node:
        node = replace(node, phase=phase, message=message, attempts=attempts, outputs=attempts[-1].outputs)
        self._scope.publish(node, template)
        return self._ledger.record(node)

    def _scaled(self, duration: str | None) -> float | None:
        return None if not duration else retry_strategy.duration_s(duration) * self._ledger.time_scale
