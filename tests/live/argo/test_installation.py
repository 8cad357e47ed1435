"""The main job as a person does it on a cluster with Argo."""

import pytest

from steps.contract.backup_contract import CLAIM
from tests.live.argo import saved
from tests.live.argo.argo import Argo
from tests.live.installation import Operator
from tests.live.stage import Stage
from workflows.rehearsal import comparison

pytestmark = pytest.mark.cluster


def test_a_lost_installation_is_restored_from_its_backup(live: Stage, argo: Argo) -> None:
    live.installation.install()
    before = live.installation.look()

    backup = argo.wait(argo.backup())

    assert backup.phase == "Succeeded", backup.failures()
    told = {CLAIM: backup.name, "plan": "no", "scheduled": "no", "sealed": "yes", "refused": ""}
    assert {name: text for name, text in backup.outputs.items() if not name.startswith("failure_")} == told
    assert {text for name, text in backup.outputs.items() if name.startswith("failure_")} == {""}
    claim = backup.outputs[CLAIM]
    assert saved.look(live.installation, claim).findings(before) == []

    live.kubernetes.delete("workflows", live.namespace, backup.name)
    live.installation.lose()
    live.installation.give_database_secrets()
    with Operator(live.kubernetes, live.installation):
        restore = argo.wait(argo.restore(claim))

    assert restore.phase == "Succeeded", restore.failures()
    rows = comparison.compare(before, live.installation.look())
    assert [row.differences for row in rows if row.differences] == []
    assert live.installation.bundle_calls() == ["exec rake zync:resync:domains"]
    assert len(live.kubernetes.list("routes", live.namespace)) > 1
    assert live.get("workflows", backup.name) is None
