"""Retention, top to bottom: decide by the catalogue, then delete. The volume of a failed run is read before deletion.

Where repositories are configured, a first phase reads back the copies that are to take the place of claims. It does
nothing without `keep-local`. One more phase decides on the copies there, by the same rules under other names. Its
credentials may be others than those of the push, which need not be able to delete.

A scheduled backup with rules ends with the same DAG, in its exit handler and under the account of retention. There
`continueOn` keeps a good backup green if retention fails. A leaf of the backup's own DAG could not do that.

The workflow's deadline does not apply in the exit handler, and the lock is held, so no phase is tried again. Without
retries, the timeout also ends a pod that no node can take. Each failed run has a task of its own, so the others
continue if one volume can't be mounted. Only a few of these tasks run at once.

A green backup reports nothing about retention to Prometheus. In the exit handler the DAG therefore reports itself, as a
run of `prune`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hera.expr import g
from hera.workflows import DAG, Container, Parameter, Task, WorkflowTemplate

from steps.contract.arguments import ONLY, PLAN
from steps.contract.declaration import DeclaredPhase
from steps.contract.prune_contract import (
    PruneArguments,
    PruneDecide,
    PruneDelete,
    PruneForget,
    PruneLook,
    PruneReadBack,
    PruneRemove,
    RulesAsked,
)
from steps.contract.values import YES
from workflows.monitoring import metrics
from workflows.monitoring.template import About, workflow_template
from workflows.rendering import conditions
from workflows.rendering.exit_handler import WHATEVER_COMES
from workflows.rendering.parameters import declare, value
from workflows.rendering.phase import Pod, phase
from workflows.rendering.placement import anywhere
from workflows.rendering.settings import Settings

NAME = "threescale-prune"
PRUNE = "prune"
_AT_ONCE = 4  # tasks in parallel, so that many failed runs don't take the nodes from others
_ASKED = ("sealed", "scheduled")  # outputs of a backup; retention runs if both are `yes`
_CLAIM = "claim-name"
_LOCAL = "keep-local"
_ABOUT = About(
    NAME,
    PruneArguments,
    title="Delete old backups of 3scale",
    description="Deletes the claims of backups that no rule keeps, and the claims of failed runs. Nothing is deleted "
    "without a keep-... rule. With plan=only, the run only prints what would be deleted.",
    advice="The logs of `delete` and `remove` list the deleted claims. Nothing else was deleted. Submit the workflow "
    "again to apply the rules again. With `-p plan=only`, the run only prints what would be deleted.",
    on_one_node=False,
)


def prune(settings: Settings, rules: PruneArguments) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-prune`, with these rules as the defaults of its arguments."""
    asked = declare(PruneArguments, rules)
    with workflow_template(settings, _ABOUT, asked=asked) as built:
        _retention(settings, asked, first=True)
    return built


def at_the_end(settings: Settings, rules: PruneArguments) -> Mapping[str, Any]:
    """Build the same for the exit handler of a backup. It runs when a scheduled backup is sealed."""
    asked = declare(PruneArguments, rules)
    return {
        "name": PRUNE,
        "template": _retention(settings, asked, first=False),
        "when": conditions.both(*(conditions.equal(conditions.of_run(name), YES) for name in _ASKED)),
        "continue_on": WHATEVER_COMES,
    }


def _retention(settings: Settings, asked: Mapping[str, Parameter], *, first: bool) -> DAG:
    """Build the DAG. `first`: for a workflow of its own, which checks its arguments and retries its phases."""
    reads = bool(settings.repositories) and (first or bool(asked[_LOCAL].value))
    asking = settings if reads else settings.model_copy(update={"repositories": ()})
    given = {name: value(name) for name in declare(RulesAsked)}
    pod = Pod(affinity=anywhere(), account=settings.account(NAME), retried=first)

    def template(declared: type[DeclaredPhase], pod: Pod = pod) -> Container:
        is_first = declared is (PruneReadBack if reads else PruneDecide)
        known = (asked if is_first else ()) if first and declared.judges else None
        return phase(asking, declared, pod, known=known, inputs=asked)

    read_back = template(PruneReadBack, replace(pod, timeout="6h")) if reads else None
    decide, delete, remove = (template(each) for each in (PruneDecide, PruneDelete, PruneRemove))
    look = phase(settings, PruneLook, replace(pod, retried=False))
    failed_run = _failed_run(look, remove, {name: asked[name] for name in given})
    told = None if first else metrics.of_runs_within(PRUNE)
    with DAG(name=PRUNE, inputs=list(asked.values()), fail_fast=False, parallelism=_AT_ONCE, metrics=told) as dag:
        told_all = {**given, PLAN: value(PLAN)}
        read = [Task(name="read-back", template=read_back, arguments=told_all)] if read_back else []
        decided = Task(name="decide", template=decide, arguments=told_all)
        acts = conditions.differ(decided.get_parameter(PLAN).value, ONLY)
        deleted = Task(
            name="delete",
            template=delete,
            arguments={**given, "doomed": decided.get_parameter("doomed")},
            when=conditions.both(acts, conditions.differ(decided.get_parameter("to-delete").value, "0")),
        )
        failed = Task(
            name=str(failed_run.name),
            template=failed_run,
            arguments={**given, _CLAIM: f"{g.item:$}"},
            with_param=decided.get_parameter("failed"),
            when=acts,
        )
        decided >> [deleted, failed, *_forgotten(settings, asked, pod, first=first)]
        for each in read:
            each >> decided
    return dag


def _forgotten(settings: Settings, asked: Mapping[str, Parameter], pod: Pod, *, first: bool) -> list[Task]:
    """Return the task for the copies in the repositories, where there are some. At the end of a backup it needs rules.

    No node is named, because it mounts no backup.
    """
    if not settings.repositories or not (first or _keeps_copies(asked)):
        return []
    forget = phase(settings.for_pruning, PruneForget, replace(pod, timeout="2h"), inputs=asked)
    return [Task(name="forget", template=forget, arguments={name: value(name) for name in declare(PruneForget)})]


def _keeps_copies(asked: Mapping[str, Parameter]) -> bool:
    return any(name.startswith("repository-keep-") and str(each.value) not in {"", "0"} for name, each in asked.items())


def _failed_run(look: Container, remove: Container, rules: Mapping[str, Parameter]) -> DAG:
    """For one claim of a failed run: read its volume, and remove the claim if the volume holds nothing."""
    claim = declare(PruneLook)[_CLAIM]
    with DAG(name="failed-run", inputs=[*rules.values(), claim], fail_fast=False) as dag:
        looked = Task(name="look", template=look, arguments={_CLAIM: value(_CLAIM)})
        removed = Task(
            name="remove",
            template=remove,
            arguments={**{name: value(name) for name in (*rules, _CLAIM)}, "uid": looked.get_parameter("uid")},
            when=conditions.equal(looked.get_parameter("holds").value, "nothing"),
        )
        looked >> removed
    return dag
