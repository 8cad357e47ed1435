"""What the phases do with a tree, as a program beside `cp` and `rsync`: `python -m tests.benchmarks.copying.ours ...`.

This is the one place that knows how the copier is called. Each action is the phase's: a backup first measures the tree,
a restore ends by holding it against the listing. The first line is the time at which the work began, so that the
interpreter's start can be told apart.
"""

import argparse
import gc
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from steps.archive import layout, seal
from steps.files import comparison, durability
from steps.files.meter import Work
from steps.parts import file_storage

TREE: Final = layout.TREE


def backup(source: Path, folder: Path, workers: int) -> list[str]:
    """Measure a tree, copy it with its digests and write its listing, as the phase `file-storage` of a backup."""
    with durability.durable(folder):
        file_storage.save(source, folder, lambda _done, _all: None, workers)
    return []


def restore(folder: Path, target: Path, workers: int) -> list[str]:
    """Copy the tree of a backup back as its listing says, and name what differs, as the phase of a restore."""
    with durability.durable(target):
        lines, work = partial(seal.lines, folder), Work(workers)
        return file_storage.bring(lines, folder / TREE, target / TREE, work, again=False)[1].first


def verify(folder: Path, _target: Path, workers: int) -> list[str]:
    """Hold the tree of a backup against its listing, digests and all; name what differs."""
    return list(comparison.compare(seal.listed(folder), folder / TREE, digests=True, workers=workers))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.copying.ours", description=__doc__)
    parser.add_argument("action", choices=["backup", "restore", "verify"])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args(arguments)
    print(time.monotonic(), flush=True)  # noqa: T201  its answer, before anything forks and could say it again
    act = {"backup": backup, "restore": restore, "verify": verify}[asked.action]
    findings = act(asked.source, asked.target, asked.workers)
    sys.stderr.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    gc.freeze()  # as a phase does
    sys.exit(main(sys.argv[1:]))
