"""A workflow that is refused ends as Failed, and says in `argo get` what is wrong; nothing is written."""

import json
import shutil

import pytest

from steps.archive import marks
from steps.contract import names
from tests.live.argo.argo import Argo, Workflow
from tests.live.kubernetes import Object
from tests.live.stage import Stage

pytestmark = pytest.mark.cluster


def claim(stage: Stage, name: str) -> Object:
    """Spell a claim that says it holds a backup."""
    metadata = {"name": name, "namespace": stage.namespace, "labels": {marks.BACKUP: name, marks.STATE: marks.COMPLETE}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def shown(argo: Argo, workflow: Workflow) -> str:
    """Return what a person sees of a workflow, on one line; without the program what it would show."""
    text = argo.text(workflow.name) if shutil.which("argo") else "\n".join(workflow.failures())
    return " ".join(text.split())


def told(stage: Stage, configmap: str, workflow: Workflow) -> tuple[str, Object]:
    """The code and the facts of what failed, in the evidence."""
    found = stage.kubernetes.get("configmaps", stage.namespace, configmap)
    (failure,) = json.loads(found["data"][f"{workflow.name}.json"])["failures"]
    return failure["code"], failure["facts"]


def test_a_backup_without_3scale_ends_with_the_reason_and_makes_no_claim(live: Stage, argo: Argo) -> None:
    workflow = argo.wait(argo.backup(name="nothing"))

    reason = (
        f"Namespace {live.namespace} has no APIManager. Run the backup in the namespace of the 3scale installation."
    )
    assert workflow.phase == "Failed"
    assert workflow.exit_codes("prepare") == [1]
    assert reason in workflow.node("prepare(0)").message
    assert reason in shown(argo, workflow)
    assert workflow.node("report").outputs["report"].startswith(f"prepare failed: main: Error (exit code 1): {reason}")
    assert "submit a new backup with another name" in workflow.node("report").outputs["report"]
    assert live.kubernetes.list("persistentvolumeclaims", live.namespace) == []
    assert told(live, names.BACKUP_RESULTS, workflow) == ("no-api-manager", {"namespace": live.namespace})


def test_a_mistyped_claim_ends_a_restore_with_its_name_and_those_of_the_backups(live: Stage, argo: Argo) -> None:
    live.kubernetes.create(claim(live, "nightly"))

    workflow = argo.wait(argo.restore("nihgtly"))

    reason = f"Namespace {live.namespace} has no claim 'nihgtly'. The backups here are: nightly. Check the name."
    assert workflow.phase == "Failed"
    assert workflow.exit_codes("check") == [1]
    assert reason in workflow.node("check(0)").message
    assert reason in shown(argo, workflow)
    assert reason in workflow.node("report").outputs["report"]
    assert [obj["metadata"]["name"] for obj in live.kubernetes.list("persistentvolumeclaims", live.namespace)] == [
        "nightly"
    ]
    facts = {"name": "nihgtly", "namespace": live.namespace, "others": ["nightly"]}
    assert told(live, names.RESTORE_RESULTS, workflow) == ("claim-missing", facts)
