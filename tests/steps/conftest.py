"""A small tree and its copy, folders for every user, what is there at a sync, and the command of the phases."""

import tempfile
from pathlib import Path

import pytest

from steps.files import durability, volume
from tests.builders.phase_commands import bare
from tests.builders.trees import SMALL, build, out
from tests.builders.volumes import content


@pytest.fixture
def anyones():
    """A folder that every user may use, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.fixture
def of_root():
    """A folder that every user may look into, unlike `tmp_path`, and only its owner may change."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def syncs(tmp_path, monkeypatch):
    """What lies on the volume whenever it is synced, temporary names as `temporary`."""
    found = []

    def sync(_descriptor):
        names = {name: "temporary" if volume.TEMPORARY in name else name for name in content(tmp_path)}
        found.append({names[name]: data for name, data in content(tmp_path).items() if data is not None})

    monkeypatch.setattr(durability, "syncfs", sync)
    return found


@pytest.fixture
def source(tmp_path):
    """The small tree that the damages of `tests.builders.trees` are made for."""
    return build(tmp_path / "source", SMALL)


@pytest.fixture
def copied(source, tmp_path):
    """A copy of the tree and its entries."""
    (tmp_path / "copy").mkdir()
    return tmp_path / "copy", out(source, tmp_path / "copy")


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command line in this process and return its exit code."""

    def run(*arguments, stage=None, account=None, uid="uid-1", more=()):
        told = ["--namespace", "threescale", "--workflow", f"workflow-{uid}", "--workflow-uid", uid]
        told += ["--outputs", str(tmp_path / "outputs"), "--termination-log", str(tmp_path / "log"), *more]
        if stage is not None:
            stage.connect(account)
            monkeypatch.setenv("KUBECONFIG", str(stage.folder / f"kubeconfig-{account}"))
        return bare(monkeypatch, *told, *map(str, arguments))

    return run
