"""A phase that is killed, or whose pod is lost, is tried again, and what comes of it is whole."""

import pytest

from tests.live.argo import saved
from tests.live.argo.argo import Argo
from tests.live.argo.hand import Hand
from tests.live.stage import Stage

pytestmark = pytest.mark.cluster


@pytest.mark.lesson(9)
def test_a_backup_goes_on_after_a_kill_and_a_lost_pod(live: Stage, argo: Argo, hand: Hand) -> None:
    live.installation.install()
    hand.enlarge(live.installation)
    before = live.installation.look()

    name = argo.backup(name="nightly")
    hand.kill(name, "file-storage(0)", amid_copy=True)
    hand.lose_pod(name, "file-storage(1)", amid_copy=True)
    backup = argo.wait(name)

    assert backup.phase == "Succeeded", backup.failures()
    assert [(node.phase, node.message) for node in backup.tries("file-storage")] == [
        ("Failed", "main: Error (exit code 137)"),
        ("Error", "pod deleted"),
        ("Succeeded", ""),
    ]
    assert saved.look(live.installation, "nightly").findings(before) == []
