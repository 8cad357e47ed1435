"""What a database holds, as a real server says it."""

import pytest

from steps import errors
from steps.postgresql import postgresql_facts
from steps.postgresql.postgresql_facts import DatabaseContent
from tests.builders import system_database


def test_tables_and_sequences_are_counted_exactly(opened, filled):
    with opened(filled) as server, server.session() as session:
        found = postgresql_facts.content(session)

    assert found.rows == {
        'public.Odd "name': 2,
        "public.accounts": 1 + len(system_database.AWKWARD),
        "public.cinstances": system_database.ROWS,
        "public.schema_migrations": 0,
    }
    assert found.sequences == {
        "public.accounts_id_seq": 1 + len(system_database.AWKWARD),
        "public.cinstances_id_seq": system_database.ROWS,
        "public.invoices": 1000,
    }


def test_a_table_of_an_extension_is_none_of_ours(opened, database, postgresql):
    postgresql.ask("CREATE EXTENSION hstore", database)
    postgresql.ask("CREATE TABLE of_extension (id int); ALTER EXTENSION hstore ADD TABLE of_extension", database)
    with opened(database) as server, server.session() as session:
        found = postgresql_facts.tables(session), postgresql_facts.extensions(session)

    assert found == ([], ["hstore"])


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE accounts ADD COLUMN more int",
        "CREATE INDEX more ON accounts (org_name)",
        "DROP TRIGGER cinstances_tenant ON cinstances",
        "CREATE OR REPLACE FUNCTION set_tenant() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    ],
)
def test_a_change_of_the_schema_changes_its_digest(opened, filled, postgresql, change):
    with opened(filled) as server, server.session() as session:
        before = postgresql_facts.digest(session)
        same = postgresql_facts.digest(session)
        postgresql.ask(change, filled)
        after = postgresql_facts.digest(session)

    assert before == same
    assert before != after


def test_each_missing_right_is_named_with_its_grant(opened, filled, postgresql):
    postgresql.ask("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'reader'")
    postgresql.ask("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", filled)
    postgresql.ask("REVOKE SELECT ON accounts FROM reader", filled)

    with opened(filled, user="reader", password="reader") as server, server.session() as session:  # noqa: S106
        with pytest.raises(errors.DatabaseRightsMissing) as raised:
            postgresql_facts.check_rights(server, session)
        for statement in raised.value.statements.first:
            postgresql.ask(statement, filled)
        postgresql_facts.check_rights(server, session)

    assert raised.value.statements.first == [
        "GRANT SELECT ON SEQUENCE public.accounts_id_seq TO reader",
        "GRANT SELECT ON SEQUENCE public.cinstances_id_seq TO reader",
        "GRANT SELECT ON SEQUENCE public.invoices TO reader",
        "GRANT SELECT ON TABLE public.accounts TO reader",
    ]
    postgresql.ask("REASSIGN OWNED BY reader TO postgres; DROP OWNED BY reader", filled)


@pytest.mark.parametrize(("server", "client"), [(9, 17), (18, 17), (19, 19)])
def test_a_client_that_does_not_fit_is_refused_by_the_numbers(opened, database, server, client):
    with opened(database) as found, pytest.raises(errors.DatabaseClientUnfit, match=f"{server}.*{client}"):
        postgresql_facts.check_client(found, server, client)


@pytest.mark.parametrize(("server", "client"), [(10, 17), (17, 17), (18, 18), (18, 19)])
def test_a_client_that_fits_passes(opened, database, server, client):
    with opened(database) as found:
        postgresql_facts.check_client(found, server, client)


def test_differences_are_sentences_without_values():
    wanted = DatabaseContent({"public.a": 1, "public.b": 2}, {"public.s": 5, "public.ahead": 7}, "")
    found = DatabaseContent({"public.a": 1, "public.c": 3}, {"public.s": 4, "public.ahead": 8}, "")

    assert postgresql_facts.differences(wanted, found) == [
        "public.b has nothing instead of 2 as rows",
        "public.c has 3 instead of nothing as rows",
        "public.s has 4 instead of 5 as the last value",
    ]


def test_a_server_that_is_no_replica_is_asked_for_version_and_size(opened, database):
    with opened(database) as server, server.session() as session:
        found = postgresql_facts.replica(session), postgresql_facts.version(session)
        size = postgresql_facts.size_bytes(session)

    assert found == (None, 18)
    assert size > 1 << 20
