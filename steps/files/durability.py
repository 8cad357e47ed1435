"""Syncs a volume, so that a power loss takes nothing that a later phase relies on.

A power loss may take a name or content that was not synced. Later phases and tries rely on the begin marker, the
reports and the manifest without a look at the data. So these files are renamed into place only after all earlier data
are synced. A phase syncs the whole volume a few times, not each file.
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
    """A volume, with a descriptor that was opened before the first write, so that a sync reports all errors since."""

    def __init__(self, root: Path, descriptor: int) -> None:
        self.root = root
        self.descriptor = descriptor
        self._committed = ""

    def sync(self) -> None:
        """Sync all data that are on the volume now.

        Raises:
            errors.VolumeFailed and others of `volume.failures`.

        """
        with volume.failures(self.root):
            syncfs(self.descriptor)

    def commit(self, name: str, data: bytes) -> None:
        """Write the record of this phase: it gets its name after a sync of the record and of all earlier data.

        Raises:
            errors.NotWritable and others of `volume.failures`.

        """
        with (
            writing.folder_of(self.root, self.descriptor, name) as (folder, own),
            writing.temporary_file(folder, data) as temporary,
        ):
            self.sync()
            os.rename(temporary, own, src_dir_fd=folder, dst_dir_fd=folder)
            self._committed = name

    def withdraw(self) -> None:
        """Remove the record of a phase that fails after its commit."""
        if self._committed:
            above, _, name = self._committed.rpartition("/")
            with suppress(OSError), closed(open_folder(self.descriptor, above)) as folder:
                os.unlink(name, dir_fd=folder)  # an error here is ignored: the earlier failure is reported


@contextmanager
def durable(root: Path) -> Iterator[Disk]:
    """Open a volume before the first write of a phase, and sync it at the end of the block.

    Raises:
        errors.VolumeFailed and others of `volume.failures`.

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
    """Make the system write to disk while a phase copies: each 64 MiB, and when the yielded function is called.

    Errors are ignored here. The sync at the end has another descriptor and reports them, because the system reports an
    error once to each descriptor.
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
    """Sync the file system of a descriptor. Raises OSError for write errors since the descriptor was opened."""
    if _libc().syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@functools.cache
def _libc() -> ctypes.CDLL:
    """The C library, because Python 3.11 has no `syncfs`. Loaded on first use: not every system has the call."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syncfs.argtypes = [ctypes.c_int]
    return library
