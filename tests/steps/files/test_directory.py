"""The names in a folder."""

import os

from steps.files.mtree import FILE
from tests.builders.trees import build, out, seen


def test_names_are_in_the_order_of_their_bytes_also_where_they_are_no_utf_8(tmp_path):
    smiling, no_utf_8 = "\U0001f600".encode(), b"\xff"
    build(tmp_path / "tree", dict.fromkeys((no_utf_8, smiling), (FILE, b"", 0o644, 0)))

    assert [os.fsencode(entry.path) for entry in seen(tmp_path / "tree")] == [smiling, no_utf_8]


def test_lost_and_found_is_left_out_at_the_top_only(source, tmp_path):
    (source / "lost+found/piece").mkdir(parents=True)
    (source / "acme/lost+found").mkdir()
    (tmp_path / "copy").mkdir()

    out(source, tmp_path / "copy")

    assert not (tmp_path / "copy/lost+found").exists()
    assert (tmp_path / "copy/acme/lost+found").is_dir()
