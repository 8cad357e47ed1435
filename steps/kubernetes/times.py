"""Moments as Kubernetes writes and reads them."""

from datetime import UTC, datetime

_YEARS = range(1970, 9999)  # which every time zone, and a Unix time, can say


def moment(text: str) -> datetime | None:
    """Read a time of a claim; None where it is absent, or none, or of a year that makes no sense."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            return None
        found = found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year in _YEARS else None


def label_time(moment: datetime) -> str:
    """A time as a label can hold it, ISO 8601 in its basic format."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def utc(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)
