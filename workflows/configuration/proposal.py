"""Writes a commented `threescale-backup.yaml`, with every field and its sentence.

A line that begins with `#` and a name is a field that is off. Without the `#` it is on. Sentences begin with `# `.
"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from workflows.configuration.fields import fields, plain
from workflows.configuration.installation import Installation
from workflows.configuration.places import Path, told
from workflows.rendering import document

_WIDTH = 110  # of a line with sentences
_STEP = "  "
_RESOURCES = {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}
# What stands behind the `#` of a field that has no default, or whose default shows nothing.
EXAMPLES: Mapping[str, Any] = {
    "namespace": "api",
    "output": "manifests",
    "backup.schedule": "0 4 * * *",
    "backup.arguments": {"storage-request": "20Gi"},
    "retention.keep-daily": 7,
    "retention.keep-weekly": 4,
    "retention.keep-monthly": 6,
    "retention.keep-within": "30d",
    "repository.secrets": ["threescale-repository"],
    "repository.claim": "threescale-repository",
    "repository.retention.keep-daily": 30,
    "repository.retention.keep-monthly": 12,
    "repository.pruneSecrets": ["threescale-repository-prune"],
    "repository.pruneSchedule": "0 9 * * 0",
    "verify.schedule": "0 6 * * *",
    "verify.arguments": {"sample": "25%"},
    "drill.schedule": "0 7 * * 0",
    "drill.namespace": "threescale-drills",
    "drill.arguments": {"storage-class": "fast"},
    "watchdog.schedule": "17 * * * *",
    "monitoring.enabled": True,
    "monitoring.verifiedEvery": "8d",
    "monitoring.provenEvery": "35d",
    "notification.secret": "backup-notification",
    "access.secrets": ["my-registry"],
    "access.configMaps": ["my-policies"],
    "access.apimanagers": ["apimanager.yaml"],
    "access.accounts": {
        "backup": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/NAME"}}
    },
    "pods.resources": _RESOURCES,
    "pods.executorResources": _RESOURCES,
    "pods.imagePullPolicy": "IfNotPresent",
    "pods.imagePullSecrets": [{"name": "my-registry"}],
    "pods.nodeSelector": {"node-role.kubernetes.io/infra": ""},
    "pods.tolerations": [{"key": "node-role.kubernetes.io/infra", "operator": "Exists"}],
    "pods.priorityClassName": "backups",
    "pods.labels": {"sidecar.istio.io/inject": "false"},
    "pods.annotations": {"linkerd.io/inject": "disabled"},
    "pods.fsGroup": 2000,
    "pods.runAsUser": 1000,
    "pods.phases": {"backup/file-storage": {"resources": {"limits": {"memory": "1Gi"}}}},
    "argo.instanceID": "ours",
    "argo.parallelism": 4,
}


def write(values: Mapping[str, Any], notes: Mapping[str, str], head: str) -> str:
    """Write the file.

    `values`: the fields that are on, by their paths, such as `access.secrets`. `notes`: further sentences, by paths of
    fields. `head`: the sentences at the top.
    """
    lines = [*_sentences(head, ""), *_of(Installation, (), values, notes)]
    return "\n".join(lines) + "\n"


def _of(model: type[BaseModel], path: Path, values: Mapping[str, Any], notes: Mapping[str, str]) -> Iterator[str]:
    indent = _STEP * len(path)
    for name, field in fields(model):
        place = (*path, name)
        form = plain(field.annotation)
        if not path:
            yield ""
        yield from _sentences(" ".join((field.description or "").split()), indent)
        yield from _sentences(notes.get(told(place), ""), indent)
        if isinstance(form, type) and issubclass(form, BaseModel) and told(place) not in EXAMPLES:
            yield f"{indent}{name}:"
            yield from _of(form, place, values, notes)
        else:
            yield from _field(name, place, field, values)


def _field(name: str, path: Path, field: FieldInfo, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield a field, on or off, with its value, its example or its default."""
    indent, where = _STEP * (len(path) - 1), told(path)
    is_on = where in values
    value = values[where] if is_on else EXAMPLES.get(where, _default(field))
    for line in document.write({name: value}).splitlines():
        yield f"{indent}{'' if is_on else '#'}{line}"


def _default(field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True)
    return default.model_dump(by_alias=True) if isinstance(default, BaseModel) else default


def _sentences(text: str, indent: str) -> list[str]:
    """Wrap sentences as comments."""
    begin = f"{indent}# "
    wrapper = textwrap.TextWrapper(
        _WIDTH, initial_indent=begin, subsequent_indent=begin, break_long_words=False, break_on_hyphens=False
    )
    return [line for part in text.split("\n") for line in wrapper.wrap(part)]
