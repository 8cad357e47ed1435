"""What the operator's APIManagerRestore does to a backup, done here; and what is said of one that it could not take."""

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from steps import errors
from steps.archive import contents, layout, operators_restore
from steps.archive.manifest import PLACEHOLDER
from steps.catalogue import backup_claims
from tests.builders import crd, phases
from tests.builders.installations import NINE, USERS
from tests.builders.operators_backup import operators_own
from tests.builders.refusals import refused
from workflows.__main__ import main
from workflows.rehearsal import comparison
from workflows.rehearsal.kubernetes import refusals
from workflows.rehearsal.threescale import file_storage
from workflows.rehearsal.threescale import installation as threescale
from workflows.rehearsal.threescale import objects as threescale_objects

OTHER = 1000710000  # a UID as OpenShift gives a namespace
FILES = [
    *(f"secrets/{name}.json" for name in NINE),
    *(f"configmaps/{name}.json" for name in ("apicast-environment", "system-environment")),
]


def objections(root):
    return list(operators_restore.objections(contents.open_at(root)))


def change(root, path, **fields):
    """Change an object file; a field of `metadata` by its own name."""
    obj = json.loads((root / path).read_bytes())
    for field, value in fields.items():
        (obj if field in {"status", "apiVersion", "kind"} else obj["metadata"])[field] = value
    (root / path).write_bytes(layout.as_json(obj))


# --- what it does ---


def restore_as_the_operator(stage, root):
    """Create what is absent as it stands, make the claim, copy the tree, and the APIManager last."""
    for path in FILES:
        obj = json.loads((root / path).read_bytes())
        if stage.get(f"{obj['kind'].lower()}s", obj["metadata"]["name"]) is None:
            create(stage, obj)
    stage.claim(modes=["ReadWriteMany"], resources={"requests": {"storage": "100Mi"}})
    done = copy_as_the_operator(root, stage.storage)
    assert (done.returncode, done.stderr) == (0, "")
    carried = base64.b64encode((root / layout.APIMANAGER).read_bytes())
    metadata = {"name": "restore-serialized-apimanager", "namespace": stage.namespace}
    data = {"apimanager-backup.json": carried.decode()}
    stage.kubernetes.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    create(stage, json.loads(base64.b64decode(carried)))


def create(stage, obj):
    """As `oc create -f` does: the client adds the namespace, which the server asks for, and a file must say none."""
    assert "namespace" not in obj["metadata"]
    return stage.kubernetes.create({**obj, "metadata": {**obj["metadata"], "namespace": stage.namespace}})


def as_another_user(*folders):
    """Run as a UID of the target's namespace, who is of the group; without root as this user, who is of it too."""
    if os.geteuid() != 0:
        return {}
    for path in {parent for folder in folders for parent in (folder, *folder.parents)}:
        if path.is_relative_to(Path(os.environ.get("TMPDIR", "/tmp"))) and path.stat().st_uid == 0:
            path.chmod(path.stat().st_mode | 0o011)
    return {"user": OTHER, "group": 0, "extra_groups": []}


def copy_as_the_operator(root, target):
    """Run its very command as another user."""
    target.mkdir(exist_ok=True)
    words = ["sh", "-c", f"rsync -rl {layout.TREE}/* {target}/"]
    rights = as_another_user(root, target)
    if rights:
        os.chown(target, OTHER, 0)
    return subprocess.run(words, cwd=root, capture_output=True, text=True, check=False, **rights)  # noqa: S603


def known(schema, value):
    """What is left of a value when it is read with the fields that a schema knows, as the operator reads it."""
    if isinstance(value, list):
        return [known(schema.get("items", {}), item) for item in value]
    properties = schema.get("properties")
    if not isinstance(value, dict) or not properties:
        return value
    return {key: known(properties[key], item) for key, item in value.items() if key in properties}


needs_rsync = pytest.mark.skipif(not shutil.which("rsync"), reason="no rsync, by which the operator copies")


@needs_rsync
def test_what_it_makes_of_a_fresh_backup_is_what_was_but_for_what_it_leaves_behind(installed, backup_volume):
    before = comparison.look(installed.kubernetes, installed.namespace, installed.storage)
    installed.lose()
    threescale.give_database_secrets(installed.kubernetes, installed.namespace)

    restore_as_the_operator(installed, backup_volume)

    after = comparison.look(installed.kubernetes, installed.namespace, installed.storage)
    left = {row.what: row.differences for row in comparison.compare(before, after)[:3] if row.differences}
    mine = [f"secrets/{name}" for name in threescale_objects.REFERENCED_SECRETS]
    assert left == {"Secrets": mine, "ConfigMaps": ["configmaps/backend-environment", "configmaps/system"]}
    assert {path for path in before.tree if not path.startswith(".")} == set(after.tree)
    contents = {path: (node.kind, node.content) for path, node in after.tree.items()}
    assert contents == {path: (before.tree[path].kind, before.tree[path].content) for path in after.tree}


def test_what_is_there_already_it_keeps(installed, backup_volume):
    found = installed.get("secrets", "system-seed")
    obj = json.loads((backup_volume / "secrets/system-seed.json").read_bytes())

    with pytest.raises(refusals.Refused, match="already exists"):
        create(installed, obj)

    assert installed.get("secrets", "system-seed") == found


# --- the rules that a backup keeps for it, one after the other ---


def test_the_claim_s_name_can_be_that_of_a_volume_and_one_node_is_enough(sealed):
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", sealed.name)
    assert sealed.claim["spec"]["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.parametrize("name", ["night.ly", "n" * 64, "Nightly", "-nightly", ""])
def test_no_other_name_can_be_asked_for(name):
    with pytest.raises(errors.BadName):
        backup_claims.check_name(name)


def test_its_folders_hold_its_files_and_no_others(backup_volume):
    found = {str(path.relative_to(backup_volume)) for path in backup_volume.glob("*/*.json")}

    unread = {f"secrets/{name}.json" for name in (*USERS, "system-memcache")}
    reports = {path for path in found if path.startswith(f"{layout.REPORTS}/")}
    assert found - reports == {*FILES, *unread, layout.APIMANAGER}


@pytest.mark.parametrize("path", [*FILES, layout.APIMANAGER])
def test_each_is_one_complete_object_with_nothing_that_only_one_cluster_means(backup_volume, path):
    obj = json.loads((backup_volume / path).read_bytes())

    kind = {"secrets": "Secret", "configmaps": "ConfigMap", "apimanager": "APIManager"}[path.partition("/")[0]]
    version = "apps.3scale.net/v1alpha1" if kind == "APIManager" else "v1"
    assert (obj["apiVersion"], obj["kind"]) == (version, kind)
    assert obj["metadata"]["name"] in {Path(path).stem, threescale.NAME}
    assert set(obj["metadata"]) <= {"name", "labels", "annotations"}
    assert set(obj) <= {"apiVersion", "kind", "metadata", "data", "type", "spec"}
    assert obj.get("data") or obj.get("spec")


def test_labels_and_annotations_stay_but_for_those_of_one_cluster(installed, backup_volume):
    for path in (*FILES, layout.APIMANAGER):
        saved = json.loads((backup_volume / path).read_bytes())
        found = installed.get(f"{saved['kind'].lower()}s", saved["metadata"]["name"])["metadata"]
        for part in ("labels", "annotations"):
            one_clusters = ("secret.apimanager.apps.3scale.net/", "kubectl.kubernetes.io/last-applied-configuration")
            kept = {key: value for key, value in found.get(part, {}).items() if not key.startswith(one_clusters)}

            assert saved["metadata"].get(part, {}) == kept


def test_the_version_of_3scale_stays_on_the_apimanager(backup_volume):
    data = (backup_volume / layout.APIMANAGER).read_bytes()
    annotations = json.loads(data)["metadata"]["annotations"]

    assert annotations["apps.3scale.net/apimanager-threescale-version"] == "2.16.0"
    assert len(data) < 1 << 20  # it travels in a Secret


def test_the_saved_apimanager_is_one_by_the_operator_s_own_crd(backup_volume):
    spec = json.loads((backup_volume / layout.APIMANAGER).read_bytes())["spec"]

    found = list(Draft7Validator(crd.spec_schema()).iter_errors(spec))

    assert [error.message for error in found] == []


def test_read_with_fields_of_that_crd_only_what_no_operator_knows_is_lost(backup_volume):
    spec = json.loads((backup_volume / layout.APIMANAGER).read_bytes())["spec"]

    read = known(crd.spec_schema(), spec)

    assert spec["system"]["appSpec"].pop("notYetInvented")
    assert read == spec


@needs_rsync
def test_the_tree_shows_an_entry_at_its_top_even_where_it_has_none(installed, tmp_path):
    file_storage.clear(installed.storage)
    (installed.storage / ".hidden-top").write_bytes(b"hidden")
    phases.backup(installed, tmp_path / "nightly")

    done = copy_as_the_operator(tmp_path / "nightly", tmp_path / "restored")

    assert (done.returncode, done.stderr) == (0, "")
    (alone,) = (tmp_path / "restored").iterdir()
    assert (alone.name, alone.read_bytes()) == (PLACEHOLDER, b"")


@needs_rsync
def test_another_user_of_the_group_copies_the_tree_by_rsync(backup_volume, tmp_path):
    target = tmp_path / "restored"

    done = copy_as_the_operator(backup_volume, target)

    assert (done.returncode, done.stderr) == (0, "")
    before, after = comparison.tree(backup_volume / layout.TREE), comparison.tree(target)
    assert {path for path in before if not path.startswith(".")} == set(after)
    assert {path: node.content for path, node in after.items()} == {path: before[path].content for path in after}


def test_another_user_of_the_group_reads_each_file(backup_volume):
    rights = as_another_user(backup_volume)

    read = subprocess.run(  # noqa: S603  the system's own
        ["cat", *FILES, layout.APIMANAGER],  # noqa: S607
        cwd=backup_volume,
        capture_output=True,
        check=False,
        **rights,
    )

    assert (read.returncode, read.stderr) == (0, b"")
    assert read.stdout == b"".join((backup_volume / path).read_bytes() for path in (*FILES, layout.APIMANAGER))


def test_to_people_it_looks_like_one_of_the_operator_s(sealed, backup_volume):
    annotations = sealed.claim["metadata"]["annotations"]
    assert annotations["apiManagerName"] == threescale.NAME
    assert annotations["apiManagerBackupName"] == sealed.name
    assert annotations["apiManagerUID"]
    assert annotations["apiManagerBackupUID"]

    for path in (*FILES, layout.APIMANAGER):
        data = (backup_volume / path).read_bytes()
        assert data == json.dumps(json.loads(data), indent=4, sort_keys=True).encode() + b"\n"


def test_without_zync_the_backup_is_whole_and_not_for_the_operator(installed, tmp_path):
    root = tmp_path / "nightly"
    disabled = {"spec": {"zync": {"enabled": False}}}
    installed.kubernetes.patch("apimanagers", installed.namespace, threescale.NAME, disabled)
    installed.kubernetes.delete("secrets", installed.namespace, "zync")
    phases.backup(installed, root)

    result = CliRunner().invoke(main, ["verify", "--for-operator", str(root)])

    assert CliRunner().invoke(main, ["verify", str(root)]).exit_code == 0
    assert result.exit_code == 1
    because = "secrets/zync.json is missing (it asks for it even where Zync is disabled)"
    assert result.stdout.splitlines()[1:] == [f"the operator's APIManagerRestore can't restore this backup: {because}"]


def test_a_dot_in_the_name_is_told_by_verify(backup_volume):
    manifest = json.loads((backup_volume / layout.MANIFEST).read_bytes())
    (backup_volume / layout.MANIFEST).write_bytes(layout.as_json({**manifest, "backup": "night.ly"}))

    result = CliRunner().invoke(main, ["verify", "--for-operator", str(backup_volume)])

    assert result.exit_code == 1
    assert "APIManagerRestore can't restore this backup: its pods name a volume after the claim" in result.stdout


# --- what is said ---


def test_a_fresh_backup_can_be_taken_but_for_its_dot_files_and_what_the_apimanager_names(backup_volume):
    result = CliRunner().invoke(main, ["verify", "--for-operator", str(backup_volume)])

    assert result.exit_code == 0
    first = f"'{layout.TREE}/.hidden-top', 'referenced/configmaps/backend-environment.json', "
    assert f"the operator's APIManagerRestore can restore this backup, without {first}" in result.stdout
    assert "'referenced/secrets/my-tls.json'" in result.stdout


def test_a_backup_that_is_not_whole_is_not_called_fit(backup_volume):
    (backup_volume / layout.SUMS).unlink()

    result = CliRunner().invoke(main, ["verify", "--for-operator", str(backup_volume)])

    assert result.exit_code == 1
    assert "APIManagerRestore" not in result.stdout


def test_a_tree_that_may_not_be_listed_is_told(backup_volume, monkeypatch):
    def refuse(path):  # root may list anything
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)

    with refused(errors.ReadFailed, reason="Permission denied"):
        objections(backup_volume)


def test_without_the_word_nothing_is_said_of_it(backup_volume):
    assert "APIManagerRestore" not in CliRunner().invoke(main, ["verify", str(backup_volume)]).stdout


@pytest.mark.parametrize("name", ["night.ly", "n" * 64])
def test_a_name_with_a_dot_or_of_more_than_63_characters_can_t_be_taken(backup_volume, name):
    manifest = json.loads((backup_volume / layout.MANIFEST).read_bytes())
    (backup_volume / layout.MANIFEST).write_bytes(layout.as_json({**manifest, "backup": name}))

    (said,) = objections(backup_volume)

    assert f"its pods name a volume after the claim '{name}'" in said


def test_of_an_operator_s_backup_the_name_is_not_known(backup_volume):
    operators_own(backup_volume)

    assert objections(backup_volume.rename(backup_volume.with_name("night.ly"))) == []


DAMAGES = {
    "no zync": (
        lambda root: (root / "secrets/zync.json").unlink(),
        "secrets/zync.json is missing (it asks for it even where Zync is disabled)",
    ),
    "a missing Secret": (
        lambda root: (root / "secrets/system-app.json").unlink(),
        "secrets/system-app.json is missing",
    ),
    "an aborted file": (
        lambda root: (root / "configmaps/system-environment.json").write_bytes(b""),
        "configmaps/system-environment.json has 0 bytes: the backup was aborted",
    ),
    "a namespace": (
        lambda root: change(root, "secrets/zync.json", namespace="src"),
        "secrets/zync.json has metadata.namespace, which other clusters refuse",
    ),
    "a resourceVersion": (
        lambda root: change(root, "configmaps/system-environment.json", resourceVersion="7"),
        "configmaps/system-environment.json has metadata.resourceVersion, which other clusters refuse",
    ),
    "an owner": (
        lambda root: change(root, layout.APIMANAGER, ownerReferences=[]),
        f"{layout.APIMANAGER} has metadata.ownerReferences, which other clusters refuse",
    ),
    "a uid": (
        lambda root: change(root, layout.APIMANAGER, uid="1"),
        f"{layout.APIMANAGER} has metadata.uid, which other clusters refuse",
    ),
    "a status": (
        lambda root: change(root, layout.APIMANAGER, status={}),
        f"{layout.APIMANAGER} has status, which other clusters refuse",
    ),
    "another version": (
        lambda root: change(root, layout.APIMANAGER, apiVersion="apps.3scale.net/v2"),
        f"{layout.APIMANAGER} is of apps.3scale.net/v2, not of apps.3scale.net/v1alpha1",
    ),
    "a closed file": (
        lambda root: (root / "secrets/system-app.json").chmod(0o600),
        "'secrets/system-app.json' is not readable by its group",
    ),
    "a closed folder": (
        lambda root: (root / layout.TREE / "empty-dir").chmod(0o740),
        "'system-filestorage-pvc/empty-dir' is not readable by its group",
    ),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES.keys())
def test_what_keeps_it_from_being_taken_is_said(backup_volume, damage, said):
    assert objections(backup_volume) == []

    damage(backup_volume)

    assert objections(backup_volume) == [said]


def test_an_apimanager_that_no_secret_can_hold_is_said(backup_volume):
    change(backup_volume, layout.APIMANAGER, annotations={"long": "x" * (1 << 20)})

    (said,) = objections(backup_volume)

    assert said.startswith(f"{layout.APIMANAGER} has 10")
    assert said.endswith("more than the Secret that carries it can hold")


def test_a_tree_of_dot_files_is_said(backup_volume):
    for path in (backup_volume / layout.TREE).iterdir():
        if not path.name.startswith("."):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    (said,) = objections(backup_volume)

    assert "has no visible entry at its root" in said


def test_files_in_s3_are_said(backup_volume):
    manifest = json.loads((backup_volume / layout.MANIFEST).read_bytes())
    manifest["source"] |= {"file_storage": "external", "external": {"bucket": "b", "region": "r"}}
    del manifest["file_storage"]
    (backup_volume / layout.MANIFEST).write_bytes(layout.as_json(manifest))

    result = CliRunner().invoke(main, ["verify", "--for-operator", str(backup_volume)])

    assert result.exit_code == 1
    assert "APIManagerRestore can't restore this backup: System's files are in S3" in result.stdout
