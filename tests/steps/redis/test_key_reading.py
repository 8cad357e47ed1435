"""All keys of a real Redis are read, whatever they are and whatever happens to them meanwhile."""

import threading
import time
from itertools import cycle

import pytest

from steps import errors
from steps.redis import key_reading, portable_keys
from steps.redis.portable_keys import KeyRecord


def read(server):
    return list(key_reading.read(server))


def by_key(records):
    return {each.key: each for each in records}


def test_each_type_is_read_as_what_it_is(source, opened):
    client = source.client
    client.set("string", b"\xff\x00")
    client.rpush("list", "b", "a", "b")
    client.sadd("set", "b", "a")
    client.zadd("zset", {"low": float("-inf"), "some": 0.1})
    client.hset("hash", mapping={"name": "value"})

    with opened(source) as server:
        found = by_key(read(server))

    assert {key: each.value for key, each in found.items()} == {
        b"string": b"\xff\x00",
        b"list": [b"b", b"a", b"b"],
        b"set": [b"a", b"b"],
        b"zset": [(b"low", float("-inf")), (b"some", 0.1)],
        b"hash": [(b"name", b"value")],
    }


def test_an_expiry_is_a_moment(source, opened):
    source.client.set("minute", "1", px=180_000)
    source.client.set("stays", "1")
    began = time.time()

    with opened(source) as server:
        found = by_key(read(server))

    assert found[b"minute"].expires_ms == pytest.approx((began + 180) * 1000, abs=5_000)
    assert found[b"stays"].expires_ms is None


def test_only_the_database_of_the_address_is_read(source, opened):
    source.client.set("in-0", "")
    with opened(source, number=1) as server:
        server.ask("SET", "in-1", "")
        found = read(server)

    assert [each.key for each in found] == [b"in-1"]


def test_a_large_key_is_read_in_pages(source, opened):
    source.client.rpush("list", *range(25_001))

    with opened(source) as server:
        found = read(server)

    assert [len(each.value) for each in found] == [10_000, 10_000, 5_001, 0]
    assert [(each.page, each.more) for each in found] == [(0, True), (1, True), (2, True), (3, False)]


def test_a_stream_is_refused_by_its_name(source, opened):
    source.client.xadd("events", {"a": "b"})

    with opened(source) as server, pytest.raises(errors.RedisKeyNotPortable) as raised:
        read(server)

    assert "b'events' (stream)" in str(raised.value)


class Meddling:
    """A server between whose answers somebody changes keys. The real one answers."""

    def __init__(self, server, before, change):
        self._server, self._before, self._changes = server, before, iter(change)

    def __getattr__(self, name):
        return getattr(self._server, name)

    def answers(self, commands, **how):
        self._meddle(str(commands))
        return self._server.answers(commands, **how)

    def ask(self, *words):
        self._meddle(str(words))
        return self._server.ask(*words)

    def _meddle(self, words):
        if f"'{self._before}'" in words and (change := next(self._changes, None)):
            change()


@pytest.mark.parametrize("before", ["STRLEN", "GET"])
def test_a_key_that_ends_between_two_commands_is_left_out(source, opened, before):
    source.client.set("counter", "1")
    with opened(source) as server:
        found = read(Meddling(server, before, [lambda: source.client.delete("counter")]))

    assert found == []


@pytest.mark.parametrize("before", ["STRLEN", "GET"])
def test_a_key_that_changes_its_type_between_two_commands_is_read_again(source, opened, before):
    def change():
        source.client.delete("key")
        source.client.rpush("key", "element")

    source.client.set("key", "1")
    with opened(source) as server:
        (found,) = read(Meddling(server, before, [change]))

    assert found == KeyRecord(b"key", portable_keys.LIST, [b"element"])


def test_a_key_that_never_keeps_its_type_asks_for_another_try(source, opened):
    def change():
        kind = source.client.type("key")
        source.client.delete("key")
        source.client.sadd("key", "1") if kind == b"string" else source.client.set("key", "1")

    source.client.set("key", "1")
    with opened(source) as server, pytest.raises(errors.RedisKeyUnsettled):
        read(Meddling(Meddling(server, "GET", cycle([change])), "SMEMBERS", cycle([change])))


def test_a_large_key_that_vanishes_between_two_pages_leaves_nothing(source, opened):
    source.client.sadd("set", *range(30_000))
    scans = iter(["first", "second"])
    with opened(source) as server:
        changes = (lambda: next(scans) == "second" and source.client.delete("set") for _ in range(2))
        found = read(Meddling(server, "SSCAN", changes))

    assert found[-1] == KeyRecord(b"set", portable_keys.GONE)


def test_counters_are_each_exact_at_a_moment_of_the_reading(source, opened):
    """A writer adds to pairs in one transaction, and leaves keys that come and go."""
    pairs = [(f"a{number}", f"b{number}") for number in range(300)]
    ended = threading.Event()

    def write():
        for round_ in cycle(range(1, 1 << 30)):
            with source.client.pipeline(transaction=True) as pipe:
                for name in pairs[round_ % len(pairs)]:
                    pipe.incr(name)
                pipe.set(f"brief{round_}", "", px=1)
                pipe.execute()
            if ended.is_set():
                return

    for name in (name for pair in pairs for name in pair):
        source.client.set(name, 0)
    before = {name: int(source.client.get(name)) for name, _ in pairs}
    writer = threading.Thread(target=write)
    writer.start()
    with opened(source) as server:
        found = by_key(read(server))
    ended.set()
    writer.join()
    after = {name: int(source.client.get(name)) for name, _ in pairs}

    assert all(before[name] <= int(found[name.encode()].value) <= after[name] for name, _ in pairs)
    assert {name.encode() for pair in pairs for name in pair} <= found.keys()


def test_each_command_of_a_reading_is_among_those_whose_right_is_asked(source, opened):
    source.client.config_resetstat()
    for key, kind in (("s", "set"), ("z", "zset"), ("h", "hash")):
        fill = {"set": "SADD", "zset": "ZADD", "hash": "HSET"}[kind]
        words = [word for number in range(10_001) for word in ((number,) if kind == "set" else (number, number))]
        source.client.execute_command(fill, key, *words)
        source.client.execute_command(fill, f"small-{key}", *words[:2])
    source.client.set("big", b"x" * (5 << 20))
    source.client.set("small", b"")
    source.client.rpush("list", *range(10_001))
    source.client.rpush("small-list", "1")
    source.client.config_resetstat()
    with opened(source) as server:
        read(server)
        server.keys()
    used = {name.removeprefix("cmdstat_").upper() for name in source.client.info("commandstats")}

    assert used - {"CONFIG", "PING", "CLIENT", "SELECT"} == set(key_reading.COMMANDS)
