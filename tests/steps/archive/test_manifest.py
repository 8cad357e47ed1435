import json

import pytest

from steps import errors
from steps.archive import layout, manifest
from steps.archive.manifest import Digest, Report
from steps.files import durability
from tests.builders.refusals import Holding, refused


def test_what_a_phase_reports_is_read_back(tmp_path):
    facts = Report(objects={"secrets/zync.json": Digest(size=3, sha256="ab" * 32)})

    with durability.durable(tmp_path) as disk:
        manifest.report(disk, "secrets", facts)

    assert manifest.reported(tmp_path, "secrets") == facts


def test_a_phase_that_has_left_no_report_has_none(tmp_path):
    assert manifest.reported(tmp_path, "secrets") is None


def test_a_damaged_report_is_told_by_its_place(tmp_path):
    layout.write(tmp_path, "reports/secrets.json", b'{"objects": {"canary": 1}}')

    with refused(errors.BackupDamaged, findings=["reports/secrets.json is not a valid report"]) as error:
        manifest.reported(tmp_path, "secrets")

    assert "canary" not in str(error.value)


def test_a_manifest_is_read_back_as_it_was_written(backup_volume):
    data = (backup_volume / layout.MANIFEST).read_bytes()

    found = manifest.parse(data)

    assert manifest.text(found) == data


def changed(backup_volume, **fields):
    facts = json.loads((backup_volume / layout.MANIFEST).read_bytes()) | fields
    return json.dumps(facts).encode()


def test_a_newer_schema_is_refused_by_its_number(backup_volume):
    with refused(errors.NotABackup, reason=Holding("schema version 2, this tool reads 1")):
        manifest.parse(changed(backup_volume, schema_version=2, new_field={}))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b'"text"'])
def test_what_is_no_json_object_is_a_damaged_manifest(data):
    with refused(errors.NotABackup, reason=Holding("manifest.json is damaged")):
        manifest.parse(data)


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"objects": 1}, "objects"), ({"extra": 1}, "extra"), ({"source": {}}, "source.apimanager")],
)
def test_a_manifest_of_another_form_is_refused_by_the_fields_names(backup_volume, fields, named):
    with refused(errors.NotABackup, reason=Holding(named)):
        manifest.parse(changed(backup_volume, **fields))


def test_the_manifest_tells_of_the_source_and_holds_no_value(backup_volume):
    facts = json.loads((backup_volume / layout.MANIFEST).read_bytes())

    assert facts["schema_version"] == 1
    assert facts["backup"] == "nightly"
    assert facts["source"]["namespace"] == "threescale"
    assert facts["source"]["threescale_version"] == "2.16.0"
    assert facts["source"]["file_storage"] == "PersistentVolumeClaim"
    assert facts["source"]["system_storage"]["capacity"] == "256Mi"
    assert "Available" in facts["source"]["ready"]["conditions"]
    assert facts["started"] <= facts["ended"]
    assert facts["started"].endswith("Z")
    assert {len(digest["sha256"]) for digest in facts["objects"].values()} == {64}
    assert len(facts["objects"]) == 24
    saved = (
        path for folder in (layout.SECRETS, layout.REFERENCED_SECRETS) for path in (backup_volume / folder).iterdir()
    )
    secrets = [json.loads(path.read_bytes()) for path in saved]
    text = json.dumps(facts)
    assert not [value for secret in secrets for value in secret["data"].values() if len(value) > 12 and value in text]


FACTS = {
    "schema_version": 1,
    "tool_version": "1",
    "backup": "b",
    "workflow": "w",
    "workflow_uid": "u",
    "started": "2026-01-02T03:04:05Z",
    "ended": "2026-01-02T03:04:05Z",
    "source": {"namespace": "n", "apimanager": "a", "apimanager_uid": "u"},
    "objects": {},
}
OF_NOTHING = {"size": 0, "sha256": "0" * 64}


@pytest.mark.parametrize("data", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000])
def test_a_manifest_that_no_reader_gets_through_is_damaged(data):
    with refused(errors.NotABackup, reason="its manifest.json is damaged"):
        manifest.parse(data.encode())


@pytest.mark.parametrize("version", [[1], "1\n", {"a": 1}])
def test_a_schema_version_that_is_no_number_is_none(version):
    with refused(errors.NotABackup, reason=Holding("has schema version None, this tool reads 1")):
        manifest.parse(json.dumps({"schema_version": version}).encode())


@pytest.mark.parametrize(
    "path", ["/etc/shadow", "../x", "secrets/../x", "secrets/a\nb.json", "secrets/a\0.json", "secrets//x", "x", ""]
)
def test_an_object_s_path_that_leads_anywhere_else_is_damage(path):
    with refused(errors.NotABackup, reason=Holding("its manifest.json is damaged (objects")):
        manifest.parse(json.dumps({**FACTS, "objects": {path: OF_NOTHING}}).encode())


@pytest.mark.parametrize("number", [-1, 1 << 63, 10**400])
def test_numbers_that_no_file_system_has_are_damage(number):
    tree = {"files": 0, "folders": 0, "links": 0, "size_bytes": number, "listing": OF_NOTHING}

    with refused(errors.NotABackup, reason="its manifest.json is damaged (file_storage.size_bytes)"):
        manifest.parse(json.dumps({**FACTS, "file_storage": tree}).encode())


def test_a_capacity_that_is_no_quantity_is_damage():
    source = {**FACTS["source"], "system_storage": {"capacity": "1e99999999"}}

    with refused(errors.NotABackup, reason=Holding("damaged (source.system_storage.capacity)")):
        manifest.parse(json.dumps({**FACTS, "source": source}).encode())


def test_an_unknown_field_is_told_by_the_start_of_its_name():
    with refused(errors.NotABackup, reason=Holding(f"({'x' * 60})")):
        manifest.parse(json.dumps({**FACTS, "x" * 9999: 1}).encode())


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, "[" * 900 + "]" * 900])
def test_what_is_nested_without_end_is_no_manifest_and_no_report(tmp_path, deep):
    layout.write(tmp_path, f"{layout.REPORTS}/secrets.json", deep.encode())

    with pytest.raises(errors.NotABackup):
        manifest.parse(deep.encode())
    with refused(errors.BackupDamaged, findings=["reports/secrets.json is not a valid report"]):
        manifest.reported(tmp_path, "secrets")


@pytest.mark.parametrize(
    "path", ["../x", "/x/y", "a//b", "a/../b", "a/./b", "./a/b", "a/", "a", "", "a/.b", "a/b\n", "a/b/"]
)
def test_a_path_that_leads_elsewhere_is_no_object_of_a_manifest(backup_volume, path):
    found = json.loads((backup_volume / layout.MANIFEST).read_bytes())
    found["objects"][path] = next(iter(found["objects"].values()))

    with refused(errors.NotABackup, reason=Holding("its manifest.json is damaged (objects")):
        manifest.parse(json.dumps(found).encode())


def test_a_placeholder_has_one_name_so_that_it_hides_no_file_from_a_restore(backup_volume):
    found = json.loads((backup_volume / layout.MANIFEST).read_bytes())
    found["file_storage"]["placeholder"] = "acme/logo.png"

    with refused(errors.NotABackup, reason=Holding("damaged (file_storage.placeholder)")):
        manifest.parse(json.dumps(found).encode())
