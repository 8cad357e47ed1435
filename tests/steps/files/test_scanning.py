"""What a look at a tree finds, and what it counts."""

import errno
import os
from types import SimpleNamespace

import pytest

from steps.files import ahead, comparison, scanning
from steps.files.mtree import FILE, FOLDER
from steps.files.tally import Lost, Tally, Why
from tests.builders.trees import MIB, build, dense, out, seen, sparse


def test_a_tree_that_is_gone_is_no_empty_one(tmp_path):
    assert list(scanning.scan(tmp_path / "gone", workers=0)) == [Lost(".", Why.UNREADABLE)]
    assert out(tmp_path / "gone", tmp_path, tally := Tally()) == []
    assert tally.unreadable.first == ["."]
    assert list(comparison.compare([], tmp_path / "gone", digests=True, workers=0)) == ["'.' can't be read"]


def test_while_a_tree_is_counted_it_is_told_how_far(tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "_TICK_S", 0)
    build(
        tmp_path / "tree", {b"%d" % number: (FOLDER, {b"a": (FILE, b"1", 0o644, 0)}, 0o755, 0) for number in range(9)}
    )
    told = []

    found = scanning.measure(tmp_path / "tree", 0, lambda so_far: told.append(so_far.entries))

    assert found.entries == 18
    assert told == sorted(told)
    assert {0, 17} <= {*told}


class TestMeasure:
    def test_the_data_of_a_file_with_holes_are_counted_apart_from_its_length(self, tmp_path):
        sparse(tmp_path / "holes", 300 << 30, {0: b"a" * 4096, 200 << 30: b"b" * MIB})
        sparse(tmp_path / "hole", 3 * MIB, {})
        dense(tmp_path / "zeros", bytes(2 * MIB))

        tally = scanning.measure(tmp_path, 0)

        assert tally.size_bytes == (300 << 30) + 5 * MIB
        assert tally.data_bytes == 4096 + 3 * MIB

    def test_holes_are_none_of_what_is_compared(self, tmp_path):
        sparse(tmp_path / "a", 3 * MIB, {})
        entries = seen(tmp_path)

        assert list(comparison.differences(Tally.of(entries), lambda: entries, tmp_path, 0)) == []

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
    def test_a_file_system_that_knows_no_holes_counts_the_whole_length(self, tmp_path, monkeypatch, number):
        sparse(tmp_path / "a", 3 * MIB, {})

        seek = os.lseek

        def refuse(descriptor, at, how):
            if how in {os.SEEK_DATA, os.SEEK_HOLE}:
                raise OSError(number, "refused")
            return seek(descriptor, at, how)

        monkeypatch.setattr(os, "lseek", refuse)

        assert scanning.measure(tmp_path, 0).data_bytes == 3 * MIB

    def test_one_that_contradicts_itself_counts_the_whole_length(self, tmp_path, monkeypatch):
        sparse(tmp_path / "a", 3 * MIB, {})
        monkeypatch.setattr(os, "lseek", lambda *_: 0)  # data of no bytes, without an end

        assert scanning.measure(tmp_path, 0).data_bytes == 3 * MIB

    def test_fewer_blocks_alone_are_no_holes(self, tmp_path, monkeypatch):
        dense(tmp_path / "compressed", b"a" * 3 * MIB)
        look = os.stat

        def compressed(*arguments, **options):
            found = look(*arguments, **options)
            return SimpleNamespace(st_size=found.st_size, st_blocks=8)

        monkeypatch.setattr(os, "stat", compressed)

        assert scanning.measure(tmp_path, 0).data_bytes == 3 * MIB
