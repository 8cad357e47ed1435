"""A backup comes back from a repository to a new claim, as whole workflows on the embedded cluster."""

import pytest

from steps.archive import contents, marks
from steps.kubernetes import fields
from tests.builders import repositories
from tests.builders.claims import CLAIMS
from tests.builders.repositories import NAME, Looked, packs

ALL_READ = "yes"


pytestmark = pytest.mark.usefixtures("restic_on_path")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "repository"


@pytest.fixture
def pushed(kept, folder):
    """A namespace whose backup is in the repository."""
    repositories.give(kept, folder)
    workflow = kept.engine.submit("threescale-push", {"repository-init": "yes"})
    assert workflow.phase == "Succeeded", workflow.message
    return kept


def fetch(stage, **parameters):
    return stage.engine.submit(
        "threescale-fetch", {name.replace("_", "-"): value for name, value in parameters.items()}
    )


def message(workflow, node):
    return workflow.node(node).attempts[-1].message


def files(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def test_the_latest_backup_is_fetched_to_a_claim_that_is_sealed_as_the_original(pushed):
    workflow = fetch(pushed, name="back")

    claim, original = pushed.get(CLAIMS, "back"), pushed.get(CLAIMS, "nightly")
    assert workflow.phase == "Succeeded", workflow.message
    assert files(pushed.engine.volume("back")) == files(pushed.engine.volume("nightly"))
    assert fields.annotation(claim, marks.MANIFEST_DIGEST) == fields.annotation(original, marks.MANIFEST_DIGEST)
    assert fields.label(claim, marks.STATE) == "complete"
    assert fields.annotation(claim, marks.SNAPSHOT) == fields.annotation(original, marks.SNAPSHOT)
    assert list(contents.open_at(pushed.engine.volume("back")).findings(digests=True)) == []


@pytest.mark.thorough
def test_a_fetched_backup_is_verified_and_listed_as_any_other(pushed):
    fetch(pushed, name="back")

    workflow = pushed.verify(claim_name="back")

    assert workflow.node("read").outputs["verified"] == ALL_READ


@pytest.mark.thorough
def test_a_name_that_is_taken_is_refused_and_the_claim_is_left_alone(pushed):
    before = files(pushed.engine.volume("nightly"))

    workflow = fetch(pushed, backup="nightly")

    assert workflow.node("prepare").exit_code == 1
    assert "already exists" in message(workflow, "prepare")
    assert files(pushed.engine.volume("nightly")) == before


@pytest.mark.thorough
def test_an_unknown_backup_is_refused_with_the_names_that_there_are(pushed):
    workflow = fetch(pushed, backup="weekly", name="back")

    assert workflow.node("prepare").exit_code == 1
    assert "Its backups are: nightly" in message(workflow, "prepare")
    assert pushed.get(CLAIMS, "back") is None


@pytest.mark.thorough
def test_a_fetch_by_the_id_of_a_snapshot_from_a_named_repository(pushed, restic, folder):
    (snapshot,) = Looked(restic, folder).snapshots()

    workflow = fetch(pushed, backup=snapshot["short_id"], repository=NAME, name="back")

    assert workflow.phase == "Succeeded", workflow.message


@pytest.mark.thorough
def test_a_repository_that_is_not_configured_is_refused(pushed):
    workflow = fetch(pushed, repository="another", name="back")

    assert f"Choose one of {NAME}" in message(workflow, "prepare")


@pytest.mark.thorough
def test_damage_in_the_repository_leaves_no_backup_on_the_claim(pushed, folder):
    for pack in packs(folder):
        pack.chmod(0o600)
    largest = max(packs(folder), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(bytes(data))

    workflow = fetch(pushed, name="back")

    claim = pushed.get(CLAIMS, "back")
    assert workflow.phase == "Failed"
    assert claim is None or not marks.sealed(claim)
    assert not (pushed.engine.volume("back") / "manifest.json").exists()


@pytest.mark.thorough
def test_a_fetch_that_is_killed_goes_on_with_the_next_try(pushed):
    killed = []

    def kill(node, process):
        if node == "download" and not killed:
            killed.append(process.pid)
            process.kill()

    pushed.engine.on_start = kill

    workflow = fetch(pushed, name="back")

    assert killed
    assert workflow.phase == "Succeeded", workflow.message
    assert len(workflow.node("download").attempts) == 2
    assert files(pushed.engine.volume("back")) == files(pushed.engine.volume("nightly"))
