"""Whole runs tell their result to a URL that a Secret holds, and to nobody else."""

import json
from datetime import datetime
from typing import Any

import pytest

from steps.archive import marks
from steps.contract import names
from steps.kubernetes import fields
from tests.builders.crons import WATCHED
from tests.builders.notifications import SECRET, TOLD, give_url
from tests.builders.receiver import receiving
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS

CANARY = "canary-of-a-webhook"
READ_BY_PEOPLE = ("events", "persistentvolumeclaims", "pods", "workflows", "workflowtaskresults", "configmaps")


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def told(empty):
    """A namespace whose templates tell their results."""
    for manifest in render(TOLD):
        empty.engine.apply(manifest)
    return empty


def kept(stage: Any, *workflows: Any) -> dict[str, str]:
    """All that people and Argo can read of a run, by its place."""
    return {
        **{f"{workflow.name}: log of {node.name}": node.log for workflow in workflows for node in workflow.nodes},
        **{workflow.name: repr(workflow) for workflow in workflows},
        **{resource: json.dumps(stage.kubernetes.list(resource, stage.namespace)) for resource in READ_BY_PEOPLE},
    }


@pytest.mark.lesson(20)
@pytest.mark.thorough
def test_a_failure_and_a_success_are_told_and_the_url_is_kept_nowhere(told: Any, receiver: Any) -> None:
    give_url(told, f"{receiver.base}/{CANARY}\n")
    failed = told.backup()
    told.install()
    good = told.backup(name="nightly")

    failure, success = (posted.json for posted in receiver.posted)
    claim = told.get("persistentvolumeclaims", "nightly")
    assert (failed.phase, good.phase) == ("Failed", "Succeeded")
    assert (failure["operation"], failure["outcome"], failure["workflow"]) == ("backup", "failed", failed.name)
    assert failure["failures"][0]["phase"] == "prepare"
    assert (failure["failures"][0]["code"], failure["failures"][0]["facts"]) == (
        "no-api-manager",
        {"namespace": told.namespace},
    )
    assert failure["advice"].startswith("No finished backup was made.")
    assert (success["outcome"], success["claim"], success["backup"]) == ("succeeded", "nightly", "nightly")
    assert success["counts"] == {
        "files": int(fields.label(claim, marks.FILES)),
        "bytes": int(fields.label(claim, marks.BYTES)),
    }
    assert success["threescale_version"] == "2.16.0"
    assert datetime.fromisoformat(success["began"]) <= datetime.fromisoformat(success["ended"])
    assert [posted.path for posted in receiver.posted] == [f"/{CANARY}"] * 2
    assert good.node("notify").outputs["notification"] == "sent"
    assert good.node("report").phase == "Skipped"
    places = kept(told, failed, good)
    assert [place for place, text in places.items() if CANARY in text or receiver.base in text] == []


@pytest.mark.thorough
def test_a_restore_tells_what_its_evidence_says(lost: Any, receiver: Any) -> None:
    for manifest in render(TOLD):
        lost.engine.apply(manifest)
    give_url(lost, receiver.base)

    workflow = lost.restore("mistyped")

    (posted,) = receiver.posted
    record = json.loads(lost.get("configmaps", names.RESTORE_RESULTS)["data"][f"{workflow.name}.json"])
    assert posted.json["sentence"].startswith("restore mistyped in namespace threescale failed: check: ")
    assert {name: posted.json[name] for name in ("began", "ended", "failures", "advice")} == {
        name: record[name] for name in ("began", "ended", "failures", "advice")
    }


def test_a_secret_that_is_not_there_is_said_and_turns_no_good_run_red(told: Any) -> None:
    told.install()

    workflow = told.engine.submit("threescale-backup", {"name": "nightly"}, entrypoint="prepare")

    assert workflow.phase == "Succeeded"
    assert "not sent: There is no URL to send the notification to" in workflow.node("notify").outputs["notification"]
    assert "The Secret that `--notify-secret` named is missing" in workflow.node("notify").log


def broken(stage: Any, task: str, script: str) -> None:
    """Have a task of the exit handler end as a script does."""
    for manifest in render(TOLD):
        if manifest["kind"] == "WorkflowTemplate":
            (phase,) = [template for template in manifest["spec"]["templates"] if template["name"] == task]
            phase["container"]["command"] = ["python", "-c", script]
            stage.engine.apply(manifest)


@pytest.mark.thorough
def test_a_notification_whose_pod_fails_turns_no_good_run_red(told: Any) -> None:
    told.install()
    broken(told, "notify", "raise SystemExit(1)")

    workflow = told.engine.submit("threescale-backup", {"name": "nightly"}, entrypoint="prepare")

    assert (workflow.phase, workflow.node("notify").phase) == ("Succeeded", "Failed")


@pytest.mark.thorough
def test_a_report_that_fails_keeps_no_notification_back_and_no_failure_green(told: Any, receiver: Any) -> None:
    give_url(told, receiver.base)
    broken(told, "report", "raise SystemExit(1)")

    workflow = told.backup()

    assert (workflow.phase, workflow.node("report").phase) == ("Failed", "Failed")
    assert receiver.posted[0].json["outcome"] == "failed"


def exits(settings: Any) -> dict[str, dict[str, dict[str, Any]]]:
    """The tasks of each exit handler, by names."""
    return {
        manifest["metadata"]["name"]: {task["name"]: task for task in template["dag"]["tasks"]}
        for manifest in render(settings, [WATCHED])
        if manifest["kind"] == "WorkflowTemplate"
        for template in manifest["spec"]["templates"]
        if template["name"] == "exit"
    }


def test_where_no_secret_is_named_a_good_run_pays_no_pod_and_nothing_mounts_one() -> None:
    found = exits(SETTINGS)

    assert len(found) == 6
    assert {name for tasks in found.values() for name in tasks} == {"report", "remove"}
    when = {task["when"] for tasks in found.values() for task in tasks.values()}
    assert when == {"'{{workflow.status}}' != 'Succeeded'"}
    assert "secretName" not in json.dumps(render(SETTINGS, [WATCHED]))


def test_the_secret_is_a_file_of_one_phase_and_no_variable_or_argument() -> None:
    for manifest in render(TOLD, [WATCHED]):
        named = [part["name"] for part in manifest.get("spec", {}).get("templates", []) if SECRET in json.dumps(part)]
        if manifest["kind"] == "WorkflowTemplate":
            (phase,) = [part for part in manifest["spec"]["templates"] if part["name"] == "notify"]
            assert named == ["notify"]
            assert SECRET not in json.dumps(phase["container"])
            assert "env" not in phase["container"]
            assert {"name": "secret", "mountPath": "/secret", "readOnly": True} in phase["container"]["volumeMounts"]


def test_the_failure_of_a_notification_is_none_of_the_workflow_s() -> None:
    for tasks in exits(TOLD).values():
        report, notify = tasks["report"], tasks["notify"]
        assert report["continueOn"] == notify["continueOn"] == {"error": True, "failed": True}
        assert notify["dependencies"] == ["report"]
        assert "depends" not in {*report, *notify}


def test_a_plan_is_told_to_nobody_and_a_watchdog_that_is_content_neither() -> None:
    when = {name: tasks["notify"].get("when", "") for name, tasks in exits(TOLD).items()}
    acts = "'{{workflow.outputs.parameters.plan}}' != 'only'"

    assert when == {
        **dict.fromkeys(("threescale-backup", "threescale-restore", "threescale-prune"), acts),
        **dict.fromkeys(("threescale-verify", "threescale-drill"), ""),
        "threescale-watchdog": "'{{workflow.status}}' != 'Succeeded'",
    }
