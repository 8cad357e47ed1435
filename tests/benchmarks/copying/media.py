"""Where the trees lie: the local disk, or the same folder behind a delay before each file-system operation.

The delay stands in for a network volume. It is a FUSE pass-through, the Go module `slowfs` beside this, built once.
Each round mounts it afresh, so no program finds what another has left in memory.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.benchmarks.copying.errors import MediumFailed
from tests.cluster.node.programs import home

SOURCES: Final = Path(__file__).parent.parent / "go" / "slowfs"
LOCAL: Final = "local"
_PATIENCE_S: Final = 10
_DELAY: Final = re.compile(r"\d+(\.\d+)?(us|ms|s)")


@dataclass
class Seen:
    """What a medium says once it is left: how often each operation came, the mean of their delays."""

    operations: dict[str, int] = field(default_factory=dict)
    mean_ms: float = 0


@dataclass(frozen=True)
class Medium:
    """A medium by its name: `local`, or a delay as Go writes it (`1ms`)."""

    name: str

    @property
    def is_local(self) -> bool:
        return self.name == LOCAL

    @contextmanager
    def at(self, volume: Path) -> Iterator[tuple[Path, Seen]]:
        """Give the path at which a program is to see the volume.

        Raises:
            MediumFailed

        """
        seen = Seen()
        if self.is_local:
            yield volume, seen
            return
        mountpoint = volume.parent / "mounted"
        mountpoint.mkdir(exist_ok=True)
        program = subprocess.Popen(  # noqa: S603  our own
            [build(), "-latency", self.name, volume, mountpoint], stdout=subprocess.PIPE, text=True
        )
        assert program.stdout is not None
        try:
            if program.stdout.readline() != "ready\n":
                raise MediumFailed("it does not mount")
            yield mountpoint, seen
        finally:
            program.send_signal(signal.SIGTERM)
            said, _ = program.communicate(timeout=_PATIENCE_S)
        seen.__dict__.update(json.loads(said))


def is_name(name: str) -> bool:
    """Whether a medium can be called so."""
    return name == LOCAL or bool(_DELAY.fullmatch(name))


def missing() -> str:
    """Say what a slow medium lacks here, nothing if it can be had."""
    if os.geteuid():
        return "needs root"
    if not Path("/dev/fuse").exists():
        return "needs /dev/fuse"
    return "" if shutil.which("go") else "needs Go"


def build() -> Path:
    """Build the pass-through unless the cache holds it as these sources make it.

    Raises:
        MediumFailed

    """
    if lacking := missing():
        raise MediumFailed(lacking)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))).hexdigest()
    program = home() / f"slowfs-{digest[:8]}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        unfinished = program.with_name(f".{program.name}.{os.getpid()}")
        flags = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w"]
        environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
        command = ["go", "build", *flags, "-o", str(unfinished), "."]
        if subprocess.run(command, cwd=SOURCES, env=environment, check=False).returncode:  # noqa: S603  our own
            raise MediumFailed("it does not build")
        unfinished.rename(program)
    return program
