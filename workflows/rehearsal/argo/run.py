"""One run of a workflow: the decisions of the controller from node to node.

The run begins at the entrypoint. A DAG starts each task as soon as its dependencies have ended, in a thread of its own.
A container template becomes pods, one for each try. Each change of a phase is reported as a `Node`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from workflows.rehearsal import errors
from workflows.rehearsal.argo import dag, expressions, fan_out, nodes, scope, tags
from workflows.rehearsal.argo.fan_out import Item
from workflows.rehearsal.argo.nodes import Node
from workflows.rehearsal.argo.scope import NotStarted, Scope, Subject
from workflows.rehearsal.argo.tries import Tries
from workflows.rehearsal.kubelet.limits import Limit
from workflows.rehearsal.kubelet.pod import Pods

_TASK_TAGS: Final = ("tasks.", "tasks[", fan_out.TAG, scope.OUTPUTS)
_LATER: Final = ("templates", "arguments", "metrics")


class Run:
    """Runs a workflow once. `nodes` and `outputs` grow during the run."""

    def __init__(
        self,
        subject: Subject,
        pods: Pods,
        say: Callable[[Node], None],
        time_scale: float,
        resume: Callable[[Node], bool],
    ) -> None:
        self._subject = subject
        self._say = say
        self._resume = resume
        self.time_scale = time_scale
        self._lock = threading.RLock()
        self._began = time.monotonic()
        self._templates = {template["name"]: template for template in subject.spec.get("templates", [])}
        self._limit = Limit(self._deadline())
        self._scope = Scope(subject)
        self._tries = Tries(subject, pods, self._scope, self)
        self.nodes: dict[str, Node] = {}
        self.outputs = self._scope.outputs

    # --- from outside ---

    def entrypoint(self, template: str) -> Node:
        """Run the entrypoint to its end."""
        return self._execute(template, self._subject.name, self._subject.name, self._subject.arguments)

    def exit_handler(self, template: str, status: str, failures: str) -> Node:
        """Run the exit handler to its end; the deadline does not apply to it."""
        self._limit = Limit()
        self._scope.add(
            {"workflow.status": status, "workflow.failures": failures, "workflow.duration": f"{self.now_s():.6f}"}
        )
        path = f"{self._subject.name}.onExit"
        return self._execute(template, path, path, self._subject.arguments)

    def check_spec(self) -> None:
        """Find unknown tags outside the templates. A rehearsal uses these tags for nothing else."""
        beside = {name: value for name, value in self._subject.spec.items() if name not in _LATER}
        tags.substitute(beside, self._scope.values(), "workflow spec")

    # --- templates ---

    def _execute(self, template: str, path: str, name: str, arguments: Mapping[str, str | None]) -> Node:
        described = self._template(template)
        described.pop("metrics", None)  # the rehearsal plays no metrics of templates
        return self._play(described, Node(name=name, path=path, template=template, started_s=self.now_s()), arguments)

    def _play(self, described: dict[str, Any], node: Node, arguments: Mapping[str, str | None]) -> Node:
        try:
            node = replace(node, inputs=self._scope.inputs(described, arguments))
        except NotStarted as error:
            return self.record(replace(node, phase="Error", message=str(error)))
        if reason := self._limit.reason():
            return self.record(replace(node, phase="Failed", message=reason))
        if "suspend" in described:
            return self._gate(node)
        return self._tasks(described, node) if "dag" in described else self._tries.run(described, node, self._limit)

    def _gate(self, node: Node) -> Node:
        """Wait for a person to resume. If nobody does, the clock is put forward to the deadline."""
        node = self.record(replace(node, phase="Running"))
        if self._resume(node) and not self._limit.reason():
            return self.record(replace(node, phase="Succeeded"))
        reason = self._limit.put_forward()
        if not reason:
            raise errors.NobodyResumes(self._subject.name, node.name)
        return self.record(replace(node, phase="Failed", message=reason))

    def _template(self, name: str) -> dict[str, Any]:
        if name not in self._templates:
            raise errors.UnknownName("template", name, f"workflow {self._subject.name}")
        return dict(self._templates[name])

    # --- a DAG ---

    def _tasks(self, template: dict[str, Any], node: Node) -> Node:
        node = self.record(replace(node, phase="Running"))
        template = tags.substitute(template, self._scope.values(node), f"template {template['name']}", later=_TASK_TAGS)
        tasks = {task["name"]: task for task in template["dag"]["tasks"]}
        ended = self._run_tasks(template, tasks, node)
        phase = dag.phase(list(tasks.values()), ended, fail_fast=template["dag"].get("failFast", True))
        if phase != "Succeeded":
            return self.record(replace(node, phase=phase))
        return self.record(self._with_outputs(template, replace(node, phase=phase), ended))

    def _run_tasks(self, template: Mapping[str, Any], tasks: dict[str, Any], node: Node) -> dict[str, Node]:
        """Run all tasks, each after the tasks that it depends on."""
        waiting, ended = dict(tasks), dict[str, Node]()
        room = _room(template)
        running: dict[Future[Node], str] = {}
        with ThreadPoolExecutor(len(tasks)) as pool, self._stopped_by_an_error():
            while waiting or running:
                for name in [name for name, task in waiting.items() if set(dag.parents(task)) <= ended.keys()]:
                    task = _Task(waiting.pop(name), node, tasks, dict(ended), room)
                    running[pool.submit(self._guarded, partial(self._task, task))] = name
                if not running:
                    raise errors.UnknownName("start for the tasks", ", ".join(waiting), f"template {template['name']}")
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    ended[running.pop(future)] = future.result()
        return ended

    def _guarded(self, start: Callable[[], Node]) -> Node:
        with self._stopped_by_an_error():
            return start()

    @contextmanager
    def _stopped_by_an_error(self) -> Iterator[None]:
        """Stop the whole run if the rehearsal itself fails, or if a person interrupts it."""
        try:
            yield
        except BaseException:
            self._limit.stop("the rehearsal can't go on")
            raise

    def _task(self, task: "_Task") -> Node:
        node = Node(name=task.name, path=task.path, template=task.template, started_s=self.now_s())
        try:
            if not dag.may_start(task.task, task.tasks, task.ended):
                return self.record(replace(node, phase="Omitted", message="omitted: depends condition not met"))
            values = self._task_values(task)
            if "withParam" in task.task:
                return self._group(task, node, values)
            return self._start(task, node, values)
        except (NotStarted, tags.Absent, expressions.Unreadable, fan_out.NoList) as error:
            return self.record(replace(node, phase="Error", message=str(error)))

    def _start(self, task: "_Task", node: Node, values: scope.Values) -> Node:
        """Run a task, or the task of an item, unless its `when` is false."""
        asked = tags.substitute(task.task.get("when", ""), values | self._scope.standing(), task.where)
        if asked and not _runs(asked):
            return self.record(replace(node, phase="Skipped", message=f"when '{asked}' evaluated false"))
        arguments = scope.arguments(task.task, values, task.where)
        with task.room:
            return self._execute(task.template, task.path, task.name, arguments)

    # --- a task for each item of a list ---

    def _group(self, task: "_Task", node: Node, values: scope.Values) -> Node:
        """Run a task for each item in parallel. A failed task leaves the others running and fails the group."""
        items = self._items(task, values)
        if not items:
            return self.record(replace(node, phase="Skipped", message=fan_out.NONE))
        node = self.record(replace(node, phase="Running"))
        with ThreadPoolExecutor(len(items)) as pool:
            started = [pool.submit(self._guarded, partial(self._of_item, task, item, values)) for item in items]
        broken = [phase for future in started if (phase := future.result().phase) in nodes.BROKEN]
        return self.record(replace(node, phase=broken[-1] if broken else "Succeeded"))

    def _items(self, task: "_Task", values: scope.Values) -> list[Item]:
        """Read the list. If `when` is false whatever the items are, a list that can't be read yet is empty."""
        standing = values | self._scope.standing()
        asked = tags.substitute(task.task.get("when", ""), standing, task.where, later=(fan_out.TAG,))
        if asked and "{{" not in asked and not _runs(asked):
            try:
                return fan_out.items(task.name, task.task["withParam"], task.where)
            except fan_out.NoList:
                return []
        return fan_out.items(task.name, tags.substitute(task.task["withParam"], values, task.where), task.where)

    def _of_item(self, group: "_Task", item: Item, values: scope.Values) -> Node:
        task = group.of(item)
        node = Node(name=task.name, path=task.path, template=task.template, started_s=self.now_s())
        try:
            return self._start(task, node, values | item.values)
        except (NotStarted, tags.Absent, expressions.Unreadable) as error:
            return self.record(replace(node, phase="Error", message=str(error)))

    def _task_values(self, task: "_Task") -> dict[str, str | None]:
        values = self._scope.values()
        for name in dag.ancestors(task.task, task.tasks):
            values |= self._node_values(name, task.ended[name])
        return values

    def _node_values(self, name: str, node: Node) -> dict[str, str | None]:
        return scope.of_task(name, node, self._template(node.template))

    def _with_outputs(self, template: Mapping[str, Any], node: Node, ended: Mapping[str, Node]) -> Node:
        values = self._scope.values()
        for name, task in ended.items():
            values |= self._node_values(name, task)
        try:
            return replace(node, outputs=scope.dag_outputs(template, values))
        except NotStarted as error:
            return replace(node, phase="Error", message=str(error))

    # --- telling, and time ---

    def record(self, node: Node) -> Node:
        """Keep the newest state of a node and report it."""
        return self._keep(replace(node, duration_s=self.now_s() - node.started_s))

    def _keep(self, node: Node) -> Node:
        with self._lock:
            self.nodes[node.path] = node
            self._say(node)
        return node

    def _deadline(self) -> float | None:
        seconds = self._subject.spec.get("activeDeadlineSeconds")
        return None if seconds is None else self._began + float(seconds) * self.time_scale

    def now_s(self) -> float:
        return time.monotonic() - self._began


@dataclass(frozen=True)
class _Task:
    """A task of a DAG, with the node around it and the tasks that ended before it."""

    task: Mapping[str, Any]
    around: Node
    tasks: Mapping[str, Any]
    ended: Mapping[str, Node]
    room: AbstractContextManager[object]  # limits the tasks that run at once

    @property
    def name(self) -> str:
        return str(self.task["name"])

    @property
    def template(self) -> str:
        return str(self.task["template"])

    def of(self, item: Item) -> "_Task":
        """Return the task of an item."""
        return replace(self, task={**self.task, "name": item.name})

    @property
    def path(self) -> str:
        return f"{self.around.path}.{self.name}"

    @property
    def where(self) -> str:
        return f"task {self.name} of template {self.around.template}"


def _room(template: Mapping[str, Any]) -> AbstractContextManager[object]:
    """Limit the tasks that run at once to a template's `parallelism` (checkParallelism in operator.go)."""
    at_once = template.get("parallelism")
    return nullcontext() if at_once is None else threading.BoundedSemaphore(int(at_once))


def _runs(when: str) -> bool:
    try:
        return expressions.when(when)
    except expressions.Unreadable as error:
        raise NotStarted(f"Invalid 'when' expression '{when}': {error}") from error
