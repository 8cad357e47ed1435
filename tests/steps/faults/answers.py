"""Comes between the code of this process and the system: a test hears of each call of `os` before it is made.

The test may raise an errno in the place of the call, or change the tree first. `seam.py` and `system_calls.c` play a
table of faults to processes of their own; here a property can try thousands of faults, and a race every moment there
is. What ctypes asks of the system is not seen, so paths have to be opened part by part.
"""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from steps.files import beneath

Hook = Callable[[str, str], object]  # gets the kind of a call and the whole path that it is for

KINDS = {
    "open": ("open",),
    "stat": ("stat", "lstat", "fstat"),
    "read": ("read", "readv", "pread", "preadv"),
    "readlink": ("readlink",),
    "make": ("mkdir", "rename"),
    "remove": ("unlink", "rmdir"),
    "change": ("chmod", "fchmod", "chown", "fchown", "utime", "truncate", "ftruncate"),
}
_readlink = os.readlink
_scandir, _listdir = os.scandir, os.listdir


@contextmanager
def answering(hook: Hook, *, untyped: bool = False) -> Iterator[None]:
    """Tell `hook` of each call; an `untyped` folder does not say of what kind its names are (DT_UNKNOWN)."""
    tell = _Teller(hook)

    def scandir(path: Any = ".") -> "_Names":
        return _Names(path, tell, untyped=untyped)

    def listdir(path: Any = ".") -> list[Any]:
        tell("readdir", path, None)
        return _listdir(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beneath, "_knows_openat2", lambda: False)
        for kind, names in KINDS.items():
            for name in names:
                patch.setattr(os, name, _told(tell, kind, getattr(os, name)))
        patch.setattr(os, "symlink", _link_told(tell, os.symlink))
        patch.setattr(os, "scandir", scandir)
        patch.setattr(os, "listdir", listdir)
        yield


class _Teller:
    """Tells of the calls of this thread, but for those that the hook itself makes."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._thread = threading.get_ident()
        self._busy = False

    def __call__(self, kind: str, what: Any, folder: int | None) -> None:
        if self._busy or threading.get_ident() != self._thread:
            return
        self._busy = True
        try:
            self._hook(kind, _path(what, folder))
        except OSError as error:
            error.filename = None if isinstance(what, int) else what  # as the system's own
            raise
        finally:
            self._busy = False


def _path(what: Any, folder: int | None) -> str:
    if isinstance(what, int):
        return _readlink(f"/proc/self/fd/{what}")
    above = os.getcwd() if folder is None else _readlink(f"/proc/self/fd/{folder}")  # noqa: PTH109  bytes stay bytes
    return os.path.normpath(os.path.join(above, os.fsdecode(what)))


def _told(tell: _Teller, kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(what: Any, *arguments: Any, **named: Any) -> Any:
        tell(kind, what, named.get("dir_fd", named.get("src_dir_fd")))
        return real(what, *arguments, **named)

    return call


def _link_told(tell: _Teller, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(target: Any, name: Any, *arguments: Any, **named: Any) -> None:
        tell("make", name, named.get("dir_fd"))
        real(target, name, *arguments, **named)

    return call


class _Names:
    """What `os.scandir` gives; the system may fail at any of the names."""

    def __init__(self, folder: Any, tell: _Teller, *, untyped: bool) -> None:
        self._folder = folder
        self._tell = tell
        self._names = _scandir(folder)
        self._untyped = untyped

    def __enter__(self) -> "_Names":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> "_Names":
        return self

    def __next__(self) -> Any:
        self._tell("readdir", self._folder, None)
        item = next(self._names)
        return _Untyped(item, self._folder) if self._untyped else item

    def close(self) -> None:
        self._names.close()


class _Untyped:
    """What `os.DirEntry` is where the folder does not say of what kind a name is: each question is an lstat."""

    def __init__(self, item: "os.DirEntry[str]", folder: Any) -> None:
        self._folder = folder
        self.name, self.path = item.name, item.path

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        folder = self._folder if isinstance(self._folder, int) else None
        return os.stat(self.path if folder is None else self.name, dir_fd=folder, follow_symlinks=follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self._is(stat.S_ISREG, follow_symlinks=follow_symlinks)

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._is(stat.S_ISDIR, follow_symlinks=follow_symlinks)

    def is_symlink(self) -> bool:
        return self._is(stat.S_ISLNK, follow_symlinks=False)

    def _is(self, judge: Callable[[int], bool], *, follow_symlinks: bool) -> bool:
        try:
            return judge(self.stat(follow_symlinks=follow_symlinks).st_mode)
        except FileNotFoundError:
            return False
