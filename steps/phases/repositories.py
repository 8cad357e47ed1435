"""The repositories of a phase: their mounted Secrets, opened one after another."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from steps import errors
from steps.contract.push_contract import Repositories
from steps.restic import program
from steps.restic.program import Restic
from steps.restic.store import Store

log = logging.getLogger(__name__)

CACHE = Path("/cache")


def stores(told: Repositories) -> list[Store]:
    """Return the configured repositories.

    Raises:
        errors.BadRepository

    """
    folders = (each for each in (told.repository_secret, told.second_repository_secret) if each)
    return [Store.mounted(each, told.repository_claim) for each in folders]


def named(told: Repositories, name: str) -> Store:
    """Return the repository of a name, or the first one for an empty name.

    Raises:
        errors.BadRepository, errors.UnknownRepository, errors.NoRepositoryConfigured

    """
    every = stores(told)
    if not every:
        raise errors.NoRepositoryConfigured("repository")
    if not name:
        return every[0]
    found = next((each for each in every if each.name == name), None)
    if found is None:
        raise errors.UnknownRepository(name, [each.name for each in every])
    return found


@contextmanager
def opened(told: Repositories, store: Store) -> Iterator[Restic]:
    """Open restic for a repository. Raises as `program.opened`."""
    private, cache = told.private or Path("/private"), told.cache or CACHE
    with program.opened(store, private, cache) as restic:
        yield restic


@contextmanager
def all_opened(told: Repositories) -> Iterator[list[Restic]]:
    """Open restic for all repositories at once. Raises as `program.opened`."""
    with ExitStack() as stack:
        yield [stack.enter_context(opened(told, store)) for store in stores(told)]


def each(told: Repositories, act: Callable[[Restic], None]) -> None:
    """Act on each repository. An error of one does not keep the others from their turn; the first is raised at the end.

    Raises:
        what `act` raises

    """
    failed: list[errors.PhaseError] = []
    for store in stores(told):
        try:
            with opened(told, store) as restic:
                act(restic)
        except errors.Interrupted:
            raise
        except errors.PhaseError as error:
            log.info("repository %s: %s", store.name, error)
            failed.append(error)
    if failed:
        raise failed[0]
