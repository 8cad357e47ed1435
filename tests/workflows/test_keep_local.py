"""Claims that go once their copy was read back, as whole workflows on the embedded cluster with a real restic."""

import hashlib
import json
import math
import shutil

import pytest

from steps import errors
from steps.archive import contents, marks
from steps.catalogue.retention import Rules
from steps.contract import names
from steps.contract.prune_contract import PruneArguments
from steps.kubernetes import times
from steps.repository import ledger as repository_ledger
from steps.repository import local_claims, origin, upload
from steps.restic import program
from steps.restic.store import Store
from steps.threescale import installation
from tests.builders import pushed as repositories_of_tests
from tests.builders import repositories
from tests.builders.claims import CLAIMS
from tests.builders.repositories import NAME, PASSWORD, Looked, packs
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS

pytestmark = pytest.mark.usefixtures("restic_on_path")
NONE = PruneArguments.model_validate({"keep-local": "0"})


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "repository"


@pytest.fixture
def looked(restic, folder):
    return Looked(restic, folder)


@pytest.fixture
def copied(kept, folder):
    """A namespace whose scheduled backup is in the repository."""
    repositories.give(kept, folder)
    schedule(kept)
    workflow = kept.engine.submit("threescale-push", {"repository-init": "yes"})
    assert workflow.phase == "Succeeded", workflow.message
    return kept


def schedule(stage, name="nightly"):
    claim = stage.get(CLAIMS, name)
    claim["metadata"]["labels"][marks.SCHEDULE] = "nights"
    stage.kubernetes.apply(claim)


def prune(stage, **told):
    return stage.engine.submit("threescale-prune", {"keep-local": "0", **told})


def claims(stage):
    """The claims of backups that are not being deleted: a pod that has ended keeps one for a while."""
    every = (each["metadata"] for each in stage.kubernetes.list(CLAIMS, stage.namespace))
    here = (each for each in every if "deletionTimestamp" not in each)
    return sorted(each["name"] for each in here if marks.BACKUP in (each.get("labels") or {}))


def files(root):
    found = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def known(stage):
    data = stage.get("configmaps", names.LEDGER.format(NAME))["data"]
    return {each: json.loads(text) for each, text in data.items() if len(each) == 64}


def ledger(stage, data):
    metadata = {"name": names.LEDGER.format(NAME), "namespace": stage.namespace}
    stage.kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


@pytest.mark.thorough
def test_a_claim_goes_after_its_copy_was_read_back_and_comes_back_equal(copied):
    before = files(copied.engine.volume("nightly"))

    workflow = prune(copied)

    assert workflow.phase == "Succeeded", workflow.message
    assert workflow.node("read-back").outputs["read-back"] == "1"
    assert claims(copied) == []
    (facts,) = known(copied).values()
    assert facts["verified"]
    fetched = copied.engine.submit("threescale-fetch", {"name": "back"})
    assert fetched.phase == "Succeeded", fetched.message
    assert files(copied.engine.volume("back")) == before


@pytest.mark.thorough
def test_a_scheduled_backup_leaves_no_claim(installed, folder):
    repositories.give(installed, folder)
    for manifest in render(SETTINGS.model_copy(update={"repositories": (NAME,)}), rules=NONE):
        installed.engine.apply(manifest)

    for night in ("first", "second"):
        init = "yes" if night == "first" else "no"
        workflow = installed.backup(schedule="nights", name=night, repository_init=init)
        assert workflow.phase == "Succeeded", workflow.message
        assert workflow.node("read-back").outputs["read-back"] == "1"
        assert claims(installed) == []

    assert [each["verified"] != "" for each in known(installed).values()] == [True, True]


@pytest.mark.thorough
def test_a_claim_of_a_person_stays(kept, folder):
    repositories.give(kept, folder)
    kept.engine.submit("threescale-push", {"repository-init": "yes"})

    workflow = prune(kept)

    assert workflow.node("read-back").outputs["read-back"] == "0"
    assert claims(kept) == ["nightly"]
    assert "a person asked for it" in workflow.node("decide").log


@pytest.mark.thorough
def test_a_damaged_copy_keeps_its_claim(copied, folder):
    pack = max(packs(folder), key=lambda each: each.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[len(data) // 3] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(data)

    workflow = prune(copied)

    assert workflow.node("read-back").exit_code == 1
    assert claims(copied) == ["nightly"]
    (facts,) = known(copied).values()
    assert facts["damaged"]
    again = prune(copied)
    assert again.phase == "Succeeded"
    assert claims(copied) == ["nightly"]
    assert "no copy of it was read back whole" in again.node("decide").log


@pytest.mark.thorough
def test_a_repository_without_an_answer_deletes_nothing(copied, folder):
    prune(copied, plan="only")
    folder.rename(folder.with_name("elsewhere"))

    workflow = prune(copied)

    assert workflow.node("read-back").exit_code == 1
    assert claims(copied) == ["nightly"]


@pytest.mark.thorough
def test_a_lost_entry_of_the_ledger_has_the_copy_read_again(copied):
    ((snapshot, _),) = known(copied).items()
    ledger(copied, {snapshot: json.dumps({"proved": "2026-01-02T03:04:05Z"})})

    assert prune(copied, plan="only").phase == "Succeeded"
    assert claims(copied) == ["nightly"]
    assert "verified" not in known(copied)[snapshot]
    assert prune(copied).node("read-back").outputs["read-back"] == "1"


@pytest.mark.thorough
def test_the_copy_of_another_installation_does_not_count(copied):
    metadata = {"name": names.ORIGIN, "namespace": copied.namespace}
    origin = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"id": "f" * 16}}
    copied.kubernetes.apply(origin)
    ((snapshot, _),) = known(copied).items()
    ledger(copied, {snapshot: json.dumps({"verified": "2026-01-02T03:04:05Z", "proved": "2026-01-02T03:04:05Z"})})

    workflow = prune(copied)

    assert workflow.phase == "Succeeded", workflow.message
    assert claims(copied) == ["nightly"]


@pytest.mark.thorough
def test_without_a_repository_it_is_refused(kept):
    workflow = prune(kept)

    assert workflow.node("decide").exit_code == 1
    assert "The argument keep-local needs a repository" in workflow.node("decide").attempts[-1].message


@pytest.mark.thorough
def test_a_killed_reading_goes_on_with_the_copies_that_are_left(copied, folder, monkeypatch, tmp_path):
    root = shutil.copytree(copied.engine.volume("nightly"), tmp_path / "other", symlinks=True)
    repositories_of_tests.changed(root, backup="later")
    digest = hashlib.sha256((root / "manifest.json").read_bytes()).hexdigest()
    claim = copied.get(CLAIMS, "nightly")
    told = claim["metadata"]
    labels = {**told["labels"], marks.BACKUP: "later"}
    annotations = {**told["annotations"], marks.MANIFEST_DIGEST: digest, installation.BACKUP_NAME: "later"}
    metadata = {"name": "later", "namespace": copied.namespace, "labels": labels, "annotations": annotations}
    copied.kubernetes.create({**claim, "metadata": metadata, "spec": {**claim["spec"], "volumeName": ""}})
    door, rules, done = copied.connect(), Rules(local=0), []
    read_whole = local_claims.damage_watch.read_whole
    store = Store(NAME, {"RESTIC_REPOSITORY": str(folder), "RESTIC_PASSWORD": PASSWORD})

    def killed(*told):
        if done:
            raise errors.Interrupted
        done.append(read_whole(*told))
        return done[0]

    with program.opened(store, tmp_path / "private", tmp_path / "cache") as restic:
        made = upload.upload(restic, contents.open_at(root), origin.of(door), "nights", lambda *_: None).snapshot
        ledger_of(door, made.id)
        with monkeypatch.context() as patched:
            patched.setattr(local_claims.damage_watch, "read_whole", killed)
            with pytest.raises(errors.Interrupted):
                local_claims.read_back([restic], door, rules, tmp_path, math.inf)
        assert sum("verified" in each for each in known(copied).values()) == 1
        assert local_claims.read_back([restic], door, rules, tmp_path, 0).left == 1
        assert local_claims.read_back([restic], door, rules, tmp_path, math.inf).whole == 1

    assert prune(copied).phase == "Succeeded"
    assert claims(copied) == []


def ledger_of(door, snapshot):
    repository_ledger.note(door, NAME, snapshot, lambda facts: facts.model_copy(update={"proved": times.now()}))
