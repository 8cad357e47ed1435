"""What a schedule says of time, where it says it plainly: how long it pauses, and whether a clock skips it.

Argo reads schedules by robfig/cron, which starts nothing at a moment that a clock leaves out when summer time begins.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_NAMED = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0"}
_FIELDS = 5
_YEAR = 366
_DAY_H, _HOUR_MIN = 24, 60


def pause(cron: str) -> timedelta | None:
    """Tell the longest pause of what starts at one minute of each hour, of every so many, or of one hour a day or week.

    None: it can't be read so simply.
    """
    minute, hour, *days = _fields(cron)
    if not minute.isdecimal() or days[:2] != ["*", "*"]:
        return None
    weekly = days[2].isdecimal()
    if hour.isdecimal() and (weekly or days[2] == "*"):
        return timedelta(weeks=1) if weekly else timedelta(days=1)
    every = re.fullmatch(r"\*(?:/([1-9]\d*))?", hour)
    return timedelta(hours=min(int(every[1] or 1), _DAY_H)) if every and days[2] == "*" else None


def skipped(cron: str, timezone: str, now: datetime) -> datetime | None:
    """Find the first moment within a year that it names, in plain numbers, and that the zone's clock does not have."""
    minute, hour, *days = _fields(cron)
    if not (minute.isdecimal() and int(minute) < _HOUR_MIN and hour.isdecimal() and int(hour) < _DAY_H):
        return None
    zone, of_day = ZoneInfo(timezone), time(int(hour), int(minute))
    dates = (now.astimezone(zone).date() + timedelta(days=number) for number in range(_YEAR))
    moments = (datetime.combine(day, of_day, tzinfo=zone) for day in dates if _may_be(days, day))
    return next((moment for moment in moments if _is_left_out(moment)), None)


def _fields(cron: str) -> list[str]:
    """The five fields; none that says anything where there are not so many."""
    fields = _NAMED.get(cron, cron).split()
    return fields if len(fields) == _FIELDS else [""] * _FIELDS


def _may_be(days: list[str], day: date) -> bool:
    """Whether the fields of day, month and weekday do not rule it out by a plain number."""
    numbers = (day.day, day.month, day.isoweekday() % 7)
    return all(not field.isdecimal() or int(field) == number for field, number in zip(days, numbers, strict=True))


def _is_left_out(moment: datetime) -> bool:
    return moment.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None) != moment.replace(tzinfo=None)
