"""The backups in a repository as text, table, JSON or YAML, from the plain facts of each snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from workflows.commands import listing, tables

if TYPE_CHECKING:
    from steps.archive.manifest import Manifest
    from steps.repository.snapshots import Snapshot

Facts = Mapping[str, Any]

_HEADS = ("NAME", "STATE", "STARTED", "FILES", "SIZE", "ADDED", "3SCALE", "OF", "SNAPSHOT")
_MORE_HEADS = ("ORIGIN", "BY", "MANIFEST-SHA256")  # in a wide table


def facts(snapshot: "Snapshot") -> dict[str, Any]:
    """Return a snapshot as JSON values. Times have Kubernetes' format."""
    from steps.kubernetes import times

    written = times.utc(snapshot.written) if snapshot.written else None
    told = {**asdict(snapshot), "started": times.utc(snapshot.started), "written": written}
    return {"name": told.pop("backup"), "whole": snapshot.is_whole, "short_id": snapshot.id[:8], **told}


def of_all(entries: Sequence[Facts], output: str, repository: str) -> str:
    """Write all backups as `table`, `wide`, `json`, `yaml` or `name`, with a newline at the end."""
    if output == "name":
        return "".join(f"{entry['name']}\n" for entry in entries)
    if output in {"json", "yaml"}:
        return listing.dumped(list(entries), output)
    if not entries:
        return f"no backup in repository {repository}\n"
    rows = [_HEADS, *(_row(entry) for entry in entries)]
    if output == "wide":
        more = [_MORE_HEADS, *((entry["origin"], entry["schedule"] or "-", entry["digest"]) for entry in entries)]
        rows = [(*row, *rest) for row, rest in zip(rows, more, strict=True)]
    return "\n".join([*tables.aligned(rows), ""])


def of_one(entry: Facts, manifest: Facts, output: str, repository: str) -> str:
    """Write one backup and facts of its manifest as `text`, `json` or `yaml`, with a newline at the end."""
    if output != "text":
        return listing.dumped({**entry, "manifest": manifest}, output)
    rows = {
        "name": entry["name"],
        "state": _state(entry),
        "repository": repository,
        "snapshot": entry["id"],
        "origin": f"{entry['origin']}, {_installation(entry)}",
        "started by": entry["schedule"],
        "started": entry["started"],
        "ended": f"{manifest['ended'][:19]}Z",
        "made by": f"{manifest['tool']} {manifest['tool_version']}, workflow {manifest['workflow']}",
        "3scale": entry["threescale_version"],
        "objects": str(len(manifest["objects"])),
        "files": listing.or_dash(entry["files"]) if manifest["file_storage"] else "external, in S3",
        "bytes": listing.or_dash(entry["size_bytes"]),
        "added bytes": listing.or_dash(entry["added_bytes"]),
        "manifest": f"SHA-256 {entry['digest']}",
    }
    return "\n".join([*tables.aligned([(name, fact) for name, fact in rows.items() if fact]), ""])


def of_manifest(found: "Manifest") -> dict[str, Any]:
    """Return a manifest as JSON values. It holds names, sizes and digests, and no value of a Secret."""
    return found.model_dump(mode="json")


def _row(entry: Facts) -> tuple[str, ...]:
    return (
        entry["name"],
        _state(entry),
        entry["started"],
        listing.or_dash(entry["files"]),
        listing.size_or_dash(entry["size_bytes"]),
        listing.size_or_dash(entry["added_bytes"]),
        entry["threescale_version"] or "-",
        _installation(entry),
        entry["short_id"],
    )


def _state(entry: Facts) -> str:
    return "whole" if entry["whole"] else "not proved"


def _installation(entry: Facts) -> str:
    return f"{entry['namespace'] or '-'}/{entry['apimanager'] or '-'}"
