from datetime import UTC, datetime, timedelta

import pytest

from steps import errors
from steps.archive import marks
from steps.catalogue import catalogue, proof
from steps.catalogue.catalogue import OPERATORS, BackupState, Proof
from steps.catalogue.rotation import Rotation
from steps.kubernetes.workflow import Workflow
from tests.builders.claims import CLAIMS, DIGEST, laid, only, sealed
from tests.builders.listings import NOW, backup, nights
from tests.builders.refusals import refused

ME = Workflow("verify-1", "uid-1")


@pytest.fixture
def marked(empty):
    """Mark the claim of a sealed backup with the rights of a verification."""
    laid(empty, "night", **sealed())
    door = empty.connect("threescale-verify")
    return empty, door, empty.get(CLAIMS, "night")


def damage(door, claim, sentence="secrets/zync.json is missing"):
    with pytest.raises(errors.BackupDamaged), proof.noting_damage(door, claim, ME):
        raise errors.BackupDamaged([sentence])


def test_a_system_storage_that_a_restore_made_is_no_sealed_backup_though_it_has_the_digest(empty):
    restored = empty.claim(metadata={"annotations": marks.Mark("night", DIGEST).annotations()})

    assert not proof.is_sealed(restored)


def test_a_verified_backup_says_when_and_by_whom(marked):
    stage, door, claim = marked
    proof.verified(door, claim, ME)

    entry = only(stage)
    assert entry.verified.workflow == "verify-1"
    assert datetime.now(UTC) - entry.verified.when < timedelta(minutes=1)
    assert (entry.damaged, entry.damage, entry.verifying) == (None, "", None)


def test_a_damaged_backup_says_what_was_found_and_begins_anew(marked):
    stage, door, claim = marked
    proof.advanced(door, claim, Rotation(10, 100, DIGEST))
    damage(door, claim)

    entry = only(stage)
    assert entry.damaged.workflow == "verify-1"
    assert "1 finding(s): secrets/zync.json is missing." in entry.damage
    assert (entry.state, entry.verified, entry.verifying) == (BackupState.COMPLETE, None, None)


def test_a_damage_that_is_gone_is_taken_off_with_the_next_whole_verification(marked):
    stage, door, claim = marked
    damage(door, claim)
    proof.verified(door, claim, ME)

    entry = only(stage)
    assert (entry.damaged, entry.damage) == (None, "")
    assert entry.verified


def test_what_is_damaged_stays_so_while_only_shares_were_right(marked):
    stage, door, claim = marked
    damage(door, claim)
    proof.advanced(door, claim, Rotation(10, 100, DIGEST))

    assert only(stage).damaged
    assert only(stage).verifying == Rotation(10, 100, DIGEST)


def test_how_far_it_has_come_in_another_manifest_counts_for_nothing(marked):
    stage, door, claim = marked
    proof.advanced(door, claim, Rotation(10, 100, "cd" * 32))

    assert only(stage).verifying is None


def test_a_very_long_damage_is_cut(marked):
    stage, door, claim = marked
    damage(door, claim, "x" * 300_000)

    assert len(only(stage).damage) == 2000


def test_a_claim_that_was_made_anew_is_not_marked(marked):
    stage, door, claim = marked
    stage.lose_claim("night")
    laid(stage, "night", **sealed())

    with pytest.raises(errors.Rejected):
        proof.verified(door, claim, ME)

    assert only(stage).verified is None


def test_no_other_failure_is_a_damage(marked):
    stage, door, claim = marked
    with pytest.raises(errors.ReadFailed), proof.noting_damage(door, claim, ME):
        raise errors.ReadFailed(["manifest.json"], "Permission denied")

    assert only(stage).damaged is None


@pytest.mark.parametrize("change", [{"annotations": {marks.MANIFEST_DIGEST: None}}, {"labels": {marks.BACKUP: None}}])
def test_a_claim_that_no_seal_has_marked_is_left_alone(marked, change):
    stage, door, _ = marked
    stage.kubernetes.patch(CLAIMS, stage.namespace, "night", {"metadata": change})
    before = stage.get(CLAIMS, "night")
    damage(door, before)

    assert stage.get(CLAIMS, "night") == before


def test_the_newest_that_nobody_has_looked_at_is_due_and_then_the_one_of_longest_ago():
    first, second, third = nights(3)

    def looked(entry):
        return seen.get(entry.name)

    order = []
    seen = {}
    for hour in range(5):
        due = proof.due([third, first, second], looked, "ns", "verify")
        order.append(due.name)
        seen[due.name] = NOW + timedelta(hours=hour)

    assert order == ["night-0", "night-1", "night-2", "night-0", "night-1"]


@pytest.mark.parametrize(
    "change",
    [
        {"state": BackupState.RUNNING},
        {"state": BackupState.FAILED},
        {"state": BackupState.UNKNOWN},
        {"going": True},
        {"maker": OPERATORS},
    ],
)
def test_only_complete_ones_of_ours_that_stay_are_due(change):
    with refused(errors.NothingToProve, namespace="ns", what="verify"):
        proof.due([backup("night", NOW, **change)], lambda _entry: None, "ns", "verify")


def test_one_that_is_still_being_made_is_refused_by_name():
    running = backup("night", NOW, state=BackupState.RUNNING)

    with refused(errors.StillRunning, by="of-night"):
        proof.check_ended([running], "night")
    proof.check_ended([running], "another")


def test_the_marks_are_what_list_and_describe_show(marked):
    stage, door, claim = marked
    proof.verified(door, claim, ME)
    proof.proven(door, claim, Workflow("drill-1", "uid-2"), "22 created; 41.5 s")

    entry = catalogue.find(catalogue.read(stage.connect()), "night", stage.namespace)
    assert entry.as_json()["verified"] == {"when": _plain(entry.verified), "workflow": "verify-1"}
    assert entry.as_json()["proven"] == {"when": _plain(entry.proven), "workflow": "drill-1"}
    assert entry.as_json()["proven_counts"] == "22 created; 41.5 s"


def _plain(found: Proof) -> str:
    return found.when.strftime("%Y-%m-%dT%H:%M:%SZ")
