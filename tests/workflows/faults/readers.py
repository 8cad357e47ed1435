"""Commands and phases as processes that have all loaded already: a fork each, with an end to time and memory."""

import importlib
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

LIMIT_S = 60
_MEMORY_BYTES = 3 << 30  # of addresses, most of which is never touched
_FORK = multiprocessing.get_context("forkserver")
_LOADED = (
    "steps.__main__",
    "workflows.__main__",
    "steps.plans.restore_plan",
    "workflows.commands.page",
    "kubernetes.client",
)


class Ended(NamedTuple):
    """How a process ended: its exit code, None where it had to be killed, and what it said."""

    code: int | None
    out: str
    err: str


def run(module: str, words: list[str], folder: Path, environment: Mapping[str, str] = {}) -> Ended:
    """Run the `main` of a module."""
    _FORK.set_forkserver_preload([__name__, *_LOADED])
    out, err = folder / "stdout", folder / "stderr"
    process = _FORK.Process(target=_main, args=(module, words, str(out), str(err), dict(environment)))
    process.start()
    process.join(LIMIT_S)
    code = process.exitcode
    if code is None and process.pid:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    process.close()
    return Ended(code, *(path.read_bytes().decode(errors="surrogateescape") for path in (out, err)))


def _main(module: str, words: list[str], out: str, err: str, environment: dict[str, str]) -> None:
    os.setsid()
    for number, path in ((1, out), (2, err)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  as long as the process lives
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    os.environ.update(environment)
    sys.argv = ["reader", *words]
    importlib.import_module(module).main()
