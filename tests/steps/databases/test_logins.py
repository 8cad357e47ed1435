"""Where the databases are, as 3scale's Secrets of 2.16 say, and a person's values over them."""

import base64

import pytest

from steps import errors
from steps.databases import logins
from steps.redis.redis_address import Login, Tls


@pytest.fixture
def door(installed):
    return installed.connect()


def give(stage, name, **keys):
    """Apply a Secret of a person."""
    told = {key.replace("__", "."): value for key, value in keys.items()}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in told.items()}
    metadata = {"name": name, "namespace": stage.namespace}
    stage.kubernetes.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


def test_the_secrets_of_an_installation_name_all_four_addresses(door):
    found = {name: logins.keys(door, name) for name in ("system-database", "backend-redis", "system-redis")}

    assert logins.backend_storage(found["backend-redis"]).name == "backend-redis"
    assert logins.backend_queues(found["backend-redis"]).name == "backend-redis"
    assert logins.system_redis(found["system-redis"]).name == "system-redis"


def test_a_person_s_values_come_before_those_of_the_secret(installed, door):
    give(
        installed,
        "mine",
        **{"backend-redis.REDIS_STORAGE_URL": "redis://replica/2", "system-redis.URL": "redis://other"},
    )

    found = logins.keys(door, "backend-redis", "mine")

    assert logins.backend_storage(found).place == ("replica", 6379, 2, ())
    assert "URL" not in found


@pytest.mark.parametrize("key", ["URL", "zync.DATABASE_URL", "system-database."])
def test_a_key_that_replaces_nothing_is_refused(installed, door, key):
    give(installed, "mine", **{key: "value"})

    with pytest.raises(errors.BadOverride):
        logins.keys(door, "system-database", "mine")


def test_a_secret_that_is_missing_is_named(door):
    with pytest.raises(errors.ObjectsMissing, match="mine"):
        logins.keys(door, "system-database", "mine")


def test_tls_user_and_sentinels_are_those_of_each_part():
    keys = {
        "REDIS_STORAGE_URL": "rediss://storage/0",
        "REDIS_STORAGE_USERNAME": "counting",
        "REDIS_STORAGE_PASSWORD": "one",
        "REDIS_SSL_CA": "pem of storage",
        "REDIS_QUEUES_URL": "rediss://mymaster/1",
        "REDIS_QUEUES_PASSWORD": "two",
        "REDIS_QUEUES_SENTINEL_HOSTS": "watch:26379",
        "REDIS_QUEUES_SENTINEL_PASSWORD": "three",
        "REDIS_SSL_QUEUES_CA": "pem of queues",
    }

    storage, queues = logins.backend_storage(keys), logins.backend_queues(keys)

    assert (storage.login, storage.tls, storage.sentinels) == (Login("counting", "one"), Tls("pem of storage"), ())
    assert (queues.login, queues.tls) == (Login("", "two"), Tls("pem of queues"))
    assert (queues.sentinels, queues.sentinel_login) == ((("watch", 26379),), Login("", "three"))


def test_system_s_database_has_its_mode_and_certificates():
    found = logins.system_database(
        {"URL": "postgresql://me:pw@db/system", "DATABASE_SSL_MODE": "verify-full", "DB_SSL_CA": "pem"}
    )

    assert (found.mode, found.certificates.ca) == ("verify-full", "pem")
