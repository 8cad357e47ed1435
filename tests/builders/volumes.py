"""Files of a backup volume, one of them damaged, and all of them as they are."""

import os
from pathlib import Path

from steps.archive import layout

TREE = Path(layout.TREE)

PDF = TREE / "acme/2026/terms and conditions.pdf"


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
