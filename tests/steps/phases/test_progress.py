import contextlib
import logging
import os
import pty
import subprocess
import sys
import time

from steps.parts.file_storage import Amount
from steps.phases.progress import progress


def of(entries):
    return Amount(entries, entries << 20)


def test_progress_is_logged_each_minute_in_files_and_bytes(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    show = progress()
    now = time.monotonic()

    show(of(1), of(9))
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    show(of(5), of(9))
    show(of(6), of(9))

    assert caplog.messages == ["5 of 9 entries, 5 of 9 MiB are done"]


def test_progress_is_written_at_most_every_other_second_and_at_the_end(tmp_path, monkeypatch):
    path = tmp_path / "progress"
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(path))
    show = progress()

    show(of(1), of(9))
    show(of(2), of(9))

    assert path.read_text() == "2/18"

    show(of(9), of(9))

    assert path.read_text() == "18/18"

    show(of(10), of(9))  # the tree has grown

    assert path.read_text() in {"18/18", "20/20"}


def test_a_progress_file_that_can_not_be_written_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(tmp_path))
    show = progress()

    show(of(9), of(9))

    assert os.listdir(tmp_path) == []


WATCHED = """
from steps.parts.file_storage import Amount
from steps.phases.progress import progress
show = progress()
show(Amount(1, 2 << 20), Amount(4, 8 << 20))
"""


def on_a_terminal(code):
    """What a process shows on a terminal."""
    reader, writer = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stderr=writer, check=True)  # noqa: S603  our own
    os.close(writer)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal that nobody writes to any more
        while block := os.read(reader, 4096):
            shown += block
    os.close(reader)
    return shown.decode()


def test_on_a_terminal_progress_is_a_bar_that_gives_the_terminal_back():
    shown = on_a_terminal(WATCHED)

    assert "1/4 entries, 2/8 MiB" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is shown again


def test_the_bar_begins_when_it_is_known_how_much_there_is():
    shown = on_a_terminal(WATCHED.replace("progress()\n", "progress()\nshow(Amount(0, 0), Amount(1, 0))\n"))

    assert " 25%" in shown
    assert "0/1 entries" not in shown
