"""The Debian packages that the Containerfile installs: fetched beforehand into a folder that apt takes for a mirror."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from . import commands

_FROM_NEXT: Final = "restic"  # the base is Debian 12, and its restic is older than the product accepts
_SCRIPT: Final = """
apt-get --quiet=2 update
apt-get --quiet=2 install --yes --no-install-recommends --download-only -o Dir::Cache::archives=/debs {names}
sed s/bookworm/trixie/ /etc/apt/sources.list > /etc/apt/sources.list.d/next.list
apt-get --quiet=2 update
cd /debs && apt-get --quiet=2 -o APT::Sandbox::User=root download {next}/trixie
"""
_SMALL: Final = " AS phases"  # the stages before it are those of a build and of the other image
_SOURCES: Final = "deb [trusted=yes] file:/debs ./\n"  # apt checked the signatures when it fetched them


def fetch(storage: Path, containerfile: Path, run: Callable[[Path, str], object]) -> Path:
    """Fetch what the Containerfile installs, and all that this needs, once for as long as the names stay the same."""
    names = named(containerfile.read_text())
    script = _SCRIPT.format(names=" ".join(name for name in names if name != _FROM_NEXT), next=_FROM_NEXT)
    kept = storage / f"debs-{hashlib.sha256(script.encode()).hexdigest()[:8]}"
    if names and not kept.exists():
        unfinished = Path(tempfile.mkdtemp(dir=storage))
        run(unfinished, script)
        shutil.rmtree(unfinished / "partial", ignore_errors=True)
        (unfinished / "Packages").write_text("\n".join(_entry(path) for path in sorted(unfinished.glob("*.deb"))))
        (unfinished / "sources.list").write_text(_SOURCES)
        unfinished.chmod(0o755)  # apt reads it as a user of its own
        unfinished.rename(kept)
    return kept


def named(containerfile: str) -> list[str]:
    """The packages that `apt-get install` of a Containerfile names, for the image that is built without a target."""
    containerfile = containerfile[max(containerfile.find(_SMALL), 0) :]
    words = re.findall(r"apt-get install ([^&]*)", containerfile.replace("\\\n", " "))
    return sorted(word for word in " ".join(words).split() if not word.startswith("-"))


def _entry(package: Path) -> str:
    """What apt's index says of a package."""
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    fields = commands.run("dpkg-deb", "--field", package).rstrip("\n")
    return f"{fields}\nFilename: ./{package.name}\nSize: {package.stat().st_size}\nSHA256: {digest}\n"
