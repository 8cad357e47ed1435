"""The slow medium keeps what a volume keeps, delays every call of every program, and leaves no mount."""

import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.benchmarks.copying import media, ours, programs, sets
from tests.benchmarks.copying.media import Medium
from tests.benchmarks.copying.sets import Set

FILES = 20
LATENCY_S = 0.001
SLOW = Medium("1ms")
IN_BACKGROUND = {"Release", "ReleaseDir"}  # no caller waits for them

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(bool(media.missing()), reason=f"the slow medium {media.missing()}"),
]


@pytest.fixture
def volume(tmp_path):
    (tmp_path / "volume").mkdir()
    return tmp_path / "volume"


def seconds(do):
    began = time.monotonic()
    do()
    return time.monotonic() - began


def facts(folder):
    """All that a copy must keep of each entry, by its name."""
    return {path.name: fact(path) for path in folder.iterdir()}


def fact(path):
    status = path.lstat()
    content = os.readlink(path) if path.is_symlink() else path.read_bytes()
    kept = (status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_mtime_ns, status.st_size)
    return content, kept


def run(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  our own


def test_names_owners_modes_times_and_links_come_through(volume):
    folder = volume / "from"
    folder.mkdir()
    first = folder / os.fsdecode(b"no \xff utf-8\n")
    first.write_bytes(b"bytes")
    (folder / "hard").hardlink_to(first)
    (folder / "link").symlink_to("nowhere \udcff")
    os.chown(first, 1234, 5678)
    first.chmod(0o6751)
    os.utime(first, ns=(1, 1_700_000_000_123_456_789))
    os.lchown(folder / "link", 4321, 8765)
    with SLOW.at(volume) as (path, _):
        run(["cp", "-a", path / "from", path / "to"])
        seen = facts(path / "from"), facts(path / "to")

    assert seen == (facts(folder), facts(folder))
    assert facts(volume / "to") == facts(folder)


@pytest.mark.parametrize("program", programs.of("backup", (1,), FILES), ids=lambda program: program.name)
def test_every_program_waits_for_every_call(program, volume):
    if program.name == programs.RSYNC and not shutil.which("rsync"):
        pytest.skip("needs rsync")
    made = sets.make(Set("small", FILES / 100_000), volume)
    (volume / "target" / ours.TREE).mkdir(parents=True)
    with SLOW.at(volume) as (path, seen):
        command = program.command(path / Set("small", FILES / 100_000).folder, path / "target")
        took_s = seconds(lambda: run(command))
    calls = sum(count for name, count in seen.operations.items() if name not in IN_BACKGROUND)
    processes = {programs.RSYNC: 3, programs.TAR: 2}.get(program.name, 1)

    assert sets.census(volume / "target" / ours.TREE) == made
    assert min(seen.operations[name] for name in ("Create", "Open", "SetAttr", "Flush")) >= FILES
    assert min(seen.operations[name] for name in ("Read", "Writev")) >= 1  # tar fills a block with several files
    assert seen.operations["Lookup"] > 3 * FILES
    assert took_s > calls * LATENCY_S / processes
    assert seen.mean_ms >= 1


def test_nothing_is_remembered(volume):
    (volume / "file").write_bytes(b"bytes")
    with SLOW.at(volume) as (path, seen):
        took_s = seconds(lambda: [(path / "file").stat() for _ in range(100)])
        for _ in range(10):
            (path / "file").read_bytes()

    assert took_s > 100 * LATENCY_S
    assert seen.operations["Lookup"] >= 110
    assert seen.operations["Read"] >= 10


def test_calls_of_several_at_once_overlap(volume):
    (volume / "file").write_bytes(b"bytes")
    slowly = Medium("20ms")
    with slowly.at(volume) as (path, _), ThreadPoolExecutor(8) as pool:
        took_s = seconds(lambda: list(pool.map(lambda _: (path / "file").stat(), range(16))))

    assert took_s < 16 * 0.040 / 3


def fail_in(volume):
    with SLOW.at(volume) as (path, _):
        mounted = path.is_mount()
        raise ValueError(mounted)


def test_the_folder_is_left_even_if_a_program_fails(volume):
    with pytest.raises(ValueError, match="True"):
        fail_in(volume)

    assert not (volume.parent / "mounted").is_mount()
