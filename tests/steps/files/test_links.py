"""A backup volume whose folders and files are links, FIFOs or endless: nothing is followed, and nothing waits."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from steps import errors
from steps.archive import begin_marker, contents, layout, listing, manifest, operators_restore
from steps.archive.manifest import Digest
from steps.files import durability, mtree, volume, writing
from steps.files.beneath import closed
from steps.parts import file_storage, objects
from tests.builders.refusals import Holding, refused

OWN_FILES = [layout.MANIFEST, layout.RESULT, layout.SUMS, layout.LISTING, "secrets/zync.json", layout.APIMANAGER]
ROOTS = [folder for folder in layout.FOLDERS if folder != layout.REPORTS]  # which a sealed backup may lack


def link(path, to):
    """Put a link in the place of a file or a folder, whose content goes elsewhere."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        shutil.move(path, to)
    path.symlink_to(to)


def fifo(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def in_time(act):
    """Do what must not wait, as nobody writes to a FIFO; return the failure."""
    failures = []

    def run():
        try:
            act()
        except errors.PhaseError as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    return failures[0] if failures else None


def verified(root):
    """What a look at all bytes of a backup finds."""
    found = []
    failure = in_time(lambda: found.extend(contents.open_at(root, "nightly").findings(digests=True)))
    return [str(failure)] if failure else found


@pytest.fixture
def operators(backup_volume):
    """A backup of the operator's form: nothing on it is this tool's."""
    for name in (layout.MANIFEST, layout.BEGIN, layout.SUMS, layout.RESULT, layout.LISTING):
        (backup_volume / name).unlink()
    return backup_volume


class TestAFileOfTheBackup:
    @pytest.mark.parametrize("path", OWN_FILES)
    @pytest.mark.parametrize(
        "harm", [fifo, lambda path: link(path, path.parents[2] / "elsewhere/x")], ids=["fifo", "link"]
    )
    def test_that_is_no_regular_file_is_damage_at_once(self, backup_volume, path, harm):
        harm(backup_volume / path)

        assert [finding for finding in verified(backup_volume) if f"{path} is not a regular file" in finding]

    @pytest.mark.parametrize("path", ["secrets/zync.json", layout.APIMANAGER])
    def test_is_judged_alike_in_one_that_the_operator_made(self, operators, path):
        fifo(operators / path)

        assert f"{path} is not a regular file" in verified(operators)

    def test_is_never_missing_while_a_broken_link_has_its_name(self, backup_volume):
        (backup_volume / layout.MANIFEST).unlink()
        (backup_volume / layout.MANIFEST).symlink_to("nowhere")

        with refused(errors.NotABackup, reason="its manifest.json is not a regular file"):
            contents.open_at(backup_volume)

    @pytest.mark.parametrize("harm", [fifo, lambda path: path.symlink_to("nowhere")], ids=["fifo", "link"])
    def test_a_marker_that_is_none_makes_the_volume_another_s(self, tmp_path, harm):
        harm(tmp_path / layout.BEGIN)

        with refused(errors.VolumeTaken, holder=Holding("begin.json that can't be read")):
            begin_marker.marker(tmp_path)

    def test_a_report_that_is_a_fifo_is_damage(self, tmp_path):
        (tmp_path / layout.REPORTS).mkdir()
        fifo(tmp_path / "reports/secrets.json")

        with refused(errors.BackupDamaged, findings=["reports/secrets.json is not a regular file"]):
            manifest.reported(tmp_path, "secrets")

    def test_reports_behind_a_link_are_none(self, tmp_path):
        root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
        layout.write(made(elsewhere), "secrets.json", b"{}")
        made(root)
        (root / layout.REPORTS).symlink_to(elsewhere)

        with refused(errors.BackupDamaged, findings=["reports is a link, not a folder"]):
            manifest.reported(root, "secrets")

    def test_a_listing_of_a_run_before_is_looked_up_in_no_fifo_and_through_no_link(self, tmp_path):
        fifo(tmp_path / "fifo")
        (tmp_path / "file").write_text("#mtree v2.0\n")
        (tmp_path / "link").symlink_to("file")

        for name in ("fifo", "link"):
            with pytest.raises(OSError, match="not a regular file"):
                mtree.find(tmp_path / name, "", ["a"])

    def test_a_volume_that_a_person_names_by_a_link_is_read(self, backup_volume, tmp_path):
        (tmp_path / "mine").symlink_to(backup_volume)

        assert verified(tmp_path / "mine") == []


def made(folder):
    folder.mkdir(exist_ok=True)
    return folder


class TestAFolderOfTheBackup:
    @pytest.mark.parametrize("folder", ROOTS)
    def test_that_is_a_link_is_damage(self, backup_volume, tmp_path, folder):
        link(backup_volume / folder, tmp_path / "elsewhere/folder")

        assert verified(backup_volume)[0] == f"{folder} is a link, not a folder"

    def test_that_is_a_file_is_damage(self, backup_volume):
        shutil.rmtree(backup_volume / layout.TREE)
        (backup_volume / layout.TREE).touch()

        assert verified(backup_volume) == [f"{layout.TREE} is a file, not a folder"]

    @pytest.mark.parametrize("folder", [layout.TREE, layout.SECRETS, layout.CONFIGMAPS])
    def test_that_is_a_link_is_damage_in_one_that_the_operator_made(self, operators, tmp_path, folder):
        link(operators / folder, tmp_path / "elsewhere/folder")

        assert verified(operators)[0] == f"{folder} is a link, not a folder"

    def test_the_tree_that_becomes_a_link_after_the_plan_is_not_restored(self, backup_volume, tmp_path):
        opened = contents.open_at(backup_volume)
        link(backup_volume / layout.TREE, tmp_path / "elsewhere/folder")

        with refused(errors.BackupDamaged, findings=Holding(f"{layout.TREE} is a link")):
            opened.check_listing()

    def test_a_link_to_a_tree_has_no_top_for_the_operator(self, operators, tmp_path):
        link(operators / layout.TREE, tmp_path / "elsewhere/folder")

        assert operators_restore.left_behind(contents.open_at(operators)) == []


class TestWriting:
    @pytest.fixture
    def outside(self, tmp_path):
        folder = tmp_path / "outside"
        folder.mkdir()
        (folder / "kept.json").write_text("kept")
        return folder

    @pytest.fixture
    def root(self, tmp_path):
        return made(tmp_path / "root")

    def writes(self, root):
        """All that writes to a folder of the volume, or removes from it."""
        digest = Digest(size=0, sha256="")
        with durability.durable(root) as disk:
            yield lambda: disk.commit("secrets/x.json", b"{}")
            yield lambda: layout.write(root, "secrets/x.json", b"{}")
            yield lambda: writing.make_folder(root, "secrets")
            yield lambda: writing.make_folder(root, "secrets/x")
            yield lambda: writing.clear(root, "secrets")
            yield lambda: objects.save(root, "secrets/x.json", {"metadata": {"name": str(digest)}})

    def test_goes_through_no_link_in_the_place_of_a_folder(self, root, outside):
        (root / "secrets").symlink_to(outside)

        for write in self.writes(root):
            with pytest.raises(errors.VolumeFailed):
                write()

        assert [path.name for path in outside.iterdir()] == ["kept.json"]

    def test_a_record_that_is_withdrawn_takes_nothing_behind_a_link(self, root, outside):
        with durability.durable(root) as disk:
            disk.commit("secrets/kept.json", b"{}")
            link(root / "secrets", outside / "moved")
            disk.withdraw()

        assert (outside / "moved/kept.json").read_bytes() == b"{}"

    def test_a_file_replaces_a_link_in_its_place(self, root, outside):
        (root / "file").symlink_to(outside / "kept.json")

        layout.write(root, "file", b"new")

        assert not (root / "file").is_symlink()
        assert (outside / "kept.json").read_text() == "kept"

    @pytest.mark.parametrize("name", [listing._PARTS[0], "system-filestorage-pvc/EMPTY-SYSTEM-FILESTORAGE"])
    @pytest.mark.parametrize("harm", ["link", "fifo"])
    def test_a_listing_or_placeholder_is_written_through_no_link_and_waits_at_no_fifo(
        self, root, outside, tmp_path, name, harm
    ):
        source = made(tmp_path / "source")
        writing.make_folder(root, layout.TREE)
        if harm == "link":
            (root / name).symlink_to(outside / "kept.json")
        else:
            fifo(root / name)

        failure = in_time(lambda: file_storage.save(source, root, lambda *_: None, workers=0))

        assert (outside / "kept.json").read_text() == "kept"
        assert isinstance(failure, errors.VolumeFailed) or not (root / name).is_symlink()

    def test_a_listing_that_is_a_link_is_none_of_a_run_before_and_is_replaced(self, root, outside, tmp_path):
        made(tmp_path / "source")
        (root / layout.LISTING).symlink_to(outside / "kept.json")

        file_storage.save(tmp_path / "source", root, lambda *_: None, workers=0)

        assert not (root / layout.LISTING).is_symlink()
        assert (outside / "kept.json").read_text() == "kept"


def nest(folder: Path, depth: int) -> None:
    """Make so many folders, each in the one before."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", 0o770, dir_fd=here)
        here, before = os.open("d", os.O_RDONLY, dir_fd=here), here
        os.close(before)
    os.close(here)


DEEP = 5000


@pytest.mark.thorough
class TestADeepTree:
    @pytest.fixture
    def deep(self, backup_volume):
        nest(backup_volume / layout.SECRETS, DEEP)
        yield backup_volume
        subprocess.run(["rm", "-r", backup_volume], check=True)  # noqa: S603, S607  pytest itself can't

    def test_of_5_000_nested_folders_is_walked_with_few_descriptors(self, deep):
        program = (
            "import pathlib, resource, sys\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
            "from steps.archive import contents, operators_restore\n"
            "opened = contents.open_at(pathlib.Path(sys.argv[1]))\n"
            "print(sum(1 for each in opened.findings(digests=False) if each.endswith('d is not in the manifest')))\n"
            "print(list(operators_restore.objections(opened)))\n"
        )
        done = subprocess.run(  # noqa: S603  our own words
            [sys.executable, "-c", program, str(deep)], capture_output=True, text=True, check=False
        )

        assert done.stderr == ""
        assert done.stdout.split() == [str(DEEP), "[]"]

    def test_a_folder_closed_to_the_group_is_found_at_its_bottom(self, backup_volume):
        folder = backup_volume / layout.SECRETS / "a/b/c"
        folder.mkdir(parents=True)
        folder.chmod(0o700)
        for above in (folder.parent, folder.parents[1]):
            above.chmod(0o770)

        assert list(operators_restore.objections(contents.open_at(backup_volume))) == [
            "'secrets/a/b/c' is not readable by its group"
        ]


class TestWhatCanNotBeLookedAt:
    @pytest.fixture
    def closed_secrets(self, backup_volume, monkeypatch):
        """A folder that refuses to be listed, which none does to root."""
        scandir = os.scandir

        def refuse(folder):
            if isinstance(folder, int) and Path(f"/proc/self/fd/{folder}").readlink().name == layout.SECRETS:
                raise PermissionError(13, "Permission denied")
            return scandir(folder)

        monkeypatch.setattr(os, "scandir", refuse)
        return contents.open_at(backup_volume)

    def test_is_a_finding_and_an_objection_and_never_passed_over(self, closed_secrets):
        found = list(closed_secrets.findings(digests=False))

        assert f"{layout.SECRETS} can not be read" in found
        assert "'secrets' can't be read" in list(operators_restore.objections(closed_secrets))

    def test_a_folder_of_objects_hides_nothing_under_the_name_that_trees_pass_over(self, backup_volume):
        (backup_volume / "secrets/lost+found").mkdir()

        assert verified(backup_volume) == ["secrets/lost+found is not in the manifest"]

    def test_is_not_called_missing(self, tmp_path):
        name = "a" * 300

        assert list(layout.folder_findings(tmp_path, [name])) == [f"{name} can not be read"]
        with pytest.raises(OSError, match="File name too long"):
            volume.is_there(tmp_path, name)

    def test_what_lies_behind_a_link_is_not_called_missing_either(self, tmp_path):
        (tmp_path / "secrets").symlink_to("nowhere")

        assert volume.is_there(tmp_path, "secrets/zync.json")
        assert not volume.is_there(tmp_path, "configmaps/zync.json")

    def test_a_fifo_with_a_reader_is_not_written_to(self, tmp_path):
        os.mkfifo(tmp_path / "fifo")
        reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)

        with closed(reader), pytest.raises(OSError, match="not a regular file"):
            writing.opened_to_write(tmp_path, "fifo")
