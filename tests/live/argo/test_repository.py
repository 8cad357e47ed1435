"""Copies in a repository behind an S3 server, on a real Argo: pushed, verified, kept, freed, fetched and restored."""

import base64
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from steps.archive import marks
from steps.contract.prune_contract import PruneArguments
from steps.kubernetes import fields
from tests.builders.repositories import NAME, PASSWORD, packs, secret
from tests.live.argo import canaries, saved
from tests.live.argo.argo import Workflow
from tests.live.argo.conftest import argo_of
from tests.live.argo.copies import Copies, address_of
from tests.live.argo.hand import Hand
from tests.live.argo.nights import CLAIMS, NEVER
from tests.live.conftest import FIRST_USER
from tests.live.installation import Operator
from tests.live.kubernetes import Kubernetes
from tests.live.stage import Stage
from tests.stores import faults, sftp
from tests.stores import s3 as s3_server
from tests.stores.restic import Restic
from tests.stores.s3 import S3
from workflows import schedule
from workflows.manifests import render
from workflows.rehearsal import comparison
from workflows.rehearsal.threescale import objects
from workflows.rehearsal.threescale.objects import REFERENCED_SECRETS

pytestmark = pytest.mark.cluster

DENIED: Final = '"unable to save snapshot: client.PutObject: Access Denied"'
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

    assert {node.phase for node in backup.tries("upload")} == {"Failed"}
    assert backup.exit_codes("upload") == [75, 75, 75, 75]
    assert not copies.is_pushed("second")
    assert all(NAME in node.message for node in backup.tries("upload"))

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


def test_a_slow_store_gets_its_copy_and_one_that_refuses_costs_the_run(copies: Copies) -> None:
    copies.backup("nightly", push="no")
    copies.faults.slow(0.5)
    assert copies.push(repository_init="yes").phase == "Succeeded"
    copies.faults.heal()
    copies.backup("later", push="no")

    copies.faults.answer(403, methods="PUT", path="/data/")
    refused = copies.push()

    assert (refused.phase, refused.exit_codes("upload")) == ("Failed", [1])
    assert f"refuses these credentials for `restic backup`. restic reports {DENIED}" in told(refused, "upload(0)")
    assert not copies.is_pushed("later")
    assert copies.backups() == ["nightly"]


def test_a_store_without_room_is_refused_and_one_that_fails_is_tried_again(copies: Copies) -> None:
    copies.backup("nightly", push="no")
    copies.looked.run("init")

    copies.faults.answer(507)
    full = copies.push()
    copies.faults.heal()

    assert (full.phase, full.exit_codes("choose")) == ("Failed", [1])
    assert f"The store of repository {NAME} is full" in told(full, "choose(0)")

    copies.faults.answer(500)
    name = copies.begin()
    copies.argo.wait_until(name, "a failed try", lambda found: found.phase_of("choose(0)") == "Failed")
    copies.faults.heal()
    pushed = copies.argo.wait(name)

    assert pushed.phase == "Succeeded", pushed.failures()
    assert pushed.exit_codes("choose") == [75, 0]
    assert copies.backups() == ["nightly"]


def test_a_lost_object_is_found_by_the_verification_and_no_backup_comes_of_it(copies: Copies) -> None:
    copies.backup("nightly", repository_init="yes")
    largest = max(packs(copies.folder), key=lambda path: path.stat().st_size)
    copies.faults.lose(f"/{largest.name}$")

    verified = copies.argo.wait(copies.argo.submit("threescale-verify", repository_nights="1"))
    fetched = copies.argo.wait(copies.argo.submit("threescale-fetch", backup="nightly", name="back"))

    assert (verified.phase, verified.exit_codes("repository")) == ("Failed", [1])
    assert verified.phase_of("read") == "Succeeded"
    assert (fetched.phase, fetched.exit_codes("prepare")) == ("Failed", [1])
    assert f"Repository {NAME} is damaged" in told(fetched, "prepare(0)")  # its manifest is lost with the rest
    assert not marks.sealed(copies.stage.get(CLAIMS, "back") or {"metadata": {}})


def test_no_value_of_a_secret_is_seen_beside_the_secrets(copies: Copies) -> None:
    stage, canary = copies.stage, f"canary-{uuid.uuid4().hex}"
    for name in (*objects.SECRETS, *REFERENCED_SECRETS):
        data = {"CANARY": base64.b64encode(canary.encode()).decode()}
        stage.kubernetes.patch("secrets", stage.namespace, name, {"data": data})
    of_repository = [PASSWORD, s3_server.SECRET]

    with canaries.Processes() as restic:
        pushed = copies.backup("nightly", repository_init="yes")
        fetched = copies.argo.wait(copies.argo.submit("threescale-fetch", backup="nightly", name="back"))
        verified = copies.argo.wait(copies.argo.submit("threescale-verify"))
    assert [each.phase for each in (fetched, verified)] == ["Succeeded", "Succeeded"]

    logs = {place: text for each in (pushed, fetched, verified) for place, text in copies.logs(each.name).items()}
    assert any("pushed: backup nightly" in text for text in logs.values())
    called = {words.split(b"\0")[1] for words in restic.arguments}
    assert {b"backup", b"restore", b"check"} <= called
    wanted = canaries.needles([canary, *of_repository])
    files = {str(path): path.read_bytes() for path in copies.folder.rglob("*") if path.is_file()}
    assert files
    places = {place: text.encode() for place, text in logs.items()} | canaries.left(stage.kubernetes, stage.namespace)
    places |= {f"arguments: {words!r}": words for words in restic.arguments}
    places |= {f"environment {number}": text for number, text in enumerate(restic.environments)}
    assert canaries.leaks(wanted, places | files) == []
    manifest = copies.looked.run("dump", "latest", "/backup/secrets/system-app.json").stdout
    assert canaries.leaks(wanted, {"what is encrypted": manifest.encode()})


def test_a_user_whom_no_image_knows_pushes_by_sftp(copies: Copies, own_cluster: Kubernetes) -> None:
    sshd = sftp.program() or pytest.skip("no sshd: install Debian's openssh-server")
    stage = copies.stage
    with sftp.running(sshd, address_of(own_cluster)) as server:
        keys = {"ssh-privatekey": server.key.read_text(), "known_hosts": server.known_hosts.read_text()}
        stage.kubernetes.apply(secret(stage.namespace, server.repository(), **keys))

        pushed = copies.backup("nightly", repository_init="yes")

        assert pushed.phase_of("push") == "Succeeded"
        assert copies.is_pushed("nightly")
        assert len(list((server.folder / "repository" / "snapshots").iterdir())) == 1
        assert stage.installation.security["runAsUser"] >= FIRST_USER
