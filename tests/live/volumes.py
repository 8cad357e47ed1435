"""Opens the folders that kube-controller-manager makes for claims on the cluster of `tests/cluster`.

They come as root's, mode 0750, and no pod that runs as anybody else could write there. Other clusters hand out volumes
that their pods can write, and have no such folder on this machine.
"""

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.live.kubernetes import Kubernetes

_POLL_S: Final = 0.2


class Opener:
    """Opens the volumes of some namespaces for the length of a `with` block, but those of claims kept `closed`."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="opener", daemon=True)
        self.namespaces: set[str] = set()
        self.closed: set[str] = set()

    def __enter__(self) -> Self:
        if os.geteuid() == 0:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_POLL_S):
            self.open()

    def open(self) -> None:
        """Open what is there and still closed."""
        for volume in self._kubernetes.list("persistentvolumes"):
            claim = volume["spec"].get("claimRef", {})
            folder = Path(volume["spec"].get("hostPath", {}).get("path", "/nowhere"))
            mine = claim.get("namespace") in self.namespaces and claim.get("name") not in self.closed
            if mine and folder.is_dir() and folder.stat().st_uid == os.geteuid() == 0:
                folder.chmod(0o770)
