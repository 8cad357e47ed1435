"""The schedule fires by itself, and every time makes a claim of its own."""

import pytest

from steps.archive import marks
from steps.kubernetes import fields
from tests.live.argo.argo import Argo, Workflow
from tests.live.kubernetes import until
from tests.live.stage import Stage
from workflows import schedule
from workflows.manifests import render
from workflows.schedule import Cron

pytestmark = pytest.mark.cluster

CRON = "workflows.argoproj.io/cron-workflow"
KIND = "threescale-backup/kind"
TWO_S = 330.0  # one of the first minutes may begin before the one of the backup before it ends, and is left out


def test_a_schedule_fires_twice_and_makes_two_sealed_claims(live: Stage, argo: Argo) -> None:
    live.installation.install()
    for manifest in render(live.settings, [Cron("backup", "* * * * *", {})]):
        live.kubernetes.apply(manifest)

    def two() -> list[Workflow]:
        ended = [workflow for workflow in argo.workflows() if workflow.phase in {"Succeeded", "Failed", "Error"}]
        return ended if len(ended) > 1 else []

    workflows: list[Workflow] = until("two scheduled backups", two, TWO_S)
    live.kubernetes.delete("cronworkflows", live.namespace, schedule.NAME)

    assert [workflow.phase for workflow in workflows] == ["Succeeded", "Succeeded"]
    for workflow in workflows:
        claim = live.get("persistentvolumeclaims", workflow.name)
        assert claim is not None
        assert fields.label(claim, marks.STATE) == marks.COMPLETE
        assert fields.label(claim, marks.WORKFLOW_UID) == workflow.uid
        assert workflow.obj["metadata"]["labels"][CRON] == schedule.NAME
        assert workflow.obj["metadata"]["labels"][KIND] == "backup"
