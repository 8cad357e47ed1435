"""Removes what a volume holds, and follows no link."""

import errno
import os
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from steps import errors
from steps.files import beneath, permissions, volume
from steps.files.beneath import closed, open_folder, open_top
from steps.process import interruption

HELD = 64  # folders in each other that a process has open: a tree may be deeper than descriptors go
FOLDER_OUT = 0o770


def empty(root: Path, passed_over: Collection[str] | None = None) -> None:
    """Remove all that a volume holds but the names that are passed over at its root; the root stays as it is.

    None: those that the volume itself shows.

    Raises:
        errors.NotRemovable, errors.VolumeFailed and its like, errors.Interrupted

    """
    passed = volume.passed_over(root) if passed_over is None else passed_over
    with opened_root(root) as top, volume.failures(root):
        keep(top, {*passed})


def drop(root: Path, paths: Iterable[str]) -> None:
    """Remove what has these paths, as far as it is there, a folder with all that is in it.

    Raises:
        errors.NotRemovable, errors.VolumeFailed and its like, errors.Interrupted

    """
    with opened_root(root) as top, volume.failures(root):
        for path in paths:
            above, _, name = path.rpartition("/")
            with suppress(FileNotFoundError), closed(open_folder(top, above)) as folder:
                remove(name, folder)


def let_in(root: Path, names: Iterable[str]) -> None:
    """Let ourselves into those folders at a root that are ours; nothing where they are not there."""
    with opened_root(root) as top:
        for name in names:
            with suppress(OSError):
                permissions.open_up(name, top, FOLDER_OUT)


def keep(folder: int, names: set[str]) -> None:
    """Remove what is none of these from a folder."""
    for name in set(beneath.names(folder)) - names:
        remove(name, folder)


@contextmanager
def opened_root(root: Path) -> Iterator[int]:
    """The root of a tree, whose failures to open are its volume's."""
    with volume.failures(root):
        descriptor = open_top(root)
    with closed(descriptor):
        yield descriptor


def is_folder(name: str, folder: int) -> bool:
    """Whether a name in an opened folder is a folder; a link is none."""
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def remove(name: str, folder: int) -> None:
    """Remove whatever has this name, a folder with all that is in it.

    Raises:
        errors.NotRemovable, errors.Interrupted, OSError

    """
    with closing(_Descent(folder)) as descent:
        pending = [[name]]
        while True:
            interruption.point()
            if pending[-1]:
                name = pending[-1].pop()
                with _removing(name, descent.here):
                    if is_folder(name, descent.here):
                        pending.append(descent.enter(name))
                    else:
                        os.unlink(name, dir_fd=descent.here)
                continue
            pending.pop()
            if not pending:
                return
            name = descent.leave()
            with _removing(name, descent.here):
                os.rmdir(name, dir_fd=descent.here)


@contextmanager
def _removing(name: str, folder: int) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:  # gone already
        pass
    except OSError as error:
        if error.errno == errno.ESTALE:  # which another try may get over
            raise
        raise errors.NotRemovable(place_of(name, folder), os.strerror(error.errno or 0)) from error


def place_of(name: str, folder: int) -> str:
    """The path of a name in an opened folder; without /proc the name alone."""
    with suppress(OSError):
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
    return name


class _Descent:
    """The way down from a folder into those in it, of which the innermost are open: they may lie deep in each other."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._path: list[str] = []
        self._open: deque[int] = deque()

    @property
    def here(self) -> int:
        """The descriptor of the innermost folder."""
        return self._open[-1] if self._path else self._top

    def enter(self, name: str) -> list[str]:
        """Go into a folder, letting ourselves in; return the names in it."""
        permissions.open_up(name, self.here, FOLDER_OUT)
        self._open.append(open_folder(self.here, name))
        self._path.append(name)
        if len(self._open) > HELD:
            os.close(self._open.popleft())
        return beneath.names(self.here)

    def leave(self) -> str:
        """Go out of the innermost folder; return its name."""
        os.close(self._open.pop())
        name = self._path.pop()
        if self._path and not self._open:
            self._open.append(open_folder(self._top, "/".join(self._path)))
        return name

    def close(self) -> None:
        """Close what is open."""
        for descriptor in self._open:
            os.close(descriptor)
