"""Backend's and System's Redis in a backup: one file of portable keys for each address, one line a key or a page."""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from steps import errors
from steps.archive import layout
from steps.archive.contents import Backup
from steps.archive.manifest import DatabaseCopy, Report
from steps.databases import copied_files, logins
from steps.databases.logins import SYSTEM_REDIS
from steps.databases.survey import Surveyed
from steps.databases.target import MARKER, Becomes, DatabaseTarget
from steps.files import volume, writing
from steps.files.beneath import closed
from steps.kubernetes import times
from steps.redis import key_reading, key_writing, portable_keys, redis_server
from steps.redis.key_writing import Written
from steps.redis.portable_keys import GONE, KeyRecord
from steps.redis.redis_address import RedisAddress
from steps.redis.redis_server import RedisFacts, RedisServer
from steps.threescale import redis_keys
from steps.threescale.redis_keys import QUEUES, UNKNOWN

log = logging.getLogger(__name__)

_BLOCK = 1 << 20
_RESQUE = "resque:"
_STORAGE_AT, _QUEUES_AT = "storage", "queues"  # the names of Backend's addresses
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


def of(database: str, keys: Mapping[str, str]) -> Addresses:
    """Return the addresses in the Secret of a Redis. Raises as `redis_address.of`."""
    if database == SYSTEM_REDIS:
        return addresses(redis=logins.system_redis(keys))
    return addresses(**{_STORAGE_AT: logins.backend_storage(keys), _QUEUES_AT: logins.backend_queues(keys)})


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


def look(database: str, found: Addresses, copy: DatabaseCopy, digest: str, private: Path) -> DatabaseTarget:
    """Return what is to become of a Redis. `digest` is that of the backup's manifest.

    Raises:
        errors.RedisOfAnother: it holds keys, and not those of this installation; those of `redis_server.failures`

    """
    words, warnings, is_empty, is_same = [], [], True, False
    for name, address in found.items():
        with redis_server.opened(address, private) as server:
            facts = server.check()
            server.check_rights(key_writing.COMMANDS)
            kinds, providers = _kinds(database, server)
            begun = server.ask("GET", MARKER)
            words.append(f"{name}: {facts.engine} {facts.version}, {sum(kinds.values())} keys")
            is_empty &= begun == digest.encode() or not (kinds.total() if database != SYSTEM_REDIS else kinds[UNKNOWN])
            is_same |= bool(providers & set(copy.same))
            if facts.evicts:
                warnings.append(f"{name}: maxmemory-policy {facts.memory_policy} deletes keys when the memory is full")
            if facts.memory_limit and facts.memory_limit - facts.memory < copy.size_bytes:
                warnings.append(f"{name}: its memory may be too small for a copy of {copy.size_bytes} bytes")
    told = "; ".join(words)
    if is_empty:
        return DatabaseTarget(Becomes.FILLED, f"{told}, gets {sum(copy.counts.values())} keys", tuple(warnings))
    if is_same:
        return DatabaseTarget(Becomes.LEFT, f"{told}, holds this installation", tuple(warnings))
    raise errors.RedisOfAnother(database, told)


def restore(database: str, found: Addresses, backup: Backup, copy: DatabaseCopy, private: Path, *, queues: bool) -> int:
    """Write the keys of a backup, and count them. Return the number of keys.

    A key of our own tells a later try that this one has begun.

    Raises:
        errors.BackupDamaged: the copy is not what was sealed; nothing is written
        errors.RedisCopyDamaged, RedisCopyDiffers, and those of `redis_server.failures`

    """
    copied_files.check(backup.root, copy.files)
    total = 0
    for name, address in found.items():
        with redis_server.opened(address, private) as server:
            server.ask("SET", MARKER, backup.digest)
            expected: Counter[str] = Counter()
            records = _wanted(database, backup.root, copy.files, queues=queues)
            written = key_writing.write(server, _destined(name, found, database, records, expected))
            server.ask("DEL", MARKER)
            _check(database, server, expected, written)
            total += written.keys
    log.info("%s: restored, %d keys", database, total)
    return total


def _wanted(database: str, root: Path, paths: Iterable[str], *, queues: bool) -> Iterator[tuple[str, KeyRecord]]:
    """Yield the records to restore, each with the name of the address that it belongs to."""
    for path in paths:
        for number, line in enumerate(_lines(root, path), 1):
            try:
                record = portable_keys.parse(line)
            except ValueError as error:
                raise errors.RedisCopyDamaged(path, number, str(error)) from error
            is_queued = redis_keys.kind(database, record.key) == QUEUES
            if queues or not is_queued:
                yield _QUEUES_AT if is_queued else PurePosixPath(path).stem, record


def _destined(
    name: str, found: Addresses, database: str, records: Iterable[tuple[str, KeyRecord]], expected: "Counter[str]"
) -> Iterator[KeyRecord]:
    """Yield the records for one address, and count their keys. There may be fewer addresses than at the backup."""
    first = next(iter(found))
    for belongs, record in records:
        if name == (belongs if belongs in found else first):
            if record.page == 0:
                expected[redis_keys.kind(database, record.key)] += -1 if record.type == GONE else 1
            yield record


def _lines(root: Path, path: str) -> Iterator[bytes]:
    with volume.failures(root, path), os.fdopen(volume.opened(root, path), "rb") as stream:
        yield from stream


def _check(database: str, server: RedisServer, expected: "Counter[str]", written: Written) -> None:
    """Compare the keys by kind. Keys with an expiry may have ended meanwhile, and a copy may hold a key twice."""
    found, _ = _kinds(database, server)
    lacking = expected.total() - found.total() - written.expired - written.again
    if lacking > written.expiring:
        told = [f"{found[kind]} instead of {count} keys of {kind}" for kind, count in expected.items()]
        raise errors.RedisCopyDiffers(database, errors.Few.of(told))


def _kinds(database: str, server: RedisServer) -> tuple["Counter[str]", set[str]]:
    """Count the keys of a database by kind, without our own one, and digest its provider keys."""
    kinds: Counter[str] = Counter()
    providers = set()
    for key in key_reading.names(server):
        if key != MARKER:
            kinds[redis_keys.kind(database, key)] += 1
            if provider := redis_keys.provider(key):
                providers.add(hashlib.sha256(provider).hexdigest())
    return kinds, providers
