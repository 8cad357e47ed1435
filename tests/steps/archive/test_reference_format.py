"""The reference of a backup's format: the page, and the schema of its manifest."""

import json
import os
import shutil
import subprocess

import jsonschema
import pytest

from steps.archive import layout, manifest
from steps.contract import names
from steps.parts import objects
from steps.threescale import installation
from tests.builders.reference import REFERENCE, code, made_by, recorded, table
from tests.builders.schemas import as_lines, schema_of

LIES = {
    layout.MANIFEST: "The seal: source, versions, what was ready, and size and SHA-256 of each object file.",
    layout.RESULT: "The evidence of the run. Its digest is in the manifest.",
    layout.SUMS: "The SHA-256 of each object file, of `result.json` and of the listing, for `sha256sum`.",
    layout.LISTING: "The listing of System's files, in BSD mtree: kind, mode, owner, time. "
    "A file also has its size and SHA-256, and a link its target. "
    "The tag `names:N` says that a file had N names (hard links).",
    f"{layout.SECRETS}/": "Secrets that the operator saves too, `NAME.json` each.",
    f"{layout.CONFIGMAPS}/": "ConfigMaps that the operator saves too, `NAME.json` each.",
    layout.APIMANAGER: "The APIManager. The file has this name for any APIManager.",
    f"{layout.TREE}/": "System's files.",
    f"{layout.REFERENCED_SECRETS}/": "Other Secrets. The operator's restore ignores them.",
    f"{layout.REFERENCED_CONFIGMAPS}/": "Other ConfigMaps. The operator's restore ignores them.",
    layout.BEGIN: "The workflow to which the volume belongs. It is the first file of a backup.",
    f"{layout.REPORTS}/": "The results of each phase, for the seal.",
}
# Files that a backup of an installation in S3 lacks.
OF_FILES = (layout.LISTING, f"{layout.TREE}/")
LEFT_OUT = (
    *(f"{code(f'metadata.{name}')}" for name in objects._DROPPED),
    f"the annotation {code(installation.LAST_APPLIED)}",
    f"labels whose name begins with {code(installation.WATCHED_SECRET_PREFIX)}",
    f"annotations whose name begins with {code(names.PREFIX)}",
    "the status",
)
CHECKS = (
    "sha256sum -c SHA256SUMS",
    "mtree -C -k type,size,link,time,sha256 -f system-filestorage.mtree | mtree -p system-filestorage-pvc",
)


def page_of_format():
    yield from ("# Format of a backup", "")
    yield "A backup is a claim with these files. A claim without `manifest.json` holds no finished backup."
    yield "The layout is the one of the operator's APIManagerBackup, so its APIManagerRestore can read the backup."
    yield made_by("tests/steps/archive/test_reference_format.py")
    yield from ("", "## Files", "")
    yield from table("Path", "Content", rows=((code(path), content) for path, content in LIES.items()))
    yield from ("", f"If System's files are in S3, {' and '.join(map(code, OF_FILES))} are missing.")
    yield f"If System's files are in a claim but none is visible, the tree has an empty file `{manifest.PLACEHOLDER}`."
    yield "The operator's restore needs a visible entry there."
    yield from ("", "## Objects", "", "An object file is JSON, with an indent of 4 and sorted keys.")
    yield from ("Secrets are base64 and not encrypted. Fields without a known meaning are kept.", "")
    yield from ("These parts of an object are removed:", "", *(f"- {each}" for each in LEFT_OUT), "")
    yield f"An object file, the manifest and a report have at most {layout._LARGEST_OBJECT_BYTES >> 20} MiB each."
    yield "A larger file is damage."
    yield from ("", "## Check a backup without this tool", "")
    yield "These commands need only `sha256sum` and NetBSD's `mtree` (package `mtree-netbsd` on Debian)."
    yield "The listing also records mode, uid and gid of the source. A copy may have others, so they are not compared."
    yield from ("", *(f"    {each}" for each in CHECKS), "")
    yield "The first command checks the objects, the evidence and the listing. The second checks System's files."
    yield "With this tool, `threescale-backup verify DIR` checks all of this, and the form of each object."
    yield from ("", "## Schemas", "")
    yield "The schemas are JSON Schema, draft 2020-12."
    yield "The number `version` of a schema is the `schema_version` of the files for which it holds."
    yield from ("This tool refuses a file with another version.", "")
    yield "- [manifest.schema.json](manifest.schema.json), for `manifest.json`"
    yield "- [result.schema.json](result.schema.json), for `result.json` and for the entries of the result ConfigMaps"
    yield "  ([result](result.md) explains the fields)"
    yield from ("", "A reader must accept a field that is missing, if the schema does not require it.")


def test_the_page_of_the_format_is_as_the_code_says():
    page, made = recorded("format.md", page_of_format())

    assert page == made


def test_the_schema_of_the_manifest_is_as_the_model_says():
    schema = schema_of(manifest.Manifest, "manifest.json of a backup", manifest.SCHEMA_VERSION)
    page, made = recorded("manifest.schema.json", as_lines(schema))

    assert page == made


def test_a_sealed_manifest_is_valid_by_its_schema(backup_volume):
    schema = json.loads((REFERENCE / "manifest.schema.json").read_text())
    sealed = json.loads(layout.read(backup_volume, layout.MANIFEST))

    jsonschema.Draft202012Validator(schema).validate(sealed)
    assert sealed["schema_version"] == schema["version"]
    with pytest.raises(jsonschema.ValidationError, match="extra"):
        jsonschema.Draft202012Validator(schema).validate({**sealed, "extra": 1})


def test_a_sealed_backup_has_no_other_files(backup_volume):
    told = {path.partition("/")[0] for path in LIES}

    assert set(os.listdir(backup_volume)) == told
    assert all((backup_volume / path).exists() for path in LIES if not path.startswith(layout.REFERENCED))
    assert {folder for folder in layout.FOLDERS if not any(path.startswith(folder) for path in LIES)} == set()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.split()[0])
def test_the_commands_of_the_page_find_a_sealed_backup_whole(backup_volume, check):
    if shutil.which(check.split()[0]) is None:
        pytest.skip(f"there is no {check.split()[0]} on this machine")

    judged = subprocess.run(check, cwd=backup_volume, shell=True, capture_output=True, text=True, check=False)  # noqa: S602  as a person types it

    assert judged.returncode == 0, judged.stdout + judged.stderr
