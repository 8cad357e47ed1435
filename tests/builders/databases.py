"""The three real databases of a sample installation, with content like that of 3scale."""

import base64
import re
from contextlib import contextmanager

from tests.builders import system_database
from tests.stores import postgresql_servers, redis_servers
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS

IMAGE = "databases:rehearsal"
DATABASE = "system"
PROVIDER_KEY = "a640cb1efe587e0b0e811d5200d77f3b"
USAGE = 300
LOGINS = re.compile("USERNAME|PASSWORD|SSL|SENTINEL")


class DatabaseServers:
    """A PostgreSQL, a Redis for Backend and one for System."""

    def __init__(self, postgresql, backend, system):
        self.postgresql, self.backend, self.system = postgresql, backend, system

    def fill(self):
        """Make System's tables, usage, configuration and queued jobs."""
        self.postgresql.make(DATABASE)
        system_database.fill(self.postgresql, DATABASE)
        for number in range(USAGE):
            self.backend.client.set(f"stats/{{service:2}}/metric:6/hour:{number}", number)
        self.backend.client.set("stats/{service:2}/metric:6/minute:1", 1, px=180_000)
        self.backend.client.sadd(f"service/provider_key:{PROVIDER_KEY}/ids", "2", "3")
        self.backend.client.sadd("service_id:2/applications", "593a8c1a")
        self.backend.client.set("mine", "unknown to 3scale")
        self.system.client.rpush("queue:default", '{"class":"Worker"}')
        self.system.client.zadd("retry", {"{}": 1.5})

    def urls(self):
        """The keys of the three Secrets."""
        password = postgresql_servers.postgresql_quoted(postgresql_servers.OWNERS_PASSWORD)
        place = f"127.0.0.1:{self.postgresql.port}/{DATABASE}"
        return {
            "system-database": {"URL": f"postgresql://{postgresql_servers.OWNER}:{password}@{place}"},
            "backend-redis": {
                "REDIS_STORAGE_URL": f"redis://127.0.0.1:{self.backend.port}/0",
                "REDIS_QUEUES_URL": f"redis://127.0.0.1:{self.backend.port}/1",
            },
            "system-redis": {"URL": f"redis://127.0.0.1:{self.system.port}/1"},
        }

    def connect(self, stage):
        """Let the Secrets of an installation name these servers."""
        for name, keys in self.urls().items():
            sample = stage.get("secrets", name)["data"]
            data = dict.fromkeys((key for key in sample if LOGINS.search(key)), "")  # these servers ask nobody
            data |= {key: base64.b64encode(value.encode()).decode() for key, value in keys.items()}
            stage.kubernetes.patch("secrets", stage.namespace, name, {"data": data})


@contextmanager
def database_servers(folder, postgresql):
    """Run both Redis for the time of the block, beside a PostgreSQL that runs."""
    with redis_servers.running(folder / "backend") as backend, redis_servers.running(folder / "system") as system:
        system.client.select(1)
        yield DatabaseServers(postgresql, backend, system)


def configure(stage, **settings):
    """Apply the templates of an installation that copies its databases."""
    for manifest in render(SETTINGS.model_copy(update={"database_image": IMAGE, **settings})):
        stage.engine.apply(manifest)
