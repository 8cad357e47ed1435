"""Runs one command and says how long it took until its volumes were synced, and how much memory: JSON in, JSON out.

A process starts with its parent's peak (`ru_maxrss` outlives exec), so what measures is small and a process of its own:
`python -I -S clock.py '{"command": [...], "volumes": [...]}'`. Memory is what all processes of the command hold at
once, a page that several share counted once: the largest sum of their proportional set sizes that was seen. A peak
between two looks is missed, so it is never less than the largest process's own peak, which the kernel keeps. Both times
are those of CLOCK_MONOTONIC, which all processes share.
"""

import ctypes
import glob
import json
import os
import sys
import threading
import time

_LOOK_S = 0.2
_LOOKS_SHARE = 0.02  # of a core, at most: a look at 17 processes of 60 MiB takes 15 ms


def run(command: list[str], volumes: list[str]) -> dict[str, object]:
    """Run it with both volumes clean before, so that others' bytes are not synced at its cost.

    Raises:
        SystemExit: it failed, with what its end was.

    """
    descriptors = [os.open(volume, os.O_RDONLY | os.O_DIRECTORY) for volume in volumes]
    _sync(descriptors)
    reading, writing = os.pipe()
    began = time.monotonic()
    process = os.posix_spawnp(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writing, sys.stdout.fileno())]
    )
    os.close(writing)
    held_kib, over = [0], threading.Event()
    looking = threading.Thread(target=_look, args=(process, held_kib, over))
    looking.start()
    with open(reading) as stream:  # noqa: PTH123  a descriptor, not a path
        said = stream.read()
    _, status, usage = os.wait4(process, 0)
    ended = time.monotonic()
    over.set()
    _sync(descriptors)
    synced = time.monotonic()
    looking.join()
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"`{' '.join(command)}` ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "began": began,
        "wall_s": synced - began,
        "sync_s": synced - ended,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": max(usage.ru_maxrss, *held_kib) / 1024,
        "said": said,
    }


def _look(process: int, held_kib: list[int], over: threading.Event) -> None:
    wait_s = _LOOK_S
    while not over.wait(wait_s):
        began = time.thread_time()
        held_kib.append(_held_kib(str(process)))
        wait_s = max(_LOOK_S, (time.thread_time() - began) / _LOOKS_SHARE)


def _held_kib(process: str) -> int:
    """What a process and all below it hold; nothing where it has ended meanwhile."""
    sizes = [int(line.split()[1]) for line in _read(f"/proc/{process}/smaps_rollup") if line.startswith("Pss:")]
    children = [line for threads in glob.glob(f"/proc/{process}/task/*/children") for line in _read(threads)]  # noqa: PTH207  small
    return sum(sizes) + sum(_held_kib(child) for line in children for child in line.split())


def _read(path: str) -> list[str]:
    try:
        with open(path) as lines:  # noqa: PTH123  small
            return list(lines)
    except OSError:
        return []


def _sync(descriptors: list[int]) -> None:
    system = ctypes.CDLL(None, use_errno=True)
    for descriptor in descriptors:
        if system.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.argv[1]))))  # noqa: T201  its answer
