"""The main job on a real cluster: each phase is a pod made from its rendered template."""

import pytest

from steps.contract.backup_contract import CLAIM
from tests.live.installation import Operator
from tests.live.stage import Stage
from workflows.rehearsal import comparison

pytestmark = pytest.mark.cluster


def test_a_lost_installation_is_restored_from_its_backup(live: Stage) -> None:
    live.installation.install()
    before = live.installation.look()
    saved = live.backup(storage_request="256Mi")
    assert saved.phase == "Succeeded", saved.failures

    live.installation.lose()
    live.installation.give_database_secrets()
    with Operator(live.kubernetes, live.installation):
        restored = live.restore(saved.outputs[CLAIM])

    assert restored.phase == "Succeeded", restored.failures
    rows = comparison.compare(before, live.installation.look())
    assert [row.differences for row in rows if row.differences] == []
    assert live.installation.bundle_calls() == ["exec rake zync:resync:domains"]
