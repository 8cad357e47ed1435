"""The keys of a Redis on the volume of a backup, counted by what they are to 3scale."""

import hashlib

import pytest

from steps import errors
from steps.databases import redis_database
from steps.redis import portable_keys
from tests.stores import redis_servers


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with redis_servers.running(tmp_path_factory.mktemp("redis")) as found:
        yield found


@pytest.fixture
def running(server):
    server.client.flushall()
    server.client.select(0)
    return server


def save(tmp_path, **by_name):
    (tmp_path / "backup").mkdir()
    found = redis_database.addresses(**by_name)
    report = redis_database.save("backend-redis", found, tmp_path / "backup", tmp_path / "private")
    return report.database


def lines(tmp_path, name):
    text = (tmp_path / "backup/databases/backend-redis" / name).read_bytes()
    return [portable_keys.parse(line) for line in text.splitlines()]


def test_keys_are_counted_by_their_kind(running, tmp_path):
    for name in ("stats/{service:2}/a", "metric/service_id:2/id:31/name", "alerts/current_id", "resque:stat", "mine"):
        running.client.set(name, 1)

    found = save(tmp_path, storage=running.address())

    assert found.counts == {"alerts": 1, "configuration": 1, "queues": 1, "unknown": 1, "usage": 1}
    assert len(lines(tmp_path, "storage.jsonl")) == 5


def test_a_large_key_counts_once(running, tmp_path):
    running.client.sadd("service_id:2/applications", *range(20_001))

    found = save(tmp_path, storage=running.address())

    assert found.counts == {"configuration": 1}
    assert len(lines(tmp_path, "storage.jsonl")) > 1


def test_provider_keys_are_kept_as_digests(running, tmp_path):
    running.client.sadd("service/provider_key:0849d4c6/ids", 2)

    found = save(tmp_path, storage=running.address())

    assert found.same == (hashlib.sha256(b"0849d4c6").hexdigest(),)


def test_storage_and_queues_at_one_address_are_copied_once(running, tmp_path):
    running.client.set("resque:stat", 1)

    found = save(tmp_path, storage=running.address(), queues=running.address())

    assert list(found.files) == ["databases/backend-redis/storage.jsonl"]


def test_storage_and_queues_at_two_addresses_are_two_files(running, tmp_path):
    found = save(tmp_path, storage=running.address(), queues=running.address(1))

    assert list(found.files) == ["databases/backend-redis/queues.jsonl", "databases/backend-redis/storage.jsonl"]
    assert found.counts == {}


def test_the_jobs_in_all_queues_of_backend_are_counted(running, tmp_path):
    running.client.sadd("resque:queues", "main", "priority")
    running.client.rpush("resque:queue:main", 1, 2)
    running.client.rpush("resque:queue:priority", 3)

    assert redis_database.queued(redis_database.addresses(queues=running.address()), tmp_path / "private") == 3


def test_a_survey_writes_nothing_and_names_the_server(running, tmp_path):
    running.client.set("stats/a", 1)

    found = redis_database.survey(redis_database.addresses(storage=running.address()), tmp_path / "private")

    assert found.words == "storage: Redis 6.2.5, 1 keys"
    assert running.client.keys() == [b"stats/a"]


class Opened:
    """What a restore needs of a backup."""

    def __init__(self, root):
        self.root, self.digest = root, "d" * 64


def restore(tmp_path, copy, *, jobs=True, **by_name):
    found = redis_database.addresses(**by_name)
    backup = Opened(tmp_path / "backup")
    return redis_database.restore("backend-redis", found, backup, copy, tmp_path / "private", queues=jobs)


def keys(running, number=0):
    running.client.select(number)
    return sorted(running.client.keys())


@pytest.fixture
def copied(running, tmp_path):
    """A copy of storage and queues at two addresses, and empty servers."""
    running.client.set("stats/a", 1)
    running.client.select(1)
    running.client.rpush("resque:queue:main", 1)
    running.client.select(0)
    copy = save(tmp_path, storage=running.address(), queues=running.address(1))
    running.client.flushall()
    return copy


def test_storage_and_queues_go_back_to_their_own_addresses(running, copied, tmp_path):
    restore(tmp_path, copied, storage=running.address(2), queues=running.address(3))

    assert (keys(running, 2), keys(running, 3)) == ([b"stats/a"], [b"resque:queue:main"])


def test_storage_and_queues_may_become_one_address(running, copied, tmp_path):
    restore(tmp_path, copied, storage=running.address(2), queues=running.address(2))

    assert keys(running, 2) == [b"resque:queue:main", b"stats/a"]


def test_one_address_may_become_two(running, tmp_path):
    running.client.set("stats/a", 1)
    running.client.rpush("resque:queue:main", 1)
    copy = save(tmp_path, storage=running.address())
    running.client.flushall()

    restore(tmp_path, copy, storage=running.address(2), queues=running.address(3))

    assert (keys(running, 2), keys(running, 3)) == ([b"stats/a"], [b"resque:queue:main"])


def test_a_copy_that_was_tampered_with_writes_nothing(running, copied, tmp_path):
    path = tmp_path / "backup/databases/backend-redis/storage.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"1"', b'"9"'))

    with pytest.raises(errors.BackupDamaged, match=r"storage\.jsonl has different content"):
        restore(tmp_path, copied, storage=running.address(2))

    assert keys(running, 2) == []


def test_queued_jobs_stay_out_unless_they_are_asked_for(running, copied, tmp_path):
    restore(tmp_path, copied, jobs=False, storage=running.address(2), queues=running.address(3))

    assert (keys(running, 2), keys(running, 3)) == ([b"stats/a"], [])
