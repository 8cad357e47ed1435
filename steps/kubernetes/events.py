"""Events of Kubernetes: the last event of an object that makes no progress."""

from collections.abc import Sequence
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


def of(cluster: Cluster, kind: str, name: str, uid: str = "") -> list[Event]:
    """Return the events of an object, the newest last.

    If `uid` is given, events of an earlier object with the same name do not count.
    """
    of_this = f",involvedObject.uid={uid}" if uid else ""
    found = cluster.list(EVENT, fields=f"involvedObject.kind={kind},involvedObject.name={name}{of_this}")
    found.sort(key=_when)
    return [Event(each.get("type", ""), each.get("reason", ""), each.get("message", "")) for each in found]


def telling(found: Sequence[Event]) -> Event | None:
    """Return the newest warning, otherwise the newest event, or None."""
    warnings = [event for event in found if event.type == "Warning"]
    return next(reversed(warnings or found), None)


def last(cluster: Cluster, kind: str, name: str, uid: str = "") -> Event | None:
    """Return the newest warning about an object, otherwise its newest event, or None."""
    return telling(of(cluster, kind, name, uid))


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
