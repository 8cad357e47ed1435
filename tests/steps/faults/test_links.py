"""A folder that becomes a link while it is copied, restored or removed leads nobody out of the tree."""

import ctypes
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count

import pytest

from steps import errors
from steps.archive import layout, seal
from steps.files import beneath, comparison, copy_out, reading, removal, scanning, walk
from steps.files.meter import Work
from steps.files.tally import Lost
from steps.parts import file_storage
from tests.steps.faults.answers import answering

pytestmark = pytest.mark.usefixtures("nothing_is_synced")
SECRET = b"a token of the pod"
MANY = walk.TOGETHER + 5
SWAPPED = 200
EXCHANGE = """
import ctypes, sys
rename = ctypes.CDLL(None).renameat2
pairs = [(f"{sys.argv[1]}/{n:03}".encode(), f"{sys.argv[2]}/{n:03}".encode()) for n in range(int(sys.argv[3]))]
print("ready", flush=True)
while True:
    for folder, link in pairs:
        rename(-100, folder, -100, link, 2)  # RENAME_EXCHANGE
"""


class Place:
    """A tree and, beside it, an outside whose folder `parent` has the same names with other bytes."""

    def __init__(self, folder):
        self.tree, self.outside, self.copy = (folder / name for name in ("tree", "outside", "copy"))
        self.volume, self.away, self.like = (folder / name for name in ("volume", "away", "like"))
        for path in (self.tree, self.outside, self.copy, self.volume, self.like):
            path.mkdir()

    def fill(self, names):
        for root, content in ((self.tree, b"harmless"), (self.outside, SECRET)):
            for name in names:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(content)

    def back_up(self):
        file_storage.save(self.tree, self.volume, lambda _done, _all: None, 0)

    def bring(self, lines, *, again):
        """Restore the backup onto the tree; an error or what differs comes back."""
        try:
            return file_storage.bring(lines, self.volume / layout.TREE, self.tree, Work(0), again=again)[1]
        except errors.PhaseError as error:
            return error

    def is_whole(self):
        found = comparison.compare(seal.listed(self.volume), self.tree, digests=True, workers=0)
        return not list(found)

    def swap(self):
        """Put a link to the outside's folder in the place of the tree's, once."""
        if not self.is_swapped and (self.tree / "parent").is_dir():
            (self.tree / "parent").rename(self.away)
            (self.tree / "parent").symlink_to(self.outside / "parent")

    @property
    def is_swapped(self):
        return self.away.exists()

    def begin_anew(self):
        """Have the tree as if nothing had been swapped."""
        for path in (self.tree, self.away, self.copy):
            shutil.rmtree(path, ignore_errors=True)
        self.copy.mkdir()
        shutil.copytree(self.like, self.tree, symlinks=True)


def seen(root):
    """All of a tree, its folders' times and modes too."""
    return list(scanning.scan(root, digests=True, workers=0))


def leaked(copy):
    """Files of a copy that hold what lies outside."""
    files = (path for path in copy.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path.relative_to(copy)) for path in files if SECRET in path.read_bytes()]


@pytest.fixture(params=["openat2", "part by part"])
def by_either_way(request, monkeypatch):
    if request.param == "part by part":
        monkeypatch.setattr(beneath, "_knows_openat2", lambda: False)
    elif not beneath._knows_openat2():
        pytest.skip("this system has no openat2, or refuses it")


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


# --- a save ---


def saved_while_swapped(place, listed):
    """Save; the parent is swapped when an entry has come to the listing. What was lost comes back."""
    lost = []
    for item in copy_out.copy(place.tree, place.copy, Work(0)):
        if isinstance(item, Lost):
            lost.append(item.path)
        elif f"./{listed} " in item.lines:
            place.swap()
    assert (place.tree / "parent").is_symlink()
    return lost


@pytest.mark.usefixtures("by_either_way")
def test_a_folder_below_one_that_became_a_link_is_not_copied_and_is_named(place):
    place.fill(["first/file", "parent/inner/token"])

    lost = saved_while_swapped(place, "parent")

    assert leaked(place.copy) == []
    assert lost == ["parent/inner"]


@pytest.mark.usefixtures("by_either_way")
def test_many_names_of_a_folder_that_became_a_link_are_not_copied_and_are_named(place):
    place.fill([f"parent/within/{number:03}" for number in range(MANY)])

    lost = saved_while_swapped(place, "parent/within")

    assert leaked(place.copy) == []
    assert lost == [f"parent/within/{number:03}" for number in range(walk.TOGETHER, MANY)]


@pytest.mark.usefixtures("by_either_way")
def test_a_large_file_below_a_folder_that_became_a_link_is_not_copied_and_is_named(place):
    place.fill(["parent/within/small", "parent/within/zlarge"])
    for root in (place.tree, place.outside):
        with (root / "parent/within/zlarge").open("r+b") as stream:
            stream.truncate(reading.LARGE + 1)

    lost = saved_while_swapped(place, "parent/within/small")

    assert leaked(place.copy) == []
    assert lost == ["parent/within/zlarge"]


# --- whatever call it comes before ---


def moments(place, work):
    """Do the work again and again, and swap the parent before its first call, its second, and so on to its last."""
    shutil.copytree(place.tree, place.like, symlinks=True, dirs_exist_ok=True)
    for moment in count(1):
        place.begin_anew()
        calls = count(1)

        def hook(_call, _path, calls=calls, moment=moment):
            if next(calls) >= moment:
                place.swap()

        with answering(hook):
            ended = work()
        yield moment, ended
        if next(calls) <= moment:
            return


def test_a_save_copies_nothing_of_outside_whenever_a_folder_becomes_a_link(place):
    place.fill(["parent/file", "parent/inner/deep/token", "parent/inner/token"])
    before, moment = seen(place.outside), 0

    def save():
        return list(copy_out.copy(place.tree, place.copy, Work(0)))

    for moment, _ in moments(place, save):
        assert (leaked(place.copy), seen(place.outside)) == ([], before), moment
    assert moment > 20


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.thorough
def test_a_restore_writes_and_removes_nothing_outside_whenever_a_folder_becomes_a_link(place, again):
    place.fill(["a/file", "parent/file", "parent/inner/deep/token", "parent/inner/token", "z/file"])
    before, moment = seen(place.outside), 0
    place.back_up()
    if not again:
        removal.empty(place.tree)

    def restore():
        return place.bring(partial(seal.lines, place.volume), again=again)

    for moment, _ in moments(place, restore):
        assert seen(place.outside) == before, moment
    assert moment > 20


def test_emptying_a_volume_removes_nothing_outside_whenever_a_folder_becomes_a_link(place):
    place.fill(["parent/file", "parent/inner/deep/token", "parent/inner/token"])
    before, moment = seen(place.outside), 0

    def empty():
        with suppress(errors.PhaseError):
            removal.empty(place.tree)

    for moment, _ in moments(place, empty):
        assert seen(place.outside) == before, moment
    assert moment > 10


# --- between two lines of a restore's listing ---


@pytest.mark.usefixtures("by_either_way")
@pytest.mark.parametrize("at", ["parent/140", "z"])
def test_a_folder_of_the_target_that_became_a_link_gets_nothing_more(place, at, monkeypatch):
    monkeypatch.setattr(walk, "TOGETHER", 2)  # so that the listing is read while it is restored
    place.fill([*(f"parent/{number}" for number in range(100, 150)), "z/file"])
    place.back_up()
    removal.empty(place.tree)
    before = seen(place.outside)

    def lines():
        for line in seal.lines(place.volume):
            if line.startswith(f"./{at} "):
                place.swap()
            yield line

    ended = place.bring(lines, again=False)

    assert place.is_swapped
    assert seen(place.outside) == before
    assert ended or place.is_whole()


# --- live ---


@contextmanager
def swapping(tree_root, links):
    """A process that swaps folders with links, as fast as it can."""
    command = [sys.executable, "-c", EXCHANGE, str(tree_root), str(links), str(SWAPPED)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603  our own code
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def raced(tmp_path, seconds):
    """Save a tree again and again while its folders are swapped; return what leaked, and how many saves met a swap.

    On a slow machine one save can take all the seconds: it counts when it was refused or lacks files.
    """
    source, links, outside = (tmp_path / name for name in ("source", "links", "outside"))
    for number in range(SWAPPED):
        (source / f"{number:03}/inner").mkdir(parents=True)
        (source / f"{number:03}/inner/token").write_bytes(b"harmless")
    links.mkdir()
    (outside / "inner").mkdir(parents=True)
    (outside / "inner/token").write_bytes(SECRET)
    for number in range(SWAPPED):
        (links / f"{number:03}").symlink_to(outside)
    found, disturbed = [], 0
    with swapping(source, links) as process:
        until = time.monotonic() + seconds
        for number in count():
            root = tmp_path / f"volume-{number}"
            root.mkdir()
            try:
                saved = file_storage.save(source, root, lambda _done, _all: None, 2)
                disturbed += saved.file_storage.files != SWAPPED
            except errors.PhaseError:
                disturbed += 1
            found += leaked(root)
            removal.empty(root)
            if time.monotonic() > until:
                break
        assert process.poll() is None
    return found, disturbed


@pytest.fixture
def exchange(monkeypatch):
    """Skip where two names can't be exchanged, and have little patience for names that come and go."""
    monkeypatch.setattr(copy_out, "_PATIENCE_S", 0.05, raising=False)
    monkeypatch.setattr(copy_out, "_PAUSE_S", 0.01, raising=False)
    if not hasattr(ctypes.CDLL(None), "renameat2"):
        pytest.skip("this C library has no renameat2")


@pytest.mark.usefixtures("exchange")
@pytest.mark.thorough
def test_folders_that_are_swapped_with_links_during_saves_bring_nothing_of_outside(tmp_path):
    found, disturbed = raced(tmp_path, 1)

    assert found == []
    assert disturbed


@pytest.mark.thorough
@pytest.mark.usefixtures("exchange")
def test_folders_that_are_swapped_with_links_for_a_minute_bring_nothing_of_outside(tmp_path):
    found, disturbed = raced(tmp_path, 60)

    assert found == []
    assert disturbed
