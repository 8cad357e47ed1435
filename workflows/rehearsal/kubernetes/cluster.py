"""A small Kubernetes API server in memory, on the loopback address, and its administrator.

A rehearsal runs the rendered workflows with the steps' own client and the rights of the rendered Roles. So it needs a
server that answers as a real one does. The server has all behaviour that makes a mistake of a step visible, and no
more.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from workflows.rehearsal.kubernetes import controllers, kinds, permissions, refusals, store
from workflows.rehearsal.kubernetes.api import Api, ExecCallback
from workflows.rehearsal.kubernetes.kinds import Object
from workflows.rehearsal.kubernetes.pod_exec import ExecResult
from workflows.rehearsal.kubernetes.server import Server

__all__ = ["Cluster", "ExecResult"]


class Cluster:
    """A cluster for the length of a `with` block. Its objects can be created before and read after it."""

    def __init__(self, objects: store.Store | None = None) -> None:
        self._store = objects or store.Store()
        self._collector = controllers.GarbageCollector(self._store)
        self._provisioner = controllers.Provisioner(self._store)
        self._api = Api(self._store)
        self._server = Server(self._api)
        self.hand = threading.RLock()  # held by changes that must not mix: a loss, a pass of an operator
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._collector.start()
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._collector.stop()

    def kubeconfig(self, path: Path, *, namespace: str, service_account: str | None = None) -> Path:
        """Write a kubeconfig for a ServiceAccount of the namespace, or for the administrator.

        The administrator may do everything.
        """
        store.ensure_namespace(self._store, namespace)
        token = uuid.uuid4().hex
        name = service_account or permissions.ADMINISTRATOR
        self._api.users[token] = permissions.account(namespace, name) if service_account else name
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(json.dumps(_kubeconfig(self.url, namespace, name, token), indent=2))
        return path

    # --- the administrator: no HTTP, no Roles ---

    def apply(self, obj: Object) -> Object:
        """Create an object or replace the one with its name, status included. A missing namespace is created."""
        kind = kinds.of(obj)
        name, namespace = obj["metadata"]["name"], ""
        if kind.namespaced:
            namespace = obj["metadata"]["namespace"]
            store.ensure_namespace(self._store, namespace)
        try:
            return self._store.create(kind, namespace, obj)
        except refusals.Refused as refusal:
            if refusal.reason != "AlreadyExists":
                raise
        return self._store.change(kind, namespace, name, lambda _old: store.copied(obj))

    def create(self, obj: Object) -> Object:
        """Create an object. With `generateName` alone, the server chooses the name."""
        return self._store.create(kinds.of(obj), obj["metadata"].get("namespace", ""), obj)

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return an object, or None if it does not exist."""
        return self._store.find(kinds.named(resource), namespace, name)

    def list(self, resource: str, namespace: str, selector: str = "") -> list[Object]:
        """Return the objects that a label selector matches, sorted by name."""
        return self._store.list(kinds.named(resource), namespace, selector)

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Delete an object. Its finalizers delay that, and the garbage collector deletes the objects that it owns."""
        self._store.delete(kinds.named(resource), namespace, name)

    def patch(self, resource: str, namespace: str, name: str, merge_patch: Object) -> Object:
        """Merge a patch into an object, status included."""
        return self._store.patch(kinds.named(resource), namespace, name, merge_patch)

    # --- what the cluster does by itself ---

    def collect_garbage(self) -> None:
        """Delete the objects without a living owner now."""
        self._collector.collect()

    def on_change(self, callback: Callable[[str, Object], None]) -> None:
        """Call back after each write, in its thread, with ADDED, MODIFIED or DELETED and the object."""
        self._store.on_change(callback)

    def on_exec(self, callback: ExecCallback) -> None:
        """Call back for each exec with pod, container and command. The last callback counts."""
        self._api.run = callback


def _kubeconfig(url: str, namespace: str, user: str, token: str) -> Object:
    context = {"cluster": "rehearsal", "namespace": namespace, "user": user}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "rehearsal", "cluster": {"server": url}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "rehearsal", "context": context}],
        "current-context": "rehearsal",
    }
