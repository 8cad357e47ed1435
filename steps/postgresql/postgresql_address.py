"""The address of a database, as System's Secret gives it in `URL`, and how to log in."""

from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from steps import errors

_PORT = 5432
_SCHEMES = ("postgresql", "postgres")
_ENGINES = {"mysql2": "MySQL", "mysql": "MySQL", "oracle-enhanced": "Oracle", "oracle": "Oracle"}
# What Rails and libpq both read from the address.
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class Certificates(NamedTuple):
    """Texts in PEM. Empty: none."""

    ca: str = ""
    certificate: str = ""
    key: str = ""


_NONE = Certificates()


@dataclass(frozen=True)
class PostgresqlAddress:
    """Where a database is, and who asks. `name` is that of the Secret. An empty `mode` is libpq's `prefer`."""

    name: str
    host: str
    port: int
    database: str
    user: str
    password: str = field(default="", repr=False)
    mode: str = ""
    certificates: Certificates = field(default=_NONE, repr=False)


def engine_of(name: str, key: str, url: str) -> str:
    """Return the engine that an address names: `PostgreSQL`, `MySQL` or `Oracle`.

    Raises:
        errors.DatabaseAddressInvalid

    """
    scheme = url.strip().partition("://")[0]
    if scheme in _SCHEMES:
        return "PostgreSQL"
    if scheme not in _ENGINES:
        raise errors.DatabaseAddressInvalid(name, key, "it begins with none of postgresql, mysql2, oracle-enhanced")
    return _ENGINES[scheme]


def of(name: str, key: str, url: str, mode: str = "", certificates: Certificates = _NONE) -> PostgresqlAddress:
    """Read an address, such as `postgresql://user:password@host:5432/system`. `key` is that of the Secret.

    Raises:
        errors.DatabaseAddressInvalid, errors.DatabaseEngineUnknown

    """
    if (engine := engine_of(name, key, url)) != "PostgreSQL":
        raise errors.DatabaseEngineUnknown(name, engine)
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _PORT
    except ValueError as error:
        raise errors.DatabaseAddressInvalid(name, key, "its host or port is not valid") from error
    asked = mode or parse_qs(parts.query).get("sslmode", [""])[-1]
    lacking = [what for what, text in (("host", parts.hostname), ("user", parts.username)) if not text]
    if not parts.path.strip("/"):
        lacking.append("database")
    if lacking:
        raise errors.DatabaseAddressInvalid(name, key, f"it names no {' and no '.join(lacking)}")
    if asked and asked not in _MODES:
        raise errors.DatabaseAddressInvalid(name, key, f"its TLS mode is none of {', '.join(_MODES)}")
    return PostgresqlAddress(
        name=name,
        host=parts.hostname or "",
        port=port,
        database=unquote(parts.path.strip("/")),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        mode=asked,
        certificates=certificates,
    )
