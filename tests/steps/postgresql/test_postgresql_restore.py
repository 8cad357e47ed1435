"""A dump goes back whole, or not at all."""

import os

import pytest

from steps import errors
from steps.postgresql import postgresql_dump, postgresql_restore
from tests.builders import system_database
from tests.stores import postgresql_servers


@pytest.fixture
def dumped(opened, filled, scratch):
    with opened(filled) as server:
        return postgresql_dump.dump(server, scratch / "dump", scratch, jobs=1)


def restore(opened, name, scratch, extensions=(), **more):
    with opened(name, **more) as server:
        postgresql_restore.restore(server, scratch / "dump", scratch, extensions)


@pytest.mark.quick
def test_all_comes_back_as_its_owner_by_the_server_s_own_digests(opened, filled, database, dumped, scratch, postgresql):
    restore(opened, database, scratch)

    assert postgresql.rows(database) == postgresql.rows(filled)
    assert set(postgresql.ask("SELECT tableowner FROM pg_tables WHERE schemaname = 'public'", database)) == {
        (postgresql_servers.OWNER,)
    }
    with opened(database) as server:
        postgresql_restore.check(server, dumped.content)


@pytest.mark.usefixtures("dumped")
def test_triggers_functions_views_and_sequences_work_again(opened, database, scratch, postgresql):
    restore(opened, database, scratch)

    postgresql.ask("INSERT INTO cinstances (account_id) VALUES (3)", database)
    assert postgresql.ask("SELECT id, tenant_id FROM cinstances ORDER BY id DESC LIMIT 1", database) == [
        (system_database.ROWS + 1, 3)
    ]
    assert postgresql.ask("SELECT nextval('invoices'), (SELECT count(*) FROM tenants)", database) == [
        (1001, 1 + len(system_database.AWKWARD))
    ]


@pytest.mark.usefixtures("dumped")
def test_a_database_that_is_not_empty_is_refused_and_left(opened, filled, scratch, postgresql):
    before = postgresql.rows(filled)

    with pytest.raises(errors.DatabaseNotEmpty):
        restore(opened, filled, scratch)

    assert postgresql.rows(filled) == before


@pytest.mark.usefixtures("dumped")
def test_a_missing_extension_is_refused_before_anything_is_written(opened, database, scratch, postgresql):
    with pytest.raises(errors.DatabaseExtensionsMissing, match="hstore"):
        restore(opened, database, scratch, ["hstore"])

    assert postgresql.rows(database) == {}


@pytest.mark.usefixtures("dumped")
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_failure_in_the_middle_leaves_the_database_empty(opened, database, scratch, postgresql, place):
    data = max((scratch / "dump").glob("[0-9]*.dat"), key=lambda file: file.stat().st_size)
    lines = data.read_bytes().split(b"\n")
    lines[{"first": 0, "middle": len(lines) // 2, "last": system_database.ROWS - 1}[place]] = b"no row"
    data.write_bytes(b"\n".join(lines))

    with pytest.raises(errors.DatabaseDumpFailed) as raised:
        restore(opened, database, scratch)

    assert postgresql.rows(database) == {}
    assert "InvalidTextRepresentation (22P02)" in str(raised.value)


@pytest.mark.usefixtures("dumped")
def test_a_dump_that_ends_early_leaves_the_database_empty(opened, database, scratch, postgresql):
    max((scratch / "dump").glob("[0-9]*.dat"), key=lambda file: file.stat().st_size).unlink()

    with pytest.raises((errors.DatabaseDumpDamaged, errors.DatabaseDumpFailed)):
        restore(opened, database, scratch)

    assert postgresql.rows(database) == {}


@pytest.mark.usefixtures("dumped")
def test_sql_that_ends_between_two_statements_is_not_committed(
    opened, database, scratch, postgresql, tmp_path, monkeypatch
):
    """A pg_restore that is killed when the tables are made, and no row."""
    script = tmp_path / "pg_restore"
    real = postgresql_servers.PROGRAMS / "pg_restore"
    half = f'case "$1" in --file=-) {real} --schema-only "$@"; kill -9 $$;; esac'
    script.write_text(f'#!/bin/sh\n{half}\nexec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(errors.DatabaseClientStopped, match="pg_restore"):
        restore(opened, database, scratch)

    assert postgresql.rows(database) == {}


def test_a_restored_database_that_differs_is_told(opened, database, dumped, scratch, postgresql):
    restore(opened, database, scratch)
    postgresql.ask("DELETE FROM cinstances WHERE id = 7", database)

    with opened(database) as server, pytest.raises(errors.DatabaseCopyDiffers) as raised:
        postgresql_restore.check(server, dumped.content)

    assert "public.cinstances has 1999 instead of 2000 as rows" in str(raised.value)


@pytest.mark.parametrize("first", [b"COPY t FROM stdin;\n", b"CREATE FUNCTION f() AS $$\n"])
def test_a_setting_that_older_servers_lack_is_dropped_from_the_head_only(tmp_path, first):
    setting = b"SET transaction_timeout = 0;\n"
    rows = first + setting + b"\\.\n" + setting
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"--\n\nSET a = 0;\n" + setting + rows)

    with source.open("rb") as reading, target.open("wb") as writing:
        postgresql_restore.filtered(reading, writing)

    assert target.read_bytes() == b"--\n\nSET a = 0;\n" + rows
