"""By what a System database is known again."""

import pytest

from steps.databases import identity
from steps.databases.identity import Master

RECORDED = Master("1 2026-01-01 00:00:00", 5)


@pytest.mark.parametrize(
    ("found", "same"),
    [
        (Master("1 2026-01-01 00:00:00", 5), True),
        (Master("1 2026-01-01 00:00:00", 6), True),
        (Master("1 2026-01-01 00:00:00", 4), False),
        (Master("1 2026-11-30 00:00:00", 5), False),
        (Master("2 2026-01-01 00:00:00", 5), False),
    ],
)
def test_the_same_master_account_and_no_fewer_tenants_are_the_same_installation(found, same):
    assert found.is_same(RECORDED) is same


def test_what_a_dump_records_is_read_again():
    assert identity.read(RECORDED.told) == RECORDED


@pytest.mark.parametrize("told", [(), ("1",), ("1", "many"), ("1", "2", "3")])
def test_a_dump_of_another_database_has_no_master(told):
    assert identity.read(told) is None
