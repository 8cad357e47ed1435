"""System's files in S3: the person says so, the objects are backed up and restored, every listing says what is not."""

import base64
import json
import subprocess

import pytest
from click.testing import CliRunner

from steps.archive import layout
from steps.contract.backup_contract import CLAIM
from tests.builders.installations import CREDENTIALS
from workflows.__main__ import main
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS
from workflows.rehearsal.threescale import installation as threescale

pytestmark = pytest.mark.thorough

PARTS = ("secrets", "configmaps", "apimanager", "file-storage")


@pytest.fixture
def saved(in_s3):
    """Its backup's volume."""
    workflow = in_s3.backup(name="nightly", file_storage="external")
    assert workflow.phase == "Succeeded", workflow.message
    assert workflow.outputs[CLAIM] == "nightly"
    assert {node.name: node.phase for node in workflow.nodes if node.name in PARTS} == dict.fromkeys(PARTS, "Skipped")
    return in_s3.engine.volume("nightly")


def test_without_the_word_it_is_refused_and_nothing_is_written(in_s3):
    workflow = in_s3.backup(name="nightly")

    assert workflow.phase == "Failed"
    assert "Submit with -p file-storage=external" in workflow.node("prepare").attempts[-1].message
    assert "nightly" not in in_s3.exists("persistentvolumeclaims")


def test_a_plan_says_where_the_files_lie_and_asks_for_no_claim_of_theirs(in_s3):
    in_s3.connect("threescale-backup")
    kubeconfig = str(in_s3.folder / "kubeconfig-threescale-backup")
    command = ["plan", "backup", "-n", in_s3.namespace, "--kubeconfig", kubeconfig]

    asked, unasked = (CliRunner().invoke(main, [*command, *more]) for more in (["--file-storage", "external"], []))

    assert asked.exit_code == 0
    said = [line.split("  ")[0] for line in asked.stdout.splitlines() if "System FileStorage" in line]
    assert said == ["left to you"]
    assert "external, in S3 bucket tenants of eu-south-2 at s3.example.test" in asked.stdout
    assert unasked.exit_code == 1
    assert unasked.stderr.count("Submit with -p file-storage=external") == 1
    assert "system-storage" not in unasked.stdout


def test_the_word_for_an_installation_that_has_a_claim_is_refused(installed):
    workflow = installed.backup(name="nightly", file_storage="external")

    assert workflow.phase == "Failed"
    assert "in a claim, not in S3. Leave out -p file-storage=external" in workflow.node("prepare").attempts[-1].message
    assert "nightly" not in installed.exists("persistentvolumeclaims")


def test_a_secret_that_names_no_bucket_is_refused(in_s3):
    in_s3.kubernetes.patch("secrets", in_s3.namespace, "my-s3", {"data": {"AWS_BUCKET": ""}})

    workflow = in_s3.backup(name="nightly", file_storage="external")

    assert (
        "Secret my-s3 in namespace threescale has no value under these keys: AWS_BUCKET"
        in workflow.node("prepare").attempts[-1].message
    )


def test_the_backup_says_where_the_files_lie_and_holds_no_credential_outside_its_secret(in_s3, saved):
    facts = json.loads((saved / layout.MANIFEST).read_bytes())

    assert facts["source"]["file_storage"] == "external"
    assert facts["source"]["external"] == {
        "bucket": "tenants",
        "region": "eu-south-2",
        "hostname": "s3.example.test",
        "path_style": "",
    }
    assert "file_storage" not in facts
    assert "referenced/secrets/my-s3.json" in facts["objects"]
    assert not (saved / layout.TREE).exists()
    listed = in_s3.get("persistentvolumeclaims", "nightly")["metadata"]["labels"]
    assert listed["threescale-backup/file-storage"] == "external"
    said = [path.read_text() for path in saved.rglob("*") if path.is_file() and path.parent.name != "secrets"]
    encoded = [base64.b64encode(value.encode()).decode() for value in CREDENTIALS.values()]
    assert not [text for text in said for value in (*CREDENTIALS.values(), *encoded) if value in text]


def test_it_is_whole_by_our_own_check_and_by_the_system_s_until_files_are_in_it_all_the_same(saved):
    result = CliRunner().invoke(main, ["verify", str(saved)])

    assert result.exit_code == 0
    assert "file-storage: external, in S3 bucket tenants of eu-south-2 at s3.example.test" in result.stdout
    command = ["sha256sum", "-c", "--strict", "--quiet", layout.SUMS]
    assert subprocess.run(command, cwd=saved, check=False).returncode == 0  # noqa: S603  the system's own
    for name in (layout.TREE, layout.LISTING):
        (saved / name).mkdir()
        assert f"{name} exists, but the manifest says" in CliRunner().invoke(main, ["verify", str(saved)]).stdout


@pytest.mark.thorough
def test_it_is_restored_without_a_claim_for_files(in_s3, saved):
    before = in_s3.get("secrets", "my-s3")["data"]
    in_s3.lose()
    in_s3.kubernetes.delete("secrets", in_s3.namespace, "my-s3")
    threescale.give_database_secrets(in_s3.kubernetes, in_s3.namespace)
    in_s3.claim(storageClassName="unknown", metadata={"finalizers": ["example/wait"]})
    in_s3.kubernetes.delete("persistentvolumeclaims", in_s3.namespace, "system-storage")  # none of its business

    with threescale.Operator(in_s3.kubernetes):
        restored = in_s3.restore("nightly")

    assert restored.phase == "Succeeded", restored.message
    assert restored.node("file-storage").phase == "Skipped"
    assert in_s3.get("secrets", "my-s3")["data"] == before
    assert in_s3.get("persistentvolumeclaims", "system-storage")["spec"]["storageClassName"] == "unknown"
    spec = in_s3.get("apimanagers", threescale.NAME)["spec"]
    assert spec["system"]["fileStorage"] == {"simpleStorageService": {"configurationSecretRef": {"name": "my-s3"}}}
    assert (saved / layout.MANIFEST).exists()


def test_a_mistyped_word_is_refused(installed):
    workflow = installed.backup(name="nightly", file_storage="exernal")

    assert workflow.phase == "Failed"
    assert "'exernal' is not one of '', 'external'" in workflow.node("prepare").attempts[-1].message


def test_the_workflow_shows_the_word_as_a_choice():
    (template,) = (
        manifest
        for manifest in render(SETTINGS)
        if manifest["kind"] == "WorkflowTemplate" and manifest["metadata"]["name"] == "threescale-backup"
    )
    (parameter,) = (item for item in template["spec"]["arguments"]["parameters"] if item["name"] == "file-storage")

    assert parameter["enum"] == ["", "external"]
