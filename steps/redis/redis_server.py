"""A connection to a Redis: whom it asks, what the server is, and what its refusals mean."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, NoReturn

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from steps import errors
from steps.process import interruption, private_file
from steps.redis.redis_address import Login, RedisAddress, Tls

OLDEST = (6, 2)
NO_SUCH_KEY = "threescale-backup:no-such-key"
# What both a reading and a writing use, with arguments under which each command does nothing.
COMMANDS: dict[str, tuple[str | int, ...]] = {"MULTI": (), "EXEC": (), "INFO": (), "DBSIZE": (), "SCAN": (0,)}
_CONNECT_S, _ANSWER_S = 10.0, 60.0  # a batch of large keys takes a while
_WORDS = 200
# What the client raises or the server says, the first that fits.
_MEANINGS: list[tuple[Callable[[str, str], errors.PhaseError], tuple[type[Exception], ...], tuple[str, ...]]] = [
    (
        errors.RedisPasswordWrong,
        (exceptions.AuthenticationError,),
        ("WRONGPASS", "NOAUTH", "invalid username-password", "invalid password", "without any password"),
    ),
    (errors.RedisReadOnly, (exceptions.ReadOnlyError,), ()),
    (errors.RedisFull, (exceptions.OutOfMemoryError,), ()),
    (errors.RedisTlsRefused, (), ("SSL", "certificate", "Certificate")),
    (
        errors.RedisBusy,
        (exceptions.BusyLoadingError,),
        ("LOADING", "BUSY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "NOREPLICAS"),
    ),
    (
        errors.RedisNoAnswer,
        (exceptions.ConnectionError, exceptions.TimeoutError, OSError, MasterNotFoundError),
        (),
    ),
]
_NAMES = r"[A-Za-z0-9_.-]+"


class RedisFacts(NamedTuple):
    """What a server tells of itself. Sizes are in bytes; no `memory_limit` is 0."""

    engine: str
    version: str
    role: str
    cluster: bool
    memory: int
    memory_limit: int
    memory_policy: str

    @property
    def evicts(self) -> bool:
        """Whether the server deletes keys when its memory is full."""
        return bool(self.memory_limit) and self.memory_policy not in ("noeviction", "")


class RedisServer:
    """One database of a Redis."""

    def __init__(self, address: RedisAddress, client: "redis.Redis") -> None:
        self.address = address
        self.client = client

    def ask(self, *words: str | bytes | int) -> Any:
        """Run one command, and return the answer. Raises the errors of `failures`."""
        with failures(self.address):
            return self.client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis types its commands by name only

    def answers(self, commands: list[tuple[Any, ...]], *, together: bool = False) -> list[Any]:
        """Run commands in one round trip; `together` as one transaction. An error of one command is its answer.

        Raises:
            as `failures`, if the server answers none

        """
        interruption.point()
        if not commands:
            return []
        with failures(self.address), self.client.pipeline(transaction=together) as pipe:
            for words in commands:
                pipe.execute_command(*words)  # type: ignore[no-untyped-call]
            return list(pipe.execute(raise_on_error=False))

    def refuse(self, answer: Exception) -> NoReturn:
        """Raise what the answer to one command of several means."""
        with failures(self.address):
            raise answer

    def keys(self) -> int:
        """Return the number of keys of this database."""
        return int(self.ask("DBSIZE"))

    def facts(self) -> RedisFacts:
        """Return what the server tells of itself."""
        told: Mapping[str, Any] = self.ask("INFO")
        engine = "Valkey" if told.get("server_name") == "valkey" or "valkey_version" in told else "Redis"
        version = str(told.get("valkey_version") or told.get("redis_version", ""))
        return RedisFacts(
            engine=engine,
            version=version,
            role=str(told.get("role", "")),
            cluster=str(told.get("cluster_enabled", 0)) == "1",
            memory=int(told.get("used_memory", 0)),
            memory_limit=int(told.get("maxmemory", 0)),
            memory_policy=str(told.get("maxmemory_policy", "")),
        )

    def check(self) -> RedisFacts:
        """Return what the server tells of itself, if a complete copy of it can be made.

        Raises:
            errors.RedisIsCluster, errors.RedisTooOld

        """
        found = self.facts()
        if found.cluster:
            raise errors.RedisIsCluster(self.address.name)
        if tuple(int(part) for part in re.findall(r"\d+", found.version)[:2]) < OLDEST:
            raise errors.RedisTooOld(self.address.name, found.version)
        return found

    def check_rights(self, commands: Mapping[str, tuple[str | int, ...]]) -> None:
        """Try each command once, with its arguments, on a key that does not exist.

        A user of an ACL gets its refusal before the server looks at the key.

        Raises:
            errors.RedisRightsMissing

        """
        found = self.answers([(name, *arguments) for name, arguments in commands.items()])
        tried = zip(commands, found, strict=True)
        lacking = [name for name, answer in tried if isinstance(answer, exceptions.NoPermissionError)]
        if lacking:
            raise errors.RedisRightsMissing(self.address.name, self.address.login.user or "default", lacking)


@contextmanager
def opened(address: RedisAddress, private: Path) -> Iterator[RedisServer]:
    """Connect, for the time of the block. `private` is a folder in memory for the certificates.

    Raises:
        as `failures`

    """
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="redis-", dir=private, ignore_cleanup_errors=True) as folder:
        own = _settings(address, Path(folder))
        with failures(address), _client(address, {**own, "socket_timeout": _CONNECT_S}) as probe:
            probe.ping()  # a server that takes no TLS says nothing
        with _client(address, {**own, "socket_timeout": _ANSWER_S}) as client:
            yield RedisServer(address, client)


@contextmanager
def failures(address: RedisAddress) -> Iterator[None]:
    """Say in our words what the client raises.

    Raises:
        errors.RedisPasswordWrong, RedisTlsRefused, RedisNoAnswer, RedisReadOnly, RedisBusy, RedisFull,
        RedisRightsMissing, RedisRefused

    """
    try:
        yield
    except (exceptions.RedisError, OSError) as error:
        raise _meaning(address, error) from error


def _meaning(address: RedisAddress, error: Exception) -> errors.PhaseError:
    name, words = address.name, _shown(error, address)
    if isinstance(error, exceptions.NoPermissionError):
        command = re.search(rf"'({_NAMES})' command", words)
        lacking = command[1].upper() if command else "a command or key"
        return errors.RedisRightsMissing(name, address.login.user or "default", [lacking])
    for meaning, kinds, signs in _MEANINGS:
        if isinstance(error, kinds) or any(each in words for each in signs):
            return meaning(name, words)
    return errors.RedisRefused(name, words)


def _shown(error: Exception, address: RedisAddress) -> str:
    """Return the first words of an error, without the password."""
    text = " ".join(str(error).split()) or type(error).__name__
    for secret in (address.login.password, address.sentinel_login.password):
        text = text.replace(secret, "***") if secret else text
    return text[:_WORDS]


def _client(address: RedisAddress, settings: Mapping[str, Any]) -> "redis.Redis":
    if not address.sentinels:
        return redis.Redis(host=address.host, port=address.port, **settings)
    own = {**settings, "username": None, "password": None, "db": 0, **_login(address.sentinel_login)}
    sentinel = Sentinel(list(address.sentinels), sentinel_kwargs=own)  # type: ignore[no-untyped-call]
    master: redis.Redis = sentinel.master_for(address.host, **settings)  # type: ignore[no-untyped-call]
    return master


def _settings(address: RedisAddress, folder: Path) -> dict[str, Any]:
    return {
        "db": address.number,
        "socket_connect_timeout": _CONNECT_S,
        "protocol": 2,  # one form of answers from all versions
        "retry": Retry(NoBackoff(), 0),  # a copy is begun anew, never resumed
        **_login(address.login),
        **_tls(address.tls, folder),
    }


def _login(login: Login) -> dict[str, str]:
    return {
        **({"username": login.user} if login.user else {}),
        **({"password": login.password} if login.password else {}),
    }


def _tls(tls: Tls | None, folder: Path) -> dict[str, Any]:
    """Write certificates, and return the settings that name them."""
    if tls is None:
        return {}
    settings: dict[str, Any] = {"ssl": True}
    for setting, text in (("ssl_ca_certs", tls.ca), ("ssl_certfile", tls.certificate), ("ssl_keyfile", tls.key)):
        if text:
            settings[setting] = str(private_file.write(folder / setting, text))
    return settings
