"""Locks, clocks, other writers and forged or lost content of a repository: how each ends, and what is left."""

import threading
import time
from email.utils import formatdate

import pytest

from steps.archive import marks
from steps.kubernetes import fields
from tests.builders import broken_packs, repositories
from tests.builders.claims import CLAIMS
from tests.builders.forged import configmap
from tests.workflows.faults.copies import SNAPSHOTS, codes, message
from workflows.rehearsal.kubernetes.server import Handler

pytestmark = pytest.mark.thorough

HOUR_S = 3600
OTHER = "f" * 16


@pytest.fixture
def clock_ahead(monkeypatch):
    """Put the pods' clock ahead of the API server's: only the difference counts, so the server's is put back."""

    def put(seconds):
        monkeypatch.setattr(Handler, "date_time_string", lambda _: formatdate(time.time() - seconds, usegmt=True))

    yield put
    monkeypatch.undo()


@pytest.mark.parametrize("seconds", [HOUR_S, pytest.param(-HOUR_S, marks=pytest.mark.thorough)])
def test_a_pod_whose_clock_is_wrong_removes_no_lock_and_is_tried_again(copied, clock_ahead, seconds):
    living = copied.leave_lock(1)
    clock_ahead(seconds)

    workflow = copied.push(claim_name="nightly")

    assert (workflow.phase, codes(workflow, "choose")) == ("Failed", [75, 75])
    assert f"60 minutes {'ahead of' if seconds > 0 else 'behind'}" in message(workflow, "choose")
    assert living.exists()
    clock_ahead(0)
    assert copied.push(claim_name="nightly").phase == "Succeeded"


@pytest.mark.thorough
def test_a_dead_lock_is_removed_and_a_living_one_stays_and_stops_no_push(copied):
    copied.looked.run("forget", copied.looked.snapshots()[0]["id"])
    dead, living = copied.leave_lock(31, exclusive=True), copied.leave_lock(12)

    workflow = copied.push(claim_name="nightly")

    assert workflow.phase == "Succeeded", workflow.message
    assert (dead.exists(), living.exists()) == (False, True)
    assert len(copied.looked.snapshots()) == 1


@pytest.mark.thorough
def test_two_pushes_at_once_both_end_well(copies):
    """Of one backup: the mutex of the namespace is of Argo alone, so here both run side by side."""
    copies.looked.run("init")
    ended = []
    beside = threading.Thread(target=lambda: ended.append(copies.push(claim_name="nightly")))
    beside.start()
    ended.append(copies.push(claim_name="nightly"))
    beside.join()

    assert [each.phase for each in ended] == ["Succeeded", "Succeeded"]
    assert 1 <= len(copies.looked.snapshots()) <= 2
    assert {tags["backup"] for tags in copies.looked.tags()} == {"nightly"}
    assert copies.check()


@pytest.mark.thorough
def test_a_snapshot_that_was_forgotten_by_hand_is_made_again(copied):
    (gone,) = copied.looked.snapshots()
    copied.looked.run("forget", gone["id"])

    workflow = copied.push(claim_name="nightly")

    (made,) = copied.looked.snapshots()
    assert workflow.phase == "Succeeded", workflow.message
    assert fields.annotation(copied.stage.get(CLAIMS, "nightly"), marks.SNAPSHOT).endswith(made["id"])


def of_another(copied):
    """Make the namespace another installation than the one that pushed."""
    configmap(copied.stage, "threescale-backup-origin", {"id": OTHER})


@pytest.mark.thorough
def test_the_only_backup_of_another_installation_is_its_latest(copied):
    of_another(copied)

    workflow = copied.fetch(backup="latest")

    assert workflow.phase == "Succeeded", workflow.message
    assert copied.is_whole("back")


def again(copied, *, host="", **tags):
    """Make the snapshot once more, with other tags or of another origin."""
    (whole,) = copied.looked.snapshots()
    told = {**copied.looked.tags()[0], **tags}
    words = [word for name, value in told.items() for word in ("--tag", f"{name}={value}")]
    copied.looked.run("backup", "--host", host or whole["hostname"], "--time", whole["time"][:19].replace("T", " "),
                      *words, *whole["paths"])  # fmt: skip


@pytest.mark.thorough
def test_a_snapshot_with_the_digest_of_another_backup_is_not_fetched(copied):
    again(copied, **{"manifest-sha256": "0" * 64, "backup": "forged"})

    workflow = copied.fetch(backup="forged")

    assert (workflow.phase, codes(workflow, "prepare")) == ("Failed", [1])
    assert "is not the one of the snapshot's tag" in message(workflow, "prepare")
    assert copied.stage.get(CLAIMS, "back") is None


@pytest.mark.thorough
def test_backups_of_one_name_of_two_installations_are_told_apart_by_id(copied):
    again(copied, host=OTHER, **{"manifest-sha256": "0" * 64})

    workflow = copied.fetch(backup="nightly")

    assert (workflow.phase, codes(workflow, "prepare")) == ("Failed", [1])
    assert "Choose one by the ID" in message(workflow, "prepare")
    assert copied.stage.get(CLAIMS, "back") is None


def packs(copied):
    return repositories.packs(copied.folder)


@pytest.mark.thorough
@pytest.mark.parametrize("harm", [broken_packs.flip, lambda path: path.unlink()], ids=["damaged", "deleted"])
def test_a_pack_that_is_damaged_or_deleted_leaves_no_backup_on_the_claim(copied, harm):
    for pack in packs(copied):
        harm(pack)
    time.sleep(1.5)  # the server looks again

    workflow = copied.fetch()

    claim = copied.stage.get(CLAIMS, "back")
    assert workflow.phase == "Failed"
    assert claim is None or not marks.sealed(claim)
    assert copied.is_pushed()


@pytest.mark.thorough
def test_a_pack_that_changes_between_push_and_proof_is_no_proved_copy(copies):
    copies.looked.run("init")

    def spoil():  # all bytes, because the proof reads back the manifest alone
        for each in packs(copies):
            each.chmod(0o600)
            each.write_bytes(bytes(each.stat().st_size))
        time.sleep(1.5)  # until the server looks at the files again

    copies.faults.call(before=spoil, methods="PUT", path=SNAPSHOTS)

    workflow = copies.push()

    assert workflow.phase == "Failed"
    assert not copies.is_pushed()


@pytest.mark.thorough
def test_a_claim_that_is_too_small_is_told_and_stays_unsealed(copied, mount):
    def fill(_process):
        mount(copied.stage.engine.volume("back"), "size=64k")

    copied.hand.against("download", fill)

    workflow = copied.fetch(storage_request="1Mi")

    assert (workflow.phase, codes(workflow, "download")[-1]) == ("Failed", 1), message(workflow, "download")
    assert not marks.sealed(copied.stage.get(CLAIMS, "back"))


@pytest.mark.thorough
def test_fetched_bytes_that_differ_are_written_again_by_the_next_try(copied):
    def spoil():
        for path in copied.stage.engine.volume("back").rglob("system-app.json"):
            path.write_text("of somebody else")

    copied.hand.against("download", lambda _: copied.faults.call(before=spoil, methods="DELETE", path="/locks/"))

    workflow = copied.fetch()

    assert workflow.phase == "Failed"
    assert "is damaged" in message(workflow, "download")
    assert not marks.sealed(copied.stage.get(CLAIMS, "back"))


CANARY = "canary-9f2c"


@pytest.mark.thorough
def test_no_value_of_the_secret_lies_in_the_repository_or_in_what_people_read(copies):
    password = f"{CANARY}-of-the-password"
    copies.give(RESTIC_PASSWORD=password)
    copies.looked.environment["RESTIC_PASSWORD"] = password
    workflows = [copies.push(repository_init="yes"), copies.fetch()]
    secret = copies.bucket.server.credentials["AWS_SECRET_ACCESS_KEY"]
    told = [repr(each) + "".join(node.log for node in each.nodes) for each in workflows]
    told += [repr(copies.stage.kubernetes.list(each, copies.stage.namespace))
             for each in ("pods", "workflows", "events", "configmaps", CLAIMS)]  # fmt: skip
    stored = [path.read_bytes() for path in copies.folder.rglob("*") if path.is_file()]

    assert {each.phase for each in workflows} == {"Succeeded"}
    assert not [text for text in told if CANARY in text or secret in text]
    assert stored
    assert not [data for data in stored if CANARY.encode() in data or b"system-app" in data or secret.encode() in data]
