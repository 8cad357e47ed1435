"""Argo Workflows: its kinds, its version, and how often its controller looks at a workflow."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from steps.kubernetes import fields
from steps.kubernetes.kinds import CRON_WORKFLOW, DEPLOYMENT, TASK_RESULT, WORKFLOW, WORKFLOW_TEMPLATE, Object
from workflows.doctor.finding import Examination, Finding, Patient, State

CONTROLLER = "workflow-controller"  # Deployment, container and image (Argo, manifests/base/workflow-controller)
# The first version of each minor that hands over the arguments as a text that the phases read
FIRST_OF = {(4, 0): 10, (4, 1): 2}
SUPPORTED = "4.0.10 or later of 4.0, or 4.1.2 or later"

_KINDS = (WORKFLOW, WORKFLOW_TEMPLATE, CRON_WORKFLOW, TASK_RESULT)
_IMAGE = re.compile(rf"(?:[^@]*/)?{CONTROLLER}:v?(\d+)\.(\d+)\.(\d+)(?:@[^@]+)?")
_REQUEUE = "DEFAULT_REQUEUE_TIME"  # Argo, docs/environment-variables.md; 10s by default

_NAMESPACED, _MANAGED = "--namespaced", "--managed-namespace"  # Argo, cmd/workflow-controller


def kinds(patient: Patient) -> Iterator[Finding]:
    """Argo's kinds: they exist if Argo Workflows is installed."""
    what = "Argo's kinds"
    missing = [each.name for each in _KINDS if not patient.cluster.serves(each)]
    if missing:
        told = f"The cluster has no kind {', '.join(missing)} of argoproj.io/v1alpha1."
        yield Finding(State.ERROR, what, told, f"Install Argo Workflows, version {SUPPORTED}.")
    else:
        yield Finding(State.OK, what, "The cluster has all kinds of Argo Workflows.")


def controller(patient: Patient) -> Iterator[Finding]:
    """Argo's controller: its version, and how often it looks at a workflow."""
    namespace = patient.argo.namespace
    found = patient.at(namespace).get(DEPLOYMENT, CONTROLLER)
    if found is None:
        told = f"Namespace {namespace} has no Deployment {CONTROLLER}, so its version and settings are not known."
        yield Finding(State.WARNING, "Argo's controller", told, _where(patient))
        return
    container = _container(found)
    yield _version(str(container.get("image", "")))
    yield _requeue(namespace, container)
    yield from _watched(patient, container)


def _where(patient: Patient) -> str:
    if patient.installation is None:
        return "Write a file with the controller's namespace in the field argo.namespace, and use doctor -f FILE."
    return f"Write the controller's namespace into the field argo.namespace of {patient.file}."


def _container(deployment: Object) -> dict[str, Any]:
    """Return the controller's container, the first one if none has its name."""
    containers = fields.at(deployment, "spec", "template", "spec", "containers") or [{}]
    return next((each for each in containers if each.get("name") == CONTROLLER), containers[0])


def _version(image: str) -> Finding:
    what, known = "Argo's version", _IMAGE.fullmatch(image)
    if not known:
        told = f"The version can't be told from the image {image}."
        return Finding(State.WARNING, what, told, f"Check that the version is {SUPPORTED}.")
    major, minor, patch = (int(part) for part in known.groups())
    version = f"{major}.{minor}.{patch}"
    is_supported = patch >= FIRST_OF.get((major, minor), 0) and (major, minor) >= min(FIRST_OF)
    if is_supported:
        return Finding(State.OK, what, f"The controller has version {version}.")
    told = f"The controller has version {version}. This tool needs {SUPPORTED}."
    return Finding(State.ERROR, what, told, "Upgrade Argo Workflows.")


def _requeue(namespace: str, container: dict[str, Any]) -> Finding:
    what = "Argo's pace"
    if found := next((each for each in container.get("env") or [] if each.get("name") == _REQUEUE), None):
        return Finding(State.OK, what, f"{_REQUEUE} is {found.get('value') or 'set'}.")
    return Finding(
        State.WARNING,
        what,
        f"{_REQUEUE} is not set, so each level of a workflow waits up to 10 s before it starts.",
        f"kubectl -n {namespace} set env deployment/{CONTROLLER} {_REQUEUE}=1s",
    )


def _watched(patient: Patient, container: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield an error if the controller runs the workflows of another namespace only."""
    words = [word for part in ("command", "args") for each in container.get(part) or [] for word in each.split("=", 1)]
    if _NAMESPACED not in words:
        return
    after = words.index(_MANAGED) + 1 if _MANAGED in words else len(words)
    watched = words[after] if after < len(words) else patient.argo.namespace
    if watched != patient.namespace:
        told = (
            f"The controller runs only the workflows of namespace {watched}, because it is started with {_NAMESPACED}."
        )
        remedy = f"Run a controller that watches namespace {patient.namespace}, and name it in argo.namespace."
        yield Finding(State.ERROR, "Argo's namespace", told, remedy)


EXAMINATIONS: tuple[Examination, ...] = (kinds, controller)
