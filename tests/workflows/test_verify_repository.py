"""The nightly verification reads a share of the repository, and its ledger says what is damaged."""

import os

import pytest

from steps import errors
from steps.archive import marks
from steps.phases import watchdog
from steps.repository import ledger
from tests.builders import broken_packs, repositories
from tests.builders.repositories import Looked

pytestmark = pytest.mark.thorough


@pytest.fixture
def address(kept, restic, tmp_path, monkeypatch):
    """A namespace whose backup has a copy in a repository in a folder."""
    monkeypatch.setenv("PATH", f"{restic.path.parent}{os.pathsep}{os.environ['PATH']}")
    repositories.give(kept, tmp_path / "repository")
    workflow = kept.engine.submit("threescale-push", {"repository-init": "yes"})

    assert workflow.phase == "Succeeded", workflow.message
    return tmp_path / "repository"


def known(stage):
    return ledger.read(stage.connect(), repositories.NAME)


def test_damage_is_marked_and_healed_by_a_repair_and_a_push(kept, address, restic):
    good = kept.verify(repository_nights="2")

    assert good.phase == "Succeeded", good.message
    assert known(kept).reading == "1/2"
    pack = max(repositories.packs(address), key=lambda path: path.stat().st_size)
    broken_packs.flip(pack)

    bad = kept.verify(repository_nights="1")

    assert bad.phase == "Failed"
    assert bad.node("read").phase == "Succeeded"
    found = known(kept)
    (snapshot,) = Looked(restic, address).snapshots()
    assert found.damaged == [snapshot["id"]]
    assert found.packs == (pack.name,)
    assert found.reading == "1/2"
    claim = kept.get("persistentvolumeclaims", "nightly")
    assert marks.DAMAGED not in claim["metadata"]["labels"]
    with pytest.raises(errors.CopiesDamaged):
        watchdog.look(kept.connect(), "", watchdog.now(), repositories.NAME).check_copies(None, "")

    repaired = kept.engine.submit("threescale-repository-prune", {})

    assert repaired.phase == "Succeeded", repaired.message
    assert repaired.node("free").outputs["repaired"] == "1"
    assert known(kept).packs == ()
    again = kept.engine.submit("threescale-push", {"claim-name": "nightly"})

    assert again.phase == "Succeeded", again.message
    assert len(Looked(restic, address).snapshots()) == 2
    healed = kept.verify(repository_nights="1")

    assert healed.phase == "Succeeded", healed.message
    assert known(kept).damaged == []
    assert known(kept).of(snapshot["id"]).verified
    watchdog.look(kept.connect(), "", watchdog.now(), repositories.NAME).check_copies(None, "")
    freed = kept.engine.submit("threescale-repository-prune", {})

    assert freed.phase == "Succeeded", freed.message


def test_a_person_who_verifies_one_claim_reads_no_share(kept, address):
    address.rename(address.with_name("away"))

    alone = kept.verify(claim_name="nightly")
    asked = kept.verify(claim_name="nightly", repository_nights="1")

    assert (alone.phase, asked.phase) == ("Succeeded", "Failed")
    assert "claim-name is nightly" in alone.node("repository").log


def test_a_repository_that_is_gone_does_not_keep_the_claim_from_being_read(kept, address):
    address.rename(address.with_name("away"))

    failed = kept.verify()

    assert failed.phase == "Failed"
    assert failed.node("read").phase == "Succeeded"
    assert known(kept).damaged == []
    assert known(kept).reading == ""
