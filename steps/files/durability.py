"""What is on a volume to stay.

A power loss may take what was not synced: a name, or the bytes under it. So what a later phase or try believes without
a look at the data (the begin marker, a report, the manifest) has its name only when all before it is synced. A phase
syncs the whole volume a few times, not each file.
"""

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from steps.files import volume, writing
from steps.files.beneath import closed, open_folder

_WRITE_BACK_BYTES = 64 << 20  # 84 MiB took 0.39 s, with 16 MiB 0.43 s, without 0.42 s
_LOOK_S = 0.02


class Disk:
    """A volume, held by a descriptor older than what a phase writes to it: a sync tells of all errors since."""

    def __init__(self, root: Path, descriptor: int) -> None:
        self.root = root
        self.descriptor = descriptor
        self._committed = ""

    def sync(self) -> None:
        """Make all durable that lies on the volume now.

        Raises:
            errors.VolumeFailed and its like, as `failures`.

        """
        with volume.failures(self.root):
            syncfs(self.descriptor)

    def commit(self, name: str, data: bytes) -> None:
        """Write the record of this phase, as `write`, but after a sync of it and of all that it vouches for.

        Raises:
            errors.NotWritable and its like, as `failures`.

        """
        with (
            writing.folder_of(self.root, self.descriptor, name) as (folder, own),
            writing.temporary_file(folder, data) as temporary,
        ):
            self.sync()
            os.rename(temporary, own, src_dir_fd=folder, dst_dir_fd=folder)
            self._committed = name

    def withdraw(self) -> None:
        """Remove the record of a phase that fails after all."""
        if self._committed:
            above, _, name = self._committed.rpartition("/")
            with suppress(OSError), closed(open_folder(self.descriptor, above)) as folder:
                os.unlink(name, dir_fd=folder)  # where it fails, the failure that led here is the one to tell


@contextmanager
def durable(root: Path) -> Iterator[Disk]:
    """Hold a volume from before the first write of a phase until all of it is synced; around all that it writes.

    Raises:
        errors.VolumeFailed and its like, as `failures`.

    """
    with volume.failures(root):
        descriptor = volume.open_root(root)
    disk = Disk(root, descriptor)
    try:
        yield disk
        disk.sync()
    except BaseException:
        disk.withdraw()
        raise
    finally:
        os.close(descriptor)


@contextmanager
def writing_back(root: Path, written_bytes: Callable[[], int]) -> Iterator[Callable[[], object]]:
    """Have the system write to the disk while a phase still copies: each 64 MiB, and all when it calls what is yielded.

    What fails is told by the sync in the end: its descriptor is another one, and each is told of an error by itself.
    """
    asked, over = threading.Event(), threading.Event()

    def write_back() -> None:
        with suppress(OSError):
            descriptor = volume.open_root(root)
            synced = 0
            while not over.is_set():
                if asked.wait(_LOOK_S) or written_bytes() - synced >= _WRITE_BACK_BYTES:
                    asked.clear()
                    synced = written_bytes()
                    _libc().syncfs(descriptor)
            os.close(descriptor)

    thread = threading.Thread(target=write_back, daemon=True)
    thread.start()
    try:
        yield asked.set
    finally:
        over.set()


def syncfs(descriptor: int) -> None:
    """Sync the file system of a descriptor, whose write-back errors since it was opened are raised."""
    if _libc().syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@functools.cache
def _libc() -> ctypes.CDLL:
    """The C library, for the `syncfs` that Python 3.11 lacks; loaded where it is used, as not every system has it."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syncfs.argtypes = [ctypes.c_int]
    return library
