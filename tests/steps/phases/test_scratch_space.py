"""A drill step by step, with the rights of its rendered Roles."""

import logging
import re

import pytest

from steps import errors
from steps.archive import contents, layout, marks
from steps.catalogue import backup_claims
from steps.catalogue.catalogue import Proof
from steps.contract import names
from steps.kubernetes import fields
from steps.kubernetes.kinds import CONFIGMAP, SECRET
from steps.kubernetes.workflow import Workflow
from steps.parts import file_storage
from steps.phases import scratch_space
from steps.phases.scratch_space import Ledger
from steps.threescale import installation
from tests.builders import operators_backup, phases
from tests.builders.claims import CLAIMS
from tests.builders.listings import NOW, backup, nights
from tests.builders.refusals import Holding, refused
from tests.builders.roles import without
from tests.builders.scratch import SCRATCH, put, there
from tests.builders.volumes import PDF, flip
from workflows.access import access
from workflows.rehearsal.rehearse import SETTINGS

ACCOUNT = "threescale-drill"
ROLE = f"{ACCOUNT}-scratch"
ME = Workflow(ACCOUNT, ACCOUNT)  # as `phases` calls it
DATABASES = set(installation.DATABASE_SECRETS)


@pytest.fixture
def ready(kept):
    """A namespace with a backup, and the rights of a drill in a scratch namespace."""
    for manifest in access(SETTINGS.model_copy(update={"drill_namespace": SCRATCH})):
        kept.kubernetes.apply(manifest)
    return kept


def run(stage, phase, *words):
    phases.run(stage, ACCOUNT, phase, *words)


def prepare(stage, root, *words, claim="nightly"):
    run(stage, "prepare", "--claim", claim, "--backup", root, "--scratch-namespace", SCRATCH, *words)


def objects(stage, root, claim="nightly"):
    run(stage, "objects", "--claim", claim, "--backup", root, "--scratch-namespace", SCRATCH)


def files(stage, root, target, claim="nightly"):
    target.mkdir(exist_ok=True)
    run(stage, "file-storage", "--claim", claim, "--backup", root, "--scratch-claim", NAME, "--scratch", target)


def remove(stage, proven="no", claim="nightly"):
    run(stage, "remove", "--claim", claim, "--proven", proven, "--gone-wait-s", 5)


NAME = scratch_space.claim_name(ME)


@pytest.fixture
def begun(ready, backup_volume):
    """A drill that has its ledger and its scratch claim."""
    run(ready, "choose", "--scratch-namespace", SCRATCH)
    prepare(ready, backup_volume)
    return ready


def nothing_is_left(stage):
    left = {resource: there(stage, resource) for resource in ("secrets", "configmaps", "apimanagers")}
    own = stage.get("configmaps", names.DRILL_LEDGER)
    stage.kubernetes.collect_garbage()
    return left == {"secrets": [], "configmaps": [], "apimanagers": []} and own is None and not stage.get(CLAIMS, NAME)


# --- the scratch namespace ---


def test_the_namespace_of_the_backup_is_none(ready):
    with refused(errors.ScratchIsOwn, namespace="threescale"):
        run(ready, "choose", "--scratch-namespace", ready.namespace)


STRANGE = {
    "APIManager mine": lambda stage: put(stage, "APIManager", "mine", spec={}),
    "PersistentVolumeClaim system-storage": lambda stage: claim(stage, "system-storage"),
    "PersistentVolumeClaim night": lambda stage: claim(stage, "night", labels={marks.BACKUP: "night"}),
    "PersistentVolumeClaim of-it": lambda stage: claim(stage, "of-it", annotations={"apiManagerBackupName": "it"}),
}


def claim(stage, name, **metadata):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    put(stage, "PersistentVolumeClaim", name, metadata=metadata, spec=spec)


@pytest.mark.parametrize(("said", "make"), STRANGE.items(), ids=STRANGE)
def test_a_namespace_that_holds_an_installation_or_a_backup_is_refused(ready, said, make):
    make(ready)
    ready.kubernetes.clear_requests()

    with refused(errors.ScratchTaken, what=[said]):
        run(ready, "choose", "--scratch-namespace", SCRATCH)

    assert ready.kubernetes.writes() == []


OF_ANOTHER = {"labels": {marks.DRILL: "of-another", marks.WORKFLOW_UID: ACCOUNT}}


@pytest.mark.parametrize("metadata", [{}, OF_ANOTHER], ids=["somebody's", "of another namespace's drill"])
@pytest.mark.parametrize(("kind", "name"), [("Secret", "zync"), ("ConfigMap", "system-environment")])
def test_an_object_of_a_name_that_the_drill_needs_is_refused_and_stays(ready, backup_volume, kind, name, metadata):
    made = put(ready, kind, name, metadata=metadata)

    with refused(errors.ScratchTaken, what=[f"{kind} {name}"]):
        prepare(ready, backup_volume)
    remove(ready)

    assert ready.kubernetes.get(f"{kind.lower()}s", SCRATCH, name) == made
    assert ready.get("configmaps", names.DRILL_LEDGER) is None


def test_what_a_drill_has_made_whose_ledger_is_gone_is_said_to_be_its_own(ready, backup_volume):
    put(
        ready, "Secret", "zync", metadata={"labels": scratch_space.labels_of(ready.namespace, Workflow("dead", "dead"))}
    )

    with refused(errors.ScratchNotCleared, what=["Secret zync"]):
        prepare(ready, backup_volume)

    assert there(ready, "secrets") == ["zync"]
    assert ready.get("configmaps", names.DRILL_LEDGER) is None


def test_what_3scale_gives_a_name_is_refused_though_the_backup_has_none_of_it(ready, tmp_path):
    root = operators_backup.make(tmp_path / "operators")  # which never holds the ConfigMaps that a user edits
    ready.claim("operators", metadata={"annotations": {"apiManagerBackupName": "it", "apiManagerBackupUID": "uid"}})
    put(ready, "ConfigMap", "backend-environment")

    with refused(errors.ScratchTaken, what=["ConfigMap backend-environment"]):
        prepare(ready, root, claim="operators")


@pytest.mark.thorough
def test_what_is_there_by_itself_is_none_of_ours(ready, backup_volume):
    put(ready, "ConfigMap", "kube-root-ca.crt", data={"ca.crt": "x"})
    prepare(ready, backup_volume)
    objects(ready, backup_volume)
    remove(ready)

    assert there(ready, "configmaps") == ["kube-root-ca.crt"]


# --- rights ---


def test_without_rights_there_the_sentence_holds_the_rule(kept):
    with pytest.raises(errors.NotAllowedInScratch) as refused:
        run(kept, "choose", "--scratch-namespace", SCRATCH)

    said = str(refused.value)
    assert '{"apiGroups": ["apps.3scale.net"], "resources": ["apimanagers"], "verbs": ["list", "create"]}' in said
    assert f"Set drill.namespace in threescale-backup.yaml to {SCRATCH} and apply the file again." in said


def test_names_that_the_role_lacks_are_all_in_one_sentence(ready, backup_volume):
    without(ready, ROLE, "secrets", "get", namespace=SCRATCH)

    with refused(errors.NotAllowedInScratch, verbs=["get", "delete"], names=Holding("backend")):
        prepare(ready, backup_volume)

    assert ready.get("configmaps", names.DRILL_LEDGER) is None


@pytest.mark.parametrize("resource", ["secrets", "configmaps", "apimanagers"])
@pytest.mark.thorough
def test_a_right_to_create_that_is_missing_is_told_as_a_rule(begun, backup_volume, resource):
    without(begun, ROLE, resource, "create", namespace=SCRATCH)

    with refused(errors.NotAllowedInScratch, resource=resource, verbs=Holding("create")):
        objects(begun, backup_volume)
    remove(begun)

    assert nothing_is_left(begun)


# --- what is made ---


@pytest.mark.lesson(2)
def test_all_of_a_backup_is_made_held_against_it_and_removed(begun, backup_volume, sealed, tmp_path):
    scratch_claim = begun.get(CLAIMS, NAME)
    objects(begun, backup_volume)
    made = there(begun, "secrets"), there(begun, "configmaps"), there(begun, "apimanagers")
    zync = begun.kubernetes.get("secrets", SCRATCH, "zync")
    files(begun, backup_volume, tmp_path / "scratch")
    begun.kubernetes.clear_requests()
    remove(begun, "yes")

    assert set(made[0]) >= {"zync", *DATABASES, *SETTINGS.secrets}
    assert "system-memcache" not in made[0]
    assert set(made[1]) >= {*installation.CONFIGMAPS, *installation.EDITED_CONFIGMAPS}
    assert made[2] == []
    assert zync["metadata"]["labels"].items() >= scratch_space.labels_of(begun.namespace, ME).items()
    assert zync["data"]
    assert scratch_claim["metadata"]["ownerReferences"][0]["name"] == names.DRILL_LEDGER
    assert not backup_claims.is_backup(scratch_claim)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert nothing_is_left(begun)
    proven = begun.get(CLAIMS, sealed.name)
    counts = "190509 bytes, 22 created, 43 files, 46 folders, 2 links, 1 tried"
    assert fields.annotation(proven, marks.PROVEN_BY) == ACCOUNT
    assert re.fullmatch(rf"{counts}; \d+\.\d s", fields.annotation(proven, marks.PROVEN_COUNTS))
    deleted = {request.resource for request in begun.kubernetes.writes() if request.verb == "delete"}
    assert deleted == {"secrets", "configmaps"}


WITHOUT_EVIDENCE = {
    "it is gone": lambda stage: stage.kubernetes.delete("configmaps", stage.namespace, names.DRILL_RESULTS),
    "it may not be read": lambda stage: stage.kubernetes.refuse_next(
        "get", "configmaps", status=403, name=names.DRILL_RESULTS
    ),
}


@pytest.mark.parametrize("lose", WITHOUT_EVIDENCE.values(), ids=WITHOUT_EVIDENCE)
@pytest.mark.thorough
def test_without_evidence_a_drill_proves_and_keeps_no_counts_of_the_one_before(begun, backup_volume, sealed, lose):
    counted = {"metadata": {"annotations": {marks.PROVEN_COUNTS: "9 created; 1.0 s"}}}
    begun.kubernetes.patch(CLAIMS, begun.namespace, sealed.name, counted)
    objects(begun, backup_volume)
    lose(begun)
    remove(begun, "yes")

    found = begun.get(CLAIMS, sealed.name)
    assert fields.label(found, marks.PROVEN)
    assert fields.annotation(found, marks.PROVEN_COUNTS) == ""


@pytest.mark.thorough
def test_each_phase_can_be_tried_again(begun, backup_volume, tmp_path, sealed):
    run(begun, "choose", "--scratch-namespace", SCRATCH)
    prepare(begun, backup_volume)
    for _ in range(2):
        objects(begun, backup_volume)
        files(begun, backup_volume, tmp_path / "scratch")
    for _ in range(2):
        remove(begun, "yes")

    assert nothing_is_left(begun)
    assert fields.label(begun.get(CLAIMS, sealed.name), marks.PROVEN)


@pytest.mark.thorough
def test_an_apimanager_that_the_server_would_not_take_is_not_proven(begun, backup_volume):
    begun.kubernetes.refuse_next("create", "apimanagers", status=422, message="spec.wildcardDomain: Invalid value")

    with refused(errors.Rejected, verb="create", resource="apimanagers", message=Holding("spec.wildcardDomain")):
        objects(begun, backup_volume)
    remove(begun)

    assert nothing_is_left(begun)


def test_a_webhook_without_dry_runs_fails_no_drill_and_is_named(begun, backup_volume, caplog):
    says = 'admission webhook "label.example.test" does not support dry run'
    begun.kubernetes.refuse_next("create", "apimanagers", status=400, reason="BadRequest", message=says)

    objects(begun, backup_volume)

    assert "label.example.test" in caplog.text


def test_an_object_that_the_cluster_changes_is_found(begun, backup_volume):
    def change(_request):
        begun.kubernetes.patch("secrets", SCRATCH, "zync", {"data": {"SECRET_KEY_BASE": "Y2hhbmdlZA=="}})

    begun.kubernetes.after_next("create", "secrets", change, name="zync")

    with refused(errors.DrillDiffers, differing=["Secret zync: SECRET_KEY_BASE"]):
        objects(begun, backup_volume)


@pytest.mark.parametrize("restored", [False, True], ids=["somebody's", "a restore's"])
@pytest.mark.thorough
def test_an_object_that_appears_meanwhile_is_not_taken_for_ours(begun, backup_volume, restored):
    opened = contents.open_at(backup_volume)
    saved = opened.read(f"{layout.SECRETS}/zync.json")
    metadata = {"annotations": opened.mark.annotations()} if restored else {}
    put(begun, "Secret", "zync", metadata=metadata, data=saved["data"], type=saved["type"])

    with refused(errors.ChangedSincePlan, changes=["Secret zync has appeared"]):
        objects(begun, backup_volume)
    remove(begun)

    assert there(begun, "secrets") == ["zync"]


@pytest.mark.lesson(2, 3)
@pytest.mark.thorough
def test_a_drill_of_a_damaged_backup_fails_and_says_so_on_the_claim(begun, backup_volume, tmp_path, sealed):
    flip(backup_volume / PDF)

    with refused(errors.BackupDamaged, findings=Holding("has different content than the listing")):
        files(begun, backup_volume, tmp_path / "scratch")
    remove(begun)

    found = begun.get(CLAIMS, sealed.name)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert fields.label(found, marks.DAMAGED)
    assert not fields.label(found, marks.PROVEN)
    assert nothing_is_left(begun)


def test_a_tree_that_is_not_as_it_was_written_is_found(begun, backup_volume, tmp_path, monkeypatch):
    target = tmp_path / "scratch"
    written = drill_written(target)
    monkeypatch.setattr("steps.files.comparison.differences", written)

    with refused(errors.TargetDiffers, findings=Holding("conditions.pdf' has different content than the listing")):
        files(begun, backup_volume, target)

    assert list(target.iterdir()) == []


@pytest.mark.parametrize(("last_try", "left"), [(False, True), (True, False)])
def test_what_is_written_stays_for_another_try_only(backup_volume, tmp_path, monkeypatch, last_try, left):
    def lose(*_arguments):
        raise errors.VolumeStale("acme")

    monkeypatch.setattr("steps.files.comparison.differences", lose)
    target = tmp_path / "scratch"
    target.mkdir()

    with pytest.raises(errors.VolumeStale):
        file_storage.prove(contents.open_at(backup_volume), NAME, target, lambda *_: None, 1, last_try=last_try)

    assert bool(list(target.iterdir())) is left


def test_a_scratch_volume_that_can_not_be_emptied_is_told_and_proves_the_backup_all_the_same(
    begun, backup_volume, tmp_path, monkeypatch, caplog
):
    def refuse(_target, _passed_over):
        raise errors.VolumeFailed("acme", "I/O error")

    monkeypatch.setattr("steps.files.removal.empty", refuse)
    with caplog.at_level(logging.INFO):
        files(begun, backup_volume, tmp_path / "scratch")

    assert (
        f"PersistentVolumeClaim {NAME}: not emptied, files of the backup remain on its volume: The file system failed"
        in caplog.text
    )


def test_what_becomes_of_the_scratch_volume_is_told(begun, caplog):
    volume_name = begun.get(CLAIMS, NAME)["spec"]["volumeName"]
    with caplog.at_level(logging.INFO):
        remove(begun)

    assert f"PersistentVolume {volume_name}: will be deleted with the scratch claim" in caplog.text


def drill_written(target):
    """In the place of the look at names and sizes: a disk that loses a bit of what it was given."""

    def lose(*_arguments):
        flip(target / PDF.relative_to(layout.TREE))
        return iter(())

    return lose


@pytest.mark.thorough
def test_one_of_the_operator_restores_and_is_held_against_itself(ready, tmp_path):
    root = operators_backup.make(tmp_path / "operators")
    ready.claim("operators", metadata={"annotations": {"apiManagerBackupName": "it", "apiManagerBackupUID": "uid"}})
    prepare(ready, root, claim="operators")
    objects(ready, root, claim="operators")
    files(ready, root, tmp_path / "scratch", claim="operators")
    remove(ready, "yes", claim="operators")

    assert fields.label(ready.get(CLAIMS, "operators"), marks.PROVEN)
    assert nothing_is_left(ready)


# --- the scratch claim ---


@pytest.mark.parametrize(
    ("words", "size", "storage_class"),
    [((), "100Mi", "standard"), (("--storage-request", "1Gi", "--storage-class", "standard"), "1Gi", "standard")],
)
def test_the_scratch_claim_is_as_the_data_need_or_as_asked(ready, backup_volume, words, size, storage_class):
    prepare(ready, backup_volume, *words)

    spec = ready.get(CLAIMS, NAME)["spec"]
    assert (spec["resources"]["requests"]["storage"], spec["storageClassName"]) == (size, storage_class)
    assert spec["accessModes"] == ["ReadWriteOnce"]


def test_the_scratch_claim_of_a_backup_with_holes_is_as_its_data_need(backup_volume):
    with (backup_volume / layout.TREE / "large").open("wb") as sparse:
        sparse.truncate(300 << 30)
    found = contents.open_at(backup_volume)
    facts = found.manifest.file_storage.model_copy(update={"size_bytes": (300 << 30) + 1000})
    manifest = found.manifest.model_copy(update={"file_storage": facts})

    assert scratch_space._size(contents.Backup(backup_volume, manifest, found.digest, found.name)) == "100Mi"


def test_a_scratch_claim_that_is_too_small_is_refused(ready, backup_volume):
    with pytest.raises(errors.RequestTooSmall):
        prepare(ready, backup_volume, "--storage-request", "1Ki")


def test_a_claim_of_that_name_is_left_alone(ready, backup_volume):
    ready.claim(NAME)

    with pytest.raises(errors.ScratchClaimTaken):
        prepare(ready, backup_volume)


# --- what a drill that died has left ---


def left_by(stage, uid="uid-of-the-dead", scratch=SCRATCH):
    """The ledger and a Secret of another drill."""
    who = Workflow("dead", uid)
    ledger = Ledger(who, scratch, "nightly", "uid", {SECRET: ["zync"], CONFIGMAP: []})
    stage.kubernetes.apply(with_namespace(ledger.as_object(stage.namespace), stage.namespace))
    put(stage, "Secret", "zync", namespace=scratch, metadata={"labels": scratch_space.labels_of(stage.namespace, who)})


def with_namespace(obj, namespace):
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


def test_what_a_dead_drill_has_left_is_removed_by_the_next(ready):
    left_by(ready)

    run(ready, "choose", "--scratch-namespace", SCRATCH)

    assert there(ready, "secrets") == []
    assert ready.get("configmaps", names.DRILL_LEDGER) is None


def test_a_drill_that_lives_is_left_alone(ready):
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {}, "status": {"phase": "Running"}}
    metadata = {"name": "alive", "namespace": ready.namespace}
    made = ready.kubernetes.apply({**workflow, "metadata": metadata})
    left_by(ready, made["metadata"]["uid"])

    with refused(errors.DrillRuns, workflow="dead"):
        run(ready, "choose", "--scratch-namespace", SCRATCH)

    assert there(ready, "secrets") == ["zync"]


def test_where_no_workflow_can_be_asked_for_a_drill_is_not_taken_for_dead(ready):
    left_by(ready)
    ready.kubernetes.without("argoproj.io")

    with pytest.raises(errors.UnknownResource):
        scratch_space.clear_left(ready.connect(), ready.connect, Workflow("next", "uid-of-the-next"))

    assert there(ready, "secrets") == ["zync"]


STRANGERS = {
    "of nobody": {},
    "of another namespace": {marks.DRILL: "of-another", marks.WORKFLOW_UID: "uid"},
    "of no workflow": {marks.DRILL: "threescale"},
}


@pytest.mark.parametrize("labels", STRANGERS.values(), ids=STRANGERS)
def test_a_configmap_of_the_ledgers_name_that_no_drill_has_written_stays_and_is_told(ready, backup_volume, labels):
    made = put(
        ready,
        "ConfigMap",
        names.DRILL_LEDGER,
        ready.namespace,
        metadata={"labels": labels},
        data={"scratch-namespace": SCRATCH, "secrets": "zync"},
    )
    put(ready, "Secret", "of-somebody")

    with refused(errors.LedgerTaken, name="threescale-drill"):
        run(ready, "choose", "--scratch-namespace", SCRATCH)
    with pytest.raises(errors.LedgerTaken):
        prepare(ready, backup_volume)
    remove(ready)

    assert ready.get("configmaps", names.DRILL_LEDGER) == made
    assert there(ready, "secrets") == ["of-somebody"]


def test_what_can_not_be_removed_says_how_to(ready):
    left_by(ready, scratch="former")

    with pytest.raises(errors.LeftByDrill) as left:
        run(ready, "choose", "--scratch-namespace", SCRATCH)

    assert "kubectl delete secrets,configmaps -n former -l threescale-backup/drill=threescale" in str(left.value)


def test_the_end_of_one_drill_removes_nothing_of_another(ready):
    left_by(ready)

    remove(ready)

    assert there(ready, "secrets") == ["zync"]
    assert ready.get("configmaps", names.DRILL_LEDGER)


@pytest.mark.thorough
def test_what_was_made_anew_under_a_name_is_left_alone(begun, backup_volume):
    objects(begun, backup_volume)
    begun.kubernetes.before_next("delete", "secrets", lambda _request: anew(begun), name="zync")

    remove(begun)

    assert there(begun, "secrets") == ["zync"]


def anew(stage):
    stage.kubernetes.delete("secrets", SCRATCH, "zync")
    put(stage, "Secret", "zync")


def test_a_phase_whose_drill_is_over_makes_nothing(ready, backup_volume):
    with refused(errors.DrillOver, workflow="threescale-drill"):
        objects(ready, backup_volume)

    assert there(ready, "secrets") == []


def test_what_is_held_by_a_finalizer_is_looked_at_again(begun, backup_volume):
    objects(begun, backup_volume)
    held = {"metadata": {"finalizers": ["example.test/hold"]}}
    begun.kubernetes.patch("secrets", SCRATCH, "zync", held)

    with refused(errors.NotRemoved, left=["Secret zync"]):
        remove(begun, "yes")

    assert begun.get("configmaps", names.DRILL_LEDGER)
    assert not fields.label(begun.get(CLAIMS, "nightly"), marks.PROVEN)


# --- which is next ---


def test_the_newest_that_is_not_proven_is_drilled_and_never_a_damaged_one():
    first, second = nights(2)
    damaged = backup("damaged", NOW, damaged=Proof(NOW, "verify-1"))

    assert scratch_space.choose([damaged, second, first], "ns").name == "night-0"
    with refused(errors.NothingToProve, what="drill"):
        scratch_space.choose([damaged], "ns")
