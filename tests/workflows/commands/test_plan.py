"""A plan first, and a gate: what a person has read is what is done, or nothing is."""

import pytest

from steps.contract import names
from steps.contract.backup_contract import CLAIM
from workflows.rehearsal.threescale import objects as threescale_objects

pytestmark = pytest.mark.thorough

SAVING = ("secrets", "configmaps", "apimanager", "file-storage", "external", "seal")
SET_ASIDE = ("set-aside-objects", "set-aside-files")
ACTING = (*SET_ASIDE, "file-storage", "secrets", "configmaps", "apimanager", "routes")


def phases(workflow):
    return {node.name: node.phase for node in workflow.nodes if node.phase != "Running"}


def created(stage):
    """What a restore wrote, but for its evidence."""
    mine = [each for each in stage.kubernetes.writes() if "restore" in each.user]
    return [each for each in mine if each.name != "threescale-restore-results"]


def put_zync(stage):
    for secret in threescale_objects.sample("secrets", stage.namespace):
        if secret["metadata"]["name"] == "zync":
            stage.kubernetes.apply(secret)


def test_a_backup_s_plan_alone_is_said_and_makes_nothing(installed):
    installed.kubernetes.clear_requests()

    workflow = installed.backup(name="nightly", plan="only")

    assert workflow.phase == "Succeeded", workflow.message
    told = workflow.node("prepare")
    assert told.outputs["digest"] in told.attempts[-1].log
    assert told.outputs["summary"] in told.attempts[-1].log
    assert "save: " in told.outputs["names"]
    assert {phases(workflow)[name] for name in SAVING} == {"Skipped"}
    assert "System FileStorage: no folder is skipped" in workflow.node("source").attempts[-1].log
    assert workflow.outputs[CLAIM] == ""
    assert installed.kubernetes.writes() == []


def test_a_backup_s_plan_that_would_be_refused_fails_and_is_no_evidence_of_a_backup(installed):
    installed.kubernetes.delete("secrets", installed.namespace, "my-policy")
    installed.kubernetes.clear_requests()

    workflow = installed.backup(plan="only")

    assert workflow.phase == "Failed"
    attempt = workflow.node("prepare").attempts[-1]
    assert "are missing in namespace threescale: Secret my-policy" in attempt.message
    assert "record " in attempt.log
    assert attempt.message in workflow.node("report").outputs["report"]
    assert installed.kubernetes.writes() == []
    assert installed.get("configmaps", names.BACKUP_RESULTS) is None


@pytest.mark.thorough
def test_a_mistyped_word_of_a_backup_is_refused_and_reported(installed):
    workflow = installed.backup(plan="onyl")

    assert workflow.phase == "Failed"
    assert "'onyl' is not one of 'no', 'only'" in workflow.node("prepare").attempts[-1].message
    assert "'onyl'" in workflow.node("report").outputs["report"]


@pytest.mark.thorough
def test_a_backup_says_the_plan_that_it_goes_by(installed):
    digest = installed.backup(name="nightly", plan="only").node("prepare").outputs["digest"]

    workflow = installed.backup(name="nightly")

    assert workflow.phase == "Succeeded", workflow.message
    assert workflow.node("prepare").outputs["digest"] == digest
    assert f"plan {digest}" in workflow.node("prepare").attempts[-1].log


@pytest.mark.lesson(5)
def test_a_plan_alone_is_said_and_changes_nothing(lost):
    lost.kubernetes.clear_requests()

    workflow = lost.restore("nightly", plan="only")

    assert workflow.phase == "Succeeded", workflow.message
    told = workflow.node("plan")
    assert told.outputs["digest"] in told.attempts[-1].log
    assert "create" in told.outputs["summary"]
    assert "Secret zync" in told.outputs["names"]
    assert phases(workflow).items() >= {"approve": "Skipped", "prepare": "Skipped"}.items()
    assert {phases(workflow)[name] for name in ACTING} == {"Omitted"}
    assert created(lost) == []


def test_a_plan_that_would_be_refused_fails_with_that_sentence_after_all_its_lines(lost):
    put_zync(lost)
    lost.kubernetes.patch("secrets", lost.namespace, "zync", {"data": {"DATABASE_URL": "eA=="}})

    workflow = lost.restore("nightly", plan="only")

    assert workflow.phase == "Failed"
    attempt = workflow.node("plan").attempts[-1]
    assert "differ from the backup (Secret zync: DATABASE_URL)" in attempt.message
    assert "wait " in attempt.log
    assert lost.get("configmaps", names.RESTORE_RESULTS) is None


def test_a_plan_is_made_of_what_would_be_refused_before_the_backup_is_mounted_too(lost):
    lost.kubernetes.delete("secrets", lost.namespace, "system-redis")

    workflow = lost.restore("nightly", plan="only")

    assert workflow.node("check").phase == "Succeeded"
    attempt = workflow.node("plan").attempts[-1]
    assert "missing in namespace threescale: Secret system-redis." in attempt.message
    assert "create" in attempt.log


@pytest.mark.thorough
def test_by_another_digest_nothing_is_done(lost):
    lost.kubernetes.clear_requests()

    workflow = lost.restore("nightly", plan_digest="0" * 64)

    assert workflow.phase == "Failed"
    assert f"The plan is no longer {'0' * 64}" in workflow.node("prepare").attempts[-1].message
    assert created(lost) == []


def test_a_mistyped_word_is_refused_before_anything_else(lost):
    workflow = lost.restore("nightly", plan="onyl")

    assert workflow.phase == "Failed"
    assert "'onyl' is not one of 'no', 'only'" in workflow.node("check").attempts[-1].message
    assert phases(workflow)["prepare"] == "Omitted"


@pytest.mark.thorough
def test_a_gate_that_nobody_opens_ends_failed_with_nothing_changed(lost):
    lost.kubernetes.clear_requests()

    workflow = lost.restore("nightly", approve="yes")

    assert workflow.phase == "Failed"
    assert workflow.node("approve").message == "Step exceeded its deadline"
    assert phases(workflow)["prepare"] == "Omitted"
    assert created(lost) == []


@pytest.mark.thorough
def test_a_target_that_has_changed_behind_the_gate_is_left_alone(lost):
    def resume(_node):
        put_zync(lost)
        return True

    lost.engine.resume = resume
    lost.kubernetes.clear_requests()

    workflow = lost.restore("nightly", approve="yes")

    assert workflow.phase == "Failed"
    digest = workflow.node("plan").outputs["digest"]
    assert f"The plan is no longer {digest}" in workflow.node("prepare").attempts[-1].message
    assert created(lost) == []


@pytest.mark.thorough
def test_what_was_planned_approved_and_is_still_so_is_done(lost):
    digest = lost.restore("nightly", plan="only").node("plan").outputs["digest"]
    asked = []
    lost.engine.resume = lambda node: asked.append(node.name) or True

    workflow = lost.restore("nightly", approve="yes", plan_digest=digest)

    assert workflow.phase == "Succeeded", workflow.message
    assert asked == ["approve"]
    assert workflow.node("prepare").outputs["plan-digest"] == digest
