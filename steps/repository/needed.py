"""The objects of a repository without which one snapshot can't be restored: what a lock of the store must protect.

They are the snapshot, the config, the key that opens it, the packs of its trees and files, and the indexes of these.
restic tells which blobs a snapshot uses. It takes the first eight characters of an ID, so that a call asks for many.
(restic 0.18.0 and 0.19.1 at work: `find --tree`, `find --blob`; the places are those of restic's manual, "References".)
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import NamedTuple

from steps.repository.snapshots import Snapshot
from steps.restic.program import Restic

_SHORT, _RAW = 8, 32  # characters of a short ID, bytes of a whole one
_BATCH = 80_000  # short IDs; the arguments of a process may have 2 MiB, and each costs 17 bytes
_FOUND = re.compile(rb'"object_type":"(?:tree|blob)","id":"([0-9a-f]{64})"')
_LONGEST = 120  # bytes of such a match, at most
_OPTIONS = {"tree": "--tree", "data": "--blob"}


class _Pack(NamedTuple):
    """A pack, and the IDs of its blobs of one type, one after another."""

    id: str
    of_index: str
    kind: str
    blobs: bytes

    def ids(self) -> Iterator[bytes]:
        return (self.blobs[start : start + _RAW] for start in range(0, len(self.blobs), _RAW))


def objects(restic: Restic, snapshot: Snapshot) -> list[str]:
    """Return the places of the needed objects, from the root of the repository, such as `index/ID`. Takes no lock.

    Raises:
        errors of `endings.of`

    """
    packs = list(_packs(restic))
    used = set(_used(restic, snapshot, packs))
    needed = [pack for pack in packs if any(each in used for each in pack.ids())]
    keys = [each["id"] for each in restic.json("key", "list", "--no-lock") if each.get("current")]
    places = {f"data/{pack.id[:2]}/{pack.id}" for pack in needed} | {f"index/{pack.of_index}" for pack in needed}
    return ["config", *(f"keys/{each}" for each in keys), f"snapshots/{snapshot.id}", *sorted(places)]


def _packs(restic: Restic) -> Iterator[_Pack]:
    """Yield all packs of all indexes. The blobs stay as bytes, because a repository has millions."""
    for index in restic.run("list", "index", "--no-lock").decode().split():
        for pack in json.loads(restic.run("cat", "index", "--no-lock", index))["packs"]:
            for kind in _OPTIONS:
                if blobs := b"".join(bytes.fromhex(each["id"]) for each in pack["blobs"] if each["type"] == kind):
                    yield _Pack(pack["id"], index, kind, blobs)


def _used(restic: Restic, snapshot: Snapshot, packs: Sequence[_Pack]) -> Iterator[bytes]:
    """Yield the IDs of the blobs that a snapshot uses, some of them more than once."""
    for kind, option in _OPTIONS.items():
        asked = (each.hex()[:_SHORT] for pack in packs if pack.kind == kind for each in pack.ids())
        while batch := list(islice(asked, _BATCH)):
            yield from _found(restic, snapshot, option, batch)


def _found(restic: Restic, snapshot: Snapshot, option: str, ids: Iterable[str]) -> Iterator[bytes]:
    words = ("find", "--no-lock", "--json", "--snapshot", snapshot.id, option, *ids)
    with closing(restic.pieces(*words)) as pieces:
        rest = b""
        for piece in pieces:
            rest += piece
            end = 0
            for match in _FOUND.finditer(rest):
                yield bytes.fromhex(match[1].decode())
                end = match.end()
            rest = rest[max(end, len(rest) - _LONGEST) :]
