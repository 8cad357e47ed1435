"""What goes wrong by night: after each, nothing is lost, the state is listed truly, the next night needs no hand."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steps.archive import marks
from steps.catalogue import catalogue
from steps.catalogue.catalogue import BackupState
from steps.contract.backup_contract import CLAIM
from steps.contract.prune_contract import PruneArguments
from steps.kubernetes import times
from tests.builders.claims import CLAIMS, laid, sealed
from tests.builders.nights import backups, failed
from tests.conftest import Stage
from workflows import schedule
from workflows.backup import backup
from workflows.rehearsal.argo.engine import Workflow
from workflows.rehearsal.rehearse import SETTINGS

pytestmark = pytest.mark.thorough

KEEP = PruneArguments.model_validate({"keep-last": "2", "minimum-redundancy": "1", "failed-after": "0d"})


@pytest.fixture
def by_night(installed: Stage) -> Stage:
    """An installation with a schedule whose backups end with retention."""
    installed.engine.apply(backup(SETTINGS, KEEP).to_dict())
    installed.engine.apply(schedule.schedule(SETTINGS, "0 2 * * *", "UTC").to_dict())
    return installed


def night(stage: Stage) -> Workflow:
    return stage.engine.submit_cron(schedule.NAME)


def earlier(stage: Stage, name: str, **ago: float) -> None:
    """Put a backup of the schedule there, as an earlier night left it."""
    started = times.utc(datetime.now(UTC) - timedelta(**ago))
    laid(stage, name, started=started, **sealed(**{marks.SCHEDULE: schedule.NAME}))


def states(stage: Stage) -> dict[str, BackupState]:
    stage.kubernetes.collect_garbage()
    return {entry.name: entry.state for entry in catalogue.read(stage.connect())}


def is_good(stage: Stage, done: Workflow) -> bool:
    """Whether a night ended well, retention too, and its backup is listed as the newest complete one."""
    complete = [entry for entry in catalogue.read(stage.connect()) if entry.state is BackupState.COMPLETE]
    return (done.phase, done.node("prune").phase) == ("Succeeded", "Succeeded") and complete[0].name == done.outputs[
        CLAIM
    ]


def test_a_volume_that_is_full_costs_that_night_and_no_other(by_night: Stage, mount: Any) -> None:
    earlier(by_night, "before", days=1)
    mount(by_night.engine.volume("full"), "nr_inodes=20")
    lost = by_night.backup(name="full", schedule=schedule.NAME)

    assert lost.phase == "Failed"
    assert "not enough space for" in lost.node("report").outputs["report"]
    assert states(by_night) == {"before": BackupState.COMPLETE, "full": BackupState.FAILED}

    assert is_good(by_night, night(by_night))


def test_a_quota_on_claims_costs_that_night_and_no_other(by_night: Stage) -> None:
    earlier(by_night, "before", days=1)
    by_night.kubernetes.quota(CLAIMS, by_night.namespace, limit=len(by_night.exists(CLAIMS)))
    lost = night(by_night)

    assert lost.phase == "Failed"
    assert "A quota of namespace threescale leaves no room" in lost.node("report").outputs["report"]
    assert states(by_night) == {"before": BackupState.COMPLETE}

    by_night.kubernetes.quota(CLAIMS, by_night.namespace, limit=99)
    time.sleep(1)

    assert is_good(by_night, night(by_night))


def test_a_storage_class_that_vanished_leaves_a_claim_that_the_next_night_removes(by_night: Stage) -> None:
    earlier(by_night, "before", days=1)
    classes = dict(by_night.kubernetes.storage_classes)
    del by_night.kubernetes.storage_classes["standard"]
    lost = night(by_night)

    assert lost.phase == "Failed"
    assert states(by_night) == {"before": BackupState.COMPLETE, lost.name: BackupState.FAILED}

    by_night.kubernetes.storage_classes.update(classes)
    time.sleep(1)
    good = night(by_night)

    assert is_good(by_night, good)
    assert set(states(by_night)) == {"before", good.name}


def test_a_workflow_that_was_deleted_in_the_middle_is_a_failed_run(by_night: Stage) -> None:
    earlier(by_night, "before", days=1)
    failed(by_night, "deleted")
    by_night.kubernetes.delete("workflows", by_night.namespace, "of-deleted")

    assert states(by_night)["deleted"] is BackupState.FAILED

    good = night(by_night)

    assert is_good(by_night, good)
    assert set(states(by_night)) == {"before", good.name}


def test_a_backup_that_still_runs_at_the_next_tick_is_let_run(by_night: Stage) -> None:
    begun = threading.Event()
    by_night.engine.on_start = lambda _name, _process: begun.set()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(night, by_night)
        assert begun.wait(60)
        missed = by_night.engine.tick(schedule.NAME)
        good = running.result()

    assert missed is None
    assert is_good(by_night, good)

    time.sleep(1)
    following = by_night.engine.tick(schedule.NAME)

    assert following
    assert is_good(by_night, following)


def test_two_at_once_are_two_backups_and_neither_takes_the_other_away(by_night: Stage) -> None:
    earlier(by_night, "before", days=1)

    with ThreadPoolExecutor(2) as pool:  # worse than on a cluster, where a mutex lets one wait
        asked = [pool.submit(by_night.backup, name=name, schedule=schedule.NAME) for name in ("one", "other")]
        ended = [each.result() for each in asked]

    assert [each.phase for each in ended] == ["Succeeded", "Succeeded"]
    assert {"one", "other"} <= {name for name, state in states(by_night).items() if state is BackupState.COMPLETE}

    good = night(by_night)

    assert is_good(by_night, good)
    assert len(backups(by_night)) == 2


def test_a_controller_that_was_down_for_three_ticks_costs_no_backup_that_is_there(by_night: Stage) -> None:
    for days in (4, 5, 6):
        earlier(by_night, f"{days}-days-ago", days=days)

    good = night(by_night)

    assert is_good(by_night, good)
    assert set(states(by_night)) == {"4-days-ago", good.name}


def test_a_clock_that_goes_back_an_hour_lets_neither_newest_backup_go(by_night: Stage) -> None:
    earlier(by_night, "before", days=1)
    earlier(by_night, "by-a-clock-ahead", hours=-1)

    good = night(by_night)

    assert (good.phase, good.node("prune").phase) == ("Succeeded", "Succeeded")
    assert {"by-a-clock-ahead", good.name} <= {name for name, state in states(by_night).items()}

    time.sleep(1)

    assert night(by_night).phase == "Succeeded"


def test_a_hundred_old_backups_go_in_one_night(by_night: Stage) -> None:
    for number in range(1, 101):
        earlier(by_night, f"night-{number}", days=number)

    good = night(by_night)

    assert is_good(by_night, good)
    assert good.node("delete").outputs == {"deleted": "99", "spared": "0", "failure": ""}
    assert set(states(by_night)) == {"night-1", good.name}


STRANGERS: dict[str, dict[str, Any]] = {
    "copied-labels": {"labels": {marks.BACKUP: "before", marks.STATE: marks.COMPLETE}},
    "no-time": {"annotations": {marks.STARTED: ""}},
    "no-workflow": {"labels": {marks.WORKFLOW: ""}},
}


def test_claims_of_strangers_that_look_like_ours_are_left_alone_and_hold_nothing_up(by_night: Stage) -> None:
    earlier(by_night, "before", days=1)
    for name, odd in STRANGERS.items():
        laid(by_night, name, started="2026-10-01T02:00:00Z", **odd)

    good = night(by_night)

    found = states(by_night)
    assert (good.phase, good.node("prune").phase) == ("Succeeded", "Succeeded")
    assert {name: found[name] for name in STRANGERS} == dict.fromkeys(STRANGERS, BackupState.UNKNOWN)
    assert found[good.name] is BackupState.COMPLETE
