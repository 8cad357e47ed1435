"""What goes wrong by night, on a real Argo: nothing is lost, states are listed truly, the next night needs no hand."""

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from steps.archive import marks
from steps.kubernetes.times import utc
from tests.live.argo.argo import NODE_S, Argo, Workflow
from tests.live.argo.controller import Controller
from tests.live.argo.nights import CLAIMS, COMPLETE, FAILED, KEEP, UNKNOWN, Nights
from tests.live.kubernetes import Kubernetes, Object, until
from tests.live.local_volumes import LocalVolumes
from tests.live.stage import Stage
from workflows import schedule
from workflows.manifests import render
from workflows.schedule import Cron

pytestmark = pytest.mark.cluster

CLASSES: Final = "storageclasses"
IS_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"
SCHEDULED: Final = "workflows.argoproj.io/scheduled-time"
MINUTE_S: Final = 60.0
TICK_S: Final = 15.0  # after which a controller has acted on a tick


@pytest.fixture
def nights(live: Stage, argo: Argo, tmp_path: Path) -> Nights:
    live.installation.install()
    for manifest in render(live.settings, rules=KEEP):
        live.kubernetes.apply(manifest)
    kubeconfig = live.kubernetes.kubeconfig(tmp_path / "person", namespace=live.namespace)
    return Nights(live, argo, kubeconfig)


def every_minute(nights: Nights) -> None:
    for manifest in render(nights.stage.settings, [Cron("backup", "* * * * *", {})], KEEP):
        nights.stage.kubernetes.apply(manifest)


def scheduled(nights: Nights) -> list[Workflow]:
    """The workflows that the schedule itself has started, the first one first."""
    return sorted((each for each in nights.argo.workflows() if tick_of(each)), key=tick_of)


def tick_of(workflow: Workflow) -> str:
    return str(workflow.obj["metadata"].get("annotations", {}).get(SCHEDULED, ""))


def ended(nights: Nights, count: int) -> list[Workflow]:
    """Wait until so many of the schedule's workflows have ended, and return them."""

    def look() -> list[Workflow]:
        found = [each for each in scheduled(nights) if each.status.get("finishedAt")]
        return found if len(found) >= count else []

    found: list[Workflow] = until(f"{count} scheduled backups", look, (count + 2) * MINUTE_S)
    return found


def next_tick() -> None:
    """Wait until the next minute has begun and a controller has seen it."""
    time.sleep(MINUTE_S - time.time() % MINUTE_S + TICK_S)


def earlier(stage: Stage, name: str, **metadata: Any) -> None:
    """Make the claim of a complete backup that an earlier night left, some days ago."""
    labels = {
        marks.BACKUP: name,
        marks.STATE: marks.COMPLETE,
        marks.WORKFLOW: f"of-{name}",
        marks.WORKFLOW_UID: f"uid-of-{name}",
        marks.SCHEDULE: schedule.NAME,
        marks.FILES: "12",
        marks.BYTES: "3400",
    }
    annotations = {marks.MANIFEST_DIGEST: "ab" * 32, marks.ENDED: ago(days=1)}
    stage.claim(
        name,
        labels={**labels, **metadata.get("labels", {})},
        annotations={**annotations, **metadata.get("annotations", {})},
    )


def ago(**since: float) -> str:
    return utc(datetime.now(UTC) - timedelta(**since))


@pytest.fixture
def full(own_cluster: Kubernetes, tmp_path: Path) -> Iterator[str]:
    """A volume that is full after twenty files."""
    folder = tmp_path / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=20,mode=0777", "none", folder], check=True)  # noqa: S603, S607
    try:
        with LocalVolumes(own_cluster) as volumes:
            yield volumes.make("full", folder=folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S603, S607


def test_a_volume_that_is_full_costs_that_night_and_no_other(nights: Nights, full: str) -> None:
    before = nights.good()
    lost = nights.night(name="full", volume_name=full)

    assert lost.phase == "Failed"
    assert "not enough space for" in lost.node("report").outputs["report"]
    assert nights.states() == {"full": FAILED, before: COMPLETE}

    after = nights.good()

    nights.wait_until_gone("full")
    assert nights.states() == {after: COMPLETE, before: COMPLETE}


def test_a_quota_on_claims_costs_that_night_and_no_other(nights: Nights) -> None:
    before = nights.good()
    claims = len(nights.stage.kubernetes.list(CLAIMS, nights.stage.namespace))
    metadata = {"name": "claims", "namespace": nights.stage.namespace}
    spec = {"hard": {CLAIMS: str(claims)}}
    nights.stage.kubernetes.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec})
    nights.stage.wait_for_quota("claims")
    lost = nights.night()

    assert lost.phase == "Failed"
    assert "exceeded quota: claims" in lost.node("report").outputs["report"]
    assert nights.states() == {before: COMPLETE}

    nights.stage.kubernetes.delete("resourcequotas", nights.stage.namespace, "claims")
    after = nights.good()

    assert nights.states() == {after: COMPLETE, before: COMPLETE}


@pytest.fixture
def own_class(kubernetes: Kubernetes) -> Iterator[Object]:
    """A storage class like the default one, under another name."""
    found = kubernetes.list(CLASSES)
    default = next((each for each in found if each["metadata"].get("annotations", {}).get(IS_DEFAULT) == "true"), None)
    if not default:
        pytest.skip("the cluster has no default storage class to make another like it")
    made = {**default, "metadata": {"name": f"threescale-backup-test-{time.time_ns()}"}}
    kubernetes.create(made)
    yield made
    kubernetes.delete(CLASSES, "", made["metadata"]["name"])


def test_a_storage_class_that_vanished_leaves_a_claim_that_the_next_night_removes(
    nights: Nights, own_class: Object
) -> None:
    name = own_class["metadata"]["name"]
    before = nights.good(storage_class=name)
    nights.stage.kubernetes.delete(CLASSES, "", name)
    lost = nights.night(storage_class=name)

    assert lost.phase == "Failed"
    assert name in lost.node("report").outputs["report"]
    assert nights.states() == {lost.name: FAILED, before: COMPLETE}

    nights.stage.kubernetes.create(own_class)
    after = nights.good(storage_class=name)

    nights.wait_until_gone(lost.name)
    assert nights.states() == {after: COMPLETE, before: COMPLETE}


def test_a_workflow_that_was_deleted_in_the_middle_is_a_failed_run(nights: Nights) -> None:
    before = nights.good()
    deleted = nights.begin()
    nights.argo.wait_until(deleted, "its second phase", lambda workflow: workflow.tries("secrets"))
    nights.stage.kubernetes.delete("workflows", nights.stage.namespace, deleted)

    assert nights.states() == {deleted: FAILED, before: COMPLETE}

    after = nights.good()

    nights.wait_until_gone(deleted)
    assert nights.states() == {after: COMPLETE, before: COMPLETE}


def test_two_at_once_are_two_backups_one_after_the_other(nights: Nights) -> None:
    names = [nights.begin(), nights.begin()]
    first, second = sorted((nights.argo.wait(name) for name in names), key=lambda each: each.node("prepare").started)

    assert (first.phase, second.phase) == ("Succeeded", "Succeeded"), [*first.failures(), *second.failures()]
    assert second.node("prepare").started >= first.status["finishedAt"]
    assert nights.states() == {second.name: COMPLETE, first.name: COMPLETE}

    after = nights.good()

    assert nights.states() == {after: COMPLETE, second.name: COMPLETE}


def test_a_backup_that_still_runs_at_the_next_tick_is_let_run(nights: Nights) -> None:
    every_minute(nights)
    running: Workflow = until("a scheduled backup", lambda: next(iter(scheduled(nights)), None), NODE_S + MINUTE_S)
    nights.argo.wait_until(running.name, "its first phase", lambda workflow: workflow.tries("prepare"))
    nights.argo.suspend(running.name)
    next_tick()
    alone = [workflow.name for workflow in scheduled(nights)]
    nights.argo.resume(running.name)

    assert alone == [running.name]
    first, following = ended(nights, 2)[:2]
    nights.stage.kubernetes.delete("cronworkflows", nights.stage.namespace, schedule.NAME)
    assert first.name == running.name
    assert [each.phase for each in (first, following)] == ["Succeeded", "Succeeded"], following.failures()
    assert following.phase_of("prune") == "Succeeded"


@pytest.fixture
def process() -> Controller:
    found = Controller.find()
    if not found:
        pytest.skip("no process workflow-controller runs on this machine: nobody here can stop it and start it again")
    return found


@pytest.mark.lesson(16)
def test_a_controller_that_was_down_for_three_ticks_makes_up_for_the_last_one(
    nights: Nights, process: Controller
) -> None:
    every_minute(nights)
    (before,) = ended(nights, 1)[:1]
    until("no backup that runs", lambda: all(each.status.get("finishedAt") for each in scheduled(nights)), NODE_S)
    with process.down():
        began, known = utc(datetime.now(UTC)), {each.name for each in scheduled(nights)}
        for _ in range(3):
            next_tick()
        during, listed = {each.name for each in scheduled(nights)}, nights.states()
        back = utc(datetime.now(UTC))
    following = ended(nights, len(known) + 2)[len(known) :]
    nights.stage.kubernetes.delete("cronworkflows", nights.stage.namespace, schedule.NAME)

    assert during == known
    assert listed[before.name] == COMPLETE
    missed = [each for each in following if began < tick_of(each) < back]
    assert len(missed) == 1
    assert [each.phase for each in following] == ["Succeeded"] * len(following)
    assert [each.phase_of("prune") for each in following] == ["Succeeded"] * len(following)


def test_a_clock_that_goes_back_an_hour_lets_neither_newest_backup_go(nights: Nights) -> None:
    before = nights.good()
    ahead = nights.good()
    annotations = {marks.STARTED: ago(hours=-1)}
    nights.stage.kubernetes.patch(CLAIMS, nights.stage.namespace, ahead, {"metadata": {"annotations": annotations}})

    by_its_clock = nights.night()

    assert by_its_clock.phase == "Succeeded", by_its_clock.failures()
    assert by_its_clock.phase_of("prune") == "Succeeded"
    assert nights.states() == {ahead: COMPLETE, by_its_clock.name: COMPLETE}
    assert nights.stage.goes(before)
    assert nights.night().phase == "Succeeded"


def test_a_hundred_old_backups_go_in_one_night(nights: Nights) -> None:
    for number in range(1, 101):
        earlier(nights.stage, f"night-{number}", annotations={marks.STARTED: ago(days=number)})

    night = nights.night()

    after = nights.assert_good(night)
    assert night.node("delete").outputs["deleted"] == "99"
    nights.wait_until_gone(*(f"night-{number}" for number in range(2, 101)))
    assert nights.states() == {after: COMPLETE, "night-1": COMPLETE}


STRANGERS: Final[dict[str, dict[str, Any]]] = {
    "copied-labels": {"labels": {marks.BACKUP: "before"}},
    "no-time": {"annotations": {marks.STARTED: ""}},
    "no-workflow": {"labels": {marks.WORKFLOW: ""}},
}


def test_claims_of_strangers_that_look_like_ours_are_left_alone_and_hold_nothing_up(nights: Nights) -> None:
    for name, odd in STRANGERS.items():
        annotations = {marks.STARTED: "2026-10-01T02:00:00Z", **odd.get("annotations", {})}
        earlier(nights.stage, name, labels=odd.get("labels", {}), annotations=annotations)

    after = nights.good()

    assert nights.states() == {after: COMPLETE, **dict.fromkeys(STRANGERS, UNKNOWN)}
