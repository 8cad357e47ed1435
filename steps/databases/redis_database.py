"""Backend's and System's Redis in a backup: one file of portable keys for each address, one line a key or a page."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from steps.archive import layout
from steps.archive.manifest import DatabaseCopy, Report
from steps.databases import copied_files
from steps.databases.survey import Surveyed
from steps.files import volume, writing
from steps.files.beneath import closed
from steps.kubernetes import times
from steps.redis import key_reading, portable_keys, redis_server
from steps.redis.portable_keys import GONE, KeyRecord
from steps.redis.redis_address import RedisAddress
from steps.redis.redis_server import RedisFacts
from steps.threescale import redis_keys

log = logging.getLogger(__name__)

_BLOCK = 1 << 20
_RESQUE = "resque:"
Addresses = Mapping[str, RedisAddress]  # by the names of their files


class _Read(NamedTuple):
    """What was read from one address."""

    kinds: Counter[str]
    providers: set[str]
    facts: RedisFacts


def addresses(**by_name: RedisAddress) -> Addresses:
    """Return each address once: storage and queues of Backend may be one database."""
    found: dict[str, RedisAddress] = {}
    for name, each in by_name.items():
        if each.place not in [other.place for other in found.values()]:
            found[name] = each
    return found


def survey(found: Addresses, private: Path) -> Surveyed:
    """Ask whether each address can be copied. Nothing is written.

    Raises:
        errors.RedisIsCluster, RedisTooOld, RedisRightsMissing, and those of `redis_server.failures`

    """
    words, size = [], 0
    for name, address in found.items():
        with redis_server.opened(address, private) as server:
            facts = server.check()
            server.check_rights(key_reading.COMMANDS)
            words.append(f"{name}: {facts.engine} {facts.version}, {server.keys()} keys")
            size += facts.memory
    return Surveyed("; ".join(words), size)


def save(database: str, found: Addresses, root: Path, private: Path) -> Report:
    """Copy all keys to the volume of a backup. An earlier try's copy is removed.

    Raises:
        as `key_reading.read`; errors of `volume.failures`

    """
    folder = f"{layout.DATABASES}/{database}"
    began = times.now()
    copied_files.clear(root, folder)
    read = [_save(database, each, root, f"{folder}/{name}.jsonl", private) for name, each in found.items()]
    kinds = sum((each.kinds for each in read), Counter[str]())
    copy = DatabaseCopy(
        engine=read[0].facts.engine,
        version=read[0].facts.version,
        began=began,
        ended=times.now(),
        counts=dict(sorted(kinds.items())),
        same=tuple(sorted(set().union(*(each.providers for each in read)))),
        files=copied_files.finish(root, folder),
    )
    told = ", ".join(f"{count} {name}" for name, count in copy.counts.items()) or "no keys"
    log.info("%s: copied, %s, %d bytes", database, told, copy.size_bytes)
    return Report(database=copy)


def _save(database: str, address: RedisAddress, root: Path, path: str, private: Path) -> _Read:
    kinds: Counter[str] = Counter()
    providers: set[str] = set()
    with redis_server.opened(address, private) as server:
        facts = server.check()
        server.check_rights(key_reading.COMMANDS)
        lines = _counted(database, key_reading.read(server), kinds, providers)
        with volume.failures(root, path), closed(writing.opened_to_write(root, path)) as descriptor:
            block = bytearray()
            for line in lines:
                block += line
                if len(block) >= _BLOCK:
                    writing.put(descriptor, block)
                    block.clear()
            writing.put(descriptor, block)
    return _Read(kinds, providers, facts)


def _counted(database: str, records: Iterator[KeyRecord], kinds: Counter[str], providers: set[str]) -> Iterator[bytes]:
    """Yield the lines of records, and count their keys. A provider key is kept as a digest: it is a credential."""
    for record in records:
        if record.page == 0:
            kinds[redis_keys.kind(database, record.key)] += -1 if record.type == GONE else 1
            if found := redis_keys.provider(record.key):
                providers.add(hashlib.sha256(found).hexdigest())
        yield portable_keys.text(record)


def queued(found: Addresses, private: Path) -> int:
    """Return the number of jobs in the queues of Backend, which resque keeps as lists named in a set."""
    total = 0
    for address in found.values():
        with redis_server.opened(address, private) as server:
            names = server.ask("SMEMBERS", f"{_RESQUE}queues")
            total += sum(int(server.ask("LLEN", f"{_RESQUE}queue:".encode() + name)) for name in names)
    return total
