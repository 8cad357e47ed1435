"""The snapshots of backups in a repository: one of each backup, with its facts in the tags.

The host of a snapshot is the origin: a random ID of the installation, not the name of a pod. Snapshots without the tags
of this tool are somebody else's and never touched.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from steps.archive.manifest import Manifest
from steps.kubernetes import times
from steps.restic.program import Restic

BACKUP, DIGEST = "backup", "manifest-sha256"
_VERSION, _NAMESPACE, _APIMANAGER, _SCHEDULE = "threescale", "namespace", "apimanager", "schedule"
_FILES, _BYTES, _ENTRIES = "files", "bytes", "entries"
_TIME = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a backup. Sizes in bytes, times in UTC. `files` and `size_bytes` are those of System FileStorage.

    `processed` is the number of files that restic has read, None if the snapshot does not say it. `expected` is the
    number that the backup has.
    """

    id: str
    origin: str
    started: datetime
    backup: str
    digest: str
    root: str  # where the backup was mounted
    threescale_version: str = ""
    namespace: str = ""
    apimanager: str = ""
    schedule: str = ""
    files: int | None = None
    size_bytes: int | None = None
    added_bytes: int | None = None  # what it added to the repository
    expected: int | None = None
    processed: int | None = None
    written: datetime | None = None  # when restic had written it, by the clock of the pod that pushed it

    @property
    def short_id(self) -> str:
        """The ID as restic shows it."""
        return self.id[:8]

    @property
    def tree(self) -> str:
        """The name of the backup's folder in the repository, for restic."""
        return f"{self.id}:{self.root}"

    def path(self, name: str) -> str:
        """Return the path of a file of the backup in this snapshot."""
        return f"{self.root.rstrip('/')}/{name}"

    @property
    def is_whole(self) -> bool:
        """Whether restic has read as many files as the backup has. It keeps a snapshot of an unreadable source too."""
        return self.expected is not None and self.expected == self.processed

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> "Snapshot | None":
        """Read a snapshot as restic prints it. None if it is not of a backup of this tool."""
        tags = dict(tag.split("=", 1) for tag in told.get("tags") or () if "=" in tag)
        started = times.moment(str(told.get("time", "")))
        roots = [
            path.removesuffix("/manifest.json") for path in told.get("paths") or () if path.endswith("/manifest.json")
        ]
        if started is None or not roots or not {BACKUP, DIGEST} <= tags.keys():
            return None
        summary = told.get("summary") or {}
        return cls(
            id=str(told["id"]),
            origin=str(told.get("hostname", "")),
            started=started,
            backup=tags[BACKUP],
            digest=tags[DIGEST],
            root=roots[0] or "/",
            threescale_version=tags.get(_VERSION, ""),
            namespace=tags.get(_NAMESPACE, ""),
            apimanager=tags.get(_APIMANAGER, ""),
            schedule=tags.get(_SCHEDULE, ""),
            files=_count(tags.get(_FILES)),
            size_bytes=_count(tags.get(_BYTES)),
            added_bytes=_count(summary.get("data_added_packed")),
            expected=_count(tags.get(_ENTRIES)),
            processed=_count(summary.get("total_files_processed")),
            written=times.moment(str(summary.get("backup_end", ""))),
        )


def every(restic: Restic, *tags: str) -> list[Snapshot]:
    """Return the snapshots of backups, the newest first. `tags`: only those with all of these. Takes no lock."""
    told = restic.json("snapshots", "--no-lock", *(["--tag", ",".join(tags)] if tags else []))
    found = (Snapshot.parse(each) for each in told or ())
    return sorted((each for each in found if each), key=lambda each: (each.started, each.id), reverse=True)


def tags(manifest: Manifest, digest: str, files: int, schedule: str) -> list[str]:
    """Return the tags of the snapshot of a backup. `files`: all files on its volume."""
    facts = {
        BACKUP: manifest.backup,
        DIGEST: digest,
        _VERSION: manifest.source.threescale_version,
        _NAMESPACE: manifest.source.namespace,
        _APIMANAGER: manifest.source.apimanager,
        _SCHEDULE: schedule,
        _ENTRIES: str(files),
    }
    if manifest.file_storage:
        facts |= {_FILES: str(manifest.file_storage.files), _BYTES: str(manifest.file_storage.size_bytes)}
    return [f"{name}={value}" for name, value in facts.items() if value]


def time_option(manifest: Manifest) -> list[str]:
    """Return the option that gives the snapshot the time of its backup. restic runs in UTC."""
    return ["--time", manifest.started.strftime(_TIME)]


def read_message(line: bytes) -> Mapping[str, Any]:
    """Return a status or summary of `restic backup --json` or `restic restore --json`, empty for other lines."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) and told.get("message_type") in {"status", "summary"} else {}


def _count(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
