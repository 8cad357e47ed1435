"""Retention, top to bottom: decide by the catalogue, then delete; the volume of a failed run is read before it goes.

A scheduled backup that has rules ends with the same, in its exit handler and under this account: there `continueOn`
leaves a good backup green whatever becomes of it, which no leaf of the backup's own DAG could. No deadline of the
workflow reaches there and the lock is held, so nothing is tried again: then each pod ends by its timeout, also one that
no node can take. Each failed run is a task of its own, so that the others go on where its volume can't be mounted, and
few of them run at once.
A green backup tells Prometheus nothing of that, so there the DAG tells it itself, as a run of `prune`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hera.expr import g
from hera.workflows import DAG, Container, Parameter, Task, WorkflowTemplate

from steps.contract.arguments import ONLY, PLAN
from steps.contract.values import YES
from workflows.monitoring import metrics, notification
from workflows.parameters import PruneParameters, by_name
from workflows.rendering import conditions
from workflows.rendering.exit_handler import WHATEVER_COMES
from workflows.rendering.handover import CLAIM_NAME, count, for_run, output, value, words
from workflows.rendering.mounts import Mount
from workflows.rendering.phase import Metric, phase
from workflows.rendering.placement import anywhere
from workflows.rendering.settings import Settings
from workflows.rendering.template import workflow_template

NAME = "threescale-prune"
PRUNE = "prune"
_AT_ONCE = 4  # tasks that run side by side, so that many failed runs don't take the nodes from others
DOOMED, FAILED, TO_DELETE = "doomed", "failed", "to-delete"

_ASKED = ("sealed", "scheduled")  # outputs of a backup that retention follows
_CLAIM = Parameter(name=CLAIM_NAME, description="Claim of a run that failed.")
_UID = Parameter(name="uid", description="Its uid when its volume was read.")
_DOOMED = Parameter(name=DOOMED, description="Those that may go, by the starts of their uids.")
_ADVICE = (
    "What was deleted is in the log of `delete` and `remove`, all else is as it was. Submitted again it judges anew; "
    "`-p plan=only` only says what it would do."
)


def prune(settings: Settings, rules: PruneParameters) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-prune`, with these rules unless others are asked for."""
    asked = by_name(PruneParameters, rules)
    with workflow_template(
        settings,
        NAME,
        entrypoint=PRUNE,
        title="Delete old backups of 3scale",
        description="Deletes the claims of backups that no rule keeps, and those of runs that failed. plan=only says "
        "what it would do, and does nothing.",
        arguments=list(asked.values()),
        advice=_ADVICE,
        metrics=metrics.of_runs(PRUNE, asked),
        notification=notification.task,
        on_one_node=False,
    ) as built:
        _retention(settings, asked, first=True)
    return built


def at_the_end(settings: Settings, rules: PruneParameters) -> Mapping[str, Any]:
    """Build the same for the exit handler of a backup: it runs when a scheduled one is sealed."""
    asked = by_name(PruneParameters, rules)
    return {
        "name": PRUNE,
        "template": _retention(settings, asked, first=False, told=metrics.of_runs_within(PRUNE)),
        "when": conditions.both(*(conditions.equal(conditions.of_run(name), YES) for name in _ASKED)),
        "continue_on": WHATEVER_COMES,
    }


def _retention(settings: Settings, asked: Mapping[str, Parameter], *, first: bool, told: Sequence[Metric] = ()) -> DAG:
    """All of it; `first`: as a workflow of its own, whose arguments are judged and whose phases are tried again."""
    retried = first
    rules = {name: parameter for name, parameter in asked.items() if name != PLAN}
    given = {name: value(name) for name in rules}
    decide = _phase(
        settings,
        "decide",
        list(asked.values()),
        [output(DOOMED), output(FAILED), output(TO_DELETE), output("kept"), for_run(PLAN) if first else output(PLAN)],
        retried=retried,
        judges=asked if first else None,
    )
    counted = [count("deleted"), count("spared")]
    delete = _phase(settings, "delete", [*rules.values(), _DOOMED], counted, retried=retried)
    remove = _phase(settings, "remove", [*rules.values(), _CLAIM, _UID], counted, retried=retried)
    failed_run = _failed_run(settings, remove, rules, given)
    with DAG(
        name=PRUNE, inputs=list(asked.values()), fail_fast=False, parallelism=_AT_ONCE, metrics=list(told) or None
    ) as dag:
        decided = Task(name="decide", template=decide, arguments={**given, PLAN: value(PLAN)})
        acts = conditions.differ(decided.get_parameter(PLAN).value, ONLY)
        deleted = Task(
            name="delete",
            template=delete,
            arguments={**given, DOOMED: decided.get_parameter(DOOMED)},
            when=conditions.both(acts, conditions.differ(decided.get_parameter(TO_DELETE).value, "0")),
        )
        failed = Task(
            name=str(failed_run.name),
            template=failed_run,
            arguments={**given, CLAIM_NAME: f"{g.item:$}"},
            with_param=decided.get_parameter(FAILED),
            when=acts,
        )
        decided >> [deleted, failed]
    return dag


def _failed_run(settings: Settings, remove: Container, rules: Mapping[str, Parameter], given: Mapping[str, str]) -> DAG:
    """One claim of a run that failed: read its volume, and remove it where that holds nothing."""
    look = phase(
        settings,
        [PRUNE, "look"],
        inputs=[_CLAIM],
        arguments=words([CLAIM_NAME]),
        outputs=[output("holds"), output("uid")],
        mounts=[Mount.BACKUP_READ_ONLY],
        affinity=anywhere(),
        account=NAME,
        retried=False,
    )
    with DAG(name="failed-run", inputs=[*rules.values(), _CLAIM], fail_fast=False) as dag:
        looked = Task(name="look", template=look, arguments={CLAIM_NAME: value(CLAIM_NAME)})
        removed = Task(
            name="remove",
            template=remove,
            arguments={**given, CLAIM_NAME: value(CLAIM_NAME), "uid": looked.get_parameter("uid")},
            when=conditions.equal(looked.get_parameter("holds").value, "nothing"),
        )
        looked >> removed
    return dag


def _phase(
    settings: Settings,
    name: str,
    inputs: Sequence[Parameter],
    outputs: Sequence[Parameter],
    *,
    retried: bool,
    judges: Iterable[str] | None = None,
) -> Container:
    """A phase that mounts nothing, and is told all of its inputs."""
    return phase(
        settings,
        [PRUNE, name],
        inputs=inputs,
        arguments=words(str(each.name) for each in inputs),
        outputs=outputs,
        affinity=anywhere(),
        account=NAME,
        retried=retried,
        judges=judges,
    )
