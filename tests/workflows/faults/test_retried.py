"""What is tried again is then done: the backup verifies, and what a restore brings back is what was lost."""

import signal

import pytest

from steps.archive import contents, marks
from steps.kubernetes import fields
from tests.builders.claims import CLAIMS

BACKUP_PHASES = ["prepare", "secrets", "configmaps", "apimanager", "file-storage", "seal"]
RESTORE_PHASES = ["check", "prepare", "file-storage", "secrets", "configmaps", "apimanager", "routes"]


def exit_codes(workflow, phases) -> dict[str, list[int | None]]:
    return {phase: [attempt.exit_code for attempt in workflow.node(phase).attempts] for phase in phases}


def findings(stage, claim) -> list[str]:
    """Say what is wrong with a backup, each byte of it."""
    return list(contents.open_at(stage.engine.volume(claim)).findings(digests=True))


def state(stage, claim) -> str:
    return fields.label(stage.get(CLAIMS, claim), marks.STATE)


def everything(folder) -> dict[str, tuple[int, int, int, bytes]]:
    """Take down each entry below a folder: mode, inode, time, bytes."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (status.st_mode, status.st_ino, status.st_mtime_ns, data)
    return found


# --- the API server fails ---


@pytest.mark.thorough
def test_a_backup_gets_over_an_api_server_that_fails(installed, hand):
    hand.against(
        "prepare",
        hand.refuse("create", CLAIMS, 429, retry_after_s=1),
        hand.drop("create", CLAIMS),
        hand.lose_answer("create", CLAIMS),
    )
    hand.against(
        "secrets",
        hand.refuse("get", "secrets", 409, name="zync"),
        hand.refuse("get", "secrets", 500, name="system-app"),
        hand.drop("get", "secrets", name="system-seed"),
    )
    hand.against("configmaps", hand.refuse("get", "configmaps", 429))
    hand.against("apimanager", hand.lose_answer("list", "routes"))
    hand.against(
        "seal", hand.refuse("patch", CLAIMS, 409), hand.refuse("patch", CLAIMS, 500), hand.lose_answer("patch", CLAIMS)
    )

    workflow = installed.backup(name="nightly")

    assert workflow.phase == "Succeeded"
    assert exit_codes(workflow, BACKUP_PHASES) == {
        "prepare": [75, 75, 75, 0],
        "secrets": [75, 75, 75, 0],
        "configmaps": [75, 0],
        "apimanager": [75, 0],
        "file-storage": [0],
        "seal": [75, 75, 75, 0],
    }
    assert findings(installed, "nightly") == []
    assert state(installed, "nightly") == marks.COMPLETE


@pytest.mark.thorough
def test_a_restore_gets_over_an_api_server_that_fails(lost, hand, differences):
    hand.against("check", hand.refuse("get", CLAIMS, 409))
    hand.against(
        "prepare",
        hand.refuse("get", "secrets", 429),
        hand.refuse("create", CLAIMS, 500),
        hand.lose_answer("create", CLAIMS),
    )
    hand.against(
        "file-storage",
        hand.refuse("patch", CLAIMS, 409),
        hand.lose_answer("patch", CLAIMS),  # begun
        hand.second(hand.lose_answer("patch", CLAIMS), "patch", CLAIMS),  # complete
    )
    hand.against(
        "secrets",
        hand.refuse("create", "secrets", 429),
        hand.drop("create", "secrets"),
        hand.lose_answer("create", "secrets"),
    )
    hand.against("configmaps", hand.drop("get", "configmaps"), hand.lose_answer("create", "configmaps"))
    hand.against("apimanager", hand.refuse("list", "apimanagers", 500), hand.lose_answer("create", "apimanagers"))
    hand.against("routes", hand.drop("get", "pods/exec"))

    workflow = lost.restore("nightly")

    assert workflow.phase == "Succeeded"
    assert exit_codes(workflow, RESTORE_PHASES) == {
        "check": [75, 0],
        "prepare": [75, 75, 75, 0],
        "file-storage": [75, 75, 75, 0],
        "secrets": [75, 75, 75, 0],
        "configmaps": [75, 75, 0],
        "apimanager": [75, 75, 0],
        "routes": [75, 0],
    }
    assert "its files were already restored" in workflow.node("file-storage").attempts[-1].log
    assert differences(lost) == []


# --- signals ---


@pytest.mark.thorough
def test_a_backup_gets_over_a_signal_in_each_phase(installed, hand):
    tree = installed.engine.volume("nightly") / "system-filestorage-pvc"
    hand.against(
        "prepare",
        hand.kill_before("create", CLAIMS),
        hand.kill_after("create", CLAIMS),
        hand.stop_at("list", "apimanagers"),
    )
    hand.against(
        "secrets",
        hand.kill_before("get", "secrets", name="system-seed"),
        hand.stop_at("get", "secrets", name="system-seed"),
    )
    hand.against(
        "configmaps",
        hand.kill_before("get", "configmaps", name="system-environment"),
        hand.stop_at("get", "configmaps", name="apicast-environment"),
    )
    hand.against("apimanager", hand.kill_before("list", "routes"), hand.stop_at("list", "routes"))
    hand.against("file-storage", hand.amid_copy(signal.SIGKILL, tree), hand.amid_copy(signal.SIGTERM, tree))
    hand.against("seal", hand.stop_at("get", "apimanagers"), hand.kill_before("patch", CLAIMS))

    workflow = installed.backup(name="nightly")

    assert workflow.phase == "Succeeded"
    assert exit_codes(workflow, BACKUP_PHASES) == {
        "prepare": [137, 137, 75, 0],
        "secrets": [137, 75, 0],
        "configmaps": [137, 75, 0],
        "apimanager": [137, 0],  # nothing is left to be stopped when the signal comes
        "file-storage": [137, 75, 0],
        "seal": [75, 137, 0],
    }
    assert findings(installed, "nightly") == []
    assert state(installed, "nightly") == marks.COMPLETE


@pytest.mark.thorough
def test_a_restore_gets_over_a_signal_in_each_phase(lost, hand, differences):
    hand.against("check", hand.kill_before("list", "apimanagers"), hand.stop_at("get", CLAIMS))
    hand.against(
        "prepare",
        hand.kill_after("create", CLAIMS),
        hand.stop_at("get", "secrets", name="system-app"),
    )
    hand.against(
        "file-storage",
        hand.stop_at("patch", CLAIMS),  # begun
        hand.second(hand.kill_before("patch", CLAIMS), "patch", CLAIMS),  # complete
    )
    hand.against(
        "secrets",
        hand.kill_after("create", "secrets", name="system-app"),
        hand.stop_at("create", "secrets", name="system-seed"),
    )
    hand.against(
        "configmaps",
        hand.kill_after("create", "configmaps", name="apicast-environment"),
        hand.stop_at("get", "configmaps", name="apicast-environment"),
    )
    hand.against(
        "apimanager",
        hand.kill_before("create", "apimanagers"),
        hand.kill_after("create", "apimanagers"),
        hand.stop_at("list", "apimanagers"),
    )
    hand.against(
        "routes",
        hand.kill_before("get", "pods/exec"),
        hand.stop_at("list", "pods"),
    )

    workflow = lost.restore("nightly")

    assert workflow.phase == "Succeeded"
    assert exit_codes(workflow, RESTORE_PHASES) == {
        "check": [137, 75, 0],
        "prepare": [137, 75, 0],
        "file-storage": [75, 137, 0],
        "secrets": [137, 75, 0],
        "configmaps": [137, 75, 0],
        "apimanager": [137, 137, 75, 0],
        "routes": [137, 75, 0],
    }
    assert differences(lost) == []


# --- a new workflow goes on ---


@pytest.mark.thorough
@pytest.mark.usefixtures("tried_once")
@pytest.mark.lesson(9, 11)
def test_a_restore_that_was_killed_in_each_phase_is_completed_by_new_workflows(lost, hand, differences):
    blows = {
        "check": hand.kill_before("list", "apimanagers"),
        "prepare": hand.kill_after("create", CLAIMS),
        "file-storage": hand.kill_after("patch", CLAIMS),
        "secrets": hand.kill_before("create", "secrets", name="system-seed"),
        "configmaps": hand.kill_after("create", "configmaps"),
        "apimanager": hand.kill_after("create", "apimanagers"),
        "routes": hand.kill_before("get", "pods/exec"),
    }
    workflows = []
    for phases in (["check"], ["prepare"], ["file-storage"], ["secrets", "configmaps"], ["apimanager"], ["routes"], []):
        for phase in phases:
            hand.against(phase, blows[phase])
        workflows.append(lost.engine.resubmit(workflows[-1]) if workflows else lost.restore("nightly"))

    killed = [sorted(node.name for node in workflow.nodes if node.exit_code == 137) for workflow in workflows]

    assert killed == [
        ["check"],
        ["prepare"],
        ["file-storage"],
        ["configmaps", "secrets"],
        ["apimanager"],
        ["routes"],
        [],
    ]
    assert [workflow.phase for workflow in workflows] == ["Failed"] * 6 + ["Succeeded"]
    assert len({workflow.uid for workflow in workflows}) == 7
    assert differences(lost) == []


# --- a sealed backup stays as it is ---


@pytest.fixture
def unlabelled(installed, hand, tried_once):  # noqa: ARG001  the first try is the last one
    """A backup whose seal was killed between the manifest and the label of its claim."""
    hand.against("seal", hand.kill_before("patch", CLAIMS))
    workflow = installed.backup(name="nightly")
    assert workflow.node("seal").exit_code == 137
    return workflow


@pytest.mark.thorough
def test_nothing_that_is_started_again_spoils_a_sealed_backup(installed, unlabelled):
    volume = installed.engine.volume("nightly")
    sealed = everything(volume)
    parameters = {"backupPersistentVolumeClaimName": "nightly", "apiManagerSourceName": "example-apimanager"}

    anew = installed.engine.resubmit(unlabelled)
    memoized = installed.engine.resubmit(unlabelled, memoized=True)
    by_hand = [
        installed.engine.submit("threescale-backup", parameters, entrypoint=phase)
        for phase in ("secrets", "file-storage", "seal")
    ]
    labelled = state(installed, "nightly")
    retried = installed.engine.retry(unlabelled)

    assert str(volume / "manifest.json") in sealed
    assert everything(volume) == sealed
    assert "Claim 'nightly' already exists" in anew.node("prepare").attempts[0].message
    for refused in (memoized.node("seal"), *(workflow.nodes[0] for workflow in by_hand)):
        assert refused.exit_code == 1
        assert f"It holds a finished backup of workflow {unlabelled.name}" in refused.attempts[0].message
    assert labelled == marks.RUNNING
    assert (retried.phase, exit_codes(retried, ["seal"])) == ("Succeeded", {"seal": [0]})
    assert state(installed, "nightly") == marks.COMPLETE
