"""Writes complete files to a volume, or none. Every UID of the group can read and replace them.

The next reader usually has another UID: another namespace, the operator, a retry.
"""

import errno
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path

from steps import errors
from steps.files import beneath, permissions, volume
from steps.files.beneath import closed, open_folder

log = logging.getLogger(__name__)
_PAGE = 4096  # bytes; the smallest allocation of most file systems
_PAGE_OF_ZEROS = bytes(_PAGE)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_GROUP_READ = 0o050

FILE_MODE = 0o640
FOLDER_MODE = 0o770


def put(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write all data. The system may take less in one call."""
    done = os.write(descriptor, data)
    while done < len(data):
        done += os.write(descriptor, memoryview(data)[done:])


def put_sparse(descriptor: int, data: bytes | memoryview) -> bool:
    """Write all data. Pages of zeros become holes. True if the data end with a hole: then the caller sets the size.

    The first byte of each page nearly always shows that it holds data. This test takes 0.5 us for a block of 256 KiB. A
    search for 4 KiB of zeros takes 15 us, a tenth of the time of its digest.
    """
    holes = _holes(data) if 0 in bytes(data[::_PAGE]) else set()
    if not holes:
        put(descriptor, data)
        return False
    view = memoryview(data)
    for is_hole, run in groupby(range(0, len(view), _PAGE), holes.__contains__):
        pages = list(run)
        piece = view[pages[0] : pages[-1] + _PAGE]
        if is_hole:
            os.lseek(descriptor, len(piece), os.SEEK_CUR)
        else:
            put(descriptor, piece)
    return pages[-1] in holes


def _holes(data: bytes | memoryview) -> set[int]:
    """The offsets of pages that hold only zeros."""
    starts = range(0, len(data), _PAGE)
    return {at for at in starts if not data[at] and bytes(data[at : at + _PAGE]) == _PAGE_OF_ZEROS}


def write_whole(root: Path, name: str, data: bytes) -> None:
    """Write a file under a temporary name, and rename it when it is complete. `durable` syncs it.

    Raises:
        errors.NotWritable and others of `volume.failures`

    """
    with (
        volume.failures(root),
        closed(volume.open_root(root)) as top,
        folder_of(root, top, name) as (folder, own),
        temporary_file(folder, data) as temporary,
    ):
        os.rename(temporary, own, src_dir_fd=folder, dst_dir_fd=folder)


@contextmanager
def folder_of(root: Path, top: int, name: str) -> Iterator[tuple[int, str]]:
    """Open the folder of a file below an opened root, or create it; yield it and the name of the file."""
    above, _, own = name.rpartition("/")
    if above:
        _make_folder(root, top, above)
    with volume.failures(root, name), closed(open_folder(top, above)) as folder:
        yield folder, own


def opened_to_write(root: Path, path: str) -> int:
    """Open a regular file to write it from its start, or create it; the caller closes it.

    Raises:
        OSError: ELOOP, ENXIO or EINVAL if it is not a regular file

    """
    with closed(volume.open_root(root)) as top:
        descriptor = beneath.opened(top, path, _NEW | os.O_TRUNC, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def make_folder(root: Path, folder: str) -> None:
    """Create a folder that the whole group may use, whatever the umask. An existing folder stays unchanged.

    Raises:
        errors.NotWritable and others of `volume.failures`.

    """
    with volume.failures(root), closed(volume.open_root(root)) as top:
        _make_folder(root, top, folder)


def _make_folder(root: Path, top: int, folder: str) -> None:
    above, _, name = folder.rpartition("/")
    with volume.failures(root, folder), closed(open_folder(top, above)) as here:
        try:
            os.mkdir(name, FOLDER_MODE, dir_fd=here)
        except FileExistsError:  # from an earlier run, or by a parallel phase
            found = volume.look_below(here, name)
            if found and not stat.S_ISDIR(found.st_mode):
                raise
        else:
            permissions.open_up(name, here, FOLDER_MODE)  # the umask or a default ACL may have closed it
            with closed(open_folder(here, name)) as made:
                _give_mode(root, folder, made, stat.S_IMODE(os.fstat(made).st_mode) | FOLDER_MODE)


def give_mode(root: Path, path: str, descriptor: int) -> None:
    """Give a file of the backup a mode that lets its group read it. A volume that keeps no modes is noted.

    Raises:
        errors.ModeNotKept: the group could not read the file.

    """
    _give_mode(root, path, descriptor, FILE_MODE)


def _give_mode(root: Path, path: str, descriptor: int, mode: int) -> None:
    if permissions.give_mode(descriptor, mode):
        return
    found = os.fstat(descriptor).st_mode
    if not permissions.serves(os.fstat(descriptor), mode & _GROUP_READ):
        raise errors.ModeNotKept(str(root / path), f"{stat.S_IMODE(found):04o}", f"{mode:04o}", "read by its group")
    _without_mode.add(str(root / path))


def mode_notes() -> tuple[str, ...]:
    """Report once how many of the backup's own files and folders did not keep their mode in this process."""
    if not _without_mode:
        return ()
    note = f"{len(_without_mode)} files of the backup have a wrong mode, because the volume does not keep modes"
    _without_mode.clear()
    log.info("%s", note)
    return (note,)


_without_mode: set[str] = set()


def clear(root: Path, folder: str) -> None:
    """Remove the files in a folder of the volume."""
    with volume.failures(root, folder), closed(volume.open_root(root)) as top, closed(open_folder(top, folder)) as here:
        for name in os.listdir(here):
            os.unlink(name, dir_fd=here)


@contextmanager
def temporary_file(folder: int, data: bytes) -> Iterator[str]:
    """Write a complete file under a temporary name in an opened folder, and remove that name at the end."""
    temporary = volume.temporary_name()
    try:
        with closed(os.open(temporary, _NEW | os.O_EXCL, 0o666, dir_fd=folder)) as stream:
            put(stream, data)
            give_mode(Path(), temporary, stream)
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
