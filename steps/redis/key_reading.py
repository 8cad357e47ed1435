"""All keys of a database of a Redis, in their portable form, by SCAN.

SCAN yields each key that stays at least once, maybe twice. Keys that come or go meanwhile may be missing: each record
is exact at some moment of the reading, and not with the others. For that moment the value and the expiry of a key are
read in one transaction.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from redis import exceptions

from steps import errors
from steps.redis import redis_server
from steps.redis.portable_keys import GONE, HASH, LIST, SET, SORTED_SET, STRING, TYPES, KeyRecord
from steps.redis.redis_server import NO_SUCH_KEY, RedisServer

BATCH = 500  # keys in a round trip
PAGE = 10_000  # elements
_PIECE_BYTES = 4 << 20  # of strings in one answer
_TRIES = 10
_NO_EXPIRY, _NO_KEY = -1, -2  # as PTTL says them
_SIZES = {STRING: "STRLEN", LIST: "LLEN", SET: "SCARD", SORTED_SET: "ZCARD", HASH: "HLEN"}
_WHOLE: dict[str, tuple[Any, ...]] = {
    STRING: ("GET",),
    LIST: ("LRANGE", 0, -1),
    SET: ("SMEMBERS",),
    SORTED_SET: ("ZRANGE", 0, -1, "WITHSCORES"),
    HASH: ("HGETALL",),
}
_SCANS = {SET: "SSCAN", SORTED_SET: "ZSCAN", HASH: "HSCAN"}
# What a reading uses, with arguments under which each command does nothing.
COMMANDS: dict[str, tuple[str | int, ...]] = {
    **redis_server.COMMANDS,
    **dict.fromkeys(("TYPE", "PTTL", "GET", "SMEMBERS", "HGETALL", *_SIZES.values()), (NO_SUCH_KEY,)),
    **dict.fromkeys(("LRANGE", "ZRANGE", "GETRANGE"), (NO_SUCH_KEY, 0, -1)),
    **dict.fromkeys(_SCANS.values(), (NO_SUCH_KEY, 0)),
}


class _Sized(NamedTuple):
    """A key, its type, and its length in elements or bytes."""

    key: bytes
    type: str
    size: int


def read(server: RedisServer) -> Iterator[KeyRecord]:
    """Yield the records of all keys.

    Raises:
        errors.RedisKeyNotPortable, errors.RedisKeyUnsettled, and those of `redis_server.failures`

    """
    for keys in _scanned(server):
        yield from _batch(server, keys)
    _check_fields(server)


def names(server: RedisServer) -> Iterator[bytes]:
    """Yield the names of all keys. A key may come twice while keys come and go."""
    for keys in _scanned(server):
        yield from keys


def _scanned(server: RedisServer) -> Iterator[list[bytes]]:
    cursor = None
    while cursor != 0:
        cursor, keys = server.ask("SCAN", cursor or 0, "COUNT", BATCH)
        yield list(dict.fromkeys(keys))


def _batch(server: RedisServer, keys: Sequence[bytes]) -> Iterator[KeyRecord]:
    again: Sequence[bytes] = keys
    for _ in range(_TRIES):
        sized, again = _sizes(server, again)
        small = [each for each in sized if not _is_large(each)]
        for group in _groups(small):
            records, changed = _values(server, group)
            yield from records
            again += changed
        for each in filter(_is_large, sized):
            settled = yield from _pages(server, each)
            again += [] if settled else [each.key]
        if not again:
            return
    raise errors.RedisKeyUnsettled(server.address.name, ascii(again[0]))


def _sizes(server: RedisServer, keys: Sequence[bytes]) -> tuple[list[_Sized], list[bytes]]:
    """Return the keys with their types and lengths, without those that are gone, and those to ask again."""
    types = [_word(server, answer) for answer in server.answers([("TYPE", key) for key in keys])]
    odd = [f"{key!a} ({name})" for key, name in zip(keys, types, strict=True) if name not in {*TYPES, GONE}]
    if odd:
        raise errors.RedisKeyNotPortable(server.address.name, errors.Few.of(odd))
    there = [(key, name) for key, name in zip(keys, types, strict=True) if name != GONE]
    found, again = [], []
    for (key, name), size in zip(there, server.answers([(_SIZES[name], key) for key, name in there]), strict=True):
        if _has_changed(server, size):
            again.append(key)
        else:
            found.append(_Sized(key, name, size))
    return found, again


def _values(server: RedisServer, group: Sequence[_Sized]) -> tuple[list[KeyRecord], list[bytes]]:
    """Return the records of small keys, of one moment, and the keys that have changed their type."""
    commands = [((command := _WHOLE[each.type])[0], each.key, *command[1:]) for each in group]
    pairs = [words for each, command in zip(group, commands, strict=True) for words in (("PTTL", each.key), command)]
    answers = server.answers(pairs, together=True)
    now = _now_ms()
    found, again = [], []
    for each, left, value in zip(group, answers[::2], answers[1::2], strict=True):
        if _has_changed(server, left) or _has_changed(server, value):
            again.append(each.key)
        elif left != _NO_KEY and value not in (None, [], {}, set()):
            found.append(KeyRecord(each.key, each.type, _plain(each.type, value), _expires(left, now)))
    return found, again


def _pages(server: RedisServer, each: _Sized) -> Generator[KeyRecord, None, bool]:
    """Yield the pages of a large key, and return whether it stayed what it was. If not, it is read again."""
    left, now = int(server.ask("PTTL", each.key)), _now_ms()
    make = partial(KeyRecord, each.key, each.type)
    number = 0
    try:
        for value in _elements(server, each):
            yield make(value, _expires(left, now), number, more=True)
            number += 1
    except _Changed:
        yield KeyRecord(each.key, GONE)
        return False
    yield make(b"" if each.type == STRING else [], _expires(left, now), number, more=False)
    if server.ask("TYPE", each.key) in (each.type.encode(), each.type):
        return True
    yield KeyRecord(each.key, GONE)
    return False


class _Changed(Exception):
    """A key has changed its type while its pages were read."""


def _elements(server: RedisServer, each: _Sized) -> Iterator[Any]:
    if each.type in {STRING, LIST}:
        command, step = ("GETRANGE", _PIECE_BYTES) if each.type == STRING else ("LRANGE", PAGE)
        start = 0
        while value := _asked(server, command, each.key, start, start + step - 1):
            yield value
            start += step
        return
    cursor = None
    while cursor != 0:
        cursor, value = _asked(server, _SCANS[each.type], each.key, cursor or 0, "COUNT", PAGE)
        if value:
            yield _plain(each.type, value)


def _asked(server: RedisServer, *words: Any) -> Any:
    (answer,) = server.answers([words])
    if _has_changed(server, answer):
        raise _Changed
    return answer


def _has_changed(server: RedisServer, answer: Any) -> bool:
    """Return whether an answer says that the key has another type now. Another error is raised."""
    if isinstance(answer, exceptions.ResponseError) and str(answer).startswith("WRONGTYPE"):
        return True
    if isinstance(answer, Exception):
        server.refuse(answer)
    return False


def _word(server: RedisServer, answer: Any) -> str:
    if isinstance(answer, Exception):
        server.refuse(answer)
    return answer.decode() if isinstance(answer, bytes) else str(answer)


def _plain(of_type: str, value: Any) -> Any:
    """Return a value as a record holds it. Sets and hashes have no order; they get one, so that copies are alike."""
    if of_type == SET:
        return sorted(value)
    if of_type == HASH:
        return sorted(value.items())
    if of_type == SORTED_SET and value and not isinstance(value[0], tuple):
        return [(member, float(score)) for member, score in zip(value[::2], value[1::2], strict=True)]
    return value


def _is_large(each: _Sized) -> bool:
    return each.size > (_PIECE_BYTES if each.type == STRING else PAGE)


def _groups(keys: Sequence[_Sized]) -> Iterator[list[_Sized]]:
    """Yield keys in groups, whose answer fits into memory and holds the server up for a short time only."""
    group: list[_Sized] = []
    weight = 0.0
    for each in keys:
        of_key = each.size / (_PIECE_BYTES if each.type == STRING else PAGE)
        if group and weight + of_key > 1:
            yield group
            group, weight = [], 0.0
        group.append(each)
        weight += of_key
    if group:
        yield group


def _expires(left: int, now: int) -> int | None:
    return None if left == _NO_EXPIRY else now + max(left, 0)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _check_fields(server: RedisServer) -> None:
    """Refuse hashes whose fields have an expiry of their own, from Redis 7.4 and Valkey 9 on.

    INFO counts them by database, as `subexpiry` or `keys_with_volatile_items`.
    """
    told = server.ask("INFO", "keyspace").get(f"db{server.address.number}", {})
    count = int(told.get("subexpiry", 0) or told.get("keys_with_volatile_items", 0))
    if count:
        raise errors.RedisKeyNotPortable(
            server.address.name, errors.Few.of([f"{count} hashes with an expiry of single fields"])
        )
