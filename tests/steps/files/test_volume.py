"""What the system says of a volume, and what on it is no content."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from steps import errors
from steps.files import volume
from tests.builders.refusals import Holding, refused
from tests.builders.trees import ROOT, ordinary_user
from tests.builders.volumes import mounted


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, errors.NotWritable),
        (errno.EPERM, errors.NotWritable),
        (errno.EROFS, errors.VolumeReadOnly),
        (errno.ENOSPC, errors.VolumeFull),
        (errno.EDQUOT, errors.VolumeFull),
        (errno.ESTALE, errors.VolumeStale),
        (errno.EIO, errors.VolumeFailed),
    ],
    ids=errno.errorcode.get,
)
def test_the_system_s_errors_become_ours(tmp_path, number, kind):
    with refused(kind, path="/some/place") as caught, volume.failures(tmp_path):
        raise OSError(number, os.strerror(number), "/some/place")

    assert isinstance(caught.value.__cause__, OSError)


def test_a_full_volume_is_told_of_a_path_that_the_system_would_not_take(tmp_path):
    below = "/".join(["a" * 200] * 30)

    with refused(errors.VolumeFull, path=Holding("aaa"), needed_bytes=None):
        raise volume.failure(OSError(errno.ENOSPC, "full", "a"), tmp_path, below)


def test_a_volume_that_can_not_be_listed_is_told(tmp_path):
    with refused(errors.ReadFailed, reason=Holding("No such file")):
        volume.content(tmp_path / "gone")


def test_what_is_free_is_unknown_where_the_file_system_does_not_say_or_counts_no_blocks(tmp_path):
    assert volume.free_bytes(tmp_path / "gone") is None
    assert volume.free_bytes(Path("/proc")) is None  # of no blocks
    assert volume.free_bytes(tmp_path) > 0


def test_a_full_volume_that_does_not_say_what_is_free_is_told_so():
    with refused(errors.VolumeFull, path="/proc/file", free_bytes=None):
        raise volume.failure(OSError(errno.ENOSPC, "full"), Path("/proc"), "file")


@pytest.mark.skipif(not ROOT, reason="only root can make a folder in which an ordinary user can make no file")
class TestSnapshotFolders:
    """What a NAS shows at the root of a volume, and what only looks like it."""

    @pytest.mark.parametrize("name", [".snapshot", ".snapshots", ".zfs", ".ckpt", "~snapshot"])
    def test_a_folder_of_the_name_in_which_no_file_can_be_made_is_no_content(self, of_root, name):
        (of_root / name).mkdir(mode=0o555)
        with ordinary_user():
            assert volume.passed_over(of_root) == ("lost+found", name)
            assert volume.content(of_root) == []

    def test_a_folder_of_another_name_is_content(self, of_root):
        (of_root / ".snaps").mkdir(mode=0o555)
        with ordinary_user():
            assert volume.content(of_root) == [".snaps"]

    def test_one_in_which_a_file_can_be_made_is_content_and_keeps_what_it_holds(self, of_root):
        (of_root / ".snapshot").mkdir()
        (of_root / ".snapshot/mine").touch()

        assert volume.content(of_root) == [".snapshot"]
        assert os.listdir(of_root / ".snapshot") == ["mine"]

    def test_one_that_takes_files_and_can_not_be_listed_is_content(self, of_root):
        (of_root / ".snapshot").mkdir()
        (of_root / ".snapshot").chmod(0o333)
        with ordinary_user():
            assert volume.content(of_root) == [".snapshot"]
            assert volume.shown(of_root, ".snapshot") == "an unknown number of entries"
        assert os.listdir(of_root / ".snapshot") == []

    @pytest.mark.parametrize("target", [".", "folder", "nowhere"])
    def test_a_link_of_the_name_is_content(self, of_root, target):
        (of_root / "folder").mkdir(mode=0o555)
        (of_root / ".snapshot").symlink_to(target)
        with ordinary_user():
            assert volume.content(of_root) == [".snapshot", "folder"]

    def test_a_file_of_the_name_is_content(self, of_root):
        (of_root / ".snapshot").touch(mode=0o444)
        with ordinary_user():
            assert volume.content(of_root) == [".snapshot"]

    def test_where_the_volume_is_mounted_read_only_the_name_alone_decides(self, tmp_path):
        with mounted(tmp_path, "size=64k"):
            (tmp_path / ".snapshot").mkdir()
            assert volume.content(tmp_path) == [".snapshot"]
            subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)  # noqa: S603, S607  a test's own

            assert volume.passed_over(tmp_path) == ("lost+found", ".snapshot")

    def test_where_a_file_could_not_be_made_for_want_of_room_it_is_content(self, tmp_path):
        with mounted(tmp_path, "size=64k,nr_inodes=2"):
            (tmp_path / ".snapshot").mkdir()

            assert volume.content(tmp_path) == [".snapshot"]
