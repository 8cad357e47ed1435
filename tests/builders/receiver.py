"""A server on the loopback address that takes what is posted to it, and answers as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Posted:
    """One request."""

    method: str
    path: str
    content_type: str
    body: bytes
    authorization: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """What came, and what is answered next; 200 where nothing waits."""

    base: str = ""
    posted: list[Posted] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    drip: bool = False  # a byte now and then, and never the end
    over: threading.Event = field(default_factory=threading.Event)

    def answer(self, *statuses: int, **headers: str) -> None:
        """Answer the next requests with these, then with 200 again."""
        self.answers += [(status, headers) for status in statuses]


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        self._take()

    def do_GET(self) -> None:
        self._take()

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mine = self.receiver
        said = (self.headers.get("Content-Type", ""), body, self.headers.get("Authorization", ""))
        mine.posted.append(Posted(self.command, self.path, *said))
        if mine.drip:
            self._drip()
            return
        status, headers = mine.answers.pop(0) if mine.answers else (200, {})
        self.send_response(status, f"of {self.path}")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _drip(self) -> None:
        try:
            while not self.receiver.over.is_set():
                self.wfile.write(b"H")
                self.wfile.flush()
                time.sleep(0.02)
        except OSError:
            pass  # the other side had enough

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the base class calls it
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run one."""
    receiver = Receiver()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        receiver.base = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.over.set()
            server.shutdown()
            thread.join()
