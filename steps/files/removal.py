"""Removes entries of a volume, and follows no link."""

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

HELD = 64  # nested folders that a process keeps open: a tree may be deeper than the limit of descriptors
FOLDER_OUT = 0o770


def empty(root: Path, passed_over: Collection[str] | None = None) -> None:
    """Remove all entries of a volume, except the names `passed_over` at its root. The root itself stays.

    None: the names that `volume.passed_over` finds.

    Raises:
        errors.NotRemovable, errors.VolumeFailed and others of `volume.failures`, errors.Interrupted

    """
    passed = volume.passed_over(root) if passed_over is None else passed_over
    with opened_root(root) as top, volume.failures(root):
        keep(top, {*passed})


def drop(root: Path, paths: Iterable[str]) -> None:
    """Remove the entries of these paths, as far as they exist; a folder with its content.

    Raises:
        errors.NotRemovable, errors.VolumeFailed and others of `volume.failures`, errors.Interrupted

    """
    with opened_root(root) as top, volume.failures(root):
        for path in paths:
            above, _, name = path.rpartition("/")
            with suppress(FileNotFoundError), closed(open_folder(top, above)) as folder:
                remove(name, folder)


def let_in(root: Path, names: Iterable[str]) -> None:
    """Give this user access to its own folders of these names at a root. Missing ones are skipped."""
    with opened_root(root) as top:
        for name in names:
            with suppress(OSError):
                permissions.open_up(name, top, FOLDER_OUT)


def keep(folder: int, names: set[str]) -> None:
    """Remove all entries of a folder, except these names."""
    for name in set(beneath.names(folder)) - names:
        remove(name, folder)


@contextmanager
def opened_root(root: Path) -> Iterator[int]:
    """Open the root of a tree. Errors are raised as errors of its volume."""
    with volume.failures(root):
        descriptor = open_top(root)
    with closed(descriptor):
        yield descriptor


def is_folder(name: str, folder: int) -> bool:
    """Whether a name in an opened folder is a folder. A link is not."""
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def remove(name: str, folder: int) -> None:
    """Remove the entry of this name; a folder with its content.

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
    except FileNotFoundError:  # already gone
        pass
    except OSError as error:
        if error.errno == errno.ESTALE:  # another try may succeed
            raise
        raise errors.NotRemovable(place_of(name, folder), os.strerror(error.errno or 0)) from error


def place_of(name: str, folder: int) -> str:
    """The path of a name in an opened folder; only the name if /proc is missing."""
    with suppress(OSError):
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
    return name


class _Descent:
    """The path from a folder down through nested folders. Only the innermost stay open, because it may be deep."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._path: list[str] = []
        self._open: deque[int] = deque()

    @property
    def here(self) -> int:
        """The descriptor of the innermost folder."""
        return self._open[-1] if self._path else self._top

    def enter(self, name: str) -> list[str]:
        """Enter a folder, and give this user access if needed; return the names in it."""
        permissions.open_up(name, self.here, FOLDER_OUT)
        self._open.append(open_folder(self.here, name))
        self._path.append(name)
        if len(self._open) > HELD:
            os.close(self._open.popleft())
        return beneath.names(self.here)

    def leave(self) -> str:
        """Leave the innermost folder; return its name."""
        os.close(self._open.pop())
        name = self._path.pop()
        if self._path and not self._open:
            self._open.append(open_folder(self._top, "/".join(self._path)))
        return name

    def close(self) -> None:
        """Close all open folders."""
        for descriptor in self._open:
            os.close(descriptor)
