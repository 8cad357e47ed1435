"""The fields of manifests that the rehearsal plays, and the fields that it accepts without an effect.

A field in neither list is an error: a rehearsal that ignored a field would promise more than the cluster keeps. In the
tables, a dictionary holds the fields below a field, and a set only names fields.
"""

from typing import Any, Final

from workflows.rehearsal import errors

ANYTHING: Final = "anything"
NO_EFFECT: Final = ANYTHING  # of a field that means nothing without a cluster
PARAMETER: Final = {"name", "value", "enum", "description"}
METRICS: Final = {
    "prometheus": {
        "name": ANYTHING,
        "help": ANYTHING,
        "when": ANYTHING,
        "labels": {"key", "value"},
        "counter": {"value"},
        "gauge": {"value", "realtime"},
    }
}
VOLUME: Final = {
    "name": ANYTHING,
    "persistentVolumeClaim": {"claimName": ANYTHING, "readOnly": ANYTHING},
    "emptyDir": dict.fromkeys(("medium", "sizeLimit"), NO_EFFECT),
    "secret": {"secretName": ANYTHING, "optional": ANYTHING, "items": {"key", "path"}},
}
CONTAINER: Final = {
    "image": ANYTHING,
    "imagePullPolicy": NO_EFFECT,
    "command": ANYTHING,
    "args": ANYTHING,
    "volumeMounts": {"name", "mountPath", "readOnly"},
    "resources": NO_EFFECT,
    "securityContext": NO_EFFECT,
}
TASK: Final = {
    "name": ANYTHING,
    "template": ANYTHING,
    "depends": ANYTHING,
    "dependencies": ANYTHING,
    "continueOn": {"error", "failed"},
    "when": ANYTHING,
    "arguments": {"parameters": {"name", "value"}},
    "withParam": ANYTHING,
}
TEMPLATE: Final = {
    "name": ANYTHING,
    "container": CONTAINER,
    "dag": {"failFast": ANYTHING, "tasks": TASK},
    "failFast": ANYTHING,
    "metrics": METRICS,
    "inputs": {"parameters": PARAMETER},
    "parallelism": ANYTHING,
    "outputs": {
        "parameters": {"name": ANYTHING, "globalName": ANYTHING, "valueFrom": {"path", "default", "parameter"}}
    },
    "retryStrategy": {
        "limit": ANYTHING,
        "retryPolicy": ANYTHING,
        "expression": ANYTHING,
        "backoff": {"duration", "factor", "cap"},
    },
    "serviceAccountName": ANYTHING,
    "suspend": set[str](),
    "timeout": ANYTHING,
    "volumes": VOLUME,
    **dict.fromkeys(("affinity", "automountServiceAccountToken", "metadata", "nodeSelector"), NO_EFFECT),
    **dict.fromkeys(("podSpecPatch", "priorityClassName", "tolerations"), NO_EFFECT),
}
SPEC: Final = {
    "activeDeadlineSeconds": ANYTHING,
    "arguments": {"parameters": PARAMETER},
    "entrypoint": ANYTHING,
    "metrics": METRICS,
    "onExit": ANYTHING,
    "podGC": {"strategy", "deleteDelayDuration"},
    "serviceAccountName": ANYTHING,
    "templates": TEMPLATE,
    **dict.fromkeys(("affinity", "securityContext", "synchronization", "ttlStrategy"), NO_EFFECT),
    **dict.fromkeys(("imagePullSecrets", "parallelism"), NO_EFFECT),
    "workflowMetadata": {"labels"},
}
CRON: Final = {
    "workflowSpec": {
        "workflowTemplateRef": {"name"},
        "arguments": {"parameters": {"name", "value"}},
        "workflowMetadata": {"labels"},
    },
    "concurrencyPolicy": ANYTHING,
    **dict.fromkeys(("schedules", "startingDeadlineSeconds", "timezone"), NO_EFFECT),
    **dict.fromkeys(("failedJobsHistoryLimit", "successfulJobsHistoryLimit"), NO_EFFECT),
}
# Each needs a container: Argo's CRD refuses them on a DAG, or the rehearsal does not play them there.
ONLY_WITH_CONTAINER: Final = ("timeout", "retryStrategy", "volumes")


def check_template(manifest: dict[str, Any]) -> None:
    """Raise `UnknownField` or `NoCommand` for a WorkflowTemplate that the rehearsal can't play."""
    owner = f"WorkflowTemplate {manifest['metadata']['name']}"
    _check(manifest["spec"], SPEC, owner, "spec")
    for template in manifest["spec"].get("templates", []):
        _check_kind(template)


def check_cron(manifest: dict[str, Any]) -> None:
    """Raise `UnknownField` for a CronWorkflow that the rehearsal can't play."""
    _check(manifest["spec"], CRON, f"CronWorkflow {manifest['metadata']['name']}", "spec")


def _check_kind(template: dict[str, Any]) -> None:
    owner = f"template {template['name']}"
    kinds = [kind for kind in ("container", "dag", "suspend") if kind in template]
    if len(kinds) != 1:
        raise errors.UnknownField(owner, "of its kind: exactly one of container, dag and suspend is played")
    if kinds != ["container"] and (misplaced := [name for name in ONLY_WITH_CONTAINER if name in template]):
        raise errors.UnknownField(owner, f"{misplaced[0]} of a {kinds[0]}")
    if (template.get("retryStrategy") or {"retryPolicy": "Always"}).get("retryPolicy") != "Always":
        raise errors.UnknownField(owner, "retryStrategy without the retryPolicy Always")
    if template.get("failFast"):
        raise errors.UnknownField(owner, "failFast of the template itself, when true")
    if "dag" in template:
        _check_goes_on(template["dag"]["tasks"], owner)
    if "container" in template and not template["container"].get("command"):
        raise errors.NoCommand(template["name"])


def _check_goes_on(tasks: list[dict[str, Any]], owner: str) -> None:
    """Refuse `continueOn` beside `depends`, as Argo does."""
    for name in [task["name"] for task in tasks if "continueOn" in task]:
        if any("depends" in task for task in tasks):
            raise errors.UnknownField(owner, f"continueOn of task {name}, beside depends")


def _check(value: Any, known: Any, owner: str, path: str) -> None:
    """Compare a manifest with the table of known fields. A list is checked item by item."""
    if known == ANYTHING or value is None:
        return
    for item in value if isinstance(value, list) else [value]:
        if path == "spec.templates":
            owner = f"template {item['name']}"
        for name in item:
            if name not in known:
                raise errors.UnknownField(owner, f"{path}.{name}")
            below = known[name] if isinstance(known, dict) else ANYTHING
            _check(item[name], below, owner, f"{path}.{name}")
