"""A snapshot is proved complete by names, kinds and sizes, or what it lacks, adds or changes is named."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steps.archive import contents, layout
from steps.files.mtree import place
from steps.repository import sealed_content, snapshot_proof
from tests.builders import snapshots
from tests.builders.trees import MIB, ORDINARY_USER, ROOT, build, folders, sparse, trees

TREE = f"/{layout.TREE}"
ODD = [b"two\nlines", b'"', b"back\\slash", b"caf\xe9", b"caf\xff", "caf\ufffd".encode(), "\u200b".encode(), b"a-b"]
FEW = settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
MANY = settings(FEW, max_examples=100)


@pytest.fixture
def odd(backup_volume, tmp_path):
    """A sealed backup of a tree with odd names."""
    source = tmp_path / "source"
    for folder in (source, source / "a", source / os.fsdecode(b"a\xe9"), source / "a/empty"):
        folder.mkdir()
    for folder in (source, source / "a", source / os.fsdecode(b"a\xe9")):
        for name in ODD:
            (folder / os.fsdecode(name)).write_bytes(name)
    (source / "link").symlink_to(os.fsdecode(b"caf\xe9"))
    (source / "a/link").symlink_to("nowhere")
    sparse(source / "sparse", 3 * MIB, {MIB: b"data"})
    os.link(source / "sparse", source / "again")
    snapshots.with_tree(backup_volume, source)
    return backup_volume


@pytest.fixture
def pushed(odd, tmp_path):
    """A copy of the backup, to be changed before it is pushed."""
    (tmp_path / "copy").mkdir()
    return snapshots.copy(odd, tmp_path / "copy")


def test_a_snapshot_of_a_sealed_backup_is_proved(repository, odd):
    assert repository.findings(odd) == []


def test_one_folder_of_the_sample_installation_has_a_name_that_is_not_utf_8(repository, backup_volume):
    repository.calls.clear()

    assert repository.findings(backup_volume) == []
    assert repository.calls == [f"{TREE}/acme/2026".encode()]


def path_in(pushed, name):
    return pushed / layout.TREE / os.fsdecode(name)


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def replace_by_link(path):
    path.unlink()
    path.symlink_to("elsewhere")


def replace_by_fifo(path):
    path.unlink()
    os.mkfifo(path)


def named(names, said):
    """Findings of the tree, in the order of a listing."""
    in_order = sorted(map(os.fsdecode, names), key=place)
    return [f"{f'{TREE}/{name}'!r} {said}" for name in in_order]


def test_missing_entries_are_named(repository, odd, pushed):
    names = [b"a/a-b", *ODD, *(b"a\xe9/" + name for name in ODD), b"link", b"a/empty", b"sparse"]
    for name in names:
        path = path_in(pushed, name)
        path.rmdir() if path.is_dir() else path.unlink()

    assert repository.findings(odd, pushed) == named(names, "is missing in the snapshot")


def test_strangers_in_the_tree_are_named(repository, odd, pushed):
    names = [b"zzz", b"a/0", b"caf\xe8", b"a\xe9/\n", b"a\xff", b"!"]
    for name in names:
        path_in(pushed, name).touch()

    assert repository.findings(odd, pushed) == named(names, "is in the snapshot, but not part of the backup")


def test_a_name_in_other_bytes_is_named_both_ways(repository, odd, pushed):
    path_in(pushed, b"a\xe9/caf\xe9").rename(path_in(pushed, b"a\xe9/caf\xe8"))

    assert repository.findings(odd, pushed) == [
        f"'{TREE}/a\\udce9/caf\\udce8' is in the snapshot, but not part of the backup",
        f"'{TREE}/a\\udce9/caf\\udce9' is missing in the snapshot",
    ]


def test_another_size_is_named(repository, odd, pushed):
    names = [b"a-b", b"caf\xff", "a/caf\ufffd".encode()]
    for name in names:
        path_in(pushed, name).write_bytes(b"22 bytes in all, not 3")

    found = repository.findings(odd, pushed)

    sizes = [3, 4, 6]
    assert sorted(found) == sorted(
        f"{f'{TREE}/{os.fsdecode(name)}'!r} has 22 bytes in the snapshot instead of {size}"
        for name, size in zip(names, sizes, strict=True)
    )


def test_another_kind_is_named(repository, odd, pushed):
    replace_by_folder(path_in(pushed, b"a/caf\xe9"))
    replace_by_fifo(path_in(pushed, b"a/caf\xff"))
    replace_by_link(path_in(pushed, b"a-b"))

    assert repository.findings(odd, pushed) == [
        f"'{TREE}/a/caf\\udce9' is a folder in the snapshot, but a file in the backup",
        f"'{TREE}/a/caf\\udcff' is a fifo in the snapshot, but a file in the backup",
        f"'{TREE}/a-b' is a link in the snapshot, but a file in the backup",
    ]


def test_another_target_is_named_where_a_name_is_not_utf_8(repository, odd, pushed):
    path_in(pushed, b"link").unlink()
    path_in(pushed, b"link").symlink_to(os.fsdecode(b"caf\xe8"))

    assert repository.findings(odd, pushed) == [f"'{TREE}/link' has a different target in the snapshot"]


def test_a_missing_folder_is_named_with_all_below_it(repository, odd, pushed):
    lost = {f"{TREE}/a", *(f"{TREE}/a/{name}" for name in os.listdir(path_in(pushed, b"a")))}
    shutil.rmtree(path_in(pushed, b"a"))

    assert set(repository.findings(odd, pushed)) == {f"{path!r} is missing in the snapshot" for path in lost}


def test_each_file_beside_the_tree_is_needed_with_its_size(repository, backup_volume, tmp_path):
    (tmp_path / "copy").mkdir()
    changed = snapshots.copy(backup_volume, tmp_path / "copy")
    beside = [path for path in changed.rglob("*") if path.is_file() and layout.TREE not in path.parts]
    sizes = {f"/{path.relative_to(changed)}": path.stat().st_size for path in beside}

    for path in beside:
        path.write_bytes(b"")
    shorter = repository.findings(backup_volume, changed)
    for path in beside:
        path.unlink()
    without = repository.findings(backup_volume, changed)

    assert sorted(shorter) == sorted(
        f"'{path}' has 0 bytes in the snapshot instead of {size}" for path, size in sizes.items()
    )
    assert sorted(without) == sorted(f"'{path}' is missing in the snapshot" for path in sizes)


def test_strangers_beside_the_tree_are_named(repository, odd, pushed):
    for name in ("lost+found", ".snapshot", "secrets/lost+found", "~snapshot"):
        (pushed / name).mkdir()

    assert repository.findings(odd, pushed) == [
        f"'/{name}' is in the snapshot, but not part of the backup"
        for name in (".snapshot", "lost+found", "secrets/lost+found", "~snapshot")
    ]


def test_files_that_restic_could_not_read_are_named_and_not_counted(restic, odd, anyones):
    changed = snapshots.copy(odd, anyones)
    for name in (b"a-b", b"a/empty"):
        path_in(changed, name).chmod(0)
    ours = snapshots.made(shutil.copy(restic.path, anyones), anyones, ORDINARY_USER if ROOT else None)

    found = ours.findings(odd, changed)

    assert snapshots.INCOMPLETE in ours.codes
    assert found == [f"'{TREE}/{name}' is missing in the snapshot" for name in ("a/empty", "a-b")]
    files, size_bytes = sealed_content.counts(contents.open_at(odd))
    assert ours.summary["total_files_processed"] == files - 1
    assert ours.summary["total_bytes_processed"] == size_bytes - len(b"a-b")


def test_an_empty_list_lacks_everything(backup_volume):
    found = list(snapshot_proof.findings(contents.open_at(backup_volume), [], lambda _path: b""))

    assert len(found) == len(list(backup_volume.rglob("*")))
    assert found[0] == "'/SHA256SUMS' is missing in the snapshot"


def test_a_list_that_can_not_be_read_is_a_finding(backup_volume):
    found = list(snapshot_proof.findings(contents.open_at(backup_volume), [b"no JSON"], lambda _path: b""))

    assert found == ["the list of the snapshot is invalid: line 1 can't be read"]


def check_any_tree(data, sealed, repository):
    """A random tree is proved; without one of its entries, this one and all below it are named."""
    with folders("source", "volume", "copy") as (source, volume, copy):
        snapshots.with_tree(root := snapshots.copy(sealed.folder, volume), build(source, data.draw(trees)))
        changed = snapshots.copy(root, copy)
        there = sorted((changed / layout.TREE).rglob("*"))
        gone = data.draw(st.sampled_from(there))
        lost = [path for path in there if path == gone or gone in path.parents]
        shutil.rmtree(gone) if gone.is_dir() and not gone.is_symlink() else gone.unlink()

        assert repository.findings(root) == []
        assert sorted(repository.findings(root, changed)) == sorted(
            f"{f'/{path.relative_to(changed)}'!r} is missing in the snapshot" for path in lost
        )


@pytest.mark.thorough
@FEW
@given(data=st.data())
def test_any_tree_is_proved_and_any_gap_in_it_is_named(data, sealed, repository):
    check_any_tree(data, sealed, repository)


@pytest.mark.thorough
@MANY
@given(data=st.data())
def test_very_many_trees_are_proved_and_gaps_in_them_are_named(data, sealed, repository):
    check_any_tree(data, sealed, repository)
