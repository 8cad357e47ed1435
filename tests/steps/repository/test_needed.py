"""The objects that one snapshot needs are all it takes to restore it, and no more."""

import pytest

from steps import errors
from steps.repository import needed, snapshots
from tests.builders import pushed

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("restic_on_path")]


@pytest.fixture
def nights(backup_volume, tmp_path):
    """A repository with one backup."""
    made = pushed.new(tmp_path)
    made.push(backup_volume)
    return made


def objects(repository):
    with repository.opened() as restic:
        newest = snapshots.every(restic)[0]
        return newest, needed.objects(restic, newest)


def files(repository):
    return {str(path.relative_to(repository.address)) for path in repository.address.rglob("*") if path.is_file()}


def test_a_repository_of_one_backup_needs_all_its_objects(nights):
    _, found = objects(nights)

    assert set(found) == {each for each in files(nights) if not each.startswith("locks/")}
    assert len(found) == len(set(found))


def test_what_only_other_snapshots_use_is_not_needed(nights, tmp_path):
    before = set(objects(nights)[1])
    (tmp_path / "other").write_bytes(b"of another one")
    nights.run("backup", str(tmp_path / "other"))

    assert set(objects(nights)[1]) == before
    assert files(nights) > before


@pytest.mark.thorough
def test_with_the_needed_objects_alone_the_backup_comes_back(nights, tmp_path):
    (tmp_path / "other").write_bytes(b"of another one")
    nights.run("backup", str(tmp_path / "other"))
    newest, found = objects(nights)
    for each in files(nights) - set(found):
        (nights.address / each).unlink()
    nights.run("restore", newest.id, "--target", str(tmp_path / "back"))

    assert (tmp_path / "back" / newest.root.lstrip("/") / "manifest.json").exists()


@pytest.mark.thorough
def test_without_any_one_of_the_needed_objects_the_backup_does_not_come_back(nights, tmp_path):
    newest, found = objects(nights)
    for each in found:
        (nights.address / each).rename(tmp_path / "away")
        with pytest.raises(errors.PhaseError):
            nights.run("restore", newest.id, "--target", str(tmp_path / "back"), "--overwrite", "always", "--no-cache")
        (tmp_path / "away").rename(nights.address / each)


@pytest.mark.thorough
def test_many_blobs_are_asked_in_several_calls(nights, monkeypatch):
    once = objects(nights)[1]
    monkeypatch.setattr(needed, "_BATCH", 40)

    assert objects(nights)[1] == once


@pytest.mark.thorough
def test_a_key_with_another_password_is_not_needed(nights, tmp_path):
    before = objects(nights)[1]
    (tmp_path / "new").write_text("another password of tests\n")
    nights.run("key", "add", "--new-password-file", str(tmp_path / "new"))

    assert objects(nights)[1] == before
