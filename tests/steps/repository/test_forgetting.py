"""What forgetting does to a repository and to the ledger, with the rights of retention's account."""

from datetime import UTC, datetime, timedelta

import pytest

from steps import errors
from steps.contract.prune_contract import RulesAsked
from steps.repository import forgetting, kept
from steps.repository.ledger import Known
from tests.builders.forged import OTHER, Forged, frozen, install, know, noted
from tests.conftest import Stage

RULES = kept.rules(RulesAsked(keep_last=1, minimum_redundancy=1))
NOW = datetime(2026, 11, 20, tzinfo=UTC)
PROVED = Known(proved=datetime(2026, 11, 6, tzinfo=UTC))


@pytest.fixture
def forged(empty, tmp_path, restic_on_path):
    made = Forged(tmp_path, restic_on_path)
    install(empty, made)
    return made


def forget(stage: Stage, forged: Forged, meanwhile=lambda _restic: None) -> int:
    door = stage.connect("threescale-prune")
    with forged.opened() as restic:
        found = kept.judge(restic, door, RULES, NOW)
        meanwhile(restic)
        return forgetting.forget(restic, door, found)


@pytest.mark.thorough
def test_the_doomed_go_with_their_entries_and_nothing_else(empty, forged):
    first, second, third = forged.nights(3)
    forged.save("theirs", "2026-10-01 02:00:00", origin=OTHER)
    know(empty, **{first: PROVED, second: PROVED, third: PROVED, "c" * 64: PROVED})

    assert forget(empty, forged) == 2
    assert forged.backups == ["theirs", "night-3"]
    assert list(noted(empty)) == [third]


def test_one_that_was_pinned_meanwhile_stays(empty, forged, caplog):
    caplog.set_level("INFO")
    first, *_ = forged.nights(3)
    know(empty)

    gone = forget(empty, forged, lambda _restic: know(empty, **{first: Known(pinned=True)}))

    assert gone == 1
    assert forged.backups == ["night-1", "night-3"]
    assert f"snapshot {first[:8]} of backup night-1: kept: it was pinned meanwhile" in caplog.messages


def test_one_that_somebody_forgot_meanwhile_is_passed_over(empty, forged):
    first, *_ = forged.nights(3)
    know(empty)

    assert forget(empty, forged, lambda restic: restic.run("forget", first)) == 1
    assert forged.backups == ["night-3"]


def test_the_rest_of_a_failed_push_goes_after_a_day_and_a_newer_whole_one(empty, forged):
    forged.save("broken", "2026-11-01 02:00:00", whole=False)
    forged.save("night", "2027-01-01 02:00:00")
    know(empty)
    rules, written = kept.rules(RulesAsked(keep_last=9)), datetime.now(UTC)

    with forged.opened() as restic:
        soon = kept.judge(restic, empty.connect(), rules, written + timedelta(hours=23))
        late = kept.judge(restic, empty.connect(), rules, written + timedelta(hours=25))

    assert soon.decision.verdicts[-1].why == "failed: its snapshot is not whole and not proved"
    assert [each.backup for each in soon.doomed] == []
    assert late.decision.verdicts[-1].why == "not whole and not proved, and older than a day"
    assert [each.backup for each in late.doomed] == ["broken"]


def test_a_store_that_does_not_delete_is_named_with_what_stays(empty, forged):
    first, second = forged.nights(2)
    know(empty, **{first: PROVED, second: PROVED})

    with frozen(forged.folder / "snapshots"), pytest.raises(errors.NotForgotten) as raised:
        forget(empty, forged)

    assert f"snapshot {first[:8]} of backup night-1" in str(raised.value)
    assert "repository.pruneSecrets" in str(raised.value)
    assert forged.backups == ["night-1", "night-2"]
    assert set(noted(empty)) == {first, second}


def test_a_run_is_limited(empty, forged, monkeypatch):
    monkeypatch.setattr(forgetting, "AT_MOST", 1)
    forged.nights(3)
    know(empty)

    assert forget(empty, forged) == 1
    assert forged.backups == ["night-2", "night-3"]
