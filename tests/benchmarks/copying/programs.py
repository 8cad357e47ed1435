"""What is compared: a program is a name and a command from a source to a folder; the copy goes to `tree` in there."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks.copying.ours import TREE

BACKUP: Final = "backup"
RESTORE: Final = "restore"
VERIFY: Final = "verify"
ACTIONS: Final = (BACKUP, RESTORE, VERIFY)
WORKERS: Final[Mapping[str, tuple[int, ...]]] = {BACKUP: (1, 4, 8, 16), RESTORE: (4, 8), VERIFY: (4, 8)}  # by default
WORDS: Final = ("ours", "cp", "rsync", "tar", "cat")  # one is part of each program's name

CP: Final = "cp -a --reflink=never"
RSYNC: Final = "rsync -a"
TAR: Final = "tar | tar"

Command = Callable[[Path, Path], list[str]]


@dataclass(frozen=True)
class Program:
    """One line of the table."""

    name: str
    command: Command


def ours(workers: int) -> str:
    """Name the project's own copier."""
    return f"ours, {workers} worker{'s' if workers > 1 else ''}"


def plain_read(workers: int) -> str:
    """Name the reading that a verification is held against."""
    return f"xargs -P {workers} cat"


def of(action: str, workers: Sequence[int], files: int, words: Sequence[str] = WORDS) -> list[Program]:
    """List the programs of an action by words of their names; `files` are those of the set."""
    counts = workers or WORKERS[action]
    found = [Program(ours(count), own(action, count)) for count in counts]
    if action == BACKUP:
        found += [Program(CP, _cp), Program(RSYNC, _rsync), Program(TAR, _tar)]
    if action == VERIFY:
        found += [Program(plain_read(count), reading(count, files)) for count in counts]
    return [each for each in found if any(word in each.name for word in words)]


def reading(workers: int, files: int) -> Command:
    """Read every file below the source and drop the bytes, so many processes at once."""
    each = max(1, min(64, files // (4 * workers)))
    line = f'find "$1" -type f -print0 | xargs -0 -P {workers} -n {each} cat >/dev/null'
    return lambda source, _target: ["sh", "-c", line, "sh", str(source)]


def own(action: str, workers: int) -> Command:
    """The project's own, as a program."""
    start = [sys.executable, "-m", "tests.benchmarks.copying.ours", action]
    return lambda source, target: [*start, str(source), str(target), "--workers", str(workers)]


def _cp(source: Path, target: Path) -> list[str]:
    return ["cp", "-a", "--reflink=never", f"{source}/.", str(target / TREE)]


def _rsync(source: Path, target: Path) -> list[str]:
    return ["rsync", "-a", f"{source}/", f"{target / TREE}/"]


def _tar(source: Path, target: Path) -> list[str]:
    """Both must end well, not only the second."""
    line = 'set -o pipefail; tar -C "$1" -cf - . | tar -C "$2" -xpf -'
    return ["bash", "-c", line, "bash", str(source), str(target / TREE)]
