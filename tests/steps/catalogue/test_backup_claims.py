from datetime import UTC, datetime, timedelta

import pytest

from steps import errors
from steps.archive import contents, marks
from steps.catalogue import backup_claims
from steps.catalogue.backup_claims import WantedClaim
from steps.contract.names import PREFIX
from steps.kubernetes import claims, fields, times, workflow
from steps.kubernetes.workflow import Workflow
from tests.builders.pods import pod
from tests.builders.refusals import Holding, refused

ME = Workflow("backup-1", "uid-1")
OTHER = Workflow("backup-0", "uid-0")
WANTED = WantedClaim("nightly", "10Gi", "", "")
APIMANAGER = {
    "metadata": {
        "name": "example",
        "uid": "uid-of-example",
        "annotations": {"apps.3scale.net/apimanager-threescale-version": "2.16.0"},
    }
}


def test_the_claim_of_a_backup_is_found_again_by_its_workflow_only(empty):
    door = empty.connect("threescale-backup")
    backup_claims.create_backup(door, WANTED, APIMANAGER, ME)

    assert backup_claims.check_free(door, "nightly", ME)["metadata"]["name"] == "nightly"
    with refused(errors.ClaimTaken, holder="made by workflow backup-1"):
        backup_claims.check_free(door, "nightly", OTHER)


class TestNames:
    @pytest.mark.parametrize("name", ["a", "0", "nightly", "a-b", "9-9", "a" * 63])
    def test_a_dns_label_can_name_a_backup(self, name):
        backup_claims.check_name(name)

    @pytest.mark.parametrize(
        "name", ["", "-a", "a-", "A", "a.b", "a_b", "a b", "größe", "a" * 64, "a\n", "a/b", "--help"]
    )
    def test_anything_else_is_refused(self, name):
        with refused(errors.BadName, name=name):
            backup_claims.check_name(name)


class TestCreateBackup:
    def test_labels_and_annotations_are_complete_and_nobody_owns_it(self, empty):
        backup_claims.create_backup(empty.connect("threescale-backup"), WANTED, APIMANAGER, ME)

        metadata = empty.get("persistentvolumeclaims", "nightly")["metadata"]
        assert metadata["labels"] == {
            "threescale-backup/backup": "nightly",
            "threescale-backup/state": "running",
            "threescale-backup/workflow": "backup-1",
            "threescale-backup/workflow-uid": "uid-1",
            "threescale-backup/threescale-version": "2.16.0",
        }
        annotations = {name: value for name, value in metadata["annotations"].items() if "kubernetes.io" not in name}
        started = annotations.pop("threescale-backup/started")
        assert annotations == {
            "apiManagerName": "example",
            "apiManagerUID": "uid-of-example",
            "apiManagerBackupName": "nightly",
            "apiManagerBackupUID": "uid-1",
        }
        assert abs(datetime.fromisoformat(started) - datetime.now(UTC)) < timedelta(minutes=5)
        assert "ownerReferences" not in metadata

    def test_it_is_read_write_once_of_the_size_that_was_asked_for(self, empty):
        created = backup_claims.create_backup(empty.connect(), WANTED, APIMANAGER, ME)

        assert created["spec"]["accessModes"] == ["ReadWriteOnce"]
        assert created["spec"]["resources"] == {"requests": {"storage": "10Gi"}}
        assert "volumeName" not in created["spec"]

    @pytest.mark.parametrize(
        ("storage_class", "volume_name", "expected"),
        [
            ("", "", "standard"),  # the cluster's default
            ("fast", "", "fast"),
            ("", "old-disk", ""),
            ("fast", "old-disk", "fast"),
            ("none", "", ""),
        ],
    )
    def test_a_volume_by_name_never_gets_the_default_class(self, empty, storage_class, volume_name, expected):
        wanted = WANTED._replace(storage_class=storage_class, volume_name=volume_name)

        spec = backup_claims.create_backup(empty.connect(), wanted, APIMANAGER, ME)["spec"]

        assert spec["storageClassName"] == expected
        assert spec.get("volumeName", "") == volume_name

    @pytest.mark.parametrize(
        ("storage_class", "volume_name", "expected"),
        [
            ("", "", "10Gi, ReadWriteOnce, of the default class"),
            ("fast", "", "10Gi, ReadWriteOnce, of class fast"),
            ("", "old-disk", "10Gi, ReadWriteOnce, of no class, on volume old-disk"),
            ("none", "", "10Gi, ReadWriteOnce, of no class"),
        ],
    )
    def test_it_is_told_as_it_is_going_to_be(self, storage_class, volume_name, expected):
        wanted = WANTED._replace(storage_class=storage_class, volume_name=volume_name)

        assert claims.told({"spec": wanted.spec}) == expected

    def test_an_apimanager_without_a_version_makes_a_claim_without_that_label(self, empty):
        created = backup_claims.create_backup(
            empty.connect(), WANTED, {"metadata": {"name": "example", "uid": "u"}}, ME
        )

        assert marks.THREESCALE_VERSION not in created["metadata"]["labels"]

    def test_a_quota_is_told(self, empty):
        empty.kubernetes.quota("persistentvolumeclaims", empty.namespace, limit=0)

        with refused(errors.QuotaExceeded, resource="persistentvolumeclaims", name="nightly"):
            backup_claims.create_backup(empty.connect(), WANTED, APIMANAGER, ME)


class TestCheckFree:
    def test_a_name_that_nobody_has_is_free(self, empty):
        assert backup_claims.check_free(empty.connect(), "nightly", ME) is None

    @pytest.mark.parametrize(
        ("metadata", "holder"),
        [
            ({}, "not a backup of this tool"),
            ({"annotations": {"apiManagerBackupName": "nightly"}}, "a backup of the operator"),
            ({"labels": {marks.BACKUP: "nightly", marks.WORKFLOW: "backup-0"}}, "made by workflow backup-0"),
        ],
    )
    def test_a_claim_of_somebody_else_is_refused(self, empty, metadata, holder):
        empty.claim("nightly", metadata=metadata)

        with refused(errors.ClaimTaken, holder=holder):
            backup_claims.check_free(empty.connect(), "nightly", ME)

    def test_a_claim_that_is_going_away_is_refused(self, empty):
        metadata = {"labels": {marks.WORKFLOW_UID: ME.uid}, "finalizers": ["example/wait"]}
        empty.claim("nightly", metadata=metadata)
        empty.kubernetes.delete("persistentvolumeclaims", empty.namespace, "nightly")

        with pytest.raises(errors.ClaimGoingAway):
            backup_claims.check_free(empty.connect(), "nightly", ME)


class TestFind:
    def test_a_mistyped_name_is_answered_with_the_backups_that_are_there(self, empty):
        empty.claim("nightly", metadata={"labels": {marks.BACKUP: "nightly"}})
        empty.claim("by-hand", metadata={"annotations": {"apiManagerBackupName": "by-hand"}})
        empty.claim("data")

        with refused(errors.ClaimMissing, others=["by-hand", "nightly"]):
            backup_claims.find(empty.connect("threescale-restore"), "nigthly")

    def test_where_there_are_none_none_are_named(self, empty):
        with refused(errors.ClaimMissing, namespace="threescale", others=[]):
            backup_claims.find(empty.connect(), "nightly")

    def test_a_claim_that_is_going_away_is_refused(self, empty):
        empty.claim(metadata={"finalizers": ["example/wait"]})
        empty.kubernetes.delete("persistentvolumeclaims", empty.namespace, "system-storage")

        with pytest.raises(errors.ClaimGoingAway):
            backup_claims.find(empty.connect(), "system-storage")


def set_phase(stage, phase):
    stage.kubernetes.patch("persistentvolumeclaims", stage.namespace, "nightly", {"status": {"phase": phase}})


class TestCheckMountable:
    def test_a_bound_claim_passes(self, empty):
        empty.claim("nightly")

        assert (
            backup_claims.check_mountable(empty.connect("threescale-restore"), "nightly", ME, 0.0)["status"]["phase"]
            == "Bound"
        )

    def test_a_claim_without_a_volume_holds_no_backup(self, empty):
        empty.claim("nightly", storageClassName="unknown")

        with refused(errors.ClaimUnbound, phase="Pending"):
            backup_claims.check_mountable(empty.connect(), "nightly", ME, 0.0)

    def test_a_claim_that_nobody_has_looked_at_holds_no_backup(self, empty):
        empty.claim("nightly")
        empty.kubernetes.patch("persistentvolumeclaims", empty.namespace, "nightly", {"status": None})

        with refused(errors.ClaimUnbound, phase="new"):
            backup_claims.check_mountable(empty.connect(), "nightly", ME, 0.0)

    def test_a_claim_that_is_about_to_be_bound_is_waited_for(self, empty):
        empty.claim("nightly", volumeName="disk")
        set_phase(empty, "Pending")
        empty.kubernetes.after_next("list", "events", lambda _: set_phase(empty, "Bound"))
        cluster = empty.connect("threescale-restore")

        assert backup_claims.check_mountable(cluster, "nightly", ME, 60.0)["status"]["phase"] == "Bound"

    def test_a_claim_that_names_a_volume_that_does_not_come_is_told(self, empty):
        empty.claim("nightly", volumeName="disk")
        set_phase(empty, "Pending")

        with refused(errors.ClaimWithoutVolume, event=Holding("volume disk is missing")) as error:
            backup_claims.check_mountable(empty.connect(), "nightly", ME, 0.0)

        assert error.value.exit_code == 1

    def test_a_claim_whose_volume_is_lost_holds_no_backup(self, empty):
        empty.claim("nightly", volumeName="disk")
        set_phase(empty, "Lost")

        with refused(errors.ClaimUnbound, phase="Lost"):
            backup_claims.check_mountable(empty.connect(), "nightly", ME, 60.0)

    def test_a_claim_for_one_pod_that_is_in_use_is_refused(self, empty):
        empty.claim("nightly", modes=["ReadWriteOncePod"])
        pod(empty, "shell", claim="nightly")

        with refused(errors.ClaimInUse, pods=["shell"]):
            backup_claims.check_mountable(empty.connect(), "nightly", ME, 0.0)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        *(("labels", name) for name in (marks.STATE, marks.WORKFLOW, marks.WORKFLOW_UID, marks.FILES, marks.VERIFIED)),
        *(("annotations", name) for name in (marks.STARTED, marks.ENDED, marks.MANIFEST_DIGEST, marks.DAMAGE)),
        ("labels", f"{PREFIX}of-a-later-version"),
    ],
)
@pytest.mark.parametrize("beside", [{}, {"apiManagerBackupName": "nightly"}])
def test_any_label_or_annotation_of_ours_makes_a_claim_ours(empty, part, name, beside):
    metadata = {"annotations": dict(beside)}
    metadata.setdefault(part, {})[name] = ""

    assert backup_claims.is_ours(empty.claim(metadata=metadata))


@pytest.mark.parametrize("name", [marks.PINNED, marks.PROVEN])
def test_what_any_backup_may_carry_does_not_make_it_ours(empty, name):
    told = {"apiManagerBackupName": "weekly", marks.PROVEN_BY: "drill-1", marks.PROVEN_COUNTS: "8 files"}

    assert not backup_claims.is_ours(empty.claim(metadata={"labels": {name: "true"}, "annotations": told}))


class TestComplete:
    def test_a_finished_backup_is_marked_once(self, empty, backup_volume):
        door = empty.connect("threescale-backup")
        created = backup_claims.create_backup(door, WANTED, APIMANAGER, ME)
        opened = contents.open_at(backup_volume)

        backup_claims.complete(door, created, opened.manifest, opened.digest)
        marked = empty.get("persistentvolumeclaims", "nightly")
        backup_claims.complete(door, marked, opened.manifest, "another")

        assert fields.label(marked, marks.STATE) == "complete"
        assert fields.label(marked, marks.WORKFLOW) == opened.manifest.workflow != ME.name
        assert fields.label(marked, marks.WORKFLOW_UID) == opened.manifest.workflow_uid
        assert fields.annotation(marked, marks.MANIFEST_DIGEST) == opened.digest
        assert fields.annotation(marked, marks.ENDED) == times.utc(opened.manifest.ended)
        assert empty.get("persistentvolumeclaims", "nightly") == marked


def test_the_start_is_read_from_the_claim(empty):
    created = backup_claims.create_backup(empty.connect(), WANTED, APIMANAGER, ME)

    assert times.utc(backup_claims.started(created)) == fields.annotation(created, marks.STARTED)


def test_a_claim_that_no_backup_made_has_no_start(empty):
    with refused(errors.NotABackup, reason="claim system-storage has no annotation threescale-backup/started"):
        backup_claims.started(empty.claim())


class TestGiveUp:
    def test_a_run_that_failed_says_so_on_its_claim(self, empty):
        door = empty.connect("threescale-backup")
        backup_claims.create_backup(door, WANTED, APIMANAGER, ME)

        backup_claims.give_up(door, "nightly", ME)

        assert fields.label(empty.get("persistentvolumeclaims", "nightly"), marks.STATE) == "failed"

    def test_but_neither_on_another_s_nor_on_one_that_is_complete_nor_where_there_is_none(self, empty, backup_volume):
        door = empty.connect("threescale-backup")
        backup_claims.give_up(door, "nightly", ME)
        created = backup_claims.create_backup(door, WANTED, APIMANAGER, ME)
        backup_claims.give_up(door, "nightly", workflow.Workflow("another", "another"))
        running = empty.get("persistentvolumeclaims", "nightly")
        opened = contents.open_at(backup_volume)
        backup_claims.complete(door, created, opened.manifest, opened.digest)
        backup_claims.give_up(
            door, "nightly", workflow.Workflow(opened.manifest.workflow, opened.manifest.workflow_uid)
        )

        assert fields.label(running, marks.STATE) == "running"
        assert fields.label(empty.get("persistentvolumeclaims", "nightly"), marks.STATE) == "complete"
