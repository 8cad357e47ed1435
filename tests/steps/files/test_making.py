"""Files are made with holes, and those that are whole are kept."""

import hashlib
import os

import pytest

from steps.files import comparison
from steps.files.mtree import FILE
from tests.builders.trees import (
    MIB,
    add_at_the_end,
    add_file,
    back,
    dense,
    extend,
    file_to_fifo,
    file_to_folder,
    fill,
    flip,
    folder_to_link,
    link_elsewhere,
    out,
    remove_file,
    remove_folder,
    sparse,
    truncate,
)


def held(path):
    """What a file takes of the disk, when all of it is there."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return path.stat().st_blocks * 512


SPARSE_AND_DENSE = {
    "holes-between": lambda path: sparse(
        path, 9 * MIB, {0: b"a" * 5000, 4 * MIB - 7: b"b" * 70_000, 9 * MIB - 1: b"c"}
    ),
    "hole-at-the-end": lambda path: sparse(path, 5 * MIB + 123, {MIB: b"a"}),
    "hole": lambda path: sparse(path, 3 * MIB, {}),
    "zeros": lambda path: dense(path, bytes(2 * MIB)),
    "zeros-of-one-page": lambda path: dense(path, bytes(4096)),
    "small-with-zeros": lambda path: dense(path, b"a" + bytes(100_000)),
    "data": lambda path: dense(path, bytes(range(1, 256)) * 8000),
}


@pytest.mark.parametrize("name", SPARSE_AND_DENSE)
def test_zeros_become_holes_on_either_side_and_the_digest_is_that_of_the_content(tmp_path, name):
    source, copied, target = folders = [tmp_path / each for each in ("source", "copied", "target")]
    for folder in folders:
        folder.mkdir()
    file = SPARSE_AND_DENSE[name](source / name)
    content = file.read_bytes()
    most = 4096 * sum(any(content[at : at + 4096]) for at in range(0, len(content), 4096)) + 3 * 4096

    (entry,) = out(source, copied)
    back([entry], copied, target)

    assert (entry.size, entry.digest) == (len(content), hashlib.sha256(content).hexdigest())
    for copy in (copied / name, target / name):
        assert copy.read_bytes() == content
        assert held(copy) <= most


def test_what_is_whole_is_not_copied_again(copied, source, tmp_path):
    copy, entries = copied
    (tmp_path / "target").mkdir()
    back(entries, copy, tmp_path / "target")
    before = [(root / "acme/logo.png").stat().st_ino for root in (copy, tmp_path / "target")]

    out(source, copy, known=entries)
    back(entries, copy, tmp_path / "target", again=True)

    assert [(root / "acme/logo.png").stat().st_ino for root in (copy, tmp_path / "target")] == before


def test_what_is_whole_is_proved_from_the_volume_and_not_from_memory(copied, source, tmp_path, monkeypatch):
    copy, entries = copied
    (tmp_path / "target").mkdir()
    back(entries, copy, tmp_path / "target")
    dropped = []  # a stand-in, as only a disk that fails shows what memory hides

    def advise(descriptor, start, length, advice, advise=os.posix_fadvise):
        if advice == os.POSIX_FADV_DONTNEED:
            dropped.append((os.readlink(f"/proc/self/fd/{descriptor}"), start, length))
        advise(descriptor, start, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", advise)
    out(source, copy, known=entries)
    back(entries, copy, tmp_path / "target", again=True)

    files = [entry.path for entry in entries if entry.kind == FILE]
    assert dropped == [(str(root / path), 0, 0) for root in (copy, tmp_path / "target") for path in files]


@pytest.fixture
def read(monkeypatch):
    """Count the bytes of files that are read, by this process."""
    counts = []
    readv = os.readv

    def counted(descriptor, buffers):
        counts.append(readv(descriptor, buffers))
        return counts[-1]

    monkeypatch.setattr(os, "readv", counted)
    return counts


def test_a_rerun_without_changes_costs_one_read_of_the_copy(copied, source, tmp_path, read):
    copy, entries = copied
    (tmp_path / "target").mkdir()
    back(entries, copy, tmp_path / "target")
    size_bytes = sum(entry.size for entry in entries)
    read.clear()

    out(source, copy, known=entries)

    assert sum(read) == size_bytes
    read.clear()

    back(entries, copy, tmp_path / "target", again=True)

    assert sum(read) == size_bytes


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        truncate,
        extend,
        fill,
        remove_file,
        remove_folder,
        file_to_folder,
        folder_to_link,
        file_to_fifo,
        link_elsewhere,
        add_file,
        add_at_the_end,
    ],
    ids=lambda damage: damage.__name__,
)
def test_what_only_looks_whole_is_made_anew(copied, source, damage):
    copy, entries = copied
    when = (copy / "acme/logo.png").stat().st_mtime_ns
    damage(copy)
    if damage is flip:
        os.utime(copy / "acme/logo.png", ns=(when, when))

    again = out(source, copy, known=entries)

    assert again == entries
    assert list(comparison.compare(entries, copy, digests=True, workers=0)) == []
