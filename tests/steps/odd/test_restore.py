"""A backup is restored to and from volumes that are odd."""

import os
import random
import shutil
import unicodedata

import pytest

from steps.archive import layout
from steps.files import volume
from tests.steps.odd.conftest import (
    ANOTHER,
    FILES,
    LINK,
    LONG,
    TIME_NS,
    USER,
    contents,
    fill,
    inodes,
    is_whole,
    without,
)
from tests.steps.odd.volume import Fault

pytestmark = pytest.mark.thorough

REFUSALS = ["EPERM", "EOPNOTSUPP", "ENOSYS", "EINVAL"]
REFUSED = [Fault("chmod", "*", "EPERM"), Fault("utimens", "*", "EPERM")]
OPEN_TO_ALL = {"file_mode": 0o664, "folder_mode": 0o775}
OWNED = [
    pytest.param({}, id="served"),
    pytest.param({"faults": REFUSED, **OPEN_TO_ALL}, id="refused"),
    pytest.param({"checked": True, "group": USER, **OPEN_TO_ALL}, id="refused by the kernel"),
]


@pytest.fixture
def target(ground):
    return ground.plain("target")


def wanted(backup):
    return contents(backup / layout.TREE)


def ended_well(ended):
    return (ended.error, ended.facts.get("findings")) == ("", [])


# --- whatever fails ---


def faults(seed, *folder):
    """Some faults at random; `folder` is where the tree lies on the volume."""
    chance = random.Random(seed)  # noqa: S311  no secret
    paths = ["/".join([*folder, path]).strip("/") for path in ["", *FILES, LINK, "a", "b", "b/inner", "c"]]
    calls = ["open", "readdir", "stat", "read", "readlink", "write", "close"]
    errors = ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ESTALE", "EIO", "EACCES"]
    return [
        Fault(chance.choice(calls), chance.choice(paths), chance.choice(errors), chance.choice([1, 2, None]))
        for _ in range(3)
    ]


@pytest.mark.parametrize("seed", range(8))
def test_a_restore_from_a_volume_where_calls_fail_is_whole_or_says_that_it_is_not(ground, backup, target, seed):
    shutil.copytree(backup, ground.backing("failing"), symlinks=True, dirs_exist_ok=True)
    failing = ground.mount("failing", faults=faults(seed, layout.TREE))

    ended = ground.bring(failing, target, 4)

    assert ended.error or ended.facts["findings"] or contents(target) == wanted(backup)
    assert ground.bring(backup, target, 4, again=True).facts["findings"] == []
    assert contents(target) == wanted(backup)


@pytest.mark.parametrize("seed", range(8))
def test_a_restore_to_a_volume_where_calls_fail_is_whole_or_says_that_it_is_not(ground, backup, seed):
    target = ground.mount("target", faults=faults(seed))

    ended = ground.bring(backup, target, 4)

    assert ended.error or ended.facts["findings"] or contents(ground.backing("target")) == wanted(backup)


# --- a volume whose files belong to another ---


@pytest.mark.parametrize("oddities", OWNED)
def test_a_restore_to_a_volume_of_another_is_whole(ground, backup, workers, user, oddities):
    target = ground.mount("target", **{"owner": ANOTHER, "group": ANOTHER, **oddities})

    ended = ground.bring(backup, target, workers, user)

    assert ended_well(ended), ended
    assert contents(target) == wanted(backup)
    assert (target / LINK).is_symlink()
    assert all((target / path).stat().st_mode & 0o060 == 0o060 for path in FILES)


@pytest.mark.parametrize("oddities", OWNED)
def test_a_repetition_on_a_volume_of_another_keeps_what_is_whole(ground, backup, workers, user, oddities):
    target = ground.mount("target", **{"owner": ANOTHER, "group": ANOTHER, **oddities})
    first = ground.bring(backup, target, workers, user)
    assert ended_well(first), first
    before = inodes(target)
    (target / "a/1").write_bytes(b"half")

    ended = ground.bring(backup, target, workers, user, again=True)

    assert ended_well(ended), ended
    assert contents(target) == wanted(backup)
    assert {path: number for path, number in inodes(target).items() if path != "a/1"} == {
        path: number for path, number in before.items() if path != "a/1"
    }


@pytest.mark.parametrize("oddities", OWNED)
def test_a_restore_that_is_no_repetition_removes_nothing(ground, backup, workers, oddities):
    twin = ground.backing("target") / "a/.made-by-a-twin"
    twin.parent.mkdir()
    twin.write_bytes(b"content")
    for path in (twin.parent, twin):
        os.chown(path, ANOTHER, USER)
        path.chmod(0o775)
    target = ground.mount("target", **{"owner": ANOTHER, "group": ANOTHER, **oddities})

    ended = ground.bring(backup, target, workers, USER)

    assert (target / "a/.made-by-a-twin").read_bytes() == b"content"
    assert contents(target).items() >= wanted(backup).items()
    assert ended.error == ""


def test_a_repetition_makes_anew_what_this_user_may_not_open(ground, backup, workers):
    first = ground.bring(backup, ground.backing("target"), 1, USER)
    target = ground.mount("target", faults=[Fault("open", "a/1", "EACCES", 1)])
    before = inodes(ground.backing("target"))

    ended = ground.bring(backup, target, workers, USER, again=True)

    assert ended_well(first), first
    assert ended_well(ended), ended
    assert contents(target) == wanted(backup)
    assert inodes(target)["a/2"] == before["a/2"]


def test_a_repetition_goes_on_where_files_are_another_s_and_fresh_ones_are_not(ground, backup, workers):
    first = ground.bring(backup, ground.backing("target"), 1, USER)
    for path in FILES:
        os.chown(ground.backing("target") / path, ANOTHER, USER)
    target = ground.mount("target", checked=True)

    ended = ground.bring(backup, target, workers, USER, again=True)

    assert ended_well(first), first
    assert ended_well(ended), ended
    assert contents(target) == wanted(backup)
    assert {(target / path).stat().st_mtime_ns for path in FILES} == {TIME_NS}
    assert all((target / path).stat().st_mode & 0o060 == 0o060 for path in FILES)


# --- what the target can't keep is noted, not fatal ---


@pytest.mark.parametrize("error", REFUSALS)
def test_a_mode_that_is_refused_is_said_once(ground, backup, workers, error):
    target = ground.mount("target", faults=[Fault("chmod", "*", error)], **OPEN_TO_ALL)

    ended = ground.bring(backup, target, workers, USER)

    assert ended_well(ended), ended
    assert contents(target) == wanted(backup)


@pytest.mark.parametrize("error", REFUSALS)
def test_a_time_that_is_refused_is_no_failure(ground, backup, workers, error):
    target = ground.mount("target", faults=[Fault("utimens", "*", error)])

    ended = ground.bring(backup, target, workers, USER)

    assert ended_well(ended), ended
    assert contents(target) == wanted(backup)
    assert all((target / path).stat().st_mode & 0o060 == 0o060 for path in FILES)


@pytest.mark.parametrize("error", REFUSALS)
def test_a_time_that_is_refused_for_links_only_leaves_those_of_files(ground, backup, workers, user, error):
    target = ground.mount("target", faults=[Fault("utimens-link", "*", error)])

    ended = ground.bring(backup, target, workers, user)

    assert ended_well(ended), ended
    assert {(target / path).stat().st_mtime_ns for path in FILES} == {TIME_NS}


@pytest.mark.parametrize("error", REFUSALS)
def test_an_owner_that_is_refused_is_counted(ground, backup, workers, error):
    target = ground.mount("target", faults=[Fault("chown", "*", error)])

    ended = ground.bring(backup, target, workers)

    assert ended_well(ended), ended
    assert ended.facts["counts"]["ownership_kept"] >= len(FILES)


@pytest.mark.parametrize("refusal", [{"chmod_ignored": True}, {"faults": [Fault("chmod", "*", "EPERM")]}], ids=str)
@pytest.mark.parametrize("mode", [0o664, 0o644], ids=oct)
def test_it_is_a_failure_only_where_system_could_not_write_its_files(ground, backup, workers, refusal, mode):
    target = ground.mount("target", file_mode=mode, folder_mode=0o775, **refusal)

    ended = ground.bring(backup, target, workers, USER)

    assert ended.exit_code == (0 if mode & 0o020 else 1), ended
    assert ended.error not in {"OSError", "PermissionError"}
    assert "--fs-group" not in ended.sentence


def test_folders_that_the_group_could_not_write_are_a_failure(ground, backup, workers):
    target = ground.mount("target", file_mode=0o664, folder_mode=0o755, faults=[Fault("chmod", "*", "EPERM")])

    ended = ground.bring(backup, target, workers, USER)

    assert ended.exit_code == 1
    assert "--fs-group" not in ended.sentence


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o666], ids=oct)
def test_modes_are_as_promised_where_the_volume_makes_files_with_others(ground, backup, workers, user, mode):
    target = ground.mount("target", file_mode=mode, folder_mode=0o700)

    ended = ground.bring(backup, target, workers, user)

    assert ended_well(ended), ended
    for path, listed_mode in FILES.items():
        execute = 0o010 if listed_mode & 0o111 else 0
        assert (target / path).stat().st_mode & 0o7777 == listed_mode | 0o060 | execute
    assert (target / "a").stat().st_mode & 0o070 == 0o070


def test_times_of_two_seconds_are_no_difference(ground, backup, workers):
    target = ground.mount("target", granularity_s=2)
    first = ground.bring(backup, target, workers)
    before = inodes(target)

    ended = ground.bring(backup, target, workers, again=True)

    assert ended_well(first), first
    assert ended_well(ended), ended
    assert inodes(target) == before


# --- what can't be read or written ---


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("write", "a/1", "EIO"), "VolumeFailed"),
        (Fault("write", "c/run", "ENOSPC"), "VolumeFull"),
        (Fault("close", "b/*", "EIO"), "VolumeFailed"),
        (Fault("close", "*", "EDQUOT"), "VolumeFull"),
        (Fault("create", "a/1", "EROFS"), "VolumeReadOnly"),
    ],
    ids=str,
)
def test_what_is_not_written_is_a_failure(ground, backup, workers, fault, error):
    target = ground.mount("target", faults=[fault])

    ended = ground.bring(backup, target, workers)

    assert ended.error == error
    assert contents(target).items() <= wanted(backup).items()


@pytest.mark.parametrize("error", ["EIO", "ELOOP", "ENXIO", "ENOTDIR", "EACCES"])
@pytest.mark.parametrize("path", ["a/1", "b/inner"])
def test_what_can_not_be_read_of_the_backup_is_named(ground, workers, error, path):
    first = ground.save(fill(ground.plain("origin")), ground.backing("backup"), 1)
    odd = ground.mount("backup", faults=[Fault("open", f"{layout.TREE}/{path}", error)])
    target = ground.plain("target")

    ended = ground.bring(odd, target, workers)

    assert not first.error
    assert ended.exit_code == 1
    assert path in ended.sentence
    assert contents(target).items() <= without(ground.plain("origin"), path).items()


def test_a_backup_on_a_volume_that_lists_names_twice_and_without_types_is_restored(ground, target, workers):
    first = ground.save(fill(ground.plain("origin")), ground.backing("backup"), 1)
    folders = [f"{layout.TREE}{below}" for below in ("", "/a", "/b/inner")]
    odd = ground.mount("backup", twice=folders, untyped=True, no_blocks=True, granularity_s=2)

    ended = ground.bring(odd, target, workers)

    assert not first.error
    assert is_whole(odd)
    assert ended_well(ended), ended
    assert contents(target) == contents(ground.plain("origin"))


def test_a_link_that_the_target_does_not_know_is_named(ground, backup, workers):
    target = ground.mount("target", faults=[Fault("symlink", "*", "EOPNOTSUPP")])

    ended = ground.bring(backup, target, workers)

    assert ended.exit_code == 1
    assert LINK in ended.sentence


# --- volumes that answer untruly ---


@pytest.mark.parametrize("again", [False, True])
def test_a_target_that_lists_names_twice_and_without_types_is_filled(ground, backup, workers, again):
    if again:
        ground.bring(backup, ground.backing("target"), 1)
        (ground.backing("target") / "a/1").unlink()
        (ground.backing("target") / "top").unlink()
        (ground.backing("target") / "top").symlink_to("a")
    target = ground.mount("target", twice=["", "a", "b/inner", "c"], untyped=True)

    ended = ground.bring(backup, target, workers, again=again)

    assert ended_well(ended), ended
    assert contents(target) == wanted(backup)


def test_a_target_that_lists_names_twice_is_emptied(ground):
    fill(ground.backing("target"))
    target = ground.mount("target", twice=["", "a", "b", "b/inner"])

    ended = ground.run("empty", root=target)

    assert not ended.error, ended
    assert os.listdir(ground.backing("target")) == []


def test_the_snapshots_of_a_target_are_no_content_and_stay_when_it_is_emptied(ground):
    fill(ground.backing("target"))
    (ground.backing("target") / ".snapshot/daily").mkdir(parents=True)
    target = ground.mount("target", frozen=[".snapshot"])

    ended = ground.run("empty", root=target)
    left = ground.run("content", root=target)

    assert not ended.error, ended
    assert left.facts == {"names": []}
    assert os.listdir(target) == [".snapshot"]
    assert os.listdir(target / ".snapshot") == ["daily"]


def test_a_folder_of_that_name_in_which_files_can_be_made_goes_when_it_is_emptied(ground):
    fill(ground.backing("target"))
    (ground.backing("target") / ".snapshot/daily").mkdir(parents=True)
    target = ground.mount("target")

    ended = ground.run("empty", root=target)

    assert not ended.error, ended
    assert os.listdir(target) == []


@pytest.mark.parametrize("again", [False, True])
def test_a_target_that_shows_snapshots_is_filled_without_a_finding(ground, backup, workers, user, again):
    (ground.backing("target") / ".snapshot/daily").mkdir(parents=True)
    target = ground.mount("target", frozen=[".snapshot"])

    ended = ground.bring(backup, target, workers, user, again=again)

    assert ended_well(ended), ended
    assert os.listdir(target / ".snapshot") == ["daily"]


def test_anything_else_that_can_not_be_removed_is_said_with_its_reason(ground):
    (ground.backing("target") / "kept/by-the-server").mkdir(parents=True)
    target = ground.mount("target", frozen=["kept"])

    ended = ground.run("empty", root=target)

    assert ended.exit_code == 1
    assert "kept" in ended.sentence
    assert "read-only" in ended.sentence.lower()


def test_a_backup_whose_tree_lists_a_snapshot_folder_stays_whole_and_is_restored(ground, target, workers):
    origin = fill(ground.plain("origin"))
    (origin / ".snapshot/daily").mkdir(parents=True)
    (origin / ".snapshot/daily/file").write_bytes(b"content")
    backup = ground.plain("backup")
    saved = ground.save(origin, backup, 1)

    ended = ground.bring(backup, target, workers)

    assert not saved.error, saved
    assert is_whole(backup)
    assert ended_well(ended), ended
    assert contents(target) == wanted(backup)


def test_two_names_that_are_one_on_the_target_are_said_to_be(ground, workers):
    origin = fill(ground.plain("origin"))
    (origin / "a/Logo").write_bytes(b"one")
    (origin / "a/logo").write_bytes(b"two")
    backup = ground.plain("backup")
    saved = ground.save(origin, backup, 1)
    target = ground.mount("target", caseless=True)

    ended = ground.bring(backup, target, workers)

    assert not saved.error, saved
    assert "case" in " ".join([ended.sentence, *ended.facts.get("findings", [])])
    assert not ended_well(ended)


def test_names_that_the_target_composes_are_never_taken_for_whole_in_silence(ground, workers):
    origin = fill(ground.plain("origin"))
    (origin / "a" / unicodedata.normalize("NFD", "é")).write_bytes(b"content")
    backup = ground.plain("backup")
    saved = ground.save(origin, backup, 1)

    ended = ground.bring(backup, ground.mount("target", composed=True), workers)

    assert not saved.error, saved
    assert not ended_well(ended)


def test_a_large_file_that_is_renamed_when_it_is_whole_leaves_no_other_name(ground, backup, workers):
    target = ground.mount("target", faults=[Fault("rename", "*", "EIO")])

    ended = ground.bring(backup, target, workers)

    assert ended.error == "VolumeFailed"
    assert LONG in ended.sentence
    assert not any(name.startswith(volume.TEMPORARY) for name in os.listdir(target / "b/inner"))
