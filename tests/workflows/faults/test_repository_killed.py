"""A push or a fetch that is killed at any point is healed by the next try, without a hand."""

import pytest

from steps.archive import marks
from steps.kubernetes import fields
from tests.builders.claims import CLAIMS
from tests.workflows.faults.copies import DATA, INDEX, LOCKS, SNAPSHOTS, codes

pytestmark = pytest.mark.thorough

KILLED = 137

AT_THE_STORE = {
    "before the first pack": {"methods": "PUT", "path": DATA},
    "amid the packs": {"methods": "PUT", "path": DATA, "skip": 1},
    "before the index": {"methods": "PUT", "path": INDEX},
    "before the snapshot": {"methods": "PUT", "path": SNAPSHOTS},
    "after the snapshot and before its proof": {"methods": "PUT", "path": SNAPSHOTS, "after": True},
    "before the lock is removed": {"methods": "DELETE", "path": LOCKS},
}
IN_THE_CLUSTER = {
    "after the proof and before the ledger": ("create", "configmaps"),
    "after the ledger and before the claim's label": ("patch", CLAIMS),
}


@pytest.fixture
def made(copies):
    """An empty repository."""
    copies.looked.run("init")
    return copies


def check_healed(copies, workflow):
    (snapshot,) = copies.looked.snapshots()
    told = fields.annotation(copies.stage.get(CLAIMS, "nightly"), marks.SNAPSHOT)
    assert (workflow.phase, codes(workflow, "upload")) == ("Succeeded", [KILLED, 0])
    assert told.endswith(snapshot["id"])
    assert copies.is_pushed()
    assert len(copies.looked.locks()) <= 1  # of the restic that was killed, and it stops no push
    assert copies.check()


@pytest.mark.parametrize(
    "point",
    [pytest.param(each, marks=pytest.mark.thorough) for each in AT_THE_STORE if each != "amid the packs"]
    + ["amid the packs"],
)
def test_a_push_that_is_killed_at_the_store_is_healed_by_the_next_try(made, point):
    made.kill("upload", **AT_THE_STORE[point])

    check_healed(made, made.push())


@pytest.mark.thorough
@pytest.mark.parametrize("point", IN_THE_CLUSTER)
def test_a_push_that_is_killed_before_it_is_noted_finds_its_snapshot(made, point):
    made.hand.against("upload", made.hand.kill_before(*IN_THE_CLUSTER[point]))

    check_healed(made, made.push())


@pytest.mark.thorough
def test_a_push_that_is_killed_at_each_try_is_healed_by_the_next_night(made):
    for _ in range(2):
        made.kill("upload", methods="PUT", path=DATA, skip=1)
    killed = made.push()
    left = made.is_pushed()
    made.hand.forget()

    healed = made.push()

    assert (killed.phase, set(codes(killed, "upload")), left) == ("Failed", {KILLED}, False)
    assert (healed.phase, codes(healed, "upload")) == ("Succeeded", [0])
    assert len(made.looked.snapshots()) == 1
    assert made.check()


FETCHES = {
    "before the first pack": {"methods": "GET", "path": DATA},
    "amid the packs": {"methods": "GET", "path": DATA, "skip": 1},
    "after the last file and before the check": {"methods": "DELETE", "path": LOCKS},
}


@pytest.mark.thorough
@pytest.mark.parametrize("point", FETCHES)
def test_a_fetch_that_is_killed_at_the_store_is_healed_by_the_next_try(copied, point):
    copied.kill("download", **FETCHES[point])

    workflow = copied.fetch()

    assert (workflow.phase, codes(workflow, "download")) == ("Succeeded", [KILLED, 0])
    assert copied.is_whole("back")


@pytest.mark.thorough
def test_a_fetch_that_is_killed_before_its_claim_is_sealed_is_healed_by_the_next_try(copied):
    copied.hand.against("download", copied.hand.kill_before("patch", CLAIMS))

    workflow = copied.fetch()

    assert (workflow.phase, codes(workflow, "download")) == ("Succeeded", [KILLED, 0])
    assert copied.is_whole("back")


@pytest.mark.thorough
def test_a_fetch_that_is_killed_after_its_claim_was_made_takes_this_claim(copied):
    copied.hand.against("prepare", copied.hand.kill_after("create", CLAIMS))

    workflow = copied.fetch()

    assert (workflow.phase, codes(workflow, "prepare")) == ("Succeeded", [KILLED, 0])
    assert copied.is_whole("back")
