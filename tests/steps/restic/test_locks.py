"""A dead lock is removed, whoever's it was; a living one is waited for, and then named."""

import pytest

from steps import errors
from steps.restic import locks, program
from steps.restic.store import Store
from tests.builders import restic_locks

PASSWORD = "a password for the tests of repositories"  # noqa: S105  # of repositories that live as long as a test


pytestmark = pytest.mark.usefixtures("restic_on_path")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "repository"


@pytest.fixture
def made(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "ROUND", "1s")  # of five minutes
    told = {"RESTIC_REPOSITORY": str(folder), "RESTIC_PASSWORD": PASSWORD}
    with program.opened(Store("copies", told), tmp_path / "private", tmp_path / "scratch") as opened:
        opened.run("init")
        (tmp_path / "file").write_text("content")
        yield opened


@pytest.fixture
def lock(made, folder):
    key = made.run("cat", "masterkey").decode()

    def leave(minutes, **more):
        return restic_locks.leave(folder, key, minutes=minutes, **more)

    return leave


def run(made, *words, patience_s=0.0):
    return list(locks.lines(made, *words, patience_s=patience_s))


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_lock_that_was_not_refreshed_for_half_an_hour_is_removed(made, lock, exclusive):
    dead = lock(31, exclusive=exclusive)

    run(made, "prune")

    assert not dead.exists()


def test_a_younger_lock_is_named_with_its_host_and_left(made, lock, folder):
    living = lock(12, exclusive=True)

    with pytest.raises(errors.RepositoryLocked) as locked:
        run(made, "prune")

    assert locked.value.exit_code == errors.TRY_AGAIN_EXIT
    assert locked.value.host == restic_locks.HOST
    assert living.exists()
    assert [path.name for path in (folder / "locks").iterdir()] == [living.name]


def test_a_command_is_run_to_its_end_where_nobody_needs_its_lines(made, lock, tmp_path):
    dead = lock(31, exclusive=True)

    locks.run(made, "backup", str(tmp_path / "file"), patience_s=0.0)

    assert len(made.json("snapshots", "--no-lock")) == 1
    assert not dead.exists()


@pytest.mark.thorough
def test_a_push_is_stopped_by_exclusive_locks_alone(made, lock, tmp_path):
    lock(1)

    run(made, "backup", str(tmp_path / "file"))

    assert len(made.json("snapshots", "--no-lock")) == 1


@pytest.mark.thorough
def test_a_lock_that_dies_while_it_is_waited_for_is_removed_by_the_next_round(made, lock, tmp_path):
    dying = lock(29.95, exclusive=True)

    run(made, "backup", str(tmp_path / "file"), patience_s=60.0)

    assert not dying.exists()
    assert len(made.json("snapshots", "--no-lock")) == 1
