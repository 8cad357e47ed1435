"""A small tree and its copy, a folder for every user, and the command of the phases."""

import tempfile
from pathlib import Path

import pytest

from tests.builders.phase_commands import bare
from tests.builders.trees import SMALL, build, out


@pytest.fixture
def anyones():
    """A folder that every user may use, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


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
