"""What Kubernetes says of an object that makes no progress: its last event."""

from typing import NamedTuple

from steps.cluster import Cluster, Object
from steps.installation import EVENT


class Event(NamedTuple):
    """One event, in its own words."""

    type: str  # "Normal" or "Warning"
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def last(cluster: Cluster, kind: str, name: str) -> Event | None:
    """The newest warning about an object, else its newest event, None where there is none."""
    found = sorted(cluster.list(EVENT, fields=f"involvedObject.kind={kind},involvedObject.name={name}"), key=_when)
    telling = [event for event in found if event.get("type") == "Warning"] or found
    if not telling:
        return None
    newest = telling[-1]
    return Event(newest.get("type", ""), newest.get("reason", ""), newest.get("message", ""))


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
