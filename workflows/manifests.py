"""All that an administrator applies, as YAML, with the check of its references that neither Hera nor Kubernetes does.

A workflow with a wrong reference is accepted by Kubernetes and fails when it starts; so it must not leave this house.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from steps import values
from workflows import access, document
from workflows.backup import backup
from workflows.conditions import OUTPUTS
from workflows.drill import drill
from workflows.monitoring import Thresholds, monitoring
from workflows.parameters import PruneParameters
from workflows.phases import Settings
from workflows.prune import prune
from workflows.restore import restore
from workflows.schedule import NAME as BACKUP_SCHEDULE
from workflows.schedule import Cron, schedule
from workflows.verify import verify
from workflows.watchdog import watchdog

Manifest = dict[str, Any]

_TAG = re.compile(r"\{\{([^{}]*)\}\}")
_NAME = re.compile(r"\w+(?:\??\.[\w-]+)+")
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
    """A manifest refers to what is not there; the text names all of it."""


def render(  # noqa: PLR0913  what is rendered only where it is asked for
    settings: Settings,
    cron: str | None = None,
    timezone: str = "UTC",
    arguments: Mapping[str, str] = MappingProxyType({}),
    rules: PruneParameters | None = None,
    *,
    proofs: Sequence[Cron] = (),
    watch_cron: str | None = None,
    max_age: str = values.MAX_AGE,
    thresholds: Thresholds | None = None,
) -> list[Manifest]:
    """Render everything: access first, then the templates, then the schedules with their arguments where there are any.

    `cron` and `arguments` are those of the backup, `proofs` of what proves it.

    `rules` are those of retention, for `threescale-prune` and for the end of each scheduled backup. `watch_cron` adds
    the watchdog, which asks for a backup of `max_age`; `thresholds` the rules for Prometheus, which are of one
    namespace. Without `cron` neither looks at a schedule.

    Raises:
        schedule.BadScheduleError
        BadReferenceError: never in a release; the tests render every combination.
    """
    kept = rules or PruneParameters()
    built = [backup(settings, kept).to_dict(), prune(settings, kept).to_dict()]
    built += [build(settings).to_dict() for build in (restore, verify, drill)]
    nightly = [Cron("backup", cron, arguments)] if cron is not None else []
    accounts = access.access(settings)
    if watch_cron is not None:
        accounts += access.of_watchdog(settings)
        built.append(watchdog(settings).to_dict())
        looked_at = BACKUP_SCHEDULE if cron is not None else ""
        nightly.append(Cron("watchdog", watch_cron, {"max-age": max_age, "schedule": looked_at}))
    for each in (*nightly, *proofs):
        built.append(schedule(settings, each.cron, timezone, each.arguments, of=each.of).to_dict())
    scheduled = cron is not None
    alarm = monitoring(settings.namespace or "", thresholds, scheduled=scheduled) if thresholds else []
    manifests = [*accounts, *built, *alarm]
    problems = [problem for manifest in manifests for problem in check(manifest)]
    if problems:
        raise BadReferenceError("; ".join(problems))
    return manifests


_LABELLED = "    app.kubernetes.io/part-of: threescale-backup\n"


def to_yaml(manifest: Manifest) -> str:
    """Write one manifest as a YAML document."""
    return document.write(manifest, width=120)


def file_name(manifest: Manifest) -> str:
    """Name the file of a manifest, one resource a file."""
    return f"{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


def is_file_of_ours(name: str, start: str) -> bool:
    """Whether a file is one that an earlier rendering has written, by its name and the start of its text."""
    found = [re.search(form, start, re.MULTILINE) for form in (r"^kind: (\S+)$", r"^  name: (\S+)$")]
    kind, own = (each[1] if each else "" for each in found)
    return name == f"{kind.lower()}-{own}.yaml" and _LABELLED in start


def check(manifest: Manifest) -> Iterator[str]:
    """Yield what a WorkflowTemplate or CronWorkflow refers to and does not have; silent for other kinds."""
    if manifest["kind"] == "CronWorkflow" and len(manifest["metadata"]["name"]) > 52:
        yield "the name of a CronWorkflow has at most 52 characters"
    if manifest["kind"] != "WorkflowTemplate":
        return
    spec = manifest["spec"]
    templates = {template["name"]: template for template in spec["templates"]}
    for role in ("entrypoint", "onExit"):
        if spec.get(role) not in templates:
            yield f"{role} {spec.get(role)!r} is no template"
    arguments = {item["name"] for item in (spec.get("arguments") or {}).get("parameters", [])}
    made = {f"{OUTPUTS}{name}" for template in templates.values() for name in _made_for_all(template)}
    of_run = _GLOBALS | _OF_METRICS | made | {f"workflow.parameters.{name}" for name in arguments}
    yield from (f"metrics: unknown tag {tag}" for tag in _tags(spec.get("metrics", {})) if tag not in of_run)
    for template in templates.values():
        for problem in _template(template, templates, arguments, made):
            yield f"template {template['name']}: {problem}"


def _template(
    template: Manifest, templates: Mapping[str, Manifest], arguments: set[str], made: set[str]
) -> Iterator[str]:
    known = _GLOBALS | made | {f"workflow.parameters.{name}" for name in arguments}
    known |= {f"inputs.parameters.{item['name']}" for item in _inputs(template)}
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
    outputs = {f"outputs.parameters.{item['name']}" for item in (template.get("outputs") or {}).get("parameters", [])}
    known |= _OF_METRICS | outputs
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
    given = {item["name"] for item in (task.get("arguments") or {}).get("parameters", [])}
    declared = {item["name"] for item in _inputs(used)}
    required = {item["name"] for item in _inputs(used) if "value" not in item and "default" not in item}
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
    used = templates.get(tasks[name]["template"], {})
    outputs = (used.get("outputs") or {}).get("parameters", [])
    return {f"tasks.{name}.outputs.parameters.{item['name']}" for item in outputs}


def _inputs(template: Manifest) -> list[Manifest]:
    found: list[Manifest] = (template.get("inputs") or {}).get("parameters", [])
    return found


def _made_for_all(template: Manifest) -> list[str]:
    """Outputs of a container that the whole workflow shows."""
    outputs = (template.get("outputs") or {}).get("parameters", [])
    return [item["globalName"] for item in outputs if "globalName" in item]


def _tags(value: Any) -> Iterator[str]:
    """Every tag in a manifest's strings, keys included; of an expression the names that it asks for."""
    if isinstance(value, str):
        for tag in _TAG.findall(value):
            yield from (name.replace("?", "") for name in _NAME.findall(tag)) if tag.startswith("=") else [tag]
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tags(key)
            yield from _tags(item)
    elif isinstance(value, list):
        for item in value:
            yield from _tags(item)
