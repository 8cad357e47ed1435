"""The HTTP side of the rehearsal's API server: one port of the loopback address, one thread for each connection."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from workflows.rehearsal.kubernetes import pod_exec
from workflows.rehearsal.kubernetes.api import Answer, Api, Call
from workflows.rehearsal.kubernetes.pod_exec import Session


class Server(ThreadingHTTPServer):
    """Accepts connections until it is stopped, then closes the open ones."""

    request_queue_size = 128

    def __init__(self, api: Api) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.api = api
        self.stopping = threading.Event()
        self._connections: dict[Any, threading.Thread] = {}
        self._thread = threading.Thread(target=self._accept, name="api-server", daemon=True)

    def start(self) -> None:
        """Start to accept connections."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the threads of all connections."""
        self.stopping.set()
        socket.create_connection(("127.0.0.1", self.server_port)).close()  # wakes the thread that accepts
        self._thread.join()
        for connection, thread in list(self._connections.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()
        self.server_close()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, and record both for the end."""
        arguments = (request, client_address)
        # A daemon, or a process that never came to `stop` would not end while a client holds its connection.
        thread = threading.Thread(target=self.process_request_thread, args=arguments, daemon=True)
        self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Remove an ended connection from the record."""
        super().shutdown_request(request)
        self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing when a client closed the connection."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # with Nagle's algorithm or without a buffer, an answer takes 44 ms
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer any method; the API knows which there are."""
        answer = self._server.api.answer(self._call())
        if isinstance(answer.content, Session):
            self._hold(answer.content)
        else:
            self._send(answer)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that the base class calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""

    @property
    def _server(self) -> Server:
        return cast("Server", self.server)

    def _call(self) -> Call:
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Call(self.command, unquote(url.path), query, headers, body)

    def _send(self, answer: Answer) -> None:
        text = isinstance(answer.content, str)
        body = str(answer.content) if text else json.dumps(answer.content, ensure_ascii=False)
        payload = body.encode("utf-8", "surrogatepass")
        self.send_response(answer.code)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if text else "application/json")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def _drop(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _hold(self, session: Session) -> None:
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", pod_exec.accept_key(self.headers.get("Sec-WebSocket-Key", "")))
        self.send_header("Sec-WebSocket-Protocol", session.protocol)
        self.end_headers()
        for frame in pod_exec.output(session.result):
            self.wfile.write(frame)
        self.wfile.flush()
        self._server.stopping.wait(session.result.delay_s)
        if session.result.dropped:
            self._drop()
            return
        self.wfile.write(pod_exec.end(session.result))
        self.wfile.flush()
        self._await_close()

    def _await_close(self) -> None:
        """Let the client answer the close, so that no reset overtakes what it has not read yet."""
        self.connection.settimeout(1)
        with suppress(OSError):
            self.rfile.read(1)
