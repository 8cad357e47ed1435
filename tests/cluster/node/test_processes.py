import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.node import processes, readiness
from tests.cluster.node.errors import PartNotReady
from tests.cluster.node.layout import Layout


@pytest.fixture
def layout() -> Iterator[Layout]:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is too long for a socket's path
        layout = Layout(Path(folder))
        layout.make_folders()
        yield layout


def test_a_started_process_is_found_again_and_stopped(layout):
    started = processes.start(layout, "sleeper", ["sleep", "60"])
    [found] = processes.running(layout)
    found.stop()

    assert found == started
    assert processes.running(layout) == []


def test_a_process_that_ignores_the_request_is_ended(layout):
    script = 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
    stubborn = processes.start(layout, "stubborn", ["sh", "-c", script])
    readiness.wait(stubborn, lambda: "ready" in readiness.tail(layout.logs / "stubborn.log"), layout)
    stubborn.stop(patience_s=0.2)

    assert not stubborn.alive


def test_another_process_under_the_same_id_is_left_alone(layout):
    mine = processes.start(layout, "sleeper", ["sleep", "60"])
    replace(mine, born=mine.born - 1).stop()

    assert mine.alive

    mine.stop()


def test_a_process_that_is_gone_is_stopped_already(layout):
    started = processes.start(layout, "brief", ["true"])
    started.stop()
    started.stop()

    assert processes.running(layout) == []


def test_a_process_is_found_by_a_word_of_its_command(layout):
    word = str(layout.containerd_socket)
    started = processes.start(layout, "shim", ["sh", "-c", "sleep 60", "shim", word])

    def found():  # for a moment it is not yet what it shall be, and its child still is what it was
        return [process.pid for process in processes.with_argument(word)] == [started.pid]

    readiness.wait(started, found, layout)
    started.stop()


def test_no_environment_of_ours_passes_to_a_part(layout, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    part = processes.start(layout, "part", ["sh", "-c", "env; sleep 60"])
    readiness.wait(part, lambda: "HOME=" in readiness.tail(layout.logs / "part.log"), layout)
    part.stop()

    assert "PROXY" not in (layout.logs / "part.log").read_text()


def test_a_part_that_ends_early_shows_the_end_of_its_log(layout):
    part = processes.start(layout, "part", ["sh", "-c", "echo no such flag; exit 1"])

    with pytest.raises(PartNotReady, match=r"(?s)part ended.*no such flag"):
        readiness.wait(part, lambda: False, layout)


def test_a_part_that_never_gets_ready_is_given_up(layout):
    part = processes.start(layout, "part", ["sleep", "60"])

    with pytest.raises(PartNotReady, match="was not ready within 0 s"):
        readiness.wait(part, lambda: False, layout, patience_s=0.2)

    part.stop()


def test_this_process_has_a_birth_and_a_free_id_has_none():
    assert processes.birth(os.getpid()) is not None
    assert processes.birth(2**22 + 1) is None
