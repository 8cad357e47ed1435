import codecs
import hashlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from steps import errors
from steps.archive import contents, layout, manifest, marks, seal
from steps.files import comparison, copy_back, directory, meter, mtree, reading, removal, scanning, tally, volume
from steps.files.tally import Tally
from steps.kubernetes import fields
from steps.kubernetes.kinds import CLAIM
from steps.parts import file_storage, system_storage
from tests.builders.refusals import Holding, refused


def no_progress(_done, _total):
    pass


def names(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@pytest.fixture
def source(installed):
    """The sample's tree."""
    return installed.storage


@pytest.fixture
def target(empty, tmp_path):
    """An empty system-storage: its claim and its folder."""
    empty.kubernetes.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "system-storage", "namespace": empty.namespace},
            "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "256Mi"}}},
        }
    )
    (tmp_path / "target/lost+found").mkdir(parents=True)
    return tmp_path / "target"


def state(stage):
    return fields.annotation(stage.get(CLAIM.resource, "system-storage"), marks.RESTORE_STATE)


def test_what_was_saved_is_restored_as_it_was(empty, target, backup_volume):
    opened = contents.open_at(backup_volume)

    tally = file_storage.restore(empty.connect("threescale-restore"), opened, target, no_progress)

    restored = {entry.path: entry for entry in scanning.scan(target, workers=0)}
    listed = list(mtree.parse(opened.lines()))
    assert set(restored) == {entry.path for entry in listed}
    for entry in listed:
        found = restored[entry.path]
        assert (found.kind, found.mtime_ns, found.size) == (entry.kind, entry.mtime_ns, entry.size)
        assert found.target == entry.target
        assert found.mode & entry.mode == entry.mode
    assert (tally.files, tally.links) == (opened.manifest.file_storage.files, opened.manifest.file_storage.links)
    assert state(empty) == "complete"


class TestSave:
    def test_the_report_counts_what_the_listing_holds(self, source, tmp_path):
        report = file_storage.save(source, tmp_path / "backup", no_progress).file_storage

        with (tmp_path / "backup" / layout.LISTING).open() as lines:
            entries = list(mtree.parse(lines))
        data = (tmp_path / "backup" / layout.LISTING).read_bytes()
        assert report.files == sum(entry.kind == "file" for entry in entries)
        assert report.folders == sum(entry.kind == "dir" for entry in entries)
        assert report.links == sum(entry.kind == "link" for entry in entries)
        assert report.size_bytes == sum(entry.size for entry in entries)
        assert (report.listing.size, report.listing.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        assert report.placeholder == ""

    @pytest.fixture(autouse=True)
    def volume_is_there(self, tmp_path):
        (tmp_path / "backup").mkdir()

    def test_saved_again_it_holds_nothing_of_the_first_time(self, tmp_path):
        (tmp_path / "source").mkdir()
        (tmp_path / "source/old").touch()
        file_storage.save(tmp_path / "source", tmp_path / "backup", no_progress)
        (tmp_path / "source/old").rename(tmp_path / "source/new")

        file_storage.save(tmp_path / "source", tmp_path / "backup", no_progress)

        assert names(tmp_path / "backup" / layout.TREE) == ["new"]

    def test_killed_and_started_again_it_keeps_what_is_whole_and_ends_as_if_undisturbed(self, source, tmp_path):
        undisturbed, root = tmp_path / "undisturbed", tmp_path / "backup"
        undisturbed.mkdir()
        expected = file_storage.save(source, undisturbed, no_progress)
        file_storage.save(source, root, no_progress)
        lines = (root / layout.LISTING).read_bytes().splitlines(keepends=True)
        (root / layout.LISTING).unlink()
        (root / ".threescale-backup-listing-1").write_bytes(b"".join(lines[:40]) + lines[40][:9])  # as a kill leaves it
        (root / ".threescale-backup-listing-2").write_bytes(lines[0])
        kept = [entry.path for entry in mtree.parse(line.decode() for line in lines[:40]) if entry.kind == "file"]
        before = {path: (root / layout.TREE / path).stat().st_ino for path in kept}

        report = file_storage.save(source, root, no_progress)

        assert report == expected
        assert (root / layout.LISTING).read_bytes() == (undisturbed / layout.LISTING).read_bytes()
        assert {path: (root / layout.TREE / path).stat().st_ino for path in kept} == before
        assert sorted(os.listdir(root)) == sorted(os.listdir(undisturbed))

    @pytest.mark.parametrize("hidden", [[], [".hidden"]])
    def test_a_tree_that_shows_nothing_gets_a_placeholder_for_the_operator(self, tmp_path, hidden):
        (tmp_path / "source").mkdir()
        for name in hidden:
            (tmp_path / "source" / name).touch()

        report = file_storage.save(tmp_path / "source", tmp_path / "backup", no_progress).file_storage

        assert report.placeholder == manifest.PLACEHOLDER
        assert report.files == len(hidden) + 1
        assert names(tmp_path / "backup" / layout.TREE) == sorted([*hidden, manifest.PLACEHOLDER])
        assert manifest.PLACEHOLDER in (tmp_path / "backup" / layout.LISTING).read_text()

    def test_progress_is_told_to_the_end(self, source, tmp_path):
        told = []

        file_storage.save(source, tmp_path / "backup", lambda *progress: told.append(progress))

        done, totals = [done for done, _ in told], {total for _, total in told}
        assert done == sorted(done)
        assert totals == {done[-1]}

    def test_what_is_no_file_is_named_in_log_and_report(self, tmp_path, caplog):
        caplog.set_level(logging.INFO)
        (tmp_path / "source").mkdir()
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "source/socket"))

            report = file_storage.save(tmp_path / "source", tmp_path / "backup", no_progress).file_storage

        assert report.special == ("socket",)
        assert "'socket': not copied, it is a socket, FIFO or device" in caplog.text

    def test_what_vanishes_is_counted_in_log_and_report(self, tmp_path, caplog, monkeypatch):
        caplog.set_level(logging.INFO)
        (tmp_path / "source").mkdir()
        (tmp_path / "source/a").touch()
        (tmp_path / "source/b").touch()
        look = directory.leaves  # a mock, because another process may always come too late

        def lose(descriptor, path, *passed_over):
            found = look(descriptor, path, *passed_over)
            (tmp_path / "source/b").unlink(missing_ok=True)
            return found

        monkeypatch.setattr(directory, "leaves", lose)
        monkeypatch.setattr(scanning, "measure", lambda *_: tally.Tally())

        report = file_storage.save(tmp_path / "source", tmp_path / "backup", no_progress).file_storage

        assert (report.files, report.vanished) == (1, 1)
        assert "1 entries vanished while the tree was read: 'b'" in caplog.text

    def test_a_source_that_is_not_there_is_no_empty_tree(self, tmp_path):
        with refused(errors.ReadFailed, paths=[str(tmp_path / "gone")]):
            file_storage.save(tmp_path / "gone", tmp_path / "backup", no_progress)

    def test_a_file_that_never_rests_ends_the_phase(self):
        tally = Tally(changing=["log"])

        with refused(errors.ChangedWhileRead, paths=["log"]):
            file_storage._judge(tally)  # that such a file is noticed is shown where it is copied

    @pytest.mark.lesson(22)
    def test_a_volume_without_room_is_refused_before_the_first_byte(self, tmp_path, monkeypatch):
        (tmp_path / "source").mkdir()
        (tmp_path / "source/file").write_bytes(b"1" * 4711)
        monkeypatch.setattr(volume, "free_bytes", lambda _: 4710)

        with refused(errors.VolumeFull, needed_bytes=4711, free_bytes=4710):
            file_storage.save(tmp_path / "source", tmp_path / "backup", no_progress)

        assert names(tmp_path / "backup") == [layout.TREE]

    def test_a_volume_that_does_not_say_what_is_free_is_tried(self, source, tmp_path, monkeypatch):
        monkeypatch.setattr(volume, "free_bytes", lambda _: None)

        report = file_storage.save(source, tmp_path / "backup", no_progress).file_storage

        assert report.size_bytes > 0

    def test_one_that_is_full_then_is_told_with_what_was_needed(self, tmp_path, monkeypatch):
        monkeypatch.setattr(volume, "free_bytes", lambda _: None)

        with (
            refused(errors.VolumeFull, needed_bytes=10, free_bytes=None),
            file_storage._room(tmp_path, 10),
        ):
            raise errors.VolumeFull(str(tmp_path / "file"), None, None)

    def test_what_a_run_before_has_copied_is_counted_by_its_data_too(self, tmp_path, monkeypatch):
        with_a_hole(tmp_path / "source")
        shutil.copytree(tmp_path / "source", tmp_path / "backup" / layout.TREE)
        file = tmp_path / "source/more"
        file.write_bytes(b"1" * 4712)
        with (tmp_path / "backup" / layout.TREE / "large").open("wb") as half:
            half.truncate(HOLE_BYTES // 2)  # its length would be room for the file that is missing
        monkeypatch.setattr(volume, "free_bytes", lambda _: 4711)

        with refused(errors.VolumeFull, needed_bytes=4712 + DATA_BYTES, free_bytes=4711):
            file_storage.save(tmp_path / "source", tmp_path / "backup", no_progress)


HOLE_BYTES = 1 << 28
DATA_BYTES = 1 << 16


def with_a_hole(folder):
    """Make a tree of one file, long and almost empty."""
    folder.mkdir()
    with (folder / "large").open("wb") as sparse:
        sparse.truncate(HOLE_BYTES)
        sparse.seek(HOLE_BYTES // 2)
        sparse.write(b"1" * DATA_BYTES)
    return folder


@pytest.fixture(scope="module")
def saved_hole(tmp_path_factory):
    """The root of a backup's volume with such a tree, saved where there was room for its data alone."""
    folder = tmp_path_factory.mktemp("hole")
    root = folder / "backup"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(volume, "free_bytes", lambda _: DATA_BYTES)
        report = file_storage.save(with_a_hole(folder / "source"), root, no_progress, workers=0)
    return folder / "source", root, report.file_storage


def of_hole(backup_volume, saved):
    """A sealed backup, but that the tree is one with a hole."""
    _, root, facts = saved
    found = contents.open_at(backup_volume)
    changed = found.manifest.model_copy(update={"file_storage": facts})
    return contents.Backup(root, changed, found.digest, found.name)


def held(path):
    """What a file takes of the disk, when all of it is there."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return path.stat().st_blocks * 512


class TestAHole:
    def test_is_saved_where_there_is_room_for_the_data_alone_and_listed_with_the_digest_of_its_content(
        self, saved_hole
    ):
        source, root, report = saved_hole

        (entry,) = listed(root)

        assert (report.size_bytes, entry.size) == (HOLE_BYTES, HOLE_BYTES)
        with (source / "large").open("rb") as stream:
            assert entry.digest == reading.digest(stream.fileno())[1]
        assert held(root / layout.TREE / "large") <= DATA_BYTES + 4096

    def test_is_restored_where_there_is_room_for_the_data_alone(
        self, empty, target, backup_volume, saved_hole, monkeypatch
    ):
        monkeypatch.setattr(volume, "free_bytes", lambda _: DATA_BYTES)

        file_storage.restore(
            empty.connect("threescale-restore"), of_hole(backup_volume, saved_hole), target, no_progress
        )

        assert state(empty) == "complete"
        assert (target / "large").stat().st_size == HOLE_BYTES
        assert held(target / "large") <= DATA_BYTES + 4096

    def test_needs_room_for_its_data_all_the_same(self, empty, target, backup_volume, saved_hole, monkeypatch):
        monkeypatch.setattr(volume, "free_bytes", lambda _: DATA_BYTES - 1)

        with refused(errors.VolumeFull, needed_bytes=DATA_BYTES, free_bytes=DATA_BYTES - 1):
            file_storage.restore(empty.connect(), of_hole(backup_volume, saved_hole), target, no_progress)

        assert names(target) == ["lost+found"]

    def test_is_not_looked_for_where_the_length_has_room(self, backup_volume, saved_hole, monkeypatch, tmp_path):
        opened, target = of_hole(backup_volume, saved_hole), tmp_path / "empty"
        target.mkdir()
        monkeypatch.setattr(scanning, "measure", None)  # a mock: that nothing is walked shows in no result

        assert file_storage._lacking(opened, target, 0, ()) == HOLE_BYTES


SAVE = """
import sys
from pathlib import Path
from steps.parts import file_storage
file_storage.save(Path(sys.argv[1]), Path(sys.argv[2]), lambda _done, _total: None, workers=4)
"""


def of_many(folder):
    """Make a tree of 600 files, the first of which is of several blocks."""
    for number in range(600):
        path = folder / f"{number % 7}/{number % 40}/{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(str(number).encode() * (1000 if number else 1 << 20))
    return folder


@pytest.mark.thorough
@pytest.mark.parametrize("copied", [1, 150, 590])
def test_a_save_by_several_processes_that_is_killed_ends_as_if_undisturbed(tmp_path, copied):
    source, root, undisturbed = of_many(tmp_path / "source"), tmp_path / "backup", tmp_path / "undisturbed"
    for folder in (root, undisturbed):
        folder.mkdir()
    expected = file_storage.save(source, undisturbed, no_progress, workers=0)
    running = subprocess.Popen([sys.executable, "-c", SAVE, source, root])  # noqa: S603  our own
    while sum(len(files) for _, _, files in os.walk(root / layout.TREE)) < copied and running.poll() is None:
        time.sleep(0.001)
    running.kill()
    running.wait()

    report = file_storage.save(source, root, no_progress, workers=0)

    assert report == expected
    assert (root / layout.LISTING).read_bytes() == (undisturbed / layout.LISTING).read_bytes()
    assert list(comparison.compare(listed(root), root / layout.TREE, digests=True, workers=0)) == []
    assert sorted(os.listdir(root)) == sorted(os.listdir(undisturbed))


# A worker that comes to so many entries, or to the middle of a large file, says so and waits for the signal.
RESTORE_UNTIL = """
import os, sys
from pathlib import Path
from steps import errors
from steps.archive import layout, seal
from steps.files import copy_back, meter
from steps.files.reading import BLOCK
from steps.process import interruption

root, target, entries = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

class Meter(meter.Meter):
    def add(self, **counts):
        super().add(**counts)
        if self.counts.entries >= entries if entries else counts.get("size_bytes") == BLOCK:
            os.write(1, b".")
            interruption._asked.wait()

interruption.catch()
try:
    copy_back.copy(seal.lines(root), root / layout.TREE, target, meter.Work(4, Meter()), again=False)
except errors.PhaseError as error:
    sys.exit(error.exit_code)
"""
AMID_A_FILE = 0
PATIENCE_S = 60


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A backup of many files, and what a restore makes of it undisturbed."""
    folder = tmp_path_factory.mktemp("many")
    root, undisturbed = folder / "backup", folder / "undisturbed"
    for each in (root, undisturbed):
        each.mkdir()
    file_storage.save(of_many(folder / "source"), root, no_progress, workers=0)
    fill(root, undisturbed, again=False)
    return root, seen(undisturbed)


def fill(root, target, *, again):
    copy_back.copy(seal.lines(root), root / layout.TREE, target, meter.Work(0), again=again)


def seen(target):
    return list(scanning.scan(target, digests=True, workers=0))


def ended_by(number, root, target, entries):
    """Send a signal to a restore amid its work: its exit code when all its processes are gone."""
    command = [sys.executable, "-c", RESTORE_UNTIL, root, target, str(entries)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:  # noqa: S603  our own
        running.stdout.read(1)
        running.send_signal(number)
        try:
            running.communicate(timeout=PATIENCE_S)
        finally:
            running.kill()
    return running.returncode


@pytest.mark.parametrize("entries", [AMID_A_FILE, 300, 880])  # of 887
@pytest.mark.thorough
def test_a_restore_by_several_processes_that_is_killed_ends_as_if_undisturbed(many, tmp_path, entries):
    root, undisturbed = many

    assert ended_by(signal.SIGKILL, root, tmp_path, entries) == -signal.SIGKILL
    left = seen(tmp_path)
    assert left != undisturbed
    assert entries or any(volume.TEMPORARY in entry.path for entry in left)

    fill(root, tmp_path, again=True)

    assert seen(tmp_path) == undisturbed


@pytest.mark.thorough
@pytest.mark.parametrize("entries", [AMID_A_FILE, 300])
def test_a_restore_by_several_processes_that_is_asked_to_stop_leaves_whole_files_and_is_tried_again(
    many, tmp_path, entries
):
    root, undisturbed = many

    assert ended_by(signal.SIGTERM, root, tmp_path, entries) == errors.TRY_AGAIN_EXIT
    left = {entry.path: entry.digest for entry in seen(tmp_path)}
    assert left.items() <= {entry.path: entry.digest for entry in undisturbed}.items()
    assert left.keys() < {entry.path for entry in undisturbed}

    fill(root, tmp_path, again=True)

    assert seen(tmp_path) == undisturbed


MIB = 256
LITTLE_MIB = 100  # not the tenth part of a file of 1 GiB
RESTORE = """
import sys
from pathlib import Path
from steps.archive import layout, seal
from steps.files.meter import Work
from steps.parts import file_storage
root, target = Path(sys.argv[1]), Path(sys.argv[2])
_, findings = file_storage.bring(
    lambda: seal.lines(root), root / layout.TREE, target, Work(4), again=False
)
assert not findings
"""


def peak_mib(script, *folders):
    """The most memory that all processes of a script held."""
    command = [sys.executable, "-c", script, *map(str, folders)]
    clock = [sys.executable, "-I", "-S", str(Path(__file__).parents[2] / "benchmarks/copying/clock.py")]
    measured = subprocess.run([*clock, json.dumps({"command": command, "volumes": []})], stdout=-1, check=True)  # noqa: S603  our own
    return json.loads(measured.stdout)["peak_mib"]


@pytest.fixture
def places(tmp_path):
    """A source, a backup and a target, without anything in them."""
    made = [tmp_path / name for name in ("source", "backup", "target")]
    for path in made:
        path.mkdir()
    return made


@pytest.mark.thorough
def test_a_hundred_thousand_files_in_one_folder_are_saved_and_restored_in_a_phase_s_memory(places):
    source, root, target = places
    for number in range(100_000):
        (source / f"a-page-of-a-portal-{number:06d}.html").touch()

    assert peak_mib(SAVE, source, root) < MIB
    assert peak_mib(RESTORE, root, target) < MIB
    assert len(os.listdir(target)) == 100_000


@pytest.mark.thorough
def test_the_largest_file_does_not_count_for_the_memory(places):
    source, root, target = places
    with (source / "large").open("wb") as sparse:
        sparse.truncate(1 << 30)

    assert peak_mib(SAVE, source, root) < LITTLE_MIB
    assert peak_mib(RESTORE, root, target) < LITTLE_MIB
    assert (target / "large").stat().st_size == 1 << 30


def listed(root):
    with (root / layout.LISTING).open() as lines:
        return list(mtree.parse(lines))


class TestRestore:
    def test_a_target_that_holds_anything_is_refused_and_not_marked(self, empty, target, backup_volume):
        (target / "precious").write_bytes(b"1")

        with refused(errors.TargetNotEmpty, entries=["precious"]):
            file_storage.restore(empty.connect(), contents.open_at(backup_volume), target, no_progress)

        assert names(target) == ["lost+found", "precious"]
        assert state(empty) == ""

    def test_a_target_that_was_begun_is_gone_on_with_and_what_is_not_listed_is_left_and_named(
        self, empty, target, backup_volume
    ):
        opened = contents.open_at(backup_volume)
        door = empty.connect()
        mark = {"metadata": {"annotations": {**opened.mark.annotations(), marks.RESTORE_STATE: "begun"}}}
        door.patch(CLAIM, "system-storage", mark)
        (target / "half").mkdir()
        (target / "half/file").write_bytes(b"1")

        with refused(errors.TargetDiffers, findings=Holding("'half' is not listed")):
            file_storage.restore(door, opened, target, no_progress)
        whole = (target / ".hidden-top").stat().st_ino
        shutil.rmtree(target / "half")
        file_storage.restore(door, opened, target, no_progress)

        assert (target / ".hidden-top").stat().st_ino == whole
        assert list(comparison.compare(mtree.parse(opened.lines()), target, digests=True, workers=0)) == []
        assert state(empty) == "complete"

    def test_a_target_that_is_complete_is_left_as_it_is(self, empty, target, backup_volume):
        opened = contents.open_at(backup_volume)
        door = empty.connect()
        file_storage.restore(door, opened, target, no_progress)
        shutil.rmtree(target / "acme")
        (target / "new").write_bytes(b"written since")

        assert file_storage.restore(door, opened, target, no_progress) is None
        assert (target / "new").exists()
        assert not (target / "acme").exists()

    def test_a_flipped_byte_leaves_the_claim_begun_and_no_damaged_file(self, empty, target, backup_volume):
        damaged = next(iter((backup_volume / layout.TREE / "acme/2026/11/03").iterdir()))
        damaged.write_bytes(bytes([damaged.read_bytes()[0] ^ 1]) + damaged.read_bytes()[1:])

        with refused(errors.BackupDamaged, findings=Holding(damaged.name)):
            file_storage.restore(empty.connect(), contents.open_at(backup_volume), target, no_progress)

        assert state(empty) == "begun"
        assert names(target / "acme/2026/11/03") == []

    def test_a_listing_that_is_not_the_manifest_s_is_refused_before_anything_is_written(
        self, empty, target, backup_volume
    ):
        listing = backup_volume / layout.LISTING
        listing.write_bytes(b"".join(listing.read_bytes().splitlines(keepends=True)[:-1]))

        with refused(errors.BackupDamaged, findings=Holding("system-filestorage.mtree has ")):
            file_storage.restore(empty.connect(), contents.open_at(backup_volume), target, no_progress)

        assert names(target) == ["lost+found"]
        assert state(empty) == ""

    def test_the_placeholder_is_not_restored(self, backup_volume):
        opened = contents.open_at(backup_volume)
        facts = opened.manifest.file_storage.model_copy(update={"placeholder": "acme"})
        changed = opened.manifest.model_copy(update={"file_storage": facts})

        lines = list(contents.Backup(opened.root, changed, opened.digest, opened.name).lines())

        assert lines
        assert "acme" not in {mtree.head(line)[0] for line in lines}

    def test_a_restore_that_brought_less_than_listed_is_not_complete(self, empty, target, backup_volume):
        def lose(done, total):
            if done == total:
                (target / ".hidden-top").unlink()

        with refused(errors.TargetDiffers, findings=Holding("'.hidden-top' is missing")):
            file_storage.restore(empty.connect(), contents.open_at(backup_volume), target, lose)

        assert state(empty) == "begun"

    def damage(self, root):
        """Flip a byte of a file; return its path in the tree."""
        damaged = next(iter((root / layout.TREE / "acme/2026/11/03").iterdir()))
        damaged.write_bytes(bytes([damaged.read_bytes()[0] ^ 1]) + damaged.read_bytes()[1:])
        return damaged.relative_to(root / layout.TREE)

    def test_a_target_from_which_files_were_left_out_says_so_and_is_not_taken_for_a_whole_one(
        self, empty, target, backup_volume
    ):
        path = self.damage(backup_volume)
        opened, door = contents.open_at(backup_volume), empty.connect()
        file_storage.restore(door, opened.salvaged(), target, no_progress)

        assert not (target / path).exists()
        assert path.name in system_storage.left_out(empty.get(CLAIM.resource, "system-storage"), opened)
        with refused(errors.FilledWithout, lacking=Holding(path.name)):
            file_storage.restore(door, opened, target, no_progress)
        assert file_storage.restore(door, opened.salvaged(), target, no_progress) is None

    def test_a_target_that_is_filled_whole_after_all_says_nothing_of_files_left_out(self, empty, target, backup_volume):
        whole = (backup_volume / layout.TREE / "acme/2026/11/03").iterdir()
        whole = {path: path.read_bytes() for path in whole}
        path = self.damage(backup_volume)
        opened, door = contents.open_at(backup_volume), empty.connect()
        file_storage.restore(door, opened.salvaged(), target, no_progress)
        system_storage.mark(door, opened, marks.BEGUN)
        for name, data in whole.items():
            name.write_bytes(data)

        file_storage.restore(door, opened, target, no_progress)

        assert (target / path).exists()
        assert system_storage.left_out(empty.get(CLAIM.resource, "system-storage"), opened) == ""

    def test_a_claim_of_another_restore_is_refused(self, empty, target, backup_volume):
        annotations = marks.Mark("weekly", "other").annotations()
        empty.connect().patch(CLAIM, "system-storage", {"metadata": {"annotations": annotations}})

        with refused(errors.ClaimOfAnotherRestore, other="weekly"):
            file_storage.restore(empty.connect(), contents.open_at(backup_volume), target, no_progress)

        assert names(target) == ["lost+found"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user of group 0")
def test_an_ordinary_user_of_the_group_saves_and_restores_all_but_the_owners(empty, target, backup_volume, caplog):
    caplog.set_level(logging.INFO)
    opened = contents.open_at(backup_volume)
    door = empty.connect()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.move(backup_volume, root / "backup")
        shutil.move(target, root / "target")
        for path in (root, root / "target"):
            path.chmod(0o770)
        os.seteuid(1000740000)
        try:
            file_storage.restore(door, contents.open_at(root / "backup"), root / "target", no_progress)
            (root / "again").mkdir()
            report = file_storage.save(root / "target", root / "again", no_progress).file_storage
        finally:
            os.seteuid(0)

    facts = opened.manifest.file_storage
    assert (report.files, report.folders, report.links) == (facts.files, facts.folders, facts.links)
    assert report.size_bytes == facts.size_bytes
    assert f"{opened.counts.entries} entries are owned by the restoring user" in caplog.text


@pytest.mark.skipif(shutil.which("mtree") is None, reason="there is no mtree (Debian: mtree-netbsd) on this machine")
class TestMtree:
    @staticmethod
    def judge(root):
        chosen = subprocess.run(  # noqa: S603  the system's own mtree
            ["mtree", "-C", "-k", "type,size,link,time,sha256", "-f", root / layout.LISTING],  # noqa: S607  as above
            capture_output=True,
            check=True,
        )
        return subprocess.run(  # noqa: S603  as above
            ["mtree", "-p", root / layout.TREE],  # noqa: S607  as above
            input=chosen.stdout,
            capture_output=True,
            check=False,
        )

    def test_the_mtree_of_the_system_finds_a_sealed_backup_whole(self, backup_volume):
        judged = self.judge(backup_volume)

        assert (judged.stdout, judged.stderr, judged.returncode) == (b"", b"", 0)

    def test_the_mtree_of_the_system_finds_a_flipped_byte(self, backup_volume):
        (backup_volume / layout.TREE / ".hidden-top").write_bytes(b"hiddem\n")

        assert self.judge(backup_volume).returncode != 0


@pytest.fixture
def ordinary():
    """A place that an ordinary user of the group can use, while it lasts."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    codecs.lookup("ascii")  # which that user may not be able to load
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o777)
        os.seteuid(1000740000)
        try:
            yield root
        finally:
            os.seteuid(0)


def show_snapshots(root, name=".snapshot", mode=0o555):
    """Put a folder with an earlier state of the volume at its root, in which nobody but root can make a file."""
    before = os.geteuid()
    os.seteuid(0)
    (root / name / "hourly").mkdir(parents=True)
    (root / name / "hourly/old").write_bytes(b"as it was")
    (root / name).chmod(mode)
    os.seteuid(before)


class TestSnapshots:
    """Snapshot folders that a storage shows at the root of a volume."""

    @pytest.fixture
    def saved(self, ordinary):
        """A source that shows one, and the backup of it."""
        for name in ("source", "backup", "target"):
            (ordinary / name).mkdir()
        (ordinary / "source/logo").write_bytes(b"1")
        (ordinary / "source/.hidden/.snapshot").mkdir(parents=True)
        show_snapshots(ordinary / "source")
        report = file_storage.save(ordinary / "source", ordinary / "backup", no_progress, 0)
        return ordinary, report

    def test_those_of_the_source_are_not_saved_and_told_with_what_they_show(self, saved):
        root, report = saved

        assert names(root / "backup" / layout.TREE) == [".hidden", ".hidden/.snapshot", "logo"]
        assert (report.file_storage.files, report.file_storage.folders) == (1, 2)
        (note,) = report.notes
        assert "folder '.snapshot' at the root of System FileStorage is skipped, with its 1 entry" in note

    def test_those_of_the_target_stay_while_it_is_filled_compared_and_emptied(self, saved):
        root, _ = saved
        show_snapshots(root / "target")
        passed = volume.passed_over(root / "target")
        lines = lambda: seal.lines(root / "backup")  # noqa: E731  as a phase gives them

        for again in (False, True):
            _, findings = file_storage.bring(
                lines, root / "backup" / layout.TREE, root / "target", meter.Work(0), again=again, passed_over=passed
            )
            assert not findings
        assert names(root / "target")[-2:] == [".snapshot/hourly/old", "logo"]
        removal.empty(root / "target", passed)

        assert names(root / "target") == [".snapshot", ".snapshot/hourly", ".snapshot/hourly/old"]

    def test_a_volume_that_shows_one_takes_a_restore_which_tells_it(
        self, empty, target, backup_volume, ordinary, caplog
    ):
        os.seteuid(0)
        root = Path(shutil.move(target, ordinary / "target"))
        backed_up = Path(shutil.move(backup_volume, ordinary / "backup"))
        root.chmod(0o777)
        door = empty.connect()
        os.seteuid(1000740000)
        show_snapshots(root)

        tally = file_storage.restore(door, contents.open_at(backed_up), root, no_progress, 0)

        note = next(each for each in tally.notes if ".snapshot" in each)
        assert "'.snapshot' at the root of the volume of claim system-storage is skipped" in note
        assert note in caplog.text
        assert state(empty) == "complete"

    def test_a_folder_that_only_has_the_name_is_refused_with_advice_that_can_work(self, empty, target, backup_volume):
        (target / ".snapshot").mkdir()

        with refused(errors.TargetHoldsSnapshots, entries=[".snapshot"]):
            file_storage.restore(empty.connect(), contents.open_at(backup_volume), target, no_progress, 0)

        assert names(target) == [".snapshot", "lost+found"]

    def test_what_the_backup_lists_itself_is_left_out_where_the_target_shows_one(self, ordinary):
        (ordinary / "target").mkdir()
        show_snapshots(ordinary / "target")
        lines = [
            f"./{name} type=dir mode=0755 uid=0 gid=0 time=0.000000000\n" for name in (".snapshot", ".snapshot/a", "b")
        ]

        filling = file_storage._Filling.of("system-storage", ordinary / "target", again=False)

        assert filling.passed == ("lost+found", ".snapshot")
        assert list(filling.of_target(lines)) == lines[2:]

    def test_a_folder_of_that_name_that_a_restore_has_made_is_no_snapshot_folder_in_a_repetition(self, ordinary):
        (ordinary / ".snapshot").mkdir(mode=0o575)

        assert file_storage._Filling.of("system-storage", ordinary, again=False).passed == ("lost+found", ".snapshot")
        assert file_storage._Filling.of("system-storage", ordinary, again=True).passed == ("lost+found",)


def test_a_backup_that_lists_snapshots_stays_whole_and_restores(monkeypatch, tmp_path):
    monkeypatch.setattr(volume, "SNAPSHOTS", ())  # as the tool was that knew of none
    source, root, target = (tmp_path / name for name in ("source", "backup", "target"))
    for folder in (source, root, target):
        folder.mkdir()
    show_snapshots(source)
    file_storage.save(source, root, no_progress, 0)
    monkeypatch.undo()

    findings = list(comparison.compare(listed(root), root / layout.TREE, digests=True, workers=0))
    _, differing = file_storage.bring(lambda: seal.lines(root), root / layout.TREE, target, meter.Work(0), again=False)

    assert findings == []
    assert not differing
    assert (target / ".snapshot/hourly/old").read_bytes() == b"as it was"


def test_what_can_not_be_removed_is_named_with_the_reason(ordinary):
    (ordinary / "kept").mkdir()
    show_snapshots(ordinary / "kept", ".other")

    with refused(errors.NotRemovable, path=Holding("/kept/.other/hourly/old"), reason="Permission denied"):
        removal.empty(ordinary / "kept")

    assert (ordinary / "kept/.other/hourly/old").exists()
