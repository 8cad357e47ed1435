"""What every phase is told, and what it leaves for Argo: output parameters and its progress."""

import atexit
import importlib.util
import logging
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from steps import volume
from steps.claims import Workflow
from steps.cluster import Cluster
from steps.file_storage import Amount, Progress
from steps.tree import WORKERS

log = logging.getLogger(__name__)

FOLDER = click.Path(path_type=Path)  # what is wrong with it, the phase says better
_PROGRESS_S = 1.5  # told each second, written every other: Argo reads the file every 3 s
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
    """Write `N/M` for Argo, at most every 1.5 s and at the end, and to the log each minute; a bar on a terminal."""
    path = os.environ.get("ARGO_PROGRESS_FILE")
    told, logged = 0.0, time.monotonic()
    draw = _bar()

    def show(done: Amount, total: Amount) -> None:
        nonlocal told, logged
        now = time.monotonic()
        draw(done, total)
        if path and (done == total or now - told > _PROGRESS_S):
            told = now
            Path(path).write_text(f"{done.units}/{max(done.units, total.units)}")
        if now - logged > _LOG_S:
            logged = now
            log.info(
                "%d of %d entries, %d of %d MiB are done",
                done.entries,
                max(done.entries, total.entries),
                done.size_bytes >> 20,
                max(done.size_bytes, total.size_bytes) >> 20,
            )

    return show


def _bar() -> Progress:
    """Draw a bar for a person who watches; there is none in a pod, whose image has no `rich` either."""
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        return lambda _done, _total: None
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    words = TextColumn("{task.fields[words]}")
    columns = (BarColumn(), TaskProgressColumn(), words, TimeRemainingColumn())
    bar = Bar(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)  # no thread beside workers
    task = bar.add_task("", words="")
    atexit.register(bar.stop)  # a phase that fails gives the terminal back too

    def draw(done: Amount, total: Amount) -> None:
        bar.start()
        words = f"{done.entries}/{total.entries} entries, {done.size_bytes >> 20}/{total.size_bytes >> 20} MiB"
        bar.update(task, completed=done.units, total=max(done.units, total.units), words=words, refresh=True)
        if done == total:
            bar.stop()

    return draw
