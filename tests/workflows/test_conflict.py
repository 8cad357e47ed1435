"""What is there already: refused, kept, or replaced once it is saved; never in silence."""

import shutil

import pytest

from steps.archive import layout, marks
from steps.kubernetes import fields
from steps.threescale import installation
from tests.builders.claims import CLAIMS
from tests.builders.conflicts import (
    FILES,
    OTHER,
    check_files_are_saved,
    check_replaced,
    differing_secret,
    filled_storage,
    saved,
)
from tests.builders.records import check_page, entry
from workflows.rehearsal.threescale import installation as threescale

pytestmark = pytest.mark.thorough

PHASES = ("set-aside-objects", "set-aside-files")


def differing_configmap(stage, name="system"):
    metadata = {"name": name, "namespace": stage.namespace}
    stage.kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mine": "yes"}})
    return stage.get("configmaps", name)


def phases(workflow):
    return {node.name: node.phase for node in workflow.nodes}


def lines_of(record, done):
    return {(line["kind"], line["name"]): line["how"] for line in record["objects"] if line["done"] == done}


def test_what_differs_is_refused_by_default_and_nothing_is_made(lost):
    differing_secret(lost)
    filled_storage(lost)
    before = (lost.get("secrets", "zync"), lost.exists(CLAIMS))

    workflow = lost.restore("nightly")

    assert workflow.phase == "Failed"
    assert "Secret zync: DATABASE_URL, MORE" in workflow.node("prepare").attempts[-1].message
    assert "add -p on-conflict=keep or -p on-conflict=replace" in workflow.node("prepare").attempts[-1].message
    assert (lost.get("secrets", "zync"), lost.exists(CLAIMS)) == before


@pytest.mark.thorough
def test_what_differs_is_kept_where_that_was_asked_for_and_said_so(lost):
    secret, configmap = differing_secret(lost), differing_configmap(lost)

    workflow = lost.restore("nightly", on_conflict="keep")

    record, text = entry(lost, workflow)
    assert workflow.phase == "Succeeded", workflow.message
    assert phases(workflow).items() >= dict.fromkeys(PHASES, "Skipped").items()
    assert lost.get("secrets", "zync")["data"] == secret["data"]
    assert lost.get("configmaps", "system")["data"] == configmap["data"]
    assert lines_of(record, "kept")["Secret", "zync"] == "differs: DATABASE_URL, MORE"
    assert lines_of(record, "kept")["ConfigMap", "system"].startswith("differs: mine")
    assert "differs: DATABASE_URL, MORE" in check_page(text)
    assert [name for name in lost.exists(CLAIMS) if name.endswith("-replaced")] == []


def test_what_differs_is_replaced_once_it_is_saved_and_can_be_put_back(lost):
    secret, configmap = differing_secret(lost), differing_configmap(lost)
    filled_storage(lost)
    there = lost.restore("nightly", plan="only", on_conflict="replace", file_storage_conflict="replace")
    digest = there.node("plan").outputs["digest"]
    assert "Secret zync" in there.node("plan").attempts[-1].log

    workflow = lost.restore("nightly", on_conflict="replace", file_storage_conflict="replace", plan_digest=digest)

    assert workflow.phase == "Succeeded", workflow.message
    claim = f"{workflow.name}-replaced"
    root = lost.engine.volume(claim)
    assert saved(root, "secrets/zync.json") == secret
    assert saved(root, "referenced/configmaps/system.json") == configmap
    check_files_are_saved(root)
    check_replaced(lost, secret)
    check_claim(lost, claim, workflow)
    record, text = entry(lost, workflow)
    assert set(lines_of(record, "replaced")) == {
        ("Secret", "zync"),
        ("ConfigMap", "system"),
        ("PersistentVolumeClaim", "system-storage"),
    }
    assert all(claim in how for how in lines_of(record, "replaced").values())
    assert f"the previous object is in claim {claim}" in check_page(text)
    logs = "".join(attempt.log for node in workflow.nodes for attempt in node.attempts) + text
    assert OTHER not in logs

    put_back(lost, root)

    assert lost.get("secrets", "zync")["data"] == secret["data"]
    assert {name: (lost.storage / name).read_bytes() for name in FILES} == FILES


def lose_apimanager(stage):
    """Lose the APIManager and what belongs to it, but for the files: a person has made their claim an orphan."""
    with stage.kubernetes.hand:
        orphan = {"metadata": {"ownerReferences": None}}
        stage.kubernetes.patch(CLAIMS, stage.namespace, "system-storage", orphan)
        stage.kubernetes.delete("apimanagers", stage.namespace, threescale.NAME)
        stage.kubernetes.collect_garbage()
    threescale.give_database_secrets(stage.kubernetes, stage.namespace)


@pytest.mark.thorough
def test_files_that_a_3scale_wrote_since_they_were_restored_are_kept_or_replaced_as_asked(lost):
    assert lost.restore("nightly").phase == "Succeeded"
    (changed,) = [path for path in lost.storage.rglob("*") if path.name == ".hidden-top"]
    before = changed.read_bytes()
    changed.write_bytes(b"written since")
    lose_apimanager(lost)

    kept = lost.restore("nightly")

    assert kept.phase == "Succeeded", kept.message
    assert changed.read_bytes() == b"written since"
    record, _ = entry(lost, kept)
    assert lines_of(record, "kept")["PersistentVolumeClaim", "system-storage"] == (
        "its files were restored before and are not checked"
    )
    lose_apimanager(lost)

    replaced = lost.restore("nightly", file_storage_conflict="replace")

    assert replaced.phase == "Succeeded", replaced.message
    assert changed.read_bytes() == before
    assert (lost.engine.volume(f"{replaced.name}-replaced") / layout.TREE / ".hidden-top").read_bytes() == (
        b"written since"
    )
    record, _ = entry(lost, replaced)
    assert set(lines_of(record, "replaced")) == {("PersistentVolumeClaim", "system-storage")}


def check_claim(stage, name, workflow):
    claim = stage.get(CLAIMS, name)
    assert fields.label(claim, marks.BACKUP) == ""
    assert fields.annotation(claim, installation.BACKUP_NAME) == ""
    assert fields.label(claim, marks.WORKFLOW_UID) == workflow.uid
    assert claim["spec"]["resources"]["requests"]["storage"] == str(int((1 << 30) * 1.2))


def put_back(stage, root):
    """Do what the page on restores says."""
    obj = saved(root, "secrets/zync.json")
    obj["metadata"] = {key: obj["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    stage.kubernetes.apply(obj)
    for path in (root / layout.TREE).iterdir():
        if path.is_dir():
            shutil.copytree(path, stage.storage / path.name, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(path, stage.storage / path.name, follow_symlinks=False)


@pytest.mark.thorough
def test_files_are_not_replaced_while_somebody_uses_them(lost):
    filled_storage(lost)
    volumes = [{"name": "files", "persistentVolumeClaim": {"claimName": "system-storage"}}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other", "namespace": lost.namespace}}
    containers = [{"name": "main", "image": "none"}]
    spec = {"volumes": volumes, "containers": containers, "nodeName": "rehearsal"}
    lost.kubernetes.apply({**pod, "spec": spec, "status": {"phase": "Running"}})

    workflow = lost.restore("nightly", file_storage_conflict="replace")

    assert workflow.phase == "Failed"
    assert "is in use by pod other" in workflow.node("prepare").attempts[-1].message
    assert [name for name in lost.exists(CLAIMS) if name.endswith("-replaced")] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [({"immutable": True}, "immutable"), ({"type": "example.com/other"}, "of another type")],
    ids=["immutable", "type"],
)
def test_what_can_not_be_replaced_in_place_is_refused(lost, change, said):
    secret = differing_secret(lost)
    lost.kubernetes.delete("secrets", lost.namespace, "zync")
    metadata = {"name": "zync", "namespace": lost.namespace}
    lost.kubernetes.apply({**secret, **change, "metadata": metadata})

    workflow = lost.engine.submit(
        "threescale-restore", {"claim-name": "nightly", "on-conflict": "replace"}, entrypoint="prepare"
    )

    assert workflow.phase == "Failed"
    assert f": Secret zync: {said}." in workflow.nodes[0].attempts[-1].message
    assert [name for name in lost.exists(CLAIMS) if name.endswith("-replaced")] == []
