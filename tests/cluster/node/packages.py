"""Programs from Debian's packages: installed where they are missing."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from . import commands
from .errors import PackagesMissing

TO_RUN: Final[Mapping[str, str]] = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "ip": "iproute2",
    "mount": "mount",
    "openssl": "openssl",
}
TO_BUILD_IMAGES: Final[Mapping[str, str]] = {"debootstrap": "debootstrap", "podman": "podman", "runc": "runc"}


def missing(needed: Mapping[str, str], path: str | None = None) -> list[str]:
    """Name the packages whose program is not on this machine."""
    return sorted({package for program, package in needed.items() if not _present(program, path)})


def _present(program: str, path: str | None) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program, path=path) is not None


def install(needed: Mapping[str, str]) -> list[str]:
    """Install what is missing, and return its names."""
    absent = missing(needed)
    if absent:
        _apt(absent)
    return absent


def _apt(packages: Iterable[str]) -> None:
    names = list(packages)
    if shutil.which("apt-get") is None:
        raise PackagesMissing(names)
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "PATH": os.environ["PATH"]}
    commands.run("apt-get", "update", environment=quiet)
    commands.run("apt-get", "install", "--yes", "--no-install-recommends", *names, environment=quiet)
