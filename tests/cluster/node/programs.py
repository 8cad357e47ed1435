"""The cluster's own programs: built once from their Go modules, kept outside the checkout.

The cache folder is named by the versions and by a digest of the sources: another version or another `main.go` is
another folder. `KUBEBUILDER_ASSETS` names a folder whose etcd and kube-apiserver are taken instead.
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import commands

SOURCES: Final = Path(__file__).parent.parent / "go"
KUBERNETES_PARTS: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")
_VERSION_PACKAGES: Final = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


@dataclass(frozen=True)
class Programs:
    """Where each program is; a part's name is its file's."""

    folder: Path
    assets: Path | None = None

    def __getitem__(self, part: str) -> Path:
        if self.assets is not None and part in {"etcd", "kube-apiserver"}:
            return self.assets / part
        return self.folder / part


def kubernetes_version() -> str:
    return required("k8s.io/kubernetes", SOURCES / "kubernetes" / "go.mod")


def required(module: str, go_mod: Path) -> str:
    """Read the version of a module that a `go.mod` requires."""
    found = re.search(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", go_mod.read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{go_mod} requires no {module}")
    return found[1]


def cache(sources: Path = SOURCES, environment: Mapping[str, str] = os.environ) -> Path:
    """Name the folder for what is built from these sources."""
    etcd = required("go.etcd.io/etcd/server/v3", sources / "etcd" / "go.mod")
    kubernetes = required("k8s.io/kubernetes", sources / "kubernetes" / "go.mod")
    return home(environment) / f"kubernetes-{kubernetes}-etcd-{etcd}-{_digest(sources)}"


def home(environment: Mapping[str, str] = os.environ) -> Path:
    above = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME", "/root")) / ".cache")
    return Path(above) / "threescale-backup"


def _digest(sources: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in sources.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(sources)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def build(say: Callable[[str], object]) -> Programs:
    """Build what the cache does not hold yet: minutes the first time, nothing afterwards."""
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for name in ("kubernetes", "pause") if assets else ("kubernetes", "etcd", "pause"):
        if not (folder / name).exists():
            say(f"building {name}")
            _build(name, folder)
    for part in KUBERNETES_PARTS:
        if not (folder / part).exists():
            (folder / part).symlink_to("kubernetes")
    return built()


def built() -> Programs:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    return Programs(cache(), Path(assets) if assets else None)


def _build(name: str, folder: Path) -> None:
    """Build under another name first: a build that was interrupted leaves no half program."""
    unfinished = folder / f".{name}.{os.getpid()}"
    flags = " ".join(("-s", "-w", *(version_flags(kubernetes_version()) if name == "kubernetes" else ())))
    commands.run(
        *("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", unfinished, "."),
        folder=SOURCES / name,
        environment={"CGO_ENABLED": "0", "GOWORK": "off"},
    )
    unfinished.rename(folder / name)


def version_flags(version: str) -> list[str]:
    """Say to the linker which version the programs shall name: a module build knows none of its own."""
    major, minor = version.removeprefix("v").split(".")[:2]
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return [f"-X {package}.{name}={value}" for package in _VERSION_PACKAGES for name, value in values.items()]
