"""A share of a repository's data is read, damaged packs are named, and the snapshots that use them are found."""

import json
import os
import shutil
from datetime import UTC, datetime

import pytest

from steps import errors
from steps.archive import layout
from steps.repository import damage
from steps.repository.damage import Damage, NightlyShare
from steps.restic import program
from steps.restic.store import Store
from tests.builders import broken_packs
from tests.builders import snapshots as sealed_backups

pytestmark = pytest.mark.thorough

WHOLE = NightlyShare(1, 1)


@pytest.fixture
def on_path(each_restic, monkeypatch):
    monkeypatch.setenv("PATH", f"{each_restic.path.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def repository(on_path, tmp_path):  # noqa: ARG001  it is a fixture
    with broken_packs.opened(tmp_path) as restic:
        restic.run("init")
        yield restic


@pytest.fixture
def two(repository, backup_volume, tmp_path):
    """A snapshot of a backup, one of a second backup with one file of its own, and the packs that this one added."""
    first = broken_packs.push(repository, backup_volume)
    before = packs(repository)
    source = shutil.copytree(backup_volume / layout.TREE, tmp_path / "source", symlinks=True)
    (source / "new").write_bytes(os.urandom(5000))
    sealed_backups.with_tree(backup_volume, source)
    second = broken_packs.push(repository, backup_volume)
    added = {pack: kinds for pack, kinds in packs(repository).items() if pack not in before}
    return first, second, before, added


def packs(restic):
    """The kinds of blobs of each pack."""
    found = {}
    for index in restic.run("list", "index", "--no-lock").decode().split():
        for pack in restic.json("cat", "index", "--no-lock", index)["packs"]:
            found[pack["id"]] = {blob["type"] for blob in pack["blobs"]}
    return found


def of_kind(found, kind):
    return next(pack for pack, kinds in found.items() if kinds == {kind})


@pytest.mark.thorough
@pytest.mark.usefixtures("two")
def test_a_good_repository_has_no_damage(repository):
    assert not damage.look(repository, WHOLE)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["data", "tree"])
@pytest.mark.parametrize("harm", [broken_packs.flip, broken_packs.truncate, os.unlink])
def test_damage_of_a_pack_names_it_and_marks_the_snapshots_that_use_it(repository, two, tmp_path, harm, kind):
    first, second, _, added = two
    pack = of_kind(added, kind)
    harm(broken_packs.path_of(tmp_path, pack))

    found = damage.look(repository, WHOLE)

    assert found == Damage([pack])
    assert damage.users(repository, [second, first], found) == [second]


@pytest.mark.thorough
@pytest.mark.parametrize("harm", [broken_packs.flip, os.unlink])
def test_damage_of_a_pack_that_both_use_marks_both(repository, two, tmp_path, harm):
    first, second, before, _ = two
    harm(broken_packs.path_of(tmp_path, of_kind(before, "data")))

    found = damage.look(repository, WHOLE)

    assert set(damage.users(repository, [second, first], found)) == {first, second}


@pytest.mark.thorough
def test_a_header_that_cannot_be_read_hides_no_snapshot(repository, two, tmp_path):
    first, second, _, added = two
    pack = of_kind(added, "data")
    path = broken_packs.path_of(tmp_path, pack)
    broken_packs.flip(path, path.stat().st_size - 60)

    found = damage.look(repository, WHOLE)

    assert found == Damage([pack])
    assert damage.users(repository, [second, first], found) == [second]


def test_a_lost_index_marks_the_snapshots_that_lack_blobs(repository, two, tmp_path):
    first, second, _, added = two
    for index in (tmp_path / "repository/index").iterdir():
        told = repository.json("cat", "index", "--no-lock", index.name)
        if {pack["id"] for pack in told["packs"]} & added.keys():
            index.unlink()

    found = damage.look(repository, WHOLE)

    assert found == Damage([], unindexed=True)
    assert damage.users(repository, [second, first], found) == [second]


@pytest.mark.thorough
def test_a_share_sees_the_damage_of_its_own_packs_alone_and_all_shares_see_all(repository, two, tmp_path):
    *_, added = two
    pack = of_kind(added, "data")
    broken_packs.flip(broken_packs.path_of(tmp_path, pack))

    found = [damage.look(repository, NightlyShare(number, 4)) for number in (1, 2, 3, 4)]

    assert sorted(map(bool, found)) == [False, False, False, True]
    assert Damage([pack]) in found


def test_shares_advance_and_begin_again_after_the_last():
    read, last = [], ""
    for _ in range(4):
        last = str(NightlyShare.after(last, 3))
        read.append(last)

    assert read == ["1/3", "2/3", "3/3", "1/3"]


@pytest.mark.parametrize("last", ["", "2/30", "nonsense", "3/3", "7/3x"])
def test_another_number_of_nights_begins_with_the_first_share(last):
    assert NightlyShare.after(last, 3) == NightlyShare(1, 3)


@pytest.mark.thorough
@pytest.mark.usefixtures("two")
def test_a_living_exclusive_lock_is_waited_for_and_a_dead_one_is_not(repository, monkeypatch):
    lock = {"time": datetime.now(UTC).isoformat(), "exclusive": True, "hostname": "pruner"}
    run = repository.run
    monkeypatch.setattr(
        repository,
        "run",
        lambda *words, **more: (
            b"abc\n"
            if words[:2] == ("list", "locks")
            else json.dumps(lock).encode()
            if words[:2] == ("cat", "lock")
            else run(*words, **more)
        ),
    )
    with pytest.raises(errors.RepositoryLocked) as error:
        damage.look(repository, WHOLE)

    assert error.value.host == "pruner"
    lock["time"] = "2026-01-01T00:00:00.123456789Z"

    assert not damage.look(repository, WHOLE)


UNANSWERED = """
case "$1" in
check)
  echo 'Load(<data/d05dd3e6e4>, 154, 0) returned error, retrying after 1s: dial tcp: connection refused' >&2
  echo 'download error: dial tcp 127.0.0.1:1: connect: connection refused' >&2
  echo 'pack PACK contains 1 errors: [partial download error: connection reset by peer]' >&2
  echo 'Fatal: repository contains errors' >&2
  exit 1;;
esac
""".replace("PACK", "d0" * 32)


@pytest.fixture
def played(tmp_path, monkeypatch):
    """restic, as a shell script plays it."""

    def play(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "restic"
        program.write_text(f"""#!/bin/sh\n[ "$1" = version ] && echo '{{"version":"0.18.0"}}' && exit\n{script}""")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return broken_packs.opened(tmp_path)

    return play


def test_a_pack_that_could_not_be_fetched_is_no_damage(played):
    with played(UNANSWERED) as restic, pytest.raises(errors.StoreUnanswered) as error:
        damage.look(restic, WHOLE)

    assert error.value.exit_code == errors.TRY_AGAIN_EXIT


def test_beside_a_damaged_pack_one_that_could_not_be_fetched_is_not_named(played):
    gone = f"echo 'pack {'ab' * 32}: does not exist' >&2\n  exit 1"

    with played(UNANSWERED.replace("exit 1", gone)) as restic:
        assert damage.look(restic, WHOLE) == Damage(["ab" * 32])


@pytest.mark.usefixtures("on_path")
def test_a_pack_that_is_listed_and_not_served_is_named_and_marks_its_snapshots(s3, faults, backup_volume, tmp_path):
    told = {"RESTIC_REPOSITORY": s3.bucket().repository(faults.address), "RESTIC_PASSWORD": broken_packs.PASSWORD}
    with program.opened(
        Store("copies", {**told, **s3.credentials}), tmp_path / "private", tmp_path / "scratch"
    ) as restic:
        restic.run("init")
        snapshot = broken_packs.push(restic, backup_volume)
        pack = of_kind(packs(restic), "data")
        faults.lose(f"/data/{pack[:2]}/{pack}")
        shutil.rmtree(tmp_path / "scratch/cache", ignore_errors=True)

        found = damage.look(restic, WHOLE)

        assert found.packs == [pack]
        assert damage.users(restic, [snapshot], found) == [snapshot]
