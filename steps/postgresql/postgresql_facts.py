"""What a database holds, asked read only: versions, schemas, tables with exact counts, sequences, rights."""

import hashlib
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import sql

from steps import errors
from steps.postgresql.postgresql_server import PostgresqlServer, Session

OLDEST, NEWEST = 10, 18  # major versions that were run
_OF_USERS = sql.SQL("n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'")
# What belongs to an extension is made again by it.
_OWN = sql.SQL(
    """{of_users} AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = {catalog}::regclass AND d.objid = o.oid AND d.deptype = 'e')"""
)
_OWN_CLASSES, _OWN_FUNCTIONS = (
    _OWN.format(of_users=_OF_USERS, catalog=sql.Literal(catalog)) for catalog in ("pg_class", "pg_proc")
)
_NAMED = sql.SQL(
    """SELECT n.nspname, o.relname FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
    WHERE o.relkind = {kind} AND {own} ORDER BY 1, 2"""
)
_TABLES, _SEQUENCES = (_NAMED.format(kind=sql.Literal(kind), own=_OWN_CLASSES) for kind in ("r", "S"))
_RIGHTS = sql.SQL(
    """SELECT format('GRANT SELECT ON %s %I.%I TO %I', CASE o.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
    n.nspname, o.relname, current_user)
    FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
    WHERE o.relkind IN ('r', 'p', 'S') AND NOT has_table_privilege(o.oid, 'SELECT') AND {own} ORDER BY 1"""
).format(own=_OWN_CLASSES)
_USAGE = sql.SQL(
    """SELECT DISTINCT format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, current_user)
    FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
    WHERE o.relkind IN ('r', 'p', 'S') AND NOT has_schema_privilege(n.oid, 'USAGE') AND {own}"""
).format(own=_OWN_CLASSES)
_EXTENSIONS: LiteralString = """SELECT e.extname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE n.nspname <> 'pg_catalog' ORDER BY 1"""
# All that makes up a schema, one row for each column, index, trigger and function.
_SCHEMA = sql.SQL(
    """SELECT 'c', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
    pg_get_expr(d.adbin, d.adrelid), a.attnotnull::text
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm') AND {of_users}
    UNION ALL SELECT 'i', schemaname, tablename, indexname, indexdef, '', '' FROM pg_indexes
    WHERE schemaname !~ '^pg_'
    UNION ALL SELECT 't', '', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '', ''
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'f', n.nspname, o.proname, '', o.prosrc, '', ''
    FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace WHERE {own} ORDER BY 1, 2, 3, 4, 5"""
).format(own=_OWN_FUNCTIONS, of_users=_OF_USERS)


class ReplicaFacts(NamedTuple):
    """How far a replica has come. `moment` is that of the last transaction that it has replayed."""

    moment: datetime | None
    lag_s: float


class DatabaseContent(NamedTuple):
    """What a database holds, by `schema.name`. `digest` is that of its schema."""

    rows: dict[str, int]
    sequences: dict[str, int]
    digest: str


def version(session: Session) -> int:
    """Return the major version of the server."""
    return int(session.one("SELECT current_setting('server_version_num')::int")) // 10_000


def check_client(server: PostgresqlServer, of_server: int, of_client: int) -> None:
    """Check that the client can copy the server.

    Raises:
        errors.DatabaseClientUnfit

    """
    if not OLDEST <= of_server <= min(of_client, NEWEST):
        raise errors.DatabaseClientUnfit(server.address.name, str(of_server), str(of_client))


def check_rights(server: PostgresqlServer, session: Session) -> None:
    """Check that the user may read every table and sequence.

    Raises:
        errors.DatabaseRightsMissing: with the statements that grant what is missing

    """
    lacking = [str(row[0]) for statement in (_USAGE, _RIGHTS) for row in session.rows(statement)]
    if lacking:
        raise errors.DatabaseRightsMissing(server.address.name, server.address.user, errors.Few.of(lacking))


def replica(session: Session) -> ReplicaFacts | None:
    """Return how far a replica has come, or None if the server is none."""
    if not session.one("SELECT pg_is_in_recovery()"):
        return None
    ((moment, lag),) = session.rows(
        "SELECT pg_last_xact_replay_timestamp(), CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
        "ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END"
    )
    return ReplicaFacts(moment, float(lag or 0))


def size_bytes(session: Session) -> int:
    """Return the size of the database on its server."""
    return int(session.one("SELECT pg_database_size(current_database())"))


def tables(session: Session) -> list[tuple[str, str]]:
    """Return schema and name of each table of users."""
    return [(schema, name) for schema, name in session.rows(_TABLES)]


def columns(session: Session, schema: str, name: str) -> set[str]:
    """Return the names of the columns of a table."""
    statement = """SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped"""
    return {str(row[0]) for row in session.rows(statement, [schema, name])}


def schemas(session: Session) -> list[str]:
    """Return the schemas that have tables of users."""
    return sorted({schema for schema, _ in tables(session)})


def extensions(session: Session) -> list[str]:
    """Return the extensions of the database, without those that every database has."""
    return [str(row[0]) for row in session.rows(_EXTENSIONS)]


def content(session: Session) -> DatabaseContent:
    """Count the rows of each table exactly, and read each sequence. In a transaction all are of one moment."""
    rows = {f"{schema}.{name}": _count(session, schema, name) for schema, name in tables(session)}
    sequences = {f"{schema}.{name}": _last(session, schema, name) for schema, name in session.rows(_SEQUENCES)}
    return DatabaseContent(rows, sequences, digest(session))


def digest(session: Session) -> str:
    """Return the SHA-256 of the schema: columns, indexes, triggers, functions."""
    lines = ("\t".join("" if field is None else str(field) for field in row) for row in session.rows(_SCHEMA))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _count(session: Session, schema: str, name: str) -> int:
    return int(session.one(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))))


def _last(session: Session, schema: str, name: str) -> int:
    """Return the next value that a sequence would give, but for its step."""
    statement = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
    ((last, is_called),) = session.rows(statement)
    return int(last) if is_called else int(last) - 1


def differences(wanted: DatabaseContent, found: DatabaseContent) -> list[str]:
    """Return where a database differs from what a dump has recorded, in sentences without values.

    pg_dump reads sequences outside of its snapshot. So a sequence may have gone on, and must not lie behind.
    """
    ahead = {name: last for name, last in found.sequences.items() if last > wanted.sequences.get(name, last)}
    return [
        *_differing("rows", wanted.rows, found.rows),
        *_differing("the last value", wanted.sequences, {**found.sequences, **{n: wanted.sequences[n] for n in ahead}}),
    ]


def _differing(what: str, wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return [
        f"{name} has {found.get(name, 'nothing')} instead of {wanted.get(name, 'nothing')} as {what}"
        for name in sorted(wanted.keys() | found.keys())
        if wanted.get(name) != found.get(name)
    ]
