"""Check the references inside a manifest. Neither Hera nor Kubernetes does that.

Kubernetes accepts a workflow with a wrong reference, and the workflow fails when it starts. So such a manifest is never
rendered.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from workflows.rendering.conditions import OUTPUTS
from workflows.rendering.document import Manifest

_TAG = re.compile(r"\{\{([^{}]*)\}\}")
_NAME = re.compile(r"\w+(?:\??\.[\w-]+)+")
_KEY = re.compile(r"\['([\w-]+)'\]")  # a name that is no word of an expression
_TASK_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]*")
_GLOBALS = {
    "workflow.name",
    "workflow.namespace",
    "workflow.uid",
    "workflow.serviceAccountName",
    "workflow.creationTimestamp.RFC3339",
    "workflow.creationTimestamp.s",
    "workflow.status",
    "workflow.failures",
    "workflow.parameters",
    "workflow.labels.json",
    "retries",
    "pod.name",
}
_OF_METRICS = {"status", "duration", "exitCode", "workflow.duration"}  # Argo, docs/variables.md


class BadReferenceError(ValueError):
    """A manifest refers to missing things. The text names all of them."""


def check(manifest: Manifest) -> Iterator[str]:
    """Yield the wrong references of a WorkflowTemplate or CronWorkflow. Other kinds have none."""
    if manifest["kind"] == "CronWorkflow" and len(manifest["metadata"]["name"]) > 52:
        yield "the name of a CronWorkflow has at most 52 characters"
    if manifest["kind"] != "WorkflowTemplate":
        return
    spec = manifest["spec"]
    templates = {template["name"]: template for template in spec["templates"]}
    for role in ("entrypoint", "onExit"):
        if spec.get(role) not in templates:
            yield f"{role} {spec.get(role)!r} is no template"
    shown = [item for template in templates.values() for item in _parameters(template, "outputs")]
    of_run = _GLOBALS | {f"{OUTPUTS}{item['globalName']}" for item in shown if "globalName" in item}
    of_run |= {f"workflow.parameters.{item['name']}" for item in _parameters(spec, "arguments")}
    known = of_run | _OF_METRICS
    yield from (f"metrics: unknown tag {tag}" for tag in _tags(spec.get("metrics", {})) if tag not in known)
    for template in templates.values():
        for problem in _template(template, templates, of_run):
            yield f"template {template['name']}: {problem}"


def _template(template: Manifest, templates: Mapping[str, Manifest], of_run: set[str]) -> Iterator[str]:
    known = of_run | {f"inputs.parameters.{item['name']}" for item in _parameters(template, "inputs")}
    if "container" in template:
        yield from _container(template)
    if "dag" in template:
        tasks = {task["name"]: task for task in template["dag"]["tasks"]}
        for name, task in tasks.items():
            outputs = _outputs_before(name, tasks, templates)
            yield from (f"task {name}: {problem}" for problem in _task(task, tasks, templates))
            items = {"item"} if "withParam" in task else set()
            yield from (f"task {name}: unknown tag {tag}" for tag in _tags(task) if tag not in known | outputs | items)
        every = {tag for name in tasks for tag in _outputs_of(name, tasks, templates)}
        yield from (f"unknown tag {tag}" for tag in _tags(template.get("outputs", {})) if tag not in known | every)
    else:
        rest = {name: part for name, part in template.items() if name != "metrics"}
        yield from (f"unknown tag {tag}" for tag in _tags(rest) if tag not in known)
    known |= _OF_METRICS | {f"outputs.parameters.{item['name']}" for item in _parameters(template, "outputs")}
    yield from (f"metrics: unknown tag {tag}" for tag in _tags(template.get("metrics", {})) if tag not in known)


def _container(template: Manifest) -> Iterator[str]:
    container = template["container"]
    if not container.get("command"):
        yield "a container without a command makes the controller ask the image's registry"
    volumes = {item["name"] for item in template.get("volumes", [])}
    yield from (
        f"no volume for the mount {mount['name']}"
        for mount in container.get("volumeMounts", [])
        if mount["name"] not in volumes
    )


def _task(task: Manifest, tasks: Mapping[str, Manifest], templates: Mapping[str, Manifest]) -> Iterator[str]:
    if not _TASK_NAME.fullmatch(task["name"]):
        yield "no task name to Argo"
    used = templates.get(task["template"])
    if used is None:
        yield f"no template {task['template']}"
        return
    given = {item["name"] for item in _parameters(task, "arguments")}
    declared = {item["name"] for item in _parameters(used, "inputs")}
    required = {item["name"] for item in _parameters(used, "inputs") if "value" not in item and "default" not in item}
    if given - declared:
        yield f"arguments that {task['template']} does not know: {sorted(given - declared)}"
    if required - given:
        yield f"arguments that {task['template']} needs: {sorted(required - given)}"
    if strangers := _parents(task) - tasks.keys():
        yield f"depends on no task: {sorted(strangers)}"
    elif task["name"] in _ancestors(task["name"], tasks):
        yield "depends on itself"
    if "continueOn" in task and any("depends" in each for each in tasks.values()):
        yield "continueOn beside depends, which Argo refuses"
    if ".Failed" in task.get("depends", "") or ".Errored" in task.get("depends", ""):
        yield "a leaf that follows a failure turns the workflow green"


def _parents(task: Manifest) -> set[str]:
    if "dependencies" in task:
        return set(task["dependencies"])
    words = re.findall(r"[A-Za-z][-A-Za-z0-9]*(?:\.[A-Za-z]+)?", task.get("depends", ""))
    return {word.partition(".")[0] for word in words}


def _ancestors(name: str, tasks: Mapping[str, Manifest]) -> set[str]:
    found: set[str] = set()
    waiting = list(_parents(tasks[name]))
    while waiting:
        parent = waiting.pop()
        if parent in tasks and parent not in found:
            found.add(parent)
            waiting += _parents(tasks[parent])
    return found


def _outputs_before(name: str, tasks: Mapping[str, Manifest], templates: Mapping[str, Manifest]) -> set[str]:
    return {tag for parent in _ancestors(name, tasks) for tag in _outputs_of(parent, tasks, templates)}


def _outputs_of(name: str, tasks: Mapping[str, Manifest], templates: Mapping[str, Manifest]) -> set[str]:
    outputs = _parameters(templates.get(tasks[name]["template"], {}), "outputs")
    return {f"tasks.{name}.outputs.parameters.{item['name']}" for item in outputs}


def _parameters(of: Manifest, what: str) -> list[Manifest]:
    """Inputs, outputs or arguments of a template, a task or a workflow."""
    found: list[Manifest] = (of.get(what) or {}).get("parameters", [])
    return found


def _names(expression: str) -> Iterator[str]:
    for name in _NAME.findall(_KEY.sub(r".\1", expression)):
        yield name.replace("?", "")


def _tags(value: Any) -> Iterator[str]:
    """Yield every tag in a manifest's strings, keys included. For an expression, yield the names that it uses."""
    if isinstance(value, str):
        for tag in _TAG.findall(value):
            yield from _names(tag) if tag.startswith("=") else [tag]
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tags(key)
            yield from _tags(item)
    elif isinstance(value, list):
        for item in value:
            yield from _tags(item)
