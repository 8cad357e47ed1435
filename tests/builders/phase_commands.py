"""The command of the phases, run in this process, and what it leaves."""

import os
import signal
import sys
import time
from contextlib import contextmanager

from steps import __main__
from steps.contract import names
from steps.evidence import result


@contextmanager
def own_process():
    """Put back what the command changes of its process."""
    umask = os.umask(0)
    os.umask(umask)
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        os.umask(umask)
        signal.signal(signal.SIGTERM, before)


def bare(monkeypatch, *arguments):
    """Run the command with no other arguments, and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["steps", *arguments])
    with own_process():
        try:
            __main__.main()
        except SystemExit as end:
            return end.code or 0
    return 0


def outputs(tmp_path):
    """The output parameters that are there."""
    return {path.name: path.read_text() for path in (tmp_path / "outputs").iterdir()}


def entry(stage, uid):
    """The evidence of a restore."""
    return result.parse(stage.get("configmaps", names.RESTORE_RESULTS)["data"][f"workflow-{uid}.json"])


def log(tmp_path):
    """The last sentence of a phase that failed, empty where there is none."""
    return (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""


def deadline(in_s):
    """A moment to come, as Argo writes a deadline."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + in_s))
