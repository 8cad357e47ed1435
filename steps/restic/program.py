"""restic as a process: its environment, its output line by line, its end. Secrets reach it by private files alone.

Its environment is made here and not inherited, so that nothing of the pod's changes what it does. What clouds give a
pod for its identity is passed on.
"""

import json
import logging
import os
import queue
import resource
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from steps import errors
from steps.process import interruption, private_file
from steps.restic import endings
from steps.restic.store import Store

log = logging.getLogger(__name__)

Hear = Callable[[str], object]

OLDEST = (0, 18)  # Debian 13's
_IDENTITY = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME", "AWS_STS_REGIONAL_ENDPOINTS",
             "AWS_REGION", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
             "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST")  # fmt: skip
_SYSTEM = ("PATH", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "KUBERNETES_SERVICE_HOST")
_TAIL = 200  # lines of stderr
_LOOK_S = 0.5
_GRACE_S = 10.0  # restic removes its lock when it is asked to end
_PIECE, _PIECES = 1 << 16, 64
_RETRIED = "returned error, retrying"


class Restic:
    """restic for one repository. `seconds` are those of its calls, by command."""

    def __init__(self, store: Store, private: Path, scratch: Path) -> None:
        self.store = store
        self.seconds: list[tuple[str, float]] = []
        self._folder = scratch
        self._options = store.options(private)
        self._environment = {
            **{name: os.environ[name] for name in (*_SYSTEM, *_IDENTITY) if name in os.environ},
            **store.environment(private),
            "HOME": str(private),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "TMPDIR": str(scratch),
            "RESTIC_CACHE_DIR": str(scratch / "cache"),
            "RESTIC_PROGRESS_FPS": "0.5",
            "GOGC": "20",  # a third less memory; reading and writing decide the time
        }

    def lines(self, *words: str | bytes, limit_s: float | None = None, hear: Hear | None = None) -> Iterator[bytes]:
        """Run a command, and yield the lines of its stdout. Raises as `pieces`, after the last line."""
        rest = b""
        with closing(self.pieces(*words, limit_s=limit_s, hear=hear)) as pieces:
            for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                yield from (line + b"\n" for line in lines)
        if rest:
            yield rest

    def pieces(
        self, *words: str | bytes, limit_s: float | None = None, hear: Hear | None = None
    ) -> Generator[bytes, None, None]:
        """Run a command, and yield its stdout in pieces. Its end is judged after the last piece.

        `hear` gets each line of stderr, without secrets, from another thread.

        Raises:
            errors of `endings.of`; errors.Interrupted: the phase was asked to end; errors.NoRestic

        """
        began, command = time.monotonic(), os.fsdecode(words[0])
        with _running(["restic", *words, *self._options], self._environment, self._folder) as process:
            said: deque[bytes] = deque(maxlen=_TAIL)
            follower = threading.Thread(target=self._follow, args=(process.stderr, said, hear), daemon=True)
            follower.start()
            over = yield from _pieces(process, None if limit_s is None else began + limit_s)
            code = None if over else process.wait()
            follower.join(_GRACE_S)
        self.seconds.append((command, time.monotonic() - began))
        if code != 0:
            text = self.store.masked(b"".join(said).decode(errors="replace"))
            raise endings.of(code, text, repository=self.store.name, command=command, limit_s=limit_s)

    def run(self, *words: str | bytes, limit_s: float | None = None) -> bytes:
        """Run a command, and return its stdout. Raises as `pieces`."""
        return b"".join(self.pieces(*words, limit_s=limit_s))

    def json(self, *words: str, limit_s: float | None = None) -> Any:
        """Run a command, and return what it prints as JSON. Raises as `lines`; errors.NoJson: it printed other text."""
        out = self.run(*words, "--json", limit_s=limit_s)
        try:
            return json.loads(out)
        except ValueError as error:
            raise errors.NoJson(words[0], self.store.name) from error

    def told(self) -> str:
        """Return how many calls there were, and how long those of each command took."""
        by_command: dict[str, list[float]] = {}
        for command, seconds in self.seconds:
            by_command.setdefault(command, []).append(seconds)
        each = ", ".join(f"{len(took)} {command} {sum(took):.2f} s" for command, took in by_command.items())
        return f"{len(self.seconds)} calls, {sum(seconds for _, seconds in self.seconds):.1f} s ({each})"

    def check_version(self) -> None:
        """Check that restic is there and not too old.

        Raises:
            errors.OldRestic

        """
        told = self.json("version")
        version = str(told.get("version", "")) if isinstance(told, dict) else ""
        with suppress(ValueError):
            if tuple(int(part) for part in version.split(".")[:2]) >= OLDEST:
                return
        raise errors.OldRestic(version, ".".join(map(str, OLDEST)))

    def _follow(self, stream: Any, tail: "deque[bytes]", hear: Hear | None) -> None:
        """Keep the last lines of stderr, and log what restic tries again."""
        logged = 0.0
        for line in stream:
            tail.append(line)
            if hear:
                hear(self.store.masked(line.decode(errors="replace")))
            if _RETRIED in line.decode(errors="replace") and time.monotonic() - logged > 30:
                logged = time.monotonic()
                log.info("restic tries again: %s", self.store.masked(line.decode(errors="replace")).strip()[:300])


@contextmanager
def opened(store: Store, private: Path, scratch: Path) -> Iterator[Restic]:
    """Write the private files of a store for the time of the block.

    `private` is a folder in memory, `scratch` one for the cache and pack files.

    Raises:
        errors.OldRestic

    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold keys
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="restic-", dir=private, ignore_cleanup_errors=True) as folder:  # for the owner alone
        own = Path(folder)
        for name, text in store.files().items():
            private_file.write(own / name, text)
        found = Restic(store, own, scratch)
        found.check_version()
        yield found
        log.info("restic: %s", found.told())


@contextmanager
def _running(
    words: list[str | bytes], environment: dict[str, str], folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process in a folder that it may write to. It is ended if the block is left before its end."""
    try:
        process = subprocess.Popen(  # noqa: S603  the words are ours, and no shell reads them
            words,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise errors.NoRestic(error.strerror or str(error)) from error
    with process:
        try:
            yield process
        finally:
            _end(process)


def _pieces(process: "subprocess.Popen[bytes]", until: float | None) -> Generator[bytes, None, bool]:
    """Yield stdout as it comes. Returns True if the time was over and the process was ended."""
    waiting: queue.Queue[bytes] = queue.Queue(_PIECES)
    threading.Thread(target=_read, args=(process.stdout, waiting), daemon=True).start()
    while True:
        interruption.point()
        if until is not None and time.monotonic() > until:
            _end(process)
            return True
        with suppress(queue.Empty):
            if not (piece := waiting.get(timeout=_LOOK_S)):
                return False
            yield piece


def _read(stream: Any, pieces: "queue.Queue[bytes]") -> None:
    """Pass on what the process writes, as soon as it comes. The last piece is empty."""
    piece = b"-"
    with suppress(ValueError):  # the caller has stopped early and closed the stream
        while piece:
            piece = os.read(stream.fileno(), _PIECE)
            pieces.put(piece)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
