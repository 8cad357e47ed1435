"""The values of tags at each place of a workflow, and how arguments become inputs.

The workflow's name, uid, parameters and global outputs are known everywhere. A template also knows its inputs. The
arguments of a task also know the outputs of the tasks before it. An output of a task that never ran has the default of
its producer. Without a default it is absent. Then the input's own value counts, if the argument is that output alone.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from workflows.rehearsal import errors
from workflows.rehearsal.argo import tags
from workflows.rehearsal.argo.nodes import Node

_ABSENT: Final = ": argument references an absent optional (skipped/omitted node output with no default)"

OUTPUTS: Final = "workflow.outputs.parameters."

Values = dict[str, str | None]


class NotStarted(Exception):
    """A node can't start or end well: a value is missing, or its `when` can't be read."""


@dataclass(frozen=True)
class Subject:
    """The workflow that runs. Its spec is the spec of the template when the workflow was submitted."""

    name: str
    uid: str
    namespace: str
    created: datetime
    spec: Mapping[str, Any]
    arguments: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)


class Scope:
    """Holds the values of tags everywhere in a workflow. It grows with each global output."""

    def __init__(self, subject: Subject) -> None:
        self._lock = threading.Lock()
        self._values = _globals(subject)
        self._promised = _promised(subject)
        self.outputs: dict[str, str] = {}

    def add(self, values: Mapping[str, str]) -> None:
        """Add tags with their values."""
        with self._lock:
            self._values |= values

    def values(self, node: Node | None = None) -> Values:
        """Return the tags that are known everywhere and inside the template of a node."""
        with self._lock:
            values = self._values | {f"{OUTPUTS}{name}": it for name, it in self.outputs.items()}
        return values | {f"inputs.parameters.{name}": it for name, it in (node.inputs if node else {}).items()}

    def standing(self) -> Values:
        """Return the tags of global outputs that do not exist yet. In a `when`, each such tag stays as text."""
        return {tag: f"{{{{{tag}}}}}" for tag in self._promised if tag not in self.values()}

    def publish(self, node: Node, template: Mapping[str, Any]) -> None:
        """Publish the global outputs of a container. Argo shows those of a DAG on its node only."""
        for parameter in declared(template, "outputs") if "container" in template else []:
            if "globalName" in parameter and parameter["name"] in node.outputs:
                with self._lock:
                    self.outputs[parameter["globalName"]] = node.outputs[parameter["name"]]

    def inputs(self, template: Mapping[str, Any], arguments: Mapping[str, str | None]) -> dict[str, str]:
        """Return the inputs of a template: its arguments, else its own values."""
        inputs = {}
        for parameter in declared(template, "inputs"):
            name = parameter["name"]
            value = arguments.get(name)
            if value is None:
                value = self._fallback(parameter, template)
            if value is None:
                raise NotStarted(f"inputs.parameters.{name}{_ABSENT if name in arguments else ' had no value'}")
            inputs[name] = value
        return inputs

    def _fallback(self, parameter: Mapping[str, Any], template: Mapping[str, Any]) -> str | None:
        value = parameter.get("value")
        if value is None:
            return None
        return str(tags.substitute(tags.as_text(value), self.values(), f"template {template['name']}"))


def declared(part: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """Return the parameters of a template's `inputs` or `outputs`, or of a task's `arguments`."""
    return list((part.get(kind) or {}).get("parameters") or [])


def arguments(task: Mapping[str, Any], values: tags.Values, where: str) -> Values:
    """Resolve the arguments of a task. An argument that is an absent output alone stays without a value."""
    resolved: Values = {}
    for parameter in declared(task, "arguments"):
        value = tags.as_text(parameter["value"])
        absent = (tag := tags.only_tag(value)) in values and values[str(tag)] is None
        resolved[parameter["name"]] = None if absent else tags.substitute(value, values, where)
    return resolved


def of_task(name: str, node: Node, template: Mapping[str, Any]) -> Values:
    """Return the tags of an ended task. A task that never ran gives the defaults of its outputs."""
    outputs: Values = dict(node.outputs)
    if node.phase in ("Skipped", "Omitted") and not outputs:
        sources = {parameter["name"]: parameter.get("valueFrom", {}) for parameter in declared(template, "outputs")}
        outputs = {key: str(source["default"]) if "default" in source else None for key, source in sources.items()}
    return {f"tasks.{name}.outputs.parameters.{key}": value for key, value in outputs.items()}


def dag_outputs(template: Mapping[str, Any], values: tags.Values) -> dict[str, str]:
    """Resolve the outputs of a DAG from those of its tasks, or their own defaults."""
    outputs = {}
    for parameter in declared(template, "outputs"):
        source, name = parameter["valueFrom"], parameter["name"]
        try:
            outputs[name] = str(tags.substitute(source["parameter"], values, f"template {template['name']}"))
        except (tags.Absent, errors.UnknownTag) as error:
            if "default" not in source:
                raise NotStarted(f'output parameter "{name}": {error}') from error
            outputs[name] = str(source["default"])
    return outputs


def _globals(subject: Subject) -> Values:
    return {
        "workflow.name": subject.name,
        "workflow.uid": subject.uid,
        "workflow.namespace": subject.namespace,
        "workflow.serviceAccountName": str(subject.spec.get("serviceAccountName", "")),
        "workflow.creationTimestamp.RFC3339": subject.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "workflow.creationTimestamp.s": str(int(subject.created.timestamp())),
        "workflow.parameters": _as_json(subject),
        "workflow.labels.json": json.dumps(dict(subject.labels)),
        **{f"workflow.parameters.{name}": value for name, value in subject.arguments.items()},
    }


def _as_json(subject: Subject) -> str:
    """Write all arguments as Argo does, also those that the template does not declare."""
    described = {each["name"]: each for each in declared(subject.spec, "arguments")}
    return json.dumps(
        [{**described.get(name, {"name": name}), "value": value} for name, value in subject.arguments.items()]
    )


def _promised(subject: Subject) -> list[str]:
    """Name the tags of all global outputs that a container of this workflow may make."""
    outputs = [each for template in subject.spec.get("templates", []) for each in declared(template, "outputs")]
    return [f"{OUTPUTS}{each['globalName']}" for each in outputs if "globalName" in each]
