"""A restic repository in a folder, with forged snapshots of a tiny tree."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from steps.contract import names
from steps.repository import snapshots
from steps.repository.ledger import Known
from steps.restic import program
from steps.restic.program import Restic
from steps.restic.store import PASSWORD, REPOSITORY, Store
from tests.conftest import Stage
from tests.stores.restic import Restic as Program
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS

NAME = "threescale-repository"
OWN, OTHER = "a" * 16, "b" * 16
WITH_REPOSITORY = SETTINGS.model_copy(update={"repositories": (NAME,)})


class Forged:
    """A repository in a folder."""

    def __init__(self, folder: Path, program: Program) -> None:
        self.program = program  # it is on PATH
        self.folder, self.tree = folder / "repository", folder / "tree"
        self._scratch, self._private = folder / "scratch", folder / "private"
        self.tree.mkdir()
        self.told = {REPOSITORY: str(self.folder), PASSWORD: "correct horse battery staple"}
        with self.opened() as restic:
            restic.run("init")

    @contextmanager
    def opened(self) -> Iterator[Restic]:
        with program.opened(Store(NAME, self.told), self._private, self._scratch) as restic:
            yield restic

    def save(self, backup: str, when: str, *, origin: str = OWN, whole: bool = True, **tags: Any) -> str:
        """Make the snapshot of a backup, and return its ID."""
        manifest = self.tree / "manifest.json"
        if not manifest.exists() or manifest.read_text() != backup:  # else the tree would have another time
            manifest.write_text(backup)
        told = {"backup": backup, "manifest-sha256": f"of-{backup}", "entries": 1 if whole else 2, "schedule": "nights"}
        told |= {"namespace": "api", "apimanager": "apimanager", "files": 10, "bytes": 1000, **tags}
        words = [part for name, value in told.items() if value != "" for part in ("--tag", f"{name}={value}")]
        words += ["--host", origin, "--time", when, "--force", str(self.tree / "manifest.json")]
        with self.opened() as restic:
            lines = restic.run("backup", "--json", *words).splitlines()
        return str(json.loads(lines[-1])["snapshot_id"])

    def nights(self, count: int, **more: Any) -> list[str]:
        """Make a snapshot each night, the first one the oldest."""
        return [self.save(f"night-{day}", f"2026-11-{day:02} 02:00:00", **more) for day in range(1, count + 1)]

    @property
    def backups(self) -> list[str]:
        """The backups whose snapshots are there, the oldest first."""
        with self.opened() as restic:
            return [each.backup for each in reversed(snapshots.every(restic))]

    @property
    def packs(self) -> list[Path]:
        return sorted(path for path in (self.folder / "data").rglob("*") if path.is_file())


def know(stage: Stage, adopted: str = "", **known: Known) -> None:
    """Write what an installation knows: its origin, and its ledger by the IDs of snapshots."""
    of_origin = {"id": OWN, **({"adopted": adopted} if adopted else {})}
    ledger = {snapshot: each.model_dump_json(exclude_defaults=True) for snapshot, each in known.items()}
    configmap(stage, names.ORIGIN, of_origin)
    configmap(stage, names.LEDGER.format(NAME), ledger)


def configmap(stage: Stage, name: str, data: dict[str, str]) -> None:
    metadata = {"name": name, "namespace": stage.namespace}
    stage.kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def noted(stage: Stage) -> dict[str, str]:
    """What the ledger holds."""
    return dict((stage.get("configmaps", names.LEDGER.format(NAME)) or {}).get("data") or {})


def install(stage: Stage, forged: Forged, settings: Any = WITH_REPOSITORY, rules: Any = None) -> None:
    """Apply the manifests of an installation with a repository, and its Secret."""
    for manifest in render(settings, rules=rules):
        stage.engine.apply(manifest)
    data = {key: base64.b64encode(value.encode()).decode() for key, value in forged.told.items()}
    for name in {*settings.repositories, *settings.prune_repositories}:
        metadata = {"name": name, "namespace": stage.namespace}
        stage.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """A folder from which nobody can delete, root neither."""
    done = subprocess.run(["chattr", "-R", "+i", folder], capture_output=True, check=False)  # noqa: S603, S607
    if done.returncode:
        pytest.skip("this file system has no immutable files, or the tests do not run as root")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-R", "-i", folder], check=True)  # noqa: S603, S607
