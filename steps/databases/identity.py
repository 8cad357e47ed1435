"""By what a System database is known again: its master account, which the seed of a new installation makes anew.

The columns are porta's (db/schema.rb, table accounts).
"""

from typing import NamedTuple

from psycopg import sql

from steps.postgresql import postgresql_facts
from steps.postgresql.postgresql_server import Session

_COLUMNS = {"id", "master", "provider", "created_at"}


class Master(NamedTuple):
    """The master account of an installation, by id and moment, and its number of tenants."""

    account: str
    tenants: int

    def is_same(self, recorded: "Master") -> bool:
        """Whether this database is that of the recorded installation, at its moment or later."""
        return self.account == recorded.account and self.tenants >= recorded.tenants

    @property
    def told(self) -> tuple[str, str]:
        return self.account, str(self.tenants)


def read(told: tuple[str, ...]) -> Master | None:
    """Return the master account that a dump has recorded, if it has one."""
    return Master(told[0], int(told[1])) if len(told) == 2 and told[1].isdecimal() else None


def of(session: Session) -> Master | None:
    """Return the master account of a System database. None: the database is not that of a System."""
    for schema, name in postgresql_facts.tables(session):
        if name == "accounts" and postgresql_facts.columns(session, schema, name) >= _COLUMNS:
            table = sql.Identifier(schema, name)
            masters = session.rows(
                sql.SQL("SELECT id, created_at::text FROM {} WHERE master ORDER BY id LIMIT 1").format(table)
            )
            count = sql.SQL("SELECT count(*) FROM {} WHERE provider AND NOT coalesce(master, false)").format(table)
            return Master(f"{masters[0][0]} {masters[0][1]}", int(session.one(count))) if masters else None
    return None
