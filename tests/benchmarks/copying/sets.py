"""The trees that are copied: made once from their names, the same bytes on every machine.

`portal` is what a developer portal holds: many small files and few large ones, in folders by tenant and day. `small` is
the cost of a file, `big` that of a byte, `deep` that of a folder and of all that a copier keeps in memory.
"""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NamedTuple

_BLOCK: Final = 1 << 20
_MTIME_S: Final = 1_700_000_000


@dataclass(frozen=True)
class Census:
    """What a tree holds, in counts and bytes; its root is not counted."""

    files: int = 0
    folders: int = 0
    links: int = 0
    size_bytes: int = 0


class File(NamedTuple):
    """A file to be made, by its path in the tree."""

    path: str
    size_bytes: int


@dataclass(frozen=True)
class Set:
    """A tree by its name, at a scale: 1 is the whole."""

    name: str
    scale: float = 1.0

    @property
    def folder(self) -> str:
        """Its name on the volume."""
        return f"{self.name}-{self.scale:g}"

    @property
    def files(self) -> int:
        """How many files it is made of."""
        return _KINDS[self.name].files if self.name == "big" else max(1, round(_KINDS[self.name].files * self.scale))

    @property
    def rounds(self) -> int:
        """How many rounds are enough, by default."""
        return _KINDS[self.name].rounds

    @property
    def is_for_local_only(self) -> bool:
        """Whether it would take days with a delay before each operation."""
        return self.name == "deep"

    def cut(self, files: int, size_mib: int) -> "Set":
        """The same, with at most about so many files and MiB."""
        kind = _KINDS[self.name]
        return Set(self.name, min(self.scale, files / kind.files, size_mib / kind.size_mib))


@dataclass(frozen=True)
class _Kind:
    files: int
    size_mib: float
    rounds: int
    lay: Callable[[Set], Iterator[File]]


def names() -> list[str]:
    """All sets, in the order of the table."""
    return list(_KINDS)


def lay(wanted: Set) -> Iterator[File]:
    """Name all files of a set."""
    return _KINDS[wanted.name].lay(wanted)


def make(wanted: Set, volume: Path) -> Census:
    """Make the set on the volume unless it is there; one that was interrupted or has changed is made anew."""
    folder, noted = volume / wanted.folder, volume / f"{wanted.folder}.json"
    if noted.exists():
        found = Census(**json.loads(noted.read_text()))
        if (found.files, found.size_bytes) == (wanted.files, sum(file.size_bytes for file in lay(wanted))):
            return found
    noted.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, file in enumerate(lay(wanted)):
        _write(folder / file.path, file, number)
    found = census(folder)
    noted.write_text(json.dumps(asdict(found)))
    return found


def census(root: Path) -> Census:
    """Count a tree's entries and bytes."""
    files = folders = links = size_bytes = 0
    waiting = [os.fspath(root)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    links += 1
                elif entry.is_dir():
                    folders += 1
                    waiting.append(entry.path)
                else:
                    files += 1
                    size_bytes += entry.stat(follow_symlinks=False).st_size
    return Census(files, folders, links, size_bytes)


def _write(path: Path, file: File, number: int) -> None:
    source = random.Random(f"{file.path} {number}")  # noqa: S311  the same bytes each time, not a secret
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb", buffering=0) as stream:
        for start in range(0, file.size_bytes, _BLOCK):
            stream.write(source.randbytes(min(_BLOCK, file.size_bytes - start)))
    os.utime(path, (_MTIME_S, _MTIME_S + number))


def _portal(wanted: Set) -> Iterator[File]:
    """Most files have some kB, few up to 1 MB, all together less than 100 MiB; ten files a day of a tenant."""
    source = random.Random(wanted.name)  # noqa: S311  as above
    for number in range(wanted.files):
        day, tenant = divmod(number // 10, 10)
        size_bytes = round(min(max(source.lognormvariate(_PORTAL_MU, _PORTAL_SIGMA), 1_000), 1_000_000))
        yield File(f"tenant-{tenant}/2024/{day // 28 + 1:02d}/{day % 28 + 1:02d}/page-{number:05d}.html", size_bytes)


def _small(wanted: Set) -> Iterator[File]:
    """A hundred files a folder."""
    for number in range(wanted.files):
        yield File(f"{number // 10_000:02d}/{number // 100 % 100:02d}/{number:06d}", 4096)


def _deep(wanted: Set) -> Iterator[File]:
    """Folders in folders, six in each until there are enough, files in all of them in turn."""
    folders = ["0"]
    for number in range(1, max(2, round(_FOLDERS * wanted.scale))):
        folders.append(f"{folders[(number - 1) // 6]}/{number}")
    for number in range(wanted.files):
        yield File(f"{folders[number % len(folders)]}/file-{number:07d}", 100)


def _big(wanted: Set) -> Iterator[File]:
    for number in range(wanted.files):
        yield File(f"big-{number}", round(512 * 2**20 * wanted.scale))


_PORTAL_MU: Final = 8.7  # half of the files are below 6 kB
_PORTAL_SIGMA: Final = 1.5  # the mean is 18 kB
_FOLDERS: Final = 66_000
_KINDS: Final = {
    "portal": _Kind(5_000, 84, 9, _portal),
    "small": _Kind(100_000, 391, 3, _small),
    "big": _Kind(8, 4096, 5, _big),
    "deep": _Kind(1_000_000, 95, 1, _deep),
}
