"""The objects of the rehearsal's cluster, and the metadata that only a server writes.

The store has what a restore may meet in a real API server: uids that are never used twice, versions that reveal
concurrent writes, and deletions that wait for finalizers.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar, cast

from workflows.rehearsal.kubernetes import admission, kinds, refusals, selectors
from workflows.rehearsal.kubernetes.kinds import Kind, Object

Json = TypeVar("Json")
Callback = Callable[[str, Object], None]
Key = tuple[str, str, str]

_SERVER_FIELDS = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


class Store:
    """All objects, behind one lock. Each method returns copies."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._objects: dict[Key, Object] = {}
        self._version = 0
        self._callbacks: list[Callback] = []

    def on_change(self, callback: Callback) -> None:
        """Call back after each write, when the write is done and the lock is free."""
        self._callbacks.append(callback)

    def version(self) -> str:
        """Return the version of the newest write."""
        with self._lock:
            return str(self._version)

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return one object."""
        with self._lock:
            return copied(self._need(kind, namespace, name))

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return one object, or None."""
        with self._lock:
            return copied(self._objects.get(_key(kind, namespace, name)))

    def heads(self) -> list[Object]:
        """Return kind and metadata of all objects. These are not copies, so only read them."""
        with self._lock:
            return [{key: obj[key] for key in ("apiVersion", "kind", "metadata")} for obj in self._objects.values()]

    def list(self, kind: Kind, namespace: str = "", labels: str = "", fields: str = "") -> list[Object]:
        """Return the objects of a kind in one namespace, or in all, sorted by name."""
        chosen = selectors.Selection.of(kind, labels, fields)
        with self._lock:
            keys = sorted(key for key in self._objects if key[0] == kind.resource and namespace in {"", key[1]})
            found = [self._objects[key] for key in keys]
            return copied([obj for obj in found if chosen.holds(obj)])

    def create(self, kind: Kind, namespace: str, obj: Object, *, dry_run: bool = False) -> Object:
        """Keep a new object. A dry run only returns it."""
        obj = copied(obj)
        with self._lock:
            _name(obj, namespace if kind.namespaced else "")
            obj["apiVersion"], obj["kind"] = kind.api_version, kind.name
            admission.admit(kind, obj)
            self._check_room(kind, obj)
            _stamp(kind, obj)
            if dry_run:
                return obj
            self._keep(kind, obj)
        return self._tell("ADDED", obj)

    def change(
        self, kind: Kind, namespace: str, name: str, change: Callable[[Object], Object], *, dry_run: bool = False
    ) -> Object:
        """Replace an object by the result of `change`. If nothing changes, nothing is written.

        A dry run only returns the result.
        """
        with self._lock:
            old = self._need(kind, namespace, name)
            new = change(copied(old))
            _carry_over(kind, old, new)
            admission.admit(kind, new, old)
            if new == old:
                return copied(old)
            if kind.counts_generations and _without_state(new) != _without_state(old):
                new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
            if dry_run:
                return new
            self._keep(kind, new)
            event = self._drop_when_free(kind, new)
        return self._tell(event, new)

    def patch(self, kind: Kind, namespace: str, name: str, patch: Object) -> Object:
        """Merge a patch into an object, its status included."""
        return self.change(kind, namespace, name, lambda old: merge_objects(old, patch))

    def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        uid: str | None = None,
        version: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        """Delete an object, or mark it if finalizers delay that. Return its last state. A dry run changes nothing."""
        with self._lock:
            obj = self._need(kind, namespace, name)
            for field, said, asked in (("uid", "UID", uid), ("resourceVersion", "ResourceVersion", version)):
                if asked and asked != (have := obj["metadata"][field]):
                    why = f"the {said} in the precondition ({asked}) does not match the {said} in record ({have})"
                    raise refusals.conflict(kind, name, why)
            obj = copied(obj)
            if "deletionTimestamp" in obj["metadata"]:
                return obj
            obj["metadata"].update(deletionTimestamp=now(), deletionGracePeriodSeconds=0)
            if kind.counts_generations:
                obj["metadata"]["generation"] = obj["metadata"].get("generation", 0) + 1
            if dry_run:
                return obj
            self._keep(kind, obj)
            event = self._drop_when_free(kind, obj)
        return self._tell(event, obj)

    def _need(self, kind: Kind, namespace: str, name: str) -> Object:
        obj = self._objects.get(_key(kind, namespace, name))
        if obj is None:
            raise refusals.not_found(kind, name)
        return obj

    def _check_room(self, kind: Kind, obj: Object) -> None:
        namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        if existing := self._objects.get(_key(kind, namespace, name)):
            raise refusals.already_exists(kind, name, going="deletionTimestamp" in existing["metadata"])

    def _keep(self, kind: Kind, obj: Object) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        key = _key(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        self._objects[key] = copied(obj)

    def _drop_when_free(self, kind: Kind, obj: Object) -> str:
        metadata = obj["metadata"]
        if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
            return "MODIFIED"
        del self._objects[_key(kind, metadata.get("namespace", ""), metadata["name"])]
        return "DELETED"

    def _tell(self, event: str, obj: Object) -> Object:
        seen = copied(obj)
        for callback in self._callbacks:
            callback(event, seen)
        return obj


def now() -> str:
    """Return the current time as the API server writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def copied(value: Json) -> Json:
    """Return a deep copy. For JSON this is five times as fast as `copy.deepcopy`, which supports more types."""
    if isinstance(value, dict):
        return cast("Json", {key: copied(part) for key, part in value.items()})
    if isinstance(value, list):
        return cast("Json", [copied(part) for part in value])
    return value


def merge(target: object, patch: object) -> object:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return copied(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def merge_objects(old: Object, patch: Object) -> Object:
    """Merge a patch into an object."""
    merged = merge(old, patch)
    return merged if isinstance(merged, dict) else {}


def _key(kind: Kind, namespace: str, name: str) -> Key:
    return kind.resource, namespace if kind.namespaced else "", name


def _name(obj: Object, namespace: str) -> None:
    metadata = obj.setdefault("metadata", {})
    if namespace:
        metadata["namespace"] = namespace
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]


def _stamp(kind: Kind, obj: Object) -> None:
    metadata = obj["metadata"]
    for field in (*_SERVER_FIELDS, "selfLink"):
        metadata.pop(field, None)
    metadata.update(uid=str(uuid.uuid4()), creationTimestamp=now())
    if kind.counts_generations:
        metadata["generation"] = 1


def _carry_over(kind: Kind, old: Object, new: Object) -> None:
    new["apiVersion"], new["kind"] = kind.api_version, kind.name
    metadata = new.setdefault("metadata", {})
    for field in ("name", "namespace", "resourceVersion", *_SERVER_FIELDS):
        metadata.pop(field, None)
        if field in old["metadata"]:
            metadata[field] = old["metadata"][field]


def _without_state(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in {"metadata", "status"}}


def ensure_namespace(store: Store, namespace: str) -> None:
    """Create a namespace if it does not exist."""
    kind = kinds.named("namespaces")
    if store.find(kind, "", namespace) is None:
        labels = {"kubernetes.io/metadata.name": namespace}
        metadata = {"name": namespace, "labels": labels}
        store.create(kind, "", {"metadata": metadata, "spec": {}, "status": {"phase": "Active"}})
