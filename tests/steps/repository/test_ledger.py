"""What is known of snapshots survives between runs, two writers at once, and entries that nobody can read."""

from datetime import UTC, datetime

import pytest

from steps.contract import names
from steps.repository import ledger
from steps.repository.ledger import Known, Lock

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def cluster(empty):
    return empty.connect()


def proved(known):
    return known.model_copy(update={"proved": NOW})


def pinned(known):
    return known.model_copy(update={"pinned": True})


def test_nothing_is_known_before_the_first_note(cluster):
    assert ledger.read(cluster, "copies").of(ONE) == Known()


def test_notes_of_one_snapshot_are_joined_and_those_of_others_stay(cluster):
    ledger.note(cluster, "copies", ONE, proved)
    ledger.note(cluster, "copies", TWO, proved)
    ledger.note(cluster, "copies", ONE, pinned)

    found = ledger.read(cluster, "copies")
    assert found.of(ONE) == Known(proved=NOW, pinned=True)
    assert found.of(TWO) == Known(proved=NOW)


def test_two_writers_at_once_lose_nothing(cluster, empty):
    other = empty.connect()
    ledger.note(cluster, "copies", ONE, proved)
    empty.kubernetes.before_next("patch", "configmaps", lambda _request: ledger.note(other, "copies", ONE, pinned))

    ledger.note(cluster, "copies", ONE, lambda known: known.model_copy(update={"damage": "a pack is missing"}))

    assert ledger.read(cluster, "copies").of(ONE) == Known(proved=NOW, pinned=True, damage="a pack is missing")


def test_each_repository_has_its_own(cluster):
    ledger.note(cluster, "copies", ONE, proved)

    assert ledger.read(cluster, "others").snapshots == {}


def test_forgotten_snapshots_leave_it(cluster):
    ledger.note(cluster, "copies", ONE, proved)
    ledger.note(cluster, "copies", TWO, proved)

    ledger.forget(cluster, "copies", [ONE])

    assert list(ledger.read(cluster, "copies").snapshots) == [TWO]


def test_an_entry_that_can_not_be_read_counts_as_unknown(cluster, empty):
    ledger.note(cluster, "copies", ONE, proved)
    name = names.LEDGER.format("copies")
    empty.kubernetes.patch("configmaps", empty.namespace, name, {"data": {ONE: "no JSON", TWO: '{"proved": 1e99}'}})

    assert ledger.read(cluster, "copies").snapshots == {}


def test_the_progress_of_the_reading_is_no_snapshot(cluster):
    ledger.note_reading(cluster, "copies", "3/30")

    found = ledger.read(cluster, "copies")
    assert (found.reading, found.snapshots) == ("3/30", {})


def test_a_lock_is_kept_beside_the_snapshots_and_replaced_by_the_next(cluster):
    ledger.note(cluster, "copies", ONE, proved)
    for needed in (3, 4):
        ledger.note_lock(cluster, "copies", Lock(backup="nightly", checked=NOW, until=NOW, needed=needed))

    found = ledger.read(cluster, "copies")
    assert found.lock == Lock(backup="nightly", checked=NOW, until=NOW, needed=4)
    assert list(found.snapshots) == [ONE]


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({}, "backup nightly is not locked"),
        ({"until": NOW}, "the 4 objects that backup nightly needs are locked until 2026-01-02T03:04:05Z"),
        ({"until": NOW, "lacking": 1}, "1 of 4 objects that backup nightly needs are not locked"),
    ],
)
def test_a_lock_is_told_in_a_sentence(facts, sentence):
    assert str(Lock(backup="nightly", checked=NOW, needed=4, **facts)) == sentence


def test_a_lock_that_can_t_be_read_is_unknown(cluster, empty):
    ledger.note_lock(cluster, "copies", Lock(backup="nightly", checked=NOW))
    empty.kubernetes.patch(
        "configmaps", empty.namespace, names.LEDGER.format("copies"), {"data": {"locked-until": "x"}}
    )

    assert ledger.read(cluster, "copies").lock is None
    assert ledger.read(cluster, "copies").snapshots == {}
