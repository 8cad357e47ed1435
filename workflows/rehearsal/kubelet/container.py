"""Runs one container as a process of this machine, as if it saw nothing but the declared mounts.

A process here sees the whole disk, but a container does not. So the paths of a manifest are translated. A path below a
volume mount leads to the folder that stands for the volume. Any other absolute path is an error, because in the cluster
it would lead into the image. The environment is as small as in a pod. Only the variables that measure coverage pass
through.
"""

import os
import posixpath
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workflows.rehearsal import errors

NO_SUCH_COMMAND: Final = 64  # Argo's executor: it could not start the command
TMP: Final = "/tmp"  # noqa: S108  # a path inside the container
_SIGNALLED: Final = 128
_GLANCE_S: Final = 0.1
_OPTION: Final = re.compile(r"(--?[\w-]+=)(/.*)", re.DOTALL)
_REFERENCE: Final = re.compile(r"\$\$|\$\(([A-Za-z_][\w.-]*)\)")

Snapshot = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Mount:
    """A path inside the container, and the folder or file on this machine that stands for it."""

    path: str
    folder: Path
    read_only: bool = False
    claim: str = ""


@dataclass(frozen=True)
class Command:
    """A process to start. All its paths are paths of this machine."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    user: int | None = None


def real_path(path: str, mounts: Iterable[Mount], where: str) -> Path:
    """Return the path on this machine for a path of the container."""
    wanted = posixpath.normpath(path)
    for mount in sorted(mounts, key=lambda mount: len(mount.path), reverse=True):
        if wanted == mount.path or wanted.startswith(f"{mount.path.rstrip('/')}/"):
            return mount.folder / wanted[len(mount.path) :].lstrip("/")
    raise errors.UndeclaredPath(path, where)


def translate(value: str, mounts: Iterable[Mount], where: str) -> str:
    """Replace a word that is a path, or an `--option=/path`, by its path on this machine."""
    if value.startswith("/"):
        return str(real_path(value, mounts, where))
    if option := _OPTION.fullmatch(value):
        return option[1] + str(real_path(option[2], mounts, where))
    return value


def expand(value: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` as the kubelet does. An unknown name stays unchanged, and `$$` is one dollar."""
    return _REFERENCE.sub(
        lambda match: "$" if match[1] is None else variables.get(match[1], match[0]),
        value,
    )


def environment(home: Path, mounts: Iterable[Mount]) -> dict[str, str]:
    """Return the environment of every process. `TMPDIR` leads to the volume at /tmp, if there is one."""
    programs = (sys.executable, *map(shutil.which, ("restic", "pg_dump")))
    own = [str(Path(program).parent) for program in programs if program]
    path = os.pathsep.join([*own, "/usr/local/bin", "/usr/bin", "/bin"])
    variables = {"PATH": path, "LANG": "C.UTF-8", "HOME": str(home)}
    if temporary := [str(mount.folder) for mount in mounts if mount.path == TMP]:
        variables["TMPDIR"] = temporary[0]
    return variables | {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


def interpreter(name: str) -> str:
    """Replace `python` by the running interpreter, which has the packages of the image."""
    return sys.executable if name in ("python", "python3") else name


def start(command: Command) -> subprocess.Popen[bytes] | None:
    """Start the process in a session of its own. Return None if the command does not exist."""
    with command.log.open("wb") as log:
        try:
            return subprocess.Popen(  # noqa: S603  # the manifest's own command, without a shell
                command.argv,
                env=dict(command.environment),
                cwd=command.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o022,
                user=command.user,
                group=None if command.user is None else 0,
                extra_groups=None if command.user is None else [],
            )
        except (FileNotFoundError, PermissionError) as error:
            log.write(f"{error}\n".encode())
            return None


def wait(process: subprocess.Popen[bytes], stopping: Callable[[], str], grace_s: float) -> str:
    """Wait for the end of the process.

    If `stopping` returns a reason, the process is asked to end, then killed. Return that reason.
    """
    reason = ""
    while not reason:
        try:
            process.wait(_GLANCE_S)
            break
        except subprocess.TimeoutExpired:
            reason = stopping()
    if reason:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    _kill_all(process)
    return reason


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and its children, because nothing outlives a container."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def exit_code(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code. A signal N is 128+N, as containers report it."""
    code = process.returncode
    return code if code >= 0 else _SIGNALLED - code


def tail(file: Path, limit_bytes: int) -> str:
    """Return the last bytes of a file as text, or an empty text if the file does not exist."""
    if not file.is_file():
        return ""
    return file.read_bytes()[-limit_bytes:].decode(errors="replace")


def snapshot(folder: Path) -> Snapshot:
    """Record names, sizes and times of all files below a folder."""
    noted = {}
    for file in sorted(folder.rglob("*")):
        status = file.lstat()
        noted[str(file.relative_to(folder))] = (0, 0) if file.is_dir() else (status.st_size, status.st_mtime_ns)
    return noted


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """Name the differences between two snapshots."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
