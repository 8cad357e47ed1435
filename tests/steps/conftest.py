"""A small tree and its copy, and a folder for every user."""

import tempfile
from pathlib import Path

import pytest

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
