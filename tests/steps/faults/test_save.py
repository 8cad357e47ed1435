"""Faults of the system while System FileStorage is saved."""

import errno
import re
import shutil

import pytest

from steps.archive import layout
from tests.steps.faults.conftest import SMALL
from tests.steps.faults.judges import FULL, contents, is_as_listed, saved, without
from tests.steps.faults.plan import SHORT, VANISH, Call, Fault

pytestmark = pytest.mark.thorough

COPY = "*/backup/system-filestorage-pvc"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "backup"


@pytest.fixture
def copy(root):
    return root / layout.TREE


def ends_as_undisturbed(save, world, root):
    """Whether a second run, which nothing disturbs, ends as an undisturbed first one."""
    ended = save(world.source)
    return ended.error == "" and saved(root) == saved(world.backup)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(Call.WRITE, "*/backup/*", errno.ENOSPC, first=10), id="in the middle of the tree"),
        pytest.param(Fault(Call.CREATE, f"{COPY}/*", errno.ENOSPC, first=10), id="no inode left"),
        pytest.param(Fault(Call.WRITE, "*/backup/*", errno.EDQUOT, first=10), id="a quota"),
    ],
)
@pytest.mark.lesson(22)
def test_a_volume_that_is_full_amid_the_tree_holds_whole_files_only(small, save, root, copy, fault):
    ended = save(small.source, fault)

    assert (ended.error, ended.exit_code) == ("VolumeFull", 1)
    assert re.fullmatch(FULL.format("backup/system-filestorage-pvc"), ended.sentence)
    assert contents(copy).items() < contents(small.source).items()
    assert ends_as_undisturbed(save, small, root)


def test_a_volume_that_is_full_amid_a_file_holds_no_half_of_it(large, save, root, copy):
    ended = save(large.source, Fault(Call.WRITE, f"{COPY}/large/*", errno.ENOSPC, first=3))

    assert ended.error == "VolumeFull"
    assert contents(copy).items() < contents(large.source).items()
    assert ends_as_undisturbed(save, large, root)


def test_half_a_file_that_could_not_be_removed_either_is_not_taken_for_whole(large, save, root):
    half = Fault(Call.WRITE, f"{COPY}/large/*", errno.EIO, first=3)

    ended = save(large.source, half, Fault(Call.REMOVE, f"{COPY}/large/*", errno.EIO))

    assert ended.error == "VolumeFailed"
    assert ends_as_undisturbed(save, large, root)


def test_a_volume_that_has_no_room_for_the_listing_is_full(small, save, border, root):
    if border.is_seam:
        pytest.skip("without a compiler: the seam does not see what a stream writes")

    ended = save(small.source, Fault(Call.WRITE, "*/backup/*listing*", errno.ENOSPC))

    assert (ended.error, ended.exit_code) == ("VolumeFull", 1)
    assert not (root / layout.LISTING).exists()
    assert ends_as_undisturbed(save, small, root)


@pytest.mark.parametrize(
    ("fault", "error", "exit_code"),
    [
        pytest.param(Fault(Call.WRITE, f"{COPY}/c/*", errno.EIO), "VolumeFailed", 1, id="write EIO"),
        pytest.param(Fault(Call.WRITE, f"{COPY}/c/*", errno.ESTALE, 1, 1), "VolumeStale", 75, id="write ESTALE"),
        pytest.param(Fault(Call.CREATE, f"{COPY}/c/*", errno.EACCES), "NotWritable", 1, id="create EACCES"),
        pytest.param(Fault(Call.CREATE, f"{COPY}/c/*", errno.EROFS), "VolumeReadOnly", 1, id="create EROFS"),
        pytest.param(Fault(Call.CREATE, f"{COPY}/c", errno.EACCES), "NotWritable", 1, id="mkdir EACCES"),
    ],
)
def test_what_the_volume_refuses_is_said_with_its_path(small, save, root, fault, error, exit_code):
    ended = save(small.source, fault)

    assert (ended.error, ended.exit_code) == (error, exit_code)
    assert f" {root / layout.TREE}/c" in ended.sentence
    assert contents(root / layout.TREE).items() < contents(small.source).items()
    assert ends_as_undisturbed(save, small, root)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(Call.READ, "*/source/c/03", errno.EIO), id="read EIO"),
        pytest.param(Fault(Call.READ, "*/source/c/03", errno.ESTALE), id="read ESTALE"),
        pytest.param(Fault(Call.OPEN, "*/source/c/03", errno.EACCES), id="open EACCES"),
        pytest.param(Fault(Call.OPEN, "*/source/c/03", errno.EIO), id="open EIO"),
        pytest.param(Fault(Call.LOOK, "*/source/c/03", errno.EIO), id="stat EIO"),
        pytest.param(Fault(Call.LOOK, "*/source/c/03", errno.EIO, first=2), id="second stat EIO"),
    ],
)
def test_a_file_that_can_not_be_read_is_named_after_all_else_was_copied(small, save, root, copy, fault):
    ended = save(small.source, fault)

    assert (ended.error, ended.exit_code) == ("ReadFailed", 1)
    assert ended.sentence.startswith("1 path(s) could not be read (from System FileStorage: c/03).")
    assert contents(copy) == without("c/03", small.source)
    assert ends_as_undisturbed(save, small, root)


def test_of_many_files_that_can_not_be_read_the_first_ten_are_named_and_all_are_counted(small, save, root, copy):
    ended = save(small.source, Fault(Call.READ, "*/source/c/*", errno.EIO))

    first = ", ".join(f"c/{number:02}" for number in range(10))
    assert ended.sentence.startswith(f"14 path(s) could not be read (from System FileStorage: {first} and 4 more).")
    assert contents(copy) == without("c", small.source)
    assert ends_as_undisturbed(save, small, root)


def test_a_folder_that_may_not_be_opened_is_named_after_all_else_was_copied(small, save, root, copy):
    ended = save(small.source, Fault(Call.OPEN, "*/source/b", errno.EACCES))

    assert ended.sentence.startswith("1 path(s) could not be read (from System FileStorage: b).")
    assert contents(copy) == without("b", small.source)
    assert ends_as_undisturbed(save, small, root)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(Call.READ, "*/source/large/0", errno.ESTALE, 3, 3), id="read of a large file"),
        pytest.param(Fault(Call.READ, "*/source/z/0", errno.ESTALE, 1, 1), id="read"),
        pytest.param(Fault(Call.OPEN, "*/source/z/0", errno.ESTALE, 1, 1), id="open"),
        pytest.param(Fault(Call.LOOK, "*/source/z/0", errno.ESTALE, 1, 1), id="stat"),
        pytest.param(Fault(Call.LOOK, "*/source/z/0", errno.ESTALE, 2, 2), id="second stat"),
    ],
)
def test_a_handle_that_was_stale_once_is_asked_for_again(large, save, root, fault):
    ended = save(large.source, fault)

    assert ended.error == ""
    assert saved(root) == saved(large.backup)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(Call.READ, "*/source/*/*", SHORT), id="reads"),
        pytest.param(Fault(Call.WRITE, f"{COPY}/*/*", SHORT), id="writes"),
    ],
)
def test_what_comes_in_pieces_is_copied_whole(large, save, root, fault):
    ended = save(large.source, fault)

    assert ended.error == ""
    assert saved(root) == saved(large.backup)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ESTALE])
def test_a_folder_that_is_there_and_opens_only_later_is_saved(small, save, root, number):
    ended = save(small.source, Fault(Call.OPEN, "*/source/b", number, last=3))

    assert ended.error == ""
    assert saved(root) == saved(small.backup)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ESTALE])
def test_a_folder_that_is_there_and_never_opens_is_a_failure_that_names_it(small, save, root, copy, number):
    ended = save(small.source, Fault(Call.OPEN, "*/source/b", number))

    assert (ended.error, ended.exit_code) == ("ReadFailed", 1)
    assert "(from System FileStorage: b)" in ended.sentence
    assert contents(copy) == without("b", small.source)
    assert is_as_listed(root)


def test_a_folder_that_vanishes_while_it_is_copied_is_counted_and_no_failure(small, save, root, copy, tmp_path):
    source = shutil.copytree(small.source, tmp_path / "source", symlinks=True)
    for number in range(40):  # more than are opened ahead
        (source / f"c/more-{number}").write_bytes(b"more")
    before = contents(source)

    ended = save(source, Fault(Call.READ, "*/source/c/*", VANISH, last=1))

    assert not (source / "c").exists()
    assert ended.error == ""
    assert ended.facts["files"] < len(SMALL) + 40
    assert ended.facts["vanished"] == 1  # the folder; what lay in it is not counted
    assert contents(copy).items() <= before.items()
    assert is_as_listed(root)


def test_a_folder_whose_handle_was_stale_once_is_opened_again(small, save, root):
    ended = save(small.source, Fault(Call.OPEN, f"{small.source}/b/inner", errno.ESTALE, 1, 1))

    assert (ended.error, ended.struck[0]) == ("", True)
    assert saved(root) == saved(small.backup)


def test_a_folder_whose_handle_stays_stale_can_not_be_read(small, save):
    ended = save(small.source, Fault(Call.OPEN, f"{small.source}/b/inner", errno.ESTALE))

    assert (ended.error, ended.exit_code) == ("ReadFailed", 1)
    assert "b/inner" in ended.sentence
