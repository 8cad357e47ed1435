"""What a volume holds is removed, and nothing that a link leads to."""

import os

import pytest

from steps import errors
from steps.files import removal


@pytest.fixture
def root(tmp_path):
    """A tree with a link out of it, to a folder that is to stay."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").touch()
    (tmp_path / "root/folder/inner").mkdir(parents=True)
    (tmp_path / "root/folder/file").touch()
    (tmp_path / "root/folder/link").symlink_to(tmp_path / "outside")
    (tmp_path / "root/lost+found/piece").mkdir(parents=True)
    return tmp_path / "root"


def test_a_volume_is_emptied_but_for_what_is_none_of_its_content(root):
    removal.empty(root)

    assert os.listdir(root) == ["lost+found"]
    assert os.listdir(root / "lost+found") == ["piece"]
    assert os.listdir(root.parent / "outside") == ["kept"]


def test_what_is_named_is_dropped_where_it_is_there(root):
    removal.drop(root, ["folder/file", "folder/link", "folder/inner", "folder/gone", "gone/file"])

    assert os.listdir(root / "folder") == []
    assert os.listdir(root.parent / "outside") == ["kept"]


def test_nothing_is_dropped_behind_a_link(root):
    with pytest.raises(errors.VolumeFailed):
        removal.drop(root, ["folder/link/kept"])

    assert os.listdir(root.parent / "outside") == ["kept"]
