"""The files of a copy: begun anew, readable by the group, and known by their digests."""

import hashlib

from steps.databases import copied_files


def test_what_an_earlier_try_has_left_is_removed(tmp_path):
    (tmp_path / "databases/one/dump").mkdir(parents=True)
    (tmp_path / "databases/one/dump/stale").write_text("")
    (tmp_path / "databases/other").mkdir()

    copied_files.clear(tmp_path, "databases/one")

    assert list((tmp_path / "databases/one").iterdir()) == []
    assert (tmp_path / "databases/other").is_dir()


def test_a_link_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    (outside / "kept").mkdir(parents=True)
    root = tmp_path / "root"
    (root / "databases").mkdir(parents=True)
    (root / "databases/one").symlink_to(outside)

    copied_files.clear(root, "databases/one")

    assert (outside / "kept").is_dir()
    assert not (root / "databases/one").is_symlink()


def test_each_file_is_given_to_the_group_and_digested(tmp_path):
    folder = tmp_path / "databases/one"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "3406.dat").write_bytes(b"rows")
    (folder / "3406.dat").chmod(0o600)

    found = copied_files.finish(tmp_path, "databases/one")

    (digest,) = found.values()
    assert list(found) == ["databases/one/3406.dat"]
    assert (digest.size, digest.sha256) == (4, hashlib.sha256(b"rows").hexdigest())
    assert (folder / "3406.dat").stat().st_mode & 0o040
    assert folder.stat().st_mode & 0o070 == 0o070
