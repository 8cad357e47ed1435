"""One small Workflow shows that the controller runs Workflows here, and that the image can be pulled.

Its pod is made as those of the phases are, and prints the help of the image. Afterwards the Workflow and its pods are
removed. If this process is killed first, Argo removes the Workflow by its deadline and its `ttlStrategy`. An archive of
Workflows keeps its record.
"""

import uuid
from collections.abc import Iterator
from time import monotonic

from steps import errors
from steps.kubernetes import events, fields
from steps.kubernetes.kinds import POD, Object
from steps.process import interruption
from workflows import verify
from workflows.doctor import pods, unstarted
from workflows.doctor.finding import Finding, Patient, State, refused
from workflows.doctor.run import Run, workflow_of

CONTROLLER = "Start of a Workflow"
POD_START = "Start of a pod"
WAIT_S = 120.0
_LOOK_S = 1.0
_ASK = "Run `doctor --start`. It starts one small Workflow and removes it."
_EXECUTORS = ("init", "wait", "supervisor")  # supervisor: with Argo's setting `initlessPod`


def not_tried(_patient: Patient) -> Iterator[Finding]:
    """Start of a Workflow: the findings of a doctor that starts nothing."""
    yield Finding(
        State.NOT_TRIED, CONTROLLER, "Whether the controller runs the Workflows of this namespace is not known.", _ASK
    )
    yield Finding(State.NOT_TRIED, POD_START, "Whether the image can be pulled is not known.", _ASK)


def start(patient: Patient, wait_s: float = WAIT_S, look_s: float = _LOOK_S) -> Iterator[Finding]:
    """Run one small Workflow for at most `wait_s` seconds, and remove it, also after an error or Ctrl-C."""
    try:
        template, lacking = _template(patient)
    except errors.PhaseError as error:
        yield _refused(error)
        return
    if template is None:
        yield Finding(
            State.NOT_TRIED, POD_START, f"No Workflow was started, because {lacking}.", "Apply the manifests first."
        )
        return
    run = Run(patient.cluster, workflow_of(template, f"threescale-doctor-{uuid.uuid4().hex[:6]}", wait_s), look_s)
    try:
        found = list(_judged(run, wait_s, patient.argo.namespace))
    finally:
        with interruption.held_back():
            left = run.removed()
    yield from found
    if left:
        remedy = f"Remove it: kubectl -n {patient.namespace} delete {' '.join(left)}"
        yield Finding(State.WARNING, "Removal of the Workflow", f"These are still there: {', '.join(left)}.", remedy)


def _template(patient: Patient) -> tuple[Object | None, str]:
    """Return the WorkflowTemplate that the Workflow is made of, or what is missing."""
    template = next((each for each in pods.templates_of(patient) if each["metadata"]["name"] == verify.NAME), None)
    if template is None:
        return None, f"there is no WorkflowTemplate {verify.NAME}"
    account = template["spec"].get("serviceAccountName", "default")
    if not pods.has_account(patient.cluster, account):
        return None, f"the service account {account} does not exist yet"
    return template, ""


def _refused(error: errors.PhaseError) -> Finding:
    if isinstance(error, errors.NotAllowed):
        return refused(CONTROLLER, [error])
    return Finding(State.ERROR, CONTROLLER, str(error))


def _judged(run: Run, wait_s: float, argo: str) -> Iterator[Finding]:
    """Create the Workflow, wait for its end, and yield what was seen."""
    began = monotonic()
    try:
        run.create()
        seen = run.end(wait_s)
    except errors.PhaseError as error:
        yield _refused(error)
        return
    if not fields.phase(seen):
        yield _untouched(wait_s)
        return
    yield Finding(State.OK, CONTROLLER, "The controller runs the Workflows of this namespace.")
    if fields.phase(seen) == "Succeeded":
        told = f"The image was pulled, and a Workflow ran in {monotonic() - began:.0f} s{_version(run.pod)}."
        yield Finding(State.OK, POD_START, told)
    else:
        yield _trouble(run, seen, wait_s, argo)


def _untouched(wait_s: float) -> Finding:
    told = (
        f"Nothing happened to a Workflow within {wait_s:.0f} s. The controller is down, does not watch this namespace, "
        "or has another instanceID."
    )
    remedy = "Check that the controller runs. Set argo.instanceID to the `instanceID` of its settings."
    return Finding(State.ERROR, CONTROLLER, told, remedy)


def _trouble(run: Run, seen: Object, wait_s: float, argo: str) -> Finding:
    """Return why the Workflow has not succeeded: its pod waits, or its own message says why."""
    phase, said = fields.phase(seen), _message(seen)
    ended = phase in {"Failed", "Error"}
    why = unstarted.why(run.pod) if run.pod else None
    if why:
        told = f"Pod {run.pod['metadata']['name']}, {why.told}."
        return Finding(State.ERROR, POD_START, told, why.remedy or pods.remedy(why.told, argo))
    how = f"A Workflow ended as {phase}" if ended else f"A Workflow did not end within {wait_s:.0f} s"
    told = said or _event(run) or "neither Argo nor Kubernetes reports a reason"
    return Finding(State.ERROR, POD_START, f"{how}: {told}.", pods.remedy(told, argo))


def _message(workflow: Object) -> str:
    """Return Argo's message about the Workflow, or about its pod."""
    status = workflow.get("status") or {}
    nodes = (status.get("nodes") or {}).values()
    return str(status.get("message") or next((each["message"] for each in nodes if each.get("message")), ""))


def _event(run: Run) -> str:
    """Return the last event of the pod, empty if there is none or it may not be read."""
    if not run.pod:
        return ""
    metadata = run.pod["metadata"]
    try:
        return str(events.last(run.cluster, POD.name, metadata["name"], metadata["uid"]) or "")
    except errors.PhaseError:
        return ""


def _version(pod: Object) -> str:
    """Return a clause with the version of Argo, by the image of its own containers."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    image = next((str(each.get("image", "")) for each in containers if each["name"] in _EXECUTORS), "")
    name, _, tag = image.rpartition(":")
    return f" by Argo {tag}" if name and "@" not in image and "/" not in tag else f" with {image}" if image else ""
