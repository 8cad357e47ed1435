"""The rounds: each program and action once, then each again: what slows the machine for a while slows all of them.

A round counts only if its program copied every file and every byte; else it is void and says why.
"""

import json
import mmap
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.copying import clock, ours, programs, room, sets
from tests.benchmarks.copying.errors import NoBackup
from tests.benchmarks.copying.media import Medium, Seen
from tests.benchmarks.copying.plan import WARM, Case, Plan, Round, describe
from tests.benchmarks.copying.programs import Program
from tests.benchmarks.copying.sets import Census, Set

ROOT: Final = Path(__file__).parents[3]
_DROP: Final = Path("/proc/sys/vm/drop_caches")
_BACKUP: Final = "backup"
_TARGET: Final = "target"
USED: Final = "used"
_REMOVED: Final = "removed"  # a file as old as the last removal
_REST_S: Final = 360  # for so long ext4 does not use an inode again: RECENTCY_MIN and RECENTCY_DIRTY of its ialloc.c
_MANY: Final = 1000
_SPARE: Final = 4  # times what a set takes
_BLOCK: Final = 4096  # what a small file takes of the disk, and its inode and name of memory, generously
_SPARE_BYTES: Final = 256 << 20


def caches_can_be_dropped() -> bool:
    """Whether a cold cache can be had here."""
    return os.geteuid() == 0 and os.access(_DROP, os.W_OK)


def run(plan: Plan, folder: Path, say: Callable[[str], object]) -> Iterator[Round]:
    """Measure all of a plan below a folder.

    Raises:
        errors.NoRoom, errors.MediumFailed, errors.NoBackup

    """
    volume = folder / "volume"
    volume.mkdir(parents=True, exist_ok=True)
    _clear(volume)
    room.check({wanted for _, wanted in plan.places()}, volume)
    for medium, wanted in plan.places():
        if medium.is_local:
            _rest(volume, say)
        say(f"{wanted.folder}: made, or there")
        made = sets.make(wanted, volume)
        trees = _Trees(volume, volume / wanted.folder, made)
        for cache in plan.caches if medium.is_local else (WARM,):
            case = partial(Case, wanted.name, wanted.scale, made.files, made.size_bytes, medium.name, cache)
            benches = [_Bench(case(action), trees, made, medium) for action in plan.actions]
            for number in range(plan.often(Set(wanted.name), medium)):
                for bench in benches[:: -1 if number % 2 else 1]:  # what comes later in a round finds more kept copies
                    yield from bench.run(plan, number, say)
        _clear(volume)  # the next set finds the disk as this one did


def _rest(volume: Path, say: Callable[[str], object]) -> None:
    """Wait until ext4 has forgotten what was removed: of the set before, or of a run before this one."""
    removed = volume / _REMOVED
    if removed.exists() and (left := removed.stat().st_mtime + _REST_S - time.time()) > 0:
        say(f"waiting {left:.0f} s: ext4 is slow to make files where many were removed")
        time.sleep(left)


def _clear(volume: Path) -> None:
    """Remove what all programs have made, and what was left by a run that was stopped."""
    made = [volume / name for name in (USED, _BACKUP, _TARGET)]
    many = next(islice((path for folder in made for path in folder.rglob("*")), _MANY, None), None)
    for folder in made:
        _remove(folder)
    if many:
        (volume / _REMOVED).touch()


@dataclass
class _Trees:
    """Where a set lies, and a backup of it."""

    volume: Path
    source: Path
    made: Census

    @cached_property
    def backup(self) -> Path:
        """What is restored and verified: made by the copier itself, once it is needed."""
        folder = self.volume / _BACKUP
        (folder / ours.TREE).mkdir(parents=True)
        command = programs.own(programs.BACKUP, 8)(self.source, folder)
        if subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL).returncode:  # noqa: S603  our own
            raise NoBackup(self.source)
        return folder

    def put_away(self, target: Path) -> None:
        """Keep what a program has made as long as its set is measured, if it fits: see `_rest`."""
        used, free = self.volume / USED, os.statvfs(self.volume)
        used.mkdir(exist_ok=True)
        if free.f_bavail * free.f_frsize > _SPARE * (
            self.made.size_bytes + self.made.files * _BLOCK
        ) and free.f_favail > _SPARE * (self.made.files + self.made.folders):
            target.rename(used / str(len(os.listdir(used))))
        else:
            _remove(target)


@dataclass(frozen=True)
class _Bench:
    """One case with where it lies."""

    case: Case
    trees: _Trees
    made: Census
    medium: Medium

    def run(self, plan: Plan, number: int, say: Callable[[str], object]) -> Iterator[Round]:
        """A round: each program once."""
        listed = programs.of(self.case.action, plan.workers, self.made.files, plan.words)
        if not listed:
            return
        source = self.trees.source if self.case.action == programs.BACKUP else self.trees.backup
        in_turn = random.Random(number).sample(listed, len(listed))  # noqa: S311  no secret; no steady neighbours
        for program in in_turn:
            done = self._round(program, number, source)
            say(f"{describe(self.case)}, round {number + 1}: {program.name} {done.void or f'{done.seconds:.2f} s'}")
            yield done

    def _round(self, program: Program, number: int, source: Path) -> Round:
        target = self.trees.volume / _TARGET
        _remove(target)
        (target / ours.TREE).mkdir(parents=True)
        self._prepare(source)
        with self.medium.at(self.trees.volume) as (path, seen):
            command = program.command(path / source.name, path / target.name)
            said = _clocked(command, [self.trees.volume])
        void = said.get("void") or ("" if self.case.action == programs.VERIFY else self._lacking(target))
        self.trees.put_away(target)
        return _round(self.case, program, number, {**said, "void": void}, seen)

    def _prepare(self, source: Path) -> None:
        if caches_can_be_dropped():  # for a warm one too: it takes time to get rid of what others have left in memory
            os.sync()
            _DROP.write_text("3")
        if self.case.cache == WARM:
            read = programs.reading(2, self.made.files)(source, source)
            subprocess.run(read, check=True)  # noqa: S603  our own
        _ask_for_memory(self.made)

    def _lacking(self, target: Path) -> str:
        found = sets.census(target / ours.TREE)
        return "" if found == self.made else f"copied {found} of {self.made}"


def _ask_for_memory(made: Census) -> None:
    """Touch as much memory as a copy fills: a hypervisor takes back what was freed, and gives it page by page.

    On a machine whose memory was given back meanwhile 1 GiB took 2.5 s to be copied, and 0.95 s after this.
    """
    wanted = made.size_bytes * 6 // 5 + (made.files + made.folders) * _BLOCK + _SPARE_BYTES
    with mmap.mmap(-1, wanted, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE):
        pass


def start_s(rounds: int) -> dict[str, list[float]]:
    """The interpreter's start by itself, and with what the copier imports."""
    lines = {"python -c pass": "pass", "with the imports of ours": f"import {ours.__name__}"}
    found: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(rounds):
        for name, line in lines.items():
            found[name].append(_clocked([sys.executable, "-c", line], [])["wall_s"])
    return found


def _clocked(command: list[str], volumes: list[Path]) -> dict[str, Any]:
    asked = json.dumps({"command": command, "volumes": [str(volume) for volume in volumes]})
    words = [sys.executable, "-I", "-S", clock.__file__, asked]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own
    if ended.returncode:
        return {"void": ended.stderr.strip()[-1000:] or f"ended with {ended.returncode}"}
    return dict(json.loads(ended.stdout))


def _round(case: Case, program: Program, number: int, said: dict[str, Any], seen: Seen) -> Round:
    if said["void"]:
        return Round(case, program.name, number, void=said["void"])
    start = float(said["said"]) - said["began"] if said["said"] else 0.0
    return Round(
        case=case,
        program=program.name,
        number=number,
        seconds=said["wall_s"] - start,
        start_s=start,
        sync_s=said["sync_s"],
        cpu_s=said["cpu_s"],
        peak_mib=said["peak_mib"],
        operations=seen.operations,
        delay_ms=seen.mean_ms,
    )


def _remove(folder: Path) -> None:
    subprocess.run(["rm", "-rf", "--", folder], check=True)  # noqa: S603, S607  a million files: not by one interpreter
