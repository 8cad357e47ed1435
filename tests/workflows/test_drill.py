"""The drill as a whole workflow, on the embedded cluster: equal, and all removed, however it ends."""

import json
import subprocess

import pytest

from steps.archive import layout, marks
from steps.contract import names
from tests.builders.claims import CLAIMS
from tests.builders.commands import described
from tests.builders.records import check_page, digests_of_secrets, entry
from tests.builders.scratch import SCRATCH, put, there
from tests.builders.volumes import PDF, flip, state_of
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS
from workflows.schedule import Cron

PHASES = ["choose", "prepare", "objects", "file-storage", "remove"]


@pytest.fixture
def ready(kept):
    """A namespace with a backup, and the rights of a drill in a scratch namespace."""
    settings = SETTINGS.model_copy(update={"drill_namespace": SCRATCH})
    for manifest in render(settings, [Cron("drill", "0 5 * * 0", {"scratch-namespace": SCRATCH})]):
        kept.engine.apply(manifest)
    return kept


def left(stage):
    """All that a drill may leave, wherever."""
    stage.kubernetes.collect_garbage()
    found = [*there(stage, "secrets"), *there(stage, "configmaps"), *there(stage, "apimanagers")]
    found += [each["metadata"]["name"] for each in stage.kubernetes.list(CLAIMS, stage.namespace, marks.DRILL)]
    return found + [name for name in stage.exists("configmaps") if name == names.DRILL_LEDGER]


def proven(stage):
    return described(stage)["proven"]


def said(workflow):
    """All that a workflow tells whoever looks at it."""
    return json.dumps([[node.inputs, node.outputs, node.log] for node in workflow.nodes], default=str)


def values_of_secrets(folder):
    """Those that are no plain words."""
    found = [json.loads(path.read_bytes())["data"] for path in (folder / layout.SECRETS).iterdir()]
    return [value for data in found for value in data.values() if len(value) > 8]


@pytest.mark.thorough
@pytest.mark.lesson(2, 20, 21)
def test_a_backup_is_proven_without_a_second_3scale_and_nothing_is_left(ready, sealed):
    before = state_of(ready.engine.volume("nightly"))

    workflow = ready.engine.submit_cron("threescale-drill-schedule")

    record, text = entry(ready, workflow, names.DRILL_RESULTS)
    assert workflow.phase == "Succeeded", workflow.message
    assert proven(ready)["workflow"] == workflow.name
    assert state_of(ready.engine.volume("nightly")) == before
    assert left(ready) == []
    assert (record["operation"], record["outcome"], record["claim"]) == ("drill", "succeeded", "nightly")
    assert [phase["phase"] for phase in record["phases"]][:2] == ["choose", "prepare"]
    assert {phase["phase"] for phase in record["phases"]} == set(PHASES)
    assert record["counts"] == {"created": 22, "tried": 1, "files": 43, "folders": 46, "links": 2, "bytes": 190509}
    assert ("APIManager", "tried") in {(line["kind"], line["done"]) for line in record["objects"]}
    assert [value for value in values_of_secrets(sealed.folder) if value in said(workflow)] == []
    assert [digest for digest in digests_of_secrets(sealed.folder) if digest in text] == []
    assert "Drill nightly" in check_page(text)


@pytest.mark.thorough
def test_a_drill_of_a_damaged_backup_fails_proves_nothing_and_leaves_nothing(ready):
    flip(ready.engine.volume("nightly") / PDF)

    workflow = ready.drill(SCRATCH)

    record, _ = entry(ready, workflow, names.DRILL_RESULTS)
    assert workflow.phase == "Failed"
    assert workflow.node("file-storage").exit_code == 1
    assert "has different content than the listing" in record["failures"][0]["sentence"]
    assert (record["outcome"], record["claim"]) == ("failed", "nightly")
    assert "submit a new drill" in record["advice"]
    assert proven(ready) is None
    assert described(ready)["damaged"]["workflow"] == workflow.name
    assert left(ready) == []


@pytest.mark.thorough
def test_a_namespace_with_an_installation_is_refused_and_nothing_is_written_there(ready):
    put(ready, "APIManager", "theirs", spec={})
    ready.kubernetes.clear_requests()

    workflow = ready.drill(SCRATCH)

    assert workflow.phase == "Failed"
    assert "It holds APIManager theirs" in workflow.node("choose").attempts[0].message
    assert [request.resource for request in ready.kubernetes.writes() if request.namespace == SCRATCH] == []
    assert {request.name for request in ready.kubernetes.writes()} == {names.DRILL_RESULTS}


# --- however it ends ---

# What each phase asks for last, or nearly so.
REQUESTS = {
    "choose": ("list", "persistentvolumeclaims"),
    "prepare": ("create", "persistentvolumeclaims"),
    "objects": ("create", "apimanagers"),
    "file-storage": ("get", "configmaps"),
    "remove": ("delete", "secrets"),
}
# What each try of a phase asks for, and most of them change.
ALWAYS = [
    ("prepare", "get", "persistentvolumeclaims"),
    ("objects", "create", "secrets"),
    ("file-storage", "get", "configmaps"),
    ("remove", "delete", "secrets"),
]


@pytest.mark.thorough
@pytest.mark.parametrize("phase", PHASES)
def test_whatever_phase_is_refused_all_is_removed(ready, phase):
    verb, resource = REQUESTS[phase]

    def refuse(node: str, _process: subprocess.Popen[bytes]) -> None:
        if node == phase and not refused:
            refused.append(node)
            ready.kubernetes.refuse_next(verb, resource, status=422, message="no")

    refused: list[str] = []
    ready.engine.on_start = refuse
    workflow = ready.drill(SCRATCH)

    assert workflow.phase == "Failed"
    assert workflow.node("report").phase == "Succeeded"
    assert left(ready) == []
    assert proven(ready) is None


@pytest.mark.thorough
@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_that_is_killed_is_tried_again_and_the_backup_is_proven(ready, phase):
    verb, resource = REQUESTS[phase]

    def kill(node: str, process: subprocess.Popen[bytes]) -> None:
        if node == phase and not killed:
            killed.append(node)
            ready.kubernetes.after_next(verb, resource, lambda _request: process.kill())

    killed: list[str] = []
    ready.engine.on_start = kill
    workflow = ready.drill(SCRATCH)

    assert workflow.phase == "Succeeded", workflow.message
    assert len(workflow.node(phase).attempts) == 2
    assert proven(ready)["workflow"] == workflow.name
    assert left(ready) == []


@pytest.mark.thorough
@pytest.mark.parametrize(("phase", "verb", "resource"), ALWAYS)
def test_a_phase_that_is_always_killed_leaves_nothing_either(ready, phase, verb, resource):

    def kill(node: str, process: subprocess.Popen[bytes]) -> None:
        if node == phase and len(killed) < 4:
            killed.append(node)
            ready.kubernetes.before_next(verb, resource, lambda _request: process.kill())

    killed: list[str] = []
    ready.engine.on_start = kill
    workflow = ready.drill(SCRATCH)

    assert workflow.phase == "Failed"
    assert left(ready) == []
    assert proven(ready) is None


@pytest.mark.thorough
def test_what_a_drill_without_an_end_has_left_the_next_one_removes(ready):
    arguments = {"scratch-namespace": SCRATCH, "claim-name": "nightly"}
    dead = ready.engine.submit("threescale-drill", arguments, entrypoint="prepare")  # and then its workflow is deleted
    ready.kubernetes.delete("workflows", ready.namespace, dead.name)
    assert left(ready)

    workflow = ready.drill(SCRATCH)

    assert workflow.phase == "Succeeded", workflow.message
    assert left(ready) == []


@pytest.mark.thorough
def test_a_drill_that_is_stopped_leaves_nothing(ready):
    stopped: list[str] = []

    def stop(node: str, _process: subprocess.Popen[bytes]) -> None:
        if node == "objects" and not stopped:
            stopped.append(node)
            ready.kubernetes.after_next("create", "configmaps", lambda _request: ready.engine.stop())

    ready.engine.on_start = stop
    workflow = ready.drill(SCRATCH)

    assert workflow.phase == "Failed"
    assert left(ready) == []


# --- files that are external ---


@pytest.fixture
def ready_in_s3(in_s3):
    """A backup of an installation whose files are external, and the rights of a drill."""
    more = {"drill_namespace": SCRATCH, "secrets": (*SETTINGS.secrets, "my-s3")}
    for manifest in render(SETTINGS.model_copy(update=more)):
        in_s3.engine.apply(manifest)
    assert in_s3.backup(name="nightly", file_storage="external").phase == "Succeeded"
    return in_s3


@pytest.mark.thorough
def test_where_the_files_are_external_the_objects_are_proven_and_no_claim_is_made(ready_in_s3):
    workflow = ready_in_s3.drill(SCRATCH, claim_name="nightly")

    record, _ = entry(ready_in_s3, workflow, names.DRILL_RESULTS)
    assert workflow.phase == "Succeeded", workflow.message
    assert workflow.node("file-storage").phase == "Skipped"
    assert record["file_storage"].startswith("external, in S3 bucket")
    assert proven(ready_in_s3)
    assert left(ready_in_s3) == []
