"""A program as a process: its end, its words, and that it does not outlive the phase."""

import sys
import time

import pytest

from steps import errors
from steps.postgresql import client_program
from steps.process import interruption


def start(code, log):
    return client_program.started([sys.executable, "-c", code], {}, log)


def test_the_end_has_the_code_and_the_last_words(tmp_path):
    process = start("import sys; print('words', file=sys.stderr); sys.exit(3)", tmp_path / "log")

    assert client_program.wait(process, tmp_path / "log") == client_program.ClientEnd(3, "words")


def test_a_watch_that_raises_ends_the_program(tmp_path):
    process = start("import time; time.sleep(60)", tmp_path / "log")

    def watch():
        raise errors.DatabaseLocked("system-database", 1.0)

    with pytest.raises(errors.DatabaseLocked):
        client_program.wait(process, tmp_path / "log", watch)

    assert process.poll() is not None


def test_a_phase_that_is_asked_to_end_ends_its_program(tmp_path, monkeypatch):
    process = start("import time; time.sleep(60)", tmp_path / "log")
    monkeypatch.setattr(interruption, "point", lambda: (_ for _ in ()).throw(errors.Interrupted()))

    with pytest.raises(errors.Interrupted):
        client_program.wait(process, tmp_path / "log")

    assert process.poll() is not None


def test_a_program_that_ignores_the_request_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(client_program, "_GRACE_S", 0.2)
    process = start(
        "import signal, time, sys; signal.signal(15, 1); print(1, file=sys.stderr, flush=True); time.sleep(60)",
        tmp_path / "log",
    )
    while not (tmp_path / "log").read_text():
        time.sleep(0.02)

    client_program.stop(process)

    assert process.returncode == -9


def test_the_version_is_that_of_the_program(monkeypatch, tmp_path):
    script = tmp_path / "pg_dump"
    script.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 17.6 (Debian 17.6-1)'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert client_program.major() == 17


def test_a_program_that_a_signal_has_ended_asks_for_another_try(tmp_path):
    end = client_program.wait(start("import os; os.kill(os.getpid(), 9)", tmp_path / "log"), tmp_path / "log")

    with pytest.raises(errors.DatabaseClientStopped, match="signal 9"):
        client_program.check_alive("psql", end)
