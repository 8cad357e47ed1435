"""What the file says that pods need, and what no dry run asks: a node that takes them, and their pull Secrets."""

from collections.abc import Iterator, Mapping
from typing import Any

from steps.kubernetes import fields
from steps.kubernetes.kinds import NODE, SECRET, Object
from workflows.configuration import checks
from workflows.doctor.finding import Examination, Finding, Patient, State
from workflows.rendering.pods import PodNeeds, Pods, Toleration

_SHOWN = 3  # nodes that a line names
_KEEPS_AWAY = ("NoSchedule", "NoExecute")  # effects of taints; PreferNoSchedule takes a pod where it must


def nodes(patient: Patient) -> Iterator[Finding]:
    """Nodes for the pods: their labels and taints."""
    found = patient.cluster.list(NODE)
    for phases, needs in _distinct(patient.pods):
        refusals = {each["metadata"]["name"]: ", ".join(_refuses(each, needs)) for each in found}
        fits = [name for name, why in refusals.items() if not why]
        if fits:
            yield Finding(State.OK, f"Nodes for {phases}", f"{len(fits)} of {len(found)} nodes take the pods.")
        else:
            shown = [f"{name} {why}" for name, why in refusals.items()][:_SHOWN]
            told = f"None of {len(found)} nodes takes the pods: {'; '.join(shown)}."
            remedy = "Set pods.tolerations for the taints of nodes, and pods.nodeSelector to labels that a node has."
            yield Finding(State.ERROR, f"Nodes for {phases}", told, remedy)


def pull_secrets(patient: Patient) -> Iterator[Finding]:
    """Pull Secrets: they exist and hold credentials of a registry."""
    names = {each.name for needs in patient.pods.all_needs for each in needs.image_pull_secrets}
    for name in sorted(names):
        secret, what = patient.cluster.get(SECRET, name), f"Secret {name}"
        if secret is None:
            told = f"Namespace {patient.namespace} has no such Secret, and pods.imagePullSecrets names it."
            remedy = f"kubectl create secret docker-registry {name} -n {patient.namespace} --docker-server=HOST ..."
            yield Finding(State.ERROR, what, told, remedy)
        elif not str(secret.get("type")).startswith("kubernetes.io/dockerc"):
            told = f"It has the type {secret.get('type')}, so no node uses it to pull an image."
            yield Finding(State.ERROR, what, told, "Create it with kubectl create secret docker-registry.")
        else:
            yield Finding(State.OK, what, "It exists and holds credentials of a registry.")


def _distinct(pods: Pods) -> Iterator[tuple[str, PodNeeds]]:
    """Yield the needs of all phases, and of those phases that need another node."""
    usual = pods.of(())
    yield "the pods", usual
    for name, command in checks.phases().items():
        needs = pods.of(command)
        if (needs.node_selector, needs.tolerations) != (usual.node_selector, usual.tolerations):
            yield name, needs


def _refuses(node: Object, needs: PodNeeds) -> list[str]:
    """Return why a node takes no pod with these needs."""
    labels: Mapping[str, str] = node["metadata"].get("labels") or {}
    lacking = [f"{key}={value}" for key, value in needs.node_selector.items() if labels.get(key) != value]
    taints = [each for each in fields.at(node, "spec", "taints") or [] if each.get("effect") in _KEEPS_AWAY]
    kept_away = [each for each in taints if not any(_tolerates(one, each) for one in needs.tolerations)]
    return [
        *(["is closed for new pods"] if fields.at(node, "spec", "unschedulable") else []),
        *(f"has no label {each}" for each in lacking),
        *(f"has the taint {_taint(each)}" for each in kept_away),
    ]


def _tolerates(toleration: Toleration, taint: Mapping[str, Any]) -> bool:
    """Whether a toleration matches a taint (Kubernetes, core/v1 Toleration.ToleratesTaint)."""
    if toleration.effect and toleration.effect != taint.get("effect"):
        return False
    if toleration.key and toleration.key != taint.get("key"):
        return False
    return toleration.operator == "Exists" or toleration.value == (taint.get("value") or "")


def _taint(taint: Mapping[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


EXAMINATIONS: tuple[Examination, ...] = (nodes, pull_secrets)
