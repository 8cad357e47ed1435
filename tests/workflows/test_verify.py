"""The verification as a whole workflow, on the embedded cluster."""

import subprocess

import pytest

from steps.archive import layout, marks
from steps.kubernetes import fields
from tests.builders.claims import CLAIMS
from tests.builders.commands import described
from tests.builders.volumes import flip, state_of
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS
from workflows.schedule import Cron


def of(stage, name="nightly"):
    return stage.get(CLAIMS, name)


@pytest.mark.thorough
@pytest.mark.lesson(2, 21)
def test_the_newest_backup_is_verified_and_nothing_but_its_claim_is_written(kept):
    before = state_of(kept.engine.volume("nightly"))
    kept.kubernetes.clear_requests()

    workflow = kept.verify()

    told = described(kept)["verified"]
    assert workflow.phase == "Succeeded", workflow.message
    assert [node.name for node in workflow.nodes if node.attempts] == ["choose", "read"]
    assert workflow.node("read").outputs == {"files": "43", "bytes": "190509", "verified": "yes", "failure": ""}
    assert state_of(kept.engine.volume("nightly")) == before
    assert told["workflow"] == workflow.name
    writes = {(request.verb, request.resource, request.name) for request in kept.kubernetes.writes()}
    assert writes == {("patch", CLAIMS, "nightly")}


@pytest.mark.thorough
@pytest.mark.lesson(3)
def test_a_damage_fails_the_workflow_with_the_finding_and_marks_the_claim(kept):
    root = kept.engine.volume("nightly") / layout.TREE
    flip(root / "acme/2026/terms and conditions.pdf")

    workflow = kept.verify(claim_name="nightly")

    read, report = workflow.node("read"), workflow.node("report")
    told = described(kept)
    assert (workflow.phase, read.exit_code, len(read.attempts)) == ("Failed", 1, 1)
    assert "terms and conditions.pdf' has different content than the listing" in read.attempts[0].message
    assert told["damaged"]["workflow"] == workflow.name
    assert "terms and conditions.pdf' has different content than the listing" in told["damage"]
    assert "its claim records that" in report.outputs["report"]
    assert not fields.label(of(kept), marks.VERIFIED)


@pytest.mark.thorough
def test_night_by_night_a_share_is_read_until_all_of_it_is(kept):
    for manifest in render(SETTINGS, [Cron("verify", "0 4 * * *", {"sample": "40%"})]):
        kept.engine.apply(manifest)

    seen = []
    for _ in range(3):
        workflow = kept.engine.submit_cron("threescale-verify-schedule")
        assert workflow.phase == "Succeeded", workflow.message
        seen.append((workflow.node("read").outputs["verified"], bool(described(kept)["verifying"])))

    assert seen == [("no", True), ("no", True), ("yes", False)]
    assert described(kept)["verified"]["workflow"] == workflow.name


@pytest.mark.thorough
def test_a_verification_that_is_killed_goes_on_with_the_next_try(kept):
    killed = []

    def kill(node: str, process: subprocess.Popen[bytes]) -> None:
        if node == "read" and not killed:
            killed.append(process.pid)
            kept.kubernetes.after_next("patch", CLAIMS, lambda _request: process.kill())

    kept.engine.on_start = kill
    workflow = kept.verify(sample="40%")

    assert workflow.phase == "Succeeded", workflow.message
    assert len(workflow.node("read").attempts) == 2
    assert described(kept)["verifying"]["position"] < described(kept)["verifying"]["total"] / 2 + 9000
