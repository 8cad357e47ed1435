"""The watchdog sees that backups stopped, and what became of the schedule."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from steps import errors
from steps.archive import marks
from steps.catalogue.durations import Duration
from steps.phases import watchdog
from steps.phases.watchdog import Going
from steps.repository import ledger
from steps.repository.ledger import Lock
from tests.builders.claims import CLAIMS, laid, sealed

NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
SCHEDULE = "threescale-backup-schedule"
ADVICE = "Check the schedule and the last backup workflow there. Make a backup if none is running."


def scheduled(stage, *, last="2026-11-03T02:00:00Z", **spec):
    metadata = {"name": SCHEDULE, "namespace": stage.namespace}
    status = {"lastScheduledTime": last} if last else {}
    cron = {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": metadata}
    stage.kubernetes.apply({**cron, "spec": spec, "status": status})


def look(stage, *, now=NOW, schedule=SCHEDULE):
    return watchdog.look(stage.connect(), schedule, now)


def check(stage, limit="26h", **how):
    return look(stage, **how).check(Duration.read(limit, "max-age"), limit)


def refusal(stage, kind=errors.BackupOverdue, **how):
    with pytest.raises(kind) as caught:
        check(stage, **how)
    return str(caught.value)


def old_night(stage):
    laid(stage, "night-1", started="2026-11-01T02:00:00Z", **sealed())


@pytest.fixture
def old(empty):
    """The newest backup is two days old, and the schedule is there and fired."""
    old_night(empty)
    scheduled(empty)
    return empty


def test_a_backup_that_is_young_enough_is_well(empty):
    laid(empty, "night-2", started="2026-11-02T08:00:00Z", **sealed())
    scheduled(empty)
    seen = look(empty)

    newest = seen.check(Duration.read("26h", "max-age"), "26h")
    assert newest.name == "night-2"
    assert seen.well(newest) == "the newest complete backup, night-2, began 25 h ago"


@pytest.mark.lesson(15)
def test_one_that_is_too_old_is_told_in_one_sentence(old):
    assert refusal(old) == (
        "The newest complete backup in namespace threescale is night-1. It began 55 h ago, more than 26h. " + ADVICE
    )


@pytest.mark.lesson(15)
def test_a_schedule_that_was_suspended_is_seen(old):
    scheduled(old, suspend=True)

    said = refusal(old)

    assert "CronWorkflow threescale-backup-schedule is suspended" in said
    assert "`argo cron resume threescale-backup-schedule`" in said


@pytest.mark.lesson(15)
def test_a_schedule_that_was_deleted_is_seen(old):
    old.kubernetes.delete("cronworkflows", old.namespace, SCHEDULE)

    assert f" CronWorkflow {SCHEDULE} does not exist" in refusal(old)


@pytest.mark.lesson(15)
@pytest.mark.parametrize(("last", "since"), [("2026-10-31T02:00:00Z", "since 2026-10-31T02:00:00Z"), ("", "yet")])
def test_a_controller_that_was_down_is_seen(old, last, since):
    scheduled(old, last=last)

    assert f" CronWorkflow {SCHEDULE} has started no workflow {since}" in refusal(old)


def test_of_a_schedule_that_never_started_anything_its_controller_is_named(old):
    old.kubernetes.patch("cronworkflows", old.namespace, SCHEDULE, {"status": {"lastScheduledTime": ""}})

    assert f"A controller with an instanceID ignores CronWorkflow {SCHEDULE}, which has no label" in refusal(old)

    label = {"metadata": {"labels": {"workflows.argoproj.io/controller-instanceid": "ours"}}}
    old.kubernetes.patch("cronworkflows", old.namespace, SCHEDULE, label)

    assert f"Only a controller with the instanceID ours runs CronWorkflow {SCHEDULE}" in refusal(old)


def test_a_suspended_schedule_is_told_of_before_it_is_too_late(empty):
    laid(empty, "night-2", started="2026-11-03T08:00:00Z", **sealed())
    scheduled(empty, suspend=True)
    seen = look(empty)

    assert "is suspended" in seen.well(seen.good[0])


def test_a_schedule_that_nobody_asked_for_is_not_missed(empty):
    old_night(empty)

    assert refusal(empty, schedule="").endswith(f"more than 26h. {ADVICE}")


def test_a_newer_one_that_has_failed_is_told_with_its_reason(old):
    laid(old, "night-2", started="2026-11-03T02:00:00Z", phase="Failed")

    said = refusal(old)

    assert "he last backup, night-2, failed: " in said
    assert "workflow of-night-2 ended as Failed" in said


def test_one_that_runs_is_told_and_does_not_count(old):
    laid(old, "night-2", started="2026-11-03T02:00:00Z", phase="Running")

    assert "orkflow of-night-2 has been making a backup since 2026-11-03T02:00:00Z" in refusal(old)


def test_a_run_that_failed_before_it_made_a_claim_is_told(old):
    failed = old.backup(name="night-2")

    assert f"orkflow {failed.name} failed before it created a claim" in refusal(old)


def test_where_there_is_none_at_all_that_is_said(empty):
    scheduled(empty, last="")

    said = refusal(empty, errors.NoBackup)

    assert said.startswith(
        f"Namespace threescale has no complete backup. CronWorkflow {SCHEDULE} has started no workflow yet"
    )
    assert said.endswith(ADVICE)


def test_a_damaged_backup_and_one_that_is_deleted_do_not_count(old):
    laid(old, "night-2", started="2026-11-03T02:00:00Z", **sealed(**{marks.DAMAGED: "20261103T030000Z"}))
    laid(old, "night-3", started="2026-11-03T03:00:00Z", **sealed())
    held = {"metadata": {"finalizers": ["kubernetes.io/pvc-protection"]}}
    old.kubernetes.patch(CLAIMS, old.namespace, "night-3", held)
    old.kubernetes.delete(CLAIMS, old.namespace, "night-3")

    assert "night-1. It began 55 h ago" in refusal(old)


def test_a_pod_whose_clock_was_ahead_hides_no_silence(empty):
    laid(empty, "night-1", started="2031-01-01T00:00:00Z", **sealed())
    made = datetime.fromisoformat(empty.get(CLAIMS, "night-1")["metadata"]["creationTimestamp"])

    assert "night-1. It began 48 h ago" in refusal(empty, now=made + timedelta(hours=48))


@pytest.mark.lesson(15)
def test_the_facts_are_those_of_the_catalogue_and_not_of_the_last_run(old):
    proof = {marks.VERIFIED: "20261102T050000Z", marks.PROVEN: "20261102T060000Z"}
    laid(old, "night-0", started="2026-10-31T02:00:00Z", **sealed(**{marks.FILES: "24", marks.BYTES: "9000", **proof}))
    laid(old, "night-2", started="2026-11-02T02:00:00Z", phase="Failed")

    facts = look(old).facts()
    assert facts["newest"] == str(int(datetime(2026, 11, 1, 2, tzinfo=UTC).timestamp()))
    assert facts["watched"] == str(int(NOW.timestamp()))
    assert facts["verified"] == str(int(datetime(2026, 11, 2, 5, tzinfo=UTC).timestamp()))
    assert facts["proven"] == str(int(datetime(2026, 11, 2, 6, tzinfo=UTC).timestamp()))
    assert (facts["newest-files"], facts["newest-bytes"]) == ("12", "3400")
    assert (facts["before-files"], facts["before-bytes"]) == ("24", "9000")
    assert (facts["complete"], facts["failed"], facts["running"], facts["unknown"]) == ("2", "1", "0", "0")
    assert (facts["damaged"], facts["scheduled"]) == ("0", "1")
    assert facts["newest-capacity"] in {"NaN", str(1 << 30)}


def test_what_nobody_knows_is_no_number_and_what_never_was_is_zero(empty):
    facts = look(empty, schedule="").facts()

    assert (facts["newest"], facts["verified"], facts["proven"]) == ("0", "0", "0")
    assert {facts[name] for name in ("newest-files", "newest-bytes", "newest-capacity", "before-files")} == {"NaN"}
    assert facts["scheduled"] == "NaN"
    assert look(empty).facts()["scheduled"] == "0"
    assert json.dumps(dict(facts))


@pytest.mark.parametrize(
    ("hours", "words"), [(0, "0 h"), (0.99, "0 h"), (26, "26 h"), (71.9, "71 h"), (72, "3 d"), (-5, "0 h")]
)
def test_an_age_is_never_told_as_more_than_it_is(hours, words):
    assert watchdog.told(timedelta(hours=hours)) == words


def test_a_schedule_is_looked_for_where_argo_is_not(empty):
    empty.kubernetes.without("argoproj.io")
    laid(empty, "night-2", started="2026-11-03T08:00:00Z", **sealed())

    assert look(empty).schedule.going is Going.GONE


def lock(stage, name, days=30.0, **facts):
    until = None if days is None else NOW + timedelta(days=days)
    found = Lock(backup="night-1", checked=NOW, until=until, needed=9, **facts)
    ledger.note_lock(stage.connect(), name, found)


def locks(stage, warning="7d"):
    seen = watchdog.look(stage.connect(), "", NOW, "one,two")
    seen.check_locks(Duration.read(warning, "") if warning else None, warning)
    return seen.facts()["locked-until"]


def test_the_lock_that_ends_first_is_reported_of_two_repositories(empty):
    lock(empty, "one", 30)
    lock(empty, "two", 20)

    assert locks(empty) == str(int((NOW + timedelta(days=20)).timestamp()))


def test_a_lock_that_ends_soon_fails_the_watchdog_with_its_end(empty):
    lock(empty, "one", 6.9)

    with pytest.raises(errors.LockEnds) as caught:
        locks(empty)
    assert "night-1 in repository one ends 2026-11-10T06:36:00Z, in less than 7d" in str(caught.value)
    assert locks(empty, "6d") == locks(empty, "")


def test_an_object_without_a_lock_among_locked_ones_fails_the_watchdog(empty):
    lock(empty, "one", 300, lacking=2)

    with pytest.raises(errors.LockLacking) as caught:
        locks(empty)
    assert "Of 9 objects" in str(caught.value)
    assert locks(empty, "") == "0"


def test_a_store_that_locks_nothing_or_does_not_tell_is_not_reported(empty):
    lock(empty, "one", None, lacking=9)

    assert locks(empty) == "NaN"
