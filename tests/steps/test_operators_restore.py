"""What the operator's APIManagerRestore does to a backup, done here; and what is said of one that it could not take."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from steps import backup, errors, operators_restore, volume
from tests.steps import crd
from tests.steps.test_prerequisites import operators_own
from tests.steps.test_secrets import NINE
from workflows.__main__ import main
from workflows.rehearsal import comparison

OTHER = 1000710000  # a UID as OpenShift gives a namespace


def objections(root):
    return list(operators_restore.objections(backup.open_at(root)))


def change(root, path, **fields):
    """Change an object file; a field of `metadata` by its own name."""
    obj = json.loads((root / path).read_bytes())
    for field, value in fields.items():
        (obj if field in {"status", "apiVersion", "kind"} else obj["metadata"])[field] = value
    (root / path).write_bytes(volume.as_json(obj))


# --- what it does ---


def test_it_creates_each_object_as_it_stands(lost, backup_volume):
    files = [*(f"secrets/{name}.json" for name in NINE), "configmaps/system-environment.json"]
    for path in [*files, "configmaps/apicast-environment.json"]:
        obj = json.loads((backup_volume / path).read_bytes())
        assert "namespace" not in obj["metadata"]
        metadata = {
            **obj["metadata"],
            "namespace": lost.namespace,
        }  # as `oc create` adds it, and the server asks for it

        created = lost.kubernetes.create({**obj, "metadata": metadata})

        assert created["data"] == obj["data"]
        assert created["metadata"].get("labels") == obj["metadata"].get("labels")


def test_it_reads_the_apimanager_from_a_secret_with_fields_of_its_own(backup_volume):
    data = (backup_volume / volume.APIMANAGER).read_bytes()
    apimanager = json.loads(data)

    assert len(data) < 1 << 20
    assert (apimanager["apiVersion"], apimanager["kind"]) == ("apps.3scale.net/v1alpha1", "APIManager")
    assert apimanager["metadata"]["annotations"]["apps.3scale.net/apimanager-threescale-version"] == "2.16.0"
    assert not {"namespace", "resourceVersion", "ownerReferences", "uid"} & apimanager["metadata"].keys()
    assert "status" not in apimanager


def test_the_saved_apimanager_is_one_by_the_operator_s_own_crd(backup_volume):
    spec = json.loads((backup_volume / volume.APIMANAGER).read_bytes())["spec"]

    found = list(Draft7Validator(crd.spec_schema()).iter_errors(spec))

    assert [error.message for error in found] == []


@pytest.mark.skipif(not shutil.which("rsync"), reason="no rsync, by which the operator copies")
def test_another_user_of_the_group_copies_the_tree_by_rsync(backup_volume, tmp_path):
    target = tmp_path / "restored"
    target.mkdir()
    words = ["sh", "-c", f"rsync -rl {volume.TREE}/* {target}/"]
    as_other = {}
    if os.geteuid() == 0:  # else this user copies, who is of the group too
        os.chown(target, OTHER, 0)
        as_other = {"user": OTHER, "group": 0, "extra_groups": []}
        for folder in [*tmp_path.parents, tmp_path]:
            if folder.is_relative_to(Path(os.environ.get("TMPDIR", "/tmp"))) and folder.stat().st_uid == 0:
                folder.chmod(folder.stat().st_mode | 0o011)

    done = subprocess.run(words, cwd=backup_volume, capture_output=True, text=True, check=False, **as_other)  # noqa: S603

    assert (done.returncode, done.stderr) == (0, "")
    before, after = comparison.tree(backup_volume / volume.TREE), comparison.tree(target)
    assert {path for path in before if not path.startswith(".")} == set(after)
    assert {path: node.content for path, node in after.items()} == {path: before[path].content for path in after}


# --- what is said ---


def test_a_fresh_backup_can_be_taken_but_for_its_dot_files_and_what_the_apimanager_names(backup_volume):
    result = CliRunner().invoke(main, ["verify", "--for-operator", str(backup_volume)])

    assert result.exit_code == 0
    first = f"'{volume.TREE}/.hidden-top', 'referenced/configmaps/backend-environment.json', "
    assert f"the operator's APIManagerRestore can take it, but leaves behind {first}" in result.stdout
    assert "'referenced/secrets/my-tls.json'" in result.stdout


def test_a_backup_that_is_not_whole_is_not_called_fit(backup_volume):
    (backup_volume / volume.SUMS).unlink()

    result = CliRunner().invoke(main, ["verify", "--for-operator", str(backup_volume)])

    assert result.exit_code == 1
    assert "APIManagerRestore" not in result.stdout


def test_a_tree_that_may_not_be_listed_is_told(backup_volume, monkeypatch):
    def refuse(path):  # root may list anything
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(operators_restore.os, "listdir", refuse)

    with pytest.raises(errors.ReadFailed, match="Permission denied"):
        objections(backup_volume)


def test_without_the_word_nothing_is_said_of_it(backup_volume):
    assert "APIManagerRestore" not in CliRunner().invoke(main, ["verify", str(backup_volume)]).stdout


def test_a_name_with_a_dot_can_t_be_taken(backup_volume):
    manifest = json.loads((backup_volume / volume.MANIFEST).read_bytes())
    (backup_volume / volume.MANIFEST).write_bytes(volume.as_json({**manifest, "backup": "night.ly"}))

    (said,) = objections(backup_volume)

    assert "its claim's name 'night.ly' becomes that of a volume in its pods" in said


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
        "secrets/zync.json carries metadata.namespace, which no other cluster takes",
    ),
    "a resourceVersion": (
        lambda root: change(root, "configmaps/system-environment.json", resourceVersion="7"),
        "configmaps/system-environment.json carries metadata.resourceVersion, which no other cluster takes",
    ),
    "an owner": (
        lambda root: change(root, volume.APIMANAGER, ownerReferences=[]),
        f"{volume.APIMANAGER} carries metadata.ownerReferences, which no other cluster takes",
    ),
    "a uid": (
        lambda root: change(root, volume.APIMANAGER, uid="1"),
        f"{volume.APIMANAGER} carries metadata.uid, which no other cluster takes",
    ),
    "a status": (
        lambda root: change(root, volume.APIMANAGER, status={}),
        f"{volume.APIMANAGER} carries status, which no other cluster takes",
    ),
    "another version": (
        lambda root: change(root, volume.APIMANAGER, apiVersion="apps.3scale.net/v2"),
        f"{volume.APIMANAGER} is of apps.3scale.net/v2, not of apps.3scale.net/v1alpha1",
    ),
    "a closed file": (
        lambda root: (root / "secrets/system-app.json").chmod(0o600),
        "'secrets/system-app.json' is closed to its group",
    ),
    "a closed folder": (
        lambda root: (root / volume.TREE / "empty-dir").chmod(0o740),
        "'system-filestorage-pvc/empty-dir' is closed to its group",
    ),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES.keys())
def test_what_keeps_it_from_being_taken_is_said(backup_volume, damage, said):
    assert objections(backup_volume) == []

    damage(backup_volume)

    assert objections(backup_volume) == [said]


def test_an_apimanager_that_no_secret_can_hold_is_said(backup_volume):
    change(backup_volume, volume.APIMANAGER, annotations={"long": "x" * (1 << 20)})

    (said,) = objections(backup_volume)

    assert said.startswith(f"{volume.APIMANAGER} has 10")
    assert said.endswith("more than the Secret in which it travels can hold")


def test_a_tree_of_dot_files_is_said(backup_volume):
    for path in (backup_volume / volume.TREE).iterdir():
        if not path.name.startswith("."):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    (said,) = objections(backup_volume)

    assert "shows no entry at its top" in said


def test_files_in_s3_are_said(backup_volume):
    manifest = json.loads((backup_volume / volume.MANIFEST).read_bytes())
    manifest["source"] |= {"file_storage": "external", "external": {"bucket": "b", "region": "r"}}
    del manifest["file_storage"]
    (backup_volume / volume.MANIFEST).write_bytes(volume.as_json(manifest))

    result = CliRunner().invoke(main, ["verify", "--for-operator", str(backup_volume)])

    assert result.exit_code == 1
    assert "APIManagerRestore can't take it: System's files are in S3" in result.stdout
