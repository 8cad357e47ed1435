"""Locks of a repository, by restic's own rule: a lock that was not refreshed for 30 minutes is dead, whoever's it was.

A killed pod leaves its lock, and pods have other host names, so nobody else would remove it. restic drops no lock that
dies while it waits, so it waits in rounds, and each round begins with `unlock`. `--remove-all` is never used.
"""

import logging
import time
from collections.abc import Iterator

from steps import errors
from steps.restic.program import Restic

log = logging.getLogger(__name__)

ROUND = "5m"
_PATIENCE_S = 40 * 60.0


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
