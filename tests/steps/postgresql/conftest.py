"""One real server for all tests of the room, and a database of its own for each."""

import itertools

import pytest

from steps.postgresql import postgresql_server
from tests.builders import system_database

_NUMBERS = itertools.count()


@pytest.fixture
def database(postgresql):
    """The name of an empty database."""
    return postgresql.make(f"test{next(_NUMBERS)}")


@pytest.fixture
def filled(postgresql):
    """The name of a database like that of System."""
    name = postgresql.make(f"test{next(_NUMBERS)}")
    system_database.fill(postgresql, name)
    return name


@pytest.fixture
def scratch(tmp_path):
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.fixture
def opened(postgresql, tmp_path):
    """Opens a database as a phase does."""

    def open_(name, **more):
        return postgresql_server.opened(postgresql.address(name, **more), tmp_path / "private")

    return open_
