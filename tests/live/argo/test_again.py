"""What `argo retry` and `argo resubmit --memoized` make of a failed backup: a whole one, or nothing at all."""

import os

import pytest

from steps.archive import marks
from steps.kubernetes import fields
from steps.threescale.installation import SYSTEM_STORAGE
from tests.live.argo import saved
from tests.live.argo.argo import Argo, Workflow
from tests.live.stage import Stage

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("program")]

FILE = "acme/2026/terms and conditions.pdf"
CHANGE_MODE = "import os, sys; os.chmod(sys.argv[1], int(sys.argv[2], 8))"
PARTS = ("secrets", "configmaps", "apimanager", "file-storage")


def change_mode(stage: Stage, mode: str) -> None:
    stage.installation.run(CHANGE_MODE, f"/storage/{FILE}", mode, claims={"/storage": SYSTEM_STORAGE})


def state(stage: Stage, name: str) -> str:
    return fields.label(stage.get("persistentvolumeclaims", name) or {"metadata": {}}, marks.STATE)


def taken(holder: str, workflow: Workflow) -> str:
    return f"The backup volume does not belong to this workflow. It holds {holder} of workflow {workflow.name}"


def test_only_a_retry_completes_what_a_backup_has_begun(live: Stage, argo: Argo) -> None:
    live.installation.install()
    before = live.installation.look()
    change_mode(live, "000")
    failed = argo.wait(argo.backup(name="nightly"))
    begun = saved.look(live.installation, "nightly")
    change_mode(live, "640")

    memoized = argo.wait(argo.resubmit_memoized(failed.name))
    unchanged = saved.look(live.installation, "nightly")
    argo.retry(failed.name)
    retried = argo.wait(failed.name)

    assert failed.phase == "Failed"
    assert FILE in failed.node("file-storage(0)").message
    assert [failed.node(part).phase for part in PARTS] == [*["Succeeded"] * 3, "Failed"]
    assert begun.manifest is None
    assert memoized.phase == "Failed"
    assert taken("an unfinished backup", failed) in memoized.tries("file-storage")[-1].message
    assert unchanged == begun
    assert retried.phase == "Succeeded", retried.failures()
    assert retried.node("secrets(0)").finished == failed.node("secrets(0)").finished
    assert state(live, "nightly") == marks.COMPLETE
    assert saved.look(live.installation, "nightly").findings(before) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root opens the folders of volumes")
def test_a_resubmit_completes_what_has_not_begun_and_then_a_retry_changes_nothing(live: Stage, argo: Argo) -> None:
    live.installation.install()
    before = live.installation.look()
    live.opener.closed.add("nightly")
    failed = argo.wait(argo.backup(name="nightly"))
    if failed.phase == "Succeeded":
        pytest.skip("volumes of this cluster's default class can be written by every pod")
    live.opener.closed.discard("nightly")
    live.opener.open()

    memoized = argo.wait(argo.resubmit_memoized(failed.name))
    sealed = saved.look(live.installation, "nightly")
    argo.retry(failed.name)
    retried = argo.wait(failed.name)

    assert all("--fs-group" in failed.node(f"{part}(0)").message for part in PARTS)
    assert memoized.phase == "Succeeded", memoized.failures()
    assert sealed.findings(before) == []
    assert retried.phase == "Failed"
    assert all(taken("a finished backup", memoized) in retried.node(f"{part}(0)").message for part in PARTS)
    assert saved.look(live.installation, "nightly") == sealed
    assert state(live, "nightly") == marks.COMPLETE
