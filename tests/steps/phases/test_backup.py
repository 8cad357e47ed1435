import pytest

from steps import errors
from steps.archive import begin_marker, layout, marks
from steps.files import volume
from tests.builders.phase_commands import log, outputs
from workflows.rehearsal.threescale import installation as threescale


def test_an_unnamed_backup_is_called_as_its_workflow(installed, run, tmp_path):
    arguments = ["backup", "prepare", "--name", "", "--storage-request", "1Gi"]

    assert run(*arguments, stage=installed, account="threescale-backup", uid="7") == 0
    assert outputs(tmp_path)["backupPersistentVolumeClaimName"] == "workflow-7"


def test_a_look_at_the_source_names_what_would_be_passed_over_and_how_much_it_shows(run, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(volume, "_is_read_only", lambda _root: True)  # a mock: a test can't mount
    for name in ("hourly", "daily"):
        (tmp_path / "storage/.snapshot" / name).mkdir(parents=True)

    assert run("backup", "source", "--file-storage", tmp_path / "storage") == 0
    assert (tmp_path / "outputs/names").read_text() == "warning: folder .snapshot"
    assert "folder .snapshot  skipped in System FileStorage, contains 2 entries" in caplog.text


def test_an_apimanager_that_is_gone_ends_the_secrets(empty, run, tmp_path):
    (tmp_path / "nightly").mkdir()
    arguments = ["--claim", "nightly", "--backup", tmp_path / "nightly", "--apimanager", "example"]

    assert run("backup", "secrets", *arguments, stage=empty, account="threescale-backup") == 1
    assert log(tmp_path) == str(errors.NoApiManager("threescale"))


@pytest.mark.parametrize("phase", ["apimanager", "external"])
def test_routes_that_the_plan_saw_and_that_are_gone_end_their_phase(installed, run, tmp_path, phase):
    if phase == "external":
        files = {"simpleStorageService": {"configurationSecretRef": {"name": "my-s3"}}}
        spec = {"system": {"fileStorage": files}}
        installed.kubernetes.patch("apimanagers", installed.namespace, threescale.NAME, {"spec": spec})
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "my-s3", "namespace": installed.namespace}}
        installed.kubernetes.apply({**secret, "data": {"AWS_BUCKET": "Yg==", "AWS_REGION": "cg=="}})
    (tmp_path / "nightly").mkdir()
    told = ["--claim", "nightly", "--backup", tmp_path / "nightly", "--apimanager", threescale.NAME]
    installed.kubernetes.delete("routes", installed.namespace, installed.exists("routes")[0])

    assert run("backup", phase, *told, "--planned-routes", "6", stage=installed) == 1
    assert log(tmp_path) == str(errors.RoutesGone(6, 5, installed.namespace))


def test_a_manifest_that_somebody_put_there_ends_the_phases_that_have_not_reported(empty, run, tmp_path):
    root = tmp_path / "nightly"
    root.mkdir()
    empty.install()
    volume_of = ["--claim", "nightly", "--backup", root]
    account = {"stage": empty, "account": "threescale-backup"}
    assert run("backup", "prepare", "--name", "nightly", "--storage-request", "1Gi", **account) == 0
    assert run("backup", "secrets", *volume_of, "--apimanager", "example-apimanager", **account) == 0
    (root / layout.MANIFEST).write_text("{}")

    assert run("backup", "configmaps", *volume_of, "--apimanager", "example-apimanager", **account) == 1
    assert "It holds a manifest.json, but no report of configmaps" in log(tmp_path)
    assert run("backup", "seal", *volume_of, **account) == 1
    assert "its manifest has schema version None" in log(tmp_path)
    assert not marks.sealed(empty.get("persistentvolumeclaims", "nightly"))


def test_a_seal_other_than_the_claim_says_is_not_confirmed(run, sealed, backup_volume, tmp_path, lost):
    digest = {"metadata": {"annotations": {"threescale-backup/manifest-sha256": "0" * 64}}}
    lost.kubernetes.patch("persistentvolumeclaims", lost.namespace, sealed.name, digest)
    begun = begin_marker.marker(backup_volume)
    own = ["--workflow", begun.workflow, "--workflow-uid", begun.workflow_uid]
    arguments = ["--claim", sealed.name, "--backup", backup_volume]

    assert run("backup", "seal", *arguments, stage=lost, account="threescale-backup", more=own) == 1
    assert "manifest.json is not the sealed one" in log(tmp_path)
