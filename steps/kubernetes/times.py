"""Times in the formats of Kubernetes."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_YEARS = range(1970, 9999)  # valid in every time zone and as a Unix time


def moment(text: str) -> datetime | None:
    """Parse a time. None if it is missing, invalid, without a time zone, or of a year outside 1970 to 9998."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            return None
        found = found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year in _YEARS else None


def of_http(text: str) -> datetime | None:
    """Parse the time in the head of an answer (RFC 9110, 5.6.7). None if it is missing or invalid."""
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment(found.isoformat())


def label_time(moment: datetime) -> str:
    """Return a time as a label can hold it, in the basic format of ISO 8601."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def utc(moment: datetime) -> str:
    """Return a time as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
