"""The address of a database as it stands in System's Secret."""

import pytest

from steps import errors
from steps.postgresql import postgresql_address
from steps.postgresql.postgresql_address import Certificates


def of(url, **more):
    return postgresql_address.of("system-database", "URL", url, **more)


def test_an_address_has_all_that_a_login_needs():
    found = of("postgresql://system:p%40ss%2Fword@db.example.com:5433/system")

    assert (found.host, found.port, found.database, found.user) == ("db.example.com", 5433, "system", "system")
    assert found.password == "p@ss/word"  # noqa: S105  of no server


def test_the_port_is_that_of_postgresql():
    assert of("postgres://me@db/system").port == 5432


def test_the_mode_of_the_secret_comes_before_that_of_the_address():
    url = "postgresql://me@db/system?sslmode=require"

    assert (of(url).mode, of(url, mode="verify-full").mode) == ("require", "verify-full")


@pytest.mark.parametrize(
    ("url", "engine"), [("mysql2://root:pw@db/system", "MySQL"), ("oracle-enhanced://me:pw@db:1521/system", "Oracle")]
)
def test_another_engine_is_refused_by_its_name_with_the_way_out(url, engine):
    with pytest.raises(errors.DatabaseEngineUnknown) as raised:
        of(url)

    assert f" is {engine}, which can't be copied" in str(raised.value)
    assert "`databases=...`" in str(raised.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("system-database", "it begins with none of postgresql, mysql2, oracle-enhanced"),
        ("postgresql://db/system", "it names no user"),
        ("postgresql://me@/system", "it names no host"),
        ("postgresql://me@db", "it names no database"),
        ("postgresql://db", "it names no user and no database"),
        ("postgresql://me@db:port/system", "its host or port is not valid"),
        (
            "postgresql://me@db/system?sslmode=on",
            "its TLS mode is none of disable, allow, prefer, require, verify-ca, verify-full",
        ),
    ],
)
def test_what_is_no_address_is_refused_by_the_key(url, why):
    with pytest.raises(errors.DatabaseAddressInvalid) as raised:
        of(url)

    assert str(raised.value).endswith(f"no usable address of a database: {why}. Correct the key.")


def test_no_password_is_in_the_representation():
    found = of("postgresql://me:secret@db/system", certificates=Certificates(key="secret"))

    assert "secret" not in repr(found)
