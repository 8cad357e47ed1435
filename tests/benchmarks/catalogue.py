"""What retention takes on a large catalogue: `prune decide` and `prune delete` on the embedded Kubernetes.

`.venv/bin/python -m tests.benchmarks catalogue`. It shows CPU time and peak memory of each phase, for a catalogue
of half the size and of all, and for half the deletions and all: the time shall grow in step, and no phase take 128 MiB.
The time on the clock is mostly the embedded server's, which looks through all that it has at each request.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from steps.archive import marks
from steps.contract.names import KIND
from tests.benchmarks import sample
from tests.embedded.kubernetes import Cluster
from workflows import prune
from workflows.manifests import render
from workflows.rehearsal.rehearse import NAMESPACE, SETTINGS

LIMIT_MIB = 128
_PHASE = ("-m", "steps", "--namespace", NAMESPACE, "--workflow", "w", "--workflow-uid", "w", "--outputs")
_STARTED = datetime(2026, 1, 1, 2, tzinfo=UTC)
_WORKFLOWS = 250  # that have ended and are kept, with their stored templates
_TEMPLATES_BYTES = 100_000


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--backups", type=int, default=10_000, help="in the catalogue (%(default)s)")
    parser.add_argument("--delete", type=int, default=200, help="of them are deleted (%(default)s)")


def run(asked: argparse.Namespace) -> int:
    """Measure and show it; 1 where a phase took more memory than it may."""
    sizes = [(asked.backups // 2, asked.delete), (asked.backups, asked.delete // 2), (asked.backups, asked.delete)]
    sys.stdout.write("backups  deleted  decide s   MiB  delete s   MiB\n")
    peaks = []
    for backups, delete in sizes:
        decided, deleted = measure(backups, delete)
        peaks += [decided["peak_mib"], deleted["peak_mib"]]
        cells = [f"{each['cpu_s']:9.1f}{each['peak_mib']:6.0f}" for each in (decided, deleted)]
        sys.stdout.write(f"{backups:7}{delete:9}{' '.join(cells)}\n")
    return int(max(peaks) >= LIMIT_MIB)


def measure(backups: int, delete: int) -> tuple[dict[str, float], dict[str, float]]:
    """Run both phases on a catalogue of so many backups, of which so many go."""
    rules = ("--keep-last", str(backups - delete), "--minimum-redundancy", "1", "--timezone", "UTC")
    with tempfile.TemporaryDirectory() as folder, _laid(Path(folder), backups) as kubeconfig:
        outputs = Path(folder) / "outputs"
        decided = _timed(kubeconfig, *_PHASE, str(outputs), "prune", "decide", *rules)
        doomed = (outputs / "doomed").read_text()
        deleted = _timed(kubeconfig, *_PHASE, str(outputs), "prune", "delete", "--doomed", doomed, *rules)
        if (outputs / "deleted").read_text() != str(delete):
            raise SystemExit(f"{(outputs / 'deleted').read_text()} were deleted instead of {delete}")
    return decided, deleted


def _timed(kubeconfig: Path, *words: str) -> dict[str, float]:
    command = [sys.executable, str(sample.STOPWATCH), "1", sys.executable, *words]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return dict(json.loads(said))


@contextmanager
def _laid(folder: Path, backups: int) -> Iterator[Path]:
    """Serve a catalogue, for whoever can read this kubeconfig with the rights of retention."""
    with Cluster() as cluster:
        cluster.storage_classes["standard"] = "Never"
        for manifest in render(SETTINGS):
            cluster.apply(manifest)
        for number in range(backups):
            cluster.create(_claim(number))
        for number in range(_WORKFLOWS):
            cluster.create(_workflow(number))
        yield cluster.kubeconfig(folder / "kubeconfig", namespace=NAMESPACE, service_account=prune.NAME)


def _claim(number: int) -> dict[str, object]:
    name = f"threescale-backup-schedule-{number:010}"
    started = (_STARTED + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
    labels = {
        marks.BACKUP: name,
        marks.STATE: marks.COMPLETE,
        marks.WORKFLOW: name,
        marks.WORKFLOW_UID: f"uid-{number}",
        marks.FILES: "1000",
        marks.BYTES: "1000000",
        marks.SCHEDULE: "threescale-backup-schedule",
    }
    annotations = {marks.STARTED: started, marks.ENDED: started, marks.MANIFEST_DIGEST: "0" * 64}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def _workflow(number: int) -> dict[str, object]:
    labels = {
        KIND: "backup",
        "workflows.argoproj.io/completed": "true",
        "workflows.argoproj.io/phase": "Succeeded",
    }
    metadata = {"name": f"ended-{number}", "namespace": NAMESPACE, "labels": labels}
    status = {"phase": "Succeeded", "storedTemplates": {"all": {"note": "x" * _TEMPLATES_BYTES}}}
    head = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata}
    return {**head, "spec": {"arguments": {"parameters": []}}, "status": status}
