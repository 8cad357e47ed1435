"""Creates one entry of a copy: a complete file or none, a folder, or a link."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.files import beneath, permissions, reading, removal, volume, writing
from steps.files.beneath import READ, closed, open_folder
from steps.files.meter import Meter
from steps.files.mtree import Entry
from steps.files.reading import BLOCK
from steps.files.removal import FOLDER_OUT
from steps.process import interruption

READS = 3  # of a file that changes while it is read
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _Poured(NamedTuple):
    """The written bytes, their SHA-256, that of the first `mark` bytes, and whether the file has more than expected."""

    size: int
    sha256: str
    begin: str
    more: bool


def pour(stream: int, copy: int, expected: int, where: tuple[Path, str], meter: Meter, mark: int = -1) -> _Poured:
    """Copy the content of a file up to the expected size, with zeros as holes.

    Raises:
        OSError: the file can't be read.
        errors.VolumeFull and others of `volume.failures` for the target

    """
    done, sha256, begin, more = 0, hashlib.sha256(), "", False
    in_hole = False
    for found in [reading.small(stream, expected)] if expected < BLOCK else reading.blocks(stream, expected):
        interruption.point()
        block, more = found[: expected - done], len(found) > expected - done
        if done <= mark < done + len(block):
            sha256.update(block[: mark - done])
            begin = sha256.hexdigest()
            sha256.update(block[mark - done :])
        else:
            sha256.update(block)
        with volume.failures(*where):
            in_hole = writing.put_sparse(copy, block)
        done += len(block)
        meter.add(size_bytes=len(block))
    if in_hole:  # no write at the end has set the size
        with volume.failures(*where):
            os.ftruncate(copy, done)
    return _Poured(done, sha256.hexdigest(), sha256.hexdigest() if done == mark else begin, more)


@contextmanager
def target_folder(top: int, path: str, target: Path) -> Iterator[int]:
    """Open a folder of the target. Errors of the open are errors of the target; errors of the block are not."""
    with volume.failures(target, path):
        descriptor = open_folder(top, path)
    with closed(descriptor):
        yield descriptor


class new_file:  # noqa: N801  a context manager, written out: it is entered for each file
    """A new file. `again` replaces an entry of its name. The file is removed if anything fails, also at a SIGTERM.

    With a `name` the file is renamed at the end, because a network volume may report only at the close that it is full.
    """

    __slots__ = ("_again", "_copy", "_folder", "_mode", "_name", "_temporary", "_where")

    def __init__(
        self, temporary: str, folder: int, mode: int, where: tuple[Path, str], name: str = "", *, again: bool
    ) -> None:
        self._again = again
        self._temporary = temporary
        self._folder = folder
        self._mode = mode
        self._where = where
        self._name = name

    def __enter__(self) -> int:
        try:
            self._copy = _create(self._temporary, self._folder, self._mode, again=self._again)
        except OSError as error:
            raise volume.failure(error, *self._where) from error
        return self._copy

    def __exit__(self, kind: type[BaseException] | None, failed: BaseException | None, trace: object) -> None:
        try:
            os.close(self._copy)
            if failed is None and self._name:
                self._rename()
        except OSError as error:
            self._forget()
            if failed is None:
                raise volume.failure(error, *self._where) from error
        if failed is not None:
            self._forget()

    def _rename(self) -> None:
        if self._again:
            os.rename(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            return
        try:
            beneath.rename_new(self._temporary, self._name, self._folder)
        except FileExistsError:
            self._forget()
            raise errors.NameTaken(removal.place_of(self._name, self._folder)) from None

    def _forget(self) -> None:
        with suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._folder)


def _create(name: str, folder: int, mode: int, *, again: bool) -> int:
    """Create a new file."""
    try:
        return os.open(name, _NEW, mode, dir_fd=folder)
    except FileExistsError:
        if not again:
            raise errors.NameTaken(removal.place_of(name, folder)) from None
        removal.remove(name, folder)
        return os.open(name, _NEW, mode, dir_fd=folder)


@contextmanager
def whole(listed: Entry, folder: int) -> Iterator[int | None]:
    """A file whose content is as listed, opened; None if it is missing, differs or can't be read."""
    try:
        descriptor = os.open(listed.name, READ, dir_fd=folder)
    except OSError:
        yield None
        return
    with closed(descriptor):
        yield descriptor if _is_whole(descriptor, listed) else None


def _is_whole(descriptor: int, listed: Entry) -> bool:
    """Read the file from the volume, not from the cache: the cache may hold data that the volume failed to write."""
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != listed.size or not listed.digest:
            return False
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return reading.read_digest(descriptor, listed.size) == listed.digest
    except OSError:
        return False


def make_folder(name: str, folder: int, *, again: bool, takes_over: bool = False) -> bool:
    """Create a folder; False if it exists, perhaps because another process created it."""
    while True:
        try:
            os.mkdir(name, FOLDER_OUT, dir_fd=folder)
        except FileExistsError:
            if enter_folder(name, folder, again=again, takes_over=takes_over):
                return False
            continue
        if permissions.inherits(folder):
            permissions.open_up(name, folder, FOLDER_OUT)
        return True


def enter_folder(name: str, folder: int, *, again: bool, takes_over: bool) -> bool:
    """Get access to an existing folder. In a repetition (`again`) an entry that is not a folder is removed; then False.

    `takes_over` also removes a folder of another user. It must not be set while other processes may fill that folder.
    """
    is_folder = removal.is_folder(name, folder)
    if not again:
        if not is_folder:
            raise errors.NameTaken(removal.place_of(name, folder))
        return True
    if is_folder and (
        permissions.open_up(name, folder, FOLDER_OUT)
        or not (takes_over and permissions.is_anothers_folder(folder, volume.temporary_name()))
    ):
        return True
    removal.remove(name, folder)
    return False


def make_link(entry: Entry, folder: int, *, again: bool) -> bool:
    """Create a link; return whether the volume kept its times."""
    name = entry.name
    try:
        os.symlink(entry.target, name, dir_fd=folder)
    except FileExistsError:
        if not again:
            raise errors.NameTaken(removal.place_of(name, folder)) from None
        removal.remove(name, folder)
        os.symlink(entry.target, name, dir_fd=folder)
    except OSError as error:
        if permissions.is_refusal(error):
            raise errors.LinksNotKept(entry.path) from error
        raise
    return permissions.give_times(name, entry.mtime_ns, folder)


@contextmanager
def no_umask() -> Iterator[None]:
    """Modes are given when a file is made, which saves a call for each."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)
