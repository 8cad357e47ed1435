"""Argo under the hand of a person: through its `argo` where that is on the PATH, else as far as its API goes."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.live.kubernetes import Kubernetes, Object, until
from tests.live.stage import kebab

GROUP: Final = "argoproj.io"
API_VERSION: Final = f"{GROUP}/v1alpha1"
OF_WORKFLOW: Final = "workflows.argoproj.io/workflow"
NODE_NAME: Final = "workflows.argoproj.io/node-name"
ENDED: Final = ("Succeeded", "Failed", "Error")
WORKFLOW_S: Final = 240.0  # for a whole workflow
NODE_S: Final = 90.0  # for something to be seen of it
_COMMAND_S: Final = 60.0


@dataclass(frozen=True)
class Node:
    """One node of a workflow."""

    obj: Mapping[str, Any]

    @property
    def phase(self) -> str:
        return str(self.obj.get("phase", ""))

    @property
    def message(self) -> str:
        return str(self.obj.get("message", ""))

    @property
    def kind(self) -> str:
        return str(self.obj["type"])

    @property
    def exit_code(self) -> int | None:
        """Of its container; None where Argo does not know any."""
        code = self.obj.get("outputs", {}).get("exitCode")
        return None if code is None else int(code)

    @property
    def outputs(self) -> dict[str, str]:
        return _parameters(self.obj)

    @property
    def started(self) -> str:
        return str(self.obj["startedAt"])

    @property
    def finished(self) -> str:
        return str(self.obj["finishedAt"])


@dataclass(frozen=True)
class Workflow:
    """What a Workflow said of itself at one moment."""

    obj: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.obj["metadata"]["uid"])

    @property
    def status(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.obj.get("status") or {}
        return found

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    @property
    def message(self) -> str:
        return str(self.status.get("message", ""))

    @property
    def outputs(self) -> dict[str, str]:
        return _parameters(self.status)

    def node(self, display_name: str) -> Node:
        """Return the node that `argo get` shows under a name; the tries of a phase are called `NAME(0)` and so on."""
        return next(node for name, node in self._nodes() if name == display_name)

    def phase_of(self, display_name: str) -> str:
        """Return the phase of a node; empty while there is none."""
        return next((node.phase for name, node in self._nodes() if name == display_name), "")

    def tries(self, phase: str) -> list[Node]:
        """Return the tries of a phase, the first one first."""
        found = [(name, node) for name, node in self._nodes() if name.startswith(f"{phase}(")]
        return [node for _, node in sorted(found, key=lambda item: int(item[0].rpartition("(")[2].rstrip(")")))]

    def exit_codes(self, phase: str) -> list[int | None]:
        return [node.exit_code for node in self.tries(phase)]

    def failures(self) -> list[str]:
        """Say what failed, for the message of an assertion."""
        return [f"{name}: {node.phase}: {node.message}" for name, node in self._nodes() if node.phase in ENDED[1:]]

    def _nodes(self) -> Iterator[tuple[str, Node]]:
        for node in self.status.get("nodes", {}).values():
            yield node["displayName"], Node(node)


class Command:
    """The program `argo`, for one namespace."""

    def __init__(self, program: str, kubeconfig: Path, namespace: str, *more: str) -> None:
        self._program = program
        self._options = ["--kubeconfig", str(kubeconfig), "--namespace", namespace, *more]

    def __call__(self, *words: str) -> str:
        """Run a command and return what it prints."""
        done = subprocess.run(  # noqa: S603  words of these tests
            [self._program, *words, *self._options], capture_output=True, text=True, check=False, timeout=_COMMAND_S
        )
        assert done.returncode == 0, f"argo {' '.join(words)}: {done.stderr}"
        return done.stdout


class Argo:
    """Starts, watches and stops workflows in one namespace."""

    def __init__(self, kubernetes: Kubernetes, namespace: str, command: Command | None) -> None:
        self._kubernetes = kubernetes
        self._namespace = namespace
        self._command = command

    def submit(self, template: str, entrypoint: str = "", **parameters: str) -> str:
        """Start a workflow from a WorkflowTemplate and return its name; `claim_name` stands for `claim-name`."""
        given = kebab(parameters)
        if self._command:
            words = [word for key, value in given.items() for word in ("-p", f"{key}={value}")]
            words += ["--entrypoint", entrypoint] if entrypoint else []
            return self._command("submit", "--from", f"workflowtemplate/{template}", *words, "-o", "name").strip()
        spec: Object = {"workflowTemplateRef": {"name": template}} | ({"entrypoint": entrypoint} if entrypoint else {})
        spec |= {"arguments": {"parameters": [{"name": key, "value": value} for key, value in given.items()]}}
        metadata = {"generateName": f"{template}-", "namespace": self._namespace}
        created = self._kubernetes.create(
            {"apiVersion": API_VERSION, "kind": "Workflow", "metadata": metadata, "spec": spec}
        )
        return str(created["metadata"]["name"])

    def backup(self, **parameters: str) -> str:
        return self.submit("threescale-backup", **{"storage_request": "1Gi", **parameters})

    def restore(self, claim: str, **parameters: str) -> str:
        return self.submit("threescale-restore", claim_name=claim, **parameters)

    def get(self, name: str) -> Workflow:
        return Workflow(self._kubernetes.get("workflows", self._namespace, name) or {})

    def workflows(self) -> list[Workflow]:
        return [Workflow(obj) for obj in self._kubernetes.list("workflows", self._namespace)]

    def wait(self, name: str, timeout_s: float = WORKFLOW_S) -> Workflow:
        """Wait for the end of a workflow."""
        return self.wait_until(name, "its end", lambda workflow: workflow.phase in ENDED, timeout_s)

    def wait_until(self, name: str, what: str, seen: Callable[[Workflow], Any], timeout_s: float = NODE_S) -> Workflow:
        """Wait until something is seen of a workflow."""

        def look() -> Workflow | None:
            workflow = self.get(name)
            return workflow if seen(workflow) else None

        found: Workflow = until(f"workflow {name}: {what}", look, timeout_s)
        return found

    def pod(self, name: str, attempt: str) -> str:
        """Wait for the pod of a try, for instance `routes(0)`, and return its name."""

        def look() -> str | None:
            for pod in self._kubernetes.list("pods", self._namespace, f"{OF_WORKFLOW}={name}"):
                if pod["metadata"]["annotations"].get(NODE_NAME, "").endswith(f".{attempt}"):
                    return str(pod["metadata"]["name"])
            return None

        return str(until(f"pod of {attempt} of workflow {name}", look, NODE_S))

    def stop(self, name: str) -> None:
        """Stop a workflow; its exit handler still runs."""
        if self._command:
            self._command("stop", name)
        else:
            self._patch(name, {"shutdown": "Stop"})

    def suspend(self, name: str) -> None:
        """Let no further phase of a workflow begin; `argo suspend` does no more than this."""
        self._patch(name, {"suspend": True})

    def resume(self, name: str) -> None:
        self._patch(name, {"suspend": None})

    # --- what only the program can do ---

    def text(self, name: str) -> str:
        """Return what `argo get` shows."""
        return self._program("get", name)

    def retry(self, name: str) -> None:
        """Have the same workflow try again what failed."""
        self._program("retry", name)

    def approve(self, name: str) -> None:
        """Open the gate at which a workflow waits."""
        self._program("resume", name)

    def resubmit_memoized(self, name: str, **parameters: str) -> str:
        """Start a new workflow that takes over what succeeded in another, and return its name."""
        words = [word for key, value in kebab(parameters).items() for word in ("-p", f"{key}={value}")]
        return self._program("resubmit", name, "--memoized", *words, "-o", "name").strip()

    @property
    def _program(self) -> Command:
        assert self._command, "this test needs the fixture `program`"
        return self._command

    def _patch(self, name: str, spec: Object) -> None:
        self._kubernetes.patch("workflows", self._namespace, name, {"spec": spec})


def _parameters(holder: Mapping[str, Any]) -> dict[str, str]:
    found = (holder.get("outputs") or {}).get("parameters") or []
    return {parameter["name"]: str(parameter.get("value", "")) for parameter in found}
