"""restic runs as a process: what reaches it, what it says, and how it ends."""

import json
import os
import signal
import stat
import threading
import time

import pytest

from steps import errors
from steps.process import interruption
from steps.restic import program
from steps.restic.store import Store

PASSWORD = "a password for the tests of repositories"  # noqa: S105  # of repositories that live as long as a test
KEYS = {"AWS_ACCESS_KEY_ID": "canary-key-id", "AWS_SECRET_ACCESS_KEY": "canary-secret-key"}


def store(address, **more):
    return Store("threescale-repository", {"RESTIC_REPOSITORY": str(address), "RESTIC_PASSWORD": PASSWORD, **more})


@pytest.fixture
def played(tmp_path, monkeypatch):
    """A program of the name restic that a test writes in shell."""

    def play(script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / "restic"
        # its version is Debian 13's, whatever it plays besides
        path.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo \'{{"version":"0.18.0"}}\' && exit\n{script}\n')
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return play


@pytest.fixture
def opened(tmp_path):
    def open_(of):
        return program.opened(of, tmp_path / "private", tmp_path / "scratch")

    return open_


@pytest.mark.quick
@pytest.mark.usefixtures("restic_on_path")
def test_a_repository_in_a_folder_is_made_and_opened(opened, tmp_path):
    with opened(store(tmp_path / "repository")) as restic:
        restic.run("init")

        assert restic.json("cat", "config")["version"] == 2
        assert [command for command, _ in restic.seconds] == ["version", "init", "cat"]


def test_secrets_are_in_private_files_alone_and_gone_at_the_end(played, opened, tmp_path):
    seen = tmp_path / "seen"
    told = f'echo "$@" > {seen}; env >> {seen}; ulimit -c >> {seen}'
    played(f"{told}; cat $RESTIC_PASSWORD_FILE $AWS_SHARED_CREDENTIALS_FILE > {seen}.files")
    private = tmp_path / "private"

    with opened(store("s3:https://s3.example.com/bucket", **KEYS)) as restic:
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in next(private.iterdir()).iterdir()}
        restic.run("cat", "config")

    told = seen.read_text()
    assert modes == {"RESTIC_REPOSITORY": 0o600, "RESTIC_PASSWORD": 0o600, "aws": 0o600}
    assert not any(secret in told for secret in (PASSWORD, *KEYS.values()))
    assert told.splitlines()[-1] == "0"
    assert all(secret in (tmp_path / "seen.files").read_text() for secret in (PASSWORD, *KEYS.values()))
    assert list(private.iterdir()) == []


def test_what_has_no_form_as_a_file_is_in_the_environment_of_restic_alone(played, opened, tmp_path):
    played(f"env > {tmp_path}/seen")

    with opened(store("azure:box:/", AZURE_ACCOUNT_NAME="someone", AZURE_ACCOUNT_KEY="canary-azure")) as restic:
        restic.run("cat", "config")

    assert "AZURE_ACCOUNT_KEY=canary-azure" in (tmp_path / "seen").read_text()
    assert "AZURE_ACCOUNT_KEY" not in os.environ


def test_variables_of_the_pod_do_not_change_what_restic_does(played, opened, tmp_path, monkeypatch):
    monkeypatch.setenv("RESTIC_COMPRESSION", "off")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:of-the-cloud")
    played(f"env > {tmp_path}/seen")

    with opened(store(tmp_path)) as restic:
        restic.run("snapshots")

    told = (tmp_path / "seen").read_text().splitlines()
    assert "AWS_ROLE_ARN=arn:of-the-cloud" in told
    assert "TZ=UTC" in told
    assert not [line for line in told if line.startswith("RESTIC_COMPRESSION")]


@pytest.mark.parametrize("version", ["0.14.0", "0.17.3", ""])
def test_an_older_restic_is_refused_by_its_number(version, tmp_path, monkeypatch, opened):
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "restic").write_text(f"#!/bin/sh\necho '{json.dumps({'version': version})}'\n")
    (folder / "restic").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(errors.OldRestic) as refused, opened(store(tmp_path)):
        pass
    assert version in str(refused.value)
    assert "0.18" in str(refused.value)


def test_a_machine_without_restic_is_told_so(tmp_path, monkeypatch, opened):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(errors.NoRestic), opened(store(tmp_path)):
        pass
    assert list((tmp_path / "private").iterdir()) == []


def test_a_secret_that_restic_prints_is_masked_in_the_error(played, opened, tmp_path):
    played(f"echo 'Fatal: {PASSWORD} is odd' >&2; exit 1")

    with opened(store(tmp_path)) as restic, pytest.raises(errors.PhaseError) as failed:
        restic.run("cat", "config")
    assert PASSWORD not in str(failed.value)
    assert "***" in str(failed.value)


def test_a_process_over_its_limit_is_ended(played, opened, tmp_path):
    played("trap 'exit 130' INT; while :; do sleep 0.1; done")
    started = time.monotonic()

    with opened(store(tmp_path)) as restic, pytest.raises(errors.PhaseError) as failed:
        restic.run("cat", "config", limit_s=0.5)
    assert failed.value.exit_code == errors.TRY_AGAIN_EXIT
    assert time.monotonic() - started < 9


def test_at_a_sigterm_restic_is_asked_to_end_so_that_it_removes_its_lock(played, opened, tmp_path, monkeypatch):
    asked = threading.Event()
    monkeypatch.setattr(interruption, "_asked", asked)  # the handler's own event: a signal would reach all tests
    played(f"trap 'touch {tmp_path}/unlocked; exit 130' INT; touch {tmp_path}/began; while :; do sleep 0.1; done")

    def ask():
        while not (tmp_path / "began").exists():
            time.sleep(0.01)
        asked.set()

    threading.Thread(target=ask).start()
    with pytest.raises(errors.Interrupted), opened(store(tmp_path)) as restic:
        restic.run("backup")
    assert (tmp_path / "unlocked").exists()


def test_a_caller_that_stops_early_leaves_no_process(played, opened, tmp_path):
    played(f"echo $$ > {tmp_path}/pid; while echo line; do :; done")

    with opened(store(tmp_path)) as restic:
        lines = restic.lines("ls")

        assert next(lines) == b"line\n"
        lines.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGCONT)


def test_lines_come_as_they_are_written_with_any_bytes(played, opened, tmp_path):
    played(r"printf 'one\n\377two\nthree'")

    with opened(store(tmp_path)) as restic:
        assert list(restic.lines("ls")) == [b"one\n", b"\xfftwo\n", b"three"]


def test_an_answer_that_is_no_json_is_an_error_of_ours(played, opened, tmp_path):
    played("echo no json")

    with opened(store(tmp_path)) as restic, pytest.raises(errors.NoJson):
        restic.json("snapshots")
