"""How far a phase is: for Argo, for the log, and for a person who watches."""

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

_PROGRESS_S = 1.5  # told each second, written every other: Argo reads the file every 3 s
_LOG_S = 60.0


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
            with contextlib.suppress(OSError):  # a full emptyDir ends no copy
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
    """Draw a bar for a person who watches; there is none in a pod."""
    if not sys.stderr.isatty():
        return lambda _done, _total: None
    bars = contextlib.ExitStack()
    atexit.register(bars.close)  # a phase that fails gives the terminal back too
    found: list[Any] = []  # the bar, once the total is known; click keeps its type to itself

    def draw(done: Amount, total: Amount) -> None:
        if done == Amount(0, 0):  # the total is still counted
            return
        if not found:
            made = click.progressbar(length=max(total.units, 1), file=sys.stderr, item_show_func=lambda words: words)
            found.append(bars.enter_context(made))
        words = f"{done.entries}/{total.entries} entries, {done.size_bytes >> 20}/{total.size_bytes >> 20} MiB"
        found[0].update(done.units - found[0].pos, words)
        if done == total:
            bars.close()

    return draw
