"""What is refused is refused before anything is written: exit code 1, no write request, no byte on any volume."""

import base64
import json
import math
from typing import Any, NamedTuple

import pytest

from steps.archive import marks
from tests.builders.roles import without
from tests.builders.volumes import flip
from tests.embedded.kubernetes import Asked
from workflows.rehearsal.threescale import file_storage
from workflows.rehearsal.threescale import objects as threescale_objects

pytestmark = pytest.mark.thorough

APIMANAGER = "example-apimanager"
BACKUP = "threescale-backup"
RESTORE = "threescale-restore"
TREE = "system-filestorage-pvc"
OPERATOR = "threescale-operator-controller-manager-v2"


class Outcome(NamedTuple):
    """How a workflow ended, and what it did."""

    phase: str
    exit_codes: list[int | None]
    writes: list[Asked]
    changed: list[str]


REFUSED = Outcome("Failed", [1], [], [])
REFUSED_AT_LAST = Outcome("Failed", [75, 75, 75, 1], [], [])


def run(stage, template, phase, *, entrypoint=None, **parameters) -> tuple[Outcome, str]:
    """Run a workflow; return how it ended, and the message of the phase."""
    before = files(stage)
    stage.kubernetes.clear_requests()
    given = {name.replace("_", "-"): value for name, value in parameters.items()}
    workflow = stage.engine.submit(template, given, entrypoint=entrypoint)
    after = files(stage)
    node = workflow.nodes[0] if entrypoint else workflow.node(phase)
    changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    exit_codes = [attempt.exit_code for attempt in node.attempts]
    return Outcome(workflow.phase, exit_codes, stage.kubernetes.writes(), changed), node.attempts[-1].message


def files(stage) -> dict[str, Any]:
    """All that lies on all volumes."""
    return {str(path): (path.lstat().st_mtime_ns, content(path)) for path in (stage.folder / "volumes").rglob("*")}


def content(path) -> bytes:
    return path.read_bytes() if path.is_file() and not path.is_symlink() else b""


def patch_apimanager(stage, spec) -> None:
    stage.kubernetes.patch("apimanagers", stage.namespace, APIMANAGER, {"spec": spec})


def delete(stage, resource, *names) -> None:
    for name in names or stage.exists(resource):
        stage.kubernetes.delete(resource, stage.namespace, name)


def add_apimanager(stage, name=APIMANAGER, **annotations) -> None:
    (sample,) = threescale_objects.sample("apimanager", stage.namespace)
    sample["metadata"] |= {"name": name, "annotations": annotations}
    stage.kubernetes.create(sample)


def add_claim(stage, name, **metadata) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata |= {"name": name, "namespace": stage.namespace}
    stage.kubernetes.create(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec},
    )


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def of_a_secret(stage, name, data) -> None:
    stage.kubernetes.patch("secrets", stage.namespace, name, {"data": data})


# --- a backup ---

NOT_TO_BACK_UP = {
    "no APIManager": (
        lambda stage: delete(stage, "apimanagers", APIMANAGER),
        "Namespace threescale has no APIManager",
    ),
    "two APIManagers": (
        lambda stage: add_apimanager(stage, "other"),
        "The APIManagers here are: example-apimanager, other.",
    ),
    "an internal database, said by externalComponents": (
        lambda stage: patch_apimanager(stage, {"externalComponents": {"system": {"database": None}}}),
        "inside the cluster: system database.",
    ),
    "internal databases, said by highAvailability": (
        lambda stage: patch_apimanager(stage, {"externalComponents": None, "highAvailability": {"enabled": False}}),
        "inside the cluster: system database, system redis, backend redis.",
    ),
    "no Secret system-seed": (
        lambda stage: delete(stage, "secrets", "system-seed"),
        "missing in namespace threescale: Secret system-seed.",
    ),
    "no ConfigMap system-environment": (
        lambda stage: delete(stage, "configmaps", "system-environment"),
        "missing in namespace threescale: ConfigMap system-environment.",
    ),
    "a required key that is empty": (
        lambda stage: of_a_secret(stage, "system-database", {"URL": ""}),
        "Secret system-database in namespace threescale has no value under these keys: URL.",
    ),
    "files in S3": (
        lambda stage: patch_apimanager(stage, {"system": {"fileStorage": {"simpleStorageService": {}}}}),
        "keeps System's FileStorage in S3",
    ),
    "a system-storage that is being deleted": (
        lambda stage: delete(stage, "persistentvolumeclaims", "system-storage"),
        "Claim 'system-storage' in namespace threescale is being deleted",
    ),
    "no system-storage": (
        lambda stage: (delete(stage, "pods"), stage.lose_claim("system-storage")),
        "no claim 'system-storage'",
    ),
}


@pytest.mark.parametrize(("harm", "said"), NOT_TO_BACK_UP.values(), ids=NOT_TO_BACK_UP)
def test_an_installation_that_cannot_be_backed_up_is_refused(installed, harm, said):
    harm(installed)

    outcome, sentence = run(installed, BACKUP, "prepare")

    assert outcome == REFUSED
    assert said in sentence


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"name": "by.night"}, "'by.night' is not a valid name of a backup"),
        ({"name": "n" * 64}, "at most 63 characters"),
        ({"storage_request": "ten"}, "'--storage-request': 'ten' is not a size"),
    ],
)
def test_what_no_backup_can_be_asked_for_is_refused(installed, parameters, said):
    outcome, sentence = run(installed, BACKUP, "prepare", **parameters)

    assert outcome == REFUSED
    assert said in sentence


@pytest.mark.parametrize(
    ("metadata", "holder"),
    [
        ({}, "not a backup of this tool"),
        ({"labels": {marks.WORKFLOW: "last-night", marks.WORKFLOW_UID: "1"}}, "made by workflow last-night"),
        ({"annotations": {"apiManagerBackupName": "by-hand"}}, "a backup of the operator"),
    ],
)
def test_a_claim_of_the_same_name_is_never_written_over(installed, metadata, holder):
    add_claim(installed, "nightly", **metadata)

    outcome, sentence = run(installed, BACKUP, "prepare", name="nightly")

    assert outcome == REFUSED
    assert f"Claim 'nightly' already exists in namespace threescale ({holder})" in sentence


def test_a_claim_that_this_very_workflow_made_is_its_own(installed):
    def make(_request) -> None:
        uid = installed.kubernetes.get("workflows", installed.namespace, "tonight")["metadata"]["uid"]
        add_claim(installed, "nightly", labels={marks.WORKFLOW_UID: uid})

    installed.kubernetes.before_next("get", "persistentvolumeclaims", make, name="nightly")

    workflow = installed.engine.submit(BACKUP, {"name": "nightly"}, name="tonight", entrypoint="prepare")

    assert workflow.phase == "Succeeded"
    assert installed.kubernetes.writes() == []


def test_an_exceeded_quota_is_told_apart_from_missing_rights(installed):
    there = len(installed.exists("persistentvolumeclaims"))
    installed.kubernetes.quota("persistentvolumeclaims", installed.namespace, limit=there)

    outcome, sentence = run(installed, BACKUP, "prepare")

    assert outcome._replace(writes=[]) == REFUSED
    assert [(request.verb, request.status) for request in outcome.writes] == [("create", 403)]
    assert "A quota of namespace threescale leaves no room for persistentvolumeclaims" in sentence


def test_a_missing_right_to_write_names_the_roles_to_apply(installed):
    without(installed, BACKUP, "persistentvolumeclaims", "create")

    outcome, sentence = run(installed, BACKUP, "prepare")

    assert outcome._replace(writes=[]) == REFUSED
    assert [(request.verb, request.status) for request in outcome.writes] == [("create", 403)]
    assert "not allowed to create persistentvolumeclaims" in sentence
    assert "Apply the Roles that `threescale-backup manifests` renders" in sentence


@pytest.mark.parametrize(
    ("resource", "verb"), [("apimanagers", "list"), ("secrets", "get"), ("persistentvolumeclaims", "get")]
)
def test_a_backup_without_the_right_to_read_is_refused(installed, resource, verb):
    without(installed, BACKUP, resource, verb)

    outcome, sentence = run(installed, BACKUP, "prepare")

    assert outcome == REFUSED
    assert f"not allowed to {verb} {resource}" in sentence


# --- a damaged backup ---


def truncate(path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


DAMAGES = {
    "a truncated Secret": ("secrets/system-seed.json", truncate, "secrets/system-seed.json has"),
    "an empty Secret": (
        "secrets/zync.json",
        lambda path: path.write_bytes(b""),
        "secrets/zync.json has 0 bytes",
    ),
    "a flipped byte in a Secret": (
        "secrets/system-memcache.json",  # one that is not even restored
        flip,
        "secrets/system-memcache.json has different content than the manifest",
    ),
    "a flipped byte in a ConfigMap": (
        "configmaps/system-environment.json",
        flip,
        "configmaps/system-environment.json has different content",
    ),
    "a flipped byte in the APIManager": (
        "apimanager/apimanager-backup.json",
        flip,
        "apimanager/apimanager-backup.json has different content",
    ),
    "a flipped byte in the listing": (
        "system-filestorage.mtree",
        flip,
        "system-filestorage.mtree has different content",
    ),
    "a missing file of the tree": (
        f"{TREE}/acme/2026/terms and conditions.pdf",
        lambda path: path.unlink(),
        "'acme/2026/terms and conditions.pdf' is missing",
    ),
    "a shortened file of the tree": (f"{TREE}/acme/2026/-rf", truncate, "'acme/2026/-rf' has 7 bytes instead of 27"),
    "a link in the place of a folder": (
        f"{TREE}/empty-dir",
        lambda path: (path.rmdir(), path.symlink_to("acme")),
        "'empty-dir' is a link, listed as dir",
    ),
    "no manifest": ("manifest.json", lambda path: path.unlink(), "was begun and not finished"),
}


@pytest.mark.parametrize(("name", "harm", "said"), DAMAGES.values(), ids=DAMAGES)
@pytest.mark.lesson(3)
def test_a_damaged_backup_is_refused(lost, name, harm, said):
    harm(lost.engine.volume("nightly") / name)

    outcome, sentence = run(lost, RESTORE, "prepare", entrypoint="prepare", claim_name="nightly")

    assert outcome == REFUSED
    assert said in sentence


# --- a namespace that is not ready for a restore ---


@pytest.mark.lesson(23)
def test_a_mistyped_claim_is_answered_with_the_backups_that_there_are(lost):
    outcome, sentence = run(lost, RESTORE, "check", claim_name="nigthly")

    assert outcome == REFUSED
    assert "Namespace threescale has no claim 'nigthly'. The backups here are: nightly" in sentence


def test_an_argument_that_only_the_last_phase_needs_is_refused_before_anything_is_made(lost):
    outcome, sentence = run(lost, RESTORE, "prepare", claim_name="nightly", ready="soon")

    assert outcome == REFUSED
    assert "'soon' is not one of 'as-before', 'available', 'deployments'" in sentence


@pytest.mark.parametrize(
    ("name", "annotations"),
    [(APIMANAGER, {}), ("other", {}), (APIMANAGER, {marks.MANIFEST_DIGEST: "of another backup"})],
    ids=["of the same name", "of another name", "made by a restore of another backup"],
)
@pytest.mark.lesson(7)
def test_nothing_is_restored_over_an_apimanager(lost, name, annotations):
    add_apimanager(lost, name, **annotations)

    outcome, sentence = run(lost, RESTORE, "check", claim_name="nightly")

    assert outcome == REFUSED
    assert "exists in namespace threescale and was not created by a restore of this backup" in sentence


def test_a_second_apimanager_is_refused_beside_the_restored_one(lost, sealed):
    digest = sealed.claim["metadata"]["annotations"][marks.MANIFEST_DIGEST]
    add_apimanager(lost, **{marks.MANIFEST_DIGEST: digest})
    add_apimanager(lost, "other")

    outcome, sentence = run(lost, RESTORE, "check", claim_name="nightly")

    assert outcome == REFUSED
    assert "APIManager 'other' exists" in sentence


@pytest.mark.parametrize("name", ["backend-redis", "system-redis", "system-database"])
def test_a_missing_database_secret_is_refused(lost, name):
    delete(lost, "secrets", name)

    outcome, sentence = run(lost, RESTORE, "check", claim_name="nightly")

    assert outcome == REFUSED
    assert f"missing in namespace threescale: Secret {name}." in sentence


def test_a_database_secret_without_its_address_is_refused(lost):
    of_a_secret(lost, "backend-redis", {"REDIS_QUEUES_URL": ""})

    outcome, sentence = run(lost, RESTORE, "check", claim_name="nightly")

    assert outcome == REFUSED
    assert "Secret backend-redis in namespace threescale has no value under these keys: REDIS_QUEUES_URL" in sentence


@pytest.mark.parametrize(
    ("resource", "verb", "phase"), [("apimanagers", "list", "check"), ("configmaps", "get", "prepare")]
)
def test_a_restore_without_the_right_to_read_is_refused(lost, resource, verb, phase):
    without(lost, RESTORE, resource, verb)

    outcome, sentence = run(lost, RESTORE, phase, entrypoint=phase, claim_name="nightly")

    assert outcome == REFUSED
    assert f"not allowed to {verb} {resource}" in sentence


# --- versions ---


def operator_says(stage, version) -> None:
    labels = {"labels": {"rht.comp_ver": version}}
    stage.kubernetes.patch("deployments", stage.namespace, OPERATOR, {"spec": {"template": {"metadata": labels}}})


def test_an_operator_of_another_version_is_refused(lost):
    operator_says(lost, "2.15")

    outcome, sentence = run(lost, RESTORE, "prepare", claim_name="nightly")

    assert outcome == REFUSED
    assert "The backup is of 3scale 2.16, but the operator in the namespace says 2.15." in sentence


def test_an_operator_of_another_version_is_not_outvoted(lost):
    operator_says(lost, "2.15")

    outcome, _ = run(lost, RESTORE, "prepare", entrypoint="prepare", claim_name="nightly", threescale_version="2.16")

    assert outcome == REFUSED


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "Check that the version is 2.16, then use -p threescale-version=2.16"),
        ({"threescale_version": "2.15"}, "The backup is of 3scale 2.16, but threescale-version says 2.15."),
    ],
)
def test_an_operator_that_tells_no_version_is_refused(lost, parameters, said):
    operator_says(lost, None)

    outcome, sentence = run(lost, RESTORE, "prepare", entrypoint="prepare", claim_name="nightly", **parameters)

    assert outcome == REFUSED
    assert said in sentence


def test_the_right_version_stands_in_for_an_operator_that_tells_none(lost):
    delete(lost, "deployments", OPERATOR)
    parameters = {"claim-name": "nightly", "threescale-version": "2.16"}

    workflow = lost.engine.submit(RESTORE, parameters, entrypoint="prepare")

    assert workflow.phase == "Succeeded"


# --- objects that are already there ---


def restored_secret(stage, name) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((stage.engine.volume("nightly") / f"secrets/{name}.json").read_text())
    found["metadata"]["namespace"] = stage.namespace
    return found


@pytest.mark.lesson(6)
def test_another_value_is_refused_by_its_key_and_never_told(lost):
    secret = restored_secret(lost, "system-seed")
    saved = base64.b64decode(secret["data"]["ADMIN_PASSWORD"]).decode()
    secret["data"] |= {"ADMIN_PASSWORD": encoded("another-password"), "ADDED": encoded("added-value")}
    lost.kubernetes.apply(secret)

    outcome, sentence = run(lost, RESTORE, "prepare", entrypoint="prepare", claim_name="nightly")

    assert outcome == REFUSED
    assert "Secret system-seed: ADDED, ADMIN_PASSWORD" in sentence
    assert not [value for value in (saved, "another-password", "added-value") if value in sentence]


def test_another_configmap_and_another_type_are_refused(lost):
    secret = restored_secret(lost, "system-app") | {"type": "example.com/other"}
    lost.kubernetes.apply(secret)
    metadata = {"name": "system-environment", "namespace": lost.namespace}
    lost.kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"RAILS_ENV": "x"}})

    outcome, sentence = run(lost, RESTORE, "prepare", entrypoint="prepare", claim_name="nightly")

    assert outcome == REFUSED
    assert "Secret system-app: type" in sentence
    assert "ConfigMap system-environment: " in sentence


def test_the_same_value_is_kept(lost):
    there = lost.kubernetes.apply(restored_secret(lost, "system-seed"))

    workflow = lost.engine.submit(RESTORE, {"claim-name": "nightly"}, entrypoint="secrets")

    assert workflow.phase == "Succeeded"
    assert workflow.nodes[0].outputs == {"created": "14", "kept": "1", "replaced": "0", "failure": ""}
    assert lost.get("secrets", "system-seed") == there


# --- the moment after the APIManager was deleted ---


@pytest.fixture
def just_deleted(lost):
    """The APIManager is gone, and the garbage collector has not come yet."""
    lost.install()
    lost.kubernetes.gc_delay_s = math.inf
    delete(lost, "apimanagers", APIMANAGER)
    return lost


@pytest.fixture
def emptied(just_deleted):
    """Deployments and pods went first; an empty system-storage and ConfigMaps still belong to the APIManager."""
    ours = [name for name in just_deleted.exists("deployments") if name != OPERATOR]
    delete(just_deleted, "deployments", *ours)
    delete(just_deleted, "pods")
    file_storage.clear(just_deleted.storage)
    return just_deleted


@pytest.mark.thorough
@pytest.mark.lesson(10)
def test_a_restore_right_after_the_deletion_waits_and_is_then_refused(just_deleted):
    outcome, sentence = run(just_deleted, RESTORE, "check", claim_name="nightly")

    assert outcome == REFUSED_AT_LAST
    assert "still holds parts of a 3scale installation (Deployment apicast-production, " in sentence


@pytest.mark.thorough
@pytest.mark.lesson(7)
def test_what_the_garbage_collector_is_about_to_take_is_never_kept(emptied):
    outcome, sentence = run(emptied, RESTORE, "prepare", entrypoint="prepare", claim_name="nightly")

    assert outcome == REFUSED_AT_LAST
    for name in ("ConfigMap apicast-environment", "PersistentVolumeClaim system-storage"):
        assert f"{name} belongs to APIManager example-apimanager, which is gone" in sentence


@pytest.mark.usefixtures("tried_once")
def test_a_database_secret_that_is_about_to_go_is_not_taken_for_there(emptied):
    owner = emptied.get("configmaps", "system-environment")["metadata"]["ownerReferences"]
    metadata = {"metadata": {"ownerReferences": owner}}
    emptied.kubernetes.patch("secrets", emptied.namespace, "system-redis", metadata)

    outcome, sentence = run(emptied, RESTORE, "check", claim_name="nightly")

    assert outcome == REFUSED._replace(exit_codes=[75])
    assert "Secret system-redis belongs to APIManager example-apimanager, which is gone" in sentence


def test_once_the_garbage_collector_has_come_the_next_try_goes_on(emptied, hand):
    hand.against("prepare", lambda _process: None, lambda _process: emptied.kubernetes.collect_garbage())

    workflow = emptied.engine.submit(RESTORE, {"claim-name": "nightly"}, entrypoint="prepare", name="prepare")

    assert workflow.phase == "Succeeded"
    assert [attempt.exit_code for attempt in workflow.nodes[0].attempts] == [75, 0]
    assert "ownerReferences" not in emptied.get("persistentvolumeclaims", "system-storage")["metadata"]
