"""Damage of a repository: a share of its data is read each night, and the snapshots that use damaged packs are found.

`restic check` names packs whose bytes are wrong and packs that are gone. A pack that could not be fetched is neither.
The blobs of such a pack come from the index, because its own header may be damaged. A blob that no index names is
damage too: then no pack is known, and restic itself tells which snapshots lack something.
(Texts of restic 0.18.0 and 0.19.1 at work with damaged repositories.)
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from steps import errors
from steps.repository.snapshots import Snapshot
from steps.restic import locks
from steps.restic.program import Restic

_PACK = re.compile(r"pack ([0-9a-f]{64})(?:: does not exist|: unexpected file size| contains \d+ errors)")
_NOT_SERVED = re.compile(r"<data/([0-9a-f]{10})[0-9a-f]*>.*(?:no such file|does not exist|\(404\))")  # a short ID
_UNFETCHED = "partial download error"
_UNINDEXED = re.compile(r"\b[0-9a-f]{64} not found in (?:the )?(?:index|repository)")
_SNAPSHOT = re.compile(rb"snapshot ([0-9a-f]{8}) of ")
_CHANGED = (b"would save new snapshot", b"would delete empty snapshot", b"would remove")
_USED = (b'"object_type"', b"which belongs to snapshot")  # the second is of a tree that can't be read
_LONGEST = max(map(len, _USED))
_BATCH = 10_000  # IDs of 64 characters; the arguments of a process may have 2 MiB
_SHARE = re.compile(r"(\d{1,5})/(\d{1,5})")


class NightlyShare(NamedTuple):
    """A share of the data: `number` of `of` that are read one after another."""

    number: int
    of: int

    @classmethod
    def after(cls, last: str, of: int) -> "NightlyShare":
        """Return the share after the last good one, as the ledger has it. The first one follows the last of all."""
        found = _SHARE.fullmatch(last)
        number = int(found[1]) if found and int(found[2]) == of else 0
        return cls(number % of + 1, of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


class Damage(NamedTuple):
    """What a reading found. `unindexed`: blobs are missing that no index names, so that no pack is known."""

    packs: Sequence[str] = ()
    unindexed: bool = False

    def __bool__(self) -> bool:
        return bool(self.packs or self.unindexed)

    def __str__(self) -> str:
        shown = ", ".join(pack[:12] for pack in self.packs[:10])
        told = [f"{len(self.packs)} packs are damaged or missing: {shown}"] if self.packs else []
        return "; ".join([*told, *(["the index lacks blobs of snapshots"] if self.unindexed else [])])


def look(restic: Restic, share: NightlyShare) -> Damage:
    """Read a share of the data, and check the structure of the whole repository. Takes no lock.

    Raises:
        errors.RepositoryLocked: somebody prunes.
        errors.RepositoryDamaged: of a kind for which no pack is named.
        errors of `endings.of`

    """
    locks.check_no_exclusive(restic)
    packs: dict[str, None] = {}
    short: set[str] = set()
    unindexed = False

    def hear(line: str) -> None:
        nonlocal unindexed
        if (found := _PACK.search(line)) and _UNFETCHED not in line:
            packs[found[1]] = None
        short.update(_NOT_SERVED.findall(line))
        unindexed = unindexed or bool(_UNINDEXED.search(line))

    try:
        for line in restic.lines("check", "--no-lock", f"--read-data-subset={share}", hear=hear):
            hear(line.decode(errors="replace"))
    except errors.RepositoryDamaged:
        packs |= dict.fromkeys(_of_short(restic, short))
        if not packs and not unindexed:
            raise
    return Damage(sorted(packs), unindexed)


def _of_short(restic: Restic, short: Collection[str]) -> Iterator[str]:
    """Yield the IDs of packs that the store lists and does not serve, by the starts of their IDs."""
    if short:
        yield from (each for each in restic.run("list", "packs", "--no-lock").decode().split() if each[:10] in short)


def users(restic: Restic, found: Sequence[Snapshot], damage: Damage) -> list[Snapshot]:
    """Return the snapshots that use damaged packs. It walks the trees of each snapshot, and takes no lock.

    Raises:
        errors of `endings.of`

    """
    blobs = _blobs(restic, damage.packs) if damage.packs else {}
    lacking = set(_lacking(restic)) if damage.unindexed else set()
    return [each for each in found if each.short_id in lacking or _uses(restic, each, blobs)]


def _blobs(restic: Restic, packs: Collection[str]) -> dict[str, list[str]]:
    """Return the IDs of the blobs in some packs, by their type. The indexes are read one after another."""
    found: dict[str, set[str]] = {"tree": set(), "data": set()}
    for index in restic.run("list", "index", "--no-lock").decode().split():
        for pack in json.loads(restic.run("cat", "index", "--no-lock", index))["packs"]:
            if pack["id"] in packs:
                for blob in pack["blobs"]:
                    found[blob["type"]].add(blob["id"])
    return {kind: sorted(ids) for kind, ids in found.items()}


def _uses(restic: Restic, snapshot: Snapshot, blobs: dict[str, list[str]]) -> bool:
    options = {"tree": "--tree", "data": "--blob"}
    return any(
        _finds(restic, snapshot, options[kind], ids[start : start + _BATCH])
        for kind, ids in blobs.items()
        for start in range(0, len(ids), _BATCH)
    )


def _finds(restic: Restic, snapshot: Snapshot, option: str, ids: Sequence[str]) -> bool:
    """Return whether a snapshot has one of these blobs, or a tree that can't be read. The first one ends the search."""
    words = ("find", "--no-lock", "--json", "--snapshot", snapshot.id, option, *ids)
    try:
        with closing(restic.pieces(*words)) as pieces:
            rest = b""
            for piece in pieces:
                rest = rest[-_LONGEST:] + piece
                if any(word in rest for word in _USED):
                    return True
    except errors.RepositoryDamaged:
        return True
    return False


def _lacking(restic: Restic) -> Iterator[str]:
    """Yield the short IDs of the snapshots of which a blob is in no index, as a dry run of a repair tells them."""
    current = ""
    for line in restic.lines("repair", "snapshots", "--no-lock", "--dry-run"):
        if found := _SNAPSHOT.match(line):
            current = found[1].decode()
        elif line.startswith(_CHANGED):
            yield current
