"""The address of a Redis, as 3scale's Secrets give it: one server, or a group that Sentinels look after."""

from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from steps import errors

_PORT, _SENTINEL_PORT = 6379, 26379
_SCHEMES = {"redis": False, "rediss": True}


class Tls(NamedTuple):
    """Texts of certificates in PEM. Without `ca` the system's authorities are trusted."""

    ca: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True)
class Login:
    """A user of an ACL and a password. Empty: none is needed."""

    user: str = ""
    password: str = field(default="", repr=False)


class Access(NamedTuple):
    """What stands beside an address in a Secret. `sentinels` are hosts, separated by commas."""

    login: Login = Login()
    tls: Tls = Tls()
    sentinels: str = ""
    sentinel_login: Login = Login()


_BY_ADDRESS = Access()


@dataclass(frozen=True)
class RedisAddress:
    """Where a database of a Redis is, and how to log in. `name` is that of the Secret.

    With `sentinels`, `host` is the name of the group whose master is asked for.
    """

    name: str
    host: str
    port: int = _PORT
    number: int = 0
    login: Login = Login()
    tls: Tls | None = field(default=None, repr=False)
    sentinels: tuple[tuple[str, int], ...] = ()
    sentinel_login: Login = Login()

    @property
    def place(self) -> tuple[str, int, int, tuple[tuple[str, int], ...]]:
        """What tells two databases apart: server, port, number and Sentinels."""
        return self.host, self.port, self.number, self.sentinels


def of(name: str, key: str, url: str, access: Access = _BY_ADDRESS) -> RedisAddress:
    """Read an address, such as `rediss://user:password@host:6379/1`. `key` is that of the Secret, for messages.

    A user or password of its own in the Secret comes before that in the address, as in 3scale.

    Raises:
        errors.RedisAddressInvalid

    """
    parts, port = _split(name, key, url)
    return RedisAddress(
        name=name,
        host=parts.hostname or "",
        port=port,
        number=_number(name, key, parts.path),
        login=Login(
            access.login.user or unquote(parts.username or ""), access.login.password or unquote(parts.password or "")
        ),
        tls=access.tls if _SCHEMES[parts.scheme] else None,
        sentinels=_sentinels(name, key, access.sentinels),
        sentinel_login=access.sentinel_login,
    )


def _split(name: str, key: str, url: str) -> tuple[SplitResult, int]:
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"redis://{text}")
        port = parts.port or _PORT
    except ValueError as error:
        raise errors.RedisAddressInvalid(name, key, "its host or port is not valid") from error
    if parts.scheme not in _SCHEMES:
        raise errors.RedisAddressInvalid(name, key, f"its scheme is {parts.scheme}, not redis or rediss")
    if not parts.hostname:
        raise errors.RedisAddressInvalid(name, key, "it names no host")
    return parts, port


def _number(name: str, key: str, path: str) -> int:
    text = path.strip("/")
    if text and not text.isdecimal():
        raise errors.RedisAddressInvalid(name, key, "what follows the host is not the number of a database")
    return int(text or 0)


def _sentinels(name: str, key: str, told: str) -> tuple[tuple[str, int], ...]:
    """Read the hosts of Sentinels, separated by commas: `host:port`, `redis://host:port` or `host`."""
    found = []
    for each in filter(None, (text.strip() for text in told.split(","))):
        try:
            parts = urlsplit(each if "://" in each else f"redis://{each}")
            host, port = parts.hostname, parts.port or _SENTINEL_PORT
        except ValueError as error:
            raise errors.RedisAddressInvalid(name, key, "a host of its Sentinels is not valid") from error
        if not host:
            raise errors.RedisAddressInvalid(name, key, "a host of its Sentinels is not valid")
        found.append((host, port))
    return tuple(found)
