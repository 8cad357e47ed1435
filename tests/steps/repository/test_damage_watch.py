"""The nightly share and its ledger: a night that is killed or meets a prune marks nothing, and the next goes on."""

import os
import shutil

import pytest

from steps import errors
from steps.repository import damage_watch, ledger
from tests.builders import broken_packs, restic_locks

pytestmark = [pytest.mark.usefixtures("restic_on_path"), pytest.mark.thorough]

NAME = "threescale-repository"


@pytest.fixture
def folder(restic_on_path, backup_volume, tmp_path):  # noqa: ARG001  it is a fixture
    """A folder with a repository that holds one backup, whose largest pack of data is damaged."""
    with broken_packs.opened(tmp_path) as restic:
        restic.run("init")
        broken_packs.push(restic, backup_volume)
    return tmp_path


def harm(folder):
    with broken_packs.opened(folder) as restic:
        (pack, *_) = broken_packs.packs_of(restic, "data")
    broken_packs.flip(broken_packs.path_of(folder, pack))
    return pack


def read(stage, folder, nights=1):
    with broken_packs.opened(folder) as restic:
        return damage_watch.read_share(restic, stage.connect(), nights)


def known(stage):
    return ledger.read(stage.connect(), NAME)


@pytest.fixture
def killed(folder, monkeypatch):
    """restic is killed at one command."""

    def at(command):
        real, place = shutil.which("restic"), folder / "bin"
        place.mkdir()
        (place / "restic").write_text(f'#!/bin/sh\n[ "$1" = {command} ] && kill -9 $$\nexec {real} "$@"\n')
        (place / "restic").chmod(0o755)
        monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
        return place / "restic"

    return at


def test_a_share_that_is_killed_is_read_by_the_next_night(empty, folder, killed):
    assert str(read(empty, folder, 2)) == "1/2"
    dead = killed("check")

    with pytest.raises(errors.PhaseError):
        read(empty, folder, 2)

    assert known(empty).reading == "1/2"
    dead.unlink()
    assert str(read(empty, folder, 2)) == "2/2"


def test_a_search_that_is_killed_leaves_the_pack_in_the_ledger_and_the_next_night_marks(empty, folder, killed):
    pack = harm(folder)
    dead = killed("find")

    with pytest.raises(errors.PhaseError):
        read(empty, folder)

    assert (known(empty).packs, known(empty).damaged) == ((pack,), [])
    dead.unlink()
    with pytest.raises(errors.SnapshotsDamaged):
        read(empty, folder)
    assert len(known(empty).damaged) == 1


def test_a_second_look_keeps_the_time_of_the_first_mark(empty, folder):
    harm(folder)
    with pytest.raises(errors.SnapshotsDamaged):
        read(empty, folder)
    (snapshot,) = known(empty).damaged
    first = known(empty).of(snapshot).damaged

    with broken_packs.opened(folder) as restic:
        found = [each for each in damage_watch.snapshots.every(restic) if each.id == snapshot]
        assert damage_watch.read_whole(restic, empty.connect(), found[0], folder)

    assert known(empty).of(snapshot).damaged == first


def test_a_reading_that_is_killed_leaves_the_mark(empty, folder, killed):
    pack = harm(folder)
    with pytest.raises(errors.SnapshotsDamaged):
        read(empty, folder)
    ledger.repaired(empty.connect(), NAME, [pack])
    killed("dump")

    with broken_packs.opened(folder) as restic, pytest.raises(errors.PhaseError):
        damage_watch.reread(restic, empty.connect(), folder)

    assert len(known(empty).damaged) == 1


def test_beside_a_prune_the_share_is_left_to_a_later_try(empty, folder):
    with broken_packs.opened(folder) as restic:
        key = restic.run("cat", "masterkey", "--no-lock").decode()
    restic_locks.leave(folder / "repository", key, minutes=1, exclusive=True, host="pruner")

    with pytest.raises(errors.RepositoryLocked) as error:
        read(empty, folder)

    assert error.value.exit_code == errors.TRY_AGAIN_EXIT
    assert known(empty).reading == ""


def test_the_reading_takes_no_lock_that_stops_a_push(empty, folder, monkeypatch):
    place, record = folder / "bin", folder / "record"
    place.mkdir()
    locks = folder / "repository/locks"
    (place / "restic").write_text(
        f'#!/bin/sh\n{shutil.which("restic")} "$@"; end=$?; ls {locks} >>{record}; echo "$1" >>{record}; exit $end\n'
    )
    (place / "restic").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    locks.chmod(0o500)
    before = locks.stat().st_mtime_ns

    read(empty, folder)

    assert "check" in record.read_text().split()
    assert locks.stat().st_mtime_ns == before  # a lock that came and went changes it
