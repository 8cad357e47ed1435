from typing import Any

import pytest
import yaml

from workflows import resources

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
        ("kind: [", "no YAML"),
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
