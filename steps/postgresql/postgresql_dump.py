"""A dump of a database: the tables of System as of one moment, with that moment and what was there.

Our own connection exports its snapshot. pg_dump and all its jobs read in that snapshot, and so do the counts.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.postgresql import client_program, postgresql_facts
from steps.postgresql.client_program import ClientEnd
from steps.postgresql.postgresql_facts import DatabaseContent, ReplicaFacts
from steps.postgresql.postgresql_server import PostgresqlServer, Session, failed, shown

log = logging.getLogger(__name__)

PATIENCE_S = 30.0  # how long others may wait for a dump
_LOCKS = "30s"  # how long a dump waits for others
_LOOK_S = 2.0
# Who owns and may do what belongs to the server; a restore gives all to its own user.
_LEFT_OUT = (
    "--no-owner",
    "--no-privileges",
    "--no-comments",
    "--no-security-labels",
    "--no-publications",
    "--no-subscriptions",
    "--no-tablespaces",
)
_BLOCKED = (
    "SELECT count(*) FROM pg_stat_activity w WHERE w.application_name <> %s AND EXISTS ("
    "SELECT FROM pg_stat_activity o WHERE o.application_name = %s AND o.pid = ANY (pg_blocking_pids(w.pid)))"
)


class Dumped(NamedTuple):
    """A dump: its moment T0 by the server's clock, what was there, and what made it."""

    moment: datetime
    content: DatabaseContent
    extensions: list[str]
    server_version: int
    client_version: int
    replica: ReplicaFacts | None
    looked: tuple[str, ...] = ()


def dump(
    server: PostgresqlServer,
    folder: Path,
    scratch: Path,
    *,
    jobs: int,
    patience_s: float = PATIENCE_S,
    look: Callable[[Session], tuple[str, ...]] = lambda _: (),
) -> Dumped:
    """Dump a database into a folder, which is emptied before. A dump is begun anew, never resumed.

    `look` asks for more of the same moment.

    Raises:
        errors.DatabaseClientUnfit, DatabaseRightsMissing, DatabaseLocked, DatabaseLockWait, DatabaseSchemaChanged,
        DatabaseDumpIncomplete, DatabaseDumpFailed, errors.Interrupted, and those of `postgresql_server.failures`

    """
    shutil.rmtree(folder, ignore_errors=True)
    of_client = client_program.major()
    with server.session() as session, server.session() as other:
        of_server = postgresql_facts.version(session)
        postgresql_facts.check_client(server, of_server, of_client)
        postgresql_facts.check_rights(server, session)
        replica = postgresql_facts.replica(session)
        session.rows("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.rows("SELECT set_config('lock_timeout', %s, true)", [_LOCKS])  # a count would queue behind a migration
        snapshot = session.one("SELECT pg_export_snapshot()")
        moment = session.one("SELECT transaction_timestamp()")
        content, looked = postgresql_facts.content(session), look(session)
        words = [
            *("pg_dump", "--format=directory", f"--jobs={jobs}", f"--snapshot={snapshot}", f"--file={folder}"),
            *("--compress=0", f"--lock-wait-timeout={_LOCKS}", *_LEFT_OUT),
            *(f"--schema={_quoted(schema)}" for schema in postgresql_facts.schemas(session)),
        ]
        process = client_program.started(words, server.environment, scratch / "pg_dump.log")
        end = client_program.wait(process, scratch / "pg_dump.log", _Watch(server, other, patience_s))
        extensions = postgresql_facts.extensions(session)
    _judge(server, end)
    _check_schema(server, content)
    _check_tables(server, folder, scratch, content)
    return Dumped(moment, content, extensions, of_server, of_client, replica, looked)


class _Watch:
    """Ends a dump for which others wait: it holds a lock on each table until its end."""

    def __init__(self, server: PostgresqlServer, session: Session, patience_s: float) -> None:
        self._server, self._session, self._patience_s = server, session, patience_s
        self._since: float | None = None
        self._looked = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._looked < min(_LOOK_S, self._patience_s / 4):
            return
        self._looked = now
        if not self._session.one(_BLOCKED, [self._server.application] * 2):
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= self._patience_s:
            raise errors.DatabaseLocked(self._server.address.name, round(now - self._since, 1))


def _judge(server: PostgresqlServer, end: ClientEnd) -> None:
    """Raise what the end of pg_dump means. What it says at a good end is no good sign either."""
    client_program.check_alive("pg_dump", end)
    words = shown(server.address, end.words)
    if end.code == 0 and not words:
        return
    raise failed(server.address, "pg_dump", end.words)


def _check_schema(server: PostgresqlServer, content: DatabaseContent) -> None:
    """Check that no migration has changed the schema while it was read, which takes more than one moment."""
    with server.session() as session:
        if postgresql_facts.digest(session) != content.digest:
            raise errors.DatabaseSchemaChanged(server.address.name)


def _check_tables(server: PostgresqlServer, folder: Path, scratch: Path, content: DatabaseContent) -> None:
    """Check that the archive has the data of each table that was counted."""
    told = [line.partition(" TABLE DATA ")[2].replace(".", " ") for line in entries(folder, scratch)]
    expected = {name: name.replace(".", " ") for name, rows in content.rows.items() if rows}
    if lacking := [name for name, words in expected.items() if not any(each.startswith(f"{words} ") for each in told)]:
        raise errors.DatabaseDumpIncomplete(server.address.name, lacking)


def entries(folder: Path, scratch: Path) -> list[str]:
    """Return the lines of an archive's table of contents.

    Raises:
        errors.DatabaseDumpDamaged

    """
    return read(folder, scratch, "--list").splitlines()


def verify(folder: Path, scratch: Path) -> None:
    """Read a whole dump, without a server.

    Raises:
        errors.DatabaseDumpDamaged

    """
    read(folder, scratch, "--file=/dev/null")


def read(folder: Path, scratch: Path, *words: str) -> str:
    """Run pg_restore on a dump without a server, and return its output.

    Raises:
        errors.DatabaseDumpDamaged

    """
    out, complaints = scratch / "pg_restore.out", scratch / "pg_restore.log"
    with out.open("wb") as stdout:
        process = client_program.started(
            ["pg_restore", *words, str(folder)],
            {"PATH": _path(), "LC_ALL": "C.UTF-8"},
            complaints,
            stdout=stdout.fileno(),
        )
        end = client_program.wait(process, complaints)
    client_program.check_alive("pg_restore", end)
    if end.code:
        raise errors.DatabaseDumpDamaged(folder.name, " ".join(end.words.split())[:300])
    return out.read_text(errors="replace")


def _quoted(schema: str) -> str:
    """Return a pattern of pg_dump that fits one schema alone."""
    return '"' + schema.replace('"', '""') + '"'


def _path() -> str:
    return os.environ.get("PATH", os.defpath)
