"""Rules that follow from the shape of a DAG: the order of its tasks, its leaves, and its final phase."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from workflows.rehearsal.argo import expressions
from workflows.rehearsal.argo.nodes import BROKEN, COMPLETED, Node, Phase

Task = Mapping[str, Any]


def condition(task: Task, tasks: Mapping[str, Task] = MappingProxyType({})) -> str:
    """Return when the task may start, in the language of `depends`. `tasks` say which of its parents may fail."""
    named = [_expanded(name, tasks.get(name, {})) for name in task.get("dependencies", [])]
    return str(task.get("depends") or " && ".join(named))


def _expanded(name: str, task: Task) -> str:
    results = {"error": "Errored", "failed": "Failed"}
    also = [f"{name}.{results[end]}" for end, goes_on in (task.get("continueOn") or {}).items() if goes_on]
    return f"({' || '.join([name, *also])})" if also else name


def parents(task: Task) -> tuple[str, ...]:
    """Name the tasks that must end before this task is considered."""
    return expressions.dependencies(condition(task))


def ancestors(task: Task, tasks: Mapping[str, Task]) -> list[str]:
    """Name all tasks before this one; only their outputs can be its arguments."""
    found: dict[str, None] = {}
    waiting = list(parents(task))
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting.extend(parents(tasks[name]))
    return list(found)


def may_start(task: Task, tasks: Mapping[str, Task], ended: Mapping[str, Node]) -> bool:
    """Decide whether the ends of its parents fulfil the condition of the task."""
    text = condition(task, tasks)
    return not text or expressions.depends(text, {name: ended[name].phase for name in parents(task)})


def phase(tasks: Sequence[Task], ended: Mapping[str, Node], *, fail_fast: bool) -> Phase:
    """Return the phase of the DAG, which follows from its leaves.

    With `fail_fast` the first broken leaf decides, else the last.
    """
    by_name = {task["name"]: task for task in tasks}
    inner = {parent for task in tasks for parent in parents(task)}
    leaves = sorted(by_name.keys() - inner)
    branches = [(by_name[leaf], _branch(leaf, by_name, ended)) for leaf in leaves]
    broken = [branch for leaf, branch in branches if branch in BROKEN and not _goes_on(leaf, branch)]
    if not broken:
        return "Succeeded"
    return broken[0] if fail_fast else broken[-1]


def _goes_on(task: Task, phase: Phase) -> bool:
    """Whether a leaf with this end counts as succeeded."""
    return bool((task.get("continueOn") or {}).get(phase.lower()))


def _branch(name: str, tasks: Mapping[str, Task], ended: Mapping[str, Node]) -> Phase:
    """Return the phase of a task. A task that never ran inherits one, a failure before anything else."""
    if ended[name].phase in COMPLETED:
        return ended[name].phase
    inherited = [_branch(parent, tasks, ended) for parent in parents(tasks[name])]
    return next((branch for branch in inherited if branch in BROKEN), "Succeeded")
