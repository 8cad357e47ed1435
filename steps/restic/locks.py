"""Locks of a repository, by restic's own rule: a lock that was not refreshed for 30 minutes is dead, whoever's it was.

A killed pod leaves its lock, and pods have other host names, so nobody else would remove it. restic drops no lock that
dies while it waits, so it waits in rounds, and each round begins with `unlock`. `--remove-all` is never used.
"""

import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from steps import errors
from steps.restic.program import Restic

log = logging.getLogger(__name__)

ROUND = "5m"
_PATIENCE_S = 40 * 60.0
_DEAD = timedelta(minutes=30)
_FRACTION = re.compile(r"\.\d+")  # Go writes nanoseconds


def lines(restic: Restic, *words: str | bytes, patience_s: float = _PATIENCE_S) -> Iterator[bytes]:
    """Run a command that needs a lock, yield its lines, and wait for younger locks of others.

    Raises:
        errors.RepositoryLocked: with its host and age. Otherwise as `Restic.lines`.

    """
    until = time.monotonic() + patience_s
    while True:
        restic.run("unlock")
        try:
            yield from restic.lines(*words, "--retry-lock", ROUND)
        except errors.RepositoryLocked as error:
            if time.monotonic() > until:
                raise
            log.info(str(error))
        else:
            return


def run(restic: Restic, *words: str | bytes, patience_s: float = _PATIENCE_S) -> None:
    """Run a command that needs a lock, whatever it prints. Raises as `lines`."""
    for _ in lines(restic, *words, patience_s=patience_s):
        pass


def check_no_exclusive(restic: Restic) -> None:
    """Check that nobody holds a living exclusive lock, as a prune does. Takes no lock.

    Raises:
        errors.RepositoryLocked: with its host and age. Otherwise as `Restic.run`.

    """
    for lock in restic.run("list", "locks", "--no-lock").decode().split():
        try:
            told = json.loads(restic.run("cat", "lock", "--no-lock", lock))
        except errors.PhaseError as error:
            if isinstance(error, errors.TryAgain):
                raise
            continue  # removed meanwhile
        if told.get("exclusive") and (age := _age(str(told.get("time", "")))) < _DEAD:
            raise errors.RepositoryLocked(restic.store.name, str(told.get("hostname")), f"{int(age.total_seconds())}s")


def _age(text: str) -> timedelta:
    """Return the age of a lock. One without a valid time is as good as new."""
    with suppress(ValueError):
        return datetime.now(UTC) - datetime.fromisoformat(_FRACTION.sub("", text))
    return timedelta(0)
