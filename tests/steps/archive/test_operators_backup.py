"""A backup that the operator made: without a manifest, its objects and its tree tell what can be told."""

import json
import os
import shutil
import tarfile

import pytest

from steps import errors
from steps.archive import contents, layout
from steps.archive.manifest import Ready, SystemStorage
from steps.contract.restore_contract import AskedStorage
from steps.files import mtree, scanning, tally
from steps.kubernetes import kinds
from steps.parts import file_storage, secrets, system_storage
from steps.parts.conflicts import Target
from steps.threescale import installation
from tests.builders import operators_backup
from tests.builders.operators_backup import GENUINE
from tests.builders.refusals import Holding, refused


def metadata(name):
    """As an older client leaves them in the operator's files."""
    return {
        "name": name,
        "managedFields": [{"manager": "manager", "operation": "Update"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        "finalizers": ["foregroundDeletion"],
    }


@pytest.fixture
def operators(tmp_path):
    """A backup as an operator of some years ago left it."""
    root = tmp_path / "by-hand"
    for name in installation.SECRETS:
        data = dict.fromkeys(installation.REQUIRED_KEYS.get(name, ("KEY",)), "dg==")
        obj = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata(name), "data": data, "type": "Opaque"}
        put(root, f"secrets/{name}.json", obj)
    for name in installation.CONFIGMAPS:
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name), "data": {"KEY": "1"}}
        put(root, f"configmaps/{name}.json", obj)
    put(root, "apimanager/apimanager-backup.json", apimanager())
    (root / layout.TREE / "acme").mkdir(parents=True)
    (root / layout.TREE / "acme/logo.png").write_bytes(b"png")
    (root / "lost+found").mkdir()
    return root


def apimanager(**spec):
    annotations = {"apps.3scale.net/apimanager-threescale-version": "2.13"}
    return {
        "apiVersion": "apps.3scale.net/v1alpha1",
        "kind": "APIManager",
        "metadata": metadata("example") | {"annotations": annotations},
        "spec": {"wildcardDomain": "example.test", **spec},
    }


def put(root, path, obj):
    operators_backup.put(root, path, operators_backup.printed_by_python_2(obj))


class TestOfTheOperator:
    def test_it_opens_without_a_manifest_under_its_claim_s_name(self, operators):
        opened = contents.open_at(operators, "claim-of-it")

        assert opened.manifest is None
        assert opened.name == "claim-of-it"
        assert opened.threescale_version == "2.13"
        assert (opened.system_storage, opened.ready) == (SystemStorage(), Ready())
        assert (opened.counts.entries, opened.size_bytes) == (2, 3)
        entries = mtree.parse(opened.lines())
        assert [(entry.path, entry.digest) for entry in entries] == [("acme", ""), ("acme/logo.png", "")]
        assert list(opened.findings(digests=True)) == []
        opened.check_listing()

    def test_without_a_claim_it_is_called_as_its_folder(self, operators):
        assert contents.open_at(operators).name == "by-hand"

    def test_its_objects_come_back_without_what_the_operator_left_in_them(self, operators, empty):
        opened = contents.open_at(operators)

        secrets.restore(Target(empty.connect(), set(), opened.mark), opened, last_try=False)

        created = empty.get("secrets", "zync")
        assert set(created["data"].values()) == {"dg=="}
        assert created["metadata"]["annotations"] == opened.mark.annotations()
        assert "finalizers" not in created["metadata"]

    def test_its_tree_comes_back(self, operators, empty, tmp_path):
        opened = contents.open_at(operators)
        door = empty.connect()
        door.create(kinds.CLAIM, system_storage.wanted(opened, AskedStorage()))
        (tmp_path / "target").mkdir()

        file_storage.restore(door, opened, tmp_path / "target", lambda *_: None)

        assert (tmp_path / "target/acme/logo.png").read_bytes() == b"png"

    def test_zync_may_be_absent_where_zync_is_disabled(self, operators):
        (operators / "secrets/zync.json").unlink()
        enabled = list(contents.open_at(operators).findings(digests=False))
        put(operators, layout.APIMANAGER, apimanager(zync={"enabled": False}))

        assert enabled == ["secrets/zync.json is missing"]
        assert list(contents.open_at(operators).findings(digests=False)) == []
        assert "zync" not in [obj["metadata"]["name"] for obj in secrets.to_restore(contents.open_at(operators))]

    @pytest.mark.parametrize("path", ["secrets/zync.json", "configmaps/system-environment.json", layout.APIMANAGER])
    def test_a_file_of_0_bytes_is_an_aborted_backup(self, operators, path):
        (operators / path).write_bytes(b"")

        findings = list(contents.open_at(operators).findings(digests=False))

        assert findings == [f"{path} has 0 bytes: the backup was aborted"]

    def test_a_missing_object_is_a_finding(self, operators):
        (operators / "secrets/system-memcache.json").unlink()

        assert list(contents.open_at(operators).findings(digests=False)) == ["secrets/system-memcache.json is missing"]

    def test_a_missing_tree_is_a_finding(self, operators):
        shutil.rmtree(operators / layout.TREE)

        assert list(contents.open_at(operators).findings(digests=False)) == [f"{layout.TREE} is missing"]

    def test_an_empty_tree_is_none(self, operators):
        shutil.rmtree(operators / layout.TREE)
        (operators / layout.TREE).mkdir()

        assert list(contents.open_at(operators).findings(digests=False)) == []

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what another user can't read")
    def test_what_another_user_may_not_read_is_told(self, operators):
        (operators / layout.TREE / "acme").chmod(0o700)
        (operators / "secrets/zync.json").chmod(0o600)
        folders = [operators, *operators.parents]
        modes = {folder: folder.stat().st_mode for folder in folders if str(folder) not in {"/", "/tmp"}}
        for folder in modes:
            folder.chmod(0o755)
        os.seteuid(1000740000)
        try:
            with refused(errors.ReadFailed, paths=["secrets/zync.json"], reason="Permission denied"):
                contents.open_at(operators)
            os.seteuid(0)
            (operators / "secrets/zync.json").chmod(0o644)
            os.seteuid(1000740000)
            findings = list(contents.open_at(operators).findings(digests=False))
        finally:
            os.seteuid(0)
            for folder, mode in modes.items():
                folder.chmod(mode)

        assert findings == [f"{layout.TREE}: 'acme' can't be read"]

    def test_its_mark_is_a_digest_over_its_object_files(self, operators):
        before, when = contents.open_at(operators).mark, (operators / layout.APIMANAGER).stat()

        put(operators, layout.APIMANAGER, apimanager(more=True))
        os.utime(operators / layout.APIMANAGER, ns=(when.st_atime_ns, when.st_mtime_ns))

        assert contents.open_at(operators).mark != before

    def test_two_of_one_installation_are_told_apart_by_their_time(self, operators):
        before, when = contents.open_at(operators).mark, (operators / layout.APIMANAGER).stat().st_mtime

        os.utime(operators / layout.APIMANAGER, (when, int(when)))  # as an archive keeps it

        assert contents.open_at(operators).mark == before

        os.utime(operators / layout.APIMANAGER, (when, when + 24 * 3600))  # the next night's, of the same objects

        assert contents.open_at(operators).mark != before

    @pytest.mark.lesson(1)
    def test_an_entry_of_its_tree_that_can_not_be_listed_is_left_out_by_nobody(self, operators, monkeypatch):
        # A mock of the walk, because as root everything can be read.
        monkeypatch.setattr(scanning, "scan", lambda *_, **__: iter([tally.Lost("acme", tally.Why.UNREADABLE)]))

        with refused(errors.ReadFailed, paths=Holding("acme")):
            list(contents.open_at(operators).lines())

    @pytest.mark.lesson(1)
    def test_an_entry_of_its_tree_that_vanishes_is_damage(self, operators, monkeypatch):
        # A mock of the walk, because nothing can be told to happen amid it.
        monkeypatch.setattr(scanning, "scan", lambda *_, **__: iter([tally.Lost("acme", tally.Why.VANISHED)]))

        with refused(errors.BackupDamaged, findings=Holding("1 entries of system-filestorage-pvc vanished")):
            list(contents.open_at(operators).lines())

    def test_a_version_that_it_does_not_record_is_empty(self, operators):
        without = apimanager()
        without["metadata"]["annotations"] = None
        put(operators, layout.APIMANAGER, without)

        assert contents.open_at(operators).threescale_version == ""


@pytest.mark.skipif(not GENUINE.exists(), reason="no backup of a real operator is beside this checkout")
class TestGenuine:
    @pytest.fixture
    def genuine(self, tmp_path):
        with tarfile.open(GENUINE) as archive:
            archive.extractall(tmp_path / "genuine", filter="data")
        return tmp_path / "genuine"

    def test_a_real_operator_s_backup_opens_whole(self, genuine):
        opened = contents.open_at(genuine, "first-backup")

        assert opened.manifest is None
        assert opened.threescale_version == "2.16"
        assert list(opened.findings(digests=True)) == []
        assert len(secrets.to_restore(opened)) == 9
        assert opened.counts.entries > 80

    def test_our_files_of_its_objects_have_its_form(self, genuine):
        for path in [*(genuine / "secrets").iterdir(), *(genuine / "configmaps").iterdir()]:
            data = path.read_bytes()

            assert layout.as_json(json.loads(data)) == data
