"""The evidence of whole workflows: what is in it, what is not, and that its page can be read."""

import hashlib
import json

import pytest

from steps.archive import layout
from steps.contract import names
from steps.contract.names import RESTORE_RESULTS
from steps.evidence import result
from tests.builders.records import check_page, digests_of_secrets, entry

BACKUP_PHASES = ["prepare", "secrets", "configmaps", "apimanager", "file-storage", "seal"]
RESTORE_PHASES = ["check", "prepare", "file-storage", "secrets", "configmaps", "apimanager", "routes"]


def began_and_ended(text) -> bool:
    told = result.parse(text)
    return told.ended is not None and told.began <= told.ended


def test_a_backup_s_record_names_every_object_who_when_and_how_long(sealed):
    text = (sealed.folder / layout.RESULT).read_text()
    record = json.loads(text)
    manifest = json.loads((sealed.folder / layout.MANIFEST).read_bytes())

    names = {(line["kind"], line["name"]) for line in record["objects"]}
    kinds = {"secrets": "Secret", "configmaps": "ConfigMap", "apimanager": "APIManager"}
    parts = [(path.split("/")[-2], path.split("/")[-1].removesuffix(".json")) for path in manifest["objects"]]
    named = {(kinds[folder], "example-apimanager" if folder == "apimanager" else name) for folder, name in parts}
    assert names == named
    assert len(record["objects"]) == len(manifest["objects"]) == record["counts"]["saved"] == 24
    assert {line["done"] for line in record["objects"]} == {"saved"}
    assert (record["operation"], record["outcome"], record["backup"]) == ("backup", "succeeded", "nightly")
    assert record["service_account"] == "threescale-backup"
    assert (record["workflow"], record["workflow_uid"]) == (sealed.workflow.name, sealed.workflow.uid)
    assert sorted(phase["phase"] for phase in record["phases"]) == sorted(BACKUP_PHASES)
    told = result.parse(text)
    assert told.began == told.phases[0].began
    assert all(told.began <= phase.began <= told.ended for phase in told.phases)
    assert record["counts"]["bytes"] == manifest["file_storage"]["size_bytes"]
    assert "Backup nightly" in check_page(text)


@pytest.mark.lesson(20)
def test_a_backup_s_record_holds_no_digest_of_a_secret(sealed):
    text = (sealed.folder / layout.RESULT).read_text()
    wanted = digests_of_secrets(sealed.folder)

    assert [digest for digest in wanted if digest in text] == []
    assert [digest for digest in wanted if digest in (sealed.folder / layout.MANIFEST).read_text()] != []


@pytest.fixture
def ten_before(lost):
    """A namespace in which ten restores have left their entries."""
    who = {"service_account": "sa", "namespace": lost.namespace, "claim": "nightly", "tool_version": "1"}
    records = [
        result.Result(operation="restore", workflow=f"w-{day}", workflow_uid=str(day), began=began(day), **who)
        for day in range(1, 11)
    ]
    data = {f"{record.workflow}.json": result.text(record) for record in records}
    metadata = {"name": names.RESTORE_RESULTS, "namespace": lost.namespace}
    lost.kubernetes.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    return lost


def began(day) -> str:
    return f"2026-01-{day:02}T00:00:00Z"


@pytest.mark.thorough
def test_a_restore_leaves_an_entry_and_the_eleventh_pushes_out_the_first(ten_before, sealed):
    workflow = ten_before.restore("nightly", database_secrets="expect")

    record, text = entry(ten_before, workflow)
    keys = set(ten_before.get("configmaps", names.RESTORE_RESULTS)["data"])
    assert workflow.phase == "Succeeded", workflow.message
    assert keys == {*(f"w-{day}.json" for day in range(2, 11)), f"{workflow.name}.json"}
    assert (record["operation"], record["outcome"], record["backup"]) == ("restore", "succeeded", "nightly")
    assert (record["service_account"], record["workflow_uid"]) == ("threescale-restore", workflow.uid)
    assert sorted(phase["phase"] for phase in record["phases"]) == sorted(RESTORE_PHASES)
    assert record["counts"] == {"created": 21, "files": 43, "folders": 46, "links": 2, "bytes": 190509}
    assert {(line["kind"], line["name"]) for line in record["objects"]} >= {
        ("PersistentVolumeClaim", "system-storage"),
        ("Secret", "zync"),
        ("ConfigMap", "system"),
        ("APIManager", "example-apimanager"),
    }
    assert [digest for digest in digests_of_secrets(sealed.folder) if digest in text] == []
    assert record["manifest_sha256"] == hashlib.sha256((sealed.folder / layout.MANIFEST).read_bytes()).hexdigest()
    assert "Restore nightly" in check_page(text)


@pytest.mark.thorough
def test_a_restore_that_fails_leaves_its_phase_its_sentence_and_the_advice(lost):
    tree = lost.engine.volume("nightly") / layout.TREE
    harmed = tree / "acme/2026/terms and conditions.pdf"
    harmed.write_bytes(harmed.read_bytes()[::-1])

    workflow = lost.restore("nightly")

    record, text = entry(lost, workflow)
    (failure,) = record["failures"]
    assert (workflow.phase, record["outcome"]) == ("Failed", "failed")
    assert (failure["phase"], failure["code"]) == ("file-storage", "backup-damaged")
    assert "acme/2026/terms and conditions.pdf" in failure["facts"]["findings"][0]
    assert "submit the same restore again" in record["advice"]
    assert [phase["phase"] for phase in record["phases"]] == ["check", "prepare"]
    assert began_and_ended(text)
    told = check_page(text)
    assert told.index("has different content than the listing") < told.index("What to do next")


@pytest.mark.thorough
def test_a_refused_restore_leaves_an_entry_though_nothing_else_was_written(lost):
    lost.kubernetes.clear_requests()
    workflow = lost.restore("mistyped")

    record, text = entry(lost, workflow)
    assert (record["outcome"], record["claim"], record["backup"]) == ("failed", "mistyped", "")
    assert {name: record["failures"][0][name] for name in ("phase", "code", "facts")} == {
        "phase": "check",
        "code": "claim-missing",
        "facts": {"name": "mistyped", "namespace": "threescale", "others": ["nightly"]},
    }
    assert began_and_ended(text)
    assert [request.name for request in lost.kubernetes.writes()] == [names.RESTORE_RESULTS]


@pytest.mark.thorough
def test_a_backup_that_fails_leaves_its_phase_its_sentence_and_the_advice(empty):
    workflow = empty.backup()

    record, text = entry(empty, workflow, names.BACKUP_RESULTS)
    assert (record["operation"], record["outcome"], record["claim"]) == ("backup", "failed", workflow.name)
    assert record["service_account"] == "threescale-backup"
    assert record["failures"][0]["phase"] == "prepare"
    assert (record["failures"][0]["code"], record["failures"][0]["facts"]) == (
        "no-api-manager",
        {"namespace": "threescale"},
    )
    assert record["advice"].startswith("No finished backup was made.")
    assert "What to do next" in check_page(text)


def test_a_restore_whose_evidence_can_not_be_written_is_as_good(lost):
    role = lost.kubernetes.get("roles", lost.namespace, "threescale-restore")
    for rule in role["rules"]:
        names = rule.get("resourceNames", [])
        rule["resourceNames"] = [name for name in names if name != RESTORE_RESULTS]
        if not rule["resourceNames"]:
            del rule["resourceNames"]
        if names == [RESTORE_RESULTS]:
            rule["verbs"] = []
    lost.kubernetes.apply(role)

    workflow = lost.engine.submit("threescale-restore", {"claim-name": "nightly"}, entrypoint="prepare")

    assert workflow.phase == "Succeeded"
    assert "ConfigMap threescale-restore-results: record not written" in workflow.nodes[0].log
    assert lost.get("configmaps", RESTORE_RESULTS) is None
