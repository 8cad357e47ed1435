"""A workflow that a person stops ends as Failed with its report, harms nothing, and can be taken up again."""

import pytest

from steps.archive import marks
from steps.kubernetes import fields
from tests.live.argo import saved
from tests.live.argo.argo import Argo
from tests.live.argo.hand import Hand
from tests.live.installation import Operator
from tests.live.stage import Stage
from workflows.rehearsal import comparison

pytestmark = pytest.mark.cluster

STOPPED = "Stopped with strategy 'Stop'"
INTERRUPTED = "main: Error (exit code 75): The process was asked to stop (SIGTERM)"


def state(stage: Stage, name: str) -> str:
    return fields.label(stage.get("persistentvolumeclaims", name) or {"metadata": {}}, marks.STATE)


def uids(stage: Stage) -> list[str]:
    """Tell which objects are there, and whether they are the same ones."""
    kinds = ("secrets", "configmaps", "persistentvolumeclaims", "apimanagers")
    return sorted(obj["metadata"]["uid"] for kind in kinds for obj in stage.kubernetes.list(kind, stage.namespace))


@pytest.mark.usefixtures("program")
def test_a_backup_that_was_stopped_is_completed_by_a_retry(live: Stage, argo: Argo, hand: Hand) -> None:
    live.installation.install()
    hand.enlarge(live.installation)
    before = live.installation.look()

    name = argo.backup(name="nightly")
    hand.hold(name, "file-storage(0)", amid_copy=True)
    others = ("secrets", "configmaps", "apimanager")  # those that Argo finds running when it stops stay failed
    argo.wait_until(name, "three parts", lambda found: all(found.phase_of(part) == "Succeeded" for part in others))
    argo.stop(name)
    hand.go_on(name, "file-storage(0)")
    stopped = argo.wait(name)
    left = saved.look(live.installation, "nightly")

    assert (stopped.phase, stopped.message) == ("Failed", STOPPED)
    assert [node.message[: len(INTERRUPTED)] for node in stopped.tries("file-storage")] == [INTERRUPTED]
    assert stopped.tries("seal") == []
    assert "No finished backup was made" in stopped.node("report").outputs["report"]
    assert (state(live, "nightly"), left.manifest) == (marks.FAILED, None)
    assert "zz-large" not in left.tree

    argo.retry(name)
    retried = argo.wait(name)

    assert retried.phase == "Succeeded", retried.failures()
    assert retried.uid == stopped.uid
    assert retried.node("secrets(0)").finished == stopped.node("secrets(0)").finished
    assert state(live, "nightly") == marks.COMPLETE
    assert saved.look(live.installation, "nightly").findings(before) == []


def test_a_restore_that_was_killed_and_then_stopped_goes_on_when_it_is_submitted_again(
    live: Stage, argo: Argo, hand: Hand
) -> None:
    live.installation.install()
    before = live.installation.look()
    backup = argo.wait(argo.backup(name="nightly"))
    assert backup.phase == "Succeeded", backup.failures()
    live.kubernetes.delete("workflows", live.namespace, backup.name)
    live.installation.lose()
    live.installation.give_database_secrets()

    name = argo.restore("nightly")
    hand.kill(name, "routes(0)")
    argo.wait_until(name, "the second try", lambda found: found.phase_of("routes(1)") == "Running")
    argo.stop(name)
    stopped = argo.wait(name)

    assert (stopped.phase, stopped.message) == ("Failed", STOPPED)
    assert stopped.node("routes(0)").message == "main: Error (exit code 137)"
    assert stopped.node("routes(1)").message.startswith(INTERRUPTED)
    assert "submit the same restore again" in stopped.node("report").outputs["report"]

    made = uids(live)
    with Operator(live.kubernetes, live.installation):
        again = argo.wait(argo.restore("nightly"))

    assert again.phase == "Succeeded", again.failures()
    assert uids(live) == made
    rows = comparison.compare(before, live.installation.look())
    assert [row.differences for row in rows if row.differences] == []
