"""The watchdog as a workflow, with the rights of its own account, and what it tells Prometheus."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steps.archive import marks
from steps.kubernetes import times
from tests.builders.claims import laid, sealed
from tests.builders.commands import ask
from tests.builders.crons import BY_NIGHT, WATCHED, WATCHED_BY_NIGHT
from tests.builders.notifications import TOLD, give_url
from tests.builders.receiver import receiving
from workflows import schedule, watchdog
from workflows.access import of_watchdog
from workflows.manifests import render
from workflows.monitoring import metrics
from workflows.rehearsal.rehearse import SETTINGS

WATCH_NAME = f"{watchdog.NAME}-schedule"
RENDERED = render(TOLD, [BY_NIGHT, WATCHED_BY_NIGHT])
CRONS = {item["metadata"]["name"]: item["spec"] for item in RENDERED if item["kind"] == "CronWorkflow"}


@pytest.fixture
def watched(empty: Any) -> Any:
    """A namespace with all that is rendered, and no backup yet."""
    for manifest in RENDERED:
        empty.engine.apply(manifest)
    return empty


def value(stage: Any, name: str, **labels: str) -> float | None:
    found: float | None = stage.engine.metrics.value(
        metrics.exported(name), **{metrics.NAMESPACE: stage.namespace}, **labels
    )
    return found


def night(stage: Any, name: str, age: timedelta, **labels: str) -> datetime:
    started = (datetime.now(UTC) - age).replace(microsecond=0)
    laid(stage, name, started=times.utc(started), **sealed(**labels))
    return started


@pytest.mark.thorough
@pytest.mark.lesson(15)
def test_backups_that_stopped_fail_the_watchdog_and_one_that_came_ends_the_alarm(watched: Any) -> None:
    old = night(watched, "night-1", timedelta(hours=50), **{marks.VERIFIED: "20261102T050000Z"})
    watched.kubernetes.patch("cronworkflows", watched.namespace, schedule.NAME, {"spec": {"suspend": True}})
    watched.kubernetes.clear_requests()
    with receiving() as receiver:
        give_url(watched, receiver.base)
        failed = watched.engine.submit_cron(WATCH_NAME)
        sentence = failed.node("watch").attempts[-1].message
        overdue = {name: value(watched, name) for name in (metrics.NEWEST, metrics.SCHEDULED, metrics.VERIFIED)}
        new = night(watched, "night-2", timedelta(hours=2))
        good = watched.engine.submit_cron(WATCH_NAME)

    assert failed.phase == "Failed"
    assert "It began 50 h ago, more than 26h. CronWorkflow threescale-backup-schedule is suspended" in sentence
    assert sentence.removeprefix("main: Error (exit code 1): ") in failed.node("report").outputs["report"]
    assert overdue[metrics.NEWEST] == old.timestamp()
    assert overdue[metrics.SCHEDULED] == 0
    assert overdue[metrics.VERIFIED] == datetime(2026, 11, 2, 5, tzinfo=UTC).timestamp()
    assert good.phase == "Succeeded", good.message
    assert "the newest complete backup, night-2, began 2 h ago. CronWorkflow" in good.node("watch").log
    assert value(watched, metrics.NEWEST) == new.timestamp()
    assert value(watched, metrics.BACKUPS, state="complete") == 2
    assert value(watched, metrics.NEWEST_BYTES) == value(watched, metrics.BEFORE_BYTES) == 3400
    assert abs((value(watched, metrics.WATCHED) or 0) - datetime.now(UTC).timestamp()) < 60
    assert watched.engine.metrics.errors == []
    assert [(posted.json["operation"], posted.json["outcome"]) for posted in receiver.posted] == [
        ("watchdog", "failed"),
    ]
    assert "CronWorkflow threescale-backup-schedule is suspended" in receiver.posted[0].json["sentence"]
    assert {request.resource for request in watched.kubernetes.writes()} <= {"workflowtaskresults"}


@pytest.mark.thorough
def test_a_catalogue_that_can_not_be_read_is_told_of_by_silence(watched: Any) -> None:
    night(watched, "night-1", timedelta(hours=2))
    watched.kubernetes.refuse_next("list", "persistentvolumeclaims", status=403)

    failed = watched.engine.submit(watchdog.NAME)

    assert failed.phase == "Failed"
    assert "not allowed to list persistentvolumeclaims" in failed.node("watch").attempts[-1].message
    assert value(watched, metrics.WATCHED) is None
    assert value(watched, metrics.RUNS, operation="watchdog", status="Failed") == 1
    assert watched.engine.metrics.errors == []


def test_the_watchdog_s_account_changes_nothing() -> None:
    (role,) = [manifest for manifest in of_watchdog(SETTINGS) if manifest["kind"] == "Role"]
    given = {(verb, resource) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}

    assert {(verb, resource) for verb, resource in given if verb not in {"get", "list"}} == {
        ("create", "workflowtaskresults"),
        ("patch", "workflowtaskresults"),
    }
    assert "secrets" not in {resource for _, resource in given}


def test_a_long_restore_does_not_keep_the_watchdog_from_looking() -> None:
    mutexes = {
        manifest["metadata"]["name"]: manifest["spec"]["synchronization"]["mutexes"]
        for manifest in RENDERED
        if manifest["kind"] == "WorkflowTemplate"
    }

    assert mutexes[watchdog.NAME] == [{"name": "threescale-watchdog"}]
    assert mutexes["threescale-restore"] == [{"name": "threescale"}]


def test_a_watchdog_that_no_node_takes_keeps_the_next_from_looking_for_less_than_an_hour() -> None:
    (spec,) = [
        m["spec"] for m in RENDERED if m["kind"] == "WorkflowTemplate" and m["metadata"]["name"] == watchdog.NAME
    ]
    exit_s = 20 * 60  # report and notify, by their timeouts

    assert spec["activeDeadlineSeconds"] + exit_s < 3600
    assert "affinity" not in spec


@pytest.mark.lesson(16)
@pytest.mark.parametrize("name", CRONS)
def test_after_an_outage_one_run_makes_up_for_all_and_none_takes_another_s_place_or_name(name: str) -> None:
    spec = CRONS[name]
    arguments = {item["name"] for item in spec["workflowSpec"]["arguments"]["parameters"]}

    assert spec["concurrencyPolicy"] == "Forbid"
    assert 0 < spec["startingDeadlineSeconds"] <= 3600  # Argo then runs the last that was missed, and no other
    assert spec["timezone"]
    assert "name" not in arguments
    assert "metadata" not in spec["workflowSpec"]  # the name is the CronWorkflow's and the time
    assert not spec.get("suspend")
    assert spec["failedJobsHistoryLimit"] > 0


def test_the_watchdog_asks_for_what_was_said_and_looks_at_our_schedule() -> None:
    arguments = CRONS[WATCH_NAME]["workflowSpec"]["arguments"]["parameters"]

    assert arguments == [{"name": "max-age", "value": "26h"}, {"name": "schedule", "value": schedule.NAME}]
    assert CRONS[WATCH_NAME]["schedules"] == [WATCHED.cron]


def test_without_a_schedule_of_ours_the_watchdog_looks_for_none() -> None:
    (cron,) = [item["spec"] for item in render(TOLD, [WATCHED]) if item["kind"] == "CronWorkflow"]

    assert {"name": "schedule", "value": ""} in cron["workflowSpec"]["arguments"]["parameters"]


def test_an_administrator_asks_from_outside_the_cluster(watched: Any) -> None:
    night(watched, "night-1", timedelta(hours=50))

    young = ask(watched, "check", "--max-age", "3d")
    old = ask(watched, "check")
    mistyped = ask(watched, "check", "--max-age", "26")

    assert young == (0, "the newest complete backup, night-1, began 50 h ago\n", "")
    assert old[:2] == (1, "")
    assert old[2].startswith("Error: The newest complete backup in namespace threescale is night-1")
    assert mistyped[0] == 2
    assert "Invalid value for '--max-age': '26' is not a duration" in mistyped[2]
