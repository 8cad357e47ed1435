"""Five fields of cron: how long they pause, and which moment of them a clock skips."""

from datetime import UTC, datetime, timedelta

import pytest

from workflows.rendering import cron

SUMMER = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "hours"),
    [
        ("17 * * * *", 1),
        ("17 */6 * * *", 6),
        ("0 */48 * * *", 24),
        ("0 2 * * *", 24),
        ("30 2 * * 0", 7 * 24),
        ("@hourly", 1),
        ("@daily", 24),
        ("@weekly", 7 * 24),
    ],
)
def test_a_pause_is_read_where_it_is_plain(fields: str, hours: int) -> None:
    assert cron.pause(fields) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "fields",
    [
        "0 2 * * *",
        "*/5 0,12 1-31/2 JAN-mar ?",
        "59 23 31 12 6",
        "0 0/6 * * mon,FRI",
        "@every 3h",
        "@every 1m",
        "@daily",
    ],
)
def test_what_argo_takes_is_no_mistake(fields: str) -> None:
    assert cron.mistake(fields) == ""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("0 2 * *", "five fields"),
        ("60 2 * * *", "'60' is not a valid minute (0 to 59)"),
        ("0 25 * * *", "'25' is not a valid hour (0 to 23)"),
        ("0 2 0 * *", "'0' is not a valid day of the month"),
        ("0 2 * 13 *", "'13' is not a valid month"),
        ("0 2 * * 7", "'7' is not a valid day of the week (0 to 6)"),
        ("0 2 * * mond", "'mond' is not a valid day of the week"),
        ("a b c d e", "'a' is not a valid minute"),
        ("*/0 2 * * *", "'*/0' is not a valid minute"),
        ("0 18-8 * * *", "'18-8' is not a valid hour"),
        ("0 2,, * * *", "'2,,' is not a valid hour"),
        ("@every 0s", "from 1m to 8760h"),
        ("@every 1ms", "from 1m to 8760h"),
        ("@every 59s", "from 1m to 8760h"),
        ("@every 999999999h", "from 1m to 8760h"),
    ],
)
def test_what_argo_would_not_take_is_told(fields: str, said: str) -> None:
    assert said in cron.mistake(fields)


@pytest.mark.parametrize(
    "fields", ["*/5 * * * *", "0 8-18 * * *", "0 2,14 * * *", "0 2 1 * *", "0 */0 * * *", "0 2 * *", "@every 3h", ""]
)
def test_a_pause_that_is_not_plain_is_not_guessed(fields: str) -> None:
    assert cron.pause(fields) is None


@pytest.mark.parametrize(
    ("fields", "timezone", "moment"),
    [
        ("0 2 * * *", "Europe/Madrid", "2027-03-28 02:00"),
        ("59 2 * * 0", "Europe/Madrid", "2027-03-28 02:59"),
        ("30 2 * * *", "America/New_York", "2027-03-14 02:30"),
        ("@daily", "Africa/Cairo", "2027-04-30 00:00"),
    ],
)
def test_a_moment_that_the_clock_skips_in_spring_is_found(fields: str, timezone: str, moment: str) -> None:
    found = cron.skipped(fields, timezone, SUMMER)

    assert found is not None
    assert f"{found:%Y-%m-%d %H:%M}" == moment


@pytest.mark.parametrize(
    ("fields", "timezone"),
    [
        ("0 2 * * *", "UTC"),
        ("0 3 * * *", "Europe/Madrid"),
        ("0 1 * * *", "Europe/Madrid"),
        ("0 2 * * 1", "Europe/Madrid"),
        ("0 */2 * * *", "Europe/Madrid"),
        ("61 2 * * *", "Europe/Madrid"),
        ("2 * * *", "Europe/Madrid"),
    ],
)
def test_where_the_clock_skips_nothing_or_it_is_not_plain_nothing_is_found(fields: str, timezone: str) -> None:
    assert cron.skipped(fields, timezone, SUMMER) is None
