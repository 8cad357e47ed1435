"""System's database in a backup: `databases/system-database/`, a dump in pg_dump's directory form.

It comes first. Its moment is that of the backup, and the files of System are copied after it.
"""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from steps.archive import layout
from steps.archive.manifest import DatabaseCopy, Report
from steps.databases import copied_files, logins
from steps.databases.survey import Surveyed
from steps.kubernetes import times
from steps.postgresql import client_program, postgresql_dump, postgresql_facts, postgresql_server
from steps.postgresql.postgresql_address import PostgresqlAddress

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
        made = postgresql_dump.dump(server, root / DUMP, Path(scratch), jobs=JOBS)
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
        files=copied_files.finish(root, DUMP),
    )
    log.info(
        "%s: dumped as of %s, %d tables, %d rows, %d bytes", logins.SYSTEM_DATABASE, made.moment, len(copy.counts),
        sum(copy.counts.values()), copy.size_bytes,
    )  # fmt: skip
    return Report(database=copy)
