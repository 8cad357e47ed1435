"""restic's programs for the tests: Debian 13's and the newest of Debian. `python -m tests.stores.restic` fetches both.

apt itself fetches them, from the mirror that this machine's apt is configured with, and checks signatures and digests.
Its lists and packages lie in a folder of our own: neither root nor a change of this machine is needed.
"""

import functools
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.stores import cache

SUITES = ("trixie", "sid")  # Debian 13, and where new versions come first
OLDEST = (0, 18)  # what the product accepts
HOW_TO = "set RESTIC to the path of a restic 0.18 or later, or fetch it with `python -m tests.stores.restic`"
PATIENCE_S = 120.0
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_TARGETS = ("indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian", "Component: main")


@dataclass(frozen=True)
class Restic:
    """A program, and how to run it."""

    path: Path
    version: tuple[int, ...] = field(repr=False)

    def __str__(self) -> str:
        return str(self.path)

    def run(self, environment: dict[str, str], *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it with this environment and no other variable of restic; its cache goes below TMPDIR."""
        base = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}}
        command = [str(self.path), "--no-cache", *map(str, words)]
        done = subprocess.run(  # noqa: S603  # restic
            command, env={**base, **environment}, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert not (check and done.returncode), f"{' '.join(command)} ended with {done.returncode}: {done.stderr}"
        return done


def debian_13() -> Restic | None:
    """The restic of the environment's RESTIC, else Debian 13's from the cache, else one of PATH that is new enough."""
    if named := os.environ.get("RESTIC"):
        return _look(Path(named))
    fetched = [each for each in _fetched() if each.version[:2] == OLDEST]
    return max(fetched, key=_by_version, default=None) or _of_path()


def newest() -> Restic | None:
    """The highest version that is here."""
    return max((each for each in (*_fetched(), _of_path(), debian_13()) if each), key=_by_version, default=None)


def fetch() -> list[Restic]:
    """Fetch the packages of both suites, and unpack what the cache lacks."""
    with tempfile.TemporaryDirectory(prefix="restic-") as scratch:
        options = _settings(Path(scratch), _mirror())
        _run("apt-get", *options, "update")
        return [_fetch(suite, Path(scratch), options) for suite in SUITES]


def _fetch(suite: str, scratch: Path, options: list[str]) -> Restic:
    folder = scratch / suite
    folder.mkdir()
    _run("apt-get", *options, "download", f"restic/{suite}", folder=folder)
    (package,) = folder.glob("restic_*.deb")
    version = package.name.split("_")[1]
    kept = cache.keep(f"restic-{version}", lambda unfinished: _run("dpkg-deb", "--extract", package, unfinished))
    return _look(kept / "usr/bin/restic")


def _settings(scratch: Path, mirror: str) -> list[str]:
    """Options of apt that keep all of it in one folder."""
    (scratch / "sources.list").write_text(
        "".join(f"deb [signed-by={_KEYRING} target=Packages] {mirror} {suite} main\n" for suite in SUITES)
    )
    for name in ("lists/partial", "cache/archives/partial"):
        (scratch / name).mkdir(parents=True)
    settings = {
        "Dir::State::lists": scratch / "lists",
        "Dir::State::status": os.devnull,
        "Dir::Cache": scratch / "cache",
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": os.devnull,
        "APT::Sandbox::User": "root",  # the folder is this user's alone
    }
    return ["--quiet=2", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]


def _mirror() -> str:
    """The mirror of Debian's main archive that this machine uses."""
    found = _run("apt-get", *_TARGETS).split()
    if not found:
        raise SystemExit("apt knows no mirror of Debian: run `apt-get update` first")
    return found[0]


@functools.cache
def _fetched() -> list[Restic]:
    return [_look(path) for path in sorted(cache.folder().glob("restic-*/usr/bin/restic"))]


def _of_path() -> Restic | None:
    found = shutil.which("restic")
    restic = _look(Path(found)) if found else None
    return restic if restic and restic.version >= OLDEST else None


@functools.cache
def _look(path: Path) -> Restic:
    said = _run(path, "version")
    found = re.match(r"restic (\d+)\.(\d+)\.(\d+)", said)
    if found is None:
        raise ValueError(f"{path} is no restic: {said}")
    return Restic(path, tuple(map(int, found.groups())))


def _by_version(restic: Restic) -> tuple[int, ...]:
    return restic.version


def _run(*words: object, folder: Path | None = None) -> str:
    command = [*map(str, words)]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603  # apt, dpkg


if __name__ == "__main__":
    for each in fetch():
        print(each)  # noqa: T201  # the command's output
