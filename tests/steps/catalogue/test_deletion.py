"""What retention does to claims: on the embedded cluster, with the rights of its own account."""

import hashlib
import itertools
import json
import os
import shutil
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps import errors
from steps.archive import begin_marker, layout, marks
from steps.catalogue import catalogue, deletion
from steps.catalogue.catalogue import BackupState
from steps.catalogue.deletion import BACKUP, NOTHING, OTHER
from steps.catalogue.durations import Duration
from steps.catalogue.retention import Rules
from steps.files import volume
from steps.kubernetes import fields, kinds
from steps.threescale import installation
from tests.builders import phases
from tests.builders.claims import CLAIMS, DIGEST, as_argo_labels, laid, sealed, without_label
from tests.builders.nights import night, nights
from tests.builders.pods import pod
from tests.builders.refusals import refused
from tests.conftest import Stage
from tests.embedded.kubernetes import Cluster as Kubernetes

ACCOUNT = "threescale-prune"
RULES = Rules(last=2, minimum_redundancy=1)
AT_ONCE = Rules(last=2, minimum_redundancy=1, failed_after=Duration(0, timedelta()))


def started(root):
    return json.loads((root / layout.MANIFEST).read_bytes())["started"]


def judged(door, rules=RULES):
    return [deletion.short(entry.uid) for entry in deletion.judge(door, rules).to_delete]


def prune(stage, rules=RULES):
    """Judge and delete, as the two phases do; return the names of those that went."""
    door = stage.connect(ACCOUNT)
    before = {entry.uid: entry.name for entry in catalogue.read(stage.connect()) if not entry.going}
    doomed = judged(door, rules)
    count = deletion.delete(door, doomed, rules)
    left = {entry.uid for entry in catalogue.read(stage.connect()) if not entry.going}
    gone = [name for uid, name in before.items() if uid not in left]
    assert count == len(gone)
    return sorted(gone)


def names(stage):
    """The nights that are there, once those that were deleted have gone."""
    stage.kubernetes.collect_garbage()
    return [name for name in stage.exists(CLAIMS) if name.startswith("night")]


@pytest.fixture
def week(empty):
    nights(empty, 5)
    return empty


def test_what_no_rule_keeps_goes_the_oldest_first_and_a_second_time_nothing(week):
    assert prune(week) == ["night-1", "night-2", "night-3"]
    assert names(week) == ["night-4", "night-5"]
    assert prune(week) == []


def test_the_log_says_the_rule_and_what_becomes_of_the_data(week, caplog):
    caplog.set_level("INFO")

    prune(week)

    lines = [line for line in caplog.messages if line.startswith("night-1: deleted")]
    assert len(lines) == 1
    assert "no rule keeps it. The data on volume pvc-" in lines[0]
    assert lines[0].endswith("are deleted too, unless its reclaim policy is Retain")


def test_a_backup_that_lost_its_label_gets_it_again_and_a_stranger_none(kept, caplog):
    caplog.set_level("INFO")
    laid(kept, "stranger", annotations={installation.BACKUP_NAME: "another"})
    for name in ("nightly", "stranger"):
        without_label(kept, name)
    words = ("decide", "--keep-last", 1, "--timezone", "UTC")

    phases.run(kept, ACCOUNT, *words, "--plan", "yes")
    assert not fields.label(kept.get(CLAIMS, "nightly"), marks.BACKUP)
    phases.run(kept, ACCOUNT, *words)

    assert fields.label(kept.get(CLAIMS, "nightly"), marks.BACKUP) == "nightly"
    assert not fields.label(kept.get(CLAIMS, "stranger"), marks.BACKUP)
    assert caplog.messages.count("nightly: label threescale-backup/backup restored") == 1


@pytest.mark.lesson(18)
@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_claim_that_a_pod_mounts_stays_and_the_others_go(week, phase, caplog):
    caplog.set_level("INFO")
    pod(week, "reader", "" if phase == "Pending" else "n", phase=phase, claim="night-2")

    assert prune(week) == ["night-1", "night-3"]
    assert "night-2: kept: in use by pod reader" in caplog.messages


def test_a_pod_that_has_ended_reads_no_more(week):
    pod(week, "reader", phase="Succeeded", claim="night-2")

    assert "night-2" in prune(week)
    assert "deletionTimestamp" in week.get(CLAIMS, "night-2")["metadata"]  # until that pod is collected
    assert prune(week) == []


@pytest.mark.lesson(18)
def test_a_claim_whose_workflow_lives_stays(empty, caplog):
    caplog.set_level("INFO")
    laid(empty, "night-0", phase="Running", **sealed(**{marks.SCHEDULE: "nights"}))
    nights(empty, 5)

    assert "night-0" not in prune(empty)
    assert "night-0: kept: workflow of-night-0 has not ended" in caplog.messages


@pytest.mark.lesson(18)
def test_a_claim_of_the_same_name_made_anew_is_never_hit(week):
    door = week.connect(ACCOUNT)
    doomed = judged(door)
    week.lose_claim("night-1")
    night(week, 1)

    assert deletion.delete(door, doomed[:1], RULES) == 1  # that one is gone, and nothing else
    assert "night-1" in names(week)
    assert not [request for request in week.kubernetes.writes() if request.verb == "delete"]


@pytest.mark.lesson(18)
def test_one_that_is_made_anew_between_the_last_look_and_the_deletion_is_not_hit_either(week, caplog):
    caplog.set_level("INFO")

    def anew(_request):
        week.lose_claim("night-1")
        night(week, 1)

    week.kubernetes.before_next("delete", CLAIMS, anew, name="night-1")

    door = week.connect(ACCOUNT)
    deletion.delete(door, judged(door), RULES)

    assert names(week) == ["night-1", "night-4", "night-5"]
    assert "night-1: already deleted" in caplog.messages


@pytest.mark.lesson(18)
def test_one_that_is_pinned_between_the_last_look_and_the_deletion_stays(week, caplog):
    caplog.set_level("INFO")

    def pin(_request):
        change = {"metadata": {"labels": {marks.PINNED: "true"}}}
        week.kubernetes.patch(CLAIMS, week.namespace, "night-1", change)

    week.kubernetes.before_next("delete", CLAIMS, pin, name="night-1")

    assert prune(week) == ["night-2", "night-3"]
    assert "night-1: kept: the claim has changed since it was checked" in caplog.messages


def test_one_that_was_pinned_after_it_was_judged_stays(week, caplog):
    caplog.set_level("INFO")
    door = week.connect(ACCOUNT)
    (first, *_) = judged(door)
    catalogue.pin(week.connect(), "night-1", pinned=True)

    assert deletion.delete(door, [first], RULES) == 0
    assert "night-1: kept: pinned" in caplog.messages


@pytest.mark.lesson(8)
def test_nothing_more_goes_once_a_run_has_failed(week, caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(deletion, "BATCH", 1)
    door = week.connect(ACCOUNT)
    doomed = judged(door)
    failed = partial(laid, week, "night-6", started="2026-11-06T02:00:00Z", phase="Failed")
    week.kubernetes.after_next("delete", CLAIMS, lambda _request: failed())

    assert deletion.delete(door, doomed, RULES) == 1
    assert "kept 2 of 3 backups, nothing is deleted: the newest run failed: night-6" in caplog.messages


def test_the_catalogue_is_judged_once_a_batch_and_each_claim_looked_at_before_it_goes(empty, monkeypatch):
    nights(empty, 9)
    monkeypatch.setattr(deletion, "BATCH", 3)
    door = empty.connect(ACCOUNT)
    doomed = judged(door)
    empty.kubernetes.clear_requests()

    assert deletion.delete(door, doomed, RULES) == 7
    asked = Counter((request.verb, request.resource) for request in empty.kubernetes.requests)
    assert asked["list", CLAIMS] == 3
    assert asked["get", CLAIMS] == asked["delete", CLAIMS] == 7


def test_a_claim_that_is_no_backup_any_more_stays(week, caplog):
    caplog.set_level("INFO")
    door = week.connect(ACCOUNT)
    (first, *_) = judged(door)
    labels = {"metadata": {"labels": {marks.BACKUP: None}}}
    week.kubernetes.patch(CLAIMS, week.namespace, "night-1", labels)

    assert deletion.delete(door, [first], RULES) == 0
    assert "night-1: kept: the claim is no longer a backup" in caplog.messages


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.parametrize("resource", ["persistentvolumeclaims", "workflows", "pods"])
def test_where_one_list_is_refused_nothing_is_deleted(week, resource, status):
    door = week.connect(ACCOUNT)
    doomed = judged(door)
    week.kubernetes.refuse_next("list", resource, status=status, times=9)

    with pytest.raises((errors.NotAllowed, errors.NoAnswer)):
        deletion.delete(door, doomed, RULES)

    assert names(week) == [f"night-{number}" for number in range(1, 6)]


def test_where_the_operator_s_backup_can_not_be_read_nothing_is_said(week):
    annotations = {"apiManagerBackupName": "operators", "apiManagerBackupUID": "uid"}
    week.claim("operators-claim", metadata={"annotations": annotations})
    week.kubernetes.refuse_next("get", "apimanagerbackups", status=403)

    with refused(errors.NotAllowed, resource="apimanagerbackups"):
        judged(week.connect(ACCOUNT))


@pytest.mark.parametrize("account", ["threescale-backup", "threescale-restore"])
def test_the_accounts_of_backup_and_restore_can_delete_no_claim(week, account):
    claim = week.get(CLAIMS, "night-1")["metadata"]

    with refused(errors.NotAllowed, verb="delete", resource="persistentvolumeclaims"):
        week.connect(account).delete(kinds.CLAIM, "night-1", claim["uid"], claim["resourceVersion"])


@pytest.mark.parametrize("fault", ["drop_next", "lose_answer_of_next"])
@pytest.mark.parametrize("survived", range(3))
def test_interrupted_at_any_deletion_the_next_run_ends_where_one_would_have(week, fault, survived):
    getattr(week.kubernetes, fault)("delete", CLAIMS, name=f"night-{survived + 1}")

    with pytest.raises(errors.NoAnswer):
        prune(week)
    assert set(names(week)) >= {"night-4", "night-5"}
    prune(week)

    assert names(week) == ["night-4", "night-5"]


class TestOfFailedRuns:
    """Claims of runs that failed, below the nights that succeeded."""

    @pytest.fixture
    def failed(self, empty):
        laid(empty, "night-0", started="2026-10-01T02:00:00Z", phase="Failed")
        nights(empty, 2)
        return empty

    def root(self, stage, name="night-0"):
        return stage.engine.volume(name)

    def look(self, stage):
        return deletion.look(stage.connect(ACCOUNT), self.root(stage), "night-0")

    def begin(self, stage, **facts):
        marker = begin_marker.Begin(**{"backup": "night-0", "workflow": "of-night-0", "workflow_uid": "gone", **facts})
        (self.root(stage) / layout.BEGIN).write_bytes(layout.as_json(marker.model_dump()))

    def remove(self, stage, *, read=True):
        door = stage.connect(ACCOUNT)
        uid = stage.get(CLAIMS, "night-0")["metadata"]["uid"]
        return deletion.delete(door, [uid], AT_ONCE, read=read) == 1

    def test_one_with_a_volume_is_to_be_read_first_and_does_not_go_unread(self, failed):
        decision = deletion.judge(failed.connect(ACCOUNT), AT_ONCE)

        assert [entry.name for entry in decision.to_read] == ["night-0"]
        assert prune(failed, AT_ONCE) == []
        assert not self.remove(failed, read=False)
        assert self.remove(failed)
        assert names(failed) == ["night-1", "night-2"]

    def test_an_empty_volume_and_one_that_the_run_had_begun_hold_nothing(self, failed):
        assert self.look(failed) == NOTHING
        self.begin(failed)
        (self.root(failed) / layout.SECRETS).mkdir()

        assert self.look(failed) == NOTHING

    @pytest.mark.parametrize(("is_folder", "found"), [(True, NOTHING), (False, OTHER)])
    def test_the_snapshots_of_its_storage_are_nothing_that_the_run_left(self, failed, monkeypatch, is_folder, found):
        monkeypatch.setattr(volume, "_is_read_only", lambda _root: True)  # as the phase mounts it
        path = self.root(failed) / ".snapshot"
        path.mkdir() if is_folder else path.touch()

        assert self.look(failed) == found

    def test_a_manifest_makes_it_a_backup_again_with_all_that_its_seal_would_have_written(self, empty, backup_volume):
        laid(empty, "nightly", started=started(backup_volume), phase="Failed")
        nights(empty, 2)
        root = shutil.copytree(backup_volume, self.root(empty, "nightly"), symlinks=True, dirs_exist_ok=True)

        assert deletion.look(empty.connect(ACCOUNT), root, "nightly") == BACKUP
        entry = catalogue.find(catalogue.read(empty.connect()), "nightly", empty.namespace)
        assert (entry.state, entry.files, bool(entry.ended)) == (BackupState.COMPLETE, 43, True)
        assert deletion.judge(empty.connect(ACCOUNT), AT_ONCE).to_read == []

    @pytest.mark.parametrize("changed", [layout.MANIFEST, "secrets/zync.json", layout.LISTING])
    def test_a_manifest_that_is_not_right_to_the_last_byte_is_left_to_a_person(self, empty, backup_volume, changed):
        laid(empty, "nightly", started=started(backup_volume), phase="Failed")
        root = shutil.copytree(backup_volume, self.root(empty, "nightly"), symlinks=True, dirs_exist_ok=True)
        path = root / changed
        path.write_bytes(path.read_bytes().replace(b"a", b"e"))

        assert deletion.look(empty.connect(ACCOUNT), root, "nightly") == OTHER
        assert not marks.sealed(empty.get(CLAIMS, "nightly"))

    def test_a_digest_that_was_lost_is_mended_too(self, empty, backup_volume):
        laid(empty, "nightly", started=started(backup_volume), labels={marks.STATE: marks.COMPLETE})
        root = shutil.copytree(backup_volume, self.root(empty, "nightly"), symlinks=True, dirs_exist_ok=True)

        assert deletion.look(empty.connect(ACCOUNT), root, "nightly") == BACKUP
        assert marks.sealed(empty.get(CLAIMS, "nightly")) not in {"", DIGEST}

    def sealed_before(self, stage, backup_volume):
        """A claim that says which manifest was sealed, and has lost its label of the state."""
        digest = hashlib.sha256((backup_volume / layout.MANIFEST).read_bytes()).hexdigest()
        laid(stage, "nightly", started=started(backup_volume), phase="Failed")
        stage.kubernetes.patch(
            CLAIMS, stage.namespace, "nightly", {"metadata": {"annotations": {marks.MANIFEST_DIGEST: digest}}}
        )
        return shutil.copytree(backup_volume, self.root(stage, "nightly"), symlinks=True, dirs_exist_ok=True)

    def test_a_lost_state_comes_back_where_the_manifest_is_the_one_that_was_sealed(self, empty, backup_volume):
        root = self.sealed_before(empty, backup_volume)

        assert deletion.look(empty.connect(ACCOUNT), root, "nightly") == BACKUP

    def test_a_manifest_that_fits_is_left_to_a_person_where_the_claim_says_that_another_one_was_sealed(
        self, empty, backup_volume
    ):
        root = self.sealed_before(empty, backup_volume)
        before = fields.annotation(empty.get(CLAIMS, "nightly"), marks.MANIFEST_DIGEST)
        path = root / layout.MANIFEST
        path.write_bytes(path.read_bytes() + b"\n")

        assert deletion.look(empty.connect(ACCOUNT), root, "nightly") == OTHER
        assert fields.annotation(empty.get(CLAIMS, "nightly"), marks.MANIFEST_DIGEST) == before

    def test_a_volume_without_a_manifest_is_left_to_a_person_where_the_claim_says_that_one_was_sealed(
        self, empty, backup_volume
    ):
        root = self.sealed_before(empty, backup_volume)
        (root / layout.MANIFEST).unlink()

        assert deletion.look(empty.connect(ACCOUNT), root, "nightly") == OTHER

    def test_with_the_digest_a_lost_label_comes_back(self, empty, backup_volume):
        laid(empty, "nightly", started=started(backup_volume), annotations={installation.BACKUP_NAME: "nightly"})
        without_label(empty)
        root = shutil.copytree(backup_volume, self.root(empty, "nightly"), symlinks=True, dirs_exist_ok=True)

        assert deletion.look(empty.connect(ACCOUNT), root, "nightly") == BACKUP
        assert fields.label(empty.get(CLAIMS, "nightly"), marks.BACKUP) == "nightly"

    def test_a_manifest_of_another_backup_or_one_that_can_not_be_read_is_left_to_a_person(self, failed, backup_volume):
        root = shutil.copytree(backup_volume, self.root(failed), symlinks=True, dirs_exist_ok=True)
        assert self.look(failed) == OTHER
        (root / layout.MANIFEST).write_text("{")

        assert self.look(failed) == OTHER
        assert not marks.sealed(failed.get(CLAIMS, "night-0"))

    def test_what_no_backup_of_this_name_has_begun_is_left_to_a_person(self, failed, caplog):
        caplog.set_level("INFO")
        (self.root(failed) / "mine.txt").write_text("somebody's")
        assert self.look(failed) == OTHER
        self.begin(failed, backup="another")

        assert self.look(failed) == OTHER
        assert (
            "night-0: kept: its volume holds files that no backup of this name wrote, for example 'mine.txt'"
            in caplog.text
        )

    def test_a_marker_that_can_not_be_read_is_left_to_a_person(self, failed):
        (self.root(failed) / layout.BEGIN).write_text("{")

        assert self.look(failed) == OTHER

    @pytest.mark.parametrize("name", [layout.MANIFEST, layout.BEGIN])
    def test_a_fifo_in_the_place_of_the_manifest_or_marker_is_left_to_a_person_at_once(self, failed, name):
        self.begin(failed)
        (self.root(failed) / name).unlink(missing_ok=True)
        os.mkfifo(self.root(failed) / name)

        assert self.look(failed) == OTHER

    @pytest.mark.parametrize("name", [layout.MANIFEST, layout.SECRETS, layout.TREE, layout.REPORTS, "stranger"])
    def test_a_link_on_its_volume_is_never_nothing(self, failed, name, caplog):
        caplog.set_level("INFO")
        self.begin(failed)
        assert self.look(failed) == NOTHING
        (self.root(failed) / name).symlink_to("nowhere")

        assert self.look(failed) == OTHER
        assert f"{name} is " in caplog.text

    def test_one_to_which_a_workflow_that_was_resubmitted_writes_is_left_alone(self, failed):
        workflow = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "spec": {},
            "status": {"phase": "Running"},
        }
        metadata = {"name": "resubmitted", "namespace": failed.namespace}
        made = failed.kubernetes.apply({**workflow, "metadata": metadata})
        self.begin(failed, workflow="resubmitted", workflow_uid=made["metadata"]["uid"])

        assert self.look(failed) == OTHER

    @pytest.mark.parametrize("retried", ["before it is read", "after"])
    def test_one_whose_workflow_is_retried_stays(self, failed, retried):
        running = {"metadata": {"labels": as_argo_labels("Running")}, "status": {"phase": "Running"}}
        if retried == "after":
            assert self.look(failed) == NOTHING
        failed.kubernetes.patch("workflows", failed.namespace, "of-night-0", running)

        if retried != "after":
            assert self.look(failed) == OTHER
        assert not self.remove(failed)

    def test_one_that_a_pod_mounts_stays(self, failed):
        pod(failed, "reader", claim="night-0")

        assert not self.remove(failed)

    def test_one_that_never_had_a_volume_goes_without_a_look(self, empty):
        empty.kubernetes.storage_classes["standard"] = "Never"
        laid(empty, "night-0", started="2026-10-01T02:00:00Z", phase="Failed")
        empty.kubernetes.storage_classes["standard"] = "Immediate"
        nights(empty, 2)

        assert prune(empty, AT_ONCE) == ["night-0"]

    def test_a_volume_that_can_not_be_looked_at_is_an_error_and_the_claim_stays(self, failed):
        with pytest.raises(errors.ReadFailed):
            deletion.look(failed.connect(ACCOUNT), self.root(failed) / "nowhere", "night-0")


class TestReclaimPolicy:
    def volumes(self, stage, **policies):
        for name, policy in policies.items():
            claim = stage.get(CLAIMS, name.replace("_", "-"))
            spec = {"persistentVolumeReclaimPolicy": policy}
            head = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": claim["spec"]["volumeName"]}}
            stage.kubernetes.apply({**head, "spec": spec})

    def said(self, stage, account=None):
        door = stage.connect(account)
        return deletion.reclaimed(door, deletion.judge(door, RULES))

    def test_an_administrator_is_told_of_each_claim(self, week):
        self.volumes(week, night_1="Retain", night_2="Delete")

        assert self.said(week) == [
            "reclaim policy Delete, the data are deleted with the claim: night-2",
            f"reclaim policy Retain, {deletion._MEANING['Retain']}: night-1",
            "reclaim policy unknown, it is not known whether the data are deleted: night-3",
        ]

    def test_volumes_are_read_by_one_list_however_many_go(self, week):
        week.kubernetes.clear_requests()
        self.said(week)

        volumes = [request.verb for request in week.kubernetes.requests if request.resource == "persistentvolumes"]
        assert volumes == ["list"]

    def test_whoever_may_not_read_volumes_is_told_in_general(self, week):
        assert self.said(week, ACCOUNT) == [deletion.RECLAIM]

    def test_where_nothing_goes_nothing_is_said(self, empty):
        assert self.said(empty) == []


ROWS = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(["sealed"] * 6 + ["failed", "unbound"]),
        st.booleans(),
        st.sampled_from(["nights", "nights", ""]),
        st.sampled_from([12, 12, 13, 5]),
    ),
    max_size=9,
    unique_by=lambda row: row[0],
)
KEEP = st.builds(
    lambda last, daily, weekly, redundancy: Rules(
        last=last,
        periods={"daily": daily, "weekly": weekly},
        minimum_redundancy=redundancy,
        failed_after=Duration(0, timedelta()),
    ),
    *(st.integers(0, 3) for _ in range(4)),
)


@pytest.fixture(scope="module")
def anew(tmp_path_factory):
    """A new namespace of one cluster for each catalogue."""
    folder, counter = tmp_path_factory.mktemp("anew"), itertools.count()
    with Kubernetes() as kubernetes:
        yield lambda: Stage(kubernetes, None, folder, f"threescale-{next(counter)}")


def lay(stage, rows):
    for day, kind, pinned, schedule, files in sorted(rows):
        labels = {marks.FILES: str(files)} | ({marks.PINNED: "true"} if pinned else {})
        labels |= {marks.SCHEDULE: schedule} if schedule else {}
        stage.kubernetes.storage_classes["standard"] = "Never" if kind == "unbound" else "Immediate"
        started = f"2026-{1 + day // 28:02}-{1 + day % 28:02}T02:00:00Z"
        laid(stage, f"night-{day}", started=started, **(sealed(**labels) if kind == "sealed" else {"labels": labels}))


@pytest.mark.lesson(18)
@given(ROWS, KEEP)
@settings(max_examples=25, deadline=None)
def test_any_catalogue_is_left_with_what_the_rules_say_and_a_second_run_deletes_nothing_more(anew, rows, rules):
    stage = anew()
    lay(stage, rows)
    door = stage.connect()
    before = {entry.name for entry in catalogue.read(door)}
    decision = deletion.judge(door, rules)

    deletion.delete(door, judged(door, rules), rules)
    gone = before - {entry.name for entry in catalogue.read(door) if not entry.going}

    assert gone == {entry.name for entry in decision.to_delete}
    assert not gone & {each.entry.name for each in decision.verdicts if each.entry.pinned or each.unread or each.keep}
    assert {entry.name for entry in catalogue.read(door) if not entry.going} == before - gone
    assert judged(door, rules) == []
