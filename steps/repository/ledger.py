"""What is known of the snapshots of a repository: proved, verified, restored in a drill, pinned, damaged.

It lies in a ConfigMap for each repository, an entry for each snapshot. A tag in the repository would rewrite the
snapshot, and its ID with it.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from steps.contract import names
from steps.kubernetes import configmap_writes, times
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CONFIGMAP, Object

_Entry = TypeVar("_Entry", bound=BaseModel)
_LENGTH = 300  # characters of a finding; a ConfigMap has 1 MiB for all snapshots
_READING = "reading"  # the key of the reading by shares
_PACKS = "damaged-packs"  # the key of the packs that could not be read back
_INDEX = "index-damaged"  # the key that the index lacks blobs
_LOCK = "locked-until"  # the key of the lock of the newest backup
_PACK = re.compile(r"[0-9a-f]{64}")
_OWN = (_READING, _PACKS, _INDEX, _LOCK)


class Copied(BaseModel):
    """The backup of a snapshot, for those who can't read the repository. Sizes in bytes, times in UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    backup: str
    started: datetime
    schedule: str = ""
    files: int | None = None
    size_bytes: int | None = None


class Known(BaseModel):
    """What is known of one snapshot. Times in UTC; None: never.

    `proved`: its tree was compared with the manifest. `verified`: every byte was read back and agreed with the listing.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    copied: Copied | None = None
    proved: datetime | None = None
    verified: datetime | None = None
    proven: datetime | None = None
    pinned: bool = False
    damaged: datetime | None = None
    damage: str = ""


class Lock(BaseModel):
    """Until when the store locks what the newest backup needs, as it was at `checked`. Times in UTC.

    `until`: when the first lock ends, None if nothing is locked. `lacking`: how many of the `needed` objects have none.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    backup: str
    checked: datetime
    until: datetime | None = None
    needed: int = 0
    lacking: int = 0

    def __str__(self) -> str:
        if self.until is None:
            return f"backup {self.backup} is not locked"
        if self.lacking:
            return f"{self.lacking} of {self.needed} objects that backup {self.backup} needs are not locked"
        return f"the {self.needed} objects that backup {self.backup} needs are locked until {times.utc(self.until)}"


class RepositoryLedger(BaseModel):
    """What is known of a repository: of its snapshots by ID, and how far the reading by shares has come."""

    model_config = ConfigDict(frozen=True)

    snapshots: Mapping[str, Known] = {}
    reading: str = ""
    packs: tuple[str, ...] = ()  # damaged or missing ones
    index: bool = False  # it lacks blobs
    lock: Lock | None = None  # None: unknown

    @property
    def damaged(self) -> list[str]:
        """The IDs of the snapshots that are marked as damaged."""
        return sorted(each for each, known in self.snapshots.items() if known.damaged)

    def of(self, snapshot: str) -> Known:
        """Return what is known of a snapshot."""
        return self.snapshots.get(snapshot, Known())


def read(cluster: Cluster, repository: str) -> RepositoryLedger:
    """Return what is known. An entry that can't be read counts as unknown. Raises as `Cluster.get`."""
    return _parse(cluster.get(CONFIGMAP, names.LEDGER.format(repository)))


def note(cluster: Cluster, repository: str, snapshot: str, change: Callable[[Known], Known]) -> None:
    """Change what is known of a snapshot. Raises as `Cluster.get` and `Cluster.patch`."""
    _write(
        cluster, repository, lambda found: {snapshot: change(found.of(snapshot)).model_dump_json(exclude_defaults=True)}
    )


def forget(cluster: Cluster, repository: str, snapshots: list[str]) -> None:
    """Remove the entries of snapshots that are gone. Raises as `note`."""
    if snapshots:
        _write(cluster, repository, lambda _found: dict.fromkeys(snapshots))


def note_reading(cluster: Cluster, repository: str, progress: str) -> None:
    """Record how far the reading by shares has come. Raises as `note`."""
    _write(cluster, repository, lambda _found: {_READING: progress})


def note_lock(cluster: Cluster, repository: str, lock: Lock) -> None:
    """Record until when the newest backup is locked. Raises as `note`."""
    _write(cluster, repository, lambda _found: {_LOCK: lock.model_dump_json()})


def repaired(cluster: Cluster, repository: str, packs: Collection[str]) -> None:
    """Remove packs from the damaged ones, and the mark of the index. Raises as `note`."""
    _write(
        cluster,
        repository,
        lambda found: {_PACKS: ",".join(each for each in found.packs if each not in packs) or None, _INDEX: None},
    )


def note_damage(
    cluster: Cluster, repository: str, snapshots: Mapping[str, str], packs: Collection[str] = (), *, index: bool = False
) -> None:
    """Mark snapshots by ID as damaged, each with its finding, and record the damaged packs. Raises as `note`.

    A snapshot that is marked keeps the time of its first mark. A later push is known by that.
    """

    def change(found: RepositoryLedger) -> Mapping[str, str]:
        now = times.now()
        marked = {
            each: known.model_copy(update={"damaged": known.damaged or now, "damage": text[:_LENGTH], "verified": None})
            for each, text in snapshots.items()
            for known in (found.of(each),)
        }
        told = {each: known.model_dump_json(exclude_defaults=True) for each, known in marked.items()}
        if every := sorted({*found.packs, *packs}):
            told[_PACKS] = ",".join(every)
        return told | ({_INDEX: "yes"} if index else {})

    _write(cluster, repository, change)


def note_verified(cluster: Cluster, repository: str, snapshot: str) -> None:
    """Mark a snapshot as verified: every byte was read back. This removes a mark of damage. Raises as `note`."""
    whole = {"verified": times.now(), "damaged": None, "damage": ""}
    note(cluster, repository, snapshot, lambda known: known.model_copy(update=whole))


def _write(cluster: Cluster, repository: str, change: Callable[[RepositoryLedger], Mapping[str, str | None]]) -> None:
    name = names.LEDGER.format(repository)

    def write() -> None:
        found = cluster.get(CONFIGMAP, name)
        data = dict(change(_parse(found)))
        if found is None:
            cluster.create(CONFIGMAP, configmap_writes.new(name, {key: text for key, text in data.items() if text}))
        else:
            version = found["metadata"]["resourceVersion"]
            cluster.patch(CONFIGMAP, name, {"metadata": {"resourceVersion": version}, "data": data})

    configmap_writes.until_no_conflict(write)


def _parse(found: Object | None) -> RepositoryLedger:
    data = dict((found or {}).get("data") or {})
    reading, packs, index, lock = (str(data.pop(name, "")) for name in _OWN)
    return RepositoryLedger(
        snapshots={snapshot: known for snapshot, text in data.items() if (known := _read(Known, text))},
        reading=reading,
        packs=tuple(dict.fromkeys(each for each in packs.split(",") if _PACK.fullmatch(each))),
        index=bool(index),
        lock=_read(Lock, lock),
    )


def _read(of: type[_Entry], text: str) -> _Entry | None:
    try:
        return of.model_validate_json(text)
    except ValidationError:
        return None
