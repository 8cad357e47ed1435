"""Faults of the system while System FileStorage is restored."""

import errno
import re

import pytest

from tests.steps.faults.judges import FULL, contents, restored
from tests.steps.faults.plan import SHORT, Call, Fault

pytestmark = pytest.mark.thorough

COPY = "*/backup/system-filestorage-pvc"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target"


def ends_as_undisturbed(restore, world, target):
    """Whether a second run, which nothing disturbs, ends as an undisturbed first one."""
    ended = restore(world.backup)
    return ended.error == "" and restored(target) == restored(world.target)


@pytest.mark.lesson(22)
def test_a_claim_that_is_full_amid_the_tree_holds_whole_files_only(small, restore, target):
    ended = restore(small.backup, Fault(Call.WRITE, "*/target/*", errno.ENOSPC, first=10))

    assert (ended.error, ended.exit_code) == ("VolumeFull", 1)
    assert re.fullmatch(FULL.format("target"), ended.sentence)
    assert contents(target).items() < contents(small.source).items()
    assert ends_as_undisturbed(restore, small, target)


def test_a_claim_that_is_full_amid_a_file_holds_no_half_of_it(large, restore, target):
    ended = restore(large.backup, Fault(Call.WRITE, "*/target/large/*", errno.ENOSPC, first=3))

    assert ended.error == "VolumeFull"
    assert contents(target).items() < contents(large.source).items()
    assert ends_as_undisturbed(restore, large, target)


def test_half_a_file_that_could_not_be_removed_either_has_not_the_file_s_name(large, restore, target):
    half = Fault(Call.WRITE, "*/target/large/*", errno.EIO, first=3)

    ended = restore(large.backup, half, Fault(Call.REMOVE, "*/target/large/*", errno.EIO))

    assert ended.error == "VolumeFailed"
    assert not (target / "large/0").exists()
    assert ends_as_undisturbed(restore, large, target)


@pytest.mark.parametrize(
    ("fault", "error", "exit_code"),
    [
        pytest.param(Fault(Call.WRITE, "*/target/c/*", errno.EIO), "VolumeFailed", 1, id="write EIO"),
        pytest.param(Fault(Call.WRITE, "*/target/c/*", errno.ESTALE, 1, 1), "VolumeStale", 75, id="write ESTALE"),
        pytest.param(Fault(Call.CREATE, "*/target/c/*", errno.EACCES), "NotWritable", 1, id="create EACCES"),
        pytest.param(Fault(Call.CREATE, "*/target/c", errno.EACCES), "NotWritable", 1, id="mkdir EACCES"),
    ],
)
def test_what_the_claim_refuses_is_said_with_its_path(small, restore, target, fault, error, exit_code):
    ended = restore(small.backup, fault)

    assert (ended.error, ended.exit_code) == (error, exit_code)
    assert re.search(rf" {target}/c(/\d\d)?[ :]", ended.sentence)
    assert contents(target).items() < contents(small.source).items()
    assert ends_as_undisturbed(restore, small, target)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(Fault(Call.READ, f"{COPY}/c/03", errno.EIO), "Input/output error", id="read EIO"),
        pytest.param(Fault(Call.OPEN, f"{COPY}/c/03", errno.EACCES), "Permission denied", id="open EACCES"),
    ],
)
def test_a_file_of_the_backup_that_can_not_be_read_is_named_and_not_restored(small, restore, target, fault, reason):
    ended = restore(small.backup, fault)

    assert (ended.error, ended.exit_code) == ("ReadFailed", 1)
    assert ended.sentence.startswith(f"1 path(s) could not be read ({reason}: c/03).")
    assert "c/03" not in contents(target)
    assert contents(target).items() < contents(small.source).items()
    assert ends_as_undisturbed(restore, small, target)


@pytest.mark.parametrize("call", [Call.READ, Call.OPEN], ids=["read", "open"])
def test_a_handle_of_the_backup_that_was_stale_once_is_asked_for_again(small, restore, target, call):
    ended = restore(small.backup, Fault(call, f"{COPY}/c/03", errno.ESTALE, 1, 1))

    assert (ended.error, ended.exit_code) == ("", 0)
    assert contents(target) == contents(small.source)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(Call.READ, f"{COPY}/*/*", SHORT), id="reads"),
        pytest.param(Fault(Call.WRITE, "*/target/*/*", SHORT), id="writes"),
    ],
)
def test_what_comes_in_pieces_is_restored_whole(large, restore, target, fault):
    ended = restore(large.backup, fault)

    assert ended.error == ""
    assert restored(target) == restored(large.target)


def test_a_folder_of_the_backup_that_vanishes_is_damage(small, restore, target):
    ended = restore(small.backup, Fault(Call.OPEN, f"{COPY}/b/inner", errno.ENOENT))

    assert (ended.error, ended.exit_code) == ("BackupDamaged", 1)
    assert re.search(r"'b/inner/0\d' is missing", ended.sentence)
    assert contents(target).items() < contents(small.source).items()


def test_a_listing_that_fails_at_any_of_its_reads_ends_the_restore_with_a_sentence(small, border, tmp_path):
    if border.is_seam:
        pytest.skip("without a compiler: the seam does not see what a stream reads")
    sentences = []
    for turn in range(1, 20):
        target = tmp_path / f"target-{turn}"
        target.mkdir()
        fault = Fault(Call.READ, "*/system-filestorage.mtree", errno.EIO, first=turn)
        ended = border.try_restore(target, 1, small.backup, fault)
        if not ended.struck[0]:
            break
        sentences.append((ended.error, "system-filestorage.mtree" in ended.sentence))

    assert len(sentences) > 1
    assert {error for error, _ in sentences} <= {"BackupDamaged", "ReadFailed", "VolumeFailed"}
    assert all(is_named for _, is_named in sentences)
