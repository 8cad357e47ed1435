"""The progress of a phase: for Argo, for the log, and for a person at a terminal."""

import atexit
import contextlib
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from steps.parts.file_storage import Amount, Progress

log = logging.getLogger(__name__)

_PROGRESS_S = 1.5  # called each second, so written every other second; Argo reads the file every 3 s
_LOG_S = 60.0


def progress() -> Progress:
    """Return a function that reports progress.

    It writes `N/M` for Argo every 1.5 s at most and at the end, a log line each minute, and a bar on a terminal.
    """
    path = os.environ.get("ARGO_PROGRESS_FILE")
    told, logged = 0.0, time.monotonic()
    draw = _bar()

    def show(done: Amount, total: Amount) -> None:
        nonlocal told, logged
        now = time.monotonic()
        draw(done, total)
        if path and (done == total or now - told > _PROGRESS_S):
            told = now
            with contextlib.suppress(OSError):  # a full emptyDir must not end the copy
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
    """Return a function that draws a progress bar, if stderr is a terminal."""
    if not sys.stderr.isatty():
        return lambda _done, _total: None
    bars = contextlib.ExitStack()
    atexit.register(bars.close)  # restores the terminal also if the phase fails
    found: list[Any] = []  # the bar, after the total is known; its type is private to click

    def draw(done: Amount, total: Amount) -> None:
        if done == Amount(0, 0):  # the total is still being counted
            return
        if not found:
            made = click.progressbar(length=max(total.units, 1), file=sys.stderr, item_show_func=lambda words: words)
            found.append(bars.enter_context(made))
        words = f"{done.entries}/{total.entries} entries, {done.size_bytes >> 20}/{total.size_bytes >> 20} MiB"
        found[0].update(done.units - found[0].pos, words)
        if done == total:
            bars.close()

    return draw
