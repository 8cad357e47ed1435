"""Whether the operator's own APIManagerRestore could restore a backup.

Source of its rules: operator, pkg/restore and controllers/apps (branches 3scale-2.9-stable to 3scale-2.16-stable). It
creates each object file unchanged with `oc create -f`. It copies `system-filestorage-pvc/*` with `rsync -rl` as a UID
of the target namespace. It carries the APIManager in a Secret. It retries a failed step forever.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steps import errors
from steps.archive import layout, saved
from steps.archive.contents import Backup
from steps.contract.values import LABEL_LENGTH
from steps.files import directory, scanning, volume
from steps.files.beneath import closed, open_top
from steps.files.mtree import FOLDER, LINK
from steps.files.tally import Lost, Why
from steps.kubernetes.kinds import APIMANAGER, CONFIGMAP, SECRET, Kind
from steps.threescale import installation

_SECRET_BYTES = 1 << 20  # a Secret's limit, and so that of the APIManager's file
_NOT_IN_CREATE = ("namespace", "resourceVersion", "ownerReferences", "uid")


def objections(backup: Backup) -> Iterator[str]:
    """Yield the reasons why the operator can't restore a backup, a line each; none if it can.

    Raises:
        errors.ReadFailed: this user may not read the top of the tree.

    """
    if backup.manifest and ("." in backup.name or len(backup.name) > LABEL_LENGTH):
        yield (
            f"its pods name a volume after the claim {backup.name!r}, and the name of a volume has no dot and at most "
            f"{LABEL_LENGTH} characters"
        )
    for path, kind in _files():
        yield from _object(backup.root, path, kind)
    if backup.external:
        yield "System's files are in S3: it creates a claim for them anyway, and waits forever if none is here"
    elif not [name for name in _top(backup.root) if not name.startswith(".")]:
        yield f"{layout.TREE} has no visible entry at its root: its copy of `*` fails and is retried forever"
    yield from _unreadable(backup.root)


def left_behind(backup: Backup) -> list[str]:
    """Paths that the operator would ignore: dot-files at the top of the tree, and objects that the APIManager names.

    Raises:
        errors.ReadFailed: as `objections`.

    """
    hidden = [f"{layout.TREE}/{name}" for name in _top(backup.root) if name.startswith(".")]
    listed = backup.manifest.objects if backup.manifest else ()
    return [*hidden, *sorted(path for path in listed if path.startswith(f"{layout.REFERENCED}/"))]


def _files() -> list[tuple[str, Kind]]:
    return [
        *((f"{layout.SECRETS}/{name}.json", SECRET) for name in installation.RESTORED_SECRETS),
        *((f"{layout.CONFIGMAPS}/{name}.json", CONFIGMAP) for name in installation.CONFIGMAPS),
        (layout.APIMANAGER, APIMANAGER),
    ]


def _object(root: Path, path: str, kind: Kind) -> Iterator[str]:
    obj, finding = saved.read(root, path, None)
    if finding:
        zync = " (it asks for it even where Zync is disabled)" if Path(path).stem == installation.ZYNC_SECRET else ""
        yield f"{finding}{zync}"
        return
    if obj.get("apiVersion") != kind.api_version:
        yield f"{path} is of {obj.get('apiVersion')}, not of {kind.api_version}"
    yield from (f"{path} has {field}, which other clusters refuse" for field in _strange(obj))
    found = volume.look(root, path)
    if kind == APIMANAGER and found and (size := found.st_size) > _SECRET_BYTES:
        yield f"{path} has {size} bytes, more than the Secret that carries it can hold"


def _strange(obj: dict[str, Any]) -> Iterator[str]:
    yield from (f"metadata.{field}" for field in _NOT_IN_CREATE if field in obj["metadata"])
    if "status" in obj:
        yield "status"


def _top(root: Path) -> list[str]:
    """The names at the top of the tree; none if it is not a folder, which is reported as damage."""
    found = volume.look(root, layout.TREE)
    if found is None or not stat.S_ISDIR(found.st_mode):
        return []
    try:
        with closed(open_top(root / layout.TREE)) as top:
            names = [leaf.name for leaf in directory.leaves(top, "")]
    except OSError as error:
        raise errors.ReadFailed([str(root / layout.TREE)], os.strerror(error.errno or 0)) from error
    return [name for name in names if not name.startswith(volume.TEMPORARY)]


def _unreadable(root: Path) -> Iterator[str]:
    """Yield the entries that a member of the volume's group can't read, by their modes."""
    for folder in (layout.SECRETS, layout.CONFIGMAPS, layout.OF_APIMANAGER, layout.TREE):
        found = volume.look(root, folder)
        if found is None or not stat.S_ISDIR(found.st_mode):
            continue
        if _is_closed(found.st_mode, is_folder=True):
            yield f"{folder!r} is not readable by its group"
        for item in scanning.scan(root / folder, workers=0):
            path = folder if item.path == "." else f"{folder}/{item.path}"
            if isinstance(item, Lost):
                yield from _of_lost(root, path, item.why)
            elif item.kind != LINK and _is_closed(item.mode, is_folder=item.kind == FOLDER):
                yield f"{path!r} is not readable by its group"


def _of_lost(root: Path, path: str, why: Why) -> Iterator[str]:
    """Yield why the group can't read an entry that this user could not read either: usually its mode."""
    try:
        found = volume.look(root, path)
    except OSError:
        found = None
    if found and _is_closed(found.st_mode, is_folder=stat.S_ISDIR(found.st_mode)):
        yield f"{path!r} is not readable by its group"
    elif why is not Why.SPECIAL:
        yield f"{path!r} can't be read"


def _is_closed(mode: int, *, is_folder: bool) -> bool:
    needed = 0o050 if is_folder else 0o040
    return mode & needed != needed
