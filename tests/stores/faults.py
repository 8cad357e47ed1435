"""A proxy in front of an S3 server that answers as stores do on a bad day.

It refuses, is slow, drops connections, is full, or loses an object. Else it forwards each request as it came, so
signatures stay true. It remembers what was asked and answered.
"""

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CODES = {
    403: "AccessDenied",
    404: "NoSuchKey",
    429: "TooManyRequests",
    500: "InternalError",
    503: "SlowDown",
    507: "InsufficientCapacity",
}
WORDS = {
    "AccessDenied": "Access Denied.",
    "NoSuchKey": "The specified key does not exist.",
    "InternalError": "We encountered an internal error, please try again.",
    "SlowDown": "Please reduce your request rate.",
    "InsufficientCapacity": "Storage backend has reached its minimum free drive threshold.",
}  # as servers put them: restic shows these words, and neither status nor code
_OWN_HOP = {"connection", "keep-alive", "transfer-encoding"}  # for one leg of the way only, RFC 9110, 7.6.1


@dataclass(frozen=True)
class Request:
    """One that came, and its answer; no status where the connection was dropped."""

    method: str
    path: str
    status: int | None
    sent_bytes: int = 0
    answered_bytes: int = 0


@dataclass
class Fault:
    """What happens to the next requests that fit: `left` of them, or all."""

    status: int | None = None
    code: str = ""
    drop: bool = False
    delay_s: float = 0.0
    methods: frozenset[str] = frozenset()
    path: str = ""
    left: int | None = None
    skipped: int = 0
    page: bytes | None = None
    before: Callable[[], object] = bool
    after: Callable[[], object] = bool

    def fits(self, method: str, path: str) -> bool:
        return self.left != 0 and method in (self.methods or {method}) and bool(re.search(self.path, path))


@dataclass
class Faults:
    """The faults that wait, and the requests so far.

    `methods` (words) and `path` (a pattern) limit a fault to some requests.
    """

    port: int
    address: str = ""
    requests: list[Request] = field(default_factory=list)
    _waiting: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def answer(
        self, status: int, code: str = "", *, times: int | None = None, methods: str = "", path: str = ""
    ) -> None:
        """Answer with a status, and an S3 error of this code, instead of asking the server."""
        self._add(Fault(status, code or CODES[status], methods=frozenset(methods.split()), path=path, left=times))

    def slow(self, delay_s: float, *, times: int | None = None, methods: str = "", path: str = "") -> None:
        """Wait before each request is forwarded."""
        self._add(Fault(delay_s=delay_s, methods=frozenset(methods.split()), path=path, left=times))

    def hold(self, delay_s: float, *, methods: str = "", path: str = "") -> Fault:
        """Keep the next request waiting, then close its connection. `left` of what is returned is 0 once it came."""
        fault = Fault(drop=True, delay_s=delay_s, methods=frozenset(methods.split()), path=path, left=1)
        self._add(fault)
        return fault

    def drop(self, *, times: int | None = None, methods: str = "", path: str = "") -> None:
        """Close the connection without an answer."""
        self._add(Fault(drop=True, methods=frozenset(methods.split()), path=path, left=times))

    def lose(self, path: str) -> None:
        """Answer as if the objects whose path matches were gone; they are still listed."""
        self.answer(404, methods="GET HEAD", path=path)

    def page(self, text: str, *, times: int | None = None, methods: str = "GET", path: str = "") -> None:
        """Answer with a page of a proxy: HTTP 200, HTML."""
        self._add(Fault(200, page=text.encode(), methods=frozenset(methods.split()), path=path, left=times))

    def call(
        self,
        *,
        before: Callable[[], object] = bool,
        after: Callable[[], object] = bool,
        skip: int = 0,
        methods: str = "",
        path: str = "",
    ) -> None:
        """Call something before or after one request is forwarded, the one after `skip` that fit."""
        self._add(
            Fault(before=before, after=after, skipped=skip, methods=frozenset(methods.split()), path=path, left=1)
        )

    def heal(self) -> None:
        """Forward all again; the requests so far stay known."""
        with self._lock:
            self._waiting.clear()

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)

    def next(self, method: str, path: str) -> Fault:
        """What is done to this request: the first fault that fits, or none."""
        with self._lock:
            found = next((fault for fault in self._waiting if fault.fits(method, path)), Fault())
            if found.skipped:
                found.skipped -= 1
                return Fault()
            if found.left is not None:
                found.left -= 1
            return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    faults: Faults

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.faults.next(self.command, self.path)
        self.faults.over.wait(fault.delay_s)
        fault.before()
        status, headers, answer = None, [], b""
        if fault.status is not None:
            status, headers, answer = _refusal(fault)
        elif not fault.drop:
            status, headers, answer = self._forward(body)
        fault.after()
        self.faults.requests.append(Request(self.command, self.path, status, len(body), len(answer)))
        self._answer(status, headers, answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _take  # noqa: N815  # as the base class calls them

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the server in the same words; `Host` stays the proxy's, since the signature covers it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.faults.port, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _OWN_HOP:
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OWN_HOP]
            return answer.status, kept, answer.read()
        except OSError:
            return _refusal(Fault(503, "ServiceUnavailable"))  # as a load balancer says that nobody is behind it
        finally:
            connection.close()

    def _answer(self, status: int | None, headers: list[tuple[str, str]], body: bytes) -> None:
        if status is None:
            self.close_connection = True
            return
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers) and status not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class calls it
        """Say nothing."""


def _refusal(fault: Fault) -> tuple[int, list[tuple[str, str]], bytes]:
    assert fault.status is not None
    if fault.page is not None:
        return fault.status, [("Content-Type", "text/html")], fault.page
    said = WORDS.get(fault.code, "as the test asked")  # restic repeats it, and not the code
    body = f"<?xml version='1.0'?><Error><Code>{fault.code}</Code><Message>{said}</Message></Error>"
    return fault.status, [("Content-Type", "application/xml")], body.encode()


@contextmanager
def in_front_of(port: int, host: str = "127.0.0.1") -> Iterator[Faults]:
    """Run the proxy at a host's address, for a server that speaks plain HTTP on this port of the loopback address."""
    faults = Faults(port)
    handler = type("Handler", (_Handler,), {"faults": faults})
    with ThreadingHTTPServer((host, 0), handler) as server:
        server.daemon_threads = True
        faults.address = f"http://{host}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield faults
        finally:
            faults.over.set()
            server.shutdown()
            thread.join()
