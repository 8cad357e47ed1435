"""Whether a verification finds what a backup can suffer, before it is restored."""

import os
import shutil
from contextlib import nullcontext
from fractions import Fraction

import click
import pytest

from steps import errors
from steps.archive import layout, marks, seal
from steps.catalogue import rotation, verification
from steps.catalogue.catalogue import BackupState, Proof
from steps.catalogue.rotation import Rotation
from steps.contract.names import PREFIX
from steps.kubernetes import fields
from tests.builders import operators_backup, phases
from tests.builders.claims import CLAIMS, DIGEST, laid, sealed, without_label
from tests.builders.listings import NOW, backup, nights
from tests.builders.refusals import Holding, refused
from tests.builders.volumes import PDF, TREE, flip, state_of

TENTH = Fraction(1, 10)
ACCOUNT = "threescale-verify"


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


def relink(root):
    link = next(path for path in (root / TREE).rglob("*") if path.is_symlink())
    link.unlink()
    link.symlink_to("elsewhere")


def swap(root):
    """Put another sealed state in the place of the manifest, as whole as the first."""
    path = root / layout.MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"tool_version"', b' "tool_version"'))


STRUCTURE = {
    "a file is gone": (lambda root: (root / PDF).unlink(), "'acme/2026/terms and conditions.pdf' is missing"),
    "a file is shorter": (lambda root: truncate(root / PDF), "instead of"),
    "a file too many": (lambda root: (root / TREE / "more").touch(), "'more' is not listed"),
    "a folder is gone": (lambda root: shutil.rmtree(root / TREE / "acme"), "'acme' is missing"),
    "a link leads elsewhere": (relink, "has a different target than the listing"),
    "an object has other bytes": (lambda root: flip(root / "secrets/zync.json"), "secrets/zync.json"),
    "an object is gone": (lambda root: (root / "configmaps/system-environment.json").unlink(), "is missing"),
    "an object too many": (lambda root: (root / "secrets/more.json").touch(), "secrets/more.json is not in the manif"),
    "the listing has other bytes": (
        lambda root: flip(root / layout.LISTING),
        f"{layout.LISTING} has different content",
    ),
    "the evidence has other bytes": (lambda root: flip(root / layout.RESULT), f"{layout.RESULT} has different content"),
    "the sums are gone": (lambda root: (root / layout.SUMS).unlink(), f"{layout.SUMS} is missing"),
    "the manifest is gone": (lambda root: (root / layout.MANIFEST).unlink(), "begun and not finished"),
    "the manifest can't be read": (lambda root: (root / layout.MANIFEST).write_bytes(b"{"), "manifest.json is damaged"),
    "the manifest is another one": (swap, "manifest.json is not the sealed one"),
    "the volume is empty": (lambda root: [shutil.rmtree(root), root.mkdir()], "0 other entries"),
}


def look(root, claim, part=rotation.ALL, begun=None):
    return verification.check(verification.open_at(root, claim), part, begun, workers=1)


def test_a_manifest_that_no_seal_has_noted_is_nobody_s_unless_its_digest_is_told(kept, backup_volume):
    found = kept.get("persistentvolumeclaims", "nightly")
    digest = found["metadata"]["annotations"].pop(marks.MANIFEST_DIGEST)
    found["metadata"]["labels"][marks.STATE] = marks.RUNNING

    assert verification.open_at(backup_volume, found, told_sha256=digest).digest == digest
    with refused(errors.NotSealed, claim="nightly"):
        verification.open_at(backup_volume, found)


@pytest.mark.lesson(2)
@pytest.mark.parametrize("name", [marks.STATE, marks.WORKFLOW])
def test_a_claim_that_lost_all_labels_but_one_is_not_taken_for_the_operator_s(kept, backup_volume, name):
    """Whoever takes the seal away may take labels too; the operator's annotations lie on each claim of ours."""
    for each in (layout.MANIFEST, layout.BEGIN):
        (backup_volume / each).unlink()
    found = kept.get("persistentvolumeclaims", "nightly")
    metadata = found["metadata"]
    told = {key: value for key, value in metadata["annotations"].items() if not key.startswith(PREFIX)}
    bare = {"name": "nightly", "labels": {name: metadata["labels"][name]}, "annotations": told}

    with pytest.raises(errors.SealLost):
        verification.open_at(backup_volume, {**found, "metadata": bare})


def test_a_whole_backup_is_read_to_its_last_byte(backup_volume, sealed):
    read = look(backup_volume, sealed.claim)

    assert read.rotation is None
    assert read.size_bytes == sum(entry.size for entry in seal.listed(backup_volume))


@pytest.mark.lesson(3)
@pytest.mark.parametrize("part", [rotation.ALL, TENTH], ids=["by all", "by a share"])
@pytest.mark.parametrize(("harm", "said"), STRUCTURE.values(), ids=STRUCTURE)
def test_a_damage_is_found(backup_volume, sealed, harm, said, part):
    harm(backup_volume)

    with pytest.raises(errors.BackupDamaged) as found:
        look(backup_volume, sealed.claim, part)

    assert said in str(found.value)


@pytest.mark.lesson(3)
def test_a_flipped_byte_is_found_in_the_night_that_reads_it(backup_volume, sealed):
    flip(backup_volume / PDF)
    nights = every_night(backup_volume, sealed.claim)

    assert next(nights).rotation  # the first is right
    with refused(errors.BackupDamaged, findings=Holding("conditions.pdf' has different content than the listing")):
        list(nights)


def every_night(root, claim):
    """Read a tenth of it night by night, until all of it is read."""
    read = look(root, claim, TENTH)
    yield read
    while read.rotation:
        read = look(root, claim, TENTH, read.rotation)
        yield read


def test_ten_nights_of_a_tenth_read_all_of_it(backup_volume, sealed):
    nights = list(every_night(backup_volume, sealed.claim))

    assert len(nights) <= 10
    assert sum(read.files for read in nights) >= sum(entry.kind == "file" for entry in seal.listed(backup_volume))


def test_the_rotation_of_another_manifest_begins_anew(backup_volume, sealed):
    anew = look(backup_volume, sealed.claim, TENTH)

    assert look(backup_volume, sealed.claim, TENTH, Rotation(10**5, 10**6, DIGEST)) == anew


def test_the_first_ten_findings_are_named_and_all_are_counted(backup_volume, sealed):
    shutil.rmtree(backup_volume / TREE / "acme")

    with pytest.raises(errors.BackupDamaged) as found:
        look(backup_volume, sealed.claim)

    assert str(found.value).count(" is missing") == 10
    assert " more" in str(found.value)


def test_a_volume_that_may_not_be_looked_at_is_no_damage(backup_volume, sealed, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(backup_volume / layout.MANIFEST))

    monkeypatch.setattr(layout, "read", refuse)

    with refused(errors.ReadFailed, reason="Permission denied"):
        verification.open_at(backup_volume, sealed.claim)


def test_without_a_manifest_a_claim_of_ours_holds_none_of_the_operator(backup_volume, sealed):
    for name in (layout.MANIFEST, layout.BEGIN):
        (backup_volume / name).unlink()
    metadata = {**sealed.claim["metadata"], "annotations": {}}

    with refused(errors.SealLost, claim="nightly"):
        verification.open_at(backup_volume, {**sealed.claim, "metadata": metadata})


# --- which is next ---


def test_by_shares_the_one_goes_on_that_most_is_read_of():
    other = backup("other", NOW, verifying=Rotation(10, 100, DIGEST))
    begun = backup("begun", NOW, verifying=Rotation(20, 100, DIGEST))
    entries = [*nights(2), other, begun]

    assert verification.choose(entries, "ns", by_shares=True, workflow="me").name == "begun"
    assert verification.choose(entries, "ns", by_shares=False, workflow="me").name != "begun"


def test_one_that_another_run_set_out_to_read_and_did_not_keeps_no_other_waiting():
    stuck = backup("stuck", NOW.replace(day=1), verifying=Rotation(20, 100, DIGEST), verifying_by="verify-1")
    entries = [*nights(2), stuck]

    assert verification.choose(entries, "ns", by_shares=True, workflow="verify-1").name == "stuck"  # a try more
    assert verification.choose(entries, "ns", by_shares=True, workflow="verify-2").name == "night-0"


def test_a_damaged_one_keeps_no_other_waiting():
    damaged = backup("damaged", NOW, damaged=Proof(NOW, "verify-1"))
    older = nights(2, newest=NOW.replace(day=1))

    assert verification.choose([damaged, *older], "ns", by_shares=False, workflow="me").name == "night-0"


# --- the phases ---


def test_one_that_lost_its_label_is_marked_as_any_other(kept, backup_volume):
    without_label(kept)
    read(kept, backup_volume)

    assert fields.label(claim(kept), marks.VERIFIED)


def read(stage, root, *words):
    phases.run(stage, ACCOUNT, "read", "--claim", "nightly", "--backup", root, *words)


def claim(stage):
    return stage.get(CLAIMS, "nightly")


@pytest.mark.lesson(2, 21)
def test_what_was_found_goes_to_the_claim_and_the_backup_is_not_touched(kept, backup_volume):
    before = state_of(backup_volume)

    phases.run(kept, ACCOUNT, "choose", "--sample", "34%")
    for _ in range(3):
        told = fields.annotation(claim(kept), marks.VERIFYING)
        assert not fields.label(claim(kept), marks.VERIFIED)
        read(kept, backup_volume, "--sample", "34%", "--rotation", told)
        if not fields.annotation(claim(kept), marks.VERIFYING):
            break

    assert state_of(backup_volume) == before
    assert fields.label(claim(kept), marks.VERIFIED)
    assert fields.annotation(claim(kept), marks.VERIFIED_BY) == ACCOUNT
    assert {(request.verb, request.target) for request in kept.kubernetes.writes()} == {
        ("patch", "persistentvolumeclaims")
    }


def shares(stage, workflow):
    """Choose as a run of this name would, and tell what is chosen."""
    phases.run(stage, ACCOUNT, "choose", "--sample", "10%", workflow=workflow)
    return (stage.folder / "outputs/claim-name").read_text()


def test_a_begun_one_whose_volume_can_not_be_mounted_is_chosen_once_more_and_then_another(kept, backup_volume, caplog):
    caplog.set_level("INFO")
    read(kept, backup_volume, "--sample", "10%", "--rotation", "-")
    kept.kubernetes.patch(CLAIMS, kept.namespace, "nightly", {"status": {"phase": "Lost"}})
    laid(kept, "next", started="2126-11-01T02:00:00Z", **sealed())

    for _ in range(2):
        with refused(errors.ClaimUnbound, name="nightly"):
            shares(kept, "verify-2")
    assert fields.annotation(claim(kept), marks.VERIFYING_BY) == "verify-2"

    assert shares(kept, "verify-3") == "next"
    assert "nightly: its verification starts again from the beginning, because workflow verify-2" in caplog.text
    assert (
        fields.annotation(claim(kept), marks.VERIFYING),
        fields.annotation(claim(kept), marks.VERIFYING_BY),
    ) == (
        "",
        "",
    )


def test_one_that_is_read_on_night_by_night_is_chosen_until_all_of_it_is_read(kept, backup_volume):
    laid(kept, "next", started="2126-11-01T02:00:00Z", **sealed())
    read(kept, backup_volume, "--sample", "34%", "--rotation", "-")
    nights = 1
    while fields.annotation(claim(kept), marks.VERIFYING):
        assert shares(kept, f"verify-{nights}") == "nightly"
        read(kept, backup_volume, "--sample", "34%", "--rotation", (kept.folder / "outputs/rotation").read_text())
        nights += 1

    assert nights == 3
    assert fields.annotation(claim(kept), marks.VERIFYING_BY) == ""


def test_a_night_that_is_tried_again_reads_the_same_files(kept, backup_volume):
    read(kept, backup_volume, "--sample", "10%", "--rotation", "-")
    once = fields.annotation(claim(kept), marks.VERIFYING)
    read(kept, backup_volume, "--sample", "10%", "--rotation", "-")

    assert fields.annotation(claim(kept), marks.VERIFYING) == once


@pytest.mark.lesson(3)
def test_a_damage_is_told_on_the_claim_until_a_whole_verification_finds_none(kept, backup_volume):
    flip(backup_volume / PDF)
    with pytest.raises(errors.BackupDamaged):
        read(kept, backup_volume)
    told = fields.annotation(claim(kept), marks.DAMAGE)
    damaged = fields.label(claim(kept), marks.DAMAGED)
    flip(backup_volume / PDF)
    read(kept, backup_volume)

    assert "'acme/2026/terms and conditions.pdf' has different content than the listing" in told
    assert damaged
    assert not fields.label(claim(kept), marks.DAMAGED)
    assert fields.label(claim(kept), marks.VERIFIED)


@pytest.mark.parametrize(
    ("harm", "allowed"),
    [
        (lambda _root: None, nullcontext()),
        (
            lambda root: (root / "secrets/system-seed.json").unlink(),
            refused(errors.BackupDamaged, findings=Holding("system-seed.json is missing")),
        ),
    ],
    ids=["whole", "incomplete"],
)
def test_one_of_the_operator_is_checked_for_completeness_and_never_marked(kept, tmp_path, harm, allowed):
    root = tmp_path / "operators"
    operators_backup.make(root)
    kept.claim("nightly-of-it", metadata={"annotations": {"apiManagerBackupName": "it", "apiManagerBackupUID": "uid"}})
    harm(root)
    before, told = kept.get(CLAIMS, "nightly-of-it"), kept.folder / "outputs/verified"

    with allowed:
        phases.run(kept, ACCOUNT, "read", "--claim", "nightly-of-it", "--backup", root, "--sample", "10%")

    assert kept.get(CLAIMS, "nightly-of-it") == before
    assert not told.exists() or told.read_text() == "no"


def test_without_a_backup_there_is_a_clear_refusal(empty):
    with refused(errors.NothingToProve, what="verify"):
        phases.run(empty, ACCOUNT, "choose")


def test_a_mistyped_claim_is_answered_with_the_backups_that_are_there(kept):
    with refused(errors.ClaimMissing, others=["nightly"]):
        phases.run(kept, ACCOUNT, "choose", "--claim-name", "nigthly")


@pytest.mark.lesson(13)
def test_the_pod_that_reads_goes_where_the_claim_is_mounted(kept):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "looks", "namespace": kept.namespace}}
    volumes = [{"name": "backup", "persistentVolumeClaim": {"claimName": "nightly"}}]
    spec = {"nodeName": "node-7", "containers": [{"name": "main"}], "volumes": volumes}
    kept.kubernetes.apply({**pod, "spec": spec, "status": {"phase": "Running"}})

    phases.run(kept, ACCOUNT, "choose")

    told = {name: (kept.folder / "outputs" / name).read_text() for name in ("claim-name", "node-operator", "node")}
    assert told == {"claim-name": "nightly", "node-operator": "In", "node": "node-7"}


def test_a_bad_share_is_refused_before_anything_is_looked_at(kept):
    kept.kubernetes.clear_requests()

    with pytest.raises(click.BadParameter, match="'10' is not a share"):
        phases.run(kept, ACCOUNT, "choose", "--sample", "10")

    assert kept.kubernetes.requests == []


def test_a_running_backup_is_no_choice():
    with pytest.raises(errors.NothingToProve):
        verification.choose([backup("night", NOW, state=BackupState.RUNNING)], "ns", by_shares=True, workflow="me")
