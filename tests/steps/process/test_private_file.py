"""A secret's file is its owner's alone, and never somebody else's that was there."""

import pytest

from steps.process import private_file


def test_the_owner_alone_may_read_it(tmp_path):
    path = private_file.write(tmp_path / "password", "text")

    assert path.read_text() == "text"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_or_link_that_is_there_is_not_written(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileExistsError):
        private_file.write(tmp_path / "link", "text")

    assert not (tmp_path / "elsewhere").exists()
