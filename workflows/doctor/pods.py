"""Whether the server admits the pods of the phases, asked by dry runs. Nothing is created."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from steps import errors
from steps.contract.names import PART_OF_SELECTOR
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import POD, SERVICE_ACCOUNT, WORKFLOW_TEMPLATE, Object
from workflows.doctor import argo_pod, controller
from workflows.doctor.argo_pod import Executor
from workflows.doctor.finding import Examination, Finding, Patient, State, refused
from workflows.rendering import document
from workflows.rendering.settings import Argo

ADMITTED = (
    "The server admits them: admission, Pod Security, quota and LimitRange. Whether the image can be pulled is not "
    "known."
)
_SHOWN = 3  # phases that a line names
_ASSUMED = "Argo's settings can't be read, so its containers are assumed to fit Pod Security restricted."
_DEFAULT = "Some service accounts do not exist yet, so the pods were tried with the account default."
_WHAT = "Pods of the phases"
_FORM = re.compile(  # of the API server: plugin/pkg/admission of resourcequota, limitranger, priority, podsecurity
    r"(?P<quota>(exceeded|failed) quota: |(maximum|minimum) [-a-z./]+ usage per |[-a-z./]+ max limit to request ratio )"
    r"|(?P<priority>no PriorityClass with name )"
    r'|(?P<security>violates PodSecurity (?=.*"(init|wait)"))'
    r"|(?P<openshift>unable to validate against any security context constraint)"
    r"|(?P<account>error looking up service account )"
    r"|(?P<webhook>admission webhook |ValidatingAdmissionPolicy )",
    re.DOTALL,
)
_REMEDIES = {
    "quota": "Set pods.resources for the containers `main`, and pods.executorResources for `init` and `wait`. "
    "Or raise the limit.",
    "priority": "Correct pods.priorityClassName, or create the PriorityClass.",
    "openshift": "Leave out pods.runAsUser and pods.fsGroup, because OpenShift assigns both.",
    "account": "Apply the manifests that `threescale-backup manifests` renders.",
    "webhook": "Ask the owner of the policy. Labels and annotations of pods are set in pods.labels and "
    "pods.annotations.",
}


@dataclass
class Shape:
    """Pods that are the same to the server, and the phases that have such a pod."""

    pod: Object
    phases: list[str] = field(default_factory=list)

    @property
    def what(self) -> str:
        """The phases, shortened."""
        more = len(self.phases) - _SHOWN
        return f"Pods of {', '.join(self.phases[:_SHOWN])}" + (f" and {more} more" if more > 0 else "")


def admitted(patient: Patient) -> Iterator[Finding]:
    """Pods of the phases. The server is asked about each kind of pod by a dry run."""
    templates = templates_of(patient)
    if not templates:
        remedy = "Give the file of the installation with -f, or apply the manifests first."
        yield Finding(State.NOT_TRIED, _WHAT, "There are no WorkflowTemplates of this tool.", remedy)
        return
    executor, notes = executor_of(patient)
    missing = {name for name in _accounts(templates) if not has_account(patient.cluster, name)}
    if missing:
        notes.append(_DEFAULT)
    for shape in _shapes(templates, executor or Executor(argo_pod.RESTRICTED), missing, patient.argo):
        finding = _ask(patient.cluster, shape, patient.argo.namespace, notes)
        yield finding
        if finding.state == State.NOT_ALLOWED:
            return


def templates_of(patient: Patient) -> list[Object]:
    """Return the WorkflowTemplates that the file renders, or without a file those of the cluster."""
    if patient.installation:
        return [each for each in patient.rendered if each["kind"] == WORKFLOW_TEMPLATE.name]
    return patient.cluster.list(WORKFLOW_TEMPLATE, PART_OF_SELECTOR)


def has_account(cluster: Cluster, name: str) -> bool:
    """Return whether a service account exists. True also if it may not be read."""
    try:
        return cluster.get(SERVICE_ACCOUNT, name) is not None
    except errors.NotAllowed:
        return True


def executor_of(patient: Patient) -> tuple[Executor | None, list[str]]:
    """Return the controller's settings for its own containers. None, with a note, if they can't be read."""
    try:
        config = controller.read(patient.at(patient.argo.namespace))
    except (errors.NotAllowed, document.Error, document.BadTextError):
        config = None
    told = None if config is None else config.get("executor") or {}
    if not isinstance(told, dict):
        return None, [_ASSUMED]
    image = told.get("image") or argo_pod.EXECUTOR_IMAGE
    return Executor(told.get("securityContext"), told.get("resources"), image), []


def _accounts(templates: list[Object]) -> set[str]:
    parts = [part for each in templates for part in (each["spec"], *each["spec"].get("templates", []))]
    return {part["serviceAccountName"] for part in parts if part.get("serviceAccountName")}


def _shapes(templates: list[Object], executor: Executor, missing: set[str], argo: Argo) -> list[Shape]:
    """Return the distinct pods of all phases."""
    name = f"threescale-doctor-{uuid.uuid4().hex[:6]}"
    found: dict[str, Shape] = {}
    for each in templates:
        operation = each["metadata"]["name"].removeprefix("threescale-")
        for template in each["spec"].get("templates", []):
            if "container" not in template:
                continue
            pod = argo_pod.build(each["spec"], template, executor, name)
            pod["metadata"]["labels"] |= argo.labels
            if pod["spec"].get("serviceAccountName") in missing:
                pod["spec"]["serviceAccountName"] = "default"
            shape = found.setdefault(json.dumps(pod, sort_keys=True), Shape(pod))
            shape.phases.append(f"{operation}/{template['name']}")
    return list(found.values())


def _ask(cluster: Cluster, shape: Shape, argo: str, notes: list[str]) -> Finding:
    """Ask the server about one pod."""
    try:
        cluster.create(POD, shape.pod, dry_run=True)
    except errors.NotAllowed as error:
        return refused(_WHAT, [error])
    except errors.NoDryRun as error:
        return Finding(State.WARNING, shape.what, str(error))
    except (errors.QuotaExceeded, errors.Rejected) as error:
        told = " ".join([f"The server refuses them: {error.message}.", *notes])
        return Finding(State.ERROR, shape.what, told, remedy(error.message, argo))
    return Finding(State.OK, shape.what, " ".join([ADMITTED, *notes]))


def remedy(refusal: str, argo: str) -> str:
    """Return what a person can do about a refusal. `argo`: the namespace of Argo's controller."""
    found = _FORM.search(refusal)
    if found and found["security"]:
        return f"Tell Argo's controller how to run its own containers: {controller.patch(argo)}"
    return _REMEDIES[str(found.lastgroup)] if found else "Correct the cause, then run `doctor` again."


EXAMINATIONS: tuple[Examination, ...] = (admitted,)
