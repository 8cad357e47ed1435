"""Storage: the class of backups, the claim of System's files, room."""

from pathlib import Path

import pytest

from tests.workflows.doctor.conftest import SECRETS

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[3]
DEFAULT = "storageclass.kubernetes.io/is-default-class"


def make_class(surgery, name, *, default="", policy="Retain", mode="WaitForFirstConsumer"):
    metadata = {"name": name, **({"annotations": {DEFAULT: default}} if default else {})}
    surgery.stage.kubernetes.apply(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": metadata,
            "provisioner": "example.com/x",
            "reclaimPolicy": policy,
            "volumeBindingMode": mode,
        }
    )


def ask_for(surgery, name):
    schedule = f"backup:\n  schedule: 0 2 * * *\n  arguments:\n    storage-class: {name}\n"
    surgery.write(schedule)


def quota(surgery, **hard_and_used):
    hard = {name: pair[0] for name, pair in hard_and_used.items()}
    used = {name: pair[1] for name, pair in hard_and_used.items()}
    metadata = {"name": "limits", "namespace": "threescale"}
    status = {"hard": hard, "used": used}
    surgery.stage.kubernetes.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}, "status": status}
    )


def test_a_class_that_deletes_volumes_is_a_warning_with_the_commands_of_the_readme(surgery, states):
    found = surgery.found("StorageClass of backups")

    assert states(found) == ["warning"]
    assert "If you delete the namespace, you delete the backups." in found[0]["told"]
    readme = (ROOT / "README.md").read_text()
    for command in found[0]["remedy"].partition(": ")[2].replace("-n threescale", "-n api").split("; "):
        assert f"    {command}\n" in readme


def test_a_class_that_retains_volumes_is_well_and_its_binding_mode_is_shown(surgery, states):
    make_class(surgery, "kept")
    ask_for(surgery, "kept")

    found = surgery.found("StorageClass of backups")

    assert states(found) == ["ok"]
    assert found[0]["told"] == (
        "Class kept binds volumes by mode WaitForFirstConsumer and has the reclaim policy Retain."
    )


def test_a_class_that_does_not_exist_is_an_error_that_names_the_others(surgery, states):
    make_class(surgery, "kept")
    ask_for(surgery, "fast")

    found = surgery.found("StorageClass of backups")

    assert states(found) == ["error"]
    assert found[0]["told"] == "There is no StorageClass fast. The classes are: kept, standard."


def test_no_default_class_is_an_error(surgery, states):
    surgery.stage.kubernetes.delete("storageclasses", "", "standard")

    found = surgery.found("StorageClass of backups")

    assert states(found) == ["error"]
    assert "no default StorageClass" in found[0]["told"]


def test_a_class_that_is_not_marked_true_is_no_default(surgery, states):
    surgery.stage.kubernetes.delete("storageclasses", "", "standard")
    make_class(surgery, "kept", default="false")

    assert states(surgery.found("StorageClass of backups")) == ["error"]


def test_two_default_classes_are_a_warning(surgery, states):
    make_class(surgery, "kept", default="true")

    found = surgery.found("StorageClass of backups")

    assert states(found)[0] == "warning"
    assert "Several classes are the default: kept, standard." in found[0]["told"]


def test_claims_of_no_class_need_a_volume_of_an_administrator(surgery, states):
    ask_for(surgery, "none")
    surgery.stage.kubernetes.delete("storageclasses", "", "standard")

    assert states(surgery.found("StorageClass of backups")) == ["ok"]


def test_who_may_not_list_classes_is_told_so(surgery, states):
    surgery.stage.kubernetes.refuse_next("list", "storageclasses", status=403)

    found = surgery.found("StorageClass of backups")

    assert states(found) == ["not allowed to ask"]
    assert "list storageclasses" in found[0]["told"]


@pytest.mark.parametrize(
    ("mode", "state", "told"),
    [
        ("ReadWriteMany", "ok", "ReadWriteMany."),
        ("ReadWriteOnce", "ok", "must run on the node of System's pods"),
        ("ReadWriteOncePod", "warning", "No other pod can mount it"),
    ],
)
def test_the_access_mode_of_system_storage_says_where_pods_can_mount_it(surgery, states, mode, state, told):
    for pod in surgery.stage.exists("pods"):
        surgery.stage.kubernetes.delete("pods", "threescale", pod)
    surgery.stage.lose_claim("system-storage")
    surgery.stage.claim(modes=[mode])

    found = surgery.found("Claim of System's files")

    assert states(found) == [state]
    assert told in found[0]["told"]


def test_without_the_claim_nothing_is_said_against_it(surgery, states):
    for pod in surgery.stage.exists("pods"):
        surgery.stage.kubernetes.delete("pods", "threescale", pod)
    surgery.stage.lose_claim("system-storage")

    assert states(surgery.found("Claim of System's files")) == ["not tried"]


def test_a_quota_without_room_is_an_error_with_its_name_and_numbers(surgery, states):
    quota(surgery, **{"requests.storage": ("20Gi", "15Gi"), "persistentvolumeclaims": ("9", "2")})

    found = surgery.found("Room for a backup")

    assert states(found) == ["error"]
    assert found[0]["told"] == "ResourceQuota limits leaves 5.0 GiB of requests.storage, and a backup needs 10.0 GiB."


def test_a_smaller_backup_has_room(surgery, states):
    quota(surgery, **{"requests.storage": ("20Gi", "15Gi")})
    surgery.write("backup:\n  schedule: 0 2 * * *\n  arguments:\n    storage-request: 5Gi\n", SECRETS)

    found = surgery.found("Room for a backup")

    assert states(found) == ["ok"]
    assert found[0]["told"] == "Quotas leave room for a claim of 5Gi."


def test_a_quota_on_claims_counts_them(surgery, states):
    quota(surgery, persistentvolumeclaims=("2", "2"))

    found = surgery.found("Room for a backup")

    assert states(found) == ["error"]
    assert "leaves 0 of persistentvolumeclaims, and a backup needs 1" in found[0]["told"]


def test_the_quota_of_a_class_counts_its_claims(surgery, states):
    make_class(surgery, "kept")
    ask_for(surgery, "kept")
    quota(surgery, **{"kept.storageclass.storage.k8s.io/requests.storage": ("1Gi", "0")})

    assert states(surgery.found("Room for a backup")) == ["error"]
