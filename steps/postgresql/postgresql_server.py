"""A connection to a PostgreSQL server, the environment of the client's programs, and what refusals mean.

The password reaches both by a file that the owner alone may read. It is in no argument and in no environment.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from steps import errors
from steps.postgresql.postgresql_address import PostgresqlAddress
from steps.process import private_file

_CONNECT_S = 10
_WORDS = 300
# Our session may be idle or busy as long as the dump takes, whatever the server's defaults say.
_SESSION = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=0"
_APPLICATION = "threescale-backup"


class PostgresqlServer:
    """One database of a server. `environment` is that of the client's programs."""

    def __init__(self, address: PostgresqlAddress, folder: Path) -> None:
        self.address = address
        self.application = f"{_APPLICATION}-{os.getpid()}-{os.urandom(4).hex()}"  # by which our sessions are known
        self._settings = {
            "host": address.host,
            "port": str(address.port),
            "dbname": address.database,
            "user": address.user,
            "passfile": str(_passfile(address, folder)),
            "application_name": self.application,
            "connect_timeout": str(_CONNECT_S),
            "options": _SESSION,
            **({"sslmode": address.mode} if address.mode else {}),
            **_certificates(address, folder),
        }

    @property
    def environment(self) -> dict[str, str]:
        """Only what the programs need: nothing of the pod changes what they do."""
        names = {"dbname": "PGDATABASE", "application_name": "PGAPPNAME"}
        own = {names.get(name, f"PG{name.replace('_', '').upper()}"): value for name, value in self._settings.items()}
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return {**kept, **own, "PGCONNECT_TIMEOUT": str(_CONNECT_S), "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}

    @contextmanager
    def session(self) -> Iterator["Session"]:
        """Connect, for the time of the block. Each statement is a transaction of its own.

        Raises:
            as `failures`

        """
        with failures(self.address):
            connection = psycopg.connect(**self._settings, autocommit=True)  # type: ignore[arg-type]
        try:
            yield Session(self.address, connection)
        finally:
            connection.close()


class Session:
    """A connection that answers with rows."""

    def __init__(self, address: PostgresqlAddress, connection: "psycopg.Connection[Any]") -> None:
        self._address = address
        self._connection = connection

    @property
    def process(self) -> int:
        """The process of the server for this session."""
        return self._connection.info.backend_pid

    def rows(self, statement: LiteralString | sql.Composed, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement, and return its rows. Raises as `failures`."""
        with failures(self._address), self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: LiteralString | sql.Composed, values: Sequence[Any] = ()) -> Any:
        """Run a statement, and return the first field of its one row. Raises as `failures`."""
        return self.rows(statement, values)[0][0]


@contextmanager
def opened(address: PostgresqlAddress, private: Path) -> Iterator[PostgresqlServer]:
    """Write the private files, for the time of the block. `private` is a folder in memory."""
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="postgresql-", dir=private, ignore_cleanup_errors=True) as folder:
        yield PostgresqlServer(address, Path(folder))


@contextmanager
def failures(address: PostgresqlAddress) -> Iterator[None]:
    """Say in our words what the client raises.

    Raises:
        errors.DatabaseLoginRefused, DatabaseMissing, DatabaseTlsRefused, DatabaseNoAnswer, DatabaseRefused

    """
    try:
        yield
    except psycopg.Error as error:
        raise meaning(address, str(error.diag.message_primary or error), error.sqlstate or "") from error


# By the code of the server, or by its words, where an outer program tells no code. The first that fits counts.
_MEANINGS: list[tuple[Callable[[str, str], errors.PhaseError], tuple[str, ...], str]] = [
    (
        errors.DatabaseLoginRefused,
        ("28",),
        r"password authentication failed|no password supplied|role .* does not exist",
    ),
    (errors.DatabaseMissing, ("3D",), r'database ".*" does not exist'),
    (lambda database, _: errors.DatabaseLockWait(database), ("55P03",), r"lock timeout|could not obtain lock"),
    (errors.DatabaseTlsRefused, (), r"SSL|certificate"),
    (
        errors.DatabaseNoAnswer,
        ("08", "57P", "53", "25006", "40"),
        r"could not|connection|timeout|terminating|starting up|shutting down|too many|read-only transaction",
    ),
]


def meaning(address: PostgresqlAddress, said: str, code: str = "") -> errors.PhaseError:
    """Return the error that the words of a server or a program mean. `code` is the SQLSTATE, if there is one."""
    words = shown(address, said)
    for make, codes, signs in _MEANINGS:
        if code.startswith(codes) if code and codes else not code and re.search(signs, words):
            return make(address.name, words)
    return errors.DatabaseRefused(address.name, words)


def failed(address: PostgresqlAddress, program: str, said: str) -> errors.PhaseError:
    """Return the error that the words of a program mean, which tells no code."""
    found = meaning(address, said)
    if isinstance(found, errors.DatabaseRefused):
        return errors.DatabaseDumpFailed(address.name, program, shown(address, said))
    return found


def shown(address: PostgresqlAddress, said: str) -> str:
    """Return words of a server on one line, without the password, and without lines that may hold rows."""
    lines = [line for line in said.splitlines() if not re.match(r"\s*(DETAIL|CONTEXT|LINE \d+|QUERY):?", line)]
    text = " ".join(" ".join(lines).split())
    if address.password:
        text = text.replace(address.password, "***")
    return text[:_WORDS]


def _passfile(address: PostgresqlAddress, folder: Path) -> Path:
    secret = re.sub(r"([\\:])", r"\\\1", address.password)
    return private_file.write(folder / "passfile", f"*:*:*:*:{secret}\n")


def _certificates(address: PostgresqlAddress, folder: Path) -> dict[str, str]:
    names = ("sslrootcert", "sslcert", "sslkey")
    texts = zip(names, address.certificates, strict=True)
    return {name: str(private_file.write(folder / name, text)) for name, text in texts if text}
