"""A restore is bound to the seal: what was changed, stripped or swapped is refused, whatever it says of itself."""

import base64
import hashlib
import json
import shutil

import pytest

from steps.archive import layout
from steps.archive.manifest import PLACEHOLDER
from steps.files import volume
from steps.threescale import installation
from tests.builders import operators_backup
from tests.builders.claims import CLAIMS
from tests.builders.operators_backup import operators_own
from tests.builders.volumes import flip
from workflows.rehearsal.threescale import installation as threescale

pytestmark = pytest.mark.thorough

SEED = f"{layout.SECRETS}/system-seed.json"
OPERATORS = {"annotations": {installation.BACKUP_NAME: "by-operator"}}
FORGED = (layout.MANIFEST, layout.SUMS, SEED, layout.APIMANAGER)


def forge(root):
    """Change what a restore would create, and seal it again: whoever may write the volume can."""
    change(root / SEED, lambda obj: obj["data"].update(ADMIN_PASSWORD=base64.b64encode(b"attacker").decode()))
    change(root / layout.APIMANAGER, lambda obj: obj["spec"].setdefault("system", {}).update(image="evil.example/i:1"))
    found = json.loads((root / layout.MANIFEST).read_bytes())
    for path in found["objects"]:
        data = (root / path).read_bytes()
        found["objects"][path] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    sums = {path: each["sha256"] for path, each in found["objects"].items()}
    sums |= {layout.RESULT: found["result"]["sha256"], layout.LISTING: found["file_storage"]["listing"]["sha256"]}
    (root / layout.SUMS).write_text("".join(f"{sha256}  {path}\n" for path, sha256 in sorted(sums.items())))
    (root / layout.MANIFEST).write_text(json.dumps(found, indent=4, sort_keys=True) + "\n")


def change(path, how):
    obj = json.loads(path.read_bytes())
    how(obj)
    path.write_text(json.dumps(obj))


def strip(root):
    """Leave nothing that says who made it."""
    for name in (layout.MANIFEST, layout.BEGIN):
        (root / name).unlink()


def give_references(stage):
    """Bring what the APIManager names, which a backup of the operator lacks."""
    for secret in threescale.sample_secrets(stage.namespace):
        if secret["metadata"]["name"] not in stage.exists("secrets"):
            stage.kubernetes.apply(secret)


def bare(stage, name="nightly"):
    """Have a claim say nothing of its backup, as that of a volume which was carried elsewhere."""
    stage.kubernetes.patch(CLAIMS, stage.namespace, name, {"metadata": {"labels": None, "annotations": None}})


def swap(stage, phase, how):
    """Change the backup on its volume once a phase has ended well."""

    def say(node):
        if node.name == phase and node.phase == "Succeeded":
            how(stage.engine.volume("nightly"))

    stage.engine._say = say


def refusal(stage, workflow, phase):
    """What a phase said at its end; nothing that a restore creates may be there then."""
    assert workflow.phase == "Failed"
    assert stage.exists("apimanagers") == []
    assert "system-seed" not in stage.exists("secrets")

    return workflow.node(phase).attempts[-1].message


def test_a_backup_that_was_changed_and_sealed_again_is_refused(lost):
    forge(lost.engine.volume("nightly"))

    said = refusal(lost, lost.restore("nightly"), "prepare")

    assert "manifest.json is not the sealed one, its digest differs from the one on the claim" in said


def test_a_backup_whose_manifest_was_taken_away_does_not_pass_for_one_of_the_operator(lost):
    strip(lost.engine.volume("nightly"))

    said = refusal(lost, lost.restore("nightly", made_by="operator"), "prepare")

    assert "manifest.json is not the sealed one" in said


def test_without_a_manifest_a_claim_of_ours_that_has_lost_its_digest_is_refused(lost):
    strip(lost.engine.volume("nightly"))
    lost.kubernetes.patch(
        CLAIMS, lost.namespace, "nightly", {"metadata": {"annotations": {"threescale-backup/manifest-sha256": None}}}
    )

    said = refusal(lost, lost.restore("nightly"), "prepare")

    assert "this tool made the claim. The backup's seal is lost" in said


def test_without_a_manifest_a_claim_that_says_nothing_is_refused(lost):
    strip(lost.engine.volume("nightly"))
    bare(lost)

    said = refusal(lost, lost.restore("nightly"), "prepare")

    assert "does not say that the operator made the backup. Restore another backup, or use -p made-by=operator" in said


def test_a_person_s_word_makes_it_one_of_the_operator(lost):
    operators_own(lost.engine.volume("nightly"))
    bare(lost)
    give_references(lost)

    workflow = lost.restore("nightly", made_by="operator", on_conflict="keep")

    assert workflow.phase == "Succeeded", workflow.message


def test_a_backup_with_a_manifest_is_none_of_the_operator_whatever_a_person_says(lost):
    said = refusal(lost, lost.restore("nightly", made_by="operator"), "prepare")

    assert "laim nightly holds a manifest.json" in said


@pytest.mark.parametrize(
    ("ended", "phase"), [("prepare", "file-storage"), ("file-storage", "secrets"), ("apimanager", "routes")]
)
def test_a_backup_that_is_swapped_after_the_plan_was_approved_is_refused(lost, backup_volume, ended, phase):
    forge(backup_volume)
    approved = lost.restore("nightly", plan="only").node("plan").outputs["digest"]
    swap(lost, ended, lambda root: [shutil.copyfile(backup_volume / path, root / path) for path in FORGED])

    workflow = lost.restore("nightly", plan_digest=approved)

    assert workflow.phase == "Failed"
    assert "is not the one that this restore began with" in workflow.node(phase).attempts[-1].message
    assert lost.exists("apimanagers") == ([] if phase != "routes" else [threescale.NAME])
    assert "evil" not in json.dumps(lost.kubernetes.list("apimanagers", lost.namespace))


def test_a_plan_of_another_backup_is_another_plan(lost):
    approved = lost.restore("nightly", plan="only").node("plan").outputs["digest"]
    forge(lost.engine.volume("nightly"))
    bare(lost)

    said = refusal(lost, lost.restore("nightly", plan_digest=approved), "prepare")

    assert f"The plan is no longer {approved}" in said


def test_where_the_claim_has_lost_its_labels_a_digest_that_was_kept_elsewhere_binds(lost, sealed):
    bare(lost)
    kept = sealed.claim["metadata"]["annotations"]["threescale-backup/manifest-sha256"]

    other = lost.restore("nightly", manifest_sha256="0" * 64)
    said = refusal(lost, other, "prepare")
    same = lost.restore("nightly", manifest_sha256=kept.upper())

    assert f"asks for the backup {'0' * 64}, but this volume holds {kept}" in said
    assert same.phase == "Succeeded", same.message


def test_a_digest_that_was_kept_elsewhere_refuses_a_backup_without_manifest(lost):
    strip(lost.engine.volume("nightly"))
    bare(lost)

    said = refusal(lost, lost.restore("nightly", manifest_sha256="0" * 64, made_by="operator"), "prepare")

    assert "this volume holds a backup without manifest.json" in said


def test_a_backup_that_is_marked_damaged_is_refused_with_the_way_out(lost):
    marks = {"labels": {"threescale-backup/damaged": "20261129T000000Z"}}
    marks["annotations"] = {"threescale-backup/damage": "acme.png has other bytes"}
    lost.kubernetes.patch(CLAIMS, lost.namespace, "nightly", {"metadata": marks})

    said = refusal(lost, lost.restore("nightly"), "prepare")

    assert "is marked as damaged since 20261129T000000Z. The reason is: acme.png has other bytes" in said
    assert "threescale-verify" in said


def test_the_log_of_the_seal_tells_the_digest_to_keep(sealed):
    log = sealed.workflow.node("seal").attempts[-1].log

    digest = sealed.claim["metadata"]["annotations"]["threescale-backup/manifest-sha256"]
    assert f"SHA-256 of its manifest: {digest}" in log


@pytest.fixture
def by_operator(lost):
    """A claim that the operator has filled."""
    shutil.rmtree(lost.engine.volume("nightly"))
    operators_backup.make(lost.engine.volume("nightly"))
    bare(lost)
    lost.kubernetes.patch(CLAIMS, lost.namespace, "nightly", {"metadata": OPERATORS})
    give_references(lost)
    return lost


def test_another_tree_of_the_operator_s_backup_is_refused(by_operator):
    swap(by_operator, "prepare", lambda root: (root / layout.TREE / "acme" / "more.txt").write_text("more"))

    workflow = by_operator.restore("nightly", on_conflict="keep")

    assert workflow.phase == "Failed"
    assert "names, sizes or times differ" in workflow.node("file-storage").attempts[-1].message
    assert volume.content(by_operator.storage) == []


def test_a_tree_that_links_to_elsewhere_is_never_followed(by_operator, tmp_path):
    token = tmp_path / "serviceaccount"
    token.mkdir()
    (token / "token").write_text("TOKEN")
    tree = by_operator.engine.volume("nightly") / layout.TREE
    shutil.rmtree(tree)
    tree.symlink_to(token)

    workflow = by_operator.restore("nightly", on_conflict="keep")

    assert workflow.phase == "Failed"
    assert [path for path in by_operator.storage.rglob("*") if path.name == "token"] == []


# --- salvage ---

PDF = "acme/2026/terms and conditions.pdf"


def harm(root):
    """Damage a file and lose a folder; return how many entries that are."""
    flip(root / layout.TREE / PDF)
    gone = root / layout.TREE / "acme/2026/11/05"
    count = len([gone, *gone.rglob("*")])
    shutil.rmtree(gone)
    return 1 + count


def test_with_skip_all_files_come_back_but_the_damaged_ones_and_these_are_named(lost, sealed):
    count = harm(lost.engine.volume("nightly"))
    marks = {"labels": {"threescale-backup/damaged": "20261129T000000Z"}}
    lost.kubernetes.patch(CLAIMS, lost.namespace, "nightly", {"metadata": marks})
    whole = {
        path for path in names(sealed.folder / layout.TREE) if path != PDF and not path.startswith("acme/2026/11/05")
    }

    workflow = lost.restore("nightly", file_storage_damage="skip")

    assert workflow.phase == "Succeeded", workflow.message
    assert names(lost.storage) == whole
    for phase in ("prepare", "file-storage"):
        told = workflow.node(phase).outputs["left-out"]
        assert told.startswith(f"{count} entries are damaged or missing and are left out: ")
        assert f"{PDF!r} has different content than the listing" in told
    log = workflow.node("prepare").attempts[-1].log
    assert f"left out System FileStorage {PDF!r} has different content than the listing" in " ".join(log.split())
    assert "file-storage-damage=skip reads all" in log
    record = json.loads(lost.get("configmaps", "threescale-restore-results")["data"][f"{workflow.name}.json"])
    (files,) = (phase for phase in record["phases"] if phase["phase"] == "file-storage")
    assert f"{PDF!r} has different content than the listing" in files["notes"][0]
    assert record["outcome"] == "succeeded"


def test_what_was_left_out_once_is_named_again_or_refused(lost):
    flip(lost.engine.volume("nightly") / layout.TREE / PDF)
    first = lost.restore("nightly", file_storage_damage="skip").node("file-storage").outputs["left-out"]

    again = lost.restore("nightly", file_storage_damage="skip")
    said = lost.restore("nightly").node("prepare").attempts[-1].message

    assert again.phase == "Succeeded", again.message
    assert [again.node(phase).outputs["left-out"] for phase in ("prepare", "file-storage")] == [first, first]
    assert f"left files out ({first}). Submit with -p file-storage-damage=skip" in said


def test_what_is_damaged_since_a_try_before_has_brought_it_is_left_out_too(lost):
    tree, late = lost.engine.volume("nightly") / layout.TREE, "acme/2026/11/06/file-6.pdf"
    flip(tree / PDF)
    lost.restore("nightly")
    assert (lost.storage / late).exists()
    flip(tree / late)
    shutil.rmtree(tree / "acme/2026/11/05")

    workflow = lost.restore("nightly", file_storage_damage="skip")

    assert workflow.phase == "Succeeded", workflow.message
    assert {PDF, late, "acme/2026/11/05"} & names(lost.storage) == set()


def test_where_nothing_is_damaged_nothing_is_left_out(lost):
    workflow = lost.restore("nightly", file_storage_damage="skip")

    assert [workflow.node(phase).outputs["left-out"] for phase in ("prepare", "file-storage")] == ["-", "-"]


def names(tree):
    """What lies in a tree, by paths."""
    found = {str(path.relative_to(tree)) for path in tree.rglob("*")}
    return {path for path in found if path not in {"lost+found", PLACEHOLDER}}


def test_without_it_one_damaged_file_is_refused(lost):
    flip(lost.engine.volume("nightly") / layout.TREE / PDF)

    workflow = lost.restore("nightly")

    assert workflow.phase == "Failed"
    assert "has different content" in workflow.node("file-storage").attempts[-1].message


def test_a_damage_that_shows_only_after_the_plan_is_a_changed_plan(lost):
    harm(lost.engine.volume("nightly"))
    swap(lost, "prepare", lambda root: flip(root / layout.TREE / "acme/2026/11/06/file-6.pdf"))

    said = refusal(lost, lost.restore("nightly", file_storage_damage="skip"), "file-storage")

    assert "Other files are damaged than the plan said" in said
    assert volume.content(lost.storage) == []


def test_another_damage_is_another_plan(lost):
    harm(lost.engine.volume("nightly"))
    plan = lost.restore("nightly", file_storage_damage="skip", plan="only").node("plan").outputs["digest"]
    flip(lost.engine.volume("nightly") / layout.TREE / "acme/2026/11/06/file-6.pdf")

    said = refusal(lost, lost.restore("nightly", file_storage_damage="skip", plan_digest=plan), "prepare")

    assert f"The plan is no longer {plan}" in said


@pytest.mark.parametrize("path", [SEED, layout.LISTING])
def test_objects_and_the_listing_must_be_whole_all_the_same(lost, path):
    flip(lost.engine.volume("nightly") / path)

    said = refusal(lost, lost.restore("nightly", file_storage_damage="skip"), "prepare")

    assert f"{path} has different content than the manifest" in said


def test_a_backup_without_digests_refuses_to_skip(by_operator):
    workflow = by_operator.restore("nightly", file_storage_damage="skip", on_conflict="keep")

    assert workflow.phase == "Failed"
    assert "has no digests" in workflow.node("prepare").attempts[-1].message
