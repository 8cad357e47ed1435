"""Waits until a part is ready, and tells why when it is not."""

import ssl
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib import request

from . import layout as places
from .certificates import ADMIN
from .errors import PartNotReady
from .layout import Layout
from .processes import Process

PATIENCE_S: Final = 90.0
_GLANCE_S: Final = 0.1
_ANSWER_S: Final = 3.0
_TAIL_LINES: Final = 15

Probe = Callable[[], bool]


def wait(part: Process, probe: Probe, layout: Layout, patience_s: float = PATIENCE_S) -> None:
    """Return when the probe says yes; a part that ends meanwhile is not waited for."""
    deadline = time.monotonic() + patience_s
    while not probe():
        if not part.alive:
            raise _not_ready(part, "ended", layout)
        if time.monotonic() > deadline:
            raise _not_ready(part, f"was not ready within {patience_s:.0f} s", layout)
        time.sleep(_GLANCE_S)


def _not_ready(part: Process, what: str, layout: Layout) -> PartNotReady:
    log = layout.logs / f"{part.name}.log"
    return PartNotReady(part.name, what, log, tail(log))


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def etcd(layout: Layout) -> Probe:
    return _answers(f"https://{places.LOOPBACK}:{places.ETCD_PORT}/health", layout)


def apiserver(layout: Layout) -> Probe:
    return _answers(f"{places.API_URL}/readyz", layout)


def controller_manager(layout: Layout) -> Probe:
    return _answers(f"https://{places.LOOPBACK}:{places.CONTROLLER_MANAGER_PORT}/healthz", layout)


def scheduler(layout: Layout) -> Probe:
    return _answers(f"https://{places.LOOPBACK}:{places.SCHEDULER_PORT}/healthz", layout)


def kubelet(layout: Layout) -> Probe:
    return _answers(f"http://{places.LOOPBACK}:{places.KUBELET_HEALTH_PORT}/healthz", layout)


def _answers(url: str, layout: Layout) -> Probe:
    trust = ssl.create_default_context(cafile=str(layout.certificates / "authority.crt"))
    trust.load_cert_chain(layout.certificates / f"{ADMIN.file}.crt", layout.certificates / f"{ADMIN.file}.key")
    opener = request.build_opener(request.ProxyHandler({}), request.HTTPSHandler(context=trust))
    return partial(_opens, opener, url)


def _opens(opener: request.OpenerDirector, url: str) -> bool:
    try:
        with opener.open(url, timeout=_ANSWER_S) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False
