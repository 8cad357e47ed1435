"""What follows a backup by night on a real Argo: retention at its end, verification, a drill, the watchdog."""

from collections.abc import Callable
from typing import Final

import pytest

from steps.archive import marks
from steps.contract.prune_contract import PruneArguments
from steps.kubernetes import fields
from steps.kubernetes.times import now, utc
from tests.live.argo.argo import NODE_S, Argo
from tests.live.argo.nights import CLAIMS, NEVER
from tests.live.kubernetes import Kubernetes, until
from tests.live.stage import Stage
from workflows import schedule
from workflows.manifests import render

pytestmark = pytest.mark.cluster

RULES: Final = PruneArguments.model_validate({"keep-last": "1", "minimum-redundancy": "1", "failed-after": "0d"})


def left_over(stage: Stage, name: str) -> None:
    """Make the claim of a run that is gone and has written nothing."""
    labels = {marks.BACKUP: name, marks.STATE: "failed", marks.WORKFLOW: "gone", marks.WORKFLOW_UID: "gone"}
    stage.claim(name, labels=labels, annotations={marks.STARTED: utc(now())})


@pytest.mark.lesson(18)
@pytest.mark.lesson(19)
def test_a_scheduled_backup_ends_with_retention_and_stays_green(live: Stage, argo: Argo) -> None:
    live.installation.install()
    for manifest in render(live.settings, [NEVER], RULES):
        live.kubernetes.apply(manifest)
    left_over(live, "left-over")
    first = argo.wait(argo.backup(schedule=schedule.NAME))
    assert first.phase == "Succeeded", first.failures()

    second = argo.wait(argo.backup(schedule=schedule.NAME))

    assert second.phase == "Succeeded", second.failures()
    assert second.phase_of("prune") == "Succeeded"
    assert second.phase_of("delete") == "Succeeded"
    until("the deletion of both claims", lambda: live.goes(first.name) and live.goes("left-over"), NODE_S)
    assert not live.goes(second.name)

    verified = argo.wait(argo.submit("threescale-verify"))
    watched = argo.wait(argo.submit("threescale-watchdog"))

    assert verified.phase == "Succeeded", verified.failures()
    assert watched.phase == "Succeeded", watched.failures()
    claim = live.get(CLAIMS, second.name)
    assert claim
    assert fields.annotation(claim, marks.VERIFIED_BY) == verified.name


@pytest.mark.lesson(2)
def test_a_drill_proves_a_backup_and_leaves_nothing(
    controller: None,  # noqa: ARG001  it runs
    kubernetes: Kubernetes,
    new_stage: Callable[..., Stage],
) -> None:
    scratch = new_stage().namespace
    stage = new_stage(drill_namespace=scratch)
    for manifest in render(stage.settings):
        kubernetes.apply(manifest)
    argo = Argo(kubernetes, stage.namespace, None)
    stage.installation.install()
    assert argo.wait(argo.backup(name="nightly")).phase == "Succeeded"

    drilled = argo.wait(argo.submit("threescale-drill", scratch_namespace=scratch))

    assert drilled.phase == "Succeeded", drilled.failures()
    claim = stage.get(CLAIMS, "nightly")
    assert claim
    assert fields.annotation(claim, marks.PROVEN_BY) == drilled.name
    assert kubernetes.list("apimanagers", scratch) == []
    assert not kubernetes.get("secrets", scratch, "zync")
    until("the deletion of the scratch claim", lambda: stage.goes(f"{drilled.name}-drill"), NODE_S)
