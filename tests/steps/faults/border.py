"""A process that saves and restores, and the border between it and the system, at which calls are made to fail."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.steps.faults import plan
from tests.steps.faults.plan import Fault
from workflows.rehearsal.kubernetes.cluster import Cluster as Kubernetes

ROOT = Path(__file__).parents[3]
SHIM = Path(__file__).with_name("system_calls.c")
COMPILER = shutil.which("cc") or shutil.which("gcc")
PATIENCE_S = 30.0
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "256Mi"}}},
}


class Outcome(NamedTuple):
    """How a phase ended, and how often each fault has struck."""

    struck: list[int]
    error: str = ""
    sentence: str = ""
    exit_code: int = 0
    facts: dict[str, Any] | None = None


class Border:
    """A process that is asked for one phase after another."""

    def __init__(self, folder: Path, kubernetes: Kubernetes | None, *, seam: bool) -> None:
        self.is_seam = seam
        self._folder = folder
        self._kubernetes = kubernetes
        self._claims: dict[Path, str] = {}
        self._table = folder / "faults"
        self._table.write_bytes(b"")
        plan.write(self._table)
        self._said = folder / "stderr"
        self._environment = {**os.environ, "FAULTS": str(self._table)}
        if seam:
            self._environment["SEAM"] = str(self._table)
        else:
            self._environment["LD_PRELOAD"] = str(_compiled(folder))
        self._process: subprocess.Popen[str] | None = None

    def save(self, root: Path, workers: int, source: Path, *faults: Fault) -> Outcome:
        """Save a tree; each of the faults must strike."""
        return _struck(faults, self.ask("save", faults, root=str(root), workers=workers, source=str(source)))

    def restore(self, target: Path, workers: int, backup: Path, *faults: Fault) -> Outcome:
        """Restore a tree; each of the faults must strike."""
        return _struck(faults, self.try_restore(target, workers, backup, *faults))

    def try_restore(self, target: Path, workers: int, backup: Path, *faults: Fault) -> Outcome:
        """Restore a tree to a claim of its own, where faults may strike or not."""
        namespace = self._claims.setdefault(target, f"restore-{len(self._claims)}")
        kubeconfig = self._folder / namespace
        if not kubeconfig.exists():
            self._kubernetes.kubeconfig(kubeconfig, namespace=namespace)
            self._kubernetes.apply({**CLAIM, "metadata": {"name": "system-storage", "namespace": namespace}})
        facts = {"kubeconfig": str(kubeconfig), "namespace": namespace, "target": str(target), "root": str(backup)}
        return self.ask("restore", faults, workers=workers, **facts)

    def ask(self, phase: str, faults: Sequence[Fault] = (), **facts: Any) -> Outcome:
        """Run one phase; that a fault has struck is for the caller to see."""
        process = self._running()
        plan.write(self._table, faults)
        guard = threading.Timer(PATIENCE_S, _kill, [process])  # workers too, they hold the pipe open
        guard.start()
        try:
            process.stdin.write(json.dumps({"phase": phase, **facts}) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        finally:
            guard.cancel()
        struck = plan.struck(self._table)
        plan.write(self._table)
        if not answer:
            self.stop()
            pytest.fail(f"no answer to {phase} with {faults}: {self._said.read_text()[-2000:]}")
        return Outcome(struck, **json.loads(answer))

    def stop(self) -> None:
        """End the process and what it has started."""
        if process := self._process:
            self._process = None
            _kill(process)
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            with self._said.open("w") as said:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.steps.faults.driver"],
                    cwd=ROOT,
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    text=True,
                    start_new_session=True,
                )
        return self._process


def _struck(faults: Sequence[Fault], outcome: Outcome) -> Outcome:
    """A fault that never struck proves nothing."""
    if missed := [fault for fault, count in zip(faults, outcome.struck, strict=True) if not count]:
        pytest.fail(f"never struck: {missed}; the phase ended with {outcome}")
    return outcome


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _compiled(folder: Path) -> Path:
    library = folder / "system_calls.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", library, SHIM, "-ldl"], check=True)  # noqa: S603  the system's own compiler
    return library
