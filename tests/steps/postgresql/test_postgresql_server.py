"""A real server is asked, and what it refuses has a sentence."""

import pytest

from steps import errors
from steps.postgresql import postgresql_server
from tests.stores import postgresql_servers
from tests.stores.redis_servers import free_port


def ask(opened, name, **more):
    with opened(name, **more) as server, server.session() as session:
        return session.one("SELECT current_user")


@pytest.mark.quick
def test_a_user_with_an_awkward_password_logs_in(opened, database):
    assert ask(opened, database) == postgresql_servers.OWNER


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"password": "wrong"}, errors.DatabaseLoginRefused),
        ({"password": ""}, errors.DatabaseLoginRefused),
        ({"user": "nobody"}, errors.DatabaseLoginRefused),
        ({"mode": "require"}, errors.DatabaseTlsRefused),
    ],
)
def test_what_a_person_must_correct_is_final(opened, database, more, kind):
    with pytest.raises(kind) as raised:
        ask(opened, database, **more)

    assert raised.value.exit_code == errors.REFUSED_EXIT
    assert postgresql_servers.OWNERS_PASSWORD not in str(raised.value)


def test_a_database_that_is_not_there_is_named(opened):
    with pytest.raises(errors.DatabaseMissing, match="none"):
        ask(opened, "none")


def test_a_port_where_nobody_listens_asks_for_another_try(opened, database):
    with pytest.raises(errors.DatabaseNoAnswer) as raised:
        ask(opened, database, port=free_port())

    assert raised.value.exit_code == errors.TRY_AGAIN_EXIT


def test_a_session_that_the_server_ends_asks_for_another_try(opened, database, postgresql):
    with opened(database) as server, server.session() as session:
        postgresql.ask(f"SELECT pg_terminate_backend({session.process})")
        with pytest.raises(errors.DatabaseNoAnswer):
            session.one("SELECT 1")


def test_no_limit_of_the_server_ends_our_session(opened, database, postgresql):
    for name in ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout"):
        postgresql.ask(f"ALTER ROLE \"{postgresql_servers.OWNER}\" SET {name} = '5s'")
    with opened(database) as server, server.session() as session:
        found = {
            name: session.one("SELECT current_setting(%s)", [name])
            for name in ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")
        }
    postgresql.ask(f'ALTER ROLE "{postgresql_servers.OWNER}" RESET ALL')

    assert set(found.values()) == {"0"}


def test_the_password_is_in_a_file_of_the_owner_alone_and_gone_afterwards(opened, database, tmp_path):
    with opened(database) as server:
        file = tmp_path / "private" / next((tmp_path / "private").iterdir()).name / "passfile"
        mode, told = file.stat().st_mode & 0o777, server.environment

    assert mode == 0o600
    assert not any(postgresql_servers.OWNERS_PASSWORD in value for value in told.values())
    assert list((tmp_path / "private").iterdir()) == []


def test_lines_that_may_hold_rows_are_not_shown(postgresql):
    said = 'ERROR:  duplicate key value violates unique constraint "pkey"\nDETAIL:  Key (email)=(me@x) exists.\n'

    assert postgresql_server.shown(postgresql.address("x"), said) == (
        'ERROR: duplicate key value violates unique constraint "pkey"'
    )
