"""Two real servers for all tests of the room, emptied before each."""

import pytest

from steps.redis import redis_server
from tests.stores import redis_servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redis")
    with redis_servers.running(folder / "one") as one, redis_servers.running(folder / "two") as two:
        yield one, two


@pytest.fixture
def source(servers):
    servers[0].client.flushall()
    return servers[0]


@pytest.fixture
def target(servers):
    servers[1].client.flushall()
    return servers[1]


@pytest.fixture
def opened(tmp_path):
    """Opens a server as a phase does."""

    def open_(running, **login):
        return redis_server.opened(running.address(**login), tmp_path / "private")

    return open_
