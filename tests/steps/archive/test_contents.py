"""A backup on a volume is opened, and what is judged of it is what is read."""

import json
import os
import shutil

import pytest

from steps import errors
from steps.archive import contents, layout
from steps.files import mtree
from steps.kubernetes.kinds import SECRET
from steps.parts import secrets
from tests.builders import operators_backup, phases
from tests.builders.refusals import Holding, refused
from workflows.rehearsal import comparison
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects


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
        with refused(errors.NotABackup, reason=Holding("there is no folder")):
            contents.open_at(tmp_path / "gone")

    def test_an_empty_one(self, tmp_path):
        with refused(errors.NotABackup, reason=Holding("it has 0 other entries")):
            contents.open_at(tmp_path)

    def test_strange_data(self, tmp_path):
        (tmp_path / "holiday.jpg").touch()

        with refused(errors.NotABackup, reason=Holding("it has 1 other entries")):
            contents.open_at(tmp_path)

    def test_one_that_was_begun_and_never_sealed(self, backup_volume):
        (backup_volume / layout.MANIFEST).unlink()

        with refused(errors.NotABackup, reason=Holding("begun and not finished")):
            contents.open_at(backup_volume)

    def test_one_whose_manifest_is_damaged(self, backup_volume):
        (backup_volume / layout.MANIFEST).write_bytes(b"{")

        with refused(errors.NotABackup, reason=Holding("damaged")):
            contents.open_at(backup_volume)

    def test_one_whose_manifest_is_no_file(self, backup_volume):
        (backup_volume / layout.MANIFEST).unlink()
        (backup_volume / layout.MANIFEST).mkdir()

        with refused(errors.NotABackup, reason="its manifest.json is not a regular file"):
            contents.open_at(backup_volume)


class TestRead:
    def test_a_damaged_object_is_refused_when_it_is_read(self, backup_volume):
        opened = contents.open_at(backup_volume)
        (backup_volume / "secrets/zync.json").write_bytes(b"{}")

        with refused(errors.BackupDamaged, findings=Holding("secrets/zync.json")):
            secrets.to_restore(opened)

    def test_a_missing_object_is_refused_when_it_is_read(self, backup_volume):
        opened = contents.open_at(backup_volume)
        (backup_volume / "secrets/zync.json").unlink()

        with refused(errors.BackupDamaged, findings=["secrets/zync.json is missing"]):
            secrets.to_restore(opened)

    def test_an_object_that_the_manifest_does_not_know_is_never_read(self, backup_volume):
        shutil.copy(backup_volume / "secrets/zync.json", backup_volume / "secrets/other.json")
        opened = contents.open_at(backup_volume)

        assert opened.objects("secrets", ["other"]) == []
        with refused(errors.BackupDamaged, findings=["secrets/other.json is not in the manifest"]):
            opened.read("secrets/other.json")


def test_the_digest_of_a_backup_changes_with_its_manifest(backup_volume):
    before = contents.open_at(backup_volume).digest
    path = backup_volume / layout.MANIFEST
    path.write_bytes(path.read_bytes() + b"\n")

    assert contents.open_at(backup_volume).digest != before


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

        with refused(errors.BackupDamaged, findings=Holding("has different content than when the backup was opened")):
            opened.objects(layout.SECRETS, ["system-seed"])

    def test_an_object_that_comes_after_it_was_opened_is_not_read(self, tmp_path):
        root = operators_backup.make(tmp_path / "by-operator")
        path = root / layout.SECRETS / "system-seed.json"
        data = path.read_bytes()
        path.unlink()
        opened = contents.open_at(root)
        path.write_bytes(data)

        with refused(errors.BackupDamaged, findings=Holding("was not there when the backup was opened")):
            opened.objects(layout.SECRETS, ["system-seed"])

    def test_a_listing_that_is_swapped_after_it_was_judged_is_refused_at_its_end(self, backup_volume):
        opened = contents.open_at(backup_volume)
        opened.check_listing()
        listing = backup_volume / layout.LISTING
        listing.write_bytes(listing.read_bytes().replace(b"sha256digest=0", b"sha256digest=1", 1))

        with refused(errors.BackupDamaged, findings=Holding(f"{layout.LISTING} has different content")):
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
