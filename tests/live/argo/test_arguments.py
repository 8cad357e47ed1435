"""What a person types: a mistyped name is refused, and no argument decides whether retention follows a backup."""

import json

import pytest

from steps.catalogue import catalogue
from steps.contract import names
from steps.contract.backup_contract import CLAIM
from tests.live.argo.argo import Argo
from tests.live.argo.nights import KEEP
from tests.live.stage import Stage
from workflows import schedule
from workflows.manifests import render

pytestmark = pytest.mark.cluster

CLOSES_THE_QUOTES = "x' != '' || 'a"


def test_an_argument_with_a_mistyped_name_is_refused_and_is_no_failed_backup(live: Stage, argo: Argo) -> None:
    workflow = argo.wait(argo.backup(storge_request="20Gi"))

    record = json.loads((live.get("configmaps", names.BACKUP_RESULTS) or {})["data"][f"{workflow.name}.json"])
    conditions = [each for each in workflow.status.get("conditions", []) if each["type"] == "MetricsError"]
    assert (workflow.phase, workflow.exit_codes("prepare")) == ("Failed", [1])
    assert "no argument 'storge-request' (storage-request?)" in workflow.node("prepare(0)").message
    assert (workflow.outputs["refused"], workflow.outputs["plan"]) == ("yes", "no")
    assert record["outcome"] == "refused"
    assert not catalogue.is_run(dict(workflow.obj))
    assert conditions == []
    assert live.kubernetes.list("persistentvolumeclaims", live.namespace) == []


def test_retention_follows_neither_a_plan_nor_a_failure_nor_a_run_that_was_stopped(live: Stage, argo: Argo) -> None:
    for manifest in render(live.settings, rules=KEEP):
        live.kubernetes.apply(manifest)
    failed = argo.wait(argo.backup(schedule=CLOSES_THE_QUOTES))
    live.installation.install()
    planned = argo.wait(argo.backup(schedule=schedule.NAME, plan="only"))
    name = argo.backup(schedule=schedule.NAME)
    argo.wait_until(name, "its first phase", lambda found: found.phase_of("prepare") == "Succeeded")
    argo.stop(name)
    stopped = argo.wait(name)

    assert [each.phase for each in (failed, planned, stopped)] == ["Failed", "Succeeded", "Failed"]
    assert [each.phase_of("prune") for each in (failed, planned, stopped)] == ["Skipped"] * 3
    assert planned.outputs[CLAIM] == ""
