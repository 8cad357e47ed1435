"""Where the three databases are and how to log in, as their Secrets say, with the values of a person over them.

The keys are those of 3scale 2.16 (3scale-operator, pkg/3scale/amp/component/backend.go and system.go).
"""

import base64
from collections.abc import Mapping

from steps import errors
from steps.kubernetes.cluster import Cluster
from steps.parts import secrets
from steps.postgresql import postgresql_address
from steps.postgresql.postgresql_address import Certificates, PostgresqlAddress
from steps.redis import redis_address
from steps.redis.redis_address import Access, Login, RedisAddress, Tls

SYSTEM_DATABASE, BACKEND_REDIS, SYSTEM_REDIS = "system-database", "backend-redis", "system-redis"
Keys = Mapping[str, str]


def keys(cluster: Cluster, name: str, credentials: str = "") -> Keys:
    """Return the keys of a database's Secret, with those of `credentials` over them.

    Raises:
        errors.ObjectsMissing, errors.NamesNotAllowed, errors.KeysMissing, errors.BadOverride

    """
    found = decoded(secrets.data(cluster, name))
    for key, value in decoded(secrets.data(cluster, credentials) if credentials else {}).items():
        of, _, own = key.partition(".")
        if of not in (SYSTEM_DATABASE, BACKEND_REDIS, SYSTEM_REDIS) or not own:
            raise errors.BadOverride(credentials, key, [SYSTEM_DATABASE, BACKEND_REDIS, SYSTEM_REDIS])
        if of == name:
            found[own] = value
    return found


def system_database(found: Keys) -> PostgresqlAddress:
    """Return the address of System's database. Raises as `postgresql_address.of`."""
    certificates = Certificates(*(found.get(f"DB_SSL_{part}", "") for part in ("CA", "CERT", "KEY")))
    return postgresql_address.of(
        SYSTEM_DATABASE, "URL", found.get("URL", ""), found.get("DATABASE_SSL_MODE", ""), certificates
    )


def backend_storage(found: Keys) -> RedisAddress:
    """Return the address of Backend's counters. Raises as `redis_address.of`."""
    return _backend(found, "STORAGE", "REDIS_SSL_")


def backend_queues(found: Keys) -> RedisAddress:
    """Return the address of Backend's queues. Raises as `redis_address.of`."""
    return _backend(found, "QUEUES", "REDIS_SSL_QUEUES_")


def system_redis(found: Keys) -> RedisAddress:
    """Return the address of System's Redis. Raises as `redis_address.of`."""
    access = Access(
        Login(found.get("REDIS_USERNAME", ""), found.get("REDIS_PASSWORD", "")),
        _tls(found, "REDIS_SSL_"),
        found.get("SENTINEL_HOSTS", ""),
        Login(found.get("REDIS_SENTINEL_USERNAME", ""), found.get("REDIS_SENTINEL_PASSWORD", "")),
    )
    return redis_address.of(SYSTEM_REDIS, "URL", found.get("URL", ""), access)


def _backend(found: Keys, part: str, of_tls: str) -> RedisAddress:
    of_part = f"REDIS_{part}"
    access = Access(
        Login(found.get(f"{of_part}_USERNAME", ""), found.get(f"{of_part}_PASSWORD", "")),
        _tls(found, of_tls),
        found.get(f"{of_part}_SENTINEL_HOSTS", ""),
        Login(found.get(f"{of_part}_SENTINEL_USERNAME", ""), found.get(f"{of_part}_SENTINEL_PASSWORD", "")),
    )
    return redis_address.of(BACKEND_REDIS, f"{of_part}_URL", found.get(f"{of_part}_URL", ""), access)


def _tls(found: Keys, prefix: str) -> Tls:
    return Tls(*(found.get(f"{prefix}{part}", "") for part in ("CA", "CERT", "KEY")))


def decoded(data: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a Secret as texts."""
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
