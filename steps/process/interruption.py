"""Signals of the process, waits that wake for them, and a stdout that takes nothing any more.

At a SIGTERM from Argo or the kubelet a phase stops at its next safe point and asks for another try. Nothing is torn
down in the handler: what a phase writes is whole or absent at every moment, it only has to reach the next `point`.
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
    """From now on note a SIGTERM instead of dying of it."""

    def note(_signal: int, _frame: FrameType | None) -> None:
        _asked.set()

    signal.signal(signal.SIGTERM, note)


@contextmanager
def held_back() -> Iterator[None]:
    """Let no signal that ends a process come in between; those that came then come after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def forget_stdout() -> None:
    """Have what waits for a stdout that is full or closed go nowhere: else the interpreter fails by it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def point() -> None:
    """A safe point: raise `errors.Interrupted` if a SIGTERM has come."""
    if _asked.is_set():
        raise errors.Interrupted


def sleep(seconds: float) -> None:
    """Sleep, and wake for a SIGTERM."""
    _asked.wait(seconds)
    point()


def looks(limit_s: float, pause_s: float) -> Iterator[None]:
    """Let one look again and again until the time is over, once at least; sleep in between, and wake for a SIGTERM."""
    until = time.monotonic() + limit_s
    yield
    while time.monotonic() < until:
        sleep(pause_s)
        yield
