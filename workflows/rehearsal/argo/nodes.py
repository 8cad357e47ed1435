"""The visible state of a rehearsal: the workflow, its nodes, and each try of a node.

The names are computed as Argo computes them, because people copy names from one to the other. A node is named
`WORKFLOW.TASK`, and its second try `WORKFLOW.TASK(1)`. The name of a pod contains a hash of the name of its try.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from workflows.rehearsal.kubelet.endings import PodPhase

Phase = Literal[PodPhase, "Skipped", "Omitted"]

API: Final = "argoproj.io/v1alpha1"
LABEL: Final = "workflows.argoproj.io"
BROKEN: Final = ("Failed", "Error")
COMPLETED: Final = ("Succeeded", *BROKEN)
_FNV_OFFSET, _FNV_PRIME = 2166136261, 16777619  # http://www.isthe.com/chongo/tech/comp/fnv/, 32 bits


@dataclass(frozen=True)
class Attempt:
    """One pod of a node."""

    number: int
    pod: str
    phase: Phase
    message: str = ""
    exit_code: int | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    started_s: float = 0.0
    duration_s: float = 0.0


@dataclass(frozen=True)
class Node:
    """A task, the entrypoint or the exit handler. Times count from the start of its workflow."""

    name: str
    path: str
    template: str
    phase: Phase = "Pending"
    message: str = ""
    attempts: tuple[Attempt, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    started_s: float = 0.0
    duration_s: float = 0.0
    retried: bool = False

    @property
    def exit_code(self) -> int | None:
        """Return the exit code of the last try, when its process had one."""
        return self.attempts[-1].exit_code if self.attempts else None

    @property
    def log(self) -> str:
        """Return what all tries printed, one after the other."""
        return "".join(attempt.log for attempt in self.attempts)


@dataclass(frozen=True)
class Workflow:
    """An ended workflow. `nodes` are in the order of their starts."""

    name: str
    uid: str
    phase: Phase
    template: str
    message: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[Mapping[str, str], ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def node(self, name: str) -> Node:
        """Return the node with this name. The exit handler is `onExit`."""
        for node in self.nodes:
            if name in (node.name, node.path, node.path.removeprefix(f"{self.name}.")):
                return node
        raise LookupError(f"workflow {self.name} has no node {name!r}: {[node.name for node in self.nodes]}")


def fnv1(text: str) -> int:
    """Hash a name to 32 bits, as Go's `fnv.New32a` does."""
    value = _FNV_OFFSET
    for byte in text.encode():
        value = (value ^ byte) * _FNV_PRIME % 2**32
    return value


def node_id(workflow: str, path: str) -> str:
    """Name a node in `status.nodes`."""
    return workflow if path == workflow else f"{workflow}-{fnv1(path)}"


def pod_name(workflow: str, path: str, template: str) -> str:
    """Name the pod of a node, or of one try of it."""
    return workflow if path == workflow else f"{workflow}-{template}-{fnv1(path)}"


def failures(workflow: str, started: datetime, nodes: tuple[Node, ...]) -> tuple[Mapping[str, str], ...]:
    """List the failures as `{{workflow.failures}}` does.

    A retried node and each of its tries have entries of their own.
    """
    return tuple(
        entry for node in nodes for entry in _broken(workflow, started.timestamp(), node) if entry["phase"] in BROKEN
    )


def quoted_failures(entries: tuple[Mapping[str, str], ...]) -> str:
    """Write failures as the tag does: JSON inside a quoted string, or `null` without failures."""
    return json.dumps(json.dumps(list(entries) if entries else None, ensure_ascii=False), ensure_ascii=False)


def stamp(seconds: float) -> str:
    """Write a time as Kubernetes does."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tries(node: Node) -> tuple[Node, ...]:
    """Return the nodes that Argo keeps for each try below a retried node."""
    if not node.retried:
        return ()
    return tuple(
        Node(
            name=f"{node.name}({attempt.number})",
            path=f"{node.path}({attempt.number})",
            template=node.template,
            phase=attempt.phase,
            message=attempt.message,
            attempts=(attempt,),
            inputs=node.inputs,
            outputs=attempt.outputs,
            started_s=attempt.started_s,
            duration_s=attempt.duration_s,
        )
        for attempt in node.attempts
    )


def as_object(workflow: Workflow) -> dict[str, Any]:
    """Write a workflow as the object in the cluster."""
    parameters = [{"name": name, "value": value} for name, value in workflow.arguments.items()]
    outputs = [{"name": name, "value": value} for name, value in workflow.outputs.items()]
    every = [part for node in workflow.nodes for part in (node, *tries(node))]
    metadata = copy.deepcopy(dict(workflow.metadata))
    metadata["labels"][f"{LABEL}/phase"] = workflow.phase
    if workflow.phase in COMPLETED:
        metadata["labels"][f"{LABEL}/completed"] = "true"
    return {
        "apiVersion": API,
        "kind": "Workflow",
        "metadata": metadata,
        "spec": {
            "workflowTemplateRef": {"name": workflow.template},
            "entrypoint": workflow.spec["entrypoint"],
            "arguments": {"parameters": parameters},
        },
        "status": {
            "phase": workflow.phase,
            "message": workflow.message,
            "nodes": {node_id(workflow.name, node.path): _status(workflow.name, node) for node in every},
            "outputs": {"parameters": outputs},
        },
    }


def _status(workflow: str, node: Node) -> dict[str, Any]:
    return {
        "id": node_id(workflow, node.path),
        "name": node.path,
        "displayName": node.name,
        "templateName": node.template,
        "phase": node.phase,
        "message": node.message,
        "inputs": {"parameters": [{"name": name, "value": value} for name, value in node.inputs.items()]},
        "outputs": {
            "parameters": [{"name": name, "value": value} for name, value in node.outputs.items()],
            **({} if node.exit_code is None else {"exitCode": str(node.exit_code)}),
        },
    }


def _broken(workflow: str, started: float, node: Node) -> list[Mapping[str, str]]:
    return [
        {
            "displayName": part.name,
            "message": part.message,
            "templateName": part.template,
            "phase": part.phase,
            "podName": pod_name(workflow, part.path, part.template),
            "finishedAt": stamp(started + part.started_s + part.duration_s),
        }
        for part in (node, *tries(node))
    ]
