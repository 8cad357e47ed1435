"""System FileStorage is saved from and to volumes that are odd."""

import os
import random
import re
import unicodedata
from dataclasses import replace

import pytest

from steps.archive import layout, seal
from steps.files import mtree, scanning
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
    listed,
    own,
    without,
)
from tests.steps.odd.volume import Fault

pytestmark = pytest.mark.thorough

NO_PROOF = ["ELOOP", "ENOENT", "ENOTDIR", "ENXIO", "ESTALE"]  # NFS and GlusterFS answer these for what is there
REFUSALS = ["EPERM", "EOPNOTSUPP", "ENOSYS", "EINVAL"]
ONCE = [  # when the tree is measured, or later, when it is copied
    *(Fault("readdir", "b/inner", "", 1, skip) for skip in (0, 1)),
    *(Fault("open", "b/inner", "", 1, skip) for skip in (0, 1)),
    *(Fault("stat", path, "", 1, skip) for path in ("a/1", "a") for skip in (0, 2, 3)),
    Fault("open", "a/1", "", 1),
]
READING = [Fault("open", "a/1", "EIO"), Fault("read", LONG, "EIO"), Fault("readlink", LINK, "EIO")]


@pytest.fixture
def source(ground):
    """What lies behind an odd source."""
    return fill(ground.backing("source"))


# --- what can't be read is a failure, by name ---


@pytest.mark.parametrize("error", NO_PROOF)
@pytest.mark.parametrize("at", [("readdir", "b/inner"), ("open", "b/inner"), ("open", "a/1")], ids=" ".join)
def test_an_errno_is_no_proof_that_it_has_vanished(ground, source, root, at, error):
    call, path = at
    odd = ground.mount("source", faults=[Fault(call, path, error)])

    ended = ground.save(odd, root, 4)

    assert (ended.error, ended.exit_code) == ("ReadFailed", 1)
    assert path in ended.sentence
    assert contents(root / layout.TREE).items() >= without(source, path).items()


@pytest.mark.parametrize("error", NO_PROOF)
@pytest.mark.parametrize("fault", ONCE, ids=lambda fault: f"{fault.call} {fault.path} {fault.skip}")
def test_what_a_second_look_finds_is_saved(ground, source, root, workers, fault, error):
    odd = ground.mount("source", faults=[replace(fault, error=error)])

    ended = ground.save(odd, root, workers)

    assert not ended.error, ended
    assert contents(root / layout.TREE) == contents(source)
    assert is_whole(root)


@pytest.mark.parametrize("path", ["a/1", "a", LINK])
def test_a_name_that_only_the_listing_has_is_unreadable_in_the_end(ground, source, root, path):
    odd = ground.mount("source", hidden={path: None})

    ended = ground.save(odd, root, 4)

    assert (ended.error, ended.exit_code) == ("ReadFailed", 1)
    assert path in ended.sentence
    assert contents(root / layout.TREE).items() >= without(source, path).items()


def test_names_that_are_found_a_little_later_are_saved(ground, source, root, workers):
    odd = ground.mount("source", hidden={"a/1": 4.0, "b": 3.0, LINK: 4.0, "top": 4.0})

    ended = ground.save(odd, root, workers)

    assert not ended.error, ended
    assert contents(root / layout.TREE) == contents(source)
    assert (root / layout.TREE / LINK).is_symlink()
    assert is_whole(root)


def test_a_name_that_is_not_found_again_fails_the_phase_beside_one_that_is(ground, source, root):
    odd = ground.mount("source", hidden={"a/1": 3.0, "a/2": None})

    ended = ground.save(odd, root, 4)

    assert ended.error == "ReadFailed"
    assert "a/2" in ended.sentence
    assert "a/1" not in ended.sentence
    assert contents(root / layout.TREE) == without(source, "a/2")


def test_folders_that_tell_no_types_are_saved(ground, source, root, workers):
    odd = ground.mount("source", untyped=True)

    ended = ground.save(odd, root, workers)

    assert not ended.error, ended
    assert contents(root / layout.TREE) == contents(source)
    assert is_whole(root)


@pytest.mark.parametrize("path", ["a/1", "a", "top"])
def test_one_name_that_can_not_be_looked_at_is_lost_alone(ground, source, root, workers, path):
    odd = ground.mount("source", untyped=True, faults=[Fault("stat", path, "EIO")])

    ended = ground.save(odd, root, workers)

    assert ended.error == "ReadFailed"
    assert path in ended.sentence
    assert not ended.said("socket")
    assert contents(root / layout.TREE) == without(source, path)


@pytest.mark.parametrize("fault", READING, ids=lambda fault: fault.call)
def test_what_can_not_be_read_is_named_when_all_else_is_copied(ground, source, root, workers, fault):
    odd = ground.mount("source", faults=[fault])

    ended = ground.save(odd, root, workers)

    assert ended.error == "ReadFailed"
    assert fault.path in ended.sentence
    assert contents(root / layout.TREE) == without(source, fault.path)


def test_a_root_that_can_not_be_listed_is_no_empty_tree(ground, source, root):
    odd = ground.mount("source", faults=[Fault("readdir", "", "ENOENT")])

    ended = ground.save(odd, root, 4)

    assert source.is_dir()
    assert ended.error == "ReadFailed"


def test_a_file_that_did_vanish_is_named(ground, source, root, workers):
    odd = ground.mount("source", vanishing={"a/1": 1})

    ended = ground.save(odd, root, workers)

    assert not ended.error, ended
    assert ended.facts["vanished"] == 1
    assert any("a/1" in line for line in ended.said("vanished"))
    assert contents(root / layout.TREE) == contents(source)


def test_a_folder_that_did_vanish_is_named_as_a_folder_and_counted_once(ground, source, root):
    odd = ground.mount("source", vanishing={"b": 2})  # the first is to measure

    ended = ground.save(odd, root, 1)

    assert not ended.error, ended
    assert ended.facts["vanished"] == 1
    assert any("folder" in line and "'b'" in line for line in ended.log)
    assert contents(root / layout.TREE) == contents(source)


@pytest.mark.parametrize("seed", range(10))
def test_every_entry_is_whole_or_named_whatever_fails(ground, source, root, seed):
    chance = random.Random(seed)  # noqa: S311  no secret
    paths = ["", *FILES, LINK, "a", "b", "b/inner", "c"]
    calls, errors = ["open", "readdir", "stat", "read", "readlink"], [*NO_PROOF, "EIO", "EACCES"]
    faults = [
        Fault(chance.choice(calls), chance.choice(paths), chance.choice(errors), chance.choice([1, 2, None]))
        for _ in range(3)
    ]
    odd = ground.mount("source", faults=faults, untyped=chance.random() < 0.5)

    ended = ground.save(odd, root, 4)

    there = contents(root / layout.TREE) if (root / layout.TREE).is_dir() else {}
    lost = [path for path, data in contents(source).items() if there.get(path) != data]
    assert not lost or ended.error == "ReadFailed"
    assert not [path for path in lost if not is_named(path, ended.sentence)]
    assert ended.error or is_whole(root)


def is_named(path, sentence):
    """Whether a sentence names a path, or a folder that it lies in."""
    parts = path.split("/")
    if re.search(r"/source(?![\w/])", sentence):  # the root
        return True
    above = [".", *("/".join(parts[:count]) for count in range(1, len(parts) + 1))]
    return any(re.search(rf"(^|[\s'\"]){re.escape(name)}([\s'\",;:).]|$)", sentence) for name in above)


# --- what the backup volume can't keep is noted, not fatal ---


@pytest.mark.parametrize("error", REFUSALS)
def test_a_mode_that_is_refused_is_said_once_and_the_listing_keeps_the_source_s(ground, workers, error):
    source = fill(ground.plain("source"))
    root = ground.mount("backup", file_mode=0o664, folder_mode=0o775, faults=[Fault("chmod", "*", error)])

    ended = ground.save(source, root, workers, USER)

    assert not ended.error, ended
    assert len(ended.said("mode", "permission")) == 1
    assert listed(root) == {path: (mode, TIME_NS) for path, mode in FILES.items()}
    assert is_whole(root)


@pytest.mark.parametrize("error", REFUSALS)
def test_a_time_that_is_refused_is_said_once_and_the_listing_keeps_the_source_s(ground, workers, error):
    source = fill(ground.plain("source"))
    root = ground.mount("backup", faults=[Fault("utimens", "*", error)])

    ended = ground.save(source, root, workers, USER)

    assert not ended.error, ended
    assert len(ended.said("time")) == 1
    assert listed(root) == {path: (mode, TIME_NS) for path, mode in FILES.items()}
    assert is_whole(root)


@pytest.mark.parametrize("error", REFUSALS)
def test_a_time_that_is_refused_for_links_only_is_said_too(ground, workers, error):
    source = fill(ground.plain("source"))
    root = ground.mount("backup", faults=[Fault("utimens-link", "*", error)])

    ended = ground.save(source, root, workers)

    assert not ended.error, ended
    assert len(ended.said("time")) == 1
    assert (root / layout.TREE / "a/1").stat().st_mtime_ns == TIME_NS
    assert is_whole(root)


def test_a_mode_that_is_accepted_and_ignored_counts_as_refused(ground, workers):
    source = fill(ground.plain("source"))
    root = ground.mount("backup", file_mode=0o664, folder_mode=0o775, chmod_ignored=True)

    ended = ground.save(source, root, workers, USER)

    assert not ended.error, ended
    assert len(ended.said("mode", "permission")) == 1
    assert is_whole(root)


@pytest.mark.parametrize("refusal", [{"chmod_ignored": True}, {"faults": [Fault("chmod", "*", "EPERM")]}], ids=str)
def test_files_that_the_group_can_not_read_are_a_failure(ground, workers, refusal):
    source = fill(ground.plain("source"))
    root = ground.mount("backup", file_mode=0o600, **refusal)

    ended = ground.save(source, root, workers, USER)

    assert ended.exit_code == 1
    assert ended.error != "OSError"
    assert "read" in ended.sentence
    assert "--fs-group" not in ended.sentence


def test_modes_are_as_promised_where_the_volume_makes_files_with_others(ground, workers):
    source = fill(ground.plain("source"))
    root = ground.mount("backup", file_mode=0o600, folder_mode=0o700)

    ended = ground.save(source, root, workers, USER)

    assert not ended.error, ended
    assert all((root / layout.TREE / path).stat().st_mode & 0o040 for path in FILES)
    assert (root / layout.TREE / "a").stat().st_mode & 0o070 == 0o070


@pytest.mark.parametrize("refused", [False, True], ids=["served", "refused"])
def test_a_backup_on_a_volume_whose_files_belong_to_another_is_whole(ground, workers, user, refused):
    source = fill(ground.plain("source"))
    faults = [Fault("chmod", "*", "EPERM"), Fault("utimens", "*", "EPERM")] if refused else []
    modes = {"file_mode": 0o664, "folder_mode": 0o775} if refused else {}
    root = ground.mount("backup", owner=ANOTHER, group=ANOTHER, faults=faults, **modes)

    ended = ground.save(source, root, workers, user)

    assert not ended.error, ended
    assert is_whole(root)


@pytest.mark.parametrize("refused", [False, True], ids=["served", "refused"])
def test_saved_again_on_a_volume_of_another_it_keeps_what_is_whole(ground, workers, refused):
    source = fill(ground.plain("source"))
    faults = [Fault("chmod", "*", "EPERM"), Fault("utimens", "*", "EPERM")] if refused else []
    modes = {"file_mode": 0o664, "folder_mode": 0o775} if refused else {}
    root = ground.mount("backup", owner=ANOTHER, group=ANOTHER, faults=faults, **modes)
    first = ground.save(source, root, workers, USER)
    before = inodes(root / layout.TREE) if not first.error else {}

    ended = ground.save(source, root, workers, USER)

    assert not first.error, first
    assert not ended.error, ended
    assert inodes(root / layout.TREE) == before
    assert is_whole(root)


def test_files_of_root_on_the_source_are_saved_whoever_may_read_them(ground, root, workers):
    source = fill(ground.backing("source"))
    odd = ground.mount("source", owner=0, group=0)

    ended = ground.save(odd, root, workers, USER)

    assert not ended.error, ended
    assert contents(root / layout.TREE) == contents(source)


def test_times_of_two_seconds_are_no_difference(ground, workers):
    source = fill(ground.plain("source"))
    root = ground.mount("backup", granularity_s=2)
    first = ground.save(source, root, workers)
    before = inodes(root / layout.TREE)

    ended = ground.save(source, root, workers)

    assert (first.error, ended.error) == ("", "")
    assert inodes(root / layout.TREE) == before
    assert listed(root)["top"] == (FILES["top"], TIME_NS)
    assert is_whole(root)


# --- what the backup volume refuses ---


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("write", "*/a/1", "EIO"), "VolumeFailed"),
        (Fault("write", "*/a/1", "ENOSPC"), "VolumeFull"),
        (Fault("close", "*/a/1", "EIO"), "VolumeFailed"),
        (Fault("close", "*/a/1", "EDQUOT"), "VolumeFull"),
        (Fault("create", "*/a/1", "EROFS"), "VolumeReadOnly"),
    ],
    ids=str,
)
def test_what_is_not_written_is_a_failure(ground, workers, fault, error):
    source = fill(ground.plain("source"))
    root = ground.mount("backup", faults=[fault])

    ended = ground.save(source, root, workers)

    assert ended.error == error
    assert not (root / layout.LISTING).exists()
    assert not (root / layout.TREE / "a/1").exists()


def test_a_link_that_the_volume_does_not_know_is_named(ground, workers):
    source = fill(ground.plain("source"))
    root = ground.mount("backup", faults=[Fault("symlink", "*", "EOPNOTSUPP")])

    ended = ground.save(source, root, workers)

    assert ended.exit_code == 1
    assert LINK in ended.sentence


@pytest.mark.parametrize("error", ["EPERM", "EOPNOTSUPP", "ENOSYS"])
def test_a_volume_without_hard_links_can_be_begun_and_begun_again(ground, error):
    root = ground.mount("backup", faults=[Fault("link", "*", error)])

    ended = ground.run("begin", root=root)

    assert ended.facts == {"states": ["begun", "begun"]}
    assert os.listdir(root) == [layout.BEGIN]


# --- volumes that answer untruly ---


@pytest.mark.parametrize("folders", [["a"], ["", "b", "c"]], ids=str)
def test_a_name_that_is_listed_twice_is_taken_once(ground, source, root, workers, folders):
    odd = ground.mount("source", twice=folders)

    ended = ground.save(odd, root, workers)

    assert not ended.error, ended
    paths = [entry.path for entry in seal.listed(root)]
    assert len(paths) == len(set(paths))
    assert contents(root / layout.TREE) == contents(source)
    assert ended.facts["files"] == len(FILES)
    assert is_whole(root)


@pytest.mark.parametrize("where", ["source", "backup"])
def test_a_backup_volume_that_lists_names_twice_is_whole_and_saved_to_again(ground, workers, where):
    source = fill(ground.backing("source"))
    odd = ground.mount(where, twice=["", layout.TREE, f"{layout.TREE}/a", f"{layout.TREE}/b", "a", "b"])
    places = {"source": ground.plain("source"), "backup": ground.plain("backup"), where: odd}
    if where == "backup":
        fill(places["source"])
    first = ground.save(places["source"], places["backup"], workers)
    (places["source"] / "a/1").unlink()

    ended = ground.save(places["source"], places["backup"], workers)

    assert (first.error, ended.error) == ("", "")
    assert contents(places["backup"] / layout.TREE).keys() == without(source, "a/1").keys()
    assert is_whole(places["backup"])


@pytest.mark.parametrize(
    "unknown",
    [{"unmeasured": True}, {"faults": [Fault("statfs", "*", "EIO")]}, {"faults": [Fault("statfs", "", "ENOSYS")]}],
)
def test_a_volume_that_does_not_say_how_large_it_is_is_tried(ground, workers, unknown):
    source = fill(ground.plain("source"))
    root = ground.mount("backup", **unknown)

    ended = ground.save(source, root, workers)

    assert not ended.error, ended
    assert is_whole(root)


@pytest.mark.parametrize("unknown", [{"unmeasured": True}, {"faults": [Fault("statfs", "*", "EIO")]}], ids=str)
def test_one_that_does_not_say_it_ends_as_full_when_it_is_full(ground, workers, unknown):
    source = fill(ground.plain("source"))
    faults = [*unknown.get("faults", []), Fault("write", "*/c/run", "ENOSPC")]
    root = ground.mount("backup", **{**unknown, "faults": faults})

    ended = ground.save(source, root, workers)

    assert ended.error == "VolumeFull"
    assert "not enough space" in ended.sentence


def test_files_that_say_they_have_no_blocks_are_saved(ground, source, root, workers):
    (source / "a/large").write_bytes(os.urandom(3 << 20))
    own(source)
    odd = ground.mount("source", no_blocks=True)

    ended = ground.save(odd, root, workers)

    assert not ended.error, ended
    assert contents(root / layout.TREE) == contents(source)
    assert ended.facts["size_bytes"] == sum(map(len, contents(source).values()))
    assert is_whole(root)


def test_files_that_say_they_have_no_blocks_need_room_all_the_same(ground, source):
    (source / "a/large").write_bytes(os.urandom(3 << 20))
    odd, root = ground.mount("source", no_blocks=True), ground.mount("backup", free_bytes=2 << 20)

    ended = ground.save(odd, root, 4)

    assert ended.error == "VolumeFull"
    assert contents(root) == {}


def test_what_was_copied_is_not_needed_again_where_files_say_they_have_no_blocks(ground, workers):
    source = fill(ground.plain("source"))
    (source / "a/large").write_bytes(os.urandom(3 << 20))
    first = ground.save(source, ground.backing("backup"), workers)
    root = ground.mount("backup", no_blocks=True, free_bytes=1 << 20)

    ended = ground.save(source, root, workers)

    assert (first.error, ended.error) == ("", "")
    assert is_whole(root)


@pytest.mark.parametrize("name", [".snapshot", ".snapshots", ".zfs", ".ckpt", "~snapshot"])
def test_the_snapshots_of_a_source_are_passed_over_and_named(ground, source, root, name):
    (source / name / "daily").mkdir(parents=True)
    (source / "a" / name).mkdir()
    (source / "a" / name / "file").write_bytes(b"content")
    odd = ground.mount("source", frozen=[name], read_only=True)

    ended = ground.save(odd, root, 4)

    assert not ended.error, ended
    assert ended.said(name)
    assert contents(root / layout.TREE) == without(source, name)
    assert not (root / layout.TREE / name).exists()
    assert is_whole(root)


def test_a_file_that_has_the_name_of_snapshots_is_saved(ground, source, root):
    (source / ".snapshot").write_bytes(b"content")
    odd = ground.mount("source", read_only=True)

    ended = ground.save(odd, root, 4)

    assert not ended.error, ended
    assert contents(root / layout.TREE) == contents(source)


@pytest.mark.parametrize("workers_of", [1, 4])
def test_the_snapshots_of_a_backup_volume_are_no_content(ground, workers_of):
    source = fill(ground.plain("source"))
    (ground.backing("backup") / ".snapshot/daily").mkdir(parents=True)
    root = ground.mount("backup", frozen=[".snapshot"])

    begun = ground.run("begin", root=root)
    ended = ground.save(source, root, workers_of)

    assert (begun.facts, ended.error) == ({"states": ["begun", "begun"]}, "")
    assert is_whole(root)


def test_a_folder_of_that_name_in_which_files_can_be_made_is_content(ground):
    (ground.backing("backup") / ".snapshot").mkdir()
    root = ground.mount("backup")

    ended = ground.run("content", root=root)

    assert ended.facts == {"names": [".snapshot"]}
    assert os.listdir(root / ".snapshot") == []


def test_two_names_that_are_one_on_the_volume_are_said_to_be(ground, workers):
    source = fill(ground.plain("source"))
    (source / "a/Logo").write_bytes(b"one")
    (source / "a/logo").write_bytes(b"two")
    root = ground.mount("backup", caseless=True)

    ended = ground.save(source, root, workers)
    whole = not ended.error and is_whole(root)

    assert not whole
    assert ended.exit_code == 1
    assert "case" in ended.sentence


def test_names_that_the_volume_composes_are_never_taken_for_whole_in_silence(ground, workers):
    source = fill(ground.plain("source"))
    (source / "a" / unicodedata.normalize("NFD", "é")).write_bytes(b"content")
    root = ground.mount("backup", composed=True)

    ended = ground.save(source, root, workers)

    assert ended.error or not is_whole(root)


def test_names_that_are_composed_already_are_saved(ground, workers):
    source = fill(ground.plain("source"))
    (source / "a/é").write_bytes(b"content")
    root = ground.mount("backup", composed=True, caseless=True)

    ended = ground.save(source, root, workers)

    assert not ended.error, ended
    assert is_whole(root)
    assert [mtree.place(entry.path) for entry in scanning.scan(root / layout.TREE)] == [
        mtree.place(entry.path) for entry in seal.listed(root)
    ]
