"""The controller of Argo as a process of this machine, which can go away and come back."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.live.kubernetes import until

_PROGRAM: Final = "workflow-controller"
_END_S: Final = 30.0


@dataclass(frozen=True)
class Controller:
    """How it was started."""

    pid: int
    words: list[str]
    environment: dict[str, str]
    folder: Path

    @classmethod
    def find(cls) -> Self | None:
        """Return the one that runs here, if any does."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode().split("\0")[:-1]
                if words and Path(words[0]).name == _PROGRAM:
                    pairs = (process / "environ").read_bytes().decode().split("\0")[:-1]
                    environment = dict(pair.split("=", 1) for pair in pairs)
                    return cls(int(process.name), words, environment, (process / "cwd").readlink())
            except OSError:  # it has ended, or is another user's
                continue
        return None

    @contextmanager
    def down(self) -> Iterator[None]:
        """Have none for the length of a `with` block; the new one is started as this one was."""
        os.kill(self.pid, signal.SIGTERM)
        until("the end of the controller", lambda: not self._runs(), _END_S)
        try:
            yield
        finally:
            subprocess.run(  # noqa: S603  the words that it had; it outlives these tests
                ["setsid", "--fork", *self.words],  # noqa: S607
                env=self.environment,
                cwd=self.folder,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def _runs(self) -> bool:
        found = type(self).find()
        return found is not None and found.pid == self.pid
