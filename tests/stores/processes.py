"""A server as a process of its own on the loopback address: started, waited for, stopped."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 20.0


@contextmanager
def serving(
    words: Sequence[object],
    log: Path,
    ready: Callable[[str], int | None],
    environment: Mapping[str, str] | None = None,
    host: str = "127.0.0.1",
) -> Iterator[int]:
    """Run a server for as long as the block, and return its port, which `ready` reads from its log."""
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603  # a program of the tests
            [*map(str, words)], env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        yield _wait(process, log, ready, host)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody has at this moment, for servers that cannot choose one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int, host: str = "127.0.0.1") -> int | None:
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return None
    return port


def _wait(process: subprocess.Popen[bytes], log: Path, ready: Callable[[str], int | None], host: str) -> int:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        said = log.read_text(errors="replace")
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with {process.returncode}: {said}")
        port = ready(said)
        if port is not None and answers(port, host) is not None:
            return port
        time.sleep(0.02)
    raise RuntimeError(f"{process.args} is not ready after {PATIENCE_S} s: {log.read_text(errors='replace')}")
