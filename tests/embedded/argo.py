"""The rehearsal's engine with more of Argo: schedules, retries, stops and metrics, and a hook at each start."""

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.embedded.metrics import Exporter
from workflows.rehearsal import errors
from workflows.rehearsal.argo import dag, engine, nodes, tags
from workflows.rehearsal.argo.fan_out import Item
from workflows.rehearsal.argo.nodes import Node, Workflow
from workflows.rehearsal.argo.run import Run, _Task
from workflows.rehearsal.argo.scope import Subject, Values
from workflows.rehearsal.kubernetes.port import Manifest
from workflows.rehearsal.kubernetes.store import copied

_KEPT_PHASES = ("Succeeded", "Skipped", "Omitted")

OnStart = Callable[[str, subprocess.Popen[bytes]], None]


class NotToRepeat(errors.RehearsalError):
    def __init__(self, verb: str, name: str, phase: str) -> None:
        super().__init__(f"workflow {name} must be Failed/Error to {verb}, and is {phase}")


class Again(Run):
    """A run that keeps nodes of an earlier one, that can be stopped, and that tells its metrics."""

    def __init__(self, metrics: Exporter, kept: Mapping[str, Node], subject: Subject, *more: Any) -> None:
        super().__init__(subject, *more)
        self._metrics = metrics
        self._kept = kept  # by path
        self._main = self._limit
        self._status = ""
        self._reused: set[str] = set()
        self._fresh: set[str] = set()

    def stop(self) -> None:
        """Stop what runs, as `argo stop` does; the exit handler still runs."""
        self._main.stop("workflow shutdown with strategy:  Stop")

    # --- metrics ---

    def entrypoint(self, template: str) -> Node:
        root = super().entrypoint(template)
        self._status = "Succeeded" if root.phase in ("Skipped", "Omitted") else root.phase
        return root

    def tell(self) -> None:
        """Tell the metrics of the workflow."""
        ended = {"workflow.status": self._status, "workflow.duration": f"{self.now_s():.6f}"}
        described = self._subject.spec.get("metrics")
        self._metrics.compute(described, self._scope.values() | ended, f"workflow {self._subject.name}")

    def _execute(self, template: str, path: str, name: str, arguments: Mapping[str, str | None]) -> Node:
        node = super()._execute(template, path, name, arguments)
        values = self._scope.values(node) | {"status": node.phase, "duration": f"{node.duration_s:.6f}"}
        values |= {f"outputs.parameters.{key}": value for key, value in node.outputs.items()}
        self._metrics.compute(self._template(template).get("metrics"), values, f"template {template}")
        return node

    # --- nodes of an earlier run ---

    def _task(self, task: _Task) -> Node:
        return self._reuse(task) or super()._task(task)

    def _of_item(self, group: _Task, item: Item, values: Values) -> Node:
        return self._reuse(group.of(item)) or super()._of_item(group, item, values)

    def _reuse(self, task: _Task) -> Node | None:
        """Keep a node that ended well before, as long as everything before it is kept too."""
        kept = self._kept.get(task.path)
        before = all(task.ended[name].path in self._reused for name in dag.parents(task.task))
        if task.around.path in self._fresh or not before:
            self._fresh.add(task.path)
            return None
        if kept is None or kept.phase not in _KEPT_PHASES:
            return None
        for path, node in self._kept.items():
            if path == task.path or path.startswith((f"{task.path}.", f"{task.path}(")):
                self._reused.add(path)
                self._scope.publish(node, self._template(node.template))
                self._keep(replace(node, started_s=self.now_s(), duration_s=0.0))
        return kept


class Engine(engine.Engine):
    """What `argo` and the clock do with a workflow besides starting it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._crons: dict[str, Manifest] = {}
        self._fired: list[str] = []  # CronWorkflows of what runs
        self._runs: list[Again] = []
        self._kept: dict[str, Mapping[str, Node]] = {}  # by the name of the workflow that is about to run
        self.metrics = Exporter()

    @property
    def on_start(self) -> OnStart | None:
        """Called with the name of the node and the process at each start."""
        return self._kubelet.on_start

    @on_start.setter
    def on_start(self, hook: OnStart | None) -> None:
        self._kubelet.on_start = hook

    def apply(self, manifest: Manifest) -> None:
        super().apply(manifest)
        if manifest["kind"] == "CronWorkflow":
            self._crons[manifest["metadata"]["name"]] = copied(manifest)

    def submit(
        self,
        template: str,
        parameters: Mapping[str, str] = {},
        *,
        entrypoint: str | None = None,
        name: str | None = None,
    ) -> Workflow:
        """Run a workflow from a template to its end, like `argo submit`, under a name and from a template in it."""
        return self._submit(template, parameters, name or engine.generated(template), entrypoint=entrypoint)

    def submit_cron(self, name: str) -> Workflow:
        """Fire a CronWorkflow once."""
        if name not in self._crons:
            raise errors.UnknownName("CronWorkflow", name, f"namespace {self._namespace}")
        spec = self._crons[name]["spec"]["workflowSpec"]
        given = spec.get("arguments", {}).get("parameters", [])
        parameters = {parameter["name"]: tags.as_text(parameter["value"]) for parameter in given}
        labels = {f"{nodes.LABEL}/cron-workflow": name, **spec.get("workflowMetadata", {}).get("labels", {})}
        fired = {"status": {"lastScheduledTime": nodes.stamp(time.time())}}
        self._cluster.apply({**copied(self._crons[name]), **fired})
        template, called = spec["workflowTemplateRef"]["name"], f"{name}-{int(time.time())}"
        self._fired.append(name)
        try:
            return self._submit(template, parameters, called, labels=labels)
        finally:
            self._fired.remove(name)

    def tick(self, name: str) -> Workflow | None:
        """Fire a CronWorkflow as the clock does: not where one of it still runs and it forbids a second, as ours do."""
        policy = self._crons[name]["spec"].get("concurrencyPolicy")
        if policy != "Forbid":
            raise errors.UnknownName("concurrencyPolicy that is played", str(policy), f"CronWorkflow {name}")
        return None if name in self._fired else self.submit_cron(name)

    def retry(self, workflow: Workflow) -> Workflow:
        """Run again what failed, like `argo retry`: same name and uid, the template as stored, successes are kept."""
        _must_have_failed("retry", workflow)
        self._kept[workflow.name] = {node.path: node for node in workflow.nodes}
        return self._run(workflow)

    def resubmit(self, workflow: Workflow, *, memoized: bool = False) -> Workflow:
        """Run a new workflow with the same arguments, like `argo resubmit`; `memoized` skips what succeeded before."""
        name = engine.generated(workflow.name)
        if memoized:
            _must_have_failed("resubmit in memoized mode", workflow)
            self._kept[name] = _memoized(workflow, name)
        labels = {f"{nodes.LABEL}/resubmitted-from-workflow": workflow.name}
        entrypoint = str(workflow.spec["entrypoint"])
        return self._submit(workflow.template, workflow.arguments, name, entrypoint=entrypoint, labels=labels)

    def stop(self) -> None:
        """Stop the workflows that run, like `argo stop`; their exit handlers still run."""
        for run in list(self._runs):
            run.stop()

    def _new_run(self, subject: Subject) -> Run:
        kept = self._kept.pop(subject.name, {})
        return Again(self.metrics, kept, subject, self._pods, self._say, self._time_scale, self.resume)

    def _to_the_end(self, workflow: Workflow, run: Again) -> Workflow:
        self._runs.append(run)
        try:
            ended = super()._to_the_end(workflow, run)
        finally:
            self._runs.remove(run)
        run.tell()
        return ended


def _must_have_failed(verb: str, workflow: Workflow) -> None:
    if workflow.phase not in nodes.BROKEN:
        raise NotToRepeat(verb, workflow.name, workflow.phase)


def _memoized(workflow: Workflow, name: str) -> dict[str, Node]:
    """Return the nodes that a new workflow keeps: a pod that succeeded counts as skipped, with its outputs."""
    kept = {}
    for node in workflow.nodes:
        path = name + node.path.removeprefix(workflow.name)
        if node.attempts and node.phase == "Succeeded" and not node.retried:
            message = f"original pod: {nodes.node_id(workflow.name, node.path)}"
            kept[path] = replace(node, path=path, phase="Skipped", message=message)
        else:
            kept[path] = replace(node, path=path)
    return kept
