"""Static volumes as an administrator makes them: folders of one node (type `local`), or what every node reaches."""

import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.live.kubernetes import Kubernetes, Object, Refused, until
from tests.live.second_node import FIRST, MARK, SECOND

_ABSENT: Final = Path("/nowhere")  # a pod with such a volume never starts
_BOUND_S: Final = 30.0
_HURRY_S: Final = 0.3


class LocalVolumes:
    """Makes volumes, and a class of which the first consumer chooses one; at the end of a `with` block all of it goes.

    The folders stay, and so does what lies in them.
    """

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes
        self._prefix = f"threescale-backup-test-{uuid.uuid4().hex[:6]}"
        self._made: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="local-volumes", daemon=True)
        self.storage_class = f"{self._prefix}-first-consumer"

    def __enter__(self) -> Self:
        self._kubernetes.create(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {"name": self.storage_class, "labels": {MARK: "true"}},
                "provisioner": "kubernetes.io/no-provisioner",
                "volumeBindingMode": "WaitForFirstConsumer",
            }
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        for name in self._made:
            self._kubernetes.delete("persistentvolumes", "", name)
        self._kubernetes.delete("storageclasses", "", self.storage_class)

    def make(self, name: str, node: str = "", *, storage_class: str = "", folder: Path = _ABSENT) -> str:
        """Make a volume on a node, or one that every node reaches; return its whole name."""
        metadata = {"name": f"{self._prefix}-{name}", "labels": {MARK: "true"}}
        spec: dict[str, Any] = {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": storage_class,
        }
        if node:
            here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
            spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}
        spec["local" if node else "hostPath"] = {"path": str(folder)}
        self._kubernetes.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec})
        self._made.append(metadata["name"])
        return metadata["name"]

    def make_on_both_nodes(self) -> None:
        """Make one of the class on each node, for a first consumer to choose."""
        for name, node in (("on-first", FIRST), ("on-second", SECOND)):
            self.make(name, node, storage_class=self.storage_class)

    def claim(self, namespace: str, name: str, volume: str = "") -> None:
        """Claim this volume, and wait until the claim has it; or claim one of the class."""
        chosen = {"storageClassName": "", "volumeName": volume} if volume else {"storageClassName": self.storage_class}
        request = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}
        metadata = {"name": name, "namespace": namespace}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": request | chosen}
        self._kubernetes.create(claim)
        if volume:
            self.wait_until_bound(namespace, name)

    def wait_until_bound(self, namespace: str, claim: str) -> None:
        """Wait until a claim has its volume."""
        until(f"a volume for claim {claim}", lambda: _phase(self._claim(namespace, claim)) == "Bound", _BOUND_S)

    def node_of(self, namespace: str, claim: str) -> str:
        """Tell on which node the volume of a claim lies, empty while it has none."""
        name = self._claim(namespace, claim)["spec"].get("volumeName", "")
        volume = self._kubernetes.get("persistentvolumes", "", name) if name else None
        if not volume:
            return ""
        (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        return str(term["matchExpressions"][0]["values"][0])

    def _claim(self, namespace: str, name: str) -> Object:
        claim = self._kubernetes.get("persistentvolumeclaims", namespace, name)
        assert claim
        return claim

    def _run(self) -> None:
        """Have the controller look at claims that wait.

        Its workers for claims and for volumes may meet at the same volume; then the claim waits for the next look at
        everything, up to 15 s later.
        """
        while not self._stopping.wait(_HURRY_S):
            with suppress(Refused):
                for claim in self._kubernetes.list("persistentvolumeclaims"):
                    self._hurry(claim)

    def _hurry(self, claim: Object) -> None:
        spec, metadata = claim["spec"], claim["metadata"]
        mine = spec.get("storageClassName") == self.storage_class or spec.get("volumeName") in self._made
        if mine and _phase(claim) == "Pending":
            looked_at = {f"{MARK}/looked-at": str(time.monotonic())}
            patch = {"metadata": {"annotations": looked_at}}
            self._kubernetes.patch("persistentvolumeclaims", metadata["namespace"], metadata["name"], patch)


def _phase(claim: Object) -> str:
    return str(claim.get("status", {}).get("phase", ""))
