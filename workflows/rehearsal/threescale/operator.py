"""The work of the 3scale operator and Zync after an APIManager is created, as far as a restore can see it.

The order matters. The operator generates what it does not find. A Secret that is restored after the APIManager comes
too late, and the random values stay. Five of six Routes are created only after Zync is told to resynchronise.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import uuid
from types import TracebackType
from typing import Self

from workflows.rehearsal.kubernetes import refusals
from workflows.rehearsal.kubernetes.cluster import Cluster, ExecResult
from workflows.rehearsal.kubernetes.kinds import Object
from workflows.rehearsal.threescale import objects, status

RESYNC = "zync:resync:domains"

_WATCHED_KINDS = frozenset(
    {"APIManager", "ConfigMap", "Deployment", "PersistentVolumeClaim", "Pod", "Route", "Secret"},
)
_RANDOM_KEYS = frozenset(
    {
        "ACCESS_TOKEN",
        "ADMIN_ACCESS_TOKEN",
        "ADMIN_PASSWORD",
        "MASTER_ACCESS_TOKEN",
        "MASTER_PASSWORD",
        "PASSWORD",
        "SECRET_KEY_BASE",
        "ZYNC_AUTHENTICATION_TOKEN",
        "ZYNC_DATABASE_PASSWORD",
        "password",
    }
)
_SMALLEST_STORAGE = "100Mi"  # for an APIManager without a size


class Operator:
    """Manages every APIManager of a cluster for the length of a `with` block.

    It runs one stage each `step_s` seconds.
    """

    def __init__(self, cluster: Cluster, *, step_s: float = 0.1) -> None:
        self.step_s = step_s
        self._cluster = cluster
        self._resynced: set[str] = set()
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="threescale-operator", daemon=True)

    def __enter__(self) -> Self:
        self._cluster.on_change(self._notice)
        self._cluster.on_exec(self._exec)
        self._awake.set()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._awake.set()
        self._thread.join()

    def _notice(self, event: str, obj: Object) -> None:
        if obj["kind"] == "APIManager" and event == "DELETED":
            self._resynced.discard(obj["metadata"]["namespace"])
        if obj["kind"] in _WATCHED_KINDS:
            self._awake.set()

    def _exec(self, pod: Object, container: str, command: list[str]) -> ExecResult:
        if container != "system-sidekiq" or RESYNC not in " ".join(command):
            return ExecResult(127, stderr=f"sh: {command[0]}: command not found\n")
        self._resynced.add(pod["metadata"]["namespace"])
        self._awake.set()
        return ExecResult()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._awake.wait()
            self._stopping.wait(self.step_s)
            self._awake.clear()
            with self._cluster.hand:
                for apimanager in self._cluster.list("apimanagers", ""):
                    self._look_after(apimanager)

    def _look_after(self, apimanager: Object) -> None:
        """Do the next stage. Each change wakes the operator for the following one."""
        namespace = apimanager["metadata"]["namespace"]
        if self._stopping.is_set() or "deletionTimestamp" in apimanager["metadata"]:
            return
        try:
            if all(self._cluster.get("secrets", namespace, name) for name in objects.DATABASE_SECRETS):
                self._bring_up(namespace, apimanager)
            self._report(namespace, apimanager)
        except refusals.Refused:  # a concurrent change: try again
            self._awake.set()

    def _bring_up(self, namespace: str, apimanager: Object) -> None:
        self._mark(namespace, apimanager)
        self._fill_secrets(namespace)
        self._make_configmaps(namespace, apimanager)
        self._make_claims(namespace, apimanager)
        self._make_backend_route(namespace, apimanager)
        self._make_deployments(namespace, apimanager)
        self._make_zync_routes(namespace, apimanager)

    def _fill_secrets(self, namespace: str) -> None:
        for sample in objects.sample("secrets", namespace):
            name = sample["metadata"]["name"]
            if name not in objects.SECRETS or name in objects.DATABASE_SECRETS:
                continue
            found = self._cluster.get("secrets", namespace, name)
            fresh = _fresh(sample)
            if found is None:
                self._cluster.apply(fresh)
            elif missing := {key: fresh["data"][key] for key in fresh["data"].keys() - found.get("data", {}).keys()}:
                self._cluster.patch("secrets", namespace, name, {"data": missing})

    def _mark(self, namespace: str, apimanager: Object) -> None:
        """Replace the APIManager's former labels for its Secrets, and write its version."""
        names = status.referenced_secrets(apimanager)
        secrets = [secret for name in names if (secret := self._cluster.get("secrets", namespace, name))]
        wanted = objects.secret_labels(secrets)
        old = [label for label in apimanager["metadata"].get("labels") or {} if label.startswith(objects.SECRET_LABEL)]
        labels = dict.fromkeys(old) | wanted
        versions = {
            "apps.3scale.net/apimanager-threescale-version": "2.16.0",
            "apps.3scale.net/threescale-operator-version": "0.13.0",
        }
        patch = {"metadata": {"labels": labels, "annotations": versions}}
        self._cluster.patch("apimanagers", namespace, apimanager["metadata"]["name"], patch)
        if secrets:
            self._hash(namespace, secrets)

    def _hash(self, namespace: str, secrets: list[Object]) -> None:
        hashes = {secret["metadata"]["name"]: _digest(secret) for secret in secrets}
        data = {name: base64.b64encode(digest.encode()).decode() for name, digest in hashes.items()}
        if self._cluster.get("secrets", namespace, objects.DERIVED_SECRET) is None:
            metadata = {"name": objects.DERIVED_SECRET, "namespace": namespace}
            self._cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})

    def _make_configmaps(self, namespace: str, apimanager: Object) -> None:
        for configmap in objects.sample("configmaps", namespace):
            self._make_or_adopt("configmaps", configmap, apimanager)

    def _make_claims(self, namespace: str, apimanager: Object) -> None:
        storage = apimanager["spec"].get("system", {}).get("fileStorage", {})
        for claim in objects.sample("claims", namespace):
            if claim["metadata"]["name"] == "system-storage":
                if "simpleStorageService" in storage:
                    continue
                asked = storage.get("persistentVolumeClaim") or {}
                size = asked.get("resources", {}).get("requests", _SMALLEST_STORAGE)
                claim["spec"]["resources"] = {"requests": {"storage": size}}
                claim["spec"]["storageClassName"] = asked.get("storageClassName")
            self._make_or_adopt("persistentvolumeclaims", claim, apimanager)

    def _make_or_adopt(self, resource: str, obj: Object, apimanager: Object) -> None:
        metadata = obj["metadata"]
        mine = objects.owned(obj, apimanager)
        found = self._cluster.get(resource, metadata["namespace"], metadata["name"])
        if found is None:
            self._cluster.apply(mine)
        elif not found["metadata"].get("ownerReferences"):
            adopted = {key: mine["metadata"][key] for key in ("ownerReferences", "labels")}
            self._cluster.patch(resource, metadata["namespace"], metadata["name"], {"metadata": adopted})

    def _make_backend_route(self, namespace: str, apimanager: Object) -> None:
        route = objects.backend_route(apimanager)
        if not self._cluster.get("routes", namespace, "backend"):
            self._cluster.apply(route)
            return
        self._admit_routes(namespace)

    def _admit_routes(self, namespace: str) -> None:
        """Admit the Routes of the stage before, as a router does."""
        for route in self._cluster.list("routes", namespace):
            if not objects.is_admitted(route):
                admitted = {"status": objects.admitted(route)}
                self._cluster.patch("routes", namespace, route["metadata"]["name"], admitted)

    def _make_deployments(self, namespace: str, apimanager: Object) -> None:
        samples = {sample["metadata"]["name"]: sample for sample in objects.sample("deployments", namespace)}
        expected = objects.expected_deployments(apimanager)
        for group in objects.GROUPS:
            names = [name for name in group if name in expected]
            found = {name: self._cluster.get("deployments", namespace, name) for name in names}
            missing = [objects.owned(samples[name], apimanager) for name in names if not found[name]]
            starting = [obj for obj in found.values() if obj and not objects.is_ready(obj)]
            for obj in missing:
                self._start(obj)
            for obj in starting:
                self._make_ready(obj)
            if missing or starting:
                return

    def _start(self, deployment: Object) -> None:
        started = self._cluster.apply(deployment | {"status": objects.deployment_status(ready=False)})
        if started["metadata"]["name"] in objects.WITH_FILE_STORAGE:
            self._cluster.apply(objects.pod(started, ready=False))

    def _make_ready(self, deployment: Object) -> None:
        metadata = deployment["metadata"]
        if metadata["name"] in objects.WITH_FILE_STORAGE:
            self._cluster.apply(objects.pod(deployment, ready=True))
        ready = {"status": objects.deployment_status(ready=True) | {"unavailableReplicas": None}}
        self._cluster.patch("deployments", metadata["namespace"], metadata["name"], ready)

    def _make_zync_routes(self, namespace: str, apimanager: Object) -> None:
        que = self._cluster.get("deployments", namespace, "zync-que")
        if namespace not in self._resynced or not que or not objects.is_ready(que):
            return
        self._resynced.discard(namespace)
        hosts = {route["spec"]["host"] for route in self._cluster.list("routes", namespace)}
        for route in objects.zync_routes(apimanager, que):
            if route["spec"]["host"] not in hosts:
                self._cluster.create(route)

    def _report(self, namespace: str, apimanager: Object) -> None:
        said = status.of(self._cluster, apimanager)
        self._cluster.patch("apimanagers", namespace, apimanager["metadata"]["name"], {"status": said})


def _fresh(sample: Object) -> Object:
    """Give a Secret new random values, also for a value inside another, such as a password in an address."""
    data = {key: base64.b64decode(value).decode() for key, value in sample["data"].items()}
    for old in [data[key] for key in _RANDOM_KEYS & data.keys() if data[key]]:
        new = uuid.uuid4().hex
        data = {key: value.replace(old, new) for key, value in data.items()}
    return sample | {"data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


def _digest(secret: Object) -> str:
    return hashlib.sha256(repr(sorted(secret.get("data", {}).items())).encode()).hexdigest()
