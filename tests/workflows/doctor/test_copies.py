"""The doctor says until when the newest copy is locked, where a verification has found it out."""

from datetime import timedelta

import pytest

from steps.kubernetes import times
from steps.repository import ledger
from steps.repository.ledger import Lock
from workflows.doctor import copies
from workflows.doctor.finding import State


@pytest.fixture
def found(empty, patient):
    """Record a lock, and return what is found about it."""

    def of(days, warning="7d", **facts):
        now = times.now()
        until = None if days is None else now + timedelta(days=days)
        ledger.note_lock(empty.connect(), "copies", Lock(backup="nightly", checked=now, until=until, needed=9, **facts))
        file = {"repository": {"secrets": ["copies"], "lockWarning": warning}}
        (one,) = copies.locks(patient(empty, file=file))
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
    assert list(copies.locks(patient(empty, file={"repository": {"secrets": ["copies"]}}))) == []
    assert list(copies.locks(patient(empty))) == []
