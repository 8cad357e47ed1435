"""Keys go back into a real Redis, equal by the server's own digest, however often they are written."""

import math
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as draw

from steps import errors
from steps.redis import key_reading, key_writing, portable_keys
from steps.redis.key_writing import Written
from steps.redis.portable_keys import GONE, LIST, STRING, KeyRecord

FUTURE_MS = 4_000_000_000_000
data = draw.binary(max_size=8) | draw.text(max_size=8).map(str.encode)
some = {"min_size": 1, "max_size": 5}
VALUES = {
    "string": data,
    "list": draw.lists(data, **some),
    "set": draw.sets(data, **some).map(sorted),
    "zset": draw.dictionaries(data, draw.floats(allow_nan=False), **some).map(lambda found: list(found.items())),
    "hash": draw.dictionaries(data, data, **some).map(lambda found: list(found.items())),
}
keys = draw.dictionaries(
    data,
    draw.sampled_from(sorted(VALUES)).flatmap(
        lambda name: draw.tuples(draw.just(name), VALUES[name], draw.none() | draw.integers(FUTURE_MS, FUTURE_MS * 2))
    ),
    max_size=12,
)


def give(client, found):
    """Write keys with a client's own commands."""
    write = {
        "string": client.set,
        "list": lambda key, value: client.rpush(key, *value),
        "set": lambda key, value: client.sadd(key, *value),
        "zset": lambda key, value: client.zadd(key, dict(value)),
        "hash": lambda key, value: client.hset(key, mapping=dict(value)),
    }
    for key, (name, value, expires) in found.items():
        write[name](key, value)
        if expires is not None:
            client.pexpireat(key, expires)


def lines(source, opened):
    with opened(source) as server:
        return [portable_keys.text(each) for each in key_reading.read(server)]


def write(target, opened, found):
    with opened(target) as server:
        return key_writing.write(server, map(portable_keys.parse, found))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=keys)
def test_any_keys_come_back_as_they_were(servers, opened, found):
    source, target = servers
    source.client.flushall()
    target.client.flushall()
    give(source.client, found)

    write(target, opened, lines(source, opened))

    assert target.digest() == source.digest()
    assert {key: target.client.pttl(key) < 0 for key in found} == {key: each[2] is None for key, each in found.items()}


def test_an_expiry_comes_back_as_the_same_moment(source, target, opened):
    source.client.set("minute", "1", px=180_000)
    found = lines(source, opened)
    time.sleep(0.3)

    write(target, opened, found)

    assert target.client.pttl("minute") == pytest.approx(source.client.pttl("minute"), abs=200)


def test_large_keys_come_back_and_twice_is_the_same(source, target, opened):
    source.client.rpush("list", *range(25_001))
    source.client.zadd("zset", {str(number): number / 7 for number in range(12_000)} | {"top": math.inf})
    source.client.set("string", b"\xff" * (9 << 20), px=900_000)
    source.client.hset("hash", mapping={str(number): "" for number in range(11_000)})
    found = lines(source, opened)

    first, second = write(target, opened, found), write(target, opened, found)

    assert target.digest() == source.digest()
    assert (first, second) == (Written(4, expiring=1), Written(again=4, expiring=1))


def test_what_has_expired_is_left_out(target, opened):
    with opened(target) as server:
        done = key_writing.write(server, [KeyRecord(b"old", STRING, b"", 1), KeyRecord(b"new", STRING, b"", FUTURE_MS)])

    assert target.client.keys() == [b"new"]
    assert done == Written(1, expired=1, expiring=1)


def test_a_large_key_that_expires_between_its_pages_does_not_stay(target, opened):
    soon = time.time_ns() // 1_000_000 + 300
    pages = [KeyRecord(b"list", LIST, [b"1"], soon, number, number < 1000) for number in range(1001)]

    def slowly():
        for number, each in enumerate(pages):
            if number == 500:
                time.sleep(0.4)
            yield each

    with opened(target) as server:
        key_writing.write(server, slowly())

    assert target.client.keys() == []


def test_a_key_that_was_gone_at_its_last_page_is_deleted(target, opened):
    with opened(target) as server:
        done = key_writing.write(server, [KeyRecord(b"k", LIST, [b"1"], None, 0, more=True), KeyRecord(b"k", GONE)])

    assert target.client.keys() == []
    assert done == Written()


def test_a_key_that_a_scan_has_yielded_twice_counts_once(target, opened):
    with opened(target) as server:
        done = key_writing.write(server, [KeyRecord(b"k", STRING, b"1"), KeyRecord(b"k", STRING, b"2")])

    assert target.client.get("k") == b"2"
    assert done == Written(1, again=1)


def test_a_server_that_is_full_ends_the_writing(target, opened):
    target.client.config_set("maxmemory", 1)
    try:
        with opened(target) as server, pytest.raises(errors.RedisFull):
            key_writing.write(server, [KeyRecord(b"k", STRING, b"1")])
    finally:
        target.client.config_set("maxmemory", 0)


def test_a_read_only_replica_asks_for_another_try(source, target, opened):
    target.client.replicaof("127.0.0.1", source.port)
    try:
        with opened(target) as server, pytest.raises(errors.RedisReadOnly):
            key_writing.write(server, [KeyRecord(b"k", STRING, b"1")])
    finally:
        target.client.replicaof("NO", "ONE")


def test_trying_the_rights_writes_nothing(target, opened):
    with opened(target) as server:
        server.check_rights(key_writing.COMMANDS)

    assert target.client.keys() == []
