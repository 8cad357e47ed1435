"""Durations as restic writes them, and time zones.

By hand: pytimeparse2 reads `m` as minutes and months as 30 days, isodate and isoduration read ISO 8601 alone, and
dateutil's relativedelta reads no text, counts hours by the clock on the wall and raises before the year 1.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from steps import errors
from steps.contract import values

_MONTHS = 12


@dataclass(frozen=True)
class Duration:
    """A duration as restic writes it: years, months, weeks, days and hours, such as 1y6m or 30d.

    Hours are elapsed time, the other units are of the calendar.
    """

    months: int
    days: timedelta
    hours: timedelta = timedelta()

    @classmethod
    def read(cls, text: str, argument: str) -> "Duration":
        """Parse a duration. `argument` is the name of the argument that the error message names.

        Raises:
            errors.BadDuration

        """
        try:
            years, months, weeks, days, hours = values.DURATION.parts(text)
        except ValueError as error:
            raise errors.BadDuration(text, argument) from error
        return cls(years * _MONTHS + months, timedelta(weeks=weeks, days=days), timedelta(hours=hours))

    @property
    def rest(self) -> timedelta:
        """The duration without its months. A day counts as 24 hours."""
        return self.days + self.hours

    def before(self, moment: datetime) -> datetime:
        """Return the moment that is this long before `moment`: first by the calendar, then by elapsed hours.

        If the month has no such day, its last day is taken.
        """
        months = moment.year * _MONTHS + moment.month - 1 - self.months
        if months < _MONTHS:
            return datetime.min.replace(tzinfo=moment.tzinfo)
        year, month = divmod(months, _MONTHS)
        try:
            day = date(year, month + 1, min(moment.day, _days_of(year, month + 1))) - self.days
            at_that_time = datetime.combine(day, moment.timetz())
            return (at_that_time.astimezone(UTC) - self.hours).astimezone(moment.tzinfo)
        except OverflowError:
            return datetime.min.replace(tzinfo=moment.tzinfo)


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its name.

    Raises:
        errors.BadTimezone

    """
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise errors.BadTimezone(name) from error


def _days_of(year: int, month: int) -> int:
    first = datetime(year, month, 1, tzinfo=UTC)
    following = datetime(year + month // _MONTHS, month % _MONTHS + 1, 1, tzinfo=UTC)
    return (following - first).days
