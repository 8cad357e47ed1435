import errno
import json
import multiprocessing
import os
import shutil
import stat
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from steps import errors
from steps.archive import begin_marker, layout
from steps.archive.begin_marker import Begin, VolumeState
from steps.archive.layout import BEGIN, MANIFEST
from steps.files import durability, volume, writing

ROOT = os.geteuid() == 0
ORDINARY_USER = 1000740000
MINE = Begin(backup="nightly", workflow="backup-1", workflow_uid="uid-1")
FOREIGN = Begin(backup="other", workflow="backup-0", workflow_uid="uid-0")


def content(root):
    """All that lies below a folder, with the bytes of its files."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))
    }


def begin(root, who=MINE):
    """Begin as a phase does."""
    with durability.durable(root) as disk:
        return begin_marker.begin(disk, who)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def anyones():
    """A folder that every user may look into, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def ordinary_user():
    """Run as a user that root's rights do not help."""
    os.seteuid(ORDINARY_USER)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def umask(value):
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def mounted(folder, options):
    """A file system of its own at a folder; needs root and the right to mount."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False) if shutil.which("mount") else None  # noqa: S603  a test's own mount
    if done is None or done.returncode != 0:
        pytest.skip("no right to mount a file system here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607  as above


def test_the_first_phase_makes_an_empty_volume_its_workflow_s_own(tmp_path):
    assert begin(tmp_path) is VolumeState.BEGUN
    assert Begin.model_validate_json((tmp_path / BEGIN).read_bytes()) == MINE
    assert os.listdir(tmp_path) == [BEGIN]


def test_the_next_phase_of_the_workflow_goes_on(tmp_path):
    begin(tmp_path)
    layout.write(tmp_path, "secrets/zync.json", b"{}")
    before = content(tmp_path)

    assert begin(tmp_path) is VolumeState.BEGUN
    assert content(tmp_path) == before


def test_a_volume_that_this_workflow_sealed_is_told_so_and_not_changed(tmp_path):
    begin(tmp_path)
    layout.write(tmp_path, MANIFEST, b"{}")
    before = content(tmp_path)

    assert begin(tmp_path) is VolumeState.SEALED
    assert content(tmp_path) == before


def test_lost_and_found_is_no_content(tmp_path):
    (tmp_path / "lost+found").mkdir()

    assert volume.content(tmp_path) == []
    assert begin(tmp_path) is VolumeState.BEGUN


def test_what_an_interrupted_write_left_is_no_content(tmp_path):
    (tmp_path / f"{volume.TEMPORARY}0123").write_bytes(b"half")

    assert begin(tmp_path) is VolumeState.BEGUN


def begun_by_another(root):
    begin(root, FOREIGN)


def sealed_by_another(root):
    begin(root, FOREIGN)
    layout.write(root, MANIFEST, b"{}")


def of_the_operator(root):
    layout.write(root, "secrets/zync.json", b"{}")
    layout.write(root, "apimanager/apimanager-backup.json", b"{}")


def strange(root):
    (root / "holiday.jpg").write_bytes(b"jpg")
    (root / "lost+found").mkdir()


def damaged_marker(root):
    (root / BEGIN).write_bytes(b'{"backup": "night')


def marker_that_is_a_folder(root):
    (root / BEGIN).mkdir()


@pytest.mark.parametrize(
    ("fill", "holder"),
    [
        (begun_by_another, r"a backup begun of workflow backup-0 \(uid uid-0\)"),
        (sealed_by_another, r"a finished backup of workflow backup-0 \(uid uid-0\)"),
        (of_the_operator, r"a backup that this tool did not begin \(made by the operator\?\)"),
        (strange, r"1 other entries at its root, the first is 'holiday\.jpg'"),
        (damaged_marker, r"a begin\.json that can't be read"),
        (marker_that_is_a_folder, r"a begin\.json that can't be read"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_volume_that_holds_anything_else_is_refused_with_nothing_changed(tmp_path, fill, holder):
    fill(tmp_path)
    before = content(tmp_path)

    with pytest.raises(errors.VolumeTaken, match=f"it holds {holder}; nothing was changed"):
        begin(tmp_path)

    assert content(tmp_path) == before


def at_once(work, arguments):
    """Run it in threads that start together; what went wrong."""
    failures = []
    together = threading.Barrier(len(arguments))

    def run(argument):
        together.wait()
        try:
            work(argument)
        except errors.PhaseError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=run, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_four_phases_that_come_at_once_find_one_marker(tmp_path):
    failures = []
    for number in range(50):
        root = tmp_path / str(number)
        root.mkdir()
        failures += at_once(lambda _, root=root: begin(root), range(4))

        assert os.listdir(root) == [BEGIN]
    assert failures == []


def test_a_marker_that_appears_between_two_looks_is_looked_at_again(tmp_path, monkeypatch):
    # A mock of the look, because no file system can be told to change between two calls.
    look = volume.content

    def look_late(root):
        layout.write(root, BEGIN, layout.as_json(MINE.model_dump()))
        return look(root)

    monkeypatch.setattr(volume, "content", look_late)

    assert begin(tmp_path) is VolumeState.BEGUN


def test_a_marker_of_another_that_appears_between_two_looks_is_refused(tmp_path, monkeypatch):
    # A mock for the reason above.
    look = volume.content

    def look_late(root):
        layout.write(root, BEGIN, layout.as_json(FOREIGN.model_dump()))
        return look(root)

    monkeypatch.setattr(volume, "content", look_late)

    with pytest.raises(errors.VolumeTaken, match="backup-0"):
        begin(tmp_path)


def test_a_marker_that_vanishes_between_two_looks_is_refused(tmp_path, monkeypatch):
    # A mock for the reason above.
    monkeypatch.setattr(volume, "content", lambda _root: [BEGIN])

    with pytest.raises(errors.VolumeTaken, match=r"a begin\.json that vanished"):
        begin(tmp_path)


def _begin(root, together, failures):
    together.wait()
    try:
        begin(root)
        layout.write(root, f"reports/{os.getpid()}.json", b"{}")
    except errors.PhaseError as error:
        failures.put(str(error))


def test_four_processes_that_come_at_once_find_one_marker(tmp_path):
    context = multiprocessing.get_context("fork")
    failures, together = context.SimpleQueue(), context.Barrier(4)
    phases = [context.Process(target=_begin, args=(tmp_path, together, failures)) for _ in range(4)]
    for phase in phases:
        phase.start()
    for phase in phases:
        phase.join()

    assert failures.empty()
    assert sorted(os.listdir(tmp_path)) == [BEGIN, "reports"]
    assert len(os.listdir(tmp_path / "reports")) == 4


def test_of_two_workflows_that_come_at_once_one_has_the_volume(tmp_path):
    for number in range(30):
        root = tmp_path / str(number)
        root.mkdir()
        failures = at_once(lambda who, root=root: begin(root, who), [MINE, FOREIGN])

        assert len(failures) == 1
        assert "is not this workflow's own" in failures[0]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_a_volume_knows_no_links_the_marker_is_renamed(tmp_path, monkeypatch, number):
    # A mock of the link, because a file system without links can't be had on every machine.
    def no_links(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", no_links)

    assert begin(tmp_path) is VolumeState.BEGUN
    assert os.listdir(tmp_path) == [BEGIN]


def test_a_link_that_fails_for_another_reason_is_told(tmp_path, monkeypatch):
    # A mock for the reason above.
    def no_space(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "link", no_space)

    with pytest.raises(errors.VolumeFailed, match="Input/output error"):
        begin(tmp_path)

    assert os.listdir(tmp_path) == []


def test_phases_may_make_the_same_folder_at_once(tmp_path):
    failures = []
    for number in range(30):
        failures += at_once(
            lambda phase, number=number: layout.write(tmp_path, f"{number}/{phase}.json", b"{}"), range(4)
        )

    assert failures == []


def test_a_file_where_a_folder_belongs_is_told(tmp_path):
    (tmp_path / "reports").write_bytes(b"")

    with pytest.raises(errors.VolumeFailed, match="File exists"):
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

    with pytest.raises(errors.VolumeFailed, match="Is a directory"):
        layout.write(tmp_path, "file", b"data")

    assert content(tmp_path) == {"file": None}


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
    with pytest.raises(kind, match="/some/place") as caught, volume.failures(tmp_path):
        raise OSError(number, os.strerror(number), "/some/place")

    assert isinstance(caught.value.__cause__, OSError)


def test_a_full_volume_is_told_of_a_path_that_the_system_would_not_take(tmp_path):
    below = "/".join(["a" * 200] * 30)

    with pytest.raises(errors.VolumeFull, match=r"no space for .*aaa: [1-9][0-9]* bytes are free"):
        raise volume.failure(OSError(errno.ENOSPC, "full", "a"), tmp_path, below)


@pytest.mark.skipif(not ROOT, reason="only root can give a volume to root")
def test_a_volume_of_root_is_refused_with_the_option_that_helps(anyones):
    with ordinary_user(), pytest.raises(errors.NotWritable, match="--fs-group N"):
        begin(anyones)

    assert content(anyones) == {}


def test_a_full_volume_is_told_with_what_is_free_and_holds_no_half_file(tmp_path):
    with mounted(tmp_path, "size=64k"):
        with pytest.raises(errors.VolumeFull, match=r"no space for .*/file: 65536 bytes are free"):
            layout.write(tmp_path, "file", bytes(1 << 20))

        assert volume.content(tmp_path) == []
        assert os.listdir(tmp_path) == []


def test_a_volume_that_is_read_only_is_told(tmp_path):
    with mounted(tmp_path, "ro"), pytest.raises(errors.VolumeReadOnly, match="mounted read-only"):
        begin(tmp_path)


def test_a_volume_that_can_not_be_listed_is_told(tmp_path):
    with pytest.raises(errors.ReadFailed, match="No such file"):
        volume.content(tmp_path / "gone")


def test_what_is_free_is_unknown_where_the_file_system_does_not_say_or_counts_no_blocks(tmp_path):
    assert volume.free_bytes(tmp_path / "gone") is None
    assert volume.free_bytes(Path("/proc")) is None  # of no blocks
    assert volume.free_bytes(tmp_path) > 0


def test_a_full_volume_that_does_not_say_what_is_free_is_told_so():
    with pytest.raises(errors.VolumeFull, match=r"no space for /proc/file: the volume does not say how many are free;"):
        raise volume.failure(OSError(errno.ENOSPC, "full"), Path("/proc"), "file")


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
def test_what_can_not_be_cleared_is_told(anyones):
    (anyones / "a").touch()

    with ordinary_user(), pytest.raises(errors.NotWritable):
        writing.clear(anyones, "")


# --- durable ---


@pytest.fixture
def syncs(tmp_path, monkeypatch):
    """What lies on the volume whenever it is synced, temporary names as `temporary`."""
    found = []

    def sync(_descriptor):
        names = {name: "temporary" if volume.TEMPORARY in name else name for name in content(tmp_path)}
        found.append({names[name]: data for name, data in content(tmp_path).items() if data is not None})

    monkeypatch.setattr(durability, "syncfs", sync)
    return found


def fail_sync(monkeypatch, number):
    """Have the sync of this number fail, as of a disk that is asked to."""
    syncs = iter(range(1, number + 1))

    def sync(_descriptor):
        if next(syncs) == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durability, "syncfs", sync)


def test_a_volume_is_synced_once_at_the_end(tmp_path, syncs):
    with durability.durable(tmp_path):
        layout.write(tmp_path, "a", b"1")
        layout.write(tmp_path, "b", b"2")

    assert syncs == [{"a": b"1", "b": b"2"}]


def test_what_failed_needs_no_sync(tmp_path, syncs):
    with pytest.raises(RuntimeError), durability.durable(tmp_path):
        raise RuntimeError

    assert syncs == []


def test_a_volume_is_held_open_from_before_the_first_write_by_one_descriptor(tmp_path, monkeypatch):
    held = []
    monkeypatch.setattr(durability, "syncfs", lambda descriptor: held.append((descriptor, os.fstat(descriptor).st_ino)))
    with durability.durable(tmp_path) as disk:
        lowest_free = os.open(tmp_path, os.O_RDONLY)
        os.close(lowest_free)
        begin_marker.begin(disk, MINE)
        disk.commit("record", b"")

    assert len(held) == 4
    assert len(set(held)) == 1
    assert held[0][0] < lowest_free
    assert held[0][1] == tmp_path.stat().st_ino


def test_a_record_has_its_name_when_it_and_the_data_are_synced_and_is_synced_then(tmp_path, syncs):
    with durability.durable(tmp_path) as disk:
        layout.write(tmp_path, "data", b"1")
        disk.commit("reports/record", b"2")

    assert syncs == [{"data": b"1", "temporary": b"2"}, {"data": b"1", "reports/record": b"2"}]


def test_the_marker_has_its_name_when_it_is_synced_and_is_synced_before_anything_else(tmp_path, syncs):
    marker = layout.as_json(MINE.model_dump())
    with durability.durable(tmp_path) as disk:
        begin_marker.begin(disk, MINE)

        assert syncs == [{"temporary": marker}, {BEGIN: marker}]


def test_a_marker_that_was_found_is_synced_before_anything_else(tmp_path, syncs):
    layout.write(tmp_path, BEGIN, layout.as_json(MINE.model_dump()))
    with durability.durable(tmp_path) as disk:
        begin_marker.begin(disk, MINE)

        assert len(syncs) == 1


def commit(root):
    with durability.durable(root) as disk:
        layout.write(root, "data", b"1")
        disk.commit("record", b"2")


@pytest.mark.parametrize("number", [1, 2])
def test_no_record_stays_of_a_phase_whose_sync_fails(tmp_path, monkeypatch, number):
    fail_sync(monkeypatch, number)

    with pytest.raises(errors.VolumeFailed, match=rf"{tmp_path} \(Input/output error\)"):
        commit(tmp_path)

    assert content(tmp_path) == {"data": b"1"}


def test_a_record_that_can_not_be_withdrawn_does_not_hide_the_failure(tmp_path, monkeypatch):
    # A mock, because a disk that fails, and then lets nothing be removed, can't be had.
    def read_only(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def sync(_descriptor):
        if (tmp_path / "record").exists():
            monkeypatch.setattr(os, "unlink", read_only)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durability, "syncfs", sync)

    with pytest.raises(errors.VolumeFailed, match="Input/output error"):
        commit(tmp_path)


def test_a_marker_whose_first_sync_fails_is_none(tmp_path, monkeypatch):
    fail_sync(monkeypatch, 1)

    with pytest.raises(errors.VolumeFailed):
        begin(tmp_path)

    assert content(tmp_path) == {}


def test_a_marker_stays_when_the_sync_of_its_name_fails_as_another_phase_may_have_found_it(tmp_path, monkeypatch):
    fail_sync(monkeypatch, 2)

    with pytest.raises(errors.VolumeFailed):
        begin(tmp_path)

    assert list(content(tmp_path)) == [BEGIN]


def test_a_volume_that_is_gone_can_not_be_synced(tmp_path):
    with pytest.raises(errors.VolumeFailed, match="No such file"), durability.durable(tmp_path / "gone"):
        pass


def test_a_sync_that_the_system_refuses_is_told():
    with pytest.raises(OSError, match="Bad file descriptor") as refused:
        durability.syncfs(-1)

    assert refused.value.errno == errno.EBADF


def test_json_is_written_as_the_operator_writes_it():
    data = layout.as_json({"b": [1, {"z": "größe ☃", "a": None}], "a": {}})

    assert data == (
        b'{\n    "a": {},\n    "b": [\n        1,\n        {\n            "a": null,\n'
        b'            "z": "gr\\u00f6\\u00dfe \\u2603"\n        }\n    ]\n}\n'
    )
    assert json.loads(data)["b"][1]["z"] == "größe ☃"


class TestWritingBack:
    @pytest.fixture
    def synced(self, monkeypatch):
        """Count syncs, and see each one begun."""
        found = threading.Semaphore(0)
        monkeypatch.setattr(durability, "_libc", lambda: SimpleNamespace(syncfs=lambda _descriptor: found.release()))
        return found

    def test_the_system_writes_each_time_that_so_much_more_was_written(self, tmp_path, synced, monkeypatch):
        monkeypatch.setattr(durability, "_WRITE_BACK_BYTES", 10)
        written = [9]
        with durability.writing_back(tmp_path, lambda: written[0]):
            assert not synced.acquire(timeout=0.1)
            for written[0] in (10, 20):
                assert synced.acquire(timeout=10)
                assert not synced.acquire(timeout=0.1)

    def test_the_system_writes_what_there_is_when_asked(self, tmp_path, synced):
        with durability.writing_back(tmp_path, lambda: 1) as write_back:
            write_back()
            assert synced.acquire(timeout=10)
            assert not synced.acquire(timeout=0.1)

    def test_what_fails_is_left_to_the_sync_in_the_end(self, tmp_path, monkeypatch):
        asked = threading.Event()

        def fail(_descriptor):
            asked.set()
            return -1

        monkeypatch.setattr(durability, "_libc", lambda: SimpleNamespace(syncfs=fail))
        with durability.writing_back(tmp_path, lambda: 1) as write_back:
            write_back()
            assert asked.wait(10)
        with pytest.raises(errors.VolumeFailed), durability.durable(tmp_path):
            pass


@pytest.mark.skipif(not ROOT, reason="only root can make a folder in which an ordinary user can make no file")
class TestSnapshotFolders:
    """What a NAS shows at the root of a volume, and what only looks like it."""

    @pytest.mark.parametrize("name", [".snapshot", ".snapshots", ".zfs", ".ckpt", "~snapshot"])
    def test_a_folder_of_the_name_in_which_no_file_can_be_made_is_no_content(self, anyones, name):
        (anyones / name).mkdir(mode=0o555)
        with ordinary_user():
            assert volume.passed_over(anyones) == ("lost+found", name)
            assert volume.content(anyones) == []

    def test_a_folder_of_another_name_is_content(self, anyones):
        (anyones / ".snaps").mkdir(mode=0o555)
        with ordinary_user():
            assert volume.content(anyones) == [".snaps"]

    def test_one_in_which_a_file_can_be_made_is_content_and_keeps_what_it_holds(self, anyones):
        (anyones / ".snapshot").mkdir()
        (anyones / ".snapshot/mine").touch()

        assert volume.content(anyones) == [".snapshot"]
        assert os.listdir(anyones / ".snapshot") == ["mine"]

    def test_one_that_takes_files_and_can_not_be_listed_is_content(self, anyones):
        (anyones / ".snapshot").mkdir()
        (anyones / ".snapshot").chmod(0o333)
        with ordinary_user():
            assert volume.content(anyones) == [".snapshot"]
            assert volume.shown(anyones, ".snapshot") == "an unknown number of entries"
        assert os.listdir(anyones / ".snapshot") == []

    @pytest.mark.parametrize("target", [".", "folder", "nowhere"])
    def test_a_link_of_the_name_is_content(self, anyones, target):
        (anyones / "folder").mkdir(mode=0o555)
        (anyones / ".snapshot").symlink_to(target)
        with ordinary_user():
            assert volume.content(anyones) == [".snapshot", "folder"]

    def test_a_file_of_the_name_is_content(self, anyones):
        (anyones / ".snapshot").touch(mode=0o444)
        with ordinary_user():
            assert volume.content(anyones) == [".snapshot"]

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


@pytest.mark.parametrize(
    ("path", "largest"),
    [(layout.BEGIN, 64 << 10), (layout.MANIFEST, 16 << 20), (f"{layout.REPORTS}/secrets.json", 16 << 20)],
)
def test_of_each_kind_of_file_no_more_is_read_or_written_than_it_can_have(tmp_path, path, largest):
    layout.write(tmp_path, path, b" " * largest)
    read = len(layout.read(tmp_path, path))

    with pytest.raises(errors.FileTooLarge, match=f"{path} of the backup would have {largest + 1} bytes"):
        layout.write(tmp_path, path, b" " * (largest + 1))
    with durability.durable(tmp_path) as disk, pytest.raises(errors.FileTooLarge):
        layout.commit(disk, path, b" " * (largest + 1))
    (tmp_path / path).write_bytes(b" " * (largest + 1))
    with pytest.raises(OSError, match="File too large") as caught:
        layout.read(tmp_path, path)
    assert read == largest
    assert f"has more than {'64 KiB' if path == layout.BEGIN else '16 MiB'}" in layout.unread(caught.value)


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, ""])
def test_a_marker_that_is_nested_without_end_is_none_that_can_be_read(tmp_path, deep):
    (tmp_path / layout.BEGIN).write_text(deep[: 60 << 10])

    with pytest.raises(errors.VolumeTaken, match=r"a begin\.json that can't be read"):
        begin_marker.marker(tmp_path)
