"""One run of a workflow: what the controller decides from node to node.

It goes down from the entrypoint: a DAG starts each task as soon as its dependencies have ended, each in a thread of its
own; a container template becomes pods, one a try. What a person sees is a `Node`, told anew at each change of phase.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from workflows.rehearsal import dag, errors, expressions, nodes, retries, tags
from workflows.rehearsal.nodes import Attempt, Node, Phase
from workflows.rehearsal.pod import Kubelet, Limit, Order

FAST: Final = "template has failed or errored children and failFast enabled"
_TASK_TAGS: Final = ("tasks.", "tasks[")
_KEPT_PHASES: Final = ("Succeeded", "Skipped", "Omitted")
_ABSENT: Final = ": argument references an absent optional (skipped/omitted node output with no default)"
_POLL_S: Final = 0.01


class NotStarted(Exception):
    """A node can't start: an argument is missing or has no value, or its `when` can't be read."""


@dataclass(frozen=True)
class Subject:
    """Which workflow runs: its spec is the template's as stored when it was submitted."""

    name: str
    uid: str
    namespace: str
    created: datetime
    spec: Mapping[str, Any]
    arguments: Mapping[str, str]
    kept: Mapping[str, Node] = field(default_factory=dict)  # by path: nodes of an earlier run that need not run again


class Run:
    """Runs a workflow once; `nodes` and `outputs` grow while it does."""

    def __init__(self, subject: Subject, kubelet: Kubelet, say: Callable[[Node], None], time_scale: float) -> None:
        self._subject = subject
        self._kubelet = kubelet
        self._say = say
        self._time_scale = time_scale
        self._lock = threading.RLock()
        self._began = time.monotonic()
        self._templates = {template["name"]: template for template in subject.spec.get("templates", [])}
        self._reused: set[str] = set()
        self._fresh: set[str] = set()
        self._limit = self._main = Limit(self._deadline())
        self._values: dict[str, str | None] = self._globals()
        self.nodes: dict[str, Node] = {}
        self.outputs: dict[str, str] = {}

    # --- from outside ---

    def entrypoint(self, template: str) -> Node:
        """Run the entrypoint to its end."""
        return self._execute(template, self._subject.name, self._subject.name, self._subject.arguments)

    def exit_handler(self, template: str, status: str, failures: str) -> Node:
        """Run the exit handler to its end; neither the deadline nor a stop applies to it."""
        self._limit = Limit()
        self._values |= {
            "workflow.status": status,
            "workflow.failures": failures,
            "workflow.duration": f"{self._now_s():.6f}",
        }
        path = f"{self._subject.name}.onExit"
        return self._execute(template, path, path, self._subject.arguments)

    def stop(self) -> None:
        """Stop what runs, as `argo stop` does; the exit handler still runs."""
        self._main.stop("workflow shutdown with strategy:  Stop")

    def check_spec(self) -> None:
        """Resolve the tags beside the templates, which nobody looks at in a rehearsal, to find the unknown ones."""
        beside = {name: value for name, value in self._subject.spec.items() if name not in ("templates", "arguments")}
        tags.substitute(beside, self._values, "workflow spec")

    # --- templates ---

    def _execute(self, template: str, path: str, name: str, arguments: Mapping[str, str | None]) -> Node:
        described = self._template(template)
        node = Node(name=name, path=path, template=template, started_s=self._now_s())
        try:
            node = replace(node, inputs=self._inputs(described, arguments))
        except NotStarted as error:
            return self._record(replace(node, phase="Error", message=str(error)))
        if reason := self._limit.reason():
            return self._record(replace(node, phase="Failed", message=reason))
        return self._tasks(described, node) if "dag" in described else self._container(described, node)

    def _template(self, name: str) -> dict[str, Any]:
        if name not in self._templates:
            raise errors.UnknownName("template", name, f"workflow {self._subject.name}")
        return dict(self._templates[name])

    def _inputs(self, template: Mapping[str, Any], arguments: Mapping[str, str | None]) -> dict[str, str]:
        values = {}
        for parameter in _declared(template, "inputs"):
            name = parameter["name"]
            fallback = parameter.get("value", parameter.get("default"))
            given = arguments.get(name)
            if given is None and fallback is None:
                raise NotStarted(f"inputs.parameters.{name}{_ABSENT if name in arguments else ' had no value'}")
            values[name] = given if given is not None else self._resolved(fallback, f"template {template['name']}")
        return values

    def _resolved(self, value: Any, where: str) -> str:
        return str(tags.substitute(tags.as_text(value), self._known(), where))

    # --- a container, tried until it is enough ---

    def _container(self, template: dict[str, Any], node: Node) -> Node:
        values = self._known(node)
        where = f"template {template['name']}"
        strategy = template.pop("retryStrategy", None)
        if strategy is None:
            attempt = self._try(template, node, 0, values)
            return self._settle(node, (attempt,), attempt.phase, attempt.message, template)
        strategy = tags.substitute(strategy, values, where)
        node = replace(node, retried=True)
        attempts: tuple[Attempt, ...] = ()
        while True:
            attempts += (self._try(template, replace(node, attempts=attempts), len(attempts), values),)
            last = attempts[-1]
            if last.phase == "Succeeded":
                return self._settle(node, attempts, "Succeeded", "", template)
            message = self._after_failure(strategy, replace(node, attempts=attempts), where)
            if message is not None:
                return self._settle(node, attempts, last.phase, message, template)

    def _after_failure(self, strategy: Mapping[str, Any], node: Node, where: str) -> str | None:
        """Wait the back-off and return the last message, None for another try."""
        wait_s = retries.backoff_s(strategy, len(node.attempts))
        if wait_s and not self._limit.reason():
            self._record(replace(node, phase="Running", message=f"Backoff for {wait_s:g} seconds"))
            until = time.monotonic() + wait_s * self._time_scale
            while time.monotonic() < until and not self._limit.reason():
                time.sleep(min(_POLL_S, wait_s * self._time_scale))
        if self._limit.reason():
            return f"retry exceeded workflow deadline ({self._limit.reason()})"
        return retries.verdict(strategy, node.attempts[-1], len(node.attempts), where)

    def _try(self, template: Mapping[str, Any], node: Node, number: int, values: tags.Values) -> Attempt:
        path = f"{node.path}({number})" if node.retried else node.path
        pod = nodes.pod_name(self._subject.name, path, node.template)
        mine = {**values, "pod.name": pod, "node.name": node.path} | ({"retries": str(number)} if node.retried else {})
        order = self._order(tags.substitute(template, mine, f"template {node.template}"), node, path, pod)
        started = self._now_s()

        def tell(phase: Phase, message: str) -> None:
            self._record(replace(node, phase=phase, message=message))

        tell("Pending", "")
        ending = self._kubelet.run(order, self._limit, tell)
        return Attempt(
            number, pod, ending.phase, ending.message, ending.exit_code, ending.outputs, ending.log,
            started, self._now_s() - started,
        )  # fmt: skip

    def _order(self, template: Mapping[str, Any], node: Node, path: str, pod: str) -> Order:
        spec_volumes = tags.substitute(self._subject.spec.get("volumes", []), self._known(), "workflow spec")
        timeout_s = self._scaled(template.get("timeout"))
        pending_s = [limit for limit in (timeout_s, self._scaled(template.get("pendingTimeout"))) if limit is not None]
        account = template.get("serviceAccountName") or self._subject.spec.get("serviceAccountName") or "default"
        return Order(
            workflow=self._subject.name,
            path=path,
            pod=pod,
            node=node.name,
            node_id=nodes.node_id(self._subject.name, path),
            template=template,
            volumes=(*spec_volumes, *template.get("volumes", [])),
            service_account=account,
            timeout_s=timeout_s,
            # The controller looks at these for the node of the template: with retries that one is never Pending.
            pending_timeout_s=min(pending_s) if pending_s and not node.retried else None,
        )

    def _settle(
        self, node: Node, attempts: tuple[Attempt, ...], phase: Phase, message: str, template: Mapping[str, Any]
    ) -> Node:
        node = replace(node, phase=phase, message=message, attempts=attempts, outputs=attempts[-1].outputs)
        self._publish(node, template)
        return self._record(node)

    # --- a DAG ---

    def _tasks(self, template: dict[str, Any], node: Node) -> Node:
        node = self._record(replace(node, phase="Running"))
        values = self._known(node) | {"node.name": node.path}
        template = tags.substitute(template, values, f"template {template['name']}", later=_TASK_TAGS)
        tasks = {task["name"]: task for task in template["dag"]["tasks"]}
        ended = self._run_tasks(template, tasks, node)
        if len(ended) < len(tasks):
            return self._record(replace(node, phase="Failed", message=FAST))
        phase = dag.phase(list(tasks.values()), ended, fail_fast=template["dag"].get("failFast", True))
        if phase != "Succeeded":
            return self._record(replace(node, phase=phase))
        return self._record(self._with_outputs(template, replace(node, phase=phase), ended))

    def _run_tasks(self, template: Mapping[str, Any], tasks: dict[str, Any], node: Node) -> dict[str, Node]:
        """Run all tasks; the template's own `failFast`, unlike that of its dag, starts nothing after a failure."""
        waiting, ended = dict(tasks), dict[str, Node]()
        running: dict[Future[Node], str] = {}
        with ThreadPoolExecutor(len(tasks)) as pool:
            while waiting or running:
                broken = any(node.phase in nodes.BROKEN for node in ended.values())
                if not (template.get("failFast") and broken):
                    for name in [name for name, task in waiting.items() if set(dag.parents(task)) <= ended.keys()]:
                        task = _Task(waiting.pop(name), node, tasks, dict(ended))
                        running[pool.submit(self._guarded, task)] = name
                elif not running:
                    return ended
                if not running:
                    raise errors.UnknownName("start for the tasks", ", ".join(waiting), f"template {template['name']}")
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    ended[running.pop(future)] = future.result()
        return ended

    def _guarded(self, task: "_Task") -> Node:
        """Stop the whole run when the rehearsal itself can't go on."""
        try:
            return self._task(task)
        except BaseException:
            self._limit.stop("the rehearsal can't go on")
            raise

    def _task(self, task: "_Task") -> Node:
        if kept := self._reuse(task):
            return kept
        node = Node(name=task.name, path=task.path, template=task.template, started_s=self._now_s())
        try:
            if not dag.may_start(task.task, task.ended):
                return self._record(replace(node, phase="Omitted", message="omitted: depends condition not met"))
            values = self._task_values(task)
            asked = tags.substitute(task.task.get("when", ""), values, task.where)
            if asked and not _runs(asked):
                return self._record(replace(node, phase="Skipped", message=f"when '{asked}' evaluated false"))
            arguments = self._arguments(task, values)
        except (NotStarted, tags.Absent, expressions.Unreadable) as error:
            return self._record(replace(node, phase="Error", message=str(error)))
        return self._execute(task.template, task.path, task.name, arguments)

    def _arguments(self, task: "_Task", values: tags.Values) -> dict[str, str | None]:
        """Resolve the arguments; one that is nothing but an absent output stays without a value."""
        arguments: dict[str, str | None] = {}
        for parameter in _declared(task.task, "arguments"):
            value = tags.as_text(parameter["value"])
            tag = tags.only_tag(value)
            absent = tag in values and values[tag] is None if tag else False
            arguments[parameter["name"]] = None if absent else tags.substitute(value, values, task.where)
        return arguments

    def _task_values(self, task: "_Task") -> dict[str, str | None]:
        values = self._known()
        for name in dag.ancestors(task.task, task.tasks):
            values |= self._node_values(name, task.ended[name])
        return values

    def _node_values(self, name: str, node: Node) -> dict[str, str | None]:
        """Return the tags of a task that has ended; a task that never ran gives the defaults of its outputs."""
        values: dict[str, str | None] = {f"tasks.{name}.status": node.phase}
        if node.exit_code is not None:
            values[f"tasks.{name}.exitCode"] = str(node.exit_code)
        outputs: dict[str, str | None] = dict(node.outputs)
        if node.phase in ("Skipped", "Omitted") and not outputs:
            declared = _declared(self._template(node.template), "outputs")
            sources = {parameter["name"]: parameter.get("valueFrom", {}) for parameter in declared}
            outputs = {key: str(source["default"]) if "default" in source else None for key, source in sources.items()}
        return values | {f"tasks.{name}.outputs.parameters.{key}": value for key, value in outputs.items()}

    def _with_outputs(self, template: Mapping[str, Any], node: Node, ended: Mapping[str, Node]) -> Node:
        values = self._known()
        for name, task in ended.items():
            values |= self._node_values(name, task)
        outputs = {}
        for parameter in _declared(template, "outputs"):
            source = parameter["valueFrom"]
            try:
                outputs[parameter["name"]] = tags.substitute(source["parameter"], values, f"template {node.template}")
            except (tags.Absent, errors.UnknownTag) as error:
                if "default" in source:
                    outputs[parameter["name"]] = str(source["default"])
                elif isinstance(error, tags.Absent):
                    return replace(node, phase="Error", message=f'output parameter "{parameter["name"]}": {error}')
                else:
                    raise
        return replace(node, outputs=outputs)

    # --- nodes of an earlier run ---

    def _reuse(self, task: "_Task") -> Node | None:
        """Keep a node that ended well before, as long as everything before it is kept too."""
        kept = self._subject.kept.get(task.path)
        before = all(task.ended[name].path in self._reused for name in dag.parents(task.task))
        if task.inside in self._fresh or not before:
            self._fresh.add(task.path)
            return None
        if kept is None or kept.phase not in _KEPT_PHASES:
            return None
        for path, node in self._subject.kept.items():
            if path == task.path or path.startswith(f"{task.path}."):
                self._reused.add(path)
                self._publish(node, self._template(node.template))
                self._record(replace(node, started_s=self._now_s(), duration_s=0.0), ended=True)
        return kept

    def _publish(self, node: Node, template: Mapping[str, Any]) -> None:
        """Show the global outputs of a container; Argo shows those of a DAG on its node only."""
        for parameter in _declared(template, "outputs") if "container" in template else []:
            if "globalName" in parameter and parameter["name"] in node.outputs:
                with self._lock:
                    self.outputs[parameter["globalName"]] = node.outputs[parameter["name"]]

    # --- values and time ---

    def _globals(self) -> dict[str, str | None]:
        subject = self._subject
        created = subject.created.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "workflow.name": subject.name,
            "workflow.uid": subject.uid,
            "workflow.namespace": subject.namespace,
            "workflow.serviceAccountName": str(subject.spec.get("serviceAccountName", "")),
            "workflow.creationTimestamp": created,
            "workflow.creationTimestamp.RFC3339": created,
            "workflow.creationTimestamp.s": str(int(subject.created.timestamp())),
            **{f"workflow.parameters.{name}": value for name, value in subject.arguments.items()},
        }

    def _known(self, node: Node | None = None) -> dict[str, str | None]:
        """Return what tags mean everywhere, and inside the template of a node."""
        with self._lock:
            values = dict(self._values)
            values |= {f"workflow.outputs.parameters.{name}": value for name, value in self.outputs.items()}
        if node is not None:
            values |= {f"inputs.parameters.{name}": value for name, value in node.inputs.items()}
        return values

    def _record(self, node: Node, *, ended: bool = False) -> Node:
        """Keep the newest state of a node and tell it."""
        if not ended:
            node = replace(node, duration_s=self._now_s() - node.started_s)
        with self._lock:
            self.nodes[node.path] = node
            self._say(node)
        return node

    def _deadline(self) -> float | None:
        seconds = self._subject.spec.get("activeDeadlineSeconds")
        return None if seconds is None else self._began + float(seconds) * self._time_scale

    def _scaled(self, duration: str | None) -> float | None:
        return None if not duration else retries.duration_s(duration) * self._time_scale

    def _now_s(self) -> float:
        return time.monotonic() - self._began


@dataclass(frozen=True)
class _Task:
    """A task of a DAG, with the node around it and the tasks that ended before it."""

    task: Mapping[str, Any]
    around: Node
    tasks: Mapping[str, Any]
    ended: Mapping[str, Node]

    @property
    def name(self) -> str:
        return str(self.task["name"])

    @property
    def template(self) -> str:
        return str(self.task["template"])

    @property
    def inside(self) -> str:
        return self.around.path

    @property
    def path(self) -> str:
        return f"{self.around.path}.{self.name}"

    @property
    def where(self) -> str:
        return f"template {self.around.template}: task {self.name}"


def _declared(part: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return list((part.get(kind) or {}).get("parameters") or [])


def _runs(when: str) -> bool:
    try:
        return expressions.when(when)
    except expressions.Unreadable as error:
        raise NotStarted(f"Invalid 'when' expression '{when}': {error}") from error
