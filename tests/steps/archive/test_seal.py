import json
import multiprocessing
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from steps import errors
from steps.archive import contents, layout, manifest, seal
from steps.archive.begin_marker import Begin
from steps.files import comparison, durability, mtree, reading, volume, writing
from steps.files.beneath import closed
from tests.builders import operators_backup
from tests.builders.refusals import Holding, refused

BEGIN = Begin(backup="nightly", workflow="backup-1", workflow_uid="uid-1")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def close(root, **more):
    with durability.durable(root) as disk:
        return seal.close(disk, tool_version="1.0", begin=BEGIN, started=NOW, ended=NOW, record=record, **more)


def record(facts, reports):
    """A record that says little, to be sealed."""
    return f"{facts.backup}: {', '.join(phase for phase, report in reports.items() if report)}\n"


@pytest.fixture
def unsealed(backup_volume):
    """A backup whose phases have all reported."""
    for name in (layout.MANIFEST, layout.SUMS, layout.RESULT):
        (backup_volume / name).unlink()
    return backup_volume


def test_what_is_sealed_opens_and_is_whole(unsealed):
    sealed = close(unsealed)
    facts = sealed.manifest

    opened = contents.open_at(unsealed)

    assert opened.manifest == sealed.manifest
    assert opened.digest == sealed.digest
    assert list(opened.findings(digests=True)) == []
    assert (facts.backup, facts.workflow, facts.workflow_uid) == ("nightly", "backup-1", "uid-1")
    assert (facts.started, facts.ended) == (NOW, NOW)


def test_a_manifest_of_a_try_before_is_confirmed_and_keeps_its_bytes(unsealed):
    first = close(unsealed)
    written = (unsealed / layout.MANIFEST).read_bytes()

    again = close(unsealed)

    assert again == first
    assert (unsealed / layout.MANIFEST).read_bytes() == written


def flip_file(root):
    path = root / layout.TREE / "acme/2026/terms and conditions.pdf"
    path.write_bytes(path.read_bytes()[::-1])


def test_the_result_record_is_sealed_with_the_rest(unsealed):
    (unsealed / layout.RESULT).write_bytes(b"of a try that did not come to the manifest")

    sealed = close(unsealed)

    with closed(volume.opened(unsealed, layout.RESULT)) as record:
        size, sha256 = reading.digest(record)
    assert (unsealed / layout.RESULT).read_text() == "nightly: secrets, configmaps, apimanager, file-storage\n"
    assert (sealed.manifest.result.size, sealed.manifest.result.sha256) == (size, sha256)
    assert f"{sha256}  {layout.RESULT}\n" in (unsealed / layout.SUMS).read_text()


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        (lambda path: path.unlink(), "result.json is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "result.json has "),
        (lambda path: path.write_bytes(path.read_bytes()[::-1]), "result.json has different content than the manifest"),
        (lambda path: (path.unlink(), path.mkdir()), "result.json is not a regular file"),
    ],
    ids=["missing", "shortened", "changed", "a folder"],
)
def test_a_damaged_result_record_is_a_finding(backup_volume, harm, finding):
    harm(backup_volume / layout.RESULT)

    (found,) = contents.open_at(backup_volume).findings(digests=False)

    assert found.startswith(finding)


def test_a_backup_of_before_result_records_is_whole(backup_volume):
    facts = json.loads((backup_volume / layout.MANIFEST).read_bytes())
    del facts["result"]
    (backup_volume / layout.MANIFEST).write_bytes(layout.as_json(facts))
    (backup_volume / layout.RESULT).unlink()
    sums = (backup_volume / layout.SUMS).read_text().splitlines(keepends=True)
    (backup_volume / layout.SUMS).write_text("".join(line for line in sums if not line.endswith("result.json\n")))

    opened = contents.open_at(backup_volume)

    assert list(opened.findings(digests=True)) == []
    assert manifest.text(opened.manifest) == (backup_volume / layout.MANIFEST).read_bytes()


@pytest.mark.parametrize("phase", manifest.PHASES)
def test_a_phase_that_has_not_reported_is_named(unsealed, phase):
    (unsealed / f"reports/{phase}.json").unlink()

    with refused(errors.PhasesMissing, phases=[phase]):
        close(unsealed)

    assert not (unsealed / layout.MANIFEST).exists()


def test_a_database_that_was_to_be_copied_and_has_no_report_is_named(unsealed):
    with refused(errors.PhasesMissing, phases=["system-redis"]):
        close(unsealed, databases=["system-redis"])


def flip_secret(root):
    path = root / "secrets/zync.json"
    path.write_bytes(path.read_bytes().replace(b"Secret", b"Sacred"))


def truncate_secret(root):
    path = root / "secrets/zync.json"
    path.write_bytes(path.read_bytes()[:-1])


def empty_secret(root):
    (root / "secrets/zync.json").write_bytes(b"")


def remove_configmap(root):
    (root / "configmaps/system-environment.json").unlink()


def add_secret(root):
    shutil.copy(root / "secrets/zync.json", root / "secrets/more.json")


def add_beside_the_apimanager(root):
    (root / "apimanager/other.json").write_bytes(b"{}")


def flip_listing(root):
    path = root / layout.LISTING
    path.write_bytes(path.read_bytes().replace(b"mode=0", b"mode=1", 1))


def remove_listing(root):
    (root / layout.LISTING).unlink()


def listing_to_folder(root):
    remove_listing(root)
    (root / layout.LISTING).mkdir()


def shorten_listing(root):
    path = root / layout.LISTING
    path.write_bytes(path.read_bytes()[:-1])


def remove_file(root):
    (root / layout.TREE / ".hidden-top").unlink()


def lengthen_file(root):
    (root / layout.TREE / ".hidden-top").write_bytes(b"hidden, and more\n")


def add_file(root):
    (root / layout.TREE / "stranger").touch()


def remove_tree(root):
    shutil.rmtree(root / layout.TREE)


DAMAGES = [
    (flip_secret, "secrets/zync.json has different content than the manifest"),
    (truncate_secret, "secrets/zync.json has "),
    (empty_secret, "secrets/zync.json has 0 bytes instead of "),
    (remove_configmap, "configmaps/system-environment.json is missing"),
    (add_secret, "secrets/more.json is not in the manifest"),
    (add_beside_the_apimanager, "apimanager/other.json is not in the manifest"),
    (flip_listing, "system-filestorage.mtree has different content than the manifest"),
    (remove_listing, "system-filestorage.mtree is missing"),
    (listing_to_folder, "system-filestorage.mtree is not a regular file"),
    (shorten_listing, "system-filestorage.mtree has "),
    (remove_file, "system-filestorage-pvc: '.hidden-top' is missing"),
    (lengthen_file, "system-filestorage-pvc: '.hidden-top' has 17 bytes instead of 7"),
    (add_file, "system-filestorage-pvc: 'stranger' is not listed"),
    (remove_tree, "system-filestorage-pvc: '.hidden-top' is missing"),
]
damages = pytest.mark.parametrize(("damage", "finding"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])


@damages
@pytest.mark.lesson(3)
def test_every_damage_of_a_sealed_backup_is_a_finding(backup_volume, damage, finding):
    damage(backup_volume)

    findings = list(contents.open_at(backup_volume).findings(digests=False))

    assert any(found.startswith(finding) for found in findings)


@damages
@pytest.mark.lesson(1)
def test_no_damaged_volume_is_sealed(unsealed, damage, finding):
    damage(unsealed)

    with pytest.raises(errors.BackupDamaged) as error:
        close(unsealed)

    assert finding in str(error.value) or "finding(s)" in str(error.value)
    assert not (unsealed / layout.MANIFEST).exists()
    assert not (unsealed / layout.SUMS).exists()
    assert not (unsealed / layout.RESULT).exists()


def edited(root, **changes):
    path = root / layout.MANIFEST
    path.write_bytes(layout.as_json({**json.loads(path.read_bytes()), **changes}))


PLANTED = {
    "of another backup": (lambda root: edited(root, backup="another"), "differs from the reports of the phases"),
    "of another workflow": (lambda root: edited(root, workflow_uid="uid-2"), "differs from the reports"),
    "of other objects": (lambda root: edited(root, objects={}), "differs from the reports"),
    "of the year 9999": (lambda root: edited(root, ended="9999-01-01T00:00:00Z"), "ended at 9999-01-01"),
    "of another form": (lambda root: edited(root, schema_version=2), "schema version 2"),
    "without a record": (lambda root: edited(root, result=None), "has no digest of result.json"),
    "of a version that moves the cursor": (lambda root: edited(root, tool_version="1\x1b[2K"), "tool_version"),
    "none": (lambda root: (root / layout.MANIFEST).write_bytes(b"{"), "manifest.json is damaged"),
    "a folder": (lambda root: ((root / layout.MANIFEST).unlink(), (root / layout.MANIFEST).mkdir()), "not a regular"),
    "over a changed file": (flip_file, "terms and conditions.pdf' has different content"),
    "over a changed Secret": (flip_secret, "secrets/zync.json"),
    "without its sums": (lambda root: (root / layout.SUMS).unlink(), "SHA256SUMS is missing"),
    "beside a stranger": (lambda root: (root / "stranger").touch(), "stranger at the root"),
}


@pytest.mark.parametrize(("plant", "finding"), PLANTED.values(), ids=PLANTED)
def test_a_manifest_that_no_seal_has_written_is_not_believed(unsealed, plant, finding):
    close(unsealed)
    plant(unsealed)

    with refused(errors.BackupDamaged, findings=Holding(finding)):
        close(unsealed)


def test_a_flipped_byte_in_the_tree_is_found_when_every_byte_is_read(backup_volume):
    (backup_volume / layout.TREE / ".hidden-top").write_bytes(b"hiddem\n")
    opened = contents.open_at(backup_volume)

    assert list(opened.findings(digests=False)) == []
    assert list(opened.findings(digests=True)) == [
        "system-filestorage-pvc: '.hidden-top' has different content than the listing"
    ]


def test_a_listing_with_other_counts_than_were_found_is_not_sealed(unsealed):
    report = manifest.reported(unsealed, "file-storage")
    facts = report.file_storage.model_copy(update={"files": report.file_storage.files + 1})
    with durability.durable(unsealed) as disk:
        manifest.report(disk, "file-storage", report.model_copy(update={"file_storage": facts}))

    with refused(errors.BackupDamaged, findings=Holding("has different counts than the source had")):
        close(unsealed)


@pytest.mark.lesson(24)
def test_what_the_apimanager_names_and_no_phase_has_saved_is_not_sealed(unsealed):
    path = "referenced/secrets/my-policy.json"
    report = json.loads((unsealed / "reports/secrets.json").read_bytes())
    del report["objects"][path]
    (unsealed / "reports/secrets.json").write_bytes(layout.as_json(report))
    (unsealed / path).unlink()

    with pytest.raises(errors.BackupDamaged) as error:
        close(unsealed)

    field = "productionSpec.customPolicies[0].secretRef.name"
    assert f"{path} was not saved, the APIManager names it only since then (spec.apicast.{field})" in str(error.value)
    assert not (unsealed / layout.MANIFEST).exists()


def test_a_backup_of_an_installation_that_names_nothing_is_sealed(unsealed):
    apimanager = json.loads((unsealed / layout.APIMANAGER).read_bytes())
    apimanager["spec"] = {"wildcardDomain": "apps.example.test"}
    (unsealed / layout.APIMANAGER).write_bytes(layout.as_json(apimanager))
    for phase in ("secrets", "configmaps", "apimanager"):
        report = json.loads((unsealed / f"reports/{phase}.json").read_bytes())
        objects = {path: digest for path, digest in report["objects"].items() if not path.startswith("referenced/")}
        with closed(volume.opened(unsealed, layout.APIMANAGER)) as file:
            size, sha256 = reading.digest(file)
        report["objects"] = {
            path: {"size": size, "sha256": sha256} if path == layout.APIMANAGER else digest
            for path, digest in objects.items()
        }
        (unsealed / f"reports/{phase}.json").write_bytes(layout.as_json(report))
    for folder in (layout.REFERENCED_SECRETS, layout.REFERENCED_CONFIGMAPS):
        writing.clear(unsealed, folder)

    assert len(close(unsealed).manifest.objects) == 16


@pytest.mark.parametrize(
    "stranger", ["referenced/secrets/more.json", "referenced/configmaps/more.json", "referenced/x"]
)
def test_a_stranger_beside_the_references_is_a_finding(backup_volume, stranger):
    (backup_volume / stranger).write_bytes(b"{}")

    assert list(contents.open_at(backup_volume).findings(digests=False)) == [f"{stranger} is not in the manifest"]


def test_a_stranger_at_the_root_is_not_sealed(unsealed):
    (unsealed / "holiday.jpg").touch()

    with refused(errors.BackupDamaged, findings=Holding("holiday.jpg at the root is not part of a backup")):
        close(unsealed)


def test_lost_and_found_at_the_root_is_sealed(unsealed):
    (unsealed / "lost+found").mkdir()

    assert close(unsealed).manifest.backup == "nightly"


@pytest.mark.parametrize("data", [None, b"", b"other\n"])
def test_sums_that_are_not_the_manifest_s_are_a_finding(backup_volume, data):
    (backup_volume / layout.SUMS).unlink()
    if data is not None:
        (backup_volume / layout.SUMS).write_bytes(data)

    findings = list(contents.open_at(backup_volume).findings(digests=False))

    assert findings == ["SHA256SUMS is missing or differs from the manifest"]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum on this machine")
class TestSha256sum:
    @staticmethod
    def judge(root):
        command = ["sha256sum", "-c", "--strict", layout.SUMS]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603  the system's own

    def test_the_sha256sum_of_the_system_finds_a_sealed_backup_whole(self, backup_volume):
        judged = self.judge(backup_volume)

        assert judged.returncode == 0, judged.stderr
        assert len(judged.stdout.splitlines()) == 26

    @pytest.mark.parametrize(
        "damage", [flip_secret, flip_listing, remove_configmap], ids=lambda damage: damage.__name__
    )
    def test_the_sha256sum_of_the_system_finds_a_damage(self, backup_volume, damage):
        damage(backup_volume)

        assert self.judge(backup_volume).returncode != 0


OF_A_FOLDER = b"type=dir mode=0755 uid=0 gid=0 time=1.000000000"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b". type=dir\n", b". type=dir\nx\n"),
        (b". type=dir\n", b". type=dir\n./\xe9 type=dir mode=0755 uid=0 gid=0 time=1.000000000\n"),
        (b". type=dir\n", b". type=dir\n./a\\000b type=dir mode=0755 uid=0 gid=0 time=1.000000000\n"),
        (b". type=dir\n", b". type=dir\n./a type=dir mode=0755 uid=4294967295 gid=0 time=1.000000000\n"),
        (b". type=dir\n", b". type=dir\n./a type=dir mode=0755 uid=0 gid=0 time=9999999999999999999.000000000\n"),
        (b". type=dir\n", b". type=dir\n./a type=link mode=0777 uid=0 gid=0 time=1.000000000 link=\n"),
        (b". type=dir\n", b". type=dir\n./a type=file mode=0640 uid=0 gid=0 time=1.000000000 size=1 sha256digest=\n"),
        (b". type=dir\n", b". type=dir\n./a type=file mode=0640 uid=0 gid=0 time=1.000000000\n"),
    ],
)
def test_a_line_of_the_listing_that_no_tree_has_is_damage_though_its_digest_fits(backup_volume, before, after):
    listing = backup_volume / layout.LISTING
    listing.write_bytes(listing.read_bytes().replace(before, after, 1))

    with refused(errors.BackupDamaged, findings=["system-filestorage.mtree has a line that can't be read"]):
        list(seal.listed(backup_volume))


@pytest.mark.parametrize(
    "path",
    [
        *(b"./../x", b".//x", b"./a//b", b"./a/./b", b"./a/../b", b"./a/", b"./..", b"./.", b"./"),
        *(b"./\\056\\056/x", b"./\\057x", b"./a/\\056"),
    ],
)
def test_a_path_of_the_listing_that_leads_elsewhere_is_damage_though_its_digest_fits(backup_volume, path):
    listing = backup_volume / layout.LISTING
    line = path + b" " + OF_A_FOLDER
    listing.write_bytes(listing.read_bytes().replace(b". type=dir\n", b". type=dir\n" + line + b"\n", 1))

    with refused(errors.BackupDamaged, findings=["system-filestorage.mtree has a line that can't be read"]):
        list(seal.listed(backup_volume))


@pytest.mark.parametrize("path", ["./.a", "./...", "./a./.b", "./a\\040b/..c", "./a\\056"])
def test_names_with_dots_are_names_as_others(path):
    mtree.check(f"{path} {OF_A_FOLDER.decode()}\n")


def test_a_line_without_end_is_not_read_into_memory(backup_volume):
    with (backup_volume / layout.LISTING).open("r+b") as stream:
        stream.truncate(4 << 30)

    with refused(errors.BackupDamaged, findings=Holding("has a line that can't be read")):
        list(seal.listed(backup_volume))


@pytest.mark.parametrize("name", [layout.LISTING, layout.RESULT, layout.SUMS])
def test_a_file_of_another_size_is_damage_by_its_size(backup_volume, name):
    with (backup_volume / name).open("r+b") as stream:
        stream.truncate(400 << 30)

    (finding,) = contents.open_at(backup_volume).findings(digests=False)

    assert finding.startswith(name)


def test_a_manifest_larger_than_any_is_no_backup(backup_volume):
    with (backup_volume / layout.MANIFEST).open("r+b") as stream:
        stream.truncate(4 << 30)

    with refused(errors.NotABackup, reason=Holding("its manifest.json has more than 16 MiB")):
        contents.open_at(backup_volume)


def test_a_listing_that_fails_in_the_middle_leaves_no_process_that_waits(backup_volume):
    listing = backup_volume / layout.LISTING
    listing.write_bytes(listing.read_bytes().replace(b". type=dir\n", b". type=dir\nx\n", 1))

    with pytest.raises(errors.BackupDamaged) as kept:  # with its frames, as at the end of a phase
        list(comparison.compare(seal.listed(backup_volume), backup_volume / layout.TREE, digests=True, workers=2))

    assert (kept.type, multiprocessing.active_children()) == (errors.BackupDamaged, [])


def test_a_listing_that_is_swapped_after_it_was_judged_is_damage_where_it_is_used(backup_volume):
    facts = contents.open_at(backup_volume).manifest.file_storage
    path = backup_volume / layout.LISTING
    looks = seal.findings(backup_volume, contents.open_at(backup_volume).manifest, digests=False)
    judged = next(looks, None)
    path.write_bytes(path.read_bytes().replace(b"mode=06", b"mode=07", 1))

    with refused(errors.BackupDamaged, findings=Holding("has different content than the manifest")):
        list(seal.listed(backup_volume, facts.listing))
    assert judged is None


def test_a_stranger_beside_what_the_operator_has_made_is_named_too(tmp_path):
    root = operators_backup.make(tmp_path / "claim")
    (root / "begin.txt").write_text("mine")
    (root / "lost+found").mkdir()

    assert contents.open_at(root).strangers == ["begin.txt"]
