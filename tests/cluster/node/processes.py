"""The cluster's processes: started apart from the command that starts them, and stopped by their own ids only.

An id alone may have been given to another process since; with the moment of its start it means one process for good.
"""

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from .layout import Layout

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE_S: Final = 5.0


@dataclass(frozen=True)
class Process:
    name: str
    pid: int
    born: int  # clock ticks since the machine's start

    @property
    def alive(self) -> bool:
        return birth(self.pid) == self.born

    def stop(self, patience_s: float = _PATIENCE_S) -> None:
        """Ask it to end, and end it when it does not."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # the handle holds the process, so that what is compared is what is signalled
            for ending in (signal.SIGTERM, signal.SIGKILL):
                if self.alive:
                    with suppress(ProcessLookupError):
                        signal.pidfd_send_signal(handle, ending)
                    select.select([handle], [], [], patience_s)
        finally:
            os.close(handle)


def birth(pid: int) -> int | None:
    """Tell when a process started; nothing if it has ended, reaped or not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def start(layout: Layout, name: str, command: Sequence[str | Path]) -> Process:
    """Start a part with an environment of its own: a proxy set for people is not for it."""
    with (layout.logs / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(  # noqa: S603  # the cluster's own programs
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=layout.folder,
            env={"PATH": _PATH, "HOME": str(layout.folder)},
        )
    child.returncode = 0  # it outlives this command: nobody waits for it
    process = Process(name, child.pid, birth(child.pid) or 0)
    (layout.processes / f"{name}.json").write_text(json.dumps(asdict(process)))
    return process


def recorded(layout: Layout) -> list[Process]:
    """Read which processes were started, in the order of their names."""
    return [Process(**json.loads(path.read_text())) for path in sorted(layout.processes.glob("*.json"))]


def running(layout: Layout) -> list[Process]:
    return [process for process in recorded(layout) if process.alive]


def with_argument(argument: str) -> Iterator[Process]:
    """Find processes one of whose arguments is this word, such as a socket's path that only ours know."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            born = birth(int(entry.name))
            if argument.encode() in words[1:] and born is not None and int(entry.name) != os.getpid():
                yield Process(words[0].decode(errors="replace"), int(entry.name), born)
