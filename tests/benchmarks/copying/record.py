"""The raw rounds as a file, so that a table or a gate can be had again from them, with the machine they were had on."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.copying.errors import NoRounds
from tests.benchmarks.copying.plan import Case, Round


def write(path: Path, rounds: Sequence[Round], start_s: dict[str, list[float]]) -> None:
    """Keep all that was measured."""
    kept = {"machine": machine(), "start_s": start_s, "rounds": [asdict(each) for each in rounds]}
    path.write_text(json.dumps(kept, indent=1) + "\n")


def read(path: Path) -> tuple[list[Round], dict[str, list[float]]]:
    """The rounds and the interpreter's starts of a file that `write` wrote.

    Raises:
        errors.NoRounds

    """
    try:
        kept = json.loads(path.read_text())
        return [_round(each) for each in kept["rounds"]], kept["start_s"]
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise NoRounds(path) from error


def machine() -> dict[str, Any]:
    """What a figure depends on."""
    return {
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
        **{name: _version(name) for name in ("cp", "rsync", "tar")},
    }


def _version(name: str) -> str:
    if shutil.which(name) is None:
        return "absent"
    said = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)  # noqa: S603  our three
    return said.stdout.partition("\n")[0]


def _round(kept: dict[str, Any]) -> Round:
    return Round(**{**kept, "case": Case(**kept["case"])})
