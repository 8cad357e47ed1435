"""What `system_calls.c` does, one layer higher: the functions of `os` are replaced, for machines without a compiler.

It sees what Python code asks of `os`, and not what a stream or a library asks of the system.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.steps.faults.plan import ROW, ROWS, SHORT, VANISH, Call

_real = {
    name: getattr(os, name)
    for name in ("open", "read", "readv", "write", "fstat", "mkdir", "unlink", "close", "pread", "pwrite")
}


def install(table: Path) -> None:
    """Have the functions of `os` look into the plan."""

    def opened(name: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        _fault(table, Call.CREATE if flags & os.O_CREAT else Call.OPEN, _path(name, dir_fd), name)
        return int(_real["open"](name, flags, mode, dir_fd=dir_fd))

    def made(name: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        _fault(table, Call.CREATE, _path(name, dir_fd), name)
        _real["mkdir"](name, mode, dir_fd=dir_fd)

    def removed(name: Any, *, dir_fd: int | None = None) -> None:
        _fault(table, Call.REMOVE, _path(name, dir_fd), name)
        _real["unlink"](name, dir_fd=dir_fd)

    def read(descriptor: int, wanted: int) -> bytes:
        is_short = _fault(table, Call.READ, _path_of(descriptor))
        return bytes(_real["read"](descriptor, (wanted + 1) // 2 if is_short else wanted))

    def read_into(descriptor: int, parts: Sequence[memoryview]) -> int:
        is_short = _fault(table, Call.READ, _path_of(descriptor))
        return int(_real["readv"](descriptor, [_half(parts[0])] if is_short else parts))

    def written(descriptor: int, data: bytes) -> int:
        is_short = _fault(table, Call.WRITE, _path_of(descriptor))
        return int(_real["write"](descriptor, _half(data) if is_short else data))

    def looked(descriptor: int) -> Any:
        _fault(table, Call.LOOK, _path_of(descriptor))
        return _real["fstat"](descriptor)

    replaced: dict[str, Callable[..., Any]]
    replaced = {"open": opened, "mkdir": made, "unlink": removed, "read": read, "readv": read_into}
    replaced |= {"write": written, "fstat": looked}
    for name, function in replaced.items():
        setattr(os, name, function)


def _half(data: bytes | memoryview) -> memoryview:
    return memoryview(data)[: (len(data) + 1) // 2]


def _path_of(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _path(name: Any, folder: int | None) -> str:
    return os.path.join(Path.cwd() if folder is None else _path_of(folder), os.fsdecode(name))


def _fault(table: Path, call: Call, path: str, *name: Any) -> bool:
    """Whether a call is cut short; what fails is raised, with the name that it was called with."""
    for what in _due(table, call, path):
        if what > 0:
            raise OSError(what, os.strerror(what), *name)
        if what == VANISH:
            shutil.rmtree(Path(path).parent)
        if what == SHORT:
            return True
    return False


def _due(table: Path, call: Call, path: str) -> list[int]:
    """What is to happen to a call."""
    descriptor = _real["open"](table, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # of its own descriptor, so threads wait for each other too
        return [_turn(descriptor, number * ROW.size, call, path) for number in range(ROWS)]
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a worker that was forked meanwhile has it too, and never closes it
        _real["close"](descriptor)


def _turn(descriptor: int, place: int, call: Call, path: str) -> int:
    kind, what, first, last, seen, struck, pattern = ROW.unpack(_real["pread"](descriptor, ROW.size, place))
    if kind != call or not fnmatchcase(path, pattern.rstrip(b"\0").decode()):
        return 0
    is_due = first <= seen + 1 <= last
    _real["pwrite"](descriptor, ROW.pack(kind, what, first, last, seen + 1, struck + is_due, pattern), place)
    return what if is_due else 0
