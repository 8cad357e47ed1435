"""A real Redis is asked, and what it refuses has a sentence."""

import pytest

from steps import errors
from steps.redis import key_reading, redis_address, redis_server
from tests.stores import redis_servers

THEIRS = "theirs"
PASSWORD = "a password of the tests"  # noqa: S105  of servers that live as long as a test
# apisonator's documented rights lack these.
LACKING = ["TYPE", "PTTL", "HGETALL", "ZRANGE", "INFO"]


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with redis_servers.running(tmp_path_factory.mktemp("redis"), password=PASSWORD) as found:
        yield found


def test_a_server_tells_what_it_is(source, opened):
    with opened(source) as server:
        found = server.check()

    assert (found.engine, found.version[:3], found.role, found.evicts) == ("Redis", "6.2", "master", False)


def test_an_evicting_policy_counts_with_a_limit_only(source, opened):
    source.client.config_set("maxmemory-policy", "allkeys-lru")
    with opened(source) as server:
        without = server.facts().evicts
        source.client.config_set("maxmemory", 1 << 30)
        limited = server.facts().evicts
    source.client.config_set("maxmemory", 0)
    source.client.config_set("maxmemory-policy", "noeviction")

    assert (without, limited) == (False, True)


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_password_is_refused(locked, opened, password):
    with pytest.raises(errors.RedisPasswordWrong) as raised, opened(locked, password=password):
        pass

    assert PASSWORD not in str(raised.value)
    assert raised.value.exit_code == errors.REFUSED_EXIT


def test_a_port_where_nobody_listens_is_no_answer(tmp_path):
    address = redis_address.of("system-redis", "URL", f"redis://127.0.0.1:{redis_servers.free_port()}")

    with pytest.raises(errors.RedisNoAnswer) as raised, redis_server.opened(address, tmp_path):
        pass

    assert raised.value.exit_code == errors.TRY_AGAIN_EXIT


def test_each_missing_right_is_named_with_the_statement_that_grants_it(locked, opened):
    user = ["on", f">{THEIRS}", "~*", "+@all", *[f"-{name.lower()}" for name in LACKING]]
    locked.client.execute_command("ACL", "SETUSER", "apisonator", *user)

    with (
        opened(locked, user="apisonator", password=THEIRS) as server,
        pytest.raises(errors.RedisRightsMissing) as raised,
    ):
        server.check_rights(key_reading.COMMANDS)

    assert sorted(raised.value.commands) == sorted(LACKING)
    assert "`ACL SETUSER apisonator " in str(raised.value)
    assert "+hgetall" in str(raised.value)


def test_a_user_without_transactions_is_named_too(locked, opened):
    locked.client.execute_command("ACL", "SETUSER", "poor", "on", f">{THEIRS}", "~*", "+@all", "-multi")

    with (
        opened(locked, user="poor", password=THEIRS) as server,
        pytest.raises(errors.RedisRightsMissing, match=r"\+multi"),
    ):
        server.check_rights(key_reading.COMMANDS)


def test_a_user_of_an_acl_with_the_documented_rights_suffices(locked, opened):
    rights = [f"+{name.lower()}" for name in key_reading.COMMANDS]
    locked.client.execute_command(
        "ACL", "SETUSER", "backup", "on", f">{THEIRS}", "~*", "-@all", "+ping", "+select", "+multi", "+exec", *rights
    )
    locked.client.set("key", "value")

    with opened(locked, user="backup", password=THEIRS) as server:
        server.check_rights(key_reading.COMMANDS)
        found = list(key_reading.read(server))

    assert [each.key for each in found] == [b"key"]


def test_a_cluster_is_refused(tmp_path, opened):
    with (
        redis_servers.running(tmp_path / "cluster", "--cluster-enabled", "yes") as found,
        opened(found) as server,
        pytest.raises(errors.RedisIsCluster),
    ):
        server.check()


def test_a_server_that_stops_in_the_middle_asks_for_another_try(tmp_path, opened):
    with redis_servers.running(tmp_path / "server") as found, opened(found) as server:
        found.process.kill()
        found.process.wait()
        with pytest.raises(errors.RedisNoAnswer):
            server.keys()


def test_a_server_that_does_not_listen_for_tls_is_told_as_such(source, tmp_path, monkeypatch):
    monkeypatch.setattr(redis_server, "_CONNECT_S", 1.0)
    address = redis_address.of("system-redis", "URL", f"rediss://127.0.0.1:{source.port}")

    with pytest.raises((errors.RedisTlsRefused, errors.RedisNoAnswer)), redis_server.opened(address, tmp_path):
        pass


def test_certificates_are_gone_after_the_block(tmp_path, source):
    address = redis_address.of("system-redis", "URL", f"redis://127.0.0.1:{source.port}")
    with redis_server.opened(address, tmp_path / "private"):
        pass

    assert list((tmp_path / "private").iterdir()) == []
