"""What is written to a volume: files whole, folders, and holes."""

import os
import stat
from contextlib import contextmanager

import pytest

from steps import errors
from steps.archive import layout
from steps.archive.layout import BEGIN
from steps.files import volume, writing
from tests.builders.refusals import Holding, refused
from tests.builders.threads import at_once
from tests.builders.trees import ROOT, ordinary_user
from tests.builders.volumes import begin, content, mounted


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(value):
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def test_phases_may_make_the_same_folder_at_once(tmp_path):
    failures = []
    for number in range(30):
        failures += at_once(
            lambda phase, number=number: layout.write(tmp_path, f"{number}/{phase}.json", b"{}"), range(4)
        )

    assert failures == []


def test_a_file_where_a_folder_belongs_is_told(tmp_path):
    (tmp_path / "reports").write_bytes(b"")

    with refused(errors.VolumeFailed, reason="File exists"):
        layout.write(tmp_path, "reports/secrets.json", b"{}")


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_modes_on_the_volume_do_not_depend_on_the_umask(tmp_path, mask):
    with umask(mask):
        begin(tmp_path)
        layout.write(tmp_path, "secrets/zync.json", b"{}")

    assert mode(tmp_path / BEGIN) == 0o640
    assert mode(tmp_path / "secrets/zync.json") == 0o640
    assert mode(tmp_path / "secrets") == 0o770


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "secrets").mkdir(0o700)

    writing.make_folder(tmp_path, "secrets")

    assert mode(tmp_path / "secrets") == 0o700


def test_a_file_is_replaced_whole(tmp_path):
    layout.write(tmp_path, "file", b"before")
    layout.write(tmp_path, "file", b"after")

    assert content(tmp_path) == {"file": b"after"}


def test_a_write_that_fails_leaves_what_was_there_and_no_temporary_file(tmp_path):
    (tmp_path / "file").mkdir()

    with refused(errors.VolumeFailed, reason="Is a directory"):
        layout.write(tmp_path, "file", b"data")

    assert content(tmp_path) == {"file": None}


def test_a_full_volume_is_told_with_what_is_free_and_holds_no_half_file(tmp_path):
    with mounted(tmp_path, "size=64k"):
        with refused(errors.VolumeFull, path=Holding("/file"), free_bytes=65536):
            layout.write(tmp_path, "file", bytes(1 << 20))

        assert volume.content(tmp_path) == []
        assert os.listdir(tmp_path) == []


PAGE = bytes(4096)


DATA = b"\0data" * 1000  # more than a page; its first byte tells nothing


@pytest.mark.parametrize(
    ("data", "ends_in_a_hole"),
    [
        (b"", False),
        (bytes(4095), False),
        (PAGE, True),
        (PAGE * 64, True),
        (PAGE * 64 + b"\0", False),
        (DATA, False),
        (PAGE + DATA + PAGE * 3, False),
        (DATA.ljust(8192, b"\0") + PAGE * 2, True),
        ((DATA.ljust(8192, b"\0") + PAGE) * 9 + DATA, False),
    ],
)
def test_what_is_written_with_holes_is_what_was_given(tmp_path, data, ends_in_a_hole):
    with (tmp_path / "file").open("wb", buffering=0) as stream:
        stream.write(b"before")

        assert writing.put_sparse(stream.fileno(), data) == ends_in_a_hole
        assert stream.tell() == len(b"before" + data)
        stream.truncate()

    assert (tmp_path / "file").read_bytes() == b"before" + data


def test_clearing_leaves_the_folder_and_what_its_links_lead_to(tmp_path):
    layout.write(tmp_path, "a/b", b"1")
    layout.write(tmp_path, "a/.hidden", b"2")
    layout.write(tmp_path, "outside", b"3")
    (tmp_path / "a/link").symlink_to(tmp_path / "outside")

    writing.clear(tmp_path, "a")

    assert content(tmp_path) == {"a": None, "outside": b"3"}


@pytest.mark.skipif(not ROOT, reason="only root can make what another user can't remove")
def test_what_can_not_be_cleared_is_told(of_root):
    (of_root / "a").touch()

    with ordinary_user(), pytest.raises(errors.NotWritable):
        writing.clear(of_root, "")
