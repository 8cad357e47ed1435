"""Whether the operator's own APIManagerRestore could take a backup.

Source of its rules: operator, pkg/restore and controllers/apps (branches 3scale-2.9-stable to 3scale-2.16-stable). It
creates each object file as it stands with `oc create -f`, copies `system-filestorage-pvc/*` with `rsync -rl` as a UID
of the target namespace, and carries the APIManager through a Secret; a step that fails is tried for ever.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steps import installation, saved, volume
from steps.backup import Backup
from steps.installation import APIMANAGER, CONFIGMAP, SECRET, Kind

_SECRET_BYTES = 1 << 20  # a Secret's limit, and so that of the APIManager's file
_NAME_LENGTH = 63  # of a DNS-1123 label
_NOT_IN_CREATE = ("namespace", "resourceVersion", "ownerReferences", "uid")


def objections(backup: Backup) -> Iterator[str]:
    """Say what keeps the operator from restoring a backup, a line each; none if it can.

    Raises:
        errors.ReadFailed: this user may not look at the top of the tree.

    """
    if backup.manifest and ("." in backup.name or len(backup.name) > _NAME_LENGTH):
        yield (
            f"its claim's name {backup.name!r} becomes that of a volume in its pods, and such a name has no dot and at "
            f"most {_NAME_LENGTH} characters"
        )
    for path, kind in _files():
        yield from _object(backup.root, path, kind)
    if backup.external:
        yield "System's files are in S3: it makes a claim for them all the same, and waits for ever if none is here"
    elif not [name for name in _top(backup.tree) if not name.startswith(".")]:
        yield f"{volume.TREE} shows no entry at its top: its copy of `*` fails and is never given up"
    yield from _unreadable(backup.root)


def left_behind(backup: Backup) -> list[str]:
    """What it would pass over, by paths on the volume: dot-files at the top of the tree, and what the APIManager names.

    Raises:
        errors.ReadFailed: as `objections`.

    """
    hidden = [f"{volume.TREE}/{name}" for name in _top(backup.tree) if name.startswith(".")]
    listed = backup.manifest.objects if backup.manifest else ()
    return [*hidden, *sorted(path for path in listed if path.startswith(f"{volume.REFERENCED}/"))]


def _files() -> list[tuple[str, Kind]]:
    return [
        *((f"{volume.SECRETS}/{name}.json", SECRET) for name in installation.RESTORED_SECRETS),
        *((f"{volume.CONFIGMAPS}/{name}.json", CONFIGMAP) for name in installation.CONFIGMAPS),
        (volume.APIMANAGER, APIMANAGER),
    ]


def _object(root: Path, path: str, kind: Kind) -> Iterator[str]:
    obj, finding = saved.read(root, path, None)
    if finding:
        zync = " (it asks for it even where Zync is disabled)" if Path(path).stem == installation.ZYNC_SECRET else ""
        yield f"{finding}{zync}"
        return
    if obj.get("apiVersion") != kind.api_version:
        yield f"{path} is of {obj.get('apiVersion')}, not of {kind.api_version}"
    yield from (f"{path} carries {field}, which no other cluster takes" for field in _strange(obj))
    if kind == APIMANAGER and (size := (root / path).stat().st_size) > _SECRET_BYTES:
        yield f"{path} has {size} bytes, more than the Secret in which it travels can hold"


def _strange(obj: dict[str, Any]) -> Iterator[str]:
    yield from (f"metadata.{field}" for field in _NOT_IN_CREATE if field in obj["metadata"])
    if "status" in obj:
        yield "status"


def _top(tree: Path) -> list[str]:
    return volume.content(tree, volume.NO_CONTENT) if tree.is_dir() else []


def _unreadable(root: Path) -> Iterator[str]:
    """What a member of the volume's group can't read, by the modes on the volume."""
    for folder in (volume.SECRETS, volume.CONFIGMAPS, volume.APIMANAGER.partition("/")[0], volume.TREE):
        for place, _, names in os.walk(root / folder):
            for path in (Path(place), *(Path(place, name) for name in names)):
                mode = path.lstat().st_mode
                needed = 0o050 if stat.S_ISDIR(mode) else 0o040
                if not stat.S_ISLNK(mode) and mode & needed != needed:
                    yield f"{str(path.relative_to(root))!r} is closed to its group"
