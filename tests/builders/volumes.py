"""A backup volume that is begun, mounted, or fails, its files, one of them damaged, and all of them as they are."""

import errno
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from steps.archive import begin_marker, layout
from steps.archive.begin_marker import Begin
from steps.files import durability

TREE = Path(layout.TREE)

PDF = TREE / "acme/2026/terms and conditions.pdf"
MINE = Begin(backup="nightly", workflow="backup-1", workflow_uid="uid-1")


def begin(root, who=MINE):
    """Begin as a phase does."""
    with durability.durable(root) as disk:
        return begin_marker.begin(disk, who)


@contextmanager
def mounted(folder, options):
    """A file system of its own at a folder; needs root and the right to mount."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False) if shutil.which("mount") else None  # noqa: S603  a test's own mount
    if done is None or done.returncode != 0:
        pytest.skip("no right to mount a file system here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607  as above


def fail_sync(monkeypatch, number):
    """Have the sync of this number fail, as of a disk that is asked to."""
    syncs = iter(range(1, number + 1))

    def sync(_descriptor):
        if next(syncs) == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durability, "syncfs", sync)


def content(root):
    """All that lies below a folder, with the bytes of its files."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))
    }


def flip(path):
    """Change one bit in the middle of a file, and keep the times."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    times = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def state_of(root):
    """All that a file system tells of a volume, bit by bit, but for what a look at it changes."""
    found = {}
    for path in [root, *sorted(root.rglob("*"))]:
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        facts = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        found[str(path.relative_to(root))] = (*facts, content)
    return found
