"""What Kubernetes says of an object that makes no progress: its last event."""

from typing import NamedTuple

from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import EVENT, Object


class Event(NamedTuple):
    """One event, in its own words."""

    type: str  # "Normal" or "Warning"
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def last(cluster: Cluster, kind: str, name: str, uid: str = "") -> Event | None:
    """The newest warning about an object, else its newest event, None where there is none.

    Where its uid is known, an object of the same name that was there before does not count.
    """
    of_this = f",involvedObject.uid={uid}" if uid else ""
    found = cluster.list(EVENT, fields=f"involvedObject.kind={kind},involvedObject.name={name}{of_this}")
    found.sort(key=_when)
    telling = [event for event in found if event.get("type") == "Warning"] or found
    if not telling:
        return None
    newest = telling[-1]
    return Event(newest.get("type", ""), newest.get("reason", ""), newest.get("message", ""))


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
