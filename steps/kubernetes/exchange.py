"""The client's connection: who asks, and an answer that is limited in time and in size as a whole."""

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

# Bytes of an answer: a list of 10,000 claims has a third of it, and a pod has memory for little more.
_LARGEST = 64 * 2**20
PIECE = 2**20
_TOO_LARGE = f"an answer of more than {_LARGEST // 2**20} MiB"
_PACKED = "a compressed answer, which was not asked for"


def sign_in(path: str, load: Callable[[], object]) -> None:
    """Read who asks, and whom, into the client's configuration.

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
    except Exception as error:  # what the client makes of any file; its words may hold a line of it, a token
        raise errors.NoConnection(f"{path} is not a kubeconfig") from error


class _Timed(io.RawIOBase):
    """What is read from a server until a moment, however slowly it comes: a socket's own limit begins at each byte."""

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
    """An answer whose head and body together have the time of the request."""

    def __init__(self, sock: socket.socket, *arguments: Any, **more: Any) -> None:
        super().__init__(sock, *arguments, **more)
        self.fp = io.BufferedReader(_Timed(sock, self.fp))


def limit_answers(manager: urllib3.PoolManager) -> None:
    """Have each connection of a client read answers with a limit for the whole."""
    manager.pool_classes_by_scheme = {scheme: _timed(pool) for scheme, pool in manager.pool_classes_by_scheme.items()}


def _timed(pool: Any) -> Any:
    """The same class of connections, whose answers have a limit."""
    connection = type("TimedConnection", (pool.ConnectionCls,), {"response_class": _TimedResponse})
    return type("TimedPool", (pool,), {"ConnectionCls": connection})


def host(url: str) -> str:
    """A server's address without what else a URL may carry."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def reason(error: Exception) -> str:
    """Why there is no answer; the words of other errors may hold what was sent."""
    return str(error) if type(error) is urllib3.exceptions.HTTPError else type(error).__name__


def read(response: urllib3.BaseHTTPResponse) -> bytes:
    """A whole answer, as it is; nobody has asked for a compressed one, and a small one can unpack to any size.

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
        response.close()  # a connection whose answer was read to the end is in the pool again by now
    return b"".join(pieces)
