"""A namespace with a repository in a bucket of this machine, which pods reach through a proxy that makes faults."""

import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from steps.archive import marks
from steps.kubernetes import fields
from tests.builders import restic_locks
from tests.builders.repositories import NAME, Looked, packs, secret
from tests.live.argo.argo import NODE_S, OF_WORKFLOW, Argo, Workflow
from tests.live.argo.nights import CLAIMS
from tests.live.kubernetes import Kubernetes, until
from tests.live.second_node import FIRST
from tests.live.stage import Stage
from tests.stores.faults import Faults
from tests.stores.restic import Restic
from tests.stores.s3 import Bucket

HELD_S: Final = 45.0  # longer than anybody needs to strike
ALL_TRIES_S: Final = 600.0  # for all tries of a phase


@dataclass(frozen=True)
class Copies:
    """What pushes, and what lies in the repository."""

    stage: Stage
    argo: Argo
    faults: Faults
    bucket: Bucket
    restic: Restic

    def configure(self, **keys: str) -> None:
        """Apply the Secret of the repository."""
        address = self.bucket.repository(self.faults.address)
        self.stage.kubernetes.apply(
            secret(self.stage.namespace, address, S3_PATH_STYLE="yes", **{**self.bucket.server.credentials, **keys})
        )

    @property
    def folder(self) -> Path:
        """Where the server keeps the files of the repository."""
        return self.bucket.folder / "repository"

    @property
    def looked(self) -> Looked:
        """The repository as a person sees it, past the proxy."""
        return Looked(self.restic, self.bucket.repository(), **self.bucket.server.credentials)

    def backups(self) -> list[str]:
        return [tags["backup"] for tags in self.looked.tags()]

    def backup(self, name: str, **parameters: str) -> Workflow:
        """Have a backup made that is sealed, pushed or not."""
        made = self.argo.wait(self.argo.backup(name=name, **parameters), ALL_TRIES_S)
        assert made.phase == "Succeeded", made.failures()
        return made

    def begin(self, **parameters: str) -> str:
        return self.argo.submit("threescale-push", **parameters)

    def push(self, **parameters: str) -> Workflow:
        return self.argo.wait(self.begin(**parameters), ALL_TRIES_S)

    def packs(self) -> list[str]:
        return [path.name for path in packs(self.folder)]

    def is_pushed(self, claim: str) -> bool:
        found = self.stage.get(CLAIMS, claim)
        return bool(found and fields.label(found, marks.PUSHED))

    def begin_and_wait_at(self, method: str, path: str, **parameters: str) -> str:
        """Begin a push, and wait until its first request of a kind is held by the proxy."""
        held = self.faults.hold(HELD_S, methods=method, path=path)
        name = self.begin(**parameters)
        until(f"a request of {name}", lambda: held.left == 0, NODE_S)
        return name

    def kill_restic(self, command: str) -> None:
        """Kill the process of a command in whatever pod it runs: all of them are processes of this machine."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cmdline").read_bytes().split(b"\0")[:2] == [b"restic", command.encode()]:
                    os.kill(int(process.name), signal.SIGKILL)

    def empty(self) -> None:
        """Bring the repository back to what it was before a push, with the hand of a person."""
        self.looked.run("unlock", "--remove-all")
        for snapshot in self.looked.snapshots():
            self.looked.run("forget", snapshot["id"])
        self.looked.run("prune")

    def replace_locks(self, master_key: str, minutes: float) -> None:
        """Have a lock of a pod that is gone in the place of those that are there, last refreshed some minutes ago."""
        for lock in (self.folder / "locks").iterdir():
            lock.unlink()
        restic_locks.leave(self.folder, master_key, minutes=minutes)

    def forget_workflows(self) -> None:
        """Delete what has run; its pods would keep the claims that they had."""
        for workflow in self.argo.workflows():
            self.stage.kubernetes.delete("workflows", self.stage.namespace, workflow.name)

    def logs(self, workflow: str) -> dict[str, str]:
        """What each container of a workflow's pods has printed, by pod and container."""
        kubernetes, namespace = self.stage.kubernetes, self.stage.namespace
        return {
            f"{pod['metadata']['name']}/{container['name']}": kubernetes.log(
                namespace, pod["metadata"]["name"], container["name"]
            )
            for pod in kubernetes.list("pods", namespace, f"{OF_WORKFLOW}={workflow}")
            for container in [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
        }

    def ledger(self) -> dict[str, Any]:
        """What the installation knows of each snapshot, by its ID."""
        found = self.stage.get("configmaps", f"threescale-backup-ledger-{NAME}") or {}
        return {key: json.loads(text) for key, text in (found.get("data") or {}).items() if len(key) == 64}


def address_of(kubernetes: Kubernetes) -> str:
    """The address at which pods reach this machine, which is the node."""
    node = kubernetes.get("nodes", "", FIRST) or {}
    return next(str(each["address"]) for each in node["status"]["addresses"] if each["type"] == "InternalIP")
