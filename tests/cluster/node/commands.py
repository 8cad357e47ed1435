"""Runs a program of this machine to its end."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import CommandFailed


def run(
    *command: str | Path,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Run a command and return what it said; its failure is an error with its last words."""
    words = [str(word) for word in command]
    ended = subprocess.run(  # noqa: S603  # programs of this module's own choosing
        words,
        input=stdin,
        env=None if environment is None else {**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise CommandFailed(words, ended.returncode, ended.stderr[-4000:] or ended.stdout[-4000:])
    return ended.stdout


def succeeds(*command: str | Path) -> bool:
    words: Sequence[str] = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0  # noqa: S603
