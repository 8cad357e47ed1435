"""A rehearsal that can't fail proves nothing: each phase is broken in turn, and the rehearsal has to see it.

A broken phase is the rendered one with one function of `steps` replaced. Those that tell nobody are broken together, as
each has a line of its own in what the rehearsal finds; those that end the workflow have a rehearsal each.
"""

import pytest

from workflows.manifests import render
from workflows.rehearsal import comparison
from workflows.rehearsal.rehearse import SETTINGS, rehearse

BACKUP = "threescale-backup"
RESTORE = "threescale-restore"


def broken(*breaks):
    """Render the manifests with the Python of each break run before its phase; a failure costs no pause."""
    manifests = render(SETTINGS)
    for manifest in manifests:
        if manifest["kind"] == "WorkflowTemplate":
            for parameter in manifest["spec"]["arguments"]["parameters"]:
                if parameter["name"] == "wait-minutes":
                    parameter["value"] = "0.02"
            for template in manifest["spec"]["templates"]:
                template.get("retryStrategy", {}).pop("backoff", None)
    for workflow, phase, code in breaks:
        _template(manifests, workflow, phase)["container"]["command"] = [
            "python",
            "-c",
            f"{code}\nfrom steps.__main__ import main\nmain()",
        ]
    return manifests


def _template(manifests, workflow, phase):
    (found,) = [
        template
        for manifest in manifests
        if manifest["kind"] == "WorkflowTemplate" and manifest["metadata"]["name"] == workflow
        for template in manifest["spec"]["templates"]
        if template["name"] == phase
    ]
    return found


def rows(result):
    return {row.what: row.differences for row in result.rows}


def silent(_line):
    """Tell nobody."""


# --- what no phase notices ---

LEAVE_ONE_OUT = """
from steps.threescale import installation
installation.SECRETS = tuple(name for name in installation.SECRETS if name != "system-smtp")
from steps.phases import backup
backup._all_planned = lambda saved, *_: saved
"""
LEAVE_OUT_A_CONFIGMAP = """
from steps.threescale import installation
installation.CONFIGMAPS = ("apicast-environment",)
from steps.phases import backup
backup._all_planned = lambda saved, *_: saved
"""
LOSE_AN_UNKNOWN_FIELD = """
from steps.parts import objects
clean = objects.clean
def without(obj):
    kept = clean(obj)
    kept["spec"]["system"]["appSpec"].pop("notYetInvented")
    return kept
objects.clean = without
"""
COPY_WITHOUT_DOT_FILES_MODES_AND_TIMES = """
from steps.files import directory, mtree
look, line = directory.leaves, mtree.line
def without(folder, path, *passed_over):
    return [leaf for leaf in look(folder, path, *passed_over) if not leaf.name.startswith(".")]
def rounded(entry):
    mode = 0o600 if entry.path.endswith("-rf") else entry.mode
    time = entry.mtime_ns // 10**9 * 10**9 if entry.kind == "link" else entry.mtime_ns
    return line(entry._replace(mode=mode, mtime_ns=time))
directory.leaves, mtree.line = without, rounded
"""
RESTORE_ONE_LESS = """
from steps.parts import secrets
to_restore = secrets.to_restore
secrets.to_restore = lambda backup: [obj for obj in to_restore(backup) if obj["metadata"]["name"] != "zync"]
"""
RESTORE_NO_CONFIGMAP = """
from steps.parts import configmaps
configmaps.to_restore = lambda backup: []
"""
SEE_NOTHING = """
from steps.plans import prerequisites
prerequisites.check_still_there = lambda *_: None
"""
ZERO_A_FILE_AND_SKIP_A_MODE = """
import os
from steps.files import copy_back
settle_made, settle_folder = copy_back._Back._settle_made, copy_back._Back.settle_folder
def zeroed(self, descriptor, there, entry, mode):
    if entry.path.endswith("conditions.pdf"):
        os.pwrite(descriptor, bytes(entry.size), 0)
    settle_made(self, descriptor, there, entry, mode)
def unsettled(self, folder, there=None):
    settle_folder(self, folder, there)
    if folder.path == "empty-dir" and there is not None:
        os.fchmod(there, 0o700)
copy_back._Back._settle_made, copy_back._Back.settle_folder = zeroed, unsettled
"""


@pytest.mark.thorough
def test_a_rehearsal_whose_phases_hardly_do_what_they_should_and_succeed_is_found_out_in_each(tmp_path):
    manifests = broken(
        (BACKUP, "secrets", LEAVE_ONE_OUT),
        (BACKUP, "configmaps", LEAVE_OUT_A_CONFIGMAP),
        (BACKUP, "apimanager", LOSE_AN_UNKNOWN_FIELD),
        (BACKUP, "file-storage", COPY_WITHOUT_DOT_FILES_MODES_AND_TIMES),
        (RESTORE, "secrets", RESTORE_ONE_LESS),
        (RESTORE, "configmaps", RESTORE_NO_CONFIGMAP),
        (RESTORE, "file-storage", ZERO_A_FILE_AND_SKIP_A_MODE),
        (RESTORE, "apimanager", SEE_NOTHING),
    )

    poor = rehearse(tmp_path, silent, manifests=manifests)

    assert [workflow.phase for workflow in poor.workflows] == ["Succeeded", "Succeeded"]
    assert not poor.equal
    assert {what: differences for what, differences in rows(poor).items() if differences} == {
        "Secrets": ["secrets/system-smtp", "secrets/zync"],
        "ConfigMaps": [
            "configmaps/apicast-environment",
            "configmaps/backend-environment",
            "configmaps/system",
            "configmaps/system-environment",
        ],
        "APIManager": ["apimanagers/example-apimanager"],
        "Files": [
            "'.hidden-top' is missing",
            "'acme/.keep' is missing",
            "'acme/2026/-rf': mode",
            "'acme/2026/terms and conditions.pdf': content",
        ],
        "Folders": ["'empty-dir': mode"],
        "Links": ["'acme/current': mtime_ns", "'acme/gone': mtime_ns"],
    }


# --- what ends a workflow ---

MAKE_NO_BACKUP_CLAIM = """
from steps.catalogue import backup_claims
backup_claims.create_backup = lambda *_: None
"""
ZERO_A_FILE = """
from pathlib import Path
from steps.archive import manifest
report = manifest.report
def zero(disk, phase, facts):
    report(disk, phase, facts)
    path = Path(disk.root, "system-filestorage-pvc/acme/2026/terms and conditions.pdf")
    path.write_bytes(bytes(path.stat().st_size))
manifest.report = zero
"""
WRITE_NO_MANIFEST = """
from steps.archive import seal
seal.close = lambda *_, **__: None
"""
MAKE_NO_SYSTEM_STORAGE = """
from steps.kubernetes import cluster
cluster.Cluster.create = lambda *_: {}
"""
RUN_NO_RAKE = """
from steps.parts import routes
routes.resync = lambda *_: False
"""

LOUD = {
    "prepare of a backup": ((BACKUP, "prepare", MAKE_NO_BACKUP_CLAIM), "prepare"),
    "file-storage of a backup": ((BACKUP, "file-storage", ZERO_A_FILE), "seal"),
    "seal": ((BACKUP, "seal", WRITE_NO_MANIFEST), "seal"),
    "prepare of a restore": ((RESTORE, "prepare", MAKE_NO_SYSTEM_STORAGE), "prepare"),
    "routes": ((RESTORE, "routes", RUN_NO_RAKE), "routes"),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("harm", "failing"), LOUD.values(), ids=LOUD)
def test_a_phase_that_is_broken_ends_the_rehearsal(tmp_path, harm, failing):
    result = rehearse(tmp_path, silent, manifests=broken(harm))

    assert not result.equal
    assert result.workflows[-1].node(failing).phase == "Failed"


# --- what is compared ---


def metadata(**changes):
    return {"metadata": changes}


def look(stage):
    """Take down the objects; of files there are none."""
    folder = stage.folder / "no-files"
    folder.mkdir(exist_ok=True)
    return comparison.look(stage.kubernetes, stage.namespace, folder)


def differences(before, after):
    return [why for row in comparison.compare(before, after) for why in row.differences]


@pytest.mark.parametrize(
    ("resource", "name", "patch"),
    [
        ("apimanagers", "example-apimanager", metadata(annotations={"example.test/contact": None})),
        ("apimanagers", "example-apimanager", metadata(labels={"added": "by-hand"})),
        ("apimanagers", "example-apimanager", {"spec": {"tenantName": "other"}}),
        ("secrets", "system-seed", {"data": {"ADMIN_PASSWORD": "b3RoZXI="}}),
        ("secrets", "system-seed", {"data": {"ADMIN_EMAIL": None}}),
        ("secrets", "system-seed", metadata(labels={"app": None})),
        ("configmaps", "apicast-environment", {"data": {"ADDED": "1"}}),
        ("configmaps", "apicast-environment", metadata(annotations={"added": "by-hand"})),
    ],
)
def test_a_change_of_an_object_is_a_difference(installed, resource, name, patch):
    before = look(installed)
    installed.kubernetes.patch(resource, installed.namespace, name, patch)

    assert differences(before, look(installed)) == [f"{resource}/{name}"]


@pytest.mark.parametrize("name", ["secrets/backend-listener", "configmaps/system-environment"])
def test_an_object_that_was_missing_from_the_start_is_a_difference_too(installed, name):
    resource, _, short = name.partition("/")
    installed.kubernetes.delete(resource, installed.namespace, short)

    assert differences(look(installed), look(installed)) == [name]
