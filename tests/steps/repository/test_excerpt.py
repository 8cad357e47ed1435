"""Some files of a backup out of a repository, where their names and their bytes are odd."""

import os

import pytest

from steps import errors
from steps.archive import contents, layout
from steps.repository import excerpt
from tests.builders import pushed

needs_restic = pytest.mark.usefixtures("restic_on_path")
ODD = ["a[1]*.txt", "a1x.txt", "\\back.txt", "\udcff.bin"]


@pytest.mark.parametrize(
    ("told", "path"), [("secrets/", "secrets"), ("/a//b", "a/b"), ("./a/./b", "a/b"), ("a b/*", "a b/*")]
)
def test_a_path_has_one_spelling(told, path):
    assert excerpt.paths([told]) == [path]


@pytest.mark.parametrize("told", ["", "/", ".", "..", "a/../b", "a\0b"])
def test_a_path_that_leads_elsewhere_is_refused(told):
    with pytest.raises(errors.BadInclude):
        excerpt.paths([told])


@pytest.fixture
def restic_of_it(tmp_path, backup_volume):
    """A repository with a backup that has files of odd names, which no listing knows."""
    made = pushed.new(tmp_path)
    (backup_volume / layout.REPORTS / "odd").mkdir()
    for name in ODD:
        (backup_volume / layout.REPORTS / "odd" / name).write_text(ascii(name))
    with made.opened() as found:
        yield found


def fetched(restic_of_it, backup_volume, tmp_path, wanted):
    """Push the backup without a proof, and fetch the wanted paths."""
    opened = contents.open_at(backup_volume)
    tags = ["--tag", f"backup=odd,manifest-sha256={opened.digest},entries=1"]
    restic_of_it.run("backup", *tags, *(str(each) for each in sorted(backup_volume.iterdir())))
    (snapshot,) = excerpt.download.snapshots.every(restic_of_it)
    excerpt.check(restic_of_it, snapshot, wanted)
    (tmp_path / "to").mkdir()
    return excerpt.fetch(restic_of_it, snapshot, wanted, tmp_path / "to", tmp_path, lambda *_: None)


@needs_restic
@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_a_name_stands_for_itself_whatever_signs_it_has(restic_of_it, backup_volume, tmp_path, name):
    fetched(restic_of_it, backup_volume, tmp_path, [f"{layout.REPORTS}/odd/{name}"])

    assert os.listdir(tmp_path / "to" / layout.REPORTS / "odd") == [name]


@needs_restic
def test_all_files_of_system_are_compared_with_the_listing(restic_of_it, backup_volume, tmp_path):
    facts = contents.open_at(backup_volume).facts.file_storage

    agreed = fetched(restic_of_it, backup_volume, tmp_path, [layout.TREE])

    assert (agreed.files, agreed.size_bytes) == (facts.files, facts.size_bytes)


@needs_restic
def test_an_object_that_differs_from_the_manifest_is_found(restic_of_it, backup_volume, tmp_path):
    path = "secrets/system-app.json"
    (backup_volume / path).write_text((backup_volume / path).read_text().replace("apiVersion", "apiversion"))

    with pytest.raises(errors.FetchedDiffers) as raised:
        fetched(restic_of_it, backup_volume, tmp_path, ["secrets"])

    assert f"{path} has different content than the manifest" in str(raised.value)
