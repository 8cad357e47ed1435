"""One workflow at a time in a namespace: a restore never reads what a backup still writes."""

import pytest

from tests.live.argo.argo import Argo
from tests.live.stage import Stage

pytestmark = pytest.mark.cluster


def test_a_restore_waits_until_the_backup_has_ended(live: Stage, argo: Argo) -> None:
    live.installation.install()
    backup = argo.backup(name="nightly")
    argo.wait_until(backup, "its first phase", lambda workflow: workflow.tries("prepare"))
    argo.suspend(backup)

    restore = argo.restore("nightly")
    waiting = argo.wait_until(restore, "what it waits for", lambda workflow: workflow.message)
    held = argo.get(backup)
    argo.resume(backup)
    first, second = argo.wait(backup), argo.wait(restore)

    lock = f"{live.namespace}/Mutex/threescale"
    assert held.phase == "Running"
    assert (waiting.phase, waiting.tries("check")) == ("Pending", [])
    assert waiting.message.startswith(f"Waiting for {lock} lock")
    assert waiting.status["synchronization"]["mutex"]["waiting"] == [
        {"mutex": lock, "holder": f"{live.namespace}/{backup}"}
    ]
    assert first.phase == "Succeeded", first.failures()
    assert second.node("check").started >= first.status["finishedAt"]
    assert second.phase == "Failed"
    assert "A restore never overwrites an installation" in second.node("check(0)").message


@pytest.mark.lesson(12)
def test_a_backup_that_is_dead_leaves_no_lock_behind(live: Stage, argo: Argo) -> None:
    live.installation.install()
    dead = argo.backup(name="first")
    argo.wait_until(dead, "its first phase", lambda workflow: workflow.tries("prepare"))
    argo.suspend(dead)
    waiting = argo.backup(name="second")
    argo.wait_until(waiting, "what it waits for", lambda workflow: workflow.message.startswith("Waiting for "))

    live.kubernetes.delete("workflows", live.namespace, dead)

    ended = argo.wait(waiting)
    assert ended.phase == "Succeeded", ended.failures()
