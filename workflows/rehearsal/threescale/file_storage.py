"""The file tree of the sample installation's System FileStorage, with everything that a copy must preserve.

The tree has the shape of a real one: a folder for each tenant, with uploads by date. It also holds entries that copies
have lost before: a dot-file at the top, empty files and folders, and symlinks with and without a target. Some names
need quoting, and modes and times vary.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TENANTS = ("3scale", "acme", "provider-admin.example")
UPLOADS = 12
LOST_AND_FOUND = "lost+found"

_SUFFIXES = ("css", "js", "pdf", "png")
_FILE_MODES = (0o664, 0o640, 0o600)
_FOLDER_MODES = (0o775, 0o750)
_LARGEST_BYTES = 9_000
_OLDEST_NS = 1_262_304_000_123_456_789  # 2010, and not on a full second
_BETWEEN_NS = 86_413_000_111_222


def write(folder: Path) -> None:
    """Write the tree into a folder, which may exist."""
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # the file system's own, and root's
        (folder / LOST_AND_FOUND).mkdir(mode=0o700)
    for name, content in _files():
        with suppress(OSError):  # macOS keeps no name that is not UTF-8
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (folder / "empty-dir").mkdir(exist_ok=True)
    _link(folder / "acme/current", "2026/11/03")
    _link(folder / "acme/gone", "2019/01/01/never-there.png")
    _age(folder)


def clear(folder: Path) -> None:
    """Remove everything from the tree that a new volume does not hold."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (folder / LOST_AND_FOUND).mkdir(mode=0o700)


def _files() -> Iterator[tuple[str, bytes]]:
    made = random.Random(2016)  # noqa: S311 - the same bytes each time, and no secret
    for tenant in TENANTS:
        for number in range(UPLOADS):
            suffix = _SUFFIXES[made.randrange(len(_SUFFIXES))]
            name = f"{tenant}/2026/11/{number:02}/file-{number}.{suffix}"
            yield name, made.randbytes(made.randrange(1, _LARGEST_BYTES))
    yield ".hidden-top", b"hidden\n"
    yield "acme/.keep", b""
    yield "acme/2026/logo größe ☃.svg", b"<svg/>"
    yield "acme/2026/terms and conditions.pdf", made.randbytes(700)
    yield "acme/2026/two\nlines.txt", b"a name of two lines\n"
    yield os.fsdecode(b"acme/2026/caf\xe9.txt"), b"a name in Latin-1\n"
    yield "acme/2026/-rf", b"a name with a leading dash\n"


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _age(folder: Path) -> None:
    """Give every entry its own mode and time, from the leaves up."""
    mine = (path for path in folder.rglob("*") if path.lstat().st_uid == os.geteuid())
    entries = sorted(mine, key=os.fsencode, reverse=True)
    for number, path in enumerate(entries):
        when_ns = _OLDEST_NS + number * _BETWEEN_NS
        if not path.is_symlink():
            modes = _FOLDER_MODES if path.is_dir() else _FILE_MODES
            path.chmod(0o700 if path.name == LOST_AND_FOUND else modes[number % len(modes)])
        os.utime(path, ns=(when_ns, when_ns), follow_symlinks=False)
