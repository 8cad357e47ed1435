"""Copies in a repository behind an S3 server, on a real Argo: pushed, verified, kept, freed, fetched and restored."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from steps.archive import marks
from steps.contract.prune_contract import PruneArguments
from steps.kubernetes import fields
from tests.builders.repositories import NAME
from tests.live.argo import saved
from tests.live.argo.argo import Workflow
from tests.live.argo.conftest import argo_of
from tests.live.argo.copies import Copies, address_of
from tests.live.argo.hand import Hand
from tests.live.argo.nights import CLAIMS, NEVER
from tests.live.installation import Operator
from tests.live.kubernetes import Kubernetes
from tests.live.stage import Stage
from tests.stores import faults
from tests.stores.restic import Restic
from tests.stores.s3 import S3
from workflows import schedule
from workflows.manifests import render
from workflows.rehearsal import comparison

pytestmark = pytest.mark.cluster

RULES: Final = PruneArguments.model_validate({"repository-keep-last": "1", "repository-minimum-redundancy": "1"})
PARTS: Final = {
    "its lock": ("PUT", "/locks/"),
    "the index": ("PUT", "/index/"),
    "the snapshot": ("PUT", "/snapshots/"),
    "the end of its lock": ("DELETE", "/locks/"),
    "data": ("PUT", "/data/"),
}


@pytest.fixture
def copies(
    controller: None,  # noqa: ARG001  it runs
    own_cluster: Kubernetes,
    new_stage: Callable[..., Stage],
    s3: S3,
    restic: Restic,
    tmp_path: Path,
) -> Iterator[Copies]:
    """A namespace with the sample installation and a repository that does not exist yet."""
    stage = new_stage(repositories=(NAME,))
    with faults.in_front_of(s3.port, address_of(own_cluster)) as proxy:
        found = Copies(stage, argo_of(own_cluster, stage, tmp_path), proxy, s3.bucket(), restic)
        found.configure()
        stage.installation.install()
        yield found
        proxy.heal()


@pytest.fixture
def striking(copies: Copies) -> Hand:
    return Hand(copies.stage.kubernetes, copies.stage.namespace, copies.argo)


def told(workflow: Workflow, node: str) -> str:
    return workflow.node(node).message


def test_a_copy_is_pushed_verified_fetched_and_restored(copies: Copies) -> None:
    stage, argo = copies.stage, copies.argo
    before = stage.installation.look()

    pushed = copies.backup("nightly", repository_init="yes")

    assert pushed.phase_of("push") == "Succeeded"
    assert pushed.phase_of("push-best-effort") == "Skipped"
    (snapshot,) = copies.looked.snapshots()
    assert pushed.node("push(0)").outputs["snapshots"] == f"{NAME}/{snapshot['id']}"
    assert copies.is_pushed("nightly")
    assert copies.looked.locks() == []

    verified = argo.wait(argo.submit("threescale-verify", repository_nights="2"))

    assert verified.phase == "Succeeded", verified.failures()
    assert verified.node("repository(0)").outputs["repository-share"] == f"{NAME}:1/2"
    assert verified.node("repository(0)").outputs["repository-damaged"] == "0"

    fetched = argo.wait(argo.submit("threescale-fetch", backup="nightly", name="back"))

    assert fetched.phase == "Succeeded", fetched.failures()
    assert saved.look(stage.installation, "back").findings(before) == []
    back, original = stage.get(CLAIMS, "back") or {}, stage.get(CLAIMS, "nightly") or {}
    assert fields.annotation(back, marks.MANIFEST_DIGEST) == fields.annotation(original, marks.MANIFEST_DIGEST)

    copies.forget_workflows()
    stage.kubernetes.delete(CLAIMS, stage.namespace, "nightly")
    stage.installation.lose()
    stage.installation.give_database_secrets()
    with Operator(stage.kubernetes, stage.installation):
        restored = argo.wait(argo.restore("back"))

    assert restored.phase == "Succeeded", restored.failures()
    rows = comparison.compare(before, stage.installation.look())
    assert [row.differences for row in rows if row.differences] == []


def test_old_copies_are_forgotten_and_their_room_is_freed(copies: Copies) -> None:
    stage, argo = copies.stage, copies.argo
    for manifest in render(stage.settings, [NEVER], RULES):
        stage.kubernetes.apply(manifest)
    first = argo.wait(argo.backup(schedule=schedule.NAME, repository_init="yes"))
    assert first.phase == "Succeeded", first.failures()
    packs = sorted(copies.packs())

    second = argo.wait(argo.backup(schedule=schedule.NAME))

    assert second.phase == "Succeeded", second.failures()
    assert second.phase_of("forget") == "Succeeded"
    assert copies.backups() == [second.name]

    freed = argo.wait(argo.submit("threescale-repository-prune"))

    assert freed.phase == "Succeeded", freed.failures()
    assert freed.node("free(0)").outputs["pruned"] == NAME
    assert not set(packs) <= set(copies.packs())
    copies.looked.run("check", "--read-data")


def test_best_effort_leaves_the_backup_green_and_its_copy_red_when_the_server_is_gone(copies: Copies) -> None:
    copies.backup("first", repository_init="yes")
    copies.faults.drop()

    backup = copies.backup("second", push="best-effort")

    assert backup.phase_of("best-effort") in {"", "Succeeded"}
    assert {node.phase for node in backup.tries("upload")} == {"Failed"}
    assert backup.exit_codes("upload") == [75, 75, 75, 75]
    assert not copies.is_pushed("second")
    assert "No answer" in backup.node("report").outputs["report"]

    copies.faults.heal()
    pushed = copies.push()

    assert pushed.phase == "Succeeded", pushed.failures()
    assert copies.is_pushed("second")
    assert sorted(copies.backups()) == ["first", "second"]


def test_a_push_that_is_killed_at_any_part_heals_by_the_next_try(copies: Copies, striking: Hand) -> None:
    """The locks that dead pods leave stop no push, and a prune removes them when they are old."""
    copies.backup("nightly", push="no")
    copies.push(repository_init="yes")
    master = copies.looked.run("cat", "masterkey").stdout
    for part, (method, path) in PARTS.items():
        copies.empty()

        name = copies.begin_and_wait_at(method, path, claim_name="nightly")
        striking.kill(name, "upload(0)")
        copies.faults.heal()
        pushed = copies.argo.wait(name)

        assert pushed.phase == "Succeeded", (part, pushed.failures())
        assert [(node.phase, node.message) for node in pushed.tries("upload")] == [
            ("Failed", "main: Error (exit code 137)"),
            ("Succeeded", ""),
        ], part
        assert copies.backups() == ["nightly"], part
        copies.looked.run("check", "--read-data", "--no-lock")
    assert copies.looked.locks(), "a dead pod leaves its lock"

    copies.replace_locks(master, minutes=31)
    freed = copies.argo.wait(copies.argo.submit("threescale-repository-prune"))

    assert freed.phase == "Succeeded", freed.failures()
    assert copies.looked.locks() == []


def test_a_push_whose_restic_is_killed_or_whose_pod_is_lost_needs_no_hand(copies: Copies, striking: Hand) -> None:
    copies.backup("nightly", push="no")

    name = copies.begin_and_wait_at("PUT", "/data/", repository_init="yes")
    copies.kill_restic("backup")
    copies.faults.heal()
    killed = copies.argo.wait(name)

    assert (killed.phase, killed.exit_codes("upload")) == ("Failed", [1])
    assert "repository.memory" in told(killed, "upload(0)")
    assert not copies.is_pushed("nightly")

    name = copies.begin_and_wait_at("PUT", "/data/")
    striking.lose_pod(name, "upload(0)")
    copies.faults.heal()
    pushed = copies.argo.wait(name)

    assert pushed.phase == "Succeeded", pushed.failures()
    assert [node.phase for node in pushed.tries("upload")] == ["Error", "Succeeded"]
    assert copies.backups() == ["nightly"]
    assert copies.is_pushed("nightly")
    copies.looked.run("check", "--read-data", "--no-lock")
