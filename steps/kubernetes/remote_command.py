"""A command in a container, over a WebSocket."""

import json
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from kubernetes.client.configuration import Configuration
from kubernetes.stream.ws_client import (
    ERROR_CHANNEL,
    V4_CHANNEL_PROTOCOL,
    V5_CHANNEL_PROTOCOL,
    get_websocket_url,
    websocket_proxycare,
)
from websocket import ABNF, WebSocket

from steps.kubernetes.exchange import PIECE
from steps.kubernetes.kinds import Object
from steps.process import interruption

_EXEC_SLICE_S = 0.1
_EXIT_CODE = re.compile("[1-9][0-9]{0,2}")


class RemoteCommand(threading.Thread):
    """A command in a container, over a WebSocket. Only the error channel is read, which has the result.

    A separate thread talks to the server. So a server that is silent, slow or stops within a frame does not block the
    caller, who watches the time limit and SIGTERM. A redirect is not followed, because it would get the token.
    """

    def __init__(self, configuration: Configuration, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        super().__init__(daemon=True)  # nobody waits for a server that does not answer
        self._url = get_websocket_url(url)  # type: ignore[no-untyped-call]  # the client types only a part of itself
        own = [f"{name}: {value}" for name, value in headers.items() if name.lower() == "authorization"]
        protocols = f"sec-websocket-protocol: {V5_CHANNEL_PROTOCOL},{V4_CHANNEL_PROTOCOL}"
        options = {"header": [*own, protocols], "timeout": timeout_s, "redirect_limit": 0}
        self._options = websocket_proxycare(options, configuration, url, headers)  # type: ignore[no-untyped-call]  # as above
        self._socket = WebSocket(sslopt=_tls(configuration))
        self._said = b""
        self._is_abandoned = False
        self.is_open = False
        self.opened, self.over = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Read to the end."""
        try:
            self._socket.connect(self._url, **self._options)  # type: ignore[no-untyped-call]  # as above
            self.is_open = not self._is_abandoned
            self.opened.set()
            self._socket.settimeout(None)
            while self.is_open and not self._is_ended():
                pass
        except Exception as error:  # noqa: BLE001  any error of the connection means that there is no exit code
            self.error = error
        finally:
            self._socket.shutdown()  # type: ignore[no-untyped-call]  # as above
            self.opened.set()
            self.over.set()

    def _is_ended(self) -> bool:
        """Read one frame."""
        code, frame = self._socket.recv_data_frame(control_frame=True)
        if code in {ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY} and frame.data[:1] == bytes([ERROR_CHANNEL]):
            self._said += frame.data[1:]
        return bool(code == ABNF.OPCODE_CLOSE) or len(self._said) > PIECE

    def end(self) -> None:
        """Close the connection, even if it is about to open."""
        self._is_abandoned = True
        connection = self._socket.sock
        if connection is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def ended(self) -> int | str:
        """Return the exit code, or the reason why there is none.

        Source: apimachinery remotecommand, NonZeroExitCodeReason. A runtime that could not start it reports no code.
        """
        if not self._said:
            return "the connection was dropped" if self.error is None else type(self.error).__name__
        try:
            verdict = json.loads(self._said)
        except (ValueError, RecursionError) as error:
            return type(error).__name__
        if not isinstance(verdict, dict):
            return "the answer has an invalid form"
        if verdict.get("status") == "Success":
            return 0
        code = _exit_code(verdict)
        return code if code is not None else "the container runtime failed"


def _exit_code(verdict: Object) -> int | None:
    """Return the exit code in the Status of a failed command."""
    details = verdict.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    if verdict.get("status") != "Failure" or not isinstance(causes, list):
        return None
    codes = [each.get("message") for each in causes if isinstance(each, dict) and each.get("reason") == "ExitCode"]
    known = [int(code) for code in codes if isinstance(code, str) and _EXIT_CODE.fullmatch(code)]
    return known[0] if len(known) == 1 else None


def _tls(configuration: Configuration) -> dict[str, Any]:
    """Return the client's TLS settings as options of a WebSocket."""
    told: dict[str, Any] = {
        "ca_certs": configuration.ssl_ca_cert,
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    if not configuration.verify_ssl:
        return {"cert_reqs": ssl.CERT_NONE, **{key: told[key] for key in told if told[key] and key != "ca_certs"}}
    if configuration.assert_hostname is not None:
        told["check_hostname"] = configuration.assert_hostname
    return {"cert_reqs": ssl.CERT_REQUIRED, **{key: value for key, value in told.items() if value is not None}}


def within(limit_s: float, event: threading.Event) -> bool:
    """Wait for an event, at most `limit_s` seconds. Raises `errors.Interrupted` at a SIGTERM."""
    return any(event.wait(_EXEC_SLICE_S) for _ in interruption.looks(limit_s, 0))
