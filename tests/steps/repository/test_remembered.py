"""A backup whose claim went after a whole reading is remembered by the ledger."""

from datetime import UTC, datetime

import pytest

from steps.repository import remembered
from steps.repository.ledger import Copied, Known, RepositoryLedger
from tests.builders.listings import backup

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COPIED = Copied(backup="nightly", started=NOW, schedule="nights", files=43, size_bytes=1000)
WHOLE = Known(copied=COPIED, proved=NOW, verified=NOW)


def entries(*known, claims=()):
    ledgers = {f"copies-{n}": RepositoryLedger(snapshots={f"{n}" * 64: each}) for n, each in enumerate(known)}
    return remembered.entries(ledgers, claims)


def test_a_copy_that_was_read_back_is_a_complete_backup():
    (found,) = entries(WHOLE)

    assert (found.name, found.began, found.state, found.pushed) == ("nightly", NOW, "complete", NOW)
    assert (found.files, found.size_bytes, found.snapshots) == (43, 1000, f"copies-0/{'0' * 64}")


@pytest.mark.parametrize("change", [{"verified": None}, {"proved": None}, {"copied": None}, {"damaged": NOW}])
def test_what_was_not_read_back_or_is_damaged_does_not_count(change):
    assert entries(WHOLE.model_copy(update=change)) == []


def test_a_backup_that_has_its_claim_counts_once():
    assert entries(WHOLE, claims=[backup("nightly", NOW)]) == []


def test_a_backup_in_two_repositories_counts_once():
    assert len(entries(WHOLE, WHOLE)) == 1
