"""Every byte of a snapshot is read back and compared with its own manifest and listing."""

import json
import os
import shutil

import pytest

from steps.archive import layout
from steps.files.mtree import place
from steps.repository import reading_back, snapshots
from tests.builders import broken_packs
from tests.builders import snapshots as sealed_backups
from tests.builders.trees import MIB, sparse

ODD = [b"two\nlines", b"caf\xe9", b"back\\slash", b'"', b"a-b", b"n" * 200, "snow\u2603".encode(), b"end ", b"%d"]


@pytest.fixture
def on_path(each_restic, monkeypatch):
    monkeypatch.setenv("PATH", f"{each_restic.path.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def odd(backup_volume, tmp_path):
    """A sealed backup of a tree with odd names."""
    source = tmp_path / "source"
    for folder in (source, source / "a", source / "a/empty", source / os.fsdecode(b"a\xe9")):
        folder.mkdir()
        for name in ODD:
            (folder / os.fsdecode(name)).write_bytes(name)
    for name in ODD:
        (source / "a" / os.fsdecode(b"to-" + name[:90])).symlink_to(os.fsdecode(name + b"/" + name))
    sparse(source / "sparse", 3 * MIB, {MIB: b"data"})
    os.link(source / "sparse", source / "again")
    sealed_backups.with_tree(backup_volume, source)
    return backup_volume


@pytest.fixture
def repository(on_path, tmp_path):  # noqa: ARG001  it is a fixture
    with broken_packs.opened(tmp_path) as restic:
        restic.run("init")
        yield restic


def findings(restic, snapshot, tmp_path):
    return list(reading_back.findings(restic, snapshot, tmp_path))


def test_a_snapshot_of_odd_names_is_read_whole_without_its_volume(repository, odd, tmp_path):
    snapshot = broken_packs.push(repository, odd)
    shutil.rmtree(odd)

    assert findings(repository, snapshot, tmp_path) == []
    assert not (tmp_path / layout.LISTING).exists()


def other(restic, root, snapshot):
    """A snapshot of a changed folder with the tags of another one."""
    tags = [part for tag in restic.json("cat", "snapshot", snapshot.id)["tags"] for part in ("--tag", tag)]
    paths = sorted(str(path) for path in root.iterdir())
    restic.run("backup", "--json", "--force", *tags, *paths)
    found = [each for each in snapshots.every(restic) if each.id != snapshot.id]
    assert len(found) == 1
    return found[0]


def changed_bytes(tree):
    path = tree / "a" / os.fsdecode(b"caf\xe9")
    path.write_bytes(path.read_bytes()[::-1])


def changed_size(tree):
    (tree / "a/a-b").write_bytes(b"longer")


def changed_kind(tree):
    (tree / "a/a-b").unlink()
    (tree / "a/a-b").mkdir()


def changed_target(tree):
    (tree / "a/to-a-b").unlink()
    (tree / "a/to-a-b").symlink_to("elsewhere")


def missing(tree):
    (tree / "a/two\nlines").unlink()


def stranger(tree):
    (tree / "z\xe9").write_text("")


def object_changed(tree):
    path = tree.parent / layout.APIMANAGER
    path.write_bytes(path.read_bytes().replace(b"{", b"[", 1))


def sums_changed(tree):
    (tree.parent / layout.SUMS).write_text("")


def stranger_at_the_root(tree):
    (tree.parent / "stranger").write_text("")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (changed_bytes, "'system-filestorage-pvc/a/caf\\udce9' has different content in the snapshot"),
        (changed_size, "'system-filestorage-pvc/a/a-b' has 6 bytes in the snapshot instead of 3"),
        (changed_kind, "'system-filestorage-pvc/a/a-b' is a dir in the snapshot instead of a file"),
        (changed_target, "'system-filestorage-pvc/a/to-a-b' has a different target in the snapshot"),
        (missing, "'system-filestorage-pvc/a/two\\nlines' is missing in the snapshot"),
        (stranger, "'system-filestorage-pvc/z\\xe9' is in the snapshot, but not part of the backup"),
        (object_changed, f"'{layout.APIMANAGER}' has different content in the snapshot"),
        (sums_changed, "'SHA256SUMS' has 0 bytes in the snapshot instead of"),
        (stranger_at_the_root, "'stranger' is in the snapshot, but not part of the backup"),
    ],
)
def test_one_difference_is_one_finding(repository, odd, tmp_path, change, finding):
    good = broken_packs.push(repository, odd)
    change(odd / layout.TREE)

    (found,) = findings(repository, other(repository, odd, good), tmp_path)

    assert found.startswith(finding)
    assert findings(repository, good, tmp_path) == []


@pytest.mark.thorough
@pytest.mark.parametrize("name", [layout.LISTING, layout.MANIFEST])
def test_a_snapshot_with_another_listing_or_manifest_is_not_read_further(repository, odd, tmp_path, name):
    good = broken_packs.push(repository, odd)
    with (odd / name).open("a") as stream:
        stream.write("\n")

    (found,) = findings(repository, other(repository, odd, good), tmp_path)

    assert found.startswith(name)


@pytest.mark.thorough
@pytest.mark.parametrize("harm", [broken_packs.flip, broken_packs.truncate, os.unlink])
def test_a_damaged_pack_is_a_finding(repository, odd, tmp_path, harm):
    snapshot = broken_packs.push(repository, odd)
    (pack,) = broken_packs.packs_of(repository, "data")
    harm(broken_packs.path_of(tmp_path, pack))

    found = findings(repository, snapshot, tmp_path)

    assert found
    assert all("repository" in each for each in found)


@pytest.mark.thorough
def test_the_order_of_restic_is_the_order_of_the_listing(repository, odd):
    snapshot = broken_packs.push(repository, odd)
    nodes = map(json.loads, repository.run("ls", "--json", snapshot.id).splitlines()[1:])
    places = [place(each["path"][1:]) for each in nodes if "\ufffd" not in each["path"]]

    assert places == sorted(places)
