"""Records that have no backup to be stored in: one ConfigMap each for restores, drills and failed backups.

Each workflow has an entry under its name, and each phase that wrote something adds to it. So the entry shows how far a
workflow came, even if the workflow was deleted. The ten newest entries stay. The names of the ConfigMaps are fixed, so
a Role needs neither list nor delete. An entry that this version can't read may be of another version or of a person. It
stays while there is room and is not one of the ten.

Two phases may write at once. Each change names the version that it was made from, and after a conflict the phase reads
and writes again. A record that can't be written is reported in the log. It never fails a phase: the work is done by
then.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from steps import errors
from steps.contract import names
from steps.contract.names import Operation
from steps.evidence import result
from steps.evidence.result import Result
from steps.kubernetes import configmap_writes
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CONFIGMAP, Object

log = logging.getLogger(__name__)

NAMES: dict[Operation, str] = {
    "backup": names.BACKUP_RESULTS,
    "restore": names.RESTORE_RESULTS,
    "drill": names.DRILL_RESULTS,
}
_NEWEST = 10
_LIMIT_BYTES = 900 << 10  # a ConfigMap may hold 1 MiB, its metadata included
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")  # of a ConfigMap

Entries = dict[str, str]


def note(connect: Callable[[], Cluster], begun: Result, change: Callable[[Result], Result]) -> None:
    """Change the entry of a workflow, or `begun` if it has none. An error is logged and not raised."""
    name = NAMES[begun.operation]
    try:
        _write(connect(), name, begun, change)
    except Exception as error:  # noqa: BLE001  the phase has done its work, whatever the error is
        log.info("ConfigMap %s: record not written, the work itself is done: %s", name, _reason(error))


def _write(cluster: Cluster, name: str, begun: Result, change: Callable[[Result], Result]) -> None:
    def write() -> None:
        found = cluster.get(CONFIGMAP, name)
        before = _entries(found)
        after = with_entry(before, begun, change, _binary(found))
        if found is None:
            cluster.create(CONFIGMAP, configmap_writes.new(name, after))
        else:
            cluster.patch(CONFIGMAP, name, _difference(found, before, after))

    configmap_writes.until_no_conflict(write)


def forget(connect: Callable[[], Cluster], operation: Operation, workflow_uid: str) -> None:
    """Remove the entry of a workflow that succeeded after all. An error is logged and not raised."""
    name = NAMES[operation]
    try:
        _remove(connect(), name, workflow_uid)
    except Exception as error:  # noqa: BLE001  as in `note`
        log.info("ConfigMap %s: record of an earlier try not removed: %s", name, _reason(error))


def _remove(cluster: Cluster, name: str, workflow_uid: str) -> None:
    def change() -> None:
        found = cluster.get(CONFIGMAP, name) or {}
        before = _entries(found)
        kept = {key: text for key, text in before.items() if not _is_of(text, workflow_uid)}
        if kept != before:
            cluster.patch(CONFIGMAP, name, _difference(found, before, kept))

    configmap_writes.until_no_conflict(change)


def _reason(error: Exception) -> str:
    """Return the text for the log. The message of a foreign error may hold data and is not quoted."""
    return str(error) if isinstance(error, errors.PhaseError) else str(errors.Unexpected.at(error))


def _is_of(text: str, workflow_uid: str) -> bool:
    record = _read(text)
    return record is not None and record.workflow_uid == workflow_uid


def find(cluster: Cluster, operation: Operation, workflow_uid: str) -> Result | None:
    """Return the record of a workflow, None if its ConfigMap has none.

    Raises:
        errors.NotAllowed, errors.NoAnswer

    """
    entries = _entries(cluster.get(CONFIGMAP, NAMES[operation]))
    found = [record for text in entries.values() if (record := _read(text)) and record.workflow_uid == workflow_uid]
    return found[0] if found else None


def _entries(found: Object | None) -> Entries:
    return {key: text for key, text in ((found or {}).get("data") or {}).items() if isinstance(text, str)}


def _binary(found: Object | None) -> Entries:
    """Return the binary entries: they take room, and their keys are taken."""
    return {key: text for key, text in ((found or {}).get("binaryData") or {}).items() if isinstance(text, str)}


def with_entry(
    entries: Entries, begun: Result, change: Callable[[Result], Result], beside: Mapping[str, str] = {}
) -> Entries:
    """Return the entries with that of one workflow changed, cut to the size limit. `beside`: entries that take room."""
    key = f"{begun.workflow}.json"
    if key in beside:
        key = f"{begun.workflow}.{begun.workflow_uid}.json"
    found = _read(entries.get(key, ""))
    if key in entries and (found is None or found.workflow_uid != begun.workflow_uid):
        entries = {**entries, _another_key(begun.workflow, entries[key], found): entries[key]}
        found = None
    room_bytes = _LIMIT_BYTES - _size_bytes(beside)
    return _fitting({**entries, key: result.text(change(found or begun))}, room_bytes)


def _another_key(workflow: str, text: str, found: Result | None) -> str:
    """Return a new key for an entry that has the workflow's key and is of another workflow, or is not a record."""
    key = f"{workflow}.{found.workflow_uid if found else ''}.json"
    if found and found.workflow_uid and _KEY.fullmatch(key):
        return key
    return f"{workflow}.{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:16]}.json"


def _fitting(entries: Entries, room_bytes: int) -> Entries:
    """Return the ten newest records that fit. Cut first: unreadable entries, then object lines, then oldest records."""
    strange = [key for key in entries if _read(entries[key]) is None]
    records = entries.keys() - set(strange)
    newest = sorted(records, key=lambda key: _age(entries[key]))[-_NEWEST:]
    kept = {key: entries[key] for key in (*strange, *newest)}
    for smaller in _smaller(kept, strange, newest):
        if _size_bytes(kept) <= room_bytes:
            break
        kept = smaller
    return kept


def _smaller(entries: Entries, strange: list[str], oldest_first: list[str]) -> Iterator[Entries]:
    """Yield smaller and smaller entries. The newest record is never removed."""
    for key in strange:
        entries = {name: text for name, text in entries.items() if name != key}
        yield entries
    for key in oldest_first:
        if found := _read(entries[key]):
            entries = {**entries, key: result.text(found.without_objects())}
            yield entries
    for key in oldest_first[:-1]:
        entries = {name: text for name, text in entries.items() if name != key}
        yield entries


def _size_bytes(entries: Mapping[str, str]) -> int:
    return sum(len(key.encode()) + len(text.encode(errors="replace")) for key, text in entries.items())


def _age(text: str) -> datetime:
    """The last known activity of a workflow. An unreadable entry is older than all."""
    found = _read(text)
    return found.last_seen if found else datetime.min.replace(tzinfo=UTC)


def _read(text: str) -> Result | None:
    try:
        return result.parse(text) if text else None
    except errors.NoResult:
        return None


def _difference(found: Object, before: Entries, after: Entries) -> Object:
    changed: dict[str, str | None] = {key: text for key, text in after.items() if before.get(key) != text}
    changed |= dict.fromkeys(before.keys() - after.keys())
    return {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}, "data": changed}
