"""What goes wrong on purpose: the next request of a kind is refused, dropped, or met by an action of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from workflows.rehearsal.kubernetes.routing import Request

BEFORE = "before"
AFTER = "after"


class Dropped(Exception):
    """The client shall see the connection close instead of an answer."""


@dataclass
class Fault:
    """Something that meets the next `times` requests it fits, before or after they are done."""

    moment: str
    verb: str
    target: str
    name: str | None
    times: int
    act: Callable[[Request], None]

    def fits(self, moment: str, request: Request) -> bool:
        """Say whether it meets this request."""
        wanted = (self.moment, self.verb, self.target)
        return wanted == (moment, request.verb, request.target) and self.name in {None, request.name}


class Faults:
    """The faults that wait for their request, in the order they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Have a fault wait for its request."""
        with self._lock:
            self._waiting.append(fault)

    def strike(self, moment: str, request: Request) -> None:
        """Let each fault act that fits; one that raises ends the request, and the ones after it keep waiting."""
        while fault := self._take(moment, request):
            fault.act(request)

    def _take(self, moment: str, request: Request) -> Fault | None:
        with self._lock:
            fault = next((fault for fault in self._waiting if fault.fits(moment, request)), None)
            if fault:
                fault.times -= 1
                self._waiting = [waiting for waiting in self._waiting if waiting.times]
            return fault


def drop(_request: Request) -> None:
    """Close the connection instead of an answer."""
    raise Dropped
