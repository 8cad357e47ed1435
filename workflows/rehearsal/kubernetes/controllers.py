"""The controllers of a cluster: they bind claims, protect claims in use, and collect objects without a living owner.

A restore meets all three. A ConfigMap restored with its former owner is collected. A claim of an unknown storage class
stays Pending. The claim of a deleted installation is deleted only when no pod mounts it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from workflows.rehearsal.kubernetes import admission, kinds, refusals
from workflows.rehearsal.kubernetes.kinds import Object
from workflows.rehearsal.kubernetes.store import Store, now

IMMEDIATE = "Immediate"
WAIT_FOR_FIRST_CONSUMER = "WaitForFirstConsumer"

_CLAIMS = kinds.named("persistentvolumeclaims")
_PODS = kinds.named("pods")
_VOLUMES = kinds.named("persistentvolumes")


class GarbageCollector:
    """A thread that deletes objects whose owners are all gone, and releases claims that no pod mounts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.delay_s = 0.05  # how long an orphan stays
        self._first_seen: dict[str, float] = {}
        self._awake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="garbage-collector", daemon=True)
        store.on_change(lambda _event, _obj: self._awake.set())

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait for its end."""
        self._stopping = True
        self._awake.set()
        self._thread.join()

    def collect(self) -> None:
        """Collect everything now, without the delay."""
        while self._sweep(_orphans(self._store)):
            pass

    def _run(self) -> None:
        while not self._stopping:
            self._awake.clear()
            if not self._sweep(self._due()):
                self._awake.wait(self._next_s())

    def _sweep(self, orphans: list[Object]) -> bool:
        gone = [_delete(self._store, orphan) for orphan in orphans]
        freed = [_free(self._store, claim) for claim in _unused_claims(self._store)]
        return any(gone) or any(freed)

    def _due(self) -> list[Object]:
        orphans = {orphan["metadata"]["uid"]: orphan for orphan in _orphans(self._store)}
        moment = time.monotonic()
        self._first_seen = {uid: self._first_seen.get(uid, moment) for uid in orphans}
        return [orphans[uid] for uid, seen in self._first_seen.items() if seen + self.delay_s <= moment]

    def _next_s(self) -> float | None:
        if not self._first_seen:
            return None
        return max(0.001, min(self._first_seen.values()) + self.delay_s - time.monotonic())


def _orphans(store: Store) -> list[Object]:
    objects = store.heads()
    alive = {(*_identity(obj, obj["metadata"]), obj["metadata"].get("namespace", "")) for obj in objects}

    def lives(owner: Object, namespace: str) -> bool:
        if not kinds.known(owner):  # a real collector ignores unknown kinds, too
            return True
        identity = _identity(owner, owner)
        return (*identity, "") in alive or (*identity, namespace) in alive  # not an owner in another namespace

    def is_orphan(obj: Object) -> bool:
        metadata = obj["metadata"]
        owners = metadata.get("ownerReferences") or []
        dead = not any(lives(owner, metadata.get("namespace", "")) for owner in owners)
        return bool(owners) and dead and "deletionTimestamp" not in metadata

    return [obj for obj in objects if is_orphan(obj)]


def _identity(obj: Object, named: Object) -> tuple[str, str, str, str]:
    return obj["apiVersion"], obj["kind"], named["name"], named["uid"]


def _delete(store: Store, obj: Object) -> bool:
    metadata = obj["metadata"]
    try:
        store.delete(kinds.of(obj), metadata.get("namespace", ""), metadata["name"], metadata["uid"])
    except refusals.Refused:  # somebody was faster
        return False
    return True


def _mounted(store: Store) -> set[tuple[str, str]]:
    """Return the claims in use by pods, also by ended pods. A pod without a node uses none."""
    return {
        (pod["metadata"]["namespace"], claim)
        for pod in store.list(_PODS)
        if pod.get("status", {}).get("phase", "Pending") != "Pending" or pod["spec"].get("nodeName")
        for claim in _claims_of(pod)
    }


def _claims_of(pod: Object) -> Iterator[str]:
    for volume in pod.get("spec", {}).get("volumes") or []:
        if "persistentVolumeClaim" in volume:
            yield volume["persistentVolumeClaim"]["claimName"]


def _unused_claims(store: Store) -> list[Object]:
    mounted = _mounted(store)
    return [
        claim
        for claim in store.list(_CLAIMS)
        if "deletionTimestamp" in claim["metadata"]
        and admission.PROTECTION in (claim["metadata"].get("finalizers") or [])
        and (claim["metadata"]["namespace"], claim["metadata"]["name"]) not in mounted
    ]


def _free(store: Store, claim: Object) -> bool:
    def without_protection(current: Object) -> Object:
        current["metadata"]["finalizers"].remove(admission.PROTECTION)
        return current

    metadata = claim["metadata"]
    try:
        store.change(_CLAIMS, metadata["namespace"], metadata["name"], without_protection)
    except (refusals.Refused, ValueError):  # somebody was faster
        return False
    return True


class Provisioner:
    """Binds claims to volumes as their storage class requires."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.classes = {admission.DEFAULT_CLASS: IMMEDIATE}
        store.create(kinds.named("storageclasses"), "", _default_class())
        store.on_change(self._react)

    def _react(self, event: str, obj: Object) -> None:
        if event != "ADDED":
            return
        if obj["kind"] == _CLAIMS.name:
            self._provide(obj)
        if obj["kind"] == _PODS.name:
            for name in _claims_of(obj):
                self._provide_for_pod(obj["metadata"]["namespace"], name)
        if obj["kind"] == _VOLUMES.name:
            for claim in self._store.list(_CLAIMS):
                if claim["spec"].get("volumeName") == obj["metadata"]["name"]:
                    self._provide(claim)

    def _provide_for_pod(self, namespace: str, name: str) -> None:
        claim = self._store.find(_CLAIMS, namespace, name)
        if claim and claim["spec"]["storageClassName"] in self.classes and not claim["spec"].get("volumeName"):
            self._bind(claim)

    def _provide(self, claim: Object) -> None:
        storage_class = claim["spec"]["storageClassName"]
        mode = self.classes.get(storage_class)
        if name := claim["spec"].get("volumeName"):  # no event while it waits for that volume
            volume = self._store.find(_VOLUMES, "", name)
            if volume and volume["spec"].get("storageClassName", "") == storage_class:
                self._bind(claim)
        elif mode == IMMEDIATE:
            self._bind(claim)
        elif mode == WAIT_FOR_FIRST_CONSUMER:
            said = "waiting for first consumer to be created before binding"
            self._report(claim, "Normal", "WaitForFirstConsumer", said)
        elif storage_class and mode is None:
            said = f'storageclass.storage.k8s.io "{storage_class}" not found'
            self._report(claim, "Warning", "ProvisioningFailed", said)
        elif not storage_class:
            said = "no persistent volumes available for this claim and no storage class is set"
            self._report(claim, "Normal", "FailedBinding", said)

    def _bind(self, claim: Object) -> None:
        spec = claim["spec"]
        volume = spec.get("volumeName") or f"pvc-{claim['metadata']['uid']}"
        status = {
            "phase": "Bound",
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
        }
        bound = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
        self._patch(claim, {"metadata": {"annotations": bound}, "spec": {"volumeName": volume}, "status": status})

    def _patch(self, claim: Object, patch: Object) -> None:
        metadata = claim["metadata"]
        self._store.patch(_CLAIMS, metadata["namespace"], metadata["name"], patch)

    def _report(self, claim: Object, kind: str, reason: str, message: str) -> None:
        metadata = claim["metadata"]
        about = {key: metadata[key] for key in ("namespace", "name", "uid", "resourceVersion")}
        event = {
            "metadata": {"generateName": f"{metadata['name']}."},
            "involvedObject": {"apiVersion": claim["apiVersion"], "kind": claim["kind"], **about},
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": "persistentvolume-controller"},
            "reportingComponent": "persistentvolume-controller",
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "count": 1,
        }
        self._store.create(kinds.named("events"), metadata["namespace"], event)


def _default_class() -> Object:
    """Return the StorageClass of claims that name none, as a new cluster has it."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "metadata": {"name": admission.DEFAULT_CLASS, "annotations": default},
        "provisioner": "rehearsal.example.com/volumes",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": IMMEDIATE,
    }
