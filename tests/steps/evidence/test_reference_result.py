"""The reference of a result record: the page, and the published schema."""

import json
from typing import get_args

import jsonschema
import pytest

from steps.archive import layout
from steps.contract import names
from steps.evidence import result
from tests.builders.reference import REFERENCE, code, made_by, recorded, table
from tests.builders.schemas import as_lines, schema_of

FIELDS = {
    "schema_version": "`1`.",
    "tool": "The program that wrote the record.",
    "tool_version": "Its version.",
    "operation": "The operation: `backup`, `restore`, `drill` or another one.",
    "outcome": "How the run ended. `refused`: the arguments of a person's own run were refused before any change. "
    "`running`: the run has not ended, or it ended in a way that nobody could record.",
    "service_account": "The account that the run used.",
    "workflow": "The workflow.",
    "workflow_uid": "The uid of the workflow.",
    "namespace": "The namespace of the run.",
    "claim": "The claim of the backup.",
    "backup": "The name under which the backup was made.",
    "manifest_sha256": "The SHA-256 of the manifest of a backup that was restored, as on its claim.",
    "apimanager": "The APIManager that was saved or restored.",
    "threescale_version": "The version of 3scale.",
    "file_storage": "Where System's files are: a claim, or a bucket in S3.",
    "began": "The time at which the run began, in UTC.",
    "ended": "The time at which the run ended, in UTC. It is null while the run is not finished.",
    "phases": "The phases that succeeded. Each has `phase`, `began`, `duration_s`, `counts` and sometimes `notes`. "
    "The notes tell which files vanished or grew, which were left out, and which properties the volume did not keep.",
    "counts": "The sums over all phases.",
    "objects": "A line for each object, with `kind`, `name`, `done` and `how`. "
    "`how` has the keys that differ, or the claim with the replaced object.",
    "cut": "How many of these lines were left out, because the ConfigMap had no room.",
    "failures": "The phases that failed. Each has `phase` and `sentence`, and if they are known `code` and `facts`.",
    "held_back": "The reasons why a pod did not start.",
    "advice": "The next step for a person.",
    "snapshots": "The copies of the backup as `REPOSITORY/ID`. Only a notification has them, because the record on the "
    "volume is sealed before.",
}
DONE = {
    result.SAVED: "The object was saved to a backup.",
    result.CREATED: "The object was created.",
    result.REPLACED: "The object was replaced.",
    result.KEPT: "The object was there already and stayed. It was the same, or `on-conflict=keep` was given.",
    result.UNTOUCHED: "The object was not compared. A restore of the same backup had made the APIManager before.",
    result.TRIED: "The server accepted the object in a dry run.",
}
COUNTS = {
    "saved`, `created`, `kept`, `replaced`, `untouched`, `tried": "Objects.",
    "files`, `folders`, `links`, `bytes": "System's files.",
    "vanished`, `special": "Files that were not copied: they vanished, or they are sockets, FIFOs or devices.",
    "set_aside`, `files_set_aside`, `bytes_set_aside": "Objects, files and bytes saved before they were replaced.",
}


def page_of_result():
    yield from ("# Result record", "", made_by("tests/steps/evidence/test_reference_result.py"), "")
    yield "Every backup, restore and drill leaves a record of itself. A plan leaves none."
    yield "The record names objects. It has no values and no digest of an object, as a short value could be guessed."
    yield from ("The schema is [result.schema.json](result.schema.json).", "")
    places = [
        ("a backup", "`result.json` in the backup, sealed with it"),
        ("a restore", f"ConfigMap `{names.RESTORE_RESULTS}`"),
        ("a drill", f"ConfigMap `{names.DRILL_RESULTS}`"),
        ("a backup that failed", f"ConfigMap `{names.BACKUP_RESULTS}`, until `argo retry` seals the backup"),
    ]
    yield from table("Record of", "Place", rows=places)
    yield from (
        "",
        "A ConfigMap has an entry `WORKFLOW.json` for each workflow: the ten newest, at most 900 KiB together.",
    )
    yield "If there is no room, the oldest entry loses its object lines first. `cut` then says how many."
    yield "An entry that this version cannot read stays while there is room."
    yield "A restore succeeds even if its record cannot be written. The log then says why."
    yield "A person who may change the ConfigMap can change the record. Keep a copy elsewhere if this matters."
    yield from ("", "## Fields", "")
    yield from table("Field", "Meaning", rows=((code(name), sentence) for name, sentence in FIELDS.items()))
    yield from ("", "A phase's time is that of the try that succeeded, from the start of its process.")
    yield "The exit handler adds `failures`, `held_back` and `advice`. They are removed when the run succeeds later."
    yield from ("", "## What was done to an object", "")
    yield from table("`done`", "Meaning", rows=((code(name), sentence) for name, sentence in DONE.items()))
    yield from ("", "## Counts", "")
    yield from table("Count", "Meaning", rows=((code(name), sentence) for name, sentence in COUNTS.items()))


def test_the_page_of_the_result_is_as_the_code_says():
    page, made = recorded("result.md", page_of_result())

    assert page == made


def test_every_field_of_a_record_has_a_sentence():
    assert FIELDS.keys() == result.Result.model_fields.keys()
    assert DONE.keys() == set(get_args(result.Done))


def validate(record):
    schema = json.loads((REFERENCE / "result.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(record)
    assert record["schema_version"] == schema["version"]


def test_the_schema_of_the_result_is_as_the_model_says():
    schema = schema_of(result.Result, "Result record of a backup, a restore or a drill", result.SCHEMA_VERSION)
    page, made = recorded("result.schema.json", as_lines(schema))

    assert page == made


def test_the_result_of_a_sealed_backup_is_valid_by_its_schema(backup_volume):
    record = json.loads(layout.read(backup_volume, layout.RESULT))

    validate(record)
    with pytest.raises(jsonschema.ValidationError, match="extra"):
        validate({**record, "extra": 1})


def test_the_result_of_a_run_that_failed_is_valid_by_its_schema(backup_volume):
    begun = result.parse(layout.read(backup_volume, layout.RESULT))
    failure = result.Failure(phase="secrets", sentence="no", code="not-allowed", facts={"place": "here"})

    validate(json.loads(result.text(begun.failed([failure], ["no node"], "try again"))))
    validate(json.loads(result.text(begun.model_copy(update={"ended": None}))))
