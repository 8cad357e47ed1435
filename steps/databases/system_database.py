"""System's database in a backup: `databases/system-database/`, a dump in pg_dump's directory form.

It comes first. Its moment is that of the backup, and the files of System are copied after it.
"""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from steps import errors
from steps.archive import layout
from steps.archive.contents import Backup
from steps.archive.manifest import DatabaseCopy, Report
from steps.databases import copied_files, identity, logins
from steps.databases.identity import Master
from steps.databases.survey import Surveyed
from steps.databases.target import Becomes, DatabaseTarget
from steps.kubernetes import times
from steps.postgresql import (
    client_program,
    postgresql_dump,
    postgresql_facts,
    postgresql_restore,
    postgresql_server,
)
from steps.postgresql.postgresql_address import PostgresqlAddress
from steps.postgresql.postgresql_facts import DatabaseContent
from steps.postgresql.postgresql_server import Session

log = logging.getLogger(__name__)

FOLDER = f"{layout.DATABASES}/{logins.SYSTEM_DATABASE}"
DUMP = f"{FOLDER}/dump"
JOBS = 2  # connections beside our own


def survey(address: PostgresqlAddress, private: Path) -> Surveyed:
    """Ask whether the database can be copied. Nothing is written.

    Raises:
        errors.DatabaseClientUnfit, DatabaseRightsMissing, and those of `postgresql_server.failures`

    """
    with postgresql_server.opened(address, private) as server, server.session() as session:
        version = postgresql_facts.version(session)
        postgresql_facts.check_client(server, version, client_program.major())
        postgresql_facts.check_rights(server, session)
        replica = postgresql_facts.replica(session)
        behind = f", a replica {replica.lag_s:.0f} s behind" if replica else ""
        tables, size = len(postgresql_facts.tables(session)), postgresql_facts.size_bytes(session)
        return Surveyed(f"PostgreSQL {version}{behind}, {tables} tables", size)


def save(address: PostgresqlAddress, root: Path, private: Path) -> Report:
    """Dump the database to the volume of a backup. An earlier try's dump is removed.

    Raises:
        as `postgresql_dump.dump`; errors of `volume.failures`

    """
    began = times.now()
    copied_files.clear(root, FOLDER)
    with TemporaryDirectory() as scratch, postgresql_server.opened(address, private) as server:
        made = postgresql_dump.dump(server, root / DUMP, Path(scratch), jobs=JOBS, look=_identity)
    copy = DatabaseCopy(
        engine="PostgreSQL",
        version=str(made.server_version),
        client=str(made.client_version),
        moment=made.moment,
        began=began,
        ended=times.now(),
        counts=made.content.rows,
        sequences=made.content.sequences,
        extensions=tuple(made.extensions),
        schema_digest=made.content.digest,
        same=made.looked,
        files=copied_files.finish(root, DUMP),
    )
    log.info(
        "%s: dumped as of %s, %d tables, %d rows, %d bytes", logins.SYSTEM_DATABASE, made.moment, len(copy.counts),
        sum(copy.counts.values()), copy.size_bytes,
    )  # fmt: skip
    return Report(database=copy)


def _identity(session: Session) -> tuple[str, ...]:
    found = identity.of(session)
    return found.told if found else ()


def look(address: PostgresqlAddress, copy: DatabaseCopy | None, private: Path) -> DatabaseTarget:
    """Return what is to become of the database. `copy`: what the backup has of it, None if it is the person's.

    Raises:
        errors.DatabaseOfAnother: it holds another installation than the backup
        errors.DatabaseEmpty: nobody would fill it, and 3scale would found a new installation
        and those of `postgresql_restore.check_target`, `postgresql_server.failures`

    """
    with postgresql_server.opened(address, private) as server, server.session() as session:
        tables = postgresql_facts.tables(session)
        engine = f"PostgreSQL {postgresql_facts.version(session)}"
        if copy is None and not tables:
            raise errors.DatabaseEmpty(logins.SYSTEM_DATABASE)
        if copy is None:
            return DatabaseTarget(Becomes.YOURS, f"{engine}, {len(tables)} tables")
        if not tables:
            postgresql_restore.check_target(server, session, copy.extensions)
            return DatabaseTarget(Becomes.FILLED, f"{engine}, empty, gets {sum(copy.counts.values())} rows")
        found, recorded = identity.of(session), identity.read(copy.same)
        if found and recorded and found.is_same(recorded):
            return DatabaseTarget(Becomes.LEFT, f"{engine}, {len(tables)} tables, holds this installation")
        raise errors.DatabaseOfAnother(logins.SYSTEM_DATABASE, f"{len(tables)} tables", _shown(found), _shown(recorded))


def restore(address: PostgresqlAddress, backup: Backup, copy: DatabaseCopy, private: Path) -> int:
    """Restore the dump into the empty database, and compare all counts. Return the number of rows.

    A database that an earlier try has filled is compared alone.

    Raises:
        errors.BackupDamaged: the dump is not what was sealed; nothing is written
        errors.DatabaseCopyDiffers, and those of `postgresql_restore.restore`

    """
    copied_files.check(backup.root, copy.files)
    wanted = DatabaseContent(dict(copy.counts), dict(copy.sequences), copy.schema_digest)
    with TemporaryDirectory() as scratch, postgresql_server.opened(address, private) as server:
        with server.session() as session:
            is_empty = not postgresql_facts.tables(session)
        if is_empty:
            postgresql_restore.restore(server, backup.root / DUMP, Path(scratch), copy.extensions)
        postgresql_restore.check(server, wanted)
    log.info("%s: restored, %d tables, %d rows", logins.SYSTEM_DATABASE, len(copy.counts), sum(copy.counts.values()))
    return sum(copy.counts.values())


def _shown(found: Master | None) -> str:
    return f"master account {found.account} with {found.tenants} tenants" if found else "no master account"
