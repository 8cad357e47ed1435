"""Odd volumes beside plain ones, a tree to copy, and the copier as a process that any user may be."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from steps.archive import layout, seal
from steps.files import comparison
from tests.steps.odd.volume import Oddities

ROOT = Path(__file__).parents[3]
USER = 1000
ANOTHER = 4711  # owner of all on a volume that gives its files to one user
LONG = "b/inner/long"  # more than a block: it is renamed when it is whole
FILES = {
    **{f"a/{name}": 0o644 for name in range(4)},
    **{f"b/inner/{name}": 0o600 for name in range(3)},
    LONG: 0o640,
    "c/run": 0o755,
    "top": 0o640,
}
LINK = "c/link"
TIME_NS = 1_600_000_001_123_456_789  # odd seconds, and parts of them
_PATIENCE_S = 10.0
_LONGEST_S = 240.0  # with the minute in which a name is looked for


def missing() -> str:
    """Say what an odd volume lacks here, nothing if it can be had."""
    if os.geteuid():
        return "needs root"
    if not Path("/dev/fuse").exists():
        return "needs /dev/fuse"
    try:
        import mfusepy  # noqa: F401
    except ImportError:
        return "needs mfusepy"
    except OSError:
        return "needs libfuse (Debian: fuse3)"
    return ""


class Outcome(NamedTuple):
    """How a run of the copier ended, and the lines it logged."""

    error: str
    sentence: str
    exit_code: int
    facts: dict[str, Any]
    log: list[str]

    def said(self, *words: str) -> list[str]:
        """The log's lines that hold one of these words."""
        return [line for line in self.log if any(word in line.lower() for word in words)]


class Ground:
    """A folder that every user may enter, with volumes in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mounted: list[tuple[subprocess.Popen[bytes], Path]] = []

    def plain(self, name: str) -> Path:
        """A volume without oddities, which every user may write."""
        path = self.folder / name
        path.mkdir(exist_ok=True)
        path.chmod(0o777)
        return path

    def backing(self, name: str) -> Path:
        """What lies behind a volume that is or will be mounted."""
        return self.plain(f"{name}.backing")

    def mount(self, name: str, **oddities: Any) -> Path:
        """Mount an odd volume."""
        mount = self.plain(name)
        arguments = [str(self.backing(name)), str(mount), Oddities(**oddities).text()]
        program = subprocess.Popen([sys.executable, "-m", "tests.steps.odd.volume", *arguments], cwd=ROOT)  # noqa: S603
        self._mounted.append((program, mount))
        end = time.monotonic() + _PATIENCE_S
        while not os.path.ismount(mount):
            if program.poll() is not None or time.monotonic() > end:
                pytest.fail("the odd volume does not mount")
            time.sleep(0.02)
        return mount

    def close(self) -> None:
        """Unmount all, whatever holds them, and leave nothing."""
        for program, mount in self._mounted:
            subprocess.run(["umount", "-l", mount], check=False, capture_output=True)  # noqa: S603, S607  our own mount
            try:
                program.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        shutil.rmtree(self.folder)

    def run(self, phase: str, user: int = 0, **facts: Any) -> Outcome:
        """Run the copier in a process of its own."""
        asked = {"phase": phase, "user": user, **{key: _plain(value) for key, value in facts.items()}}
        ended = subprocess.run(
            [sys.executable, "-m", "tests.steps.odd.driver"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=_LONGEST_S,
            check=False,
        )
        sys.stderr.write(ended.stderr)  # shown where a test fails
        said = {"error": "", "sentence": "", "exit_code": 0, "facts": {}, **json.loads(ended.stdout)}
        return Outcome(**said, log=ended.stderr.splitlines())

    def save(self, source: Path, root: Path, workers: int, user: int = 0) -> Outcome:
        return self.run("save", user, source=source, root=root, workers=workers)

    def bring(self, root: Path, target: Path, workers: int, user: int = 0, *, again: bool = False) -> Outcome:
        return self.run("bring", user, root=root, target=target, workers=workers, again=again)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def fill(folder: Path) -> Path:
    """Make the tree that is copied; all of it belongs to the user."""
    for path, mode in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode() * (100_000 if path == LONG else 30))
        (folder / path).chmod(mode)
    (folder / LINK).symlink_to("run")
    return own(folder)


def own(folder: Path) -> Path:
    """Give all in a folder to the user, and times that tell whether they were kept."""
    for path in sorted(folder.rglob("*"), reverse=True):
        os.chown(path, USER, USER, follow_symlinks=False)
        os.utime(path, ns=(TIME_NS, TIME_NS), follow_symlinks=False)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def inodes(folder: Path) -> dict[str, int]:
    return {path: (folder / path).stat().st_ino for path in FILES}


def without(folder: Path, *paths: str) -> dict[str, bytes]:
    """The bytes of all files but those at or below these paths."""
    found = contents(folder).items()
    return {name: data for name, data in found if not any(f"{name}/".startswith(f"{path}/") for path in paths)}


def is_whole(root: Path) -> bool:
    """Whether a backup holds what its listing says."""
    return not list(comparison.compare(seal.listed(root), root / layout.TREE, digests=True))


def listed(root: Path) -> dict[str, tuple[int, int]]:
    """Modes and times of the files, as a backup's listing has them."""
    return {entry.path: (entry.mode, entry.mtime_ns) for entry in seal.listed(root) if entry.kind == "file"}


@pytest.fixture
def ground() -> Iterator[Ground]:
    """Where the volumes lie; they are unmounted however the test ends."""
    if lacking := missing():
        pytest.skip(f"an odd volume {lacking}")
    folder = Path(tempfile.mkdtemp(prefix="odd-volumes-"))
    folder.chmod(0o755)
    ground = Ground(folder)
    try:
        yield ground
    finally:
        ground.close()


@pytest.fixture(params=[1, 4], ids=lambda workers: f"workers={workers}")
def workers(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=[0, USER], ids=lambda user: f"user={user}")
def user(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def root(ground: Ground) -> Path:
    """A plain backup volume."""
    return ground.plain("backup")


@pytest.fixture
def backup(ground: Ground) -> Path:
    """A backup of the tree on a plain volume."""
    root = ground.plain("backup")
    ended = ground.save(fill(ground.plain("origin")), root, 1, USER)
    assert not ended.error, ended
    return root
