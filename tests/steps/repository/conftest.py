"""One repository for all tests of the room."""

import pytest

from tests.builders import snapshots


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    return snapshots.made(tmp_path_factory.mktemp("restic"))
