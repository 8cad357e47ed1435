"""Retention as whole workflows: by itself, and at the end of a scheduled backup."""

import json
import shutil
import time
from datetime import datetime
from pathlib import Path

import pytest

from steps.archive import begin_marker, layout, marks
from steps.catalogue import catalogue
from steps.catalogue.catalogue import BackupState
from steps.contract.backup_contract import CLAIM
from steps.contract.prune_contract import PruneArguments
from tests.builders.claims import CLAIMS
from tests.builders.nights import KEEP, backups, failed, nights, prune
from tests.conftest import Sealed, Stage
from workflows.backup import backup
from workflows.monitoring import metrics
from workflows.rehearsal.argo.engine import Workflow
from workflows.rehearsal.rehearse import SETTINGS
from workflows.schedule import schedule


def begin(root: Path, name: str) -> None:
    """Leave the marker of the run that failed."""
    marker = begin_marker.Begin(backup=name, workflow=f"of-{name}", workflow_uid="gone")
    (root / layout.BEGIN).write_bytes(layout.as_json(marker.model_dump()))


def exported(stage: Stage, name: str, **labels: str) -> float | None:
    """What Prometheus would find of retention."""
    mine = {metrics.OPERATION: "prune", metrics.NAMESPACE: stage.namespace, **labels}
    return stage.engine.metrics.value(metrics.exported(name), **mine)


def phases(workflow: Workflow) -> dict[str, str]:
    return {node.path.removeprefix(f"{workflow.name}."): node.phase for node in workflow.nodes if node.name != "prune"}


@pytest.fixture
def mixed(empty: Stage, sealed: Sealed) -> Stage:
    """Four nights, and what is left of five runs that failed."""
    begin(failed(empty, "begun"), "begun")
    empty.engine.volume("begun").joinpath("secrets").mkdir()
    failed(empty, "empty")
    root = shutil.copytree(sealed.folder, failed(empty, "nightly"), symlinks=True, dirs_exist_ok=True)
    facts = json.loads((root / layout.MANIFEST).read_bytes())
    started = empty.get(CLAIMS, "nightly")["metadata"]["annotations"][marks.STARTED]
    (root / layout.MANIFEST).write_bytes(layout.as_json({**facts, "started": started}))
    (failed(empty, "strange") / "mine.txt").write_text("somebody's")
    begin(failed(empty, "unreadable"), "unreadable")
    (empty.engine.volume("unreadable") / layout.MANIFEST).mkdir()
    empty.kubernetes.storage_classes["standard"] = "Never"
    failed(empty, "unbound")
    empty.kubernetes.storage_classes["standard"] = "Immediate"
    nights(empty)
    return empty


@pytest.mark.lesson(19)
@pytest.mark.thorough
def test_old_backups_and_what_is_left_of_failed_runs_go_and_nothing_else(mixed: Stage) -> None:
    done = prune(mixed)

    assert backups(mixed) == {"night-3", "night-4", "nightly", "strange", "unreadable"}
    found = {entry.name: entry.state for entry in catalogue.read(mixed.connect())}
    assert found["nightly"] is BackupState.COMPLETE  # its label was lost
    assert done.node("decide").outputs["to-delete"] == "3"
    assert done.node("delete").outputs == {"deleted": "3", "spared": "0", "failure": ""}
    assert "night-1: deleted: no rule keeps it" in done.node("delete").log
    assert "With Retain, the data stay on the PersistentVolume" in done.node("decide").log
    told = phases(done)
    assert {path: phase for path, phase in told.items() if path.endswith(("look", "remove"))} == {
        "failed-run(0:begun).look": "Succeeded",
        "failed-run(0:begun).remove": "Succeeded",
        "failed-run(1:empty).look": "Succeeded",
        "failed-run(1:empty).remove": "Succeeded",
        "failed-run(2:nightly).look": "Succeeded",
        "failed-run(2:nightly).remove": "Skipped",
        "failed-run(3:strange).look": "Succeeded",
        "failed-run(3:strange).remove": "Skipped",
        "failed-run(4:unreadable).look": "Succeeded",
        "failed-run(4:unreadable).remove": "Skipped",
    }
    assert done.phase == "Succeeded"
    look = next(node for node in done.nodes if node.path.endswith("(4:unreadable).look"))
    assert "kept: " in look.attempts[-1].log  # what can't be read is for a person
    assert "manifest.json is not a regular file" in look.attempts[-1].log
    again = prune(mixed)
    assert backups(mixed) == {"night-3", "night-4", "nightly", "strange", "unreadable"}
    assert (again.node("decide").outputs["to-delete"], again.node("delete").phase) == ("0", "Skipped")


@pytest.mark.parametrize("word", ["only", "yes"])
def test_a_plan_says_of_each_what_would_become_of_it_and_changes_nothing(mixed: Stage, word: str) -> None:
    before = {name: mixed.get(CLAIMS, name) for name in mixed.exists(CLAIMS)}
    mixed.kubernetes.clear_requests()

    done = prune(mixed, plan=word)

    log = done.node("decide").log
    assert done.phase == "Succeeded"
    assert (done.node("delete").phase, done.node("failed-run").phase) == ("Skipped", "Skipped")
    assert mixed.kubernetes.writes() == []
    assert {name: mixed.get(CLAIMS, name) for name in mixed.exists(CLAIMS)} == before
    assert "keep    night-4     last, the newest, the newest by the API server's clock" in log
    assert "delete  night-1     no rule keeps it" in log
    assert "delete  begun       its run failed longer ago than failed-after, unless its volume holds a manifest" in log
    assert "2 to keep, 8 to delete, 5 of them only after their volume is read" in log
    assert "only a plan, nothing is deleted" in log
    assert exported(mixed, metrics.RUNS, status="Succeeded") is None


def test_without_a_rule_nothing_is_deleted(mixed: Stage) -> None:
    done = prune(mixed, **{"keep-last": "0"})

    assert done.phase == "Succeeded"
    assert "nothing is deleted: no retention rule is set" in done.node("decide").log
    assert exported(mixed, metrics.RUNS, status="Succeeded") == 1
    assert (done.node("delete").phase, done.node("failed-run").phase) == ("Skipped", "Skipped")


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"keep-within": "7"}, "'--keep-within': '7' is not a duration"),
        ({"timezone": "Madrid"}, "'Madrid' is not a time zone"),
        ({"keep-daily": "-1"}, "'--keep-daily': '-1' is not a whole number"),
    ],
)
@pytest.mark.thorough
def test_a_mistyped_rule_is_one_sentence_and_nothing_is_deleted(
    empty: Stage, rule: dict[str, str], sentence: str
) -> None:
    done = prune(empty, **rule)

    assert done.phase == "Failed"
    assert sentence in done.node("decide").log


def with_rules(stage: Stage, rules: PruneArguments = KEEP) -> None:
    stage.engine.apply(backup(SETTINGS, rules).to_dict())


@pytest.mark.lesson(19)
@pytest.mark.thorough
def test_a_scheduled_backup_ends_with_retention_under_the_account_that_may_delete(installed: Stage) -> None:
    nights(installed)
    with_rules(installed)
    installed.engine.apply(schedule(SETTINGS, "0 2 * * *", "UTC").to_dict())

    done = installed.engine.submit_cron("threescale-backup-schedule")

    deletions = [request for request in installed.kubernetes.requests if request.verb == "delete"]
    assert done.phase == "Succeeded"
    assert backups(installed) == {"night-4", done.outputs[CLAIM]}
    assert {request.user.rpartition(":")[2] for request in deletions} == {"threescale-prune"}
    assert phases(done)["onExit.prune.delete"] == "Succeeded"
    assert exported(installed, metrics.RUNS, status="Succeeded") == 1
    assert exported(installed, metrics.FAILURE) is None
    assert "onExit.report" in phases(done)


SAYS = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
for name in sys.argv[2:]:
    (folder / name).write_text("yes")
"""


def ended(stage: Stage, *said: str) -> Workflow:
    """Run a backup's exit handler: what goes before is a phase that says `yes` of these outputs."""
    template = backup(SETTINGS, KEEP).to_dict()
    (mount,) = template["spec"]["templates"][0]["container"]["volumeMounts"]
    says = {"image": "any", "command": ["python", "-c", SAYS], "args": ["/tmp/outputs", *said], "volumeMounts": [mount]}
    outputs = [
        {"name": name, "globalName": name, "valueFrom": {"path": f"/tmp/outputs/{name}", "default": ""}}
        for name in ("sealed", "scheduled")
    ]
    volumes = [{"name": "tmp", "emptyDir": {}}]
    template["spec"]["templates"].append(
        {"name": "says", "container": says, "volumes": volumes, "outputs": {"parameters": outputs}}
    )
    stage.engine.apply(template)
    return stage.engine.submit("threescale-backup", {}, entrypoint="says")


@pytest.mark.thorough
def test_a_backup_that_a_person_asks_for_or_that_is_not_sealed_deletes_nothing(empty: Stage) -> None:
    nights(empty)

    of_a_person, unsealed = ended(empty, "sealed"), ended(empty, "scheduled")

    assert (of_a_person.node("prune").phase, unsealed.node("prune").phase) == ("Skipped", "Skipped")
    assert exported(empty, metrics.RUNS, status="Succeeded") is None
    assert len(backups(empty)) == 4


def test_a_retention_that_fails_leaves_a_good_backup_green_and_is_red_itself(empty: Stage) -> None:
    nights(empty)
    empty.kubernetes.delete("roles", empty.namespace, "threescale-prune")

    done = ended(empty, "sealed", "scheduled")

    assert done.phase == "Succeeded"
    assert (done.node("prune").phase, phases(done)["onExit.prune.decide"]) == ("Failed", "Failed")
    assert "not allowed to list persistentvolumeclaims" in done.node("decide").log
    assert len(backups(empty)) == 4
    assert exported(empty, metrics.RUNS, status="Failed") == 1
    assert exported(empty, metrics.FAILURE) == datetime.fromisoformat(done.metadata["creationTimestamp"]).timestamp()
    assert (exported(empty, metrics.DURATION, status="Failed") or 0) > 0
    assert (exported(empty, metrics.SUCCESS), empty.engine.metrics.errors) == (None, [])


@pytest.mark.lesson(8)
@pytest.mark.thorough
def test_a_scheduled_backup_that_fails_deletes_nothing(empty: Stage) -> None:
    nights(empty)
    with_rules(empty)

    done = empty.backup(schedule="nights")

    assert (done.phase, done.node("prune").phase) == ("Failed", "Skipped")
    assert len(backups(empty)) == 4


@pytest.mark.thorough
@pytest.mark.lesson(8)
def test_a_run_that_failed_before_its_claim_holds_retention_up_though_a_plan_succeeded_since(installed: Stage) -> None:
    nights(installed)
    installed.kubernetes.quota(CLAIMS, installed.namespace, limit=len(installed.exists(CLAIMS)))
    lost = installed.backup(schedule="nights")
    time.sleep(1)
    planned = installed.backup(plan="only")

    done = prune(installed)

    assert (lost.phase, planned.phase, done.phase) == ("Failed", "Succeeded", "Succeeded")
    assert f"nothing is deleted: the newest run failed: workflow {lost.name}" in done.node("decide").log
    assert len(backups(installed)) == 4


def test_without_rules_a_backup_has_no_such_end() -> None:
    tasks = [template for template in backup(SETTINGS).to_dict()["spec"]["templates"] if template["name"] == "prune"]

    assert tasks == []
    assert backup(SETTINGS, PruneArguments()).to_dict() == backup(SETTINGS).to_dict()
