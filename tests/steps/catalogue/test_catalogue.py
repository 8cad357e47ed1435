import itertools
from datetime import UTC, datetime

import pytest

from steps import errors
from steps.archive import marks
from steps.catalogue import catalogue
from steps.catalogue.catalogue import BackupState
from steps.contract.names import KIND
from steps.kubernetes import fields, times
from steps.threescale import installation
from tests.builders.claims import CLAIMS, as_argo_labels, laid, only, sealed, without_label
from tests.builders.refusals import refused
from workflows.rehearsal.kubernetes import store


def test_a_backup_that_was_made_is_listed_with_all_that_its_phases_wrote(installed):
    installed.backup(name="nightly")
    (entry,) = catalogue.read(installed.connect())

    assert (entry.name, entry.maker, entry.state, entry.why) == (
        "nightly",
        "threescale-backup",
        BackupState.COMPLETE,
        "",
    )
    assert entry.uid == installed.get(CLAIMS, "nightly")["metadata"]["uid"]
    assert (entry.threescale_version, entry.apimanager) == ("2.16.0", "example-apimanager")
    assert entry.files
    assert entry.size_bytes
    assert entry.ended
    assert entry.started <= entry.ended
    assert (entry.schedule, entry.pinned, entry.external, entry.going) == ("", False, False, False)
    assert (entry.verified, entry.proven, entry.damaged) == (None, None, None)
    assert entry.manifest_sha256 == fields.annotation(installed.get(CLAIMS, "nightly"), marks.MANIFEST_DIGEST)


@pytest.mark.parametrize(
    ("phase", "state", "why"),
    [
        ("Running", BackupState.RUNNING, ""),
        ("Pending", BackupState.RUNNING, ""),
        ("", BackupState.RUNNING, ""),  # the controller has not looked at it yet
        ("Failed", BackupState.FAILED, "workflow of-night ended as Failed and did not complete the backup"),
        ("Error", BackupState.FAILED, "workflow of-night ended as Error and did not complete the backup"),
        ("Succeeded", BackupState.FAILED, "workflow of-night ended as Succeeded and did not complete the backup"),
        (None, BackupState.FAILED, "workflow of-night is gone and did not complete the backup"),
    ],
)
def test_the_state_is_what_can_be_proved(empty, phase, state, why):
    laid(empty, "night", phase=phase)

    assert (only(empty).state, only(empty).why) == (state, why)


def test_a_label_that_says_complete_without_a_digest_is_not_believed(empty):
    laid(empty, "night", labels={marks.STATE: marks.COMPLETE}, annotations={marks.MANIFEST_DIGEST: "yes"})

    assert only(empty).state is BackupState.FAILED


def test_a_workflow_of_the_same_name_made_anew_proves_nothing(empty):
    laid(empty, "night", phase="Running")
    uid = {"metadata": {"labels": {marks.WORKFLOW_UID: "another"}}}
    empty.kubernetes.patch(CLAIMS, empty.namespace, "night", uid)

    assert only(empty).state is BackupState.FAILED


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"labels": {marks.BACKUP: "other"}}, "its labels name another backup, other"),
        ({"annotations": {marks.STARTED: None}}, "its start time or its workflow is missing"),
        ({"annotations": {marks.STARTED: "yesterday"}}, "its start time or its workflow is missing"),
        ({"annotations": {marks.STARTED: "2026-11-01T02:00:00"}}, "its start time or its workflow is missing"),
        ({"labels": {marks.WORKFLOW: None}}, "its start time or its workflow is missing"),
    ],
)
def test_a_stranger_that_looks_like_ours_is_unknown(empty, change, why):
    laid(empty, "night", **sealed())
    empty.kubernetes.patch(CLAIMS, empty.namespace, "night", {"metadata": change})

    assert only(empty).state is BackupState.UNKNOWN
    assert why in only(empty).why


def test_a_sealed_backup_that_lost_its_label_is_ours_and_complete_and_says_so(kept):
    without_label(kept)

    entry = only(kept)
    assert (entry.maker, entry.state) == (catalogue.OURS, BackupState.COMPLETE)
    assert not entry.labelled
    assert entry.why == "its label threescale-backup/backup is missing, and retention restores it"


@pytest.mark.parametrize(("phase", "state"), [("Running", BackupState.RUNNING), ("Failed", BackupState.FAILED)])
def test_an_unsealed_one_that_lost_its_label_is_judged_by_its_workflow(empty, phase, state):
    laid(empty, "night", phase=phase, annotations={installation.BACKUP_NAME: "night"})
    without_label(empty, "night")

    assert (only(empty).maker, only(empty).state) == (catalogue.OURS, state)


def test_other_claims_are_no_backups(empty):
    empty.claim("system-storage")
    empty.claim("restore-1-replaced", metadata={"labels": {marks.REPLACED: "true", marks.WORKFLOW: "restore-1"}})

    assert catalogue.read(empty.connect()) == []


def test_the_newest_comes_first_whatever_it_is_called(empty):
    laid(empty, "b", started="2026-11-02T02:00:00Z")
    laid(empty, "a", started="2026-11-03T02:00:00+02:00")
    laid(empty, "c", started="2026-11-01T02:00:00Z")

    assert [entry.name for entry in catalogue.read(empty.connect())] == ["a", "b", "c"]


def test_marks_of_a_proof_a_pin_and_a_schedule_are_read(empty):
    when = times.label_time(datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC))
    labels = {marks.PINNED: "true", marks.SCHEDULE: "nights", marks.VERIFIED: when, marks.PROVEN: when}
    laid(empty, "night", **sealed(**labels))
    empty.kubernetes.patch(
        CLAIMS, empty.namespace, "night", {"metadata": {"annotations": {marks.VERIFIED_BY: "verify-1"}}}
    )

    entry = only(empty)
    assert (entry.pinned, entry.schedule) == (True, "nights")
    assert entry.verified == catalogue.Proof(datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC), "verify-1")
    assert entry.proven == catalogue.Proof(datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC), "")
    assert (entry.files, entry.size_bytes) == (12, 3400)


class TestOfTheOperator:
    def lay(self, stage, *, uid=None, status=None):
        head = {"apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIManagerBackup"}
        metadata = {"name": "operators", "namespace": stage.namespace}
        spec = {"backupDestination": {"persistentVolumeClaim": {}}}
        made = stage.kubernetes.create({**head, "metadata": metadata, "spec": spec})
        if status:
            stage.kubernetes.patch("apimanagerbackups", stage.namespace, "operators", {"status": status})
        annotations = {"apiManagerBackupName": "operators", "apiManagerBackupUID": uid or made["metadata"]["uid"]}
        stage.claim("operators-claim", metadata={"annotations": {**annotations, "apiManagerName": "example"}})

    def test_its_backup_is_listed_as_made_by_the_operator(self, empty):
        self.lay(empty, status={"completed": True})

        entry = only(empty)
        assert (entry.maker, entry.state, entry.apimanager) == ("3scale-operator", BackupState.COMPLETE, "example")
        assert (entry.files, entry.workflow) == (None, "")

    def test_one_that_is_not_completed_is_running_for_it_has_no_failure_state(self, empty):
        self.lay(empty)

        assert only(empty).state is BackupState.RUNNING

    def test_one_whose_resource_is_gone_or_another_can_not_be_proved(self, empty):
        self.lay(empty, uid="another", status={"completed": True})

        assert (only(empty).state, only(empty).why) == (BackupState.UNKNOWN, "APIManagerBackup operators is gone")


def test_a_catalogue_that_can_not_be_read_whole_is_none(empty):
    laid(empty, "night")

    with refused(errors.NotAllowed, resource="workflows"):
        catalogue.read(empty.connect("threescale-backup"))


class TestFailedRun:
    """The newest backup's workflow that has ended, where it failed and no backup was sealed since."""

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch):
        """The API server's: each object is a minute younger than the one before."""
        times = (f"2026-11-01T02:{minute:02}:00Z" for minute in itertools.count())
        monkeypatch.setattr(store, "now", lambda: next(times))

    def run(self, stage, name, phase, refused="", **parameters):
        given = [{"name": key, "value": value} for key, value in parameters.items()]
        stage.kubernetes.create(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Workflow",
                "metadata": {
                    "name": name,
                    "namespace": stage.namespace,
                    "labels": {KIND: "backup", **as_argo_labels(phase)},
                },
                "spec": {"arguments": {"parameters": given}} if given else {},
                "status": {
                    **({"phase": phase} if phase else {}),
                    **({"outputs": {"parameters": [{"name": "refused", "value": refused}]}} if refused else {}),
                },
            }
        )

    def found(self, stage):
        door = stage.connect()
        return catalogue.failed_run(door, catalogue.read(door))

    @pytest.mark.parametrize("phase", ["Failed", "Error"])
    def test_it_is_named(self, empty, phase):
        self.run(empty, "first", "Succeeded")
        self.run(empty, "second", phase)

        assert self.found(empty) == "second"

    def test_not_where_a_later_one_succeeded(self, empty):
        self.run(empty, "first", "Failed")
        self.run(empty, "second", "Succeeded")

        assert self.found(empty) == ""

    @pytest.mark.parametrize("phase", ["Pending", "Running", ""])
    def test_it_is_still_named_while_a_newer_one_waits_or_runs(self, empty, phase):
        self.run(empty, "first", "Failed")
        self.run(empty, "second", phase)

        assert self.found(empty) == "first"

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
    def test_a_plan_is_no_run(self, empty, phase):
        self.run(empty, "first", "Failed", plan="no")
        self.run(empty, "second", phase, schedule="", plan="only")

        assert self.found(empty) == "first"

    def test_a_plan_that_failed_is_none_either(self, empty):
        self.run(empty, "first", "Failed", plan="only")

        assert self.found(empty) == ""

    @pytest.mark.parametrize("place", ["the workflow", "a node"])
    @pytest.mark.parametrize(("said", "run"), [("yes", "first"), ("", "second"), (None, "second")])
    def test_one_whose_arguments_were_refused_to_a_person_is_none(self, empty, place, said, run):
        self.run(empty, "first", "Failed")
        self.run(empty, "second", "Failed")
        made = {"outputs": {"parameters": [{"name": "refused", "value": said}] if said is not None else []}}
        status = made if place == "the workflow" else {"nodes": {"second-1": made, "second-2": {}}}
        empty.kubernetes.patch("workflows", empty.namespace, "second", {"status": status})

        assert self.found(empty) == run

    def test_one_after_the_other_is_read_alone_and_none_after_the_newest_run(self, empty):
        for name, plan in (("first", "no"), ("second", "no"), ("third", "only"), ("fourth", "only")):
            self.run(empty, name, "Succeeded", plan=plan)
        empty.kubernetes.clear_requests()
        self.found(empty)

        asked = [request for request in empty.kubernetes.requests if request.resource == "workflows"]
        assert [request.name for request in asked if request.verb == "get"] == ["fourth", "third", "second"]
        assert [request.verb for request in asked].count("list") == 1

    def test_its_status_says_that_it_has_ended_where_the_label_was_lost(self, empty):
        self.run(empty, "first", "Failed")
        labels = {"metadata": {"labels": {"workflows.argoproj.io/completed": None}}}
        empty.kubernetes.patch("workflows", empty.namespace, "first", labels)

        assert self.found(empty) == "first"

    def test_not_once_a_backup_was_sealed_whose_workflow_still_runs(self, empty):
        self.run(empty, "first", "Failed")
        self.run(empty, "second", "Running")
        laid(empty, "night", started="2026-11-01T03:00:00Z", **sealed())

        assert self.found(empty) == ""

    @pytest.mark.parametrize(
        "change",
        [
            {"labels": {marks.STATE: marks.RUNNING}},
            {"annotations": {marks.STARTED: "2026-10-31T02:00:00Z"}},
        ],
    )
    def test_a_backup_that_is_none_or_older_ends_nothing(self, empty, change):
        self.run(empty, "first", "Failed")
        laid(empty, "night", started="2026-11-01T03:00:00Z", **sealed())
        empty.kubernetes.patch(CLAIMS, empty.namespace, "night", {"metadata": change})

        assert self.found(empty) == "first"


def test_a_pin_stays_until_it_is_taken_away(empty):
    laid(empty, "night", **sealed())

    assert catalogue.pin(empty.connect(), "night", pinned=True).pinned
    assert only(empty).pinned
    assert not catalogue.pin(empty.connect(), "night", pinned=False).pinned
    assert marks.PINNED not in empty.get(CLAIMS, "night")["metadata"]["labels"]


def test_a_mistyped_name_is_answered_with_those_that_are_there(empty):
    laid(empty, "night")

    with refused(errors.ClaimMissing, others=["night"]):
        catalogue.pin(empty.connect(), "nigth", pinned=True)
