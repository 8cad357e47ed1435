from typing import Any

import pytest
import yaml

from workflows.commands import operators_resources as resources

BACKUP = """
apiVersion: apps.3scale.net/v1alpha1
kind: APIManagerBackup
metadata:
 name: example-apimanagerbackup-pvc
spec:
  backupDestination:
    persistentVolumeClaim:
      # resources specification is required but ignored when providing a volumeName
      resources:
        requests: "10Gi"
      volumeName: "my-preexisting-persistent-volume"
"""
RESTORE = """
apiVersion: apps.3scale.net/v1alpha1
kind: APIManagerRestore
metadata:
  name: example-apimanagerrestore-pvc
  namespace: api
spec:
 restoreSource:
   persistentVolumeClaim:
     claimSource:
       claimName: example-apimanagerbackup-pvc # Name of the PVC produced as the backup result
       readOnly: true
"""


def arguments(workflow: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in workflow["spec"]["arguments"]["parameters"]}


def test_an_apimanagerbackup_becomes_a_backup_of_the_same_name() -> None:
    workflow = resources.workflow(BACKUP)

    assert workflow["spec"]["workflowTemplateRef"] == {"name": "threescale-backup"}
    assert arguments(workflow) == {
        "name": "example-apimanagerbackup-pvc",
        "storage-request": "10Gi",
        "volume-name": "my-preexisting-persistent-volume",
    }


def test_an_apimanagerrestore_becomes_a_restore_of_its_claim() -> None:
    workflow = resources.workflow(RESTORE)

    assert workflow["metadata"] == {"generateName": "example-apimanagerrestore-pvc-", "namespace": "api"}
    assert arguments(workflow) == {"claim-name": "example-apimanagerbackup-pvc"}


def test_a_storage_class_and_a_number_of_bytes_are_carried_over() -> None:
    workflow = resources.workflow(
        BACKUP.replace('"10Gi"', "1073741824").replace("volumeName", "storageClass").replace("my-preexisting-", "")
    )

    assert arguments(workflow)["storage-request"] == "1073741824"
    assert arguments(workflow)["storage-class"] == "persistent-volume"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "one APIManagerBackup or APIManagerRestore"),
        (BACKUP + "---" + RESTORE, "one APIManagerBackup or APIManagerRestore"),
        ("kind: [", "not valid YAML"),
        (BACKUP.replace("APIManagerBackup", "APIManager"), "'APIManager'"),
        (BACKUP.replace("v1alpha1", "v1"), "apiVersion"),
        (BACKUP.replace("requests", "request"), "spec.backupDestination.persistentVolumeClaim.resources.request"),
        (BACKUP.replace("backupDestination", "backupDestinaton"), "spec.backupDestination is required"),
        (RESTORE.replace("claimName", "claim"), "claimSource.claimName is required"),
        (RESTORE.replace("  name: example-apimanagerrestore-pvc", "  labels: {}"), "metadata.name is required"),
    ],
)
def test_a_wrong_resource_is_refused_with_its_place(text: str, named: str) -> None:
    with pytest.raises(resources.BadResourceError) as caught:
        resources.workflow(text)

    assert named in str(caught.value)


def test_what_is_printed_can_be_created() -> None:
    text = yaml.safe_dump(resources.workflow(BACKUP))

    assert yaml.safe_load(text)["kind"] == "Workflow"


BOMB = "a: &a [1, 1]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)
)
ODD_YAML = [
    BOMB,
    "&a [*a]",
    "[" * 100_000,
    "{a: " * 150 + "1" + "}" * 150,
    "- " * 5000,
    "at: 2026-13-45",
    "a: !!int x",
    "a: !!bool x",
    "a: !!timestamp x",
    "a: " + "9" * 5000,
]


@pytest.mark.parametrize("text", ODD_YAML, ids=lambda text: text[:20])
@pytest.mark.parametrize("read", [resources.workflow, resources.apimanagers])
def test_yaml_that_nobody_would_write_is_refused_in_one_sentence(read: Any, text: str) -> None:
    with pytest.raises(resources.BadResourceError) as caught:
        read(text)

    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "version", ["v1", "apps.3scale.net", "other.example.com/v1alpha1", "apps.3scale.net.x/v1", "[1]"]
)
def test_an_apimanager_of_another_group_is_none(version: str) -> None:
    with pytest.raises(resources.BadResourceError, match="the file holds no APIManager"):
        resources.apimanagers(f"kind: APIManager\napiVersion: {version}")


def test_of_a_list_only_3scales_apimanagers_are_taken() -> None:
    ours, others = (
        f"{{kind: APIManager, apiVersion: {group}/v1alpha1}}" for group in ("apps.3scale.net", "example.com")
    )
    found = resources.apimanagers(f"kind: List\nitems: [{others}, {ours}, {{kind: Pod}}]")

    assert [each["apiVersion"] for each in found] == ["apps.3scale.net/v1alpha1"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (BACKUP.replace("example-apimanagerbackup-pvc", "a.b"), "name: 'a.b' is not a valid name of a backup"),
        (BACKUP.replace("my-preexisting-persistent-volume", ".."), "volume-name: '..' is not a valid name"),
        (BACKUP.replace("10Gi", "1e400"), "storage-request: '1e400' is not a size"),
        (
            RESTORE.replace("example-apimanagerbackup-pvc #", "../x #"),
            "claim-name: '../x' is not a valid name of a claim",
        ),
        (RESTORE.replace("namespace: api", "namespace: .."), "namespace: '..' is not a valid name of a namespace"),
    ],
)
def test_names_and_sizes_of_a_resource_are_checked(text: str, named: str) -> None:
    with pytest.raises(resources.BadResourceError) as caught:
        resources.workflow(text)

    assert named in str(caught.value)
