"""What is replaced is found on its claim, whole, whatever ended a phase amid it."""

import signal

import pytest

from steps.archive import layout, marks
from steps.kubernetes import fields
from tests.builders.claims import CLAIMS
from tests.builders.conflicts import (
    FILES,
    check_files_are_saved,
    check_replaced,
    differing_secret,
    filled_storage,
    saved,
)
from tests.builders.roles import without
from tests.live.stage import kebab

RESTORE = "threescale-restore"
REPLACE = {"on_conflict": "replace", "file_storage_conflict": "replace"}


def exit_codes(workflow, *names) -> list[list[int | None]]:
    return [[attempt.exit_code for attempt in workflow.node(name).attempts] for name in names]


def claims_of_replaced(stage) -> list[str]:
    return [name for name in stage.exists(CLAIMS) if name.endswith("-replaced")]


def amid_emptying(stage, number):
    """Send a signal while the old files go: there are too many to be gone at once."""
    for index in range(3000):
        (stage.storage / f"many-{index:04}").touch()

    def strike(process) -> None:
        while process.poll() is None and len(list(stage.storage.iterdir())) > 3000:
            pass
        process.send_signal(number)

    return strike


@pytest.mark.thorough
def test_a_restore_that_replaces_gets_over_signals_and_an_api_server_that_fails(lost, hand, differences):
    before = differing_secret(lost)
    filled_storage(lost)
    hand.against("prepare", hand.lose_answer("create", CLAIMS), hand.kill_after("create", CLAIMS))
    hand.against("set-aside-objects", hand.kill_before("get", "secrets", name="zync"))
    tree = lost.engine.volume("mine-replaced") / layout.TREE
    hand.against(
        "set-aside-files",
        hand.amid_copy(signal.SIGKILL, tree),
        hand.kill_before("patch", CLAIMS),
        hand.lose_answer("patch", CLAIMS),
    )
    hand.against("file-storage", amid_emptying(lost, signal.SIGKILL), hand.kill_after("patch", CLAIMS))
    hand.against(
        "secrets",
        hand.kill_after("update", "secrets"),
        hand.refuse("get", "secrets", 429),
        hand.refuse("get", "secrets", 500),
    )

    workflow = lost.engine.submit(RESTORE, {"claim-name": "nightly", **kebab(REPLACE)}, name="mine")

    assert workflow.phase == "Succeeded", workflow.message
    assert exit_codes(workflow, "set-aside-objects", "set-aside-files", "file-storage", "secrets") == [
        [137, 0],
        [137, 137, 75, 0],
        [137, 137, 0],
        [137, 75, 75, 0],
    ]
    assert claims_of_replaced(lost) == ["mine-replaced"]
    root = tree.parent
    assert saved(root, "secrets/zync.json") == before
    assert {name: (root / layout.TREE / name).read_bytes() for name in FILES} == FILES
    check_replaced(lost, before)
    assert differences(lost) == ["secrets/zync"]  # its own label stays


@pytest.mark.thorough
@pytest.mark.usefixtures("tried_once")
@pytest.mark.parametrize("again", ["retry", "new workflow"])
@pytest.mark.parametrize("ended", ["set-aside-files", "emptying", "secrets"])
def test_what_ended_amid_it_is_gone_on_with(lost, hand, differences, ended, again):
    before = differing_secret(lost)
    filled_storage(lost)
    if ended == "emptying":
        hand.against("file-storage", amid_emptying(lost, signal.SIGKILL))
    elif ended == "secrets":
        hand.against("secrets", hand.kill_before("update", "secrets"))
    else:
        hand.against("set-aside-files", hand.kill_before("patch", CLAIMS))
    failed = lost.restore("nightly", **REPLACE)
    assert failed.phase == "Failed"
    first = lost.engine.volume(f"{failed.name}-replaced")

    workflow = lost.engine.retry(failed) if again == "retry" else lost.restore("nightly", **REPLACE)

    assert workflow.phase == "Succeeded", workflow.message
    assert {name: (first / layout.TREE / name).read_bytes() for name in FILES} == FILES
    roots = [lost.engine.volume(name) for name in claims_of_replaced(lost)]
    assert all(saved(root, "secrets/zync.json") == before for root in roots if (root / "secrets").exists())
    assert saved(lost.engine.volume(f"{workflow.name}-replaced"), "secrets/zync.json") == before
    check_replaced(lost, before)
    assert differences(lost) == ["secrets/zync"]  # its own label stays


def test_whoever_may_not_replace_is_told_before_anything_is_saved_or_emptied(lost):
    differing_secret(lost)
    filled_storage(lost)
    without(lost, RESTORE, "secrets", "update")
    there = lost.exists(CLAIMS)

    workflow = lost.restore("nightly", **REPLACE)

    assert workflow.phase == "Failed"
    assert "not allowed to update secrets 'zync'" in workflow.node("prepare").attempts[-1].message
    assert lost.exists(CLAIMS) == there
    assert {name: (lost.storage / name).read_bytes() for name in FILES} == FILES


@pytest.mark.usefixtures("tried_once")
@pytest.mark.thorough
def test_an_object_that_has_changed_after_it_was_saved_is_left_alone(lost, hand):
    differing_secret(lost)
    filled_storage(lost)
    hand.against("file-storage", lambda _process: lost.kubernetes.patch("secrets", lost.namespace, "zync", CHANGE))

    workflow = lost.restore("nightly", **REPLACE)

    assert workflow.phase == "Failed"
    assert "Secret zync has changed after it was saved" in workflow.node("secrets").attempts[-1].message
    assert lost.get("secrets", "zync")["data"]["LAST"] == "eA=="
    check_files_are_saved(lost.engine.volume(f"{workflow.name}-replaced"))


CHANGE = {"data": {"LAST": "eA=="}}


@pytest.mark.thorough
@pytest.mark.usefixtures("tried_once")
def test_files_are_saved_again_where_the_claim_that_held_them_is_gone(lost, hand):
    filled_storage(lost)
    hand.against("file-storage", hand.kill_before("get", CLAIMS))
    failed = lost.restore("nightly", **REPLACE)
    assert fields.annotation(lost.get(CLAIMS, "system-storage"), marks.RESTORE_STATE) == marks.SET_ASIDE
    lost.lose_claim(f"{failed.name}-replaced")

    retried = lost.engine.retry(failed)
    workflow = lost.restore("nightly", **REPLACE)

    assert "the files of claim 'system-storage' were saved to it" in retried.node("file-storage").attempts[-1].message
    assert workflow.phase == "Succeeded", workflow.message
    check_files_are_saved(lost.engine.volume(f"{workflow.name}-replaced"))


@pytest.mark.thorough
@pytest.mark.usefixtures("tried_once")
def test_files_that_were_saved_stay_where_nobody_asks_for_it_any_more(lost, hand):
    filled_storage(lost)
    hand.against("file-storage", hand.kill_before("get", CLAIMS))
    lost.restore("nightly", **REPLACE)

    workflow = lost.restore("nightly")

    assert workflow.phase == "Failed"
    assert "already holds files" in workflow.node("file-storage").attempts[-1].message
    assert {name: (lost.storage / name).read_bytes() for name in FILES} == FILES


@pytest.mark.thorough
def test_files_of_another_restore_are_replaced_too(lost):
    filled_storage(lost, annotations=marks.Mark("weekly", "other").annotations())

    workflow = lost.restore("nightly", file_storage_conflict="replace")

    assert workflow.phase == "Succeeded", workflow.message
    check_files_are_saved(lost.engine.volume(f"{workflow.name}-replaced"))
