"""Keys in their portable form go back into a database. Each page can be written twice, with the same result."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from steps.redis import redis_server
from steps.redis.portable_keys import GONE, HASH, LIST, SET, SORTED_SET, STRING, KeyRecord
from steps.redis.redis_server import NO_SUCH_KEY, RedisServer

_BATCH = 500
_ELEMENTS = 5_000  # of a command
_WRITES = {LIST: "RPUSH", SET: "SADD", SORTED_SET: "ZADD", HASH: "HSET"}
# What a writing uses, with arguments under which each command fails or does nothing.
COMMANDS: dict[str, tuple[str | int, ...]] = {
    **redis_server.COMMANDS,
    "GET": (NO_SUCH_KEY,),
    "DEL": (NO_SUCH_KEY,),
    "PEXPIREAT": (NO_SUCH_KEY, 1),
    **dict.fromkeys(("SET", "APPEND", *_WRITES.values()), (NO_SUCH_KEY,)),  # refused for want of a value
}


class Written(NamedTuple):
    """How many keys were written, and how many of them have an expiry.

    `expired` have ended since the copy; `again` were in the copy twice.
    """

    keys: int = 0
    expired: int = 0
    again: int = 0
    expiring: int = 0


def write(server: RedisServer, records: Iterable[KeyRecord]) -> Written:
    """Write records, in their order. A key that has expired since is left out.

    Raises:
        those of `redis_server.failures`

    """
    keys = expired = again = expiring = 0
    source = iter(records)
    while batch := list(islice(source, _BATCH)):
        now = time.time_ns() // 1_000_000
        living = [each for each in batch if each.expires_ms is None or each.expires_ms > now]
        first = [each for each in living if each.page == 0]
        commands = [(number, words) for number, each in enumerate(living) for words in _commands(each)]
        answers = server.answers([words for _, words in commands], together=True)
        for answer in (each for each in answers if isinstance(each, Exception)):
            server.refuse(answer)
        there = [
            living[number]
            for (number, words), done in zip(commands, answers, strict=True)
            if words[0] == "DEL" and done
        ]
        again += sum(each.type != GONE for each in there)
        keys += sum(each.type != GONE for each in first) - len(there)
        expiring += sum(each.expires_ms is not None for each in first)
        expired += sum(each.page == 0 for each in batch) - len(first)
    return Written(keys, expired, again, expiring)


def _commands(record: KeyRecord) -> Iterator[tuple[Any, ...]]:
    """Yield the commands that write a record."""
    if record.page == 0:
        yield "DEL", record.key
    if record.type == STRING:
        yield ("APPEND" if record.page else "SET"), record.key, record.value
    elif record.type != GONE:
        yield from _elements(record)
    if record.expires_ms is not None and record.type != GONE:
        yield "PEXPIREAT", record.key, record.expires_ms


def _elements(record: KeyRecord) -> Iterator[tuple[Any, ...]]:
    elements = iter(record.value)
    while some := list(islice(elements, _ELEMENTS)):
        if record.type == SORTED_SET:
            words = [word for member, score in some for word in (repr(score), member)]
        elif record.type == HASH:
            words = [word for pair in some for word in pair]
        else:
            words = some
        yield _WRITES[record.type], record.key, *words
