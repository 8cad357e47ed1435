"""A dump goes back into an empty database, all of it or nothing, as an ordinary owner.

pg_restore turns the dump into SQL, and psql runs it in one transaction. So a server may be older than the client: one
setting that it does not know is dropped from the head alone, because a row or a function may have its text.
"""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import psycopg

from steps import errors
from steps.postgresql import client_program, postgresql_dump, postgresql_facts
from steps.postgresql.client_program import ClientEnd
from steps.postgresql.postgresql_facts import DatabaseContent
from steps.postgresql.postgresql_server import PostgresqlServer, Session, failed, meaning, shown

_UNKNOWN_TO_OLDER = b"SET transaction_timeout = 0;\n"  # from pg_restore 17 on
_SETTINGS = (b"SET ", b"SELECT pg_catalog.set_config", b"--", b"\\restrict", b"\n")  # the head of the SQL
_LIST = "contents"


def check_target(server: PostgresqlServer, session: Session, extensions: Iterable[str]) -> None:
    """Check that a database is empty and has the extensions of the dump.

    Raises:
        errors.DatabaseNotEmpty, DatabaseExtensionsMissing, DatabaseClientUnfit

    """
    postgresql_facts.check_client(server, postgresql_facts.version(session), client_program.major("pg_restore"))
    if there := [f"{schema}.{name}" for schema, name in postgresql_facts.tables(session)]:
        raise errors.DatabaseNotEmpty(server.address.name, there)
    if lacking := sorted(set(extensions) - set(postgresql_facts.extensions(session))):
        raise errors.DatabaseExtensionsMissing(server.address.name, lacking)


def restore(server: PostgresqlServer, folder: Path, scratch: Path, extensions: Iterable[str]) -> None:
    """Restore a dump into an empty database. If anything fails, the database stays empty.

    Raises:
        as `check_target`; errors.DatabaseDumpDamaged, DatabaseDumpFailed, errors.Interrupted, and those of
        `postgresql_server.failures`

    """
    with server.session() as session:
        check_target(server, session, extensions)
        there = {str(row[0]) for row in session.rows("SELECT nspname FROM pg_namespace")}
    contents = scratch / _LIST
    contents.write_text("\n".join(_wanted(postgresql_dump.entries(folder, scratch), there)) + "\n")
    made, wrote = _run(server, folder, scratch, contents)
    if wrote.code:  # pg_restore is then ended by us
        raise _failure(server, wrote)
    client_program.check_alive("pg_restore", made)
    if made.code:
        raise errors.DatabaseDumpDamaged(folder.name, shown(server.address, made.words))


def check(server: PostgresqlServer, wanted: DatabaseContent) -> None:
    """Compare a restored database with what the dump has recorded.

    Raises:
        errors.DatabaseCopyDiffers

    """
    with server.session() as session:
        found = postgresql_facts.content(session)
    if differing := postgresql_facts.differences(wanted, found):
        raise errors.DatabaseCopyDiffers(server.address.name, errors.Few.of(differing))


def _wanted(entries: Iterable[str], schemas: set[str]) -> list[str]:
    """Return the entries to restore: all but the schemas that the database has, as `public`."""
    named = {f" SCHEMA - {name} " for name in schemas}
    return [each for each in entries if not any(name in each for name in named)]


def _failure(server: PostgresqlServer, wrote: ClientEnd) -> errors.PhaseError:
    """Return what the end of psql means. It tells codes alone, because the server's words may hold values of rows."""
    client_program.check_alive("psql", wrote)
    found = re.search(r"(?:ERROR|FATAL): +([0-9A-Z]{5})$", wrote.words, re.MULTILINE)
    if not found:
        return failed(server.address, "psql", wrote.words)
    kind = psycopg.errors.lookup(found[1])
    told = meaning(server.address, f"{kind.__name__} ({found[1]})", found[1])
    if isinstance(told, errors.DatabaseRefused):
        return errors.DatabaseDumpFailed(server.address.name, "psql", told.words)
    return told


def _run(server: PostgresqlServer, folder: Path, scratch: Path, contents: Path) -> tuple[ClientEnd, ClientEnd]:
    """Pass the SQL of a dump on to the server. If the SQL ends early, the transaction is not committed."""
    logs = scratch / "pg_restore.log", scratch / "psql.log"
    make = ["pg_restore", "--file=-", "--no-owner", "--no-privileges", f"--use-list={contents}", str(folder)]
    write = [
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        "--set=VERBOSITY=sqlstate",
        "--output=/dev/null",
    ]
    maker = client_program.started(make, server.environment, logs[0], stdout=subprocess.PIPE)
    try:
        writer = client_program.started(write, server.environment, logs[1], stdin=subprocess.PIPE)
        try:
            thread = threading.Thread(target=_pass_on, args=(maker, writer), daemon=True)
            thread.start()
            wrote = client_program.wait(writer, logs[1])
            thread.join()
        finally:
            client_program.stop(writer)
    finally:
        client_program.stop(maker)
    return client_program.ended(maker, logs[0]), wrote


def _pass_on(maker: "subprocess.Popen[bytes]", writer: "subprocess.Popen[bytes]") -> None:
    """Pass the SQL on in one transaction, which is committed only after a good end of its source."""
    source, target = maker.stdout, writer.stdin
    if source is None or target is None:
        return
    try:
        target.write(b"BEGIN;\n")
        filtered(source, target)
        if maker.wait() == 0:
            target.write(b"COMMIT;\n")
        target.close()
    except (OSError, ValueError):  # psql has ended, and says why; or the phase is asked to end
        maker.terminate()


def filtered(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy SQL, without the setting that older servers do not know. Behind the settings nothing is looked at."""
    for line in source:
        if line != _UNKNOWN_TO_OLDER:
            target.write(line)
        if not line.startswith(_SETTINGS):
            break
    shutil.copyfileobj(source, target, 1 << 20)
