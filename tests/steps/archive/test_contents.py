import json
import os
import shutil
import tarfile

import pytest

from steps import errors
from steps.archive import contents, layout
from steps.archive.manifest import Ready, SystemStorage
from steps.files import mtree, scanning, tally
from steps.kubernetes import kinds
from steps.kubernetes.kinds import SECRET
from steps.parts import file_storage, secrets, system_storage
from steps.parts.system_storage import AskedStorage
from steps.threescale import installation
from tests.builders import operators_backup, phases
from tests.builders.operators_backup import GENUINE
from workflows.rehearsal import comparison
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects


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


def test_a_sealed_backup_opens_as_what_it_is(backup_volume, sealed):
    opened = contents.open_at(backup_volume)

    assert opened.name == opened.mark.backup == sealed.name
    assert opened.digest == sealed.claim["metadata"]["annotations"]["threescale-backup/manifest-sha256"]
    assert opened.threescale_version == "2.16"
    assert opened.apimanager["metadata"]["name"] == "example-apimanager"
    assert opened.system_storage.capacity == "256Mi"
    assert "Available" in opened.ready.conditions
    assert opened.counts.entries == len(list(mtree.parse(opened.lines())))
    assert opened.size_bytes == sum(entry.size for entry in mtree.parse(opened.lines()))
    assert list(opened.findings(digests=True)) == []


class TestRefused:
    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(errors.NotABackup, match="there is no folder"):
            contents.open_at(tmp_path / "gone")

    def test_an_empty_one(self, tmp_path):
        with pytest.raises(errors.NotABackup, match=r"no manifest\.json and no apimanager/.* but 0 other entries"):
            contents.open_at(tmp_path)

    def test_strange_data(self, tmp_path):
        (tmp_path / "holiday.jpg").touch()

        with pytest.raises(errors.NotABackup, match="but 1 other entries"):
            contents.open_at(tmp_path)

    def test_one_that_was_begun_and_never_sealed(self, backup_volume):
        (backup_volume / layout.MANIFEST).unlink()

        with pytest.raises(errors.NotABackup, match="begun and never sealed"):
            contents.open_at(backup_volume)

    def test_one_whose_manifest_is_damaged(self, backup_volume):
        (backup_volume / layout.MANIFEST).write_bytes(b"{")

        with pytest.raises(errors.NotABackup, match="damaged"):
            contents.open_at(backup_volume)

    def test_one_whose_manifest_is_no_file(self, backup_volume):
        (backup_volume / layout.MANIFEST).unlink()
        (backup_volume / layout.MANIFEST).mkdir()

        with pytest.raises(errors.NotABackup, match=r"its manifest\.json is not a regular file"):
            contents.open_at(backup_volume)


class TestRead:
    def test_a_damaged_object_is_refused_when_it_is_read(self, backup_volume):
        opened = contents.open_at(backup_volume)
        (backup_volume / "secrets/zync.json").write_bytes(b"{}")

        with pytest.raises(errors.BackupDamaged, match=r"secrets/zync\.json"):
            secrets.to_restore(opened)

    def test_a_missing_object_is_refused_when_it_is_read(self, backup_volume):
        opened = contents.open_at(backup_volume)
        (backup_volume / "secrets/zync.json").unlink()

        with pytest.raises(errors.BackupDamaged, match=r"secrets/zync\.json is missing"):
            secrets.to_restore(opened)

    def test_an_object_that_the_manifest_does_not_know_is_never_read(self, backup_volume):
        shutil.copy(backup_volume / "secrets/zync.json", backup_volume / "secrets/other.json")
        opened = contents.open_at(backup_volume)

        assert opened.objects("secrets", ["other"]) == []
        with pytest.raises(errors.BackupDamaged, match=r"secrets/other\.json is not in the manifest"):
            opened.read("secrets/other.json")


def test_the_digest_of_a_backup_changes_with_its_manifest(backup_volume):
    before = contents.open_at(backup_volume).digest
    path = backup_volume / layout.MANIFEST
    path.write_bytes(path.read_bytes() + b"\n")

    assert contents.open_at(backup_volume).digest != before


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

        secrets.restore(empty.connect(), opened, set(), opened.mark, last_try=False)

        created = empty.get("secrets", "zync")
        assert set(created["data"].values()) == {"dg=="}
        assert created["metadata"]["annotations"] == opened.mark.annotations()
        assert "finalizers" not in created["metadata"]

    def test_its_tree_comes_back(self, operators, empty, tmp_path):
        opened = contents.open_at(operators)
        door = empty.connect()
        door.create(kinds.CLAIM, system_storage.wanted(opened, AskedStorage("", "", "")))
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
            with pytest.raises(errors.ReadFailed, match=r"Permission denied.*zync\.json"):
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

        with pytest.raises(errors.ReadFailed, match=r"1 could not be read .*: acme"):
            list(contents.open_at(operators).lines())

    @pytest.mark.lesson(1)
    def test_an_entry_of_its_tree_that_vanishes_is_damage(self, operators, monkeypatch):
        # A mock of the walk, because nothing can be told to happen amid it.
        monkeypatch.setattr(scanning, "scan", lambda *_, **__: iter([tally.Lost("acme", tally.Why.VANISHED)]))

        with pytest.raises(errors.BackupDamaged, match=r"1 entries of .* vanished"):
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


def without(root, *parts):
    """Make a backup what one of before was that knew no such parts."""
    facts = json.loads((root / layout.MANIFEST).read_bytes())
    facts["objects"] = {path: digest for path, digest in facts["objects"].items() if not path.startswith(parts)}
    facts = {name: fact for name, fact in facts.items() if name != "result" or layout.RESULT not in parts}
    (root / layout.MANIFEST).write_bytes(layout.as_json(facts))
    sums = (root / layout.SUMS).read_text().splitlines(keepends=True)
    (root / layout.SUMS).write_text("".join(line for line in sums if not line.partition("  ")[2].startswith(parts)))
    for part in parts:
        shutil.rmtree(root / part) if (root / part).is_dir() else (root / part).unlink()


@pytest.mark.lesson(24)
def test_a_backup_of_before_references_were_followed_is_whole_and_holds_none(backup_volume):
    without(backup_volume, layout.REFERENCED)

    opened = contents.open_at(backup_volume)

    assert list(opened.findings(digests=True)) == []
    assert [obj["metadata"]["name"] for obj in opened.referenced(SECRET)] == []
    assert not any(opened.holds(each) for each in opened.named)
    assert "external" not in json.loads((backup_volume / layout.MANIFEST).read_bytes())["source"]


@pytest.mark.lesson(24)
@pytest.mark.parametrize(
    ("parts", "lacking"),
    [
        pytest.param((layout.RESULT,), {}, id="before results"),
        pytest.param(
            (layout.RESULT, layout.REFERENCED),
            {"ConfigMaps": ["configmaps/backend-environment", "configmaps/system"]},  # the operator makes them anew
            id="before references",
        ),
    ],
)
def test_a_backup_of_before_is_restored_with_all_that_it_holds(installed, backup_volume, parts, lacking):
    before = comparison.look(installed.kubernetes, installed.namespace, installed.storage)
    without(backup_volume, *parts)
    installed.lose()
    threescale.give_database_secrets(installed.kubernetes, installed.namespace)
    for secret in threescale.sample_secrets(installed.namespace) if layout.REFERENCED in parts else ():
        if secret["metadata"]["name"] in threescale_objects.REFERENCED_SECRETS:
            installed.kubernetes.apply(secret)  # as their administrator does
    installed.claim(backup_volume.name)

    phases.restore(installed, backup_volume)

    after = comparison.look(installed.kubernetes, installed.namespace, installed.storage)
    assert {row.what: row.differences for row in comparison.compare(before, after) if row.differences} == lacking


class TestWhatIsJudgedIsUsed:
    def test_an_object_of_the_operator_that_changes_after_it_was_opened_is_not_read(self, tmp_path):
        root = operators_backup.make(tmp_path / "by-operator")
        opened = contents.open_at(root)
        path = f"{layout.SECRETS}/system-seed.json"
        (root / path).write_bytes((root / path).read_bytes().replace(b"system-seed", b"system-deed"))

        with pytest.raises(errors.BackupDamaged, match="has other bytes than when the backup was opened"):
            opened.objects(layout.SECRETS, ["system-seed"])

    def test_an_object_that_comes_after_it_was_opened_is_not_read(self, tmp_path):
        root = operators_backup.make(tmp_path / "by-operator")
        path = root / layout.SECRETS / "system-seed.json"
        data = path.read_bytes()
        path.unlink()
        opened = contents.open_at(root)
        path.write_bytes(data)

        with pytest.raises(errors.BackupDamaged, match="was not there when the backup was opened"):
            opened.objects(layout.SECRETS, ["system-seed"])

    def test_a_listing_that_is_swapped_after_it_was_judged_is_refused_at_its_end(self, backup_volume):
        opened = contents.open_at(backup_volume)
        opened.check_listing()
        listing = backup_volume / layout.LISTING
        listing.write_bytes(listing.read_bytes().replace(b"sha256digest=0", b"sha256digest=1", 1))

        with pytest.raises(errors.BackupDamaged, match=f"{layout.LISTING} has other bytes than the manifest says"):
            list(opened.lines())

    def test_the_tree_of_the_operator_is_known_by_names_sizes_and_whole_seconds(self, tmp_path):
        root = operators_backup.make(tmp_path / "by-operator")
        found = next(path for path in sorted((root / layout.TREE).rglob("*")) if path.is_file())
        before, times = contents.open_at(root).tree_digest, found.stat()
        found.chmod(0o600)
        os.utime(found, ns=(0, times.st_mtime_ns // 10**9 * 10**9 + 1))

        assert contents.open_at(root).tree_digest == before

        os.utime(found, ns=(0, times.st_mtime_ns + 10**9))

        assert contents.open_at(root).tree_digest != before

    @pytest.mark.parametrize("told", [True, False])
    def test_the_tree_of_the_operator_must_stay_what_it_was_to_the_end_of_its_reading(self, tmp_path, told):
        root = operators_backup.make(tmp_path / "by-operator")
        opened = contents.open_at(root)
        bound = opened.bound(opened.tree_digest if told else "")
        assert list(bound.lines()) == list(opened.lines())
        (root / layout.TREE / "more").write_text("more")

        with pytest.raises(errors.TreeChanged):
            list(bound.lines())
        with pytest.raises(errors.TreeChanged):
            contents.open_at(root).bound(opened.tree_digest)
