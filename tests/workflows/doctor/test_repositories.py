"""Repositories: their Secrets, the claim that may hold one, and the copy of the newest backup with its locks."""

from datetime import timedelta

import pytest

from steps.archive import marks
from steps.kubernetes import times
from steps.repository import ledger
from steps.repository.ledger import Lock
from tests.builders.claims import CLAIMS, laid
from tests.builders.repositories import secret
from workflows.doctor import repositories
from workflows.doctor.finding import State

ASKED = "repository:\n  secrets: [copies]\n"
S3 = "s3:https://s3.example.com/bucket"
KEYS = {"AWS_ACCESS_KEY_ID": "canary-key-id", "AWS_SECRET_ACCESS_KEY": "canary-secret"}


def give(surgery, address=S3, **keys):
    surgery.stage.kubernetes.apply(secret("threescale", address, name="copies", **keys))


def sealed(surgery):
    annotations = {marks.STARTED: "2026-01-02T03:04:05Z", marks.MANIFEST_DIGEST: "ab" * 32}
    told = {marks.BACKUP: "nightly", marks.STATE: marks.COMPLETE, marks.WORKFLOW: "of-nightly"}
    laid(surgery.stage, "nightly", labels=told, annotations=annotations)


@pytest.mark.thorough
def test_without_a_repository_nothing_is_said(surgery):
    surgery.write()

    assert surgery.found("Repositories") == []
    assert surgery.found("Copy of the newest backup") == []


@pytest.mark.thorough
def test_a_secret_that_is_not_there_is_an_error(surgery):
    surgery.write(ASKED)

    (found,) = surgery.found("Repositories")
    assert found["state"] == "error"
    assert "Secret copies does not exist" in found["told"]


@pytest.mark.thorough
def test_a_good_secret_is_named_with_its_kind_and_without_its_values(surgery):
    surgery.write(ASKED)
    give(surgery, **KEYS)

    (found,) = surgery.found("Repositories")
    assert (found["state"], "(s3)" in found["told"]) == ("ok", True)
    assert "canary" not in str(found)


@pytest.mark.thorough
def test_mistakes_in_the_secret_are_named_by_their_keys(surgery):
    surgery.write(ASKED)
    give(surgery, "bucket", AWS_ACCESS_KEY="canary-key")

    (found,) = surgery.found("Repositories")
    assert found["state"] == "error"
    assert "'AWS_ACCESS_KEY' is not one of its keys" in found["told"]
    assert "RESTIC_REPOSITORY is not an address" in found["told"]
    assert "canary" not in str(found)


@pytest.mark.thorough
def test_a_claim_that_holds_a_repository_is_lost_with_the_namespace(surgery):
    surgery.write(f"{ASKED}  claim: copies\n")
    give(surgery, "")
    missing = surgery.found("Claim of a repository")
    laid(surgery.stage, "copies")

    (found,) = surgery.found("Claim of a repository")
    assert [each["state"] for each in missing] == ["error"]
    assert found["state"] == "warning"
    assert "lost with the namespace" in found["told"]
    assert [each["state"] for each in surgery.found("Repositories")] == ["ok"]


@pytest.mark.thorough
def test_a_newest_backup_without_a_copy_is_a_warning_with_the_command(surgery):
    surgery.write(ASKED)
    before = surgery.found("Copy of the newest backup")
    sealed(surgery)
    (without,) = surgery.found("Copy of the newest backup")
    surgery.stage.kubernetes.patch(
        CLAIMS, "threescale", "nightly", {"metadata": {"labels": {marks.PUSHED: "20260102T040000Z"}}}
    )
    (copied,) = surgery.found("Copy of the newest backup")

    assert [each["state"] for each in before] == ["not tried"]
    assert (without["state"], copied["state"]) == ("warning", "ok")
    assert without["remedy"].endswith("-p claim-name=nightly")


@pytest.fixture
def found(empty, patient):
    """Record a lock, and return what is found about it."""

    def of(days, warning="7d", **facts):
        now = times.now()
        until = None if days is None else now + timedelta(days=days)
        ledger.note_lock(empty.connect(), "copies", Lock(backup="nightly", checked=now, until=until, needed=9, **facts))
        file = {"repository": {"secrets": ["copies"], "lockWarning": warning}}
        (one,) = repositories.locks(patient(empty, file=file))
        return one

    return of


def test_a_long_lock_is_ok_and_says_when_it_was_checked(found):
    one = found(30)

    assert (one.state, one.what, one.remedy) == (State.OK, "Locks in copies", "")
    assert "nightly needs are locked until" in one.told
    assert "This was checked at 2" in one.told


@pytest.mark.parametrize(("days", "facts"), [(6, {}), (30, {"lacking": 1})])
def test_a_lock_that_ends_soon_or_has_a_gap_is_a_warning(found, days, facts):
    one = found(days, **facts)

    assert one.state is State.WARNING
    assert "repository objects latest" in one.remedy
    assert found(days, warning="", **facts).state is State.OK


def test_a_store_that_locks_nothing_is_told_and_no_warning(found):
    assert found(None).state is State.OK
    assert found(None).told.startswith("Backup nightly is not locked.")


def test_nothing_is_found_before_the_first_verification(empty, patient):
    assert list(repositories.locks(patient(empty, file={"repository": {"secrets": ["copies"]}}))) == []
    assert list(repositories.locks(patient(empty))) == []
