"""A plan first, and a gate that a person opens or nobody does: on a real controller nothing is changed before that."""

import pytest

from steps.contract.backup_contract import CLAIM
from tests.live.argo import saved
from tests.live.argo.argo import Argo
from tests.live.installation import Operator
from tests.live.stage import Stage

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("program")]

SAVING = ("secrets", "configmaps", "apimanager", "file-storage", "external", "seal")
SET_ASIDE = ("set-aside-objects", "set-aside-files")
ACTING = (*SET_ASIDE, "file-storage", "secrets", "configmaps", "apimanager", "routes")
MADE_BY_A_RESTORE = ("apimanagers", "persistentvolumeclaims", "configmaps", "secrets")
REPLACE = {"on_conflict": "replace", "file_storage_conflict": "replace"}
EVIDENCE = "threescale-restore-results"


def there(stage: Stage) -> list[str]:
    """Name all that a restore could have made, but for its evidence."""
    found = [(kind, obj) for kind in MADE_BY_A_RESTORE for obj in stage.kubernetes.list(kind, stage.namespace)]
    return sorted(f"{kind} {obj['metadata']['name']}" for kind, obj in found if obj["metadata"]["name"] != EVIDENCE)


def lose(stage: Stage, argo: Argo) -> None:
    """Back up an installation and lose it."""
    stage.installation.install()
    backup = argo.wait(argo.backup(name="nightly"))
    assert backup.phase == "Succeeded", backup.failures()
    stage.kubernetes.delete("workflows", stage.namespace, backup.name)
    stage.installation.lose()
    stage.installation.give_database_secrets()


def test_a_backup_that_is_only_planned_makes_nothing(live: Stage, argo: Argo) -> None:
    live.installation.install()
    before = there(live)

    planned = argo.wait(argo.backup(name="nightly", plan="only"))

    assert planned.phase == "Succeeded", planned.failures()
    assert {planned.phase_of(name) for name in SAVING} == {"Skipped"}
    assert planned.node("prepare(0)").outputs["digest"]
    assert planned.outputs.get(CLAIM, "") == ""
    assert there(live) == before


def test_what_was_planned_and_approved_is_done_and_nothing_before(live: Stage, argo: Argo) -> None:
    lose(live, argo)
    before = there(live)

    planned = argo.wait(argo.restore("nightly", plan="only"))
    digest = planned.node("plan(0)").outputs["digest"]

    assert planned.phase == "Succeeded", planned.failures()
    assert (planned.phase_of("approve"), planned.phase_of("prepare")) == ("Skipped", "Skipped")
    assert {planned.phase_of(name) for name in ACTING} == {"Omitted"}
    assert there(live) == before

    other = argo.wait(argo.restore("nightly", plan_digest="0" * 64))

    assert f"The plan is no longer {'0' * 64}. It is {digest} now" in other.node("prepare(0)").message
    assert there(live) == before

    name = argo.restore("nightly", approve="yes", plan_digest=digest)
    argo.wait_until(name, "the gate", lambda found: found.phase_of("approve") == "Running")
    assert there(live) == before
    argo.approve(name)
    with Operator(live.kubernetes, live.installation):
        restored = argo.wait(name)

    assert restored.phase == "Succeeded", restored.failures()
    assert restored.node("prepare(0)").outputs["plan-digest"] == digest


def test_what_is_replaced_is_set_aside_and_otherwise_those_phases_are_skipped(live: Stage, argo: Argo) -> None:
    live.installation.install()
    backup = argo.wait(argo.backup(name="nightly"))
    assert backup.phase == "Succeeded", backup.failures()
    live.kubernetes.delete("workflows", live.namespace, backup.name)
    _, files = live.another_installation()

    planned = argo.wait(argo.restore("nightly", plan="only", **REPLACE))
    assert planned.phase == "Succeeded", planned.failures()
    digest = planned.node("plan(0)").outputs["digest"]
    with Operator(live.kubernetes, live.installation):
        restored = argo.wait(argo.restore("nightly", plan_digest=digest, **REPLACE))
        again = argo.wait(argo.restore("nightly"))

    assert restored.phase == "Succeeded", restored.failures()
    assert {restored.phase_of(name) for name in SET_ASIDE} == {"Succeeded"}
    tree = saved.look(live.installation, f"{restored.name}-replaced").tree
    assert {name: node.content for name, node in tree.items()} == {name: node.content for name, node in files.items()}
    assert again.phase == "Succeeded", again.failures()
    assert {again.phase_of(name) for name in SET_ASIDE} == {"Skipped"}


def test_a_gate_that_nobody_opens_ends_with_the_deadline_and_nothing_changed(live: Stage, argo: Argo) -> None:
    lose(live, argo)
    before = there(live)

    soon = {"spec": {"activeDeadlineSeconds": 60}}  # in the place of twelve hours
    live.kubernetes.patch("workflowtemplates", live.namespace, "threescale-restore", soon)
    name = argo.restore("nightly", approve="yes")
    argo.wait_until(name, "the gate", lambda found: found.phase_of("approve") == "Running")
    ended = argo.wait(name)

    assert ended.phase == "Failed"
    assert ended.node("approve").message == "Step exceeded its deadline"
    assert ended.phase_of("prepare") == "Omitted"
    assert "report" in ended.node("report").outputs
    assert there(live) == before
