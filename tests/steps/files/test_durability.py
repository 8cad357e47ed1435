"""What a volume holds when it is synced, and when a sync fails."""

import errno
import os
import threading
from types import SimpleNamespace

import pytest

from steps import errors
from steps.archive import begin_marker, layout
from steps.files import durability
from tests.builders.refusals import Holding, refused
from tests.builders.volumes import MINE, content, fail_sync


def test_a_volume_is_synced_once_at_the_end(tmp_path, syncs):
    with durability.durable(tmp_path):
        layout.write(tmp_path, "a", b"1")
        layout.write(tmp_path, "b", b"2")

    assert syncs == [{"a": b"1", "b": b"2"}]


def test_what_failed_needs_no_sync(tmp_path, syncs):
    with pytest.raises(RuntimeError), durability.durable(tmp_path):
        raise RuntimeError

    assert syncs == []


def test_a_volume_is_held_open_from_before_the_first_write_by_one_descriptor(tmp_path, monkeypatch):
    held = []
    monkeypatch.setattr(durability, "syncfs", lambda descriptor: held.append((descriptor, os.fstat(descriptor).st_ino)))
    with durability.durable(tmp_path) as disk:
        lowest_free = os.open(tmp_path, os.O_RDONLY)
        os.close(lowest_free)
        begin_marker.begin(disk, MINE)
        disk.commit("record", b"")

    assert len(held) == 4
    assert len(set(held)) == 1
    assert held[0][0] < lowest_free
    assert held[0][1] == tmp_path.stat().st_ino


def test_a_record_has_its_name_when_it_and_the_data_are_synced_and_is_synced_then(tmp_path, syncs):
    with durability.durable(tmp_path) as disk:
        layout.write(tmp_path, "data", b"1")
        disk.commit("reports/record", b"2")

    assert syncs == [{"data": b"1", "temporary": b"2"}, {"data": b"1", "reports/record": b"2"}]


def commit(root):
    with durability.durable(root) as disk:
        layout.write(root, "data", b"1")
        disk.commit("record", b"2")


@pytest.mark.parametrize("number", [1, 2])
def test_no_record_stays_of_a_phase_whose_sync_fails(tmp_path, monkeypatch, number):
    fail_sync(monkeypatch, number)

    with refused(errors.VolumeFailed, path=str(tmp_path), reason="Input/output error"):
        commit(tmp_path)

    assert content(tmp_path) == {"data": b"1"}


def test_a_record_that_can_not_be_withdrawn_does_not_hide_the_failure(tmp_path, monkeypatch):
    # A mock, because a disk that fails, and then lets nothing be removed, can't be had.
    def read_only(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def sync(_descriptor):
        if (tmp_path / "record").exists():
            monkeypatch.setattr(os, "unlink", read_only)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durability, "syncfs", sync)

    with refused(errors.VolumeFailed, reason="Input/output error"):
        commit(tmp_path)


def test_a_volume_that_is_gone_can_not_be_synced(tmp_path):
    with refused(errors.VolumeFailed, reason=Holding("No such file")), durability.durable(tmp_path / "gone"):
        pass


def test_a_sync_that_the_system_refuses_is_told():
    with pytest.raises(OSError, match="Bad file descriptor") as refused:
        durability.syncfs(-1)

    assert refused.value.errno == errno.EBADF


class TestWritingBack:
    @pytest.fixture
    def synced(self, monkeypatch):
        """Count syncs, and see each one begun."""
        found = threading.Semaphore(0)
        monkeypatch.setattr(durability, "_libc", lambda: SimpleNamespace(syncfs=lambda _descriptor: found.release()))
        return found

    def test_the_system_writes_each_time_that_so_much_more_was_written(self, tmp_path, synced, monkeypatch):
        monkeypatch.setattr(durability, "_WRITE_BACK_BYTES", 10)
        written = [9]
        with durability.writing_back(tmp_path, lambda: written[0]):
            assert not synced.acquire(timeout=0.1)
            for written[0] in (10, 20):
                assert synced.acquire(timeout=10)
                assert not synced.acquire(timeout=0.1)

    def test_the_system_writes_what_there_is_when_asked(self, tmp_path, synced):
        with durability.writing_back(tmp_path, lambda: 1) as write_back:
            write_back()
            assert synced.acquire(timeout=10)
            assert not synced.acquire(timeout=0.1)

    def test_what_fails_is_left_to_the_sync_in_the_end(self, tmp_path, monkeypatch):
        asked = threading.Event()

        def fail(_descriptor):
            asked.set()
            return -1

        monkeypatch.setattr(durability, "_libc", lambda: SimpleNamespace(syncfs=fail))
        with durability.writing_back(tmp_path, lambda: 1) as write_back:
            write_back()
            assert asked.wait(10)
        with pytest.raises(errors.VolumeFailed), durability.durable(tmp_path):
            pass
