"""The client's connection: its sign-in, and limits of time and size for a whole answer."""

import http.client
import io
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import urllib3
from kubernetes.config.config_exception import ConfigException

from steps import errors

# Bytes of an answer: a list of 10,000 claims takes a third of this, and a pod's memory holds little more.
_LARGEST = 64 * 2**20
PIECE = 2**20
_TOO_LARGE = f"an answer of more than {_LARGEST // 2**20} MiB"
_PACKED = "a compressed answer, which was not asked for"


def sign_in(path: str, load: Callable[[], object]) -> None:
    """Load the account and the server into the client's configuration.

    Raises:
        errors.NoConnection

    """
    try:
        load()
    except ConfigException as error:
        raise errors.NoConnection(str(error).rstrip(".")) from error
    except OSError as error:
        what = f"kubeconfig {path}" if path else "the service account's token"
        raise errors.NoConnection(f"{what} can't be read ({error.strerror})") from error
    except Exception as error:  # the file is invalid; the client's message may quote a line of it, a token
        raise errors.NoConnection(f"{path} is not a kubeconfig") from error


class _Timed(io.RawIOBase):
    """A stream with a time limit for the whole answer: a socket's own limit starts again at each byte."""

    def __init__(self, connection: socket.socket, inner: io.BufferedReader) -> None:
        self._connection = connection
        self._inner = inner
        limit_s = connection.gettimeout()
        self._until = None if limit_s is None else time.monotonic() + limit_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._until is not None:
            left_s = self._until - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._connection.settimeout(left_s)
        return self._inner.raw.readinto(buffer)

    def close(self) -> None:
        self._inner.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer whose head and body together must arrive within the time limit of the request."""

    def __init__(self, sock: socket.socket, *arguments: Any, **more: Any) -> None:
        super().__init__(sock, *arguments, **more)
        self.fp = io.BufferedReader(_Timed(sock, self.fp))


def limit_answers(manager: urllib3.PoolManager) -> None:
    """Give each connection of a client a time limit for whole answers."""
    manager.pool_classes_by_scheme = {scheme: _timed(pool) for scheme, pool in manager.pool_classes_by_scheme.items()}


def _timed(pool: Any) -> Any:
    """Return the same class of connections with limited answers."""
    connection = type("TimedConnection", (pool.ConnectionCls,), {"response_class": _TimedResponse})
    return type("TimedPool", (pool,), {"ConnectionCls": connection})


def host(url: str) -> str:
    """Return the host and the port of a URL, without user, password and path."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def reason(error: Exception) -> str:
    """Return why there is no answer. Messages of other errors may quote the request, so only their class is named."""
    return str(error) if type(error) is urllib3.exceptions.HTTPError else type(error).__name__


def read(response: urllib3.BaseHTTPResponse) -> bytes:
    """Read a whole answer. A compressed answer was not requested and could unpack to any size, so it is refused.

    Raises:
        urllib3.exceptions.HTTPError

    """
    pieces, size = [], 0
    try:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise urllib3.exceptions.HTTPError(_PACKED)
        for piece in response.stream(PIECE, decode_content=False):
            size += len(piece)
            if size > _LARGEST:
                raise urllib3.exceptions.HTTPError(_TOO_LARGE)
            pieces.append(piece)
    finally:
        response.close()  # after a complete answer the connection is already back in the pool
    return b"".join(pieces)
