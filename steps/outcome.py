"""What a failed workflow has to say at its end: which phase failed, why, and what to do next.

A pod that never started has no last sentence of its own; for it the last event of the pod, or of a claim that waits for
its volume, tells.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from steps import errors, events
from steps.cluster import Cluster, Object
from steps.installation import CLAIM, POD

_OF_OTHERS = ("child ", "No more retries left", "retryStrategy.expression evaluated to false")
_EXIT_CODE = "(exit code "  # in the message of a container that ran
_WORKFLOW_LABEL = "workflows.argoproj.io/workflow"


class Failure(NamedTuple):
    """One failed node of a workflow."""

    phase: str
    message: str
    pod: str


def failures(text: str) -> list[Failure]:
    """Read `{{workflow.failures}}`: JSON inside a quoted string; the last failure of each phase, without its parents'.

    Raises:
        ValueError: it is not of that form.

    """
    found = json.loads(text)
    found = json.loads(found) if isinstance(found, str) else found
    nodes = sorted(found or [], key=lambda node: str(node.get("finishedAt") or ""))
    own = [node for node in nodes if node.get("message") and not str(node["message"]).startswith(_OF_OTHERS)]
    last = {node["templateName"]: node for node in own or nodes if node.get("templateName")}
    return [Failure(name, str(node.get("message", "")), str(node.get("podName", ""))) for name, node in last.items()]


def explain(cluster: Cluster, workflow: str, failed: Iterable[Failure], advice: str) -> str:
    """One sentence a failed phase, then the events of what never started, then the advice."""
    failed = list(failed)
    sentences = [f"{item.phase} failed: {item.message or 'no message'}" for item in failed]
    never_ran = {item.pod for item in failed if item.pod and _EXIT_CODE not in item.message}
    sentences += _waiting(cluster, workflow, never_ran)
    return "\n".join([*(sentences or [f"workflow {workflow} did not succeed"]), advice])


def _waiting(cluster: Cluster, workflow: str, pods: set[str]) -> list[str]:
    """What holds back the pods that never started; silent where the rights or the objects are gone."""
    try:
        mine = cluster.list(POD, f"{_WORKFLOW_LABEL}={workflow}")
        pending = [pod for pod in mine if (pod.get("status") or {}).get("phase") == "Pending"]
        names = {claim for pod in pending for claim in _claims(pod)}
        stuck = [(POD.name, name) for name in sorted({pod["metadata"]["name"] for pod in pending} | pods)]
        stuck += [(CLAIM.name, name) for name in sorted(names) if _unbound(cluster, name)]
        return [f"{kind} {name}: {event}" for kind, name in stuck if (event := events.last(cluster, kind, name))]
    except errors.PhaseError as error:
        return [f"no events to show: {error}"]


def _claims(pod: Object) -> list[str]:
    volumes = pod["spec"].get("volumes") or []
    return [item["persistentVolumeClaim"]["claimName"] for item in volumes if item.get("persistentVolumeClaim")]


def _unbound(cluster: Cluster, name: str) -> bool:
    claim = cluster.get(CLAIM, name)
    return claim is None or (claim.get("status") or {}).get("phase") != "Bound"
