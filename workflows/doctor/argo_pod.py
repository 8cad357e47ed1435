"""A pod of a phase as Argo's controller builds it: `init`, `wait` and `main`.

Source: Argo 4.1.2, workflow/controller/workflowpod.go. Only what admission can judge is here. Environment, arguments,
owner and affinity are left out. Volumes of claims and Secrets are left out too. These may be missing now, and admission
does not ask for them. A controller with the setting `initlessPod` builds other pods.
"""

import json
import re
from typing import Any, NamedTuple

from steps.kubernetes.kinds import Object
from steps.kubernetes.workflow import WORKFLOW_LABEL
from workflows.rendering import document

EXECUTOR_IMAGE = "quay.io/argoproj/argoexec:v4.1.2"  # workflow/controller/config.go, executorImage
RESTRICTED: Object = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_TAG = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_ANY = "any"  # in place of a tag; valid as a name, a label and a path
_COMPLETED = "workflows.argoproj.io/completed"
_MAIN_CONTAINER = {"kubectl.kubernetes.io/default-container": "main"}
_ARGO = "/var/run/argo"
_DEADLINE_S = 900  # every pod has a deadline, and a quota may count only such pods (scope Terminating)


class Executor(NamedTuple):
    """The settings of Argo's controller for its own containers."""

    security: Object | None = None
    resources: Object | None = None
    image: str = EXECUTOR_IMAGE


def build(workflow: Object, template: Object, executor: Executor, name: str) -> Object:
    """Return the pod of one container template. `workflow`: the spec of its WorkflowTemplate."""
    template, workflow = _untagged(template), _untagged({**workflow, "templates": []})
    main, volumes = _main(template)
    wait = _of_argo("wait", executor)
    wait["volumeMounts"] += [
        {"name": each["name"], "mountPath": "/mainctrfs" + each["mountPath"]} for each in main["volumeMounts"][:-1]
    ]
    spec = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": _DEADLINE_S,
        "imagePullSecrets": workflow.get("imagePullSecrets"),
        "serviceAccountName": template.get("serviceAccountName") or workflow.get("serviceAccountName"),
        "initContainers": [_of_argo("init", executor)],
        "containers": [wait, main],
        "volumes": [*({"name": each, "emptyDir": {}} for each in ("var-run-argo", "tmp-dir-argo")), *volumes],
        "nodeSelector": template.get("nodeSelector") or workflow.get("nodeSelector"),
        "tolerations": template.get("tolerations") or workflow.get("tolerations"),
        "priorityClassName": template.get("priorityClassName") or workflow.get("podPriorityClassName"),
        "securityContext": template.get("securityContext") or workflow.get("securityContext"),
    }
    for patch in (workflow.get("podSpecPatch"), template.get("podSpecPatch")):
        spec = merge(spec, document.read_plain(patch or "{}")[0])
    told = {key: value for key, value in spec.items() if value is not None}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(workflow, template, name), "spec": told}


def merge(target: Any, patch: Any) -> Any:
    """Merge a patch into a part of a pod: maps by key, lists of named items by name, anything else is replaced."""
    if isinstance(target, dict) and isinstance(patch, dict):
        return {**target, **{key: merge(target.get(key), value) for key, value in patch.items()}}
    if _are_named(target) and _are_named(patch):
        theirs = {each["name"]: each for each in patch}
        mine = [merge(each, theirs.pop(each["name"], {})) for each in target]
        return [*mine, *theirs.values()]
    return patch


def _are_named(items: Any) -> bool:
    return isinstance(items, list) and all(isinstance(each, dict) and "name" in each for each in items)


def _main(template: Object) -> tuple[Object, list[Object]]:
    """Return the container of the phase, and its volumes without other objects."""
    container = template["container"]
    volumes = [each for each in template.get("volumes") or [] if "emptyDir" in each]
    names = {each["name"] for each in volumes}
    mounts = [each for each in container.get("volumeMounts") or [] if each["name"] in names]
    kept = {key: value for key, value in container.items() if key not in {"args", "env"}}
    command = [f"{_ARGO}/argoexec", "emissary", "--", *container.get("command", [])]
    return {**kept, "name": "main", "command": command, "volumeMounts": [*mounts, _argo_mount()]}, volumes


def _of_argo(name: str, executor: Executor) -> Object:
    """Return the container `init` or `wait`."""
    tmp = {"name": "tmp-dir-argo", "mountPath": "/tmp", "subPath": "0"}  # noqa: S108  an emptyDir
    own = {"securityContext": executor.security, "resources": executor.resources}
    return {
        "name": name,
        "image": executor.image,
        "command": ["argoexec", name],
        "volumeMounts": [*([] if name == "init" else [tmp]), _argo_mount()],
        **{key: value for key, value in own.items() if value},
    }


def _argo_mount() -> Object:
    return {"name": "var-run-argo", "mountPath": _ARGO}


def _metadata(workflow: Object, template: Object, name: str) -> Object:
    given: list[Object] = [workflow.get("podMetadata") or {}, template.get("metadata") or {}]
    labels, annotations = {WORKFLOW_LABEL: name, _COMPLETED: "false"}, dict(_MAIN_CONTAINER)
    for each in given:
        labels |= each.get("labels") or {}
        annotations |= each.get("annotations") or {}
    return {"name": name, "labels": labels, "annotations": annotations}


def _untagged(part: Object) -> Object:
    """Replace the tags of Argo by a harmless word."""
    found: Object = json.loads(_TAG.sub(_ANY, json.dumps(part)))
    return found
