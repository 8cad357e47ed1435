"""The catalogue as text, table, JSON or YAML, from the plain facts of each backup."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workflows.commands import tables
from workflows.rendering import document

Facts = Mapping[str, Any]

_WIDE = "wide"
_MORE_HEADS = ("SNAPSHOTS", "MANIFEST-SHA256")  # in a wide table
_HEADS = ("NAME", "STATE", "STARTED", "FILES", "SIZE", "3SCALE", "BY", "WHERE", "VERIFIED", "PROVEN", "PINNED")


def of_all(entries: Sequence[Facts], output: str, namespace: str) -> str:
    """Write all backups as `table`, `wide`, `json`, `yaml` or `name`, with a newline at the end."""
    if output == "name":
        return "".join(f"{entry['name']}\n" for entry in entries)
    if output not in {"table", _WIDE}:
        return dumped(list(entries), output)
    if not entries:
        return f"no backup in namespace {namespace}\n"
    rows = [_HEADS, *(_row(entry) for entry in entries)]
    if output == _WIDE:
        more = [_MORE_HEADS, *((_short(entry), entry["manifest_sha256"] or "-") for entry in entries)]
        rows = [(*row, *rest) for row, rest in zip(rows, more, strict=True)]
    notes = [f"{entry['name']}: {entry['why']}" for entry in entries if entry["why"]]
    return "\n".join([*tables.aligned(rows), *(["", *notes] if notes else []), ""])


def of_one(entry: Facts, record: Facts | None, output: str) -> str:
    """Write one backup and its result record as `text`, `json` or `yaml`, with a newline at the end."""
    if output != "text":
        return dumped({**entry, "result": record}, output)
    facts = [(name, fact) for name, fact in _facts(entry).items() if fact]
    return "\n".join([*tables.aligned(facts), "", *_of(entry, record), ""])


def _row(entry: Facts) -> tuple[str, ...]:
    return (
        entry["name"],
        f"{entry['state']}{', damaged' if entry['damaged'] else ''}{', being deleted' if entry['going'] else ''}",
        entry["started"],
        "external" if entry["external"] else or_dash(entry["files"]),
        size_or_dash(entry["size_bytes"]),
        entry["threescale_version"] or "-",
        _asked_by(entry) or entry["maker"],
        _place(entry),
        (entry["verified"] or {"when": "-"})["when"],
        (entry["proven"] or {"when": "-"})["when"],
        "yes" if entry["pinned"] else "-",
    )


def _facts(entry: Facts) -> dict[str, str]:
    by = f", workflow {entry['workflow']} ({entry['workflow_uid']})" if entry["workflow"] else ""
    return {
        "name": entry["name"],
        "state": ": ".join(filter(None, (entry["state"], entry["why"]))),
        "made by": f"{entry['maker']}{by}",
        "started by": _asked_by(entry),
        "started": entry["started"],
        "ended": entry["ended"] or "",
        "APIManager": entry["apimanager"],
        "3scale": entry["threescale_version"],
        "files": "external, in S3" if entry["external"] else or_dash(entry["files"]),
        "bytes": or_dash(entry["size_bytes"]),
        "manifest": f"SHA-256 {entry['manifest_sha256']}" if entry["manifest_sha256"] else "",
        "verified": _proof(entry["verified"]),
        "proven": ": ".join(filter(None, (_proof(entry["proven"]), entry["proven_counts"]))),
        "being verified": _progress(entry["verifying"]),
        "damaged": ": ".join(filter(None, (_proof(entry["damaged"]), entry["damage"]))),
        "pinned": "yes" if entry["pinned"] else "no",
        "copies": _copies(entry),
        "claim": ", ".join(filter(None, (entry["capacity"], entry["storage_class"], entry["volume"], entry["uid"]))),
        "being deleted": "yes" if entry["going"] else "",
    }


def _asked_by(entry: Facts) -> str:
    return entry["schedule"] or ("a person" if entry["workflow"] else "")


def _of(entry: Facts, record: Facts | None) -> Iterator[str]:
    """Yield the lines of the record, or where the record is."""
    if record is None:
        sealed = f"result.json is in the backup, on claim {entry['name']}"
        yield sealed if entry["manifest_sha256"] else "no result record"
        return
    yield f"{record['operation']} {record['outcome']}, by {record['service_account']}, workflow {record['workflow']}"
    for phase in record["phases"]:
        counts = "".join(f", {number} {what}" for what, number in phase["counts"].items())
        yield f"  {phase['phase']}: {phase['duration_s']:g} s{counts}"
        yield from (f"    {note}" for note in phase.get("notes", ()))
    yield from (f"  {failure['phase']} failed: {failure['sentence']}" for failure in record["failures"])
    yield from (f"  {sentence}" for sentence in (*record["held_back"], record["advice"]) if sentence)


def dumped(content: Any, output: str) -> str:
    """Write content as `json` or `yaml`, with a newline at the end."""
    if output == "json":
        return json.dumps(content, indent=2) + "\n"
    return document.write(content)


def or_dash(number: int | None) -> str:
    """Write a number, or a dash for an unknown one."""
    return "-" if number is None else str(number)


def size_or_dash(size_bytes: int | None) -> str:
    """Write a size, or a dash for an unknown one."""
    return "-" if size_bytes is None else tables.size(size_bytes)


def copies(entry: Facts) -> dict[str, str]:
    """Return the ID of the snapshot in each repository that holds a copy, by the name of the repository's Secret."""
    told = (each.partition("/") for each in entry["snapshots"].split(",") if "/" in each)
    return {repository: snapshot for repository, _, snapshot in told}


def _place(entry: Facts) -> str:
    """Where a backup lies: on its claim, in repositories, or both."""
    found = len(copies(entry))
    return "claim" if not found else "claim, repository" if found == 1 else f"claim, {found} repositories"


def _short(entry: Facts) -> str:
    return ", ".join(f"{repository}/{snapshot[:8]}" for repository, snapshot in copies(entry).items()) or "-"


def _copies(entry: Facts) -> str:
    told = ", ".join(
        f"snapshot {snapshot} in repository {repository}" for repository, snapshot in copies(entry).items()
    )
    return ", ".join(filter(None, (told, f"since {entry['pushed']}" if entry["pushed"] else "")))


def _proof(proof: Facts | None) -> str:
    return f"{proof['when']}, by workflow {proof['workflow']}" if proof else ""


def _progress(progress: Facts | None) -> str:
    return f"{progress['position']} of {progress['total']} bytes are read, no damage found" if progress else ""
