"""Builds the step image where no registry can be reached: a base from Debian's packages, wheels fetched beforehand.

`RUN` gets no network. pip and apt find wheels and packages in folders that are mounted while building, and are told so
by mounted configurations: the Containerfile is the one for a machine with a registry, and none of this stays in the
image. Wheels are for the base's Python, Debian 12's 3.11; restic is Debian 13's, since Debian 12's is too old.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import commands, debs, packages, programs

CONTEXT: Final = Path(__file__).parents[3]
CONTAINERFILE: Final = CONTEXT / "images" / "steps" / "Containerfile"
NAME: Final = "localhost/threescale-backup/steps:dev"
BASE: Final = "localhost/threescale-backup/base:debian-12-python-3.11"
_SUITE: Final = "bookworm"
_PYTHON: Final = "3.11"
_INCLUDED: Final = "python3,python3-venv"  # what the Containerfile asks of its base
_DROPPED: Final = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
_RUN_ROOT: Final = "/run/threescale-backup-images"  # podman allows it 50 characters
_LIMITS: Final = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")  # what a container may have itself
_PIP: Final = "[global]\nno-index = true\nfind-links = /wheels\nno-cache-dir = true\n"


@dataclass(frozen=True)
class Built:
    name: str
    size_bytes: int
    added_bytes: int  # on top of the base


def build(containerfile: Path, context: Path, name: str, output: Path, say: Callable[[str], object]) -> Built:
    """Build the image, and save it as an archive that the cluster can load."""
    packages.install(packages.TO_BUILD_IMAGES)
    if not _has(BASE):
        say("makes the base from Debian's packages")
        _make_base()
    settings = _storage() / "pip.conf"
    settings.write_text(_PIP)
    wheels = _fetch_wheels(containerfile.parent)
    fetched = debs.fetch(_storage(), containerfile, _in_base)
    _podman(
        *("build", "--pull-never", "--layers", "--isolation", "oci", "--runtime", "runc", "--network", "none"),
        *_LIMITS,
        *("--volume", f"{wheels}:/wheels:ro", "--volume", f"{settings}:/etc/pip.conf:ro"),
        *("--volume", f"{fetched}:/debs:ro", "--volume", f"{fetched}/sources.list:/etc/apt/sources.list:ro"),
        *("--build-arg", f"BASE={BASE}", "--file", str(containerfile), "--tag", name, str(context)),
    )
    _podman("image", "prune", "--force", "--filter", "until=24h")  # layers of builds long past
    output.unlink(missing_ok=True)
    _podman("save", "--format", "docker-archive", "--output", str(output), name)
    return look(name)


def look(name: str) -> Built:
    """Tell what was built."""
    size = _size(name)
    return Built(name, size, size - _size(BASE))


def run(name: str, options: Sequence[str], *command: str) -> str:
    """Run the image as a phase's pod would, but with this machine's network, and return what it said."""
    return _podman(
        *("run", "--rm", "--pull", "never", "--network", "host", *_LIMITS, "--read-only", "--cap-drop", "all"),
        *("--security-opt", "no-new-privileges", *options, "--entrypoint", command[0], name, *command[1:]),
    )


def _in_base(folder: Path, script: str) -> str:
    """Run a script as root in the base with this machine's network; it sees the folder as /debs."""
    network = ("--network", "host", "--volume", f"{folder}:/debs", *_LIMITS)
    return _podman("run", "--rm", "--pull", "never", *network, BASE, "sh", "-euc", script)


def _fetch_wheels(folder: Path) -> Path:
    """Fetch what the requirements beside the Containerfile name, once for as long as they stay the same."""
    files = sorted(folder.glob("requirements*.txt"))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
    wheels = _storage() / f"wheels-{digest[:8]}"
    if not wheels.exists():
        unfinished = Path(tempfile.mkdtemp(dir=_storage()))
        for requirements in files:
            commands.run(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", unfinished, "-r", requirements),
                *("--only-binary=:all:", "--python-version", _PYTHON, "--implementation", "cp"),
            )
        unfinished.rename(wheels)
    return wheels


def _make_base() -> None:
    """Install a small Debian with Python into a folder, and import it as an image of one layer."""
    with tempfile.TemporaryDirectory(prefix="base-", dir=_storage()) as scratch:
        root = Path(scratch, "root")
        commands.run("debootstrap", "--variant=minbase", f"--include={_INCLUDED}", _SUITE, root)
        _trim(root)
        layer = Path(scratch, "layer.tar")
        commands.run("tar", "--numeric-owner", "--exclude=./dev/*", "-C", root, "-cf", layer, ".")
        _podman("import", "--change", 'CMD ["python3"]', str(layer), BASE)


def _trim(root: Path) -> None:
    for folder in _DROPPED:
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir(parents=True, exist_ok=True)


def _has(name: str) -> bool:
    return commands.succeeds(*_words("image", "exists", name))


def _size(name: str) -> int:
    return int(json.loads(_podman("image", "inspect", name))[0]["Size"])


def _podman(*words: str) -> str:
    return commands.run(*_words(*words))


def _words(*words: str) -> list[str]:
    """Podman with a storage of its own, so that the layers stay and nobody else's images are seen."""
    return [
        *("podman", "--root", str(_storage() / "storage"), "--runroot", _RUN_ROOT, "--tmpdir", f"{_RUN_ROOT}/t"),
        *("--network-config-dir", f"{_RUN_ROOT}/networks", "--storage-driver", "overlay", "--log-level", "error"),
        *("--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none", *words),
    ]


def _storage() -> Path:
    folder = programs.home(os.environ) / f"images-{_SUITE}-python-{_PYTHON}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
