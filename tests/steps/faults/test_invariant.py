"""Whatever the system answers, an entry is whole in the copy or named in a failure; it is never absent in silence."""

import errno
import os
import random
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steps import errors
from steps.archive import layout, seal
from steps.archive.manifest import PLACEHOLDER
from steps.files import comparison, copy_out, directory, reading, scanning, walk
from steps.files.meter import Work
from steps.files.mtree import FILE, FOLDER, LINK
from steps.parts import file_storage
from tests.steps.faults.answers import answering

ERRNOS = [
    getattr(errno, name)
    for name in ("ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ESTALE", "EIO", "EACCES", "EINVAL", "EPERM")
]
CALLS = {FILE: ("open", "stat", "read"), FOLDER: ("open", "stat", "readdir"), LINK: ("stat", "readlink")}
EVER = 1 << 30
ROOT = r"(?<![^\s(])'?\.'?(?![^,;\s)])|/(source|target|system-filestorage-pvc)(?![/\w])"  # as a sentence names one
SIZES = [0, 1, 3000, reading.BLOCK - 1, reading.BLOCK, reading.BLOCK + 1, 300 << 10]
ODD = ["", "a b ", "two\nlines", "-rf", ".hidden", "caf\udce9", "back\\slash", "a, b", "it's", '"', "*", ".."]


class Planned(NamedTuple):
    """An entry of a tree: `within` tells in which of the folders before it."""

    kind: str
    odd: str
    size: int
    within: int


class Hit(NamedTuple):
    """Which call for which entry of which tree fails, from the `first` on, `times` times; a root is entry -1."""

    entry: int
    call: int
    in_copy: bool
    what: int
    first: int = 1
    times: int = EVER


class Fault(NamedTuple):
    """A hit on a tree that is there."""

    call: str
    root: Path
    path: str
    what: int
    first: int
    times: int


planned = st.builds(
    Planned,
    kind=st.sampled_from([FILE, FILE, FOLDER, FOLDER, LINK]),
    odd=st.sampled_from(ODD),
    size=st.sampled_from(SIZES),
    within=st.integers(0, 5),
)
trees = st.lists(planned, min_size=1, max_size=12)
hits = st.lists(
    st.builds(
        Hit,
        entry=st.integers(-1, 11),
        call=st.integers(0, 2),
        in_copy=st.booleans(),
        what=st.sampled_from(ERRNOS),
        first=st.sampled_from([1, 1, 2, 3, 5]),
        times=st.sampled_from([1, 2, 3, EVER, EVER]),
    ),
    min_size=1,
    max_size=2,
)
pytestmark = pytest.mark.usefixtures("nothing_is_synced")
quick = settings(max_examples=40, deadline=None, derandomize=True)
long = settings(max_examples=2000, deadline=None, derandomize=True)


@pytest.fixture(scope="module", autouse=True)
def small_numbers() -> Iterator[None]:
    """Tasks of few names, files that are large early, and little patience, so that small trees meet all of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copy_out, "_PATIENCE_S", 0.05, raising=False)
        patch.setattr(copy_out, "_PAUSE_S", 0.01, raising=False)
        patch.setattr(walk, "TOGETHER", 3)
        patch.setattr(reading, "LARGE", 290 << 10)
        yield


class World(NamedTuple):
    """A source, the root of a backup volume, and a target, with the paths and kinds of the entries."""

    source: Path
    root: Path
    target: Path
    entries: dict[str, str]

    @property
    def copy(self) -> Path:
        return self.root / layout.TREE

    def save(self) -> object:
        return file_storage.save(self.source, self.root, lambda _done, _all: None, 0)

    def bring(self, *, again: bool) -> errors.Few:
        lines = partial(seal.lines, self.root)
        return file_storage.bring(lines, self.copy, self.target, Work(0), again=again)[1]

    def brought(self, *, again: bool) -> str:
        """Restore; what speaks against it comes back, empty if all went well."""
        try:
            return "; ".join(self.bring(again=again).first)
        except errors.PhaseError as error:
            return str(error)

    def lacking(self) -> set[str]:
        """What of the source is not listed as it is."""
        return {entry.path for entry in set(scanned(self.source)) - set(seal.listed(self.root))}

    def unlike(self, copy: Path) -> list[str]:
        """What is not as the listing says, seen without faults."""
        return list(comparison.compare(seal.listed(self.root), copy, digests=True, workers=0))

    def strays(self) -> set[str]:
        """What is listed and was never there."""
        return {entry.path for entry in seal.listed(self.root)} - set(self.entries) - {PLACEHOLDER}


def scanned(root):
    return list(scanning.scan(root, digests=True, workers=0))


@contextmanager
def world(plan):
    with tempfile.TemporaryDirectory() as folder:
        source, root, target = (Path(folder).resolve() / name for name in ("source", "volume", "target"))
        for path in (source, root, target):
            path.mkdir()
        yield World(source, root, target, build(source, plan))


def build(root, plan):
    """Make a tree; each name ends with a number that no other one has, by which a sentence can be searched for it."""
    entries, folders = {}, [""]
    for number, (kind, odd, size, within) in enumerate(plan):
        path = directory.join(folders[within % len(folders)], f"{odd}n{number:02}")
        entries[path] = kind
        if kind == FOLDER:
            (root / path).mkdir()
            folders.append(path)
        elif kind == LINK:
            (root / path).symlink_to("..")
        else:
            (root / path).write_bytes(random.Random(number).randbytes(size))  # noqa: S311  no secret
    return entries


class Faults:
    """Answers an errno to the calls that are to fail, and knows which did."""

    def __init__(self, made, hits, outer, inner):
        paths = list(made.entries)
        self._faults = []
        for entry, call, in_copy, *rest in hits:
            path = paths[entry % len(paths)] if entry >= 0 else ""
            calls = CALLS[made.entries.get(path, FOLDER)]
            self._faults.append(Fault(calls[call % len(calls)], inner if in_copy else outer, path, *rest))
        self._seen = [0] * len(self._faults)
        self.struck = set()

    def __call__(self, call, path):
        for number, fault in enumerate(self._faults):
            if call == fault.call and path == os.path.normpath(fault.root / fault.path):
                self._seen[number] += 1
                if fault.first <= self._seen[number] < fault.first + fault.times:
                    self.struck.add(fault)
                    raise OSError(fault.what, os.strerror(fault.what))

    @property
    def lasting(self):
        """Those that no second look gets around."""
        return [fault for fault in self.struck if fault.first == 1 and fault.times == EVER]


def is_named(path, text):
    """Whether a text names a path or a folder above it, or counts more than it names."""
    if re.search(rf" and \d+ more|{ROOT}", text):
        return True
    return any(re.search(rf"{name[-3:]}(?!/|\d)", text) for name in path.split("/") if path)


def is_of(fault, text):
    """Whether a text names what a fault struck, a folder above it, or an entry in it that is lost with it."""
    return is_named(fault.path, text) or bool(re.search(fault.path[-3:] or rf"n\d\d|{PLACEHOLDER}|{fault.root}", text))


# --- save ---


def saved_or_named(plan, hits, *, repeated, untyped):
    with world(plan) as made:
        if repeated:
            made.save()
            (made.copy / "stray/folder").mkdir(parents=True)
        faults = Faults(made, hits, made.source, made.copy)
        try:
            with answering(faults, untyped=untyped):
                made.save()
        except errors.PhaseError as error:
            text = str(error)

            assert any(is_of(fault, text) for fault in faults.struck), (text, faults.struck)
            if "from System FileStorage" in text:  # all else was copied
                assert [path for path in made.lacking() if not is_named(path, text)] == [], (text, faults.struck)
                assert re.search(ROOT, text) or made.unlike(made.copy) == []
            made.save()

        assert (made.lacking(), made.strays(), made.unlike(made.copy)) == (set(), set(), []), faults.struck


of_a_folder = [Planned(FOLDER, "", 0, 0), Planned(FILE, "", 3000, 1), Planned(FILE, "", 3000, 0)]


@quick
@given(trees, hits, st.booleans(), st.booleans())
@example(of_a_folder, [Hit(0, 2, False, errno.ELOOP)], False, False).via("readdir of a good folder")
@example(of_a_folder, [Hit(0, 0, False, errno.ENOENT)], False, False).via("open of a listed folder")
@example(of_a_folder, [Hit(1, 0, False, errno.ENXIO)], False, False).via("open of a file")
@example(of_a_folder, [Hit(1, 2, False, errno.ENOTDIR)], False, False).via("read of a file")
@example(of_a_folder, [Hit(1, 1, False, errno.EIO)], False, True).via("lstat where the folder gives no type")
def test_a_save_has_each_entry_whole_or_names_it(plan, hits, repeated, untyped):
    saved_or_named(plan, hits, repeated=repeated, untyped=untyped)


@pytest.mark.thorough
@long
@given(trees, hits, st.booleans(), st.booleans())
def test_2000_saves_have_each_entry_whole_or_name_it(plan, hits, repeated, untyped):
    saved_or_named(plan, hits, repeated=repeated, untyped=untyped)


# --- compare ---


def damaged(made, number):
    """Change a byte of a file or take an entry away; none is changed where the number is none's."""
    if number is None:
        return None
    path = list(made.entries)[number % len(made.entries)]
    at = made.copy / path
    if made.entries[path] == FILE and at.stat().st_size:
        content = at.read_bytes()
        at.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif made.entries[path] == FOLDER:
        shutil.rmtree(at)
    else:
        at.unlink()
    return path


def found_or_read(plan, hits, *, damage, untyped):
    with world(plan) as made:
        made.save()
        files = [entry for entry in seal.listed(made.root) if entry.kind == FILE and entry.path in made.entries]
        lost = damaged(made, damage)
        in_copy = [hit._replace(in_copy=True) for hit in hits]
        looks = [
            lambda: comparison.compare(seal.listed(made.root), made.copy, digests=True, workers=0),
            lambda: comparison.unlike(files, made.copy, 0),
        ]
        for number, look in enumerate(looks):
            faults = Faults(made, in_copy, made.source, made.copy)
            with answering(faults, untyped=untyped):
                text = "; ".join(look())

            unread = [fault for fault in faults.lasting if not is_of(fault, text)]
            assert unread == [], text
            if lost is not None and (number == 0 or is_read(made, lost, files)):
                assert is_named(lost, text), (text, faults.struck)


def is_read(made, lost, files):
    """Whether an entry is one of the files whose bytes are asked for, and is still there to be read."""
    return any(entry.path == lost for entry in files) and (made.copy / lost).exists()


@quick
@given(trees, hits, st.none() | st.integers(0, 11), st.booleans())
@example(of_a_folder, [Hit(1, 0, True, errno.ELOOP)], None, False).via("open of a file")
@example(of_a_folder, [Hit(0, 2, True, errno.ENOENT)], None, False).via("readdir of a folder")
@example(of_a_folder, [Hit(0, 0, True, errno.ENOTDIR)], None, False).via("open of a folder")
def test_a_look_at_a_backup_reads_each_entry_or_names_it(plan, hits, damage, untyped):
    found_or_read(plan, hits, damage=damage, untyped=untyped)


@pytest.mark.thorough
@long
@given(trees, hits, st.none() | st.integers(0, 11), st.booleans())
def test_2000_looks_at_a_backup_read_each_entry_or_name_it(plan, hits, damage, untyped):
    found_or_read(plan, hits, damage=damage, untyped=untyped)


# --- restore ---


def restored_or_named(plan, hits, *, again, untyped):
    with world(plan) as made:
        made.save()
        if again:
            made.bring(again=False)
        faults = Faults(made, hits, made.copy, made.target)
        with answering(faults, untyped=untyped):
            text = made.brought(again=again)

        assert text or made.unlike(made.target) == [], faults.struck
        assert not text or any(is_of(fault, text) for fault in faults.struck), (text, faults.struck)
        assert (list(made.bring(again=True).first), made.unlike(made.target)) == ([], []), faults.struck


@quick
@given(trees, hits, st.booleans(), st.booleans())
def test_a_restore_brings_each_entry_or_names_it(plan, hits, again, untyped):
    restored_or_named(plan, hits, again=again, untyped=untyped)


@pytest.mark.thorough
@long
@given(trees, hits, st.booleans(), st.booleans())
def test_2000_restores_bring_each_entry_or_name_it(plan, hits, again, untyped):
    restored_or_named(plan, hits, again=again, untyped=untyped)
