"""A command in a pod over a WebSocket, as `kubectl exec` and the Python client's `stream` use it.

The channels are those of v4.channel.k8s.io: 1 is stdout, 2 is stderr, 3 holds a Status at the end. A client that reads
only the output takes a failed command or a lost connection for a success. So a rehearsal can produce both.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from workflows.rehearsal.kubernetes import refusals
from workflows.rehearsal.kubernetes.kinds import Object

STDOUT, STDERR, ERROR = 1, 2, 3
PROTOCOLS = ("v4.channel.k8s.io", "v5.channel.k8s.io")

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_BINARY, _CLOSE = 0x82, 0x88
_NORMAL_CLOSURE = (1000).to_bytes(2, "big")
_ONE_BYTE, _TWO_BYTES = 126, 1 << 16


@dataclass(frozen=True)
class ExecResult:
    """The result of a command in a pod: its output, then its end after `delay_s`. With `dropped` there is no end.

    `failure`: the container runtime's message if it could not start the command. Then there is no exit code.
    """

    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""
    delay_s: float = 0.0
    dropped: bool = False
    failure: str = ""


@dataclass(frozen=True)
class Session:
    """An accepted upgrade, and the frames to send over it."""

    result: ExecResult
    protocol: str


def container_of(pod: Object, asked: str) -> str:
    """Return the container to run in, as the API server chooses and checks it."""
    name = pod["metadata"]["name"]
    containers = [container["name"] for container in pod.get("spec", {}).get("containers") or []]
    if asked and asked not in containers:
        raise refusals.bad_request(f"container {asked} is not valid for pod {name}")
    if not asked and len(containers) != 1:
        choices = " ".join(containers)
        raise refusals.bad_request(f"a container name must be specified for pod {name}, choose one of: [{choices}]")
    if _phase(pod) == "Pending" and not pod["spec"].get("nodeName"):
        raise refusals.bad_request(f"pod {name} does not have a host assigned")
    return asked or str(containers[0])


def is_running(pod: Object) -> bool:
    """Whether a command can run in a pod."""
    return _phase(pod) == "Running"


def no_container(container: str) -> ExecResult:
    """Return the kubelet's message about a container that does not run. The connection is open by then."""
    return ExecResult(failure=f'unable to upgrade connection: container not found ("{container}")')


def _phase(pod: Object) -> str:
    return str(pod.get("status", {}).get("phase", "Pending"))


def chosen_protocol(offered: str) -> str:
    """Return the first supported protocol that the client offers."""
    names = {name.strip() for name in offered.split(",")}
    found = next((protocol for protocol in PROTOCOLS if protocol in names), None)
    if found is None:
        raise refusals.bad_request(f"unable to upgrade: no common protocol in {offered!r}")
    return found


def accept_key(key: str) -> str:
    """Return the answer to the client's Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def output(result: ExecResult) -> Iterator[bytes]:
    """Frame what the command writes."""
    for channel, text in ((STDOUT, result.stdout), (STDERR, result.stderr)):
        if text:
            yield _frame(_BINARY, bytes([channel]) + text.encode())


def end(result: ExecResult) -> bytes:
    """Frame the Status of the command, and the end of the connection."""
    status = bytes([ERROR]) + json.dumps(_status(result)).encode()
    return _frame(_BINARY, status) + _frame(_CLOSE, _NORMAL_CLOSURE)


def _status(result: ExecResult) -> Object:
    failed = {"metadata": {}, "status": "Failure"}
    if result.failure:
        message = f"Internal error occurred: {result.failure}"
        causes = [{"message": result.failure}]
        return failed | {"message": message, "reason": "InternalError", "details": {"causes": causes}, "code": 500}
    if not result.exit_code:
        return {"metadata": {}, "status": "Success"}
    code = result.exit_code
    message = f"command terminated with non-zero exit code: command terminated with exit code {code}"
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return failed | {"message": message, "reason": "NonZeroExitCode", "details": {"causes": causes}}


def _frame(head: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < _ONE_BYTE:
        return bytes([head, size]) + payload
    if size < _TWO_BYTES:
        return bytes([head, _ONE_BYTE]) + size.to_bytes(2, "big") + payload
    return bytes([head, _ONE_BYTE + 1]) + size.to_bytes(8, "big") + payload
