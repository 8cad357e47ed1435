"""A program of PostgreSQL's client as a process: its output, its end, its words."""

import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.process import interruption

_LOOK_S = 0.05
_GRACE_S = 10.0
_TAIL = 20  # lines of stderr


class ClientEnd(NamedTuple):
    """How a program ended, and the last of what it said on stderr."""

    code: int
    words: str


def major(program: str = "pg_dump") -> int:
    """Return the major version of a program.

    Raises:
        errors.DatabaseClientMissing

    """
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise errors.DatabaseClientMissing(program) from error
    return int((re.findall(r"\d+", said) or ["0"])[0])


def started(
    words: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> "subprocess.Popen[bytes]":
    """Start a program. Its stderr goes to a file, which `ended` reads.

    Raises:
        errors.DatabaseClientMissing

    """
    try:
        with log.open("wb") as stderr:
            return subprocess.Popen(list(words), env=dict(environment), stdin=stdin, stdout=stdout, stderr=stderr)  # noqa: S603
    except OSError as error:
        raise errors.DatabaseClientMissing(words[0]) from error


def wait(process: "subprocess.Popen[bytes]", log: Path, watch: Callable[[], None] = lambda: None) -> ClientEnd:
    """Wait for the end of a program. `watch` is called meanwhile, and ends the program if it raises.

    Raises:
        errors.Interrupted; what `watch` raises

    """
    try:
        while process.poll() is None:
            interruption.point()
            watch()
            time.sleep(_LOOK_S)
    finally:
        stop(process)
    return ended(process, log)


def ended(process: "subprocess.Popen[bytes]", log: Path) -> ClientEnd:
    """Return how a program has ended."""
    lines = log.read_text(errors="replace").splitlines()[-_TAIL:]
    return ClientEnd(process.wait(), "\n".join(lines))


def check_alive(program: str, end: ClientEnd) -> None:
    """Check that no signal has ended a program, as when the pod's memory is full.

    Raises:
        errors.DatabaseClientStopped

    """
    if end.code < 0:
        raise errors.DatabaseClientStopped(program, -end.code)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a program that still runs. Its sessions on the server end with it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            with suppress(OSError):  # what was not passed on
                stream.close()
