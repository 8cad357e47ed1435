"""Backups that are in a repository alone, by what the ledger knows of them: their claims went after a whole reading.

The watchdog has no credentials of a store, so it can't read a repository.
"""

from collections.abc import Iterator, Mapping, Sequence

from steps.catalogue.catalogue import OURS, BackupEntry, BackupState
from steps.repository.ledger import RepositoryLedger


def entries(known: Mapping[str, RepositoryLedger], claims: Sequence[BackupEntry]) -> list[BackupEntry]:
    """Return the backups that were read back whole, are not damaged, and have no claim any more.

    `known`: what is known of each repository, by its name.
    """
    there = {each.name for each in claims}
    found = {each.name: each for each in _every(known)}
    return [each for name, each in found.items() if name not in there]


def _every(known: Mapping[str, RepositoryLedger]) -> Iterator[BackupEntry]:
    for name, ledger in known.items():
        for snapshot, each in ledger.snapshots.items():
            if each.copied and each.verified and each.proved and not each.damaged:
                yield BackupEntry(
                    name=each.copied.backup,
                    uid=snapshot,
                    maker=OURS,
                    state=BackupState.COMPLETE,
                    why="",
                    created=each.copied.started,
                    started=each.copied.started,
                    files=each.copied.files,
                    size_bytes=each.copied.size_bytes,
                    schedule=each.copied.schedule,
                    pushed=each.proved,
                    snapshots=f"{name}/{snapshot}",
                )
