"""Events of Kubernetes: the last event of an object that makes no progress."""

from typing import NamedTuple

from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import EVENT, Object


class Event(NamedTuple):
    """One event of Kubernetes."""

    type: str  # "Normal" or "Warning"
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def last(cluster: Cluster, kind: str, name: str, uid: str = "") -> Event | None:
    """Return the newest warning about an object, otherwise its newest event, or None.

    If `uid` is given, events of an earlier object with the same name do not count.
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
