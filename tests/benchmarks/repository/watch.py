"""Runs one command, and says what it took: seconds, memory of restic and of Python, room in the scratch folder.

`python watch.py SCRATCH COMMAND ...` prints JSON; `said` is the command's stdout and stderr. It is small and a process
of its own, because a process starts with its parent's peak. restic removes a pack file's name as soon as it is open,
so open files are counted too.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

LOOK_S = 0.2


def run(scratch: str, command: list[str]) -> dict[str, Any]:
    """Run it to its end."""
    found: dict[str, float] = {"restic": 0, "python": 0, "together": 0, "scratch": 0}
    over = threading.Event()
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)  # noqa: S603  the caller's
        looking = threading.Thread(target=_look, args=(process.pid, scratch, found, over))
        looking.start()
        code = process.wait()
        seconds = time.monotonic() - began
        over.set()
        looking.join()
        said.seek(0)
        text = said.read().decode(errors="replace")
    return {"code": code, "seconds": seconds, "said": text, **{f"{name}_mib": size for name, size in found.items()}}


def _look(top: int, scratch: str, found: dict[str, float], over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        processes = list(_below(top))
        held = {each: _status(each) for each in processes}
        for name, peak, _ in held.values():
            kind = "restic" if name == "restic" else "python"
            found[kind] = max(found[kind], peak)
        found["together"] = max(found["together"], sum(now for _, _, now in held.values()))
        found["scratch"] = max(found["scratch"], (_room(scratch) + sum(_unnamed(each) for each in processes)) / 2**20)


def _below(process: int) -> Any:
    """Yield a process and all below it."""
    yield process
    for thread in _names(f"/proc/{process}/task"):
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{process}/task/{thread}/children").read_text().split():
                yield from _below(int(child))


def _status(process: int) -> tuple[str, float, float]:
    """The name of a process, its peak and what it holds now, in MiB. Shared pages are counted once in the latter."""
    told = {"Name": "", "VmHWM": "0", "Pss": "0"}
    for name in ("status", "smaps_rollup"):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process}/{name}").read_text().splitlines()
            told |= {
                key: value.split()[0] for key, _, value in (each.partition(":") for each in lines) if value.split()
            }
    return told["Name"], int(told["VmHWM"]) / 1024, int(told["Pss"]) / 1024


def _room(folder: str) -> int:
    sizes = []
    for above, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                sizes.append(Path(above, name).lstat().st_blocks * 512)
    return sum(sizes)


def _unnamed(process: int) -> int:
    """The room of open files that have no name any more."""
    size = 0
    for name in _names(f"/proc/{process}/fd"):
        with contextlib.suppress(OSError):
            path = Path(f"/proc/{process}/fd/{name}")
            if os.readlink(path).endswith(" (deleted)") and "restic-temp" in os.readlink(path):
                size += path.stat().st_blocks * 512
    return size


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], sys.argv[2:])))  # noqa: T201  its answer
