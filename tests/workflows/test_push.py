"""A sealed backup is copied to a repository, as whole workflows on the embedded cluster with a real restic."""

import os

import pytest

from steps.archive import marks
from steps.kubernetes import fields
from tests.builders import repositories
from tests.builders.claims import CLAIMS
from tests.builders.notifications import SECRET, give_url
from tests.builders.receiver import receiving
from tests.builders.repositories import NAME, Looked
from tests.builders.volumes import flip, state_of
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS

ORIGIN = "threescale-backup-origin"


pytestmark = pytest.mark.usefixtures("restic_on_path")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "repository"


@pytest.fixture
def looked(restic, folder):
    return Looked(restic, folder)


@pytest.fixture
def stored(kept, folder):
    """A namespace with a sealed backup that is not copied yet, and a repository to be made."""
    repositories.give(kept, folder)
    return kept


def push(stage, **parameters):
    return stage.engine.submit("threescale-push", {name.replace("_", "-"): value for name, value in parameters.items()})


def message(workflow, node):
    return workflow.node(node).attempts[-1].message


def test_a_backup_is_copied_as_one_proved_snapshot_and_its_claim_says_so(stored, looked):
    before = state_of(stored.engine.volume("nightly"))

    workflow = push(stored, repository_init="yes")

    (snapshot,), (tags,) = looked.snapshots(), looked.tags()
    claim = stored.get(CLAIMS, "nightly")
    origin = stored.get("configmaps", ORIGIN)["data"]["id"]
    assert workflow.phase == "Succeeded", workflow.message
    assert snapshot["hostname"] == origin
    assert tags["backup"] == "nightly"
    assert tags["manifest-sha256"] == fields.annotation(claim, marks.MANIFEST_DIGEST)
    assert (tags["threescale"], tags["namespace"]) == ("2.16.0", stored.namespace)
    assert snapshot["time"][:19] == fields.annotation(claim, marks.STARTED)[:19]
    assert fields.annotation(claim, marks.SNAPSHOT) == f"{NAME}/{snapshot['id']}"
    assert fields.label(claim, marks.PUSHED)
    assert workflow.node("upload").outputs["snapshots"] == f"{NAME}/{snapshot['id']}"
    assert state_of(stored.engine.volume("nightly")) == before
    assert looked.locks() == []


@pytest.mark.thorough
def test_strangers_on_the_volume_are_not_copied(stored, looked):
    root = stored.engine.volume("nightly")
    for name in ("lost+found", ".snapshot", "of another"):
        (root / name).mkdir()
        (root / name / "file").write_text("not of the backup")

    push(stored, repository_init="yes")

    tops = {path.rpartition("/")[2] for path in looked.snapshots()[0]["paths"]}
    assert {"manifest.json", "secrets", "system-filestorage-pvc"} < tops
    assert not tops & {"lost+found", ".snapshot", "of another"}


@pytest.mark.thorough
def test_a_second_push_finds_the_proved_snapshot_and_adds_none(stored, looked):
    push(stored, repository_init="yes")

    workflow = push(stored, claim_name="nightly")

    assert workflow.phase == "Succeeded", workflow.message
    assert len(looked.snapshots()) == 1
    assert workflow.node("upload").outputs["bytes"] == "0"


def test_a_repository_that_does_not_exist_is_not_made_unless_a_run_says_so(stored, folder):
    workflow = push(stored)

    assert (workflow.phase, workflow.node("choose").exit_code) == ("Failed", 1)
    assert "repository-init=yes" in message(workflow, "choose")
    assert not folder.exists()


@pytest.mark.thorough
def test_a_repository_that_vanished_is_an_alarm_and_never_made_again(stored, folder):
    push(stored, repository_init="yes")
    folder.rename(folder.with_name("away"))

    workflow = push(stored, claim_name="nightly", repository_init="yes")

    assert workflow.node("choose").exit_code == 1
    assert "this installation has pushed to it" in message(workflow, "choose")
    assert not folder.exists()


@pytest.mark.thorough
def test_a_wrong_password_is_refused_before_anything_else(stored, folder):
    push(stored, repository_init="yes")
    stored.kubernetes.apply(
        repositories.secret(stored.namespace, folder, RESTIC_PASSWORD="another long enough password")  # noqa: S106  # of this test
    )

    workflow = push(stored, claim_name="nightly")

    assert workflow.node("choose").exit_code == 1
    assert "RESTIC_PASSWORD" in message(workflow, "choose")
    assert "another long enough password" not in message(workflow, "choose")


@pytest.mark.thorough
def test_a_missing_secret_is_told_by_its_keys(kept):
    repositories.configure(kept)

    workflow = push(kept)

    assert "RESTIC_REPOSITORY is missing" in message(workflow, "choose")


@pytest.mark.thorough
def test_a_damaged_backup_is_not_copied(stored, looked):
    push(stored, repository_init="yes")
    looked.run("forget", looked.snapshots()[0]["id"])
    flip(stored.engine.volume("nightly") / "manifest.json")

    workflow = push(stored, claim_name="nightly")

    assert workflow.phase == "Failed"
    assert looked.snapshots() == []


@pytest.mark.thorough
def test_a_snapshot_that_lacks_a_file_is_not_counted_and_replaced(stored, looked):
    """restic leaves a snapshot with all tags behind when it could not read a source."""
    push(stored, repository_init="yes")
    (whole,) = looked.snapshots()
    tags = [word for tag in whole["tags"] for word in ("--tag", tag)]
    lacking = [path for path in whole["paths"] if not path.endswith("secrets")]
    looked.run("forget", whole["id"])
    looked.run("backup", "--host", whole["hostname"], *tags, *lacking)
    (unproved,) = looked.snapshots()

    workflow = push(stored, claim_name="nightly")

    (made,) = looked.snapshots()
    assert workflow.phase == "Succeeded", workflow.message
    assert made["id"] != unproved["id"]
    assert f"{os.path.dirname(lacking[0])}/secrets" in made["paths"]  # noqa: PTH120


@pytest.mark.thorough
def test_two_repositories_both_get_their_copy_and_one_that_fails_does_not_stop_the_other(kept, tmp_path, restic):
    first, second = tmp_path / "first", tmp_path / "second"
    for name, place in (("first", first), ("second", second)):
        kept.kubernetes.apply(repositories.secret(kept.namespace, place, name=name))
    repositories.configure(kept, "first", "second")
    Looked(restic, second).run("init")

    failed = push(kept)
    healed = push(kept, repository_init="yes")

    assert failed.phase == "Failed"
    assert healed.phase == "Succeeded", healed.message
    assert [len(Looked(restic, each).snapshots()) for each in (first, second)] == [1, 1]
    told = fields.annotation(kept.get(CLAIMS, "nightly"), marks.SNAPSHOT)
    assert [part.partition("/")[0] for part in told.split(",")] == ["first", "second"]


@pytest.mark.thorough
def test_a_second_claim_serves_as_a_repository(kept, restic):
    kept.kubernetes.apply(repositories.secret(kept.namespace, ""))
    kept.kubernetes.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "copies", "namespace": kept.namespace},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
    )
    repositories.configure(kept, repository_claim="copies")

    workflow = push(kept, repository_init="yes")

    assert workflow.phase == "Succeeded", workflow.message
    assert len(Looked(restic, kept.engine.volume("copies") / "restic").snapshots()) == 1


@pytest.fixture
def running(installed, folder):
    repositories.give(installed, folder)
    return installed


def test_a_backup_ends_with_its_copy(running, looked):
    workflow = running.backup(name="first", repository_init="yes")

    assert workflow.phase == "Succeeded", workflow.message
    assert [tags["backup"] for tags in looked.tags()] == ["first"]
    assert not workflow.node("push-best-effort").attempts


@pytest.mark.thorough
def test_a_backup_that_must_be_copied_does_not_begin_without_its_repository(running):
    workflow = running.backup(name="first")

    assert (workflow.phase, workflow.node("prepare").exit_code) == ("Failed", 1)
    assert running.get(CLAIMS, "first") is None


@pytest.mark.thorough
def test_with_best_effort_the_backup_is_green_and_its_copy_red(running):
    workflow = running.backup(name="first", push="best-effort")

    assert workflow.phase == "Succeeded", workflow.message
    assert workflow.node("upload").exit_code == 1
    assert fields.label(running.get(CLAIMS, "first"), marks.STATE) == "complete"
    assert not fields.label(running.get(CLAIMS, "first"), marks.PUSHED)


@pytest.mark.thorough
def test_the_notification_names_the_copy_and_a_failed_copy_is_told_as_one(installed, folder, looked):
    with receiving() as receiver:
        give_url(installed, receiver.base)
        installed.kubernetes.apply(repositories.secret(installed.namespace, folder))
        repositories.configure(installed, notify_secret=SECRET)
        installed.backup(name="first", repository_init="yes")
        good = looked.snapshots()[0]["id"]
        installed.engine.on_start = lambda node, _process: (
            node == "push" and (folder / "config").rename(folder / "away")
        )
        failed = installed.backup(name="second")

    first, second = (posted.json for posted in receiver.posted)
    assert (first["outcome"], first["snapshots"]) == ("succeeded", [f"{NAME}/{good}"])
    assert (second["outcome"], second["failures"][0]["phase"]) == ("failed", "upload")
    assert "The backup is complete on its claim" in failed.node("report").outputs["report"]


def test_without_a_repository_a_copy_can_not_be_asked_for(installed):
    workflow = installed.backup(name="first", push="required")

    assert workflow.node("prepare").exit_code == 1
    assert "repository.secrets" in message(workflow, "prepare")


@pytest.mark.thorough
def test_a_plan_asks_the_repository_and_makes_none(running, folder):
    workflow = running.backup(plan="only", repository_init="yes")

    assert workflow.node("prepare").exit_code == 1
    assert not folder.exists()


def test_no_secret_stands_in_a_template():
    text = str(render(SETTINGS.model_copy(update={"repositories": ("one", "two")})))

    assert "RESTIC_PASSWORD" not in text
    assert "AWS_" not in text
