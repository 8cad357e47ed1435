"""Volumes of no class, and volumes that come late, on a real cluster."""

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.threescale.installation import SYSTEM_STORAGE
from tests.live.installation import Operator
from tests.live.kubernetes import Kubernetes, until
from tests.live.local_volumes import LocalVolumes
from tests.live.second_node import FIRST, MARK
from tests.live.stage import Stage
from workflows.rehearsal import comparison

pytestmark = pytest.mark.cluster

CLAIMS = "persistentvolumeclaims"
LATE_S = 20.0


@pytest.fixture
def volumes(own_cluster: Kubernetes) -> Iterator[LocalVolumes]:
    with LocalVolumes(own_cluster) as volumes:
        yield volumes


def folder(path: Path) -> Path:
    """A folder that every user may write."""
    path.mkdir()
    path.chmod(0o777)
    return path


def test_files_of_a_static_volume_come_back_to_another_static_volume(
    live: Stage, volumes: LocalVolumes, tmp_path: Path
) -> None:
    old, new = (volumes.make(name, FIRST, folder=folder(tmp_path / name)) for name in ("old", "new"))
    live.installation.storage = {"storageClassName": "", "volumeName": old}
    live.installation.install()
    before = live.installation.look()
    backup = live.backup(name="nightly", storage_request="256Mi")
    assert backup.phase == "Succeeded", backup.failures
    live.installation.lose()
    live.installation.give_database_secrets()

    with Operator(live.kubernetes, live.installation):
        restored = live.restore("nightly", volume_name=new)

    assert restored.phase == "Succeeded", restored.failures
    claim = live.get(CLAIMS, SYSTEM_STORAGE)
    assert claim
    assert (claim["spec"]["storageClassName"], claim["spec"]["volumeName"]) == ("", new)
    assert [row for row in comparison.compare(before, live.installation.look()) if row.differences] == []


@pytest.fixture
def slow(own_cluster: Kubernetes) -> Iterator[str]:
    """A class whose provisioner is not there; who plays it makes the volume."""
    name = f"threescale-backup-test-{uuid.uuid4().hex[:6]}-slow"
    head = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "labels": {MARK: "yes"}},
    }
    own_cluster.create({**head, "provisioner": "slow.example.test", "volumeBindingMode": "Immediate"})
    yield name
    own_cluster.delete("storageclasses", "", name)


def warn(live: Stage, name: str) -> None:
    """Say of a claim what a provisioner says that was not answered in time, and tries again."""
    claim = live.get(CLAIMS, name)
    assert claim
    about = {key: claim["metadata"][key] for key in ("name", "namespace", "uid")}
    live.kubernetes.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.{uuid.uuid4().hex[:8]}", "namespace": live.namespace},
            "involvedObject": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **about},
            "type": "Warning",
            "reason": "ProvisioningFailed",
            "message": 'failed to provision volume with StorageClass "slow": context deadline exceeded',
        }
    )


def test_a_volume_that_comes_late_after_a_warning_needs_no_second_try(
    live: Stage, volumes: LocalVolumes, slow: str, tmp_path: Path
) -> None:
    live.installation.install()

    def provision() -> None:
        until("claim slowly", lambda: live.get(CLAIMS, "slowly"), 120)
        warn(live, "slowly")
        threading.Event().wait(LATE_S)
        volumes.make("slow", FIRST, storage_class=slow, folder=folder(tmp_path / "slow"))

    provisioner = threading.Thread(target=provision)
    provisioner.start()
    backup = live.backup(name="slowly", storage_class=slow, storage_request="256Mi")
    provisioner.join()

    assert backup.phase == "Succeeded", backup.failures
    assert len(backup.node("prepare").attempts) == 1
