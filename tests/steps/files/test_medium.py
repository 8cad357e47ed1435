import os

import pytest

from steps.files import medium

LINE = "36 35 {device} / /backup rw,relatime shared:5 - {kind} server:/export rw\n"


@pytest.fixture
def mounts(tmp_path):
    def of(kind):
        number = tmp_path.stat().st_dev
        device = f"{os.major(number)}:{os.minor(number)}"
        path = tmp_path / "mountinfo"
        path.write_text(LINE.format(device="250:250", kind="nfs4") + LINE.format(device=device, kind=kind))
        return path

    return of


@pytest.fixture(autouse=True)
def two_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1})


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "ceph", "fuse.glusterfs", "virtiofs"])
def test_a_volume_behind_a_network_gets_more_workers(kind, mounts, tmp_path):
    assert medium.workers(tmp_path / "absent", tmp_path, mounts=mounts(kind)) == medium.NETWORK


@pytest.mark.parametrize("kind", ["ext4", "xfs", "overlay", "tmpfs"])
def test_a_disk_gets_fewer(kind, mounts, tmp_path):
    assert medium.workers(tmp_path, mounts=mounts(kind)) == medium.LOCAL


def test_a_volume_of_which_nothing_is_told_counts_as_a_disk(tmp_path):
    assert medium.workers(tmp_path, mounts=tmp_path / "absent") == medium.LOCAL
    assert medium.workers(tmp_path / "absent") == medium.LOCAL


@pytest.mark.parametrize(("processors", "workers"), [(1, 4), (3, 6), (64, 16)])
def test_there_are_two_workers_a_processor_but_not_more_than_a_server_bears(processors, workers, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(processors)))

    assert medium.workers(tmp_path, mounts=tmp_path / "absent") == workers


def test_the_root_of_this_machine_is_found():
    assert medium.workers(medium._MOUNTS.parent) == medium.LOCAL  # proc
