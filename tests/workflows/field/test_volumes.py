"""Volumes that come late, that have no class, and that hold something when they come."""

import threading
from pathlib import Path
from typing import Any

import pytest

from steps.archive import contents, layout, marks
from steps.contract.backup_contract import CLAIM
from steps.contract.restore_contract import AskedStorage
from steps.kubernetes import fields, waiting
from steps.parts import system_storage
from tests.builders import phases
from tests.conftest import Stage
from workflows.manifests import render
from workflows.rehearsal.argo import retry_strategy, tags
from workflows.rehearsal.rehearse import SETTINGS
from workflows.rehearsal.threescale import installation as threescale

pytestmark = pytest.mark.thorough

CLAIMS = "persistentvolumeclaims"
STORAGE = "system-storage"
DISK = "nfs-3scale"
BY_STORAGE = "README.provisioner"


def bind(stage: Stage, name: str) -> None:
    """Bring the volume of a claim, as a provisioner does."""
    status = {"phase": "Bound", "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"]}
    stage.kubernetes.patch(CLAIMS, stage.namespace, name, {"spec": {"volumeName": f"pv-{name}"}, "status": status})


def warn(stage: Stage, claim: dict[str, Any]) -> None:
    """Say of a claim that its provisioner has not answered in time; it tries again by itself."""
    about = {key: claim["metadata"][key] for key in ("name", "namespace", "uid")}
    rpc = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
    stage.kubernetes.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{about['name']}.", "namespace": stage.namespace},
            "involvedObject": {"kind": "PersistentVolumeClaim", **about},
            "type": "Warning",
            "reason": "ProvisioningFailed",
            "message": f'failed to provision volume with StorageClass "slow": {rpc}',
            "firstTimestamp": "2026-11-30T00:00:00Z",
            "lastTimestamp": "2026-11-30T00:00:00Z",
            "count": 1,
        }
    )


class TestASlowProvisioner:
    @pytest.mark.parametrize("warns", [False, True])
    def test_a_volume_that_comes_late_is_waited_for(self, empty, warns):
        empty.kubernetes.storage_classes["slow"] = "Never"
        claim = empty.claim(storageClassName="slow")
        if warns:
            warn(empty, claim)
        late = threading.Timer(0.3, bind, (empty, STORAGE))
        late.start()

        waiting.wait_for_volume(empty.connect("threescale-backup"), STORAGE, 60.0)
        late.join()

        assert empty.get(CLAIMS, STORAGE)["status"]["phase"] == "Bound"

    def test_a_backup_on_a_volume_that_comes_late_needs_no_second_try(self, installed):
        installed.kubernetes.storage_classes["slow"] = "Never"
        late: list[threading.Timer] = []

        def made(_request) -> None:
            warn(installed, installed.get(CLAIMS, "slowly"))
            late.append(threading.Timer(3.0, bind, (installed, "slowly")))
            late[0].start()

        installed.kubernetes.after_next("create", CLAIMS, made, name="slowly")

        workflow = installed.backup(name="slowly", storage_class="slow")
        late[0].join()

        assert workflow.phase == "Succeeded", workflow.message
        assert [attempt.exit_code for attempt in workflow.node("prepare").attempts] == [0]
        assert workflow.outputs[CLAIM] == "slowly"

    def test_a_class_that_is_not_there_ends_the_backup_at_the_first_try(self, installed):
        workflow = installed.backup(name="slowly", storage_class="unknown")

        assert [attempt.exit_code for attempt in workflow.node("prepare").attempts] == [1]
        assert '"unknown" not found' in workflow.node("prepare").attempts[0].message

    def test_the_limit_that_is_asked_for_ends_the_wait(self, installed):
        installed.kubernetes.storage_classes["slow"] = "Never"

        workflow = installed.backup(name="slowly", storage_class="slow", claim_wait="0")

        assert [attempt.exit_code for attempt in workflow.node("prepare").attempts] == [1]
        assert "raise claim-wait" in workflow.node("prepare").attempts[0].message

    def test_a_limit_that_is_no_number_is_refused_by_the_phase_and_not_by_argo(self, installed):
        workflow = installed.backup(claim_wait="soon")

        assert workflow.phase == "Failed"
        assert "'soon' is not a whole number" in workflow.node("prepare").attempts[0].message

    @pytest.mark.parametrize(("told", "more_s"), [("10", 600), ("0", 0), ("120", 7200), ("soon", 0), ("1h", 0)])
    def test_the_time_limit_of_each_phase_that_waits_for_a_claim_follows_it(self, told, more_s):
        templates = [each for manifest in render(SETTINGS) for each in manifest.get("spec", {}).get("templates", ())]
        waits = [
            each for each in templates if "claim-wait" in {i["name"] for i in inputs_of(each)} and "dag" not in each
        ]
        given = {"inputs.parameters.claim-wait": told, "inputs.parameters.time-limit": "15m"}

        limits = {
            each["name"]: retry_strategy.duration_s(tags.substitute(each["timeout"], given, "a timeout"))
            for each in waits
        }

        assert limits == dict.fromkeys(["prepare", "check", "choose"], 900 + more_s)


def inputs_of(template: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = template.get("inputs", {}).get("parameters", [])
    return found


def static_storage(stage: Stage, *, chosen: bool) -> None:
    """Put System's files on a volume that an administrator has made, of no class; the APIManager may say so too."""
    for name in stage.exists("pods"):
        stage.kubernetes.delete("pods", stage.namespace, name)
    stage.lose_claim(STORAGE)
    give_disk(stage)
    stage.claim(STORAGE, modes=["ReadWriteMany"], storageClassName="", volumeName=DISK)
    if chosen:
        of_claim = {"storageClassName": "", "volumeName": DISK, "resources": {"requests": "1Gi"}}
        spec = {"system": {"fileStorage": {"persistentVolumeClaim": of_claim}}}
        stage.kubernetes.patch("apimanagers", stage.namespace, threescale.NAME, {"spec": spec})


def give_disk(stage: Stage) -> None:
    stage.kubernetes.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": DISK},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteMany"],
                "storageClassName": "",
                "persistentVolumeReclaimPolicy": "Retain",
                "nfs": {"server": "nfs.example.test", "path": "/3scale"},
            },
        }
    )


class TestAStaticVolume:
    @pytest.mark.parametrize("chosen", [True, False], ids=["chosen", "of the claim alone"])
    def test_a_claim_of_no_class_comes_back_of_no_class(self, installed, tmp_path, planned, chosen):
        static_storage(installed, chosen=chosen)
        phases.backup(installed, tmp_path / "nightly")
        installed.lose()
        installed.lose_claim(STORAGE)
        threescale.give_database_secrets(installed.kubernetes, installed.namespace)

        found = planned(installed, tmp_path / "nightly")

        assert found.plan.objections == []
        assert found.claim["spec"].get("storageClassName") == ""

    def test_no_class_can_be_asked_for(self, backup_volume):
        spec = system_storage.wanted(contents.open_at(backup_volume), AskedStorage(storage_class="none"))["spec"]

        assert spec["storageClassName"] == ""

    def test_a_restore_takes_the_volume_that_it_is_told(self, lost):
        give_disk(lost)

        workflow = lost.restore("nightly", storage_class="none", volume_name=DISK)

        assert workflow.phase == "Succeeded", workflow.node("check").attempts[-1].message
        spec = lost.get(CLAIMS, STORAGE)["spec"]
        assert (spec["storageClassName"], spec["volumeName"]) == ("", DISK)


def listed(root: Path) -> set[str]:
    """The names at the root of a backup's tree."""
    return {path.name for path in (root / layout.TREE).iterdir()}


class TestAStorageThatShowsSnapshots:
    def test_a_backup_passes_over_those_of_its_source_and_of_its_own_volume(self, installed, snapshots):
        snapshots(installed.storage)
        snapshots(installed.engine.volume("nightly"))

        workflow = installed.backup(name="nightly")

        root = installed.engine.volume("nightly")
        assert workflow.phase == "Succeeded", workflow.message
        assert ".hidden-top" in listed(root)
        assert ".snapshot" not in listed(root)
        assert (root / ".snapshot/hourly/old.txt").exists()

    @pytest.mark.parametrize("conflict", ["refuse", "replace"])
    @pytest.mark.parametrize("are_in_source", [False, True], ids=["of the target", "of both"])
    def test_a_restore_fills_a_volume_that_shows_them(self, installed, snapshots, conflict, are_in_source):
        hide = snapshots(installed.storage) if are_in_source else None
        assert installed.backup(name="nightly").phase == "Succeeded"
        if hide:
            hide()
        installed.lose()
        threescale.give_database_secrets(installed.kubernetes, installed.namespace)
        snapshots(installed.storage)

        with threescale.Operator(installed.kubernetes):
            workflow = installed.restore("nightly", file_storage_conflict=conflict)

        assert workflow.phase == "Succeeded", workflow.message
        assert (installed.storage / ".hidden-top").exists()
        assert (installed.storage / ".snapshot/hourly/old.txt").exists()


class TestAStorageThatPutsAFileIntoAFreshVolume:
    @pytest.fixture
    def fresh(self, lost):
        """A storage whose volumes hold a file when they come; there is no claim yet."""
        (lost.storage / BY_STORAGE).write_text("put here by the storage\n")
        return lost

    @pytest.mark.parametrize("is_refused_before", [False, True])
    def test_the_advice_of_the_refusal_works(self, fresh, is_refused_before):
        if is_refused_before:
            refused = fresh.restore("nightly")
            assert refused.phase == "Failed"
            assert "file-storage-conflict=replace" in refused.node("file-storage").attempts[-1].message

        workflow = fresh.restore("nightly", file_storage_conflict="replace")

        saved_to = fields.annotation(fresh.get(CLAIMS, STORAGE), marks.SAVED_TO)
        assert workflow.phase == "Succeeded", workflow.message
        assert BY_STORAGE in listed(fresh.engine.volume(saved_to))
        assert not (fresh.storage / BY_STORAGE).exists()
        assert (fresh.storage / ".hidden-top").exists()
