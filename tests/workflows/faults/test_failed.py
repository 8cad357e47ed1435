"""What fails for good on the way: exit code 1, the claim says `begun`, and nothing that is damaged has its final name.

Neither a Secret nor a ConfigMap nor an APIManager is there yet, so that the operator has nothing to work with.
"""

import pytest

from steps.archive import marks
from steps.contract import names
from steps.kubernetes import fields
from tests.builders.volumes import flip

TREE = "system-filestorage-pvc"


def written(stage) -> set[tuple[str, str]]:
    """Say what was written through the API, but for the evidence."""
    writes = (request for request in stage.kubernetes.writes() if request.name != names.RESTORE_RESULTS)
    return {(request.verb, request.resource) for request in writes}


def damaged(root, pristine) -> list[str]:
    """Name the files that lie below a folder and have other bytes than the pristine ones; leftovers count too."""
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return [
        str(name)
        for name in files
        if not (pristine / name).is_file() or (pristine / name).read_bytes() != (root / name).read_bytes()
    ]


def restore_state(stage) -> str:
    return fields.annotation(stage.get("persistentvolumeclaims", "system-storage"), marks.RESTORE_STATE)


# --- a restore ---

RESTORE = "threescale-restore"
ONLY_THE_CLAIM = {("create", "persistentvolumeclaims"), ("patch", "persistentvolumeclaims")}


@pytest.fixture
def tree(lost):
    """The tree on the volume of the backup."""
    return lost.engine.volume("nightly") / TREE


@pytest.fixture
def prepared(lost):
    """A restore that has come as far as an empty system-storage."""
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "system-storage", "namespace": lost.namespace}
    lost.kubernetes.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})
    return lost


def fill(stage):
    """Run the phase that fills system-storage, alone."""
    return stage.engine.submit(RESTORE, {"claim-name": "nightly"}, entrypoint="file-storage")


@pytest.mark.thorough
def test_a_flipped_byte_in_the_tree_stops_the_restore_and_once_mended_it_goes_on(lost, tree, sealed):
    harmed = max((path for path in tree.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    flip(harmed)

    workflow = lost.restore("nightly")

    assert (workflow.phase, workflow.node("file-storage").exit_code) == ("Failed", 1)
    assert "has different content than the listing" in workflow.node("file-storage").attempts[0].message
    assert restore_state(lost) == "begun"
    assert written(lost) == ONLY_THE_CLAIM
    assert not (lost.storage / harmed.relative_to(tree)).exists()
    assert damaged(lost.storage, sealed.folder / TREE) == []

    flip(harmed)
    again = fill(lost)

    assert (again.phase, restore_state(lost)) == ("Succeeded", "complete")
    assert damaged(lost.storage, sealed.folder / TREE) == damaged(sealed.folder / TREE, lost.storage) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [("nr_inodes=20", "not enough space for"), ("ro", "The volume is mounted read-only")],
    ids=["that is full before it looks full", "that is read-only"],
)
def test_a_volume_stops_the_restore(prepared, sealed, mount, options, said):
    mount(prepared.storage, options)

    workflow = fill(prepared)

    assert (workflow.phase, workflow.nodes[0].exit_code) == ("Failed", 1)
    assert said in workflow.nodes[0].attempts[0].message
    assert restore_state(prepared) == "begun"
    assert written(prepared) == {("patch", "persistentvolumeclaims")}
    assert damaged(prepared.storage, sealed.folder / TREE) == []


def test_a_volume_that_is_too_small_is_refused_before_the_first_byte(prepared, mount):
    mount(prepared.storage, "size=64k")

    workflow = fill(prepared)

    assert (workflow.phase, workflow.nodes[0].exit_code) == ("Failed", 1)
    assert (
        "bytes are needed. The volume has 65536 bytes free. Use a larger claim."
        in workflow.nodes[0].attempts[0].message
    )
    assert written(prepared) == set()
    assert list(prepared.storage.iterdir()) == []


# --- a backup ---


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("options", "said"),
    [("nr_inodes=20", "not enough space for"), ("ro", "The volume is mounted read-only")],
    ids=["that is full before it looks full", "that is read-only"],
)
def test_a_volume_stops_the_backup(installed, mount, options, said):
    target = installed.engine.volume("nightly")
    mount(target, options)

    workflow = installed.backup(name="nightly")
    claim = installed.get("persistentvolumeclaims", "nightly")

    assert (workflow.phase, workflow.node("seal").phase) == ("Failed", "Omitted")
    assert workflow.node("file-storage").exit_code == 1
    assert said in workflow.node("file-storage").log
    assert fields.label(claim, marks.STATE) == marks.RUNNING
    assert not (target / "manifest.json").exists()
    assert damaged(target / TREE, installed.storage) == []
