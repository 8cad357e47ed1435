"""A dump is that of one moment, complete, and holds nobody up."""

import os
import shutil
import threading
import time

import pytest

from steps import errors
from steps.postgresql import client_program, postgresql_dump, postgresql_facts
from tests.builders import system_database
from tests.stores import postgresql_servers


def dump(opened, name, scratch, *, jobs=2, **more):
    with opened(name) as server:
        return postgresql_dump.dump(server, scratch / "dump", scratch, jobs=jobs, **more)


def after_the_counts(monkeypatch, act):
    """Do something when the snapshot is exported and counted, and pg_dump has not begun."""
    started = client_program.started

    def start(*words, **more):
        if words[0][0] == "pg_dump":
            act()
        return started(*words, **more)

    monkeypatch.setattr(client_program, "started", start)


def test_a_dump_says_what_it_holds_and_of_which_moment(opened, filled, scratch, postgresql):
    before = postgresql.ask("SELECT clock_timestamp()")[0][0]

    found = dump(opened, filled, scratch)

    assert before <= found.moment <= postgresql.ask("SELECT clock_timestamp()")[0][0]
    assert found.content.rows["public.cinstances"] == system_database.ROWS
    assert (found.server_version, found.client_version, found.replica) == (18, 18, None)


@pytest.mark.quick
def test_what_comes_after_the_moment_is_not_in_it(opened, filled, scratch, postgresql, monkeypatch):
    after_the_counts(monkeypatch, lambda: postgresql.ask("DELETE FROM cinstances", filled))

    dump(opened, filled, scratch)

    rows = [file for file in (scratch / "dump").iterdir() if file.read_bytes().count(b"\n") > system_database.ROWS]
    assert len(rows) == 1


def test_a_dump_is_begun_anew(opened, filled, scratch):
    (scratch / "dump").mkdir()
    (scratch / "dump/stale").write_text("")

    dump(opened, filled, scratch)

    assert not (scratch / "dump/stale").exists()


def test_a_migration_that_waits_ends_the_dump(opened, filled, scratch, postgresql, monkeypatch):
    waiting = threading.Thread(target=lambda: postgresql.ask("ALTER TABLE cinstances ADD COLUMN more int", filled))

    def migrate():
        waiting.start()
        time.sleep(0.3)

    after_the_counts(monkeypatch, migrate)

    with pytest.raises(errors.DatabaseLocked) as raised:
        dump(opened, filled, scratch, patience_s=1.0)
    waiting.join()

    assert raised.value.exit_code == errors.TRY_AGAIN_EXIT


def test_a_migration_that_holds_a_table_asks_for_another_try(opened, filled, scratch, postgresql, monkeypatch):
    monkeypatch.setattr(postgresql_dump, "_LOCKS", "300ms")
    with postgresql.connect(filled) as migration:
        migration.autocommit = False
        migration.execute("ALTER TABLE cinstances ADD COLUMN more int")
        with pytest.raises(errors.DatabaseLockWait) as raised:
            dump(opened, filled, scratch)

    assert raised.value.exit_code == errors.TRY_AGAIN_EXIT


def test_a_schema_that_changes_meanwhile_asks_for_another_try(opened, filled, scratch, postgresql, monkeypatch):
    after_the_counts(monkeypatch, lambda: postgresql.ask("CREATE TABLE later (id int)", filled))

    with pytest.raises(errors.DatabaseSchemaChanged):
        dump(opened, filled, scratch)


def test_a_user_without_a_right_is_refused_before_anything_is_written(opened, filled, scratch, postgresql):
    postgresql.ask("ALTER TABLE accounts OWNER TO postgres", filled)

    with pytest.raises(errors.DatabaseRightsMissing):
        dump(opened, filled, scratch)

    assert list(scratch.iterdir()) == []


def test_a_client_that_says_something_at_a_good_end_is_not_believed(opened, filled, scratch, tmp_path, monkeypatch):
    script = tmp_path / "pg_dump"
    script.write_text(f"#!/bin/sh\necho 'pg_dump: error: odd' >&2\nexec {postgresql_servers.PROGRAMS}/pg_dump \"$@\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(errors.DatabaseDumpFailed, match="odd"):
        dump(opened, filled, scratch)


def test_a_dump_without_a_table_is_not_believed(opened, filled, scratch, monkeypatch):
    schemas = postgresql_facts.schemas
    with opened(filled) as server, server.session() as session:
        session.rows("CREATE SCHEMA more")
        session.rows("CREATE TABLE more.rows (id) AS SELECT 1")
    monkeypatch.setattr(postgresql_facts, "schemas", lambda session: schemas(session)[1:])

    with pytest.raises(errors.DatabaseDumpIncomplete) as raised:
        dump(opened, filled, scratch)

    assert raised.value.tables == ["more.rows"]


def test_a_program_that_is_missing_is_named(opened, filled, scratch, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(errors.DatabaseClientMissing, match="pg_dump"):
        dump(opened, filled, scratch)


def test_the_password_is_in_no_argument_and_no_environment(opened, filled, scratch, tmp_path, monkeypatch):
    for name in ("pg_dump", "pg_restore"):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        real = postgresql_servers.PROGRAMS / name
        script.write_text(f'#!/bin/sh\n(echo "$@"; env) >> {tmp_path}/record\nexec {real} "$@"\n')
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")

    dump(opened, filled, scratch)

    record = (tmp_path / "record").read_text()
    assert "--snapshot=" in record
    assert postgresql_servers.OWNERS_PASSWORD not in record
    assert postgresql_servers.postgresql_quoted(postgresql_servers.OWNERS_PASSWORD) not in record


def test_a_dump_is_verified_without_a_server(opened, filled, scratch):
    dump(opened, filled, scratch)

    postgresql_dump.verify(scratch / "dump", scratch)


@pytest.mark.parametrize("name", ["toc.dat", "*.dat"])
def test_a_lost_file_of_a_dump_is_found(opened, filled, scratch, name):
    dump(opened, filled, scratch)
    lost = max((scratch / "dump").glob(name), key=lambda file: file.stat().st_size)
    lost.unlink()

    with pytest.raises(errors.DatabaseDumpDamaged):
        postgresql_dump.verify(scratch / "dump", scratch)


def test_an_archive_that_was_cut_is_found(opened, filled, scratch):
    dump(opened, filled, scratch)
    contents = scratch / "dump/toc.dat"
    contents.write_bytes(contents.read_bytes()[:200])

    with pytest.raises(errors.DatabaseDumpDamaged):
        postgresql_dump.verify(scratch / "dump", scratch)


def test_an_empty_folder_is_no_dump(scratch):
    shutil.copytree(scratch, scratch / "dump")

    with pytest.raises((errors.DatabaseDumpDamaged, errors.DatabaseClientMissing)):
        postgresql_dump.verify(scratch / "dump", scratch)
