"""What every phase is told, and what it leaves for Argo: output parameters and its progress."""

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import click

from steps import volume
from steps.claims import Workflow
from steps.cluster import Cluster
from steps.file_storage import Progress
from steps.tree import WORKERS

log = logging.getLogger(__name__)

FOLDER = click.Path(path_type=Path)  # what is wrong with it, the phase says better
_PROGRESS_S = 2.0  # Argo reads the file every 3 s
_LOG_S = 60.0

claim_option = click.option("--claim", required=True, help="Claim of the backup.")
backup_option = click.option("--backup", "root", type=FOLDER, required=True, help="Where it is mounted.")
workers_option = click.option(
    "--workers", type=click.IntRange(1, 64), default=WORKERS, show_default=True, help="Files copied side by side."
)
claim_wait_option = click.option(
    "--claim-wait-s", type=float, default=30.0, show_default=True, help="How long a new claim may take for its volume."
)


@dataclass(frozen=True)
class Run:
    """What every phase is told."""

    namespace: str
    workflow: Workflow
    outputs: Path | None
    request_timeout_s: float
    last_try: bool

    def cluster(self) -> Cluster:
        return Cluster.connect(self.namespace, self.request_timeout_s)

    def output(self, **values: object) -> None:
        """Leave output parameters, a small file each: names and counts only."""
        if self.outputs is None:
            return
        self.outputs.mkdir(parents=True, exist_ok=True)
        for name, value in values.items():
            (self.outputs / name.replace("_", "-")).write_text(str(value))

    def begin(self, backup: str) -> volume.Begin:
        return volume.Begin(backup=backup, workflow=self.workflow.name, workflow_uid=self.workflow.uid)


def progress() -> Progress:
    """Write `N/M` for Argo, at most every 2 s and at the end, and to the log each minute: entries and MiB, added up."""
    path = os.environ.get("ARGO_PROGRESS_FILE")
    told, logged = 0.0, time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal told, logged
        now = time.monotonic()
        if path and (done == total or now - told > _PROGRESS_S):
            told = now
            Path(path).write_text(f"{done}/{max(done, total)}")
        if now - logged > _LOG_S:
            logged = now
            log.info("%d of %d entries and MiB are done", done, max(done, total))

    return show
