"""What a failed workflow has to say at its end: which phase failed, why, and what to do next.

A pod that never started has no last sentence of its own; for it the last event of the pod, or of a claim that waits for
its volume, tells.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from steps import claims, errors, events
from steps.cluster import Cluster, Object
from steps.installation import CLAIM, POD

REFUSED_ADVICE = "Nothing was done, and it counts as no failed run: submit it again with other arguments."
_OF_OTHERS = ("child ", "No more retries left", "retryStrategy.expression evaluated to false")
_FIELDS = ("templateName", "message", "podName", "finishedAt")  # of a node in workflow.failures
_EXIT_CODE = "(exit code "  # in the message of a container that ran


class Failure(NamedTuple):
    """One failed node of a workflow."""

    phase: str
    message: str
    pod: str

    @property
    def sentence(self) -> str:
        """What is said of it."""
        return self.message or "no message"


def failures(text: str) -> list[Failure]:
    """Read `{{workflow.failures}}`: JSON inside a quoted string; the last failure of each phase, without its parents'.

    A node of another form is passed over: the others tell what failed all the same.

    Raises:
        ValueError: it is not of that form.

    """
    try:
        found = json.loads(text)
        found = json.loads(found) if isinstance(found, str) else found
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(found, list | None):
        raise ValueError("it is no list")  # noqa: TRY004  what Argo says has another form, no caller is wrong
    nodes = [_node(each) for each in found or [] if isinstance(each, dict)]
    nodes.sort(key=lambda node: node["finishedAt"])
    own = [node for node in nodes if node["message"] and not node["message"].startswith(_OF_OTHERS)]
    last = {node["templateName"]: node for node in own or nodes if node["templateName"]}
    return [Failure(name, node["message"], node["podName"]) for name, node in last.items()]


def _node(found: Mapping[str, Any]) -> dict[str, str]:
    """What is read of a node, each on one line; a field of another form says nothing."""
    texts = {name: found.get(name) for name in _FIELDS}
    return {name: " ".join(_lines(text)) if isinstance(text, str) else "" for name, text in texts.items()}


def _lines(text: str) -> Iterable[str]:
    return (errors.printable(line.strip()) for line in text.splitlines())


def explain(workflow: str, failed: Iterable[Failure], held_back: Iterable[str], advice: str) -> str:
    """One sentence a failed phase, then what held back what never started, then the advice."""
    sentences = [*(f"{item.phase} failed: {item.sentence}" for item in failed), *held_back]
    return "\n".join([*(sentences or [f"workflow {workflow} did not succeed"]), advice])


def held_back(cluster: Cluster, workflow: str, failed: Iterable[Failure], own_pod: str) -> list[str]:
    """What holds back the pods that never started; silent where the rights or the objects are gone.

    The pod that asks is seen as Pending for a while, and is none of them.
    """
    pods = {item.pod for item in failed if item.pod and _EXIT_CODE not in item.message}
    try:
        mine = cluster.list(POD, f"{claims.WORKFLOW_LABEL}={workflow}")
        others = [pod for pod in mine if pod["metadata"]["name"] != own_pod]
        pending = [pod for pod in others if (pod.get("status") or {}).get("phase") == "Pending"]
        names = sorted({claim for pod in pending for claim in claims.of(pod)})
        started = {pod["metadata"]["name"] for pod in others if _started(pod)}
        stuck = [(POD.name, name, "") for name in sorted({pod["metadata"]["name"] for pod in pending} | pods - started)]
        stuck += [(CLAIM.name, name, _uid(claim)) for name in names if not _bound(claim := cluster.get(CLAIM, name))]
        found = [(kind, name, events.last(cluster, kind, name, uid)) for kind, name, uid in stuck]
        return [f"{kind} {name}: {event}" for kind, name, event in found if event]
    except errors.PhaseError as error:
        return [f"no events to show: {error}"]


def _started(pod: Object) -> bool:
    """Whether the phase itself ever ran; a stopped workflow's nodes don't tell."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    states = [item.get("state") or {} for item in statuses if item["name"] == "main"]
    return any(state.get("running") or (state.get("terminated") or {}).get("startedAt") for state in states)


def _bound(claim: Object | None) -> bool:
    return claim is not None and (claim.get("status") or {}).get("phase") == "Bound"


def _uid(claim: Object | None) -> str:
    return str(claim["metadata"]["uid"]) if claim else ""
