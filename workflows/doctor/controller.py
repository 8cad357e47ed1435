"""The settings of Argo's controller, which its ConfigMap holds."""

from collections.abc import Iterator, Mapping
from typing import Any

from steps import errors
from steps.kubernetes import fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CONFIGMAP, NAMESPACE, SECURITY_CONSTRAINTS
from workflows.doctor.finding import Examination, Finding, Patient, State
from workflows.rendering import document
from workflows.rendering.pods import Resources

CONFIG = "workflow-controller-configmap"  # Argo, cmd/workflow-controller: the default of --configmap
_ENFORCE = "pod-security.kubernetes.io/enforce"
_RESTRICTED = "restricted"
# The command of docs/how-to/install.md. Argo reads the value as YAML only with its line break.
_PATCH = (
    "kubectl -n {namespace} patch configmap " + CONFIG + ' --type merge -p \'{{"data": {{"executor": "securityContext: '
    "{{runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}, "
    "seccompProfile: {{type: RuntimeDefault}}}}\\n\"}}}}'"
)


def settings(patient: Patient) -> Iterator[Finding]:
    """Argo's settings: instanceID, executor, and defaults of workflows."""
    namespace, what = patient.argo.namespace, "Argo's settings"
    try:
        config = read(patient.at(namespace))
    except (document.Error, document.BadTextError):
        told = f"ConfigMap {CONFIG} in namespace {namespace} is not valid YAML, so the controller can't read it."
        yield Finding(
            State.ERROR, what, told, "Correct the ConfigMap. A value of several fields ends with a line break."
        )
        return
    if config is None:
        told = f"Namespace {namespace} has no ConfigMap {CONFIG}, so the settings of the controller are not known."
        yield Finding(State.WARNING, what, told, "Check the field argo.namespace.")
        return
    yield _instance(patient, str(config.get("instanceID") or ""))
    yield _executor(patient, _map(config, "executor", "securityContext"))
    yield from _defaults(patient, config)


def patch(namespace: str) -> str:
    """Return the command that lets the controller's own containers run under Pod Security restricted."""
    return _PATCH.format(namespace=namespace)


def read(cluster: Cluster) -> dict[str, Any] | None:
    """Read the settings of the controller in a namespace. None if there is no ConfigMap.

    Raises:
        document.Error, document.BadTextError: the controller can't read them. Otherwise as `Cluster.get`.
    """
    found = cluster.get(CONFIGMAP, CONFIG)
    return None if found is None else parsed(found.get("data") or {})


def parsed(data: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings as the controller reads them (Argo, config/controller.go, parseConfigMap).

    Raises:
        document.Error, document.BadTextError: the controller can't read them.
    """
    text = data["config"] if "config" in data else "".join(_entry(name, value) for name, value in data.items())
    read = next(iter(document.read_plain(text)), None)
    if not isinstance(read, dict | None):
        raise document.BadTextError(CONFIG)
    return read or {}


def _entry(name: str, value: str) -> str:
    if "\n" not in value:
        return f"{name}: {value}\n"
    lines = value.strip("\n").split("\n")
    return "\n  ".join([f"{name}:", *lines]) + "\n"


def _map(config: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """Return the map at a path of keys, an empty one if there is none."""
    here: Any = config
    for key in path:
        here = here.get(key) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else {}


def _instance(patient: Patient, theirs: str) -> Finding:
    what, ours = "instanceID", patient.argo.instance_id
    if patient.installation is None and theirs:
        told = f"The controller runs only the workflows with instanceID {theirs}."
        return Finding(State.WARNING, what, told, f"Write the field argo.instanceID: {theirs} into your file.")
    if ours == theirs:
        return Finding(
            State.OK, what, f"It is {theirs}." if theirs else "The controller has none, and the file has none."
        )
    told = (
        f"The controller runs only the workflows with instanceID {theirs}, and the file has {ours or 'none'}."
        if theirs
        else f"The controller has none, and the file has {ours}, so the controller runs none of the workflows."
    )
    remedy = f"Set the field argo.instanceID to {theirs}" if theirs else "Remove the field argo.instanceID"
    return Finding(State.ERROR, what, told, f"{remedy} in {patient.file}. Then: {patient.apply}")


def _executor(patient: Patient, context: Mapping[str, Any]) -> Finding:
    what = "Argo's executor"
    lacking = _lacking(context)
    if not lacking:
        return Finding(State.OK, what, "Its containers may run in namespaces that enforce Pod Security restricted.")
    command = patch(patient.argo.namespace)
    remedy = f"This replaces the key executor, so add the settings that it has now: {command}"
    told = f"Pod Security restricted refuses its containers, because its securityContext lacks {', '.join(lacking)}."
    enforced = _enforced(patient)
    if enforced is None:
        unknown = "You are not allowed to ask whether the namespace enforces restricted."
        return Finding(State.WARNING, what, f"{told} {unknown}", remedy)
    if enforced != _RESTRICTED:
        return Finding(State.OK, what, f"Namespace {patient.namespace} does not enforce Pod Security restricted.")
    if patient.cluster.serves(SECURITY_CONSTRAINTS):
        return Finding(State.OK, what, "OpenShift fills in what Pod Security restricted asks for.")
    return Finding(State.ERROR, what, f"Namespace {patient.namespace} enforces restricted. {told}", remedy)


def _lacking(context: Mapping[str, Any]) -> list[str]:
    """Return what restricted asks of a container and the setting lacks.

    The pods of the phases set runAsNonRoot and seccompProfile themselves, so these may be absent, but not weaker.
    """
    dropped = _map(context, "capabilities").get("drop")
    profile = _map(context, "seccompProfile").get("type")
    wanted = {
        "runAsNonRoot: true": context.get("runAsNonRoot") is not False,
        "allowPrivilegeEscalation: false": context.get("allowPrivilegeEscalation") is False,
        "capabilities: {drop: [ALL]}": isinstance(dropped, list) and "ALL" in dropped,
        "seccompProfile: {type: RuntimeDefault}": profile in {None, "RuntimeDefault", "Localhost"},
    }
    return [told for told, is_met in wanted.items() if not is_met]


def _enforced(patient: Patient) -> str | None:
    """Return the level of Pod Security that the namespace enforces, None if it may not be read."""
    try:
        found = patient.cluster.get(NAMESPACE, patient.namespace)
    except errors.NotAllowed:
        return None
    return fields.label(found, _ENFORCE) if found else ""


def _defaults(patient: Patient, config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what the settings change in each workflow."""
    if _map(config, "workflowDefaults", "spec").get("automountServiceAccountToken") is False:
        told = "The controller takes the token away by default. The templates ask for it, so their pods have it."
        yield Finding(State.OK, "Token of the pods", told)
    initless = config.get("initlessPod")
    enabled = initless.get("enabled") if isinstance(initless, dict) else initless
    if enabled and any(each.executor_resources != Resources() for each in patient.pods.all_needs):
        told = "initlessPod is enabled, so pods have no container init or wait, and pods.executorResources names them."
        yield Finding(State.WARNING, "initlessPod", told, f"Remove executorResources from {patient.file}.")
    for name, where in (("parallelism", ""), ("namespaceParallelism", " of a namespace")):
        if limit := config.get(name):
            yield Finding(State.OK, name, f"The controller runs at most {limit} workflows{where} at the same time.")


EXAMINATIONS: tuple[Examination, ...] = (settings,)
