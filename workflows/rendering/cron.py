"""Argo's cron schedules: check them, and for simple ones find the pause and the hours that a clock skips.

Argo reads schedules with robfig/cron. It starts nothing at a time that the clock skips when summer time begins.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_NAMED = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0"}
_OTHERS = re.compile(  # what else robfig/cron accepts (parseDescriptor)
    r"@(?:yearly|annually|monthly|every (?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h))+)"
)
_EVERY = re.compile(r"([0-9.]+)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_LEAST_S, _MOST_S = 60, 8760 * 3600  # robfig/cron rounds less up to a second; Go reads at most 292 years
_DAYS = {2: 29, **dict.fromkeys((4, 6, 9, 11), 30)}  # of a month, where it has no 31
_YEAR = 366
_DAY_H = 24
_PART = re.compile(r"(?:[*?]|(\w+)(?:-(\w+))?)(?:/(\d{1,4}))?", re.ASCII)


class _Field(NamedTuple):
    """The valid values of one of the five fields."""

    of: str
    least: int
    most: int
    names: tuple[str, ...] = ()

    def takes(self, part: str) -> bool:
        """Whether a part is valid: `*`, a number, a name, or a range of them, each with or without a step."""
        return self._range(part) is not None

    def all_of(self, text: str) -> set[int]:
        """Return all numbers of a valid text."""
        return {number for part in text.split(",") for number in self._range(part) or ()}

    def _range(self, part: str) -> range | None:
        found = _PART.fullmatch(part)
        if not found or (found[3] and not int(found[3])):
            return None
        alone = found[1] if found[1] and not found[3] else str(self.most)
        first, last = self._number(found[1] or str(self.least)), self._number(found[2] or alone)
        if first is None or last is None or not self.least <= first <= last <= self.most:
            return None
        return range(first, last + 1, int(found[3] or 1))

    def _number(self, text: str) -> int | None:
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.least
        return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else None


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 6, _WEEKDAYS),
)


def mistake(cron: str) -> str:
    """Return the reason why Argo would refuse a schedule. The result is empty for a valid schedule.

    Schedules such as `@daily` are valid, too.
    """
    if cron.startswith("@"):
        if cron not in _NAMED and not _OTHERS.fullmatch(cron):
            return 'write five fields, or one of @hourly, @daily, @weekly, @monthly, @yearly, "@every 3h"'
        return "" if _LEAST_S <= _every_s(cron) <= _MOST_S else "the interval must be from 1m to 8760h"
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        return 'write five fields, for instance "0 2 * * *"'
    for text, field in zip(fields, _FIELDS, strict=True):
        if not all(field.takes(part) for part in text.split(",")):
            return f"{text!r} is not a valid {field.of} ({field.least} to {field.most})"
    return "it never starts, because none of its months has such a day" if _never(*fields[2:]) else ""


def _every_s(cron: str) -> float:
    """Return the seconds of an `@every` schedule, or a year for all others."""
    parts = _EVERY.findall(cron) or [("8760", "h")]
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _never(day: str, month: str, weekday: str) -> bool:
    """Whether none of the months has one of the days.

    If the weekday is not `*`, it is enough alone for robfig/cron (dayMatches).
    """
    _, _, days, months, _ = _FIELDS
    if not {"*", "?", "*/1", "?/1"} & set(weekday.split(",")):
        return False
    return all(_DAYS.get(number, 31) < min(days.all_of(day)) for number in months.all_of(month))


def pause(cron: str) -> timedelta | None:
    """Return the longest pause between two runs of a simple schedule.

    A simple schedule names one minute, and every hour, every few hours, or one hour of each day or week. The result is
    None for any other.
    """
    minute, hour, *days = _fields(cron)
    if not minute.isdecimal() or days[:2] != ["*", "*"]:
        return None
    weekly = days[2].isdecimal()
    if hour.isdecimal() and (weekly or days[2] == "*"):
        return timedelta(weeks=1) if weekly else timedelta(days=1)
    every = re.fullmatch(r"\*(?:/([1-9]\d{0,3}))?", hour)
    return timedelta(hours=min(int(every[1] or 1), _DAY_H)) if every and days[2] == "*" else None


def skipped(cron: str, timezone: str, now: datetime) -> datetime | None:
    """Return the first moment within a year that the schedule names and the zone's clock skips.

    Only a schedule with a plain minute and hour is checked; for others the result is None.
    """
    minute, hour, *days = _fields(cron)
    if not all(text.isdecimal() and field.takes(text) for text, field in zip((minute, hour), _FIELDS[:2], strict=True)):
        return None
    zone, of_day = ZoneInfo(timezone), time(int(hour), int(minute))
    dates = (now.astimezone(zone).date() + timedelta(days=number) for number in range(_YEAR))
    moments = (datetime.combine(day, of_day, tzinfo=zone) for day in dates if _may_be(days, day))
    return next((moment for moment in moments if _is_left_out(moment)), None)


def _fields(cron: str) -> list[str]:
    """Return the five fields, or five empty texts if there are not five."""
    fields = _NAMED.get(cron, cron).split()
    return fields if len(fields) == len(_FIELDS) else [""] * len(_FIELDS)


def _may_be(days: list[str], day: date) -> bool:
    """Whether the plain numbers for day, month and weekday allow this date."""
    numbers = (day.day, day.month, day.isoweekday() % 7)
    return all(not field.isdecimal() or int(field) == number for field, number in zip(days, numbers, strict=True))


def _is_left_out(moment: datetime) -> bool:
    return moment.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None) != moment.replace(tzinfo=None)
