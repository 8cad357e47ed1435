"""Compares a restored installation with the original, by the objects in the API and the files on the disk.

Nothing of `steps` is used here, so that an error in `steps` can't hide itself. Fields that a backup drops or a restore
adds by design (README) are removed from both sides before the comparison.
"""

import hashlib
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

SECRETS = (
    "backend-internal-api",
    "backend-listener",
    "my-env",
    "my-policy",
    "my-registry",
    "my-telemetry",
    "my-tls",
    "my-tracing",
    "system-app",
    "system-events-hook",
    "system-master-apicast",
    "system-recaptcha",
    "system-seed",
    "system-smtp",
    "zync",
)
CONFIGMAPS = ("apicast-environment", "backend-environment", "system", "system-environment")

_SERVERS_OWN = {
    "creationTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "uid",
}
_BY_DESIGN = (
    "apps.3scale.net/apimanager-confirmed-requirements-version",
    "kubectl.kubernetes.io/last-applied-configuration",
    "secret.apimanager.apps.3scale.net/",
    "threescale-backup/",
)


class Api(Protocol):
    """The requests to the cluster."""

    def get(self, resource: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Read one object."""

    def list(self, resource: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """Read all objects of a resource."""


class Node(NamedTuple):
    """One entry of a file tree. Times are in nanoseconds."""

    kind: str
    mode: int
    mtime_ns: int
    content: str


@dataclass(frozen=True)
class Snapshot:
    """The parts of an installation that a restore must bring back."""

    objects: Mapping[str, Any]
    tree: Mapping[str, Node]


@dataclass(frozen=True)
class Row:
    """One line of the result."""

    what: str
    count: int
    differences: list[str]


def look(api: Api, namespace: str, file_storage: Path) -> Snapshot:
    """Record the current state."""
    return Snapshot(objects(api, namespace), tree(file_storage))


def objects(api: Api, namespace: str) -> dict[str, Any]:
    """Record the current objects."""
    wanted = [*(("secrets", name) for name in SECRETS), *(("configmaps", name) for name in CONFIGMAPS)]
    found = {f"{resource}/{name}": _bare(api.get(resource, namespace, name)) for resource, name in wanted}
    for apimanager in api.list("apimanagers", namespace):
        found[f"apimanagers/{apimanager['metadata']['name']}"] = _bare(apimanager)
    return found


def tree(folder: Path) -> dict[str, Node]:
    """Record the entries of a file storage, by their relative paths."""
    return dict(_walk(folder))


def compare(before: Snapshot, after: Snapshot) -> list[Row]:
    """Compare two snapshots. Return a row for each kind of object or file."""
    rows = []
    for resource, title in (("secrets", "Secrets"), ("configmaps", "ConfigMaps"), ("apimanagers", "APIManager")):
        names = sorted(name for name in {*before.objects, *after.objects} if name.startswith(f"{resource}/"))
        differing = [name for name in names if before.objects.get(name) != after.objects.get(name)]
        absent = [name for name in names if before.objects.get(name) is None]
        rows.append(Row(title, len(names), sorted({*differing, *absent})))
    kinds = {"file": "Files", "dir": "Folders", "link": "Links"}
    for kind, title in kinds.items():
        paths = sorted(path for path, node in {**after.tree, **before.tree}.items() if node.kind == kind)
        rows.append(Row(title, len(paths), [why for path in paths if (why := _difference(path, before, after))]))
    return rows


def _difference(path: str, before: Snapshot, after: Snapshot) -> str:
    was, now = before.tree.get(path), after.tree.get(path)
    if was is None or now is None:
        return f"{path!r} is {'extra' if was is None else 'missing'}"
    expected = was._replace(mode=_for_system(was))
    differing = [field for field in Node._fields if getattr(expected, field) != getattr(now, field)]
    return f"{path!r}: {', '.join(differing)}" if differing else ""


def _for_system(node: Node) -> int:
    """Return the mode after a restore: System writes as a member of the group."""
    if node.kind == "link":
        return node.mode
    executable = node.kind == "dir" or node.mode & 0o111
    return node.mode | (0o070 if executable else 0o060)


def _bare(obj: dict[str, Any] | None) -> dict[str, Any] | None:
    if obj is None:
        return None
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _SERVERS_OWN}
    for part in ("labels", "annotations"):
        kept = {key: value for key, value in (metadata.pop(part, None) or {}).items() if not key.startswith(_BY_DESIGN)}
        metadata |= {part: kept} if kept else {}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def _walk(root: Path, folder: str = "") -> Iterator[tuple[str, Node]]:
    for path in sorted((root / folder).iterdir()):
        name = str(path.relative_to(root))
        if name == "lost+found":
            continue
        yield name, _node(path)
        if path.is_dir() and not path.is_symlink():
            yield from _walk(root, name)


def _node(path: Path) -> Node:
    found = path.lstat()
    mode, mtime_ns = stat.S_IMODE(found.st_mode), found.st_mtime_ns
    if path.is_symlink():
        return Node("link", mode, mtime_ns, str(path.readlink()))
    if path.is_dir():
        return Node("dir", mode, mtime_ns, "")
    return Node("file", mode, mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
