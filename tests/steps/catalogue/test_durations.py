from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from steps import errors
from steps.catalogue.durations import Duration, zone
from tests.builders.listings import NOW
from tests.builders.refusals import refused

MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("text", "back"),
    [("1d", "2026-11-19"), ("2w", "2026-11-06"), ("1m", "2026-10-20"), ("9m", "2026-02-20"), ("1y6m", "2025-05-20")],
)
def test_a_duration_goes_by_the_calendar(text, back):
    assert Duration.read(text, "keep-within").before(NOW).date().isoformat() == back


def test_the_last_day_stands_for_one_that_a_month_lacks():
    found = Duration.read("9m", "keep-within").before(datetime(2026, 11, 30, tzinfo=UTC))

    assert found.date().isoformat() == "2026-02-28"
    assert Duration.read("1m", "keep-within").before(datetime(2026, 11, 30, tzinfo=UTC)).day == 30


@pytest.mark.parametrize(
    ("text", "moment", "back"),
    [
        ("24h", "2026-03-29T10:00Z", "2026-03-28T10:00Z"),  # a night of 23 hours lies between
        ("1d", "2026-03-29T10:00Z", "2026-03-28T11:00Z"),
        ("24h", "2026-10-25T10:00Z", "2026-10-24T10:00Z"),  # one of 25
        ("1d", "2026-10-25T10:00Z", "2026-10-24T09:00Z"),
        ("1d1h", "2026-10-25T10:00Z", "2026-10-24T08:00Z"),
        ("1h", "2026-10-25T01:30Z", "2026-10-25T00:30Z"),  # both are half past two
        ("1d", "2026-03-30T00:30Z", "2026-03-29T01:30Z"),  # half past two did not exist
    ],
)
def test_days_go_by_the_clock_on_the_wall_and_hours_by_time_that_passes(text, moment, back):
    found = Duration.read(text, "keep-within").before(datetime.fromisoformat(moment).astimezone(MADRID))

    assert found.astimezone(UTC) == datetime.fromisoformat(back)


@pytest.mark.parametrize("text", ["", "7", "d", "3 d", "1d2y", "-1d", "9" * 30 + "d", "1.5d"])
def test_what_is_no_duration_is_refused(text):
    with refused(errors.BadDuration, text=text, argument="keep-within"):
        Duration.read(text, "keep-within")


@pytest.mark.parametrize("name", ["Madrid", "Europe", "../etc/passwd", "/etc/localtime", "", "Europe/Madrid\0"])
def test_what_is_no_time_zone_is_refused(name):
    with refused(errors.BadTimezone, name=name):
        zone(name)
