"""The odd volume is odd as it was told to be, and a plain passthrough else."""

import errno
import os

import pytest

from tests.steps.odd.conftest import FILES, LINK, USER, contents, fill
from tests.steps.odd.volume import Fault

pytestmark = pytest.mark.thorough


def facts(folder):
    found = {}
    for path in [*FILES, LINK, "a", "b/inner"]:
        status = (folder / path).lstat()
        found[path] = status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_size, status.st_ino
    return found


def error_of(call):
    try:
        call()
    except OSError as error:
        return error.errno
    return None


def test_without_oddities_it_shows_what_lies_behind_it(ground):
    behind = fill(ground.backing("odd"))

    odd = ground.mount("odd")

    assert contents(odd) == contents(behind)
    assert facts(odd) == facts(behind)
    assert (odd / LINK).readlink() == (behind / LINK).readlink()


def test_what_is_written_lies_behind_it_with_its_mode_and_time(ground):
    odd = ground.mount("odd")

    fill(odd)

    assert contents(ground.backing("odd")).keys() == FILES.keys()
    assert facts(odd) == facts(ground.backing("odd"))
    assert (odd / "top").stat().st_uid == USER


def test_a_fault_strikes_at_its_call_and_path_as_often_as_told(ground):
    fill(ground.backing("odd"))
    odd = ground.mount("odd", faults=[Fault("open", "a/1", "ENXIO", 1), Fault("readdir", "b", "ELOOP")])

    assert error_of((odd / "a/1").read_bytes) == errno.ENXIO
    assert (odd / "a/1").read_bytes()
    assert error_of(lambda: os.listdir(odd / "b")) == errno.ELOOP
    assert os.listdir(odd / "b/inner")


def test_a_fault_may_let_some_calls_pass_before(ground):
    fill(ground.backing("odd"))
    odd = ground.mount("odd", faults=[Fault("readdir", "a", "EIO", times=1, skip=1)])

    assert [error_of(lambda: os.listdir(odd / "a")) for _ in range(3)] == [None, errno.EIO, None]


def test_a_hidden_name_is_listed_and_not_found(ground):
    fill(ground.backing("odd"))
    odd = ground.mount("odd", hidden={"a/1": None})

    assert "1" in os.listdir(odd / "a")
    assert error_of((odd / "a/1").lstat) == errno.ENOENT


def test_names_come_twice_and_without_types(ground):
    fill(ground.backing("odd"))
    odd = ground.mount("odd", twice=["a"], untyped=True, faults=[Fault("stat", "a/1", "EIO")])

    with os.scandir(odd / "a") as found:
        items = list(found)

    assert sorted(item.name for item in items) == sorted(2 * ["0", "1", "2", "3"])
    assert error_of(next(item for item in items if item.name == "1").is_file) == errno.EIO


def test_modes_owners_and_times_are_what_the_volume_makes_of_them(ground):
    odd = ground.mount("odd", owner=7, group=8, file_mode=0o664, chmod_ignored=True, granularity_s=2, no_blocks=True)

    (odd / "file").write_bytes(b"x" * 5000)
    (odd / "file").chmod(0o600)
    os.utime(odd / "file", ns=(0, 3_500_000_000))

    found = (odd / "file").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (7, 8, 0o664)
    assert (found.st_mtime_ns, found.st_blocks) == (2_000_000_000, 0)
    assert error_of(lambda: os.chown(odd / "file", 1, 1)) == errno.EPERM


def test_names_meet_where_there_is_no_case_and_where_they_are_composed(ground):
    odd = ground.mount("odd", caseless=True, composed=True)

    (odd / "Name e\u0301").write_bytes(b"")

    assert os.listdir(odd) == ["Name \u00e9"]
    assert (odd / "name \u00c9").exists()


def test_what_is_frozen_can_be_read_and_neither_changed_nor_removed(ground):
    (ground.backing("odd") / ".snapshot/daily").mkdir(parents=True)
    odd = ground.mount("odd", frozen=[".snapshot"])

    assert os.listdir(odd / ".snapshot") == ["daily"]
    assert error_of((odd / ".snapshot/daily").rmdir) == errno.EROFS
    assert error_of((odd / ".snapshot/new").touch) == errno.EROFS
    assert error_of(lambda: (odd / ".snapshot").chmod(0o777)) == errno.EROFS


def test_it_says_nothing_of_its_size_or_what_it_was_told(ground):
    unmeasured = os.statvfs(ground.mount("unmeasured", unmeasured=True))
    small = os.statvfs(ground.mount("small", free_bytes=1 << 20))

    assert (unmeasured.f_blocks, unmeasured.f_bavail) == (0, 0)
    assert small.f_bavail * small.f_frsize == 1 << 20


def test_it_is_unmounted_in_the_end(ground):
    odd = ground.mount("odd", read_only=True)

    assert error_of((odd / "new").touch) == errno.EROFS
    ground.close()
    assert not os.path.ismount(odd)
    ground.folder.mkdir()
