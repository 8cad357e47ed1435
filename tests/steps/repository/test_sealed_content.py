"""What a snapshot must hold is what the manifest and the listing name, in the order of a snapshot."""

import json
import os
import shutil

import pytest

from steps import errors
from steps.archive import contents, layout
from steps.files import volume
from steps.files.mtree import FILE, place
from steps.repository import sealed_content
from tests.builders import snapshots
from tests.builders.refusals import refused
from tests.builders.trees import SMALL, build


def content_of(root):
    return list(sealed_content.entries(contents.open_at(root)))


def edit(root, change):
    """Change the manifest of a backup."""
    facts = json.loads((root / layout.MANIFEST).read_text())
    change(facts)
    (root / layout.MANIFEST).write_text(json.dumps(facts))


def test_a_sealed_volume_is_expected_as_it_lies_there(backup_volume):
    expected = content_of(backup_volume)

    there = {path: path.lstat() for path in backup_volume.rglob("*")}
    assert {each.path for each in expected} == {f"/{path.relative_to(backup_volume)}" for path in there}
    assert {each.path: each.size for each in expected if each.kind == FILE} == {
        f"/{path.relative_to(backup_volume)}": path.stat().st_size for path in there if path.is_file()
    }


def test_the_order_is_that_of_a_listing(backup_volume):
    places = [each.place for each in content_of(backup_volume)]

    assert places == sorted(places)
    assert places.index(place("system-filestorage-pvc")) < places.index(place("system-filestorage.mtree"))


def test_strangers_on_the_claim_are_not_expected(backup_volume):
    before = content_of(backup_volume)

    for name in ("lost+found", ".snapshot", "of another"):
        (backup_volume / name).mkdir()
    (backup_volume / f"{volume.TEMPORARY}1").touch()

    assert content_of(backup_volume) == before


def test_what_the_manifest_names_is_expected_where_the_claim_lacks_it(backup_volume):
    before = content_of(backup_volume)

    shutil.rmtree(backup_volume / layout.SECRETS)
    shutil.rmtree(backup_volume / layout.TREE)
    (backup_volume / layout.RESULT).unlink()

    assert content_of(backup_volume) == before


def test_sizes_of_the_manifest_decide(backup_volume):
    before = content_of(backup_volume)

    (backup_volume / layout.APIMANAGER).write_bytes(b"longer " * 10_000)
    (backup_volume / layout.RESULT).write_bytes(b"")

    assert content_of(backup_volume) == before


def test_a_backup_of_external_files_has_no_tree(backup_volume):
    (backup_volume / layout.LISTING).unlink()
    edit(backup_volume, lambda facts: facts.pop("file_storage"))

    tops = {each.path.split("/")[1] for each in content_of(backup_volume)}

    assert not tops & {layout.LISTING, layout.TREE}


def test_a_backup_of_an_older_version_has_a_record_or_none(backup_volume):
    edit(backup_volume, lambda facts: facts.pop("result"))
    with_record = [each.path for each in content_of(backup_volume)]
    (backup_volume / layout.RESULT).unlink()

    assert set(with_record) - {each.path for each in content_of(backup_volume)} == {"/result.json"}


def test_a_listing_that_is_not_the_manifest_s_is_refused(backup_volume):
    listing = backup_volume / layout.LISTING
    listing.write_text("".join(listing.read_text().splitlines(keepends=True)[:-1]))

    with pytest.raises(errors.BackupDamaged, match="different content than the manifest"):
        content_of(backup_volume)


def test_a_backup_of_the_operator_has_no_manifest_to_compare(tmp_path):
    with refused(errors.NoDigests, name="made by hand"):
        list(sealed_content.entries(contents.Backup(tmp_path, None, "", "made by hand")))


def test_reports_that_are_no_folder_can_not_be_read(backup_volume):
    shutil.rmtree(backup_volume / layout.REPORTS)
    (backup_volume / layout.REPORTS).symlink_to("secrets")

    with pytest.raises(errors.ReadFailed):
        content_of(backup_volume)


@pytest.mark.parametrize("tree", [SMALL, {}], ids=["a small tree", "a placeholder alone"])
def test_the_counts_are_those_of_restic_s_summary(repository, backup_volume, tmp_path, tree):
    snapshots.with_tree(backup_volume, build(tmp_path / "source", tree))

    summary = repository.push(backup_volume)

    assert sealed_content.counts(contents.open_at(backup_volume)) == (
        summary["total_files_processed"],
        summary["total_bytes_processed"],
    )


def test_hard_links_are_counted_by_their_names(repository, backup_volume, tmp_path):
    source = build(tmp_path / "source", SMALL)
    os.link(source / "acme/logo.png", source / "again")
    snapshots.with_tree(backup_volume, source)

    summary = repository.push(backup_volume)

    assert sealed_content.counts(contents.open_at(backup_volume)).size_bytes == summary["total_bytes_processed"]
