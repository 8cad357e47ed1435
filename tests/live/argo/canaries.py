"""Looks for the values of Secrets while a workflow runs, and in all that it leaves."""

import base64
import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.live.kubernetes import Kubernetes

_LOOK_S: Final = 0.005
_LEFT: Final = ("configmaps", "events", "persistentvolumeclaims", "pods", "workflows", "workflowtaskresults")


class Processes:
    """The arguments and the environments of restic's processes, for the length of a `with` block.

    The node is this machine, so the processes of its pods are seen here.
    """

    def __init__(self) -> None:
        self.arguments: set[bytes] = set()
        self.environments: set[bytes] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="processes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            for process in Path("/proc").glob("[0-9]*"):
                self._look(process)

    def _look(self, process: Path) -> None:
        try:
            words = (process / "cmdline").read_bytes()
            if words.startswith(b"restic\0"):
                self.arguments.add(words)
                self.environments.add((process / "environ").read_bytes())
        except OSError:  # it has ended
            return


def needles(values: Iterable[str]) -> list[bytes]:
    """Spell values as they might be found: raw, and in base64."""
    return [form for value in values for form in (value.encode(), base64.b64encode(value.encode()))]


def left(kubernetes: Kubernetes, namespace: str) -> dict[str, bytes]:
    """All that a namespace holds and people read, by its kind."""
    return {kind: json.dumps(kubernetes.list(kind, namespace)).encode() for kind in _LEFT}


def leaks(wanted: Iterable[bytes], places: Mapping[str, bytes]) -> list[str]:
    """The places where a value is."""
    found = list(wanted)
    return sorted(place for place, content in places.items() if any(needle in content for needle in found))
