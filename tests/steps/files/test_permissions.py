"""Modes and times that a volume keeps, ignores or refuses."""

import codecs
import errno
import os
import stat
import struct
import tempfile
from pathlib import Path

import pytest

from steps import errors
from steps.archive import layout, seal
from steps.files import beneath, permissions, writing
from steps.files.meter import Meter, Work
from steps.parts import file_storage
from tests.builders.refusals import Holding, refused

USER, NAMED_USER, GROUP, MASK, OTHER = 1, 2, 4, 16, 32  # tags of acl(5), as linux/posix_acl.h numbers them
NOBODY = 0xFFFFFFFF


def acl(*entries):
    """An ACL as the system stores it."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, rights, who) for tag, rights, who in entries)


NO_GROUP = acl((USER, 7, NOBODY), (GROUP, 0, NOBODY), (OTHER, 0, NOBODY))
MASKED = acl((USER, 7, NOBODY), (NAMED_USER, 7, 12345), (GROUP, 0, NOBODY), (MASK, 7, NOBODY), (OTHER, 0, NOBODY))


def inherit(folder, entries):
    try:
        os.setxattr(folder, "system.posix_acl_default", entries)
    except OSError as error:
        pytest.skip(f"no ACL can be set here: {error.strerror}")


def refusing(number):
    def refuse(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    return refuse


def rights_of_group(path):
    """What the owning group may do: by the ACL where there is one, whose mask the mode shows instead."""
    assert "system.posix_acl_access" not in os.listxattr(path)
    return path.stat().st_mode >> 3 & 7


@pytest.fixture
def source(tmp_path):
    made = tmp_path / "source"
    (made / "folder/inner").mkdir(parents=True)
    for path, mode in (("first", 0o600), ("second", 0o664), ("folder/script", 0o755), ("folder/inner/file", 0o666)):
        (made / path).write_bytes(b"content")
        (made / path).chmod(mode)
    return made


@pytest.fixture
def root(tmp_path):
    (tmp_path / "backup").mkdir()
    return tmp_path / "backup"


def save(source, root, workers=0):
    return file_storage.save(source, root, lambda _done, _all: None, workers)


def restore(root, target, workers=0, *, again=False):
    work = Work(workers, Meter())
    tally, findings = file_storage.bring(lambda: seal.lines(root), root / layout.TREE, target, work, again=again)
    return tally, findings.first, work.meter.counts


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("entries", [NO_GROUP, MASKED], ids=["no group", "a mask"])
class TestAnInheritedAcl:
    def test_keeps_nothing_of_a_backup_from_its_group(self, source, root, entries, workers):
        inherit(root, entries)

        save(source, root, workers)

        for path in [root / layout.TREE, *(root / layout.TREE).rglob("*"), root / layout.LISTING]:
            needed = 5 if path.is_dir() else 4
            assert rights_of_group(path) & needed == needed, path

    def test_keeps_nothing_that_is_restored_from_system(self, source, root, tmp_path, entries, workers):
        (tmp_path / "target").mkdir()
        inherit(tmp_path / "target", entries)
        save(source, root)

        _, findings, counts = restore(root, tmp_path / "target", workers)

        assert (findings, counts.modes_refused) == ([], 0)
        for path in (tmp_path / "target").rglob("*"):
            needed = 7 if path.is_dir() else 6
            assert rights_of_group(path) & needed == needed, path

    def test_leaves_the_listed_modes(self, source, root, tmp_path, entries, workers):
        (tmp_path / "target").mkdir()
        inherit(tmp_path / "target", entries)
        save(source, root)

        restore(root, tmp_path / "target", workers)

        modes = {name: stat.S_IMODE((tmp_path / "target" / name).stat().st_mode) for name in ("first", "folder/script")}
        assert modes == {"first": 0o660, "folder/script": 0o775}


@pytest.mark.parametrize("entries", [NO_GROUP, MASKED], ids=["no group", "a mask"])
def test_an_inherited_acl_keeps_no_object_from_the_group(root, entries):
    inherit(root, entries)

    writing.make_folder(root, layout.SECRETS)
    layout.write(root, f"{layout.SECRETS}/system-app.json", b"{}")

    assert rights_of_group(root / layout.SECRETS) == 7
    assert rights_of_group(root / layout.SECRETS / "system-app.json") == 4


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EACCES])
class TestARefusedCall:
    """Mocks, because no file system of a test machine refuses these; the thorough tests have one that does."""

    def test_of_a_mode_is_told_as_such(self, tmp_path, monkeypatch, number):
        monkeypatch.setattr(os, "fchmod", refusing(number))

        with (tmp_path / "file").open("w") as stream:
            assert not permissions.give_mode(stream.fileno(), 0o640)

    def test_of_a_time_is_told_as_such(self, tmp_path, monkeypatch, number):
        monkeypatch.setattr(os, "utime", refusing(number))

        with (tmp_path / "file").open("w") as stream:
            assert not permissions.give_times(stream.fileno(), 0)

    def test_is_counted_once_an_entry_and_noted(self, source, root, monkeypatch, number, caplog):
        caplog.set_level("INFO")
        monkeypatch.setattr(os, "utime", refusing(number))

        report = save(source, root)

        said = "6 entries have wrong times, because the volume does not keep times"
        assert report.notes == (said,)
        assert caplog.messages.count(said) == 1
        assert [entry.mode for entry in seal.listed(root) if entry.path == "first"] == [0o600]


def test_a_mode_that_is_accepted_and_ignored_counts_as_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fchmod", lambda *_: None)  # a mock: vfat does so, which no test may mount
    (tmp_path / "file").touch(0o600)

    with (tmp_path / "file").open("w") as stream:
        assert not permissions.give_mode(stream.fileno(), 0o640)


def test_an_error_that_is_no_refusal_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fchmod", refusing(errno.EIO))

    with (tmp_path / "file").open("w") as stream, pytest.raises(OSError, match="Input/output"):
        permissions.give_mode(stream.fileno(), 0o640)


@pytest.mark.parametrize(
    ("mode", "group", "needed", "serves"),
    [
        (0o640, 0, 0o040, True),
        (0o640, 4711, 0o040, True),
        (0o604, 4711, 0o040, True),
        (0o604, 0, 0o040, False),  # the group is denied, whatever others may
        (0o600, 4711, 0o040, False),
        (0o620, 0, 0o060, False),
        (0o606, 4711, 0o060, True),
    ],
)
def test_a_mode_serves_by_its_group_or_where_that_is_none_of_ours_by_all_others(mode, group, needed, serves):
    found = os.stat_result((mode, 0, 0, 1, 4711, group, 0, 0, 0, 0))

    assert permissions.serves(found, needed) is serves


def test_a_folder_that_its_owner_is_shut_out_of_is_opened_up_without_following_a_link(tmp_path):
    (tmp_path / "shut").mkdir(0)
    (tmp_path / "link").symlink_to("shut")
    with beneath.closed(beneath.open_top(tmp_path)) as top:
        assert permissions.open_up("shut", top, 0o770)
        with pytest.raises(NotADirectoryError):
            permissions.open_up("link", top, 0o777)

    assert stat.S_IMODE((tmp_path / "shut").stat().st_mode) == 0o770


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
class TestAnothersFile:
    """What lies in a target that a run of another user has left."""

    @pytest.fixture
    def tmp_path(self):
        """A place that every user can reach, while it lasts."""
        codecs.lookup("ascii")  # which another user may not be able to load
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)

    @pytest.fixture
    def target(self, source, root, tmp_path):
        save(source, root)
        (tmp_path / "target").mkdir(mode=0o777)
        (tmp_path / "target").chmod(0o777)
        restore(root, tmp_path / "target")
        for path in (root, *root.rglob("*")):
            path.chmod(0o777)
        for path in (tmp_path, *(tmp_path / "target").rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        return tmp_path / "target"

    def test_is_made_anew_in_a_repetition(self, root, target):
        os.seteuid(12345)
        try:
            _, findings, _ = restore(root, target, again=True)
        finally:
            os.seteuid(0)

        assert findings == []
        assert {path.stat().st_uid for path in target.rglob("*")} == {12345}

    def test_is_kept_where_a_fresh_file_is_refused_too(self, root, target, monkeypatch):
        before = {path: path.stat().st_ino for path in target.rglob("*") if path.is_file()}
        monkeypatch.setattr(os, "utime", refusing(errno.EPERM))

        _, findings, counts = restore(root, target, again=True)

        assert (findings, counts.times_refused) == ([], 6)
        assert {path: path.stat().st_ino for path in before} == before


def test_what_another_name_has_made_is_not_removed_in_a_first_run(source, root, tmp_path):
    save(source, root)
    (tmp_path / "target").mkdir()
    (tmp_path / "target/first").write_bytes(b"made under another name")

    with refused(errors.NameTaken, path=Holding("target/first")):
        restore(root, tmp_path / "target")

    assert (tmp_path / "target/first").read_bytes() == b"made under another name"


def test_a_large_file_takes_no_name_that_another_has_in_a_first_run(source, root, tmp_path):
    (source / "large").write_bytes(b"x" * (1 << 20))
    save(source, root)
    (tmp_path / "target").mkdir()
    (tmp_path / "target/large").write_bytes(b"made under another name")

    with refused(errors.NameTaken, path=Holding("target/large")):
        restore(root, tmp_path / "target")

    assert (tmp_path / "target/large").read_bytes() == b"made under another name"
    assert [path.name for path in (tmp_path / "target").iterdir() if path.name.startswith(".")] == []


def test_a_group_that_a_volume_gives_is_kept_for_what_comes_later(source, root):
    root.chmod(0o2775)

    save(source, root)

    assert (root / layout.TREE / "folder/inner").stat().st_mode & stat.S_ISGID


def test_a_folder_that_takes_no_mode_is_not_another_s_where_a_fresh_one_takes_none(source, root, tmp_path, monkeypatch):
    save(source, root)
    (tmp_path / "target").mkdir()
    restore(root, tmp_path / "target")
    before = {path: path.stat().st_ino for path in (tmp_path / "target").rglob("*")}
    monkeypatch.setattr(os, "chmod", refusing(errno.EPERM))  # of folders; files take it

    _, findings, _ = restore(root, tmp_path / "target", again=True)

    assert findings == []
    assert {path: path.stat().st_ino for path in before} == before


def test_a_copy_that_can_not_be_read_is_made_anew_in_a_repetition(source, root, monkeypatch):
    save(source, root)
    read, copies = os.read, []

    def fail(descriptor, size):
        if "backup" in os.readlink(f"/proc/self/fd/{descriptor}") and not copies:
            copies.append(descriptor)
            raise OSError(errno.EIO, "Input/output error")
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", fail)
    monkeypatch.setattr(os, "readv", refusing(errno.EIO))

    report = save(source, root)

    assert report.file_storage.files == 4
