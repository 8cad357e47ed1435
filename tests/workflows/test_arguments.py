"""Arguments of whole workflows: mistyped names, refusals, plans, and what no argument may decide."""

import json
import signal
from typing import Any

import pytest

from steps.catalogue import catalogue
from steps.contract import names
from steps.contract.backup_contract import CLAIM
from tests.builders.crons import WATCHED
from tests.builders.nights import KEEP, backups, nights, prune
from tests.builders.receiver import receiving
from tests.conftest import Stage
from workflows.backup import backup
from workflows.manifests import render
from workflows.monitoring import metrics
from workflows.rehearsal.argo.engine import Workflow
from workflows.rehearsal.rehearse import SETTINGS
from workflows.schedule import schedule

pytestmark = pytest.mark.thorough

SCHEDULE = "threescale-backup-schedule"
MISTYPED = {
    "backup": ({"storge-request": "20Gi"}, "'storge-request' (storage-request?)"),
    "restore": ({"claim-name": "nightly", "on-conflct": "keep"}, "'on-conflct' (on-conflict?)"),
    "prune": ({"keep-day": "3", "keep-last": "1"}, "'keep-day' (keep-daily?)"),
    "verify": ({"claim": "first"}, "'claim' (claim-name?)"),
    "drill": ({"scratch-namespace": "scratch", "claim": "first"}, "'claim' (claim-name?)"),
    "watchdog": ({"maxage": "3d"}, "'maxage' (max-age?)"),
}


OTHERS = {"plan": "yes", "workers": "many", "name": "A.B"}  # that are refused too


def value(stage: Stage, operation: str, name: str, **labels: str) -> float | None:
    mine = {metrics.OPERATION: operation, metrics.NAMESPACE: stage.namespace, **labels}
    return stage.engine.metrics.value(metrics.exported(name), **mine)


def record(stage: Stage, workflow: Workflow, name: str = names.BACKUP_RESULTS) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((stage.get("configmaps", name) or {})["data"][f"{workflow.name}.json"])
    return found


@pytest.fixture
def watched(installed: Stage) -> Stage:
    """The sample installation, with the watchdog too."""
    for manifest in render(SETTINGS, [WATCHED]):
        installed.engine.apply(manifest)
    return installed


@pytest.mark.parametrize("operation", MISTYPED)
def test_an_argument_with_a_mistyped_name_is_refused_before_anything_is_done(watched: Stage, operation: str) -> None:
    given, sentence = MISTYPED[operation]
    watched.kubernetes.clear_requests()

    done = watched.engine.submit(f"threescale-{operation}", given)

    written = [each for each in watched.kubernetes.writes() if each.resource not in {"workflows", "pods", "configmaps"}]
    failed = [node.name for node in done.nodes if node.attempts and node.phase == "Failed"]
    assert (done.phase, len(failed)) == ("Failed", 1)
    assert sentence in done.failures[-1]["message"] + done.node(failed[0]).log
    assert "Nothing was changed" in done.node("report").log
    assert written == []
    assert value(watched, operation, metrics.RUNS, status="refused") == 1
    assert value(watched, operation, metrics.RUNS, status="Failed") is None
    assert value(watched, operation, metrics.FAILURE) is None
    assert watched.engine.metrics.errors == []


def test_all_names_are_known_that_the_form_shows(installed: Stage) -> None:
    declared = backup(SETTINGS).to_dict()["spec"]["arguments"]["parameters"]
    names = {each["name"]: each["value"] for each in declared}

    assert installed.engine.submit("threescale-backup", {**names, "plan": "only"}).phase == "Succeeded"


@pytest.mark.parametrize(
    "given",
    [
        {"storge-request": "1Gi"},
        *({name: word} for name, word in OTHERS.items()),
    ],
)
def test_a_backup_whose_arguments_were_refused_to_a_person_is_no_failed_backup(
    installed: Stage, given: dict[str, str]
) -> None:
    nights(installed)
    refused = installed.engine.submit("threescale-backup", given)

    entry = record(installed, refused)
    assert (refused.phase, entry["outcome"]) == ("Failed", "refused")
    assert entry["advice"].startswith("Nothing was changed, and the run does not count as failed")
    assert catalogue.failed_run(installed.connect(), []) == ""
    assert value(installed, "backup", metrics.RUNS, status="refused") == 1
    assert value(installed, "backup", metrics.FAILURE) is None
    assert prune(installed).node("decide").outputs["to-delete"] == "2"


def scheduled(stage: Stage, **arguments: str) -> Workflow:
    """A night whose CronWorkflow somebody has edited."""
    cron = schedule(SETTINGS, "0 2 * * *", "UTC").to_dict()
    cron["spec"]["workflowSpec"]["arguments"]["parameters"] += [
        {"name": name, "value": value} for name, value in arguments.items()
    ]
    stage.engine.apply(cron)
    return stage.engine.submit_cron(SCHEDULE)


def test_a_scheduled_run_that_is_refused_is_a_failure(installed: Stage) -> None:
    nights(installed)

    refused = scheduled(installed, keepday="3")

    assert record(installed, refused)["outcome"] == "failed"
    assert catalogue.failed_run(installed.connect(), []) == refused.name
    assert value(installed, "backup", metrics.RUNS, status="Failed") == 1
    assert value(installed, "backup", metrics.FAILURE) is not None
    assert "the newest run failed" in prune(installed).node("decide").log


def test_a_failure_that_is_none_of_the_arguments_stays_one(empty: Stage) -> None:
    failed = empty.backup()

    assert record(empty, failed)["outcome"] == "failed"
    assert value(empty, "backup", metrics.FAILURE) is not None
    assert catalogue.failed_run(empty.connect(), []) == failed.name


def test_a_refusal_is_told_as_one_and_a_plan_to_nobody(installed: Stage) -> None:
    for manifest in render(SETTINGS.model_copy(update={"notify_secret": "mine"})):
        installed.engine.apply(manifest)
    with receiving() as receiver:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "namespace": installed.namespace}}
        installed.kubernetes.apply({**secret, "stringData": {"url": receiver.base}})
        installed.backup(storage_reques="1Gi")
        installed.backup(plan="only")
        installed.engine.submit("threescale-prune", {"plan": "yes"})

    (told,) = receiver.posted
    assert told.json["outcome"] == "refused"
    assert " refused: prepare: " in told.json["sentence"]
    assert "This workflow has no argument 'storage-reques' (storage-request?)" in told.json["sentence"]


# --- what retention at the end follows ---


def with_rules(stage: Stage) -> None:
    stage.engine.apply(backup(SETTINGS, KEEP).to_dict())
    nights(stage)


@pytest.mark.lesson(8)
@pytest.mark.parametrize("said", ["x' != '' || 'a", "' == '' || '", "x"])
def test_no_argument_closes_the_quotes_of_a_condition(empty: Stage, said: str) -> None:
    with_rules(empty)

    done = empty.backup(schedule=said)

    assert (done.phase, done.node("prune").phase) == ("Failed", "Skipped")
    assert len(backups(empty)) == 4


def test_retention_follows_no_plan_even_of_a_schedule(installed: Stage) -> None:
    with_rules(installed)

    done = installed.backup(schedule="nights", plan="only")

    assert (done.phase, done.node("prune").phase) == ("Succeeded", "Skipped")
    assert done.node("prune").message.startswith("when ''{{workflow.outputs.parameters.sealed}}' == 'yes'")
    assert len(backups(installed)) == 4


def test_retention_follows_no_run_that_was_stopped(installed: Stage) -> None:
    with_rules(installed)
    installed.engine.on_start = lambda node, _process: installed.engine.stop() if node == "file-storage" else None

    done = installed.backup(schedule="nights")

    assert (done.phase, done.node("prune").phase) == ("Failed", "Skipped")
    assert len(backups(installed)) == 4 + 1


def test_the_record_of_a_failed_try_goes_when_the_backup_is_sealed_after_all(installed: Stage) -> None:
    def kill(node: str, process: Any) -> None:
        if node == "seal":
            process.send_signal(signal.SIGKILL)

    installed.engine.on_start = kill
    failed = installed.backup(name="nightly")
    before = record(installed, failed)
    installed.engine.on_start = None

    done = installed.engine.retry(failed)

    (entry,) = [each for each in catalogue.read(installed.connect()) if each.name == done.outputs[CLAIM]]
    assert (failed.phase, before["outcome"], done.phase) == ("Failed", "failed", "Succeeded")
    assert entry.state == "complete"
    assert "data" not in (installed.get("configmaps", names.BACKUP_RESULTS) or {})
