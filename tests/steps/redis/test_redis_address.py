"""Addresses of Redis as they stand in 3scale's Secrets."""

import pytest

from steps import errors
from steps.redis import redis_address
from steps.redis.redis_address import Access, Login, Tls

PASSWORD = "p@ss:word/1"  # noqa: S105  of no server


def of(url, **more):
    return redis_address.of("backend-redis", "REDIS_STORAGE_URL", url, Access(**more))


def test_an_address_has_host_port_and_number():
    found = of("redis://redis.example.com:6380/3")

    assert (found.host, found.port, found.number, found.tls) == ("redis.example.com", 6380, 3, None)


def test_a_host_alone_is_an_address():
    assert of("backend-redis").place == ("backend-redis", 6379, 0, ())


def test_a_password_in_the_address_is_decoded():
    assert of("redis://me:p%40ss%3Aword%2F1@host").login == Login("me", PASSWORD)


def test_a_user_of_its_own_in_the_secret_comes_first():
    assert of("redis://me:mine@host", login=Login("other", PASSWORD)).login == Login("other", PASSWORD)


def test_rediss_means_tls_and_the_certificates_of_the_secret():
    assert of("rediss://host", tls=Tls(ca="pem")).tls == Tls(ca="pem")


def test_sentinels_are_read_in_all_forms_that_3scale_takes():
    found = of("redis://mymaster/1", sentinels="one:5000, redis://two , three")

    assert found.sentinels == (("one", 5000), ("two", 26379), ("three", 26379))
    assert found.host == "mymaster"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://host", "its scheme is http, not redis or rediss"),
        ("redis://", "it names no host"),
        ("redis://host:port", "its host or port is not valid"),
        ("redis://host/first", "what follows the host is not the number of a database"),
        ("redis://[::1", "its host or port is not valid"),
    ],
)
def test_what_is_no_address_is_refused_by_the_key_and_never_shown(url, why):
    with pytest.raises(errors.RedisAddressInvalid) as raised:
        of(url)

    assert str(raised.value) == (
        f"The key REDIS_STORAGE_URL in Secret backend-redis holds no usable address of a Redis: {why}. Correct the key."
    )


def test_an_invalid_host_of_a_sentinel_is_refused():
    with pytest.raises(errors.RedisAddressInvalid, match="a host of its Sentinels is not valid"):
        of("redis://mymaster", sentinels="one:none")


def test_no_password_is_in_the_representation():
    assert "secret" not in repr(of("rediss://me:secret@host", tls=Tls(key="secret")))
