"""SIGTERM from Argo or the kubelet: a phase stops at its next safe point and asks for another try.

A signal belongs to the whole process, so this is the one place with state of its own. Nothing is torn down in the
handler: what a phase writes is whole or absent at every moment, it only has to reach the next `point`.
"""

import signal
import threading
from types import FrameType

from steps import errors

_asked = threading.Event()


def catch() -> None:
    """From now on note a SIGTERM instead of dying of it."""

    def note(_signal: int, _frame: FrameType | None) -> None:
        _asked.set()

    signal.signal(signal.SIGTERM, note)


def point() -> None:
    """A safe point: raise `errors.Interrupted` if a SIGTERM has come."""
    if _asked.is_set():
        raise errors.Interrupted


def sleep(seconds: float) -> None:
    """Sleep, and wake for a SIGTERM."""
    _asked.wait(seconds)
    point()
