"""Signals of the process, waits that end at a SIGTERM, and a stdout that can't be written any more.

At a SIGTERM from Argo or the kubelet, a phase stops at its next safe point and asks for another try. The handler cleans
up nothing: every file that a phase writes is whole or absent at any moment, so the phase only has to reach `point`.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from steps import errors

_asked = threading.Event()


def catch() -> None:
    """Record a SIGTERM from now on, instead of ending the process."""

    def note(_signal: int, _frame: FrameType | None) -> None:
        _asked.set()

    signal.signal(signal.SIGTERM, note)


@contextmanager
def held_back() -> Iterator[None]:
    """Block SIGINT and SIGTERM inside the block. Signals that arrive meanwhile are delivered after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def forget_stdout() -> None:
    """Discard the output that a full or closed stdout did not take. Otherwise the interpreter fails when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def point() -> None:
    """Raise `errors.Interrupted` at this safe point if a SIGTERM has arrived."""
    if _asked.is_set():
        raise errors.Interrupted


def sleep(seconds: float) -> None:
    """Sleep, and raise `errors.Interrupted` at a SIGTERM."""
    _asked.wait(seconds)
    point()


def looks(limit_s: float, pause_s: float) -> Iterator[None]:
    """Yield at least once, then after each pause until the time is over. Raises `errors.Interrupted` at a SIGTERM."""
    until = time.monotonic() + limit_s
    yield
    while time.monotonic() < until:
        sleep(pause_s)
        yield
