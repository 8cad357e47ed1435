"""A backup that the operator's APIManagerBackup made. It has no manifest, so only its form can be checked."""

import errno
import hashlib
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from steps import errors
from steps.archive import layout, saved
from steps.archive.manifest import Digest
from steps.files import mtree, scanning, volume
from steps.files.tally import Tally
from steps.threescale import installation

_NO_FILE = {errno.ENOENT, errno.EINVAL, errno.ELOOP, errno.ENOTDIR, errno.EFBIG}  # reported later as findings
OPENED = "when the backup was opened"


def spec_part(root: Path, part: str, expected: Digest | None = None) -> dict[str, Any]:
    """A part of its APIManager's spec, empty if it is missing or can't be read."""
    apimanager, _ = saved.read(root, layout.APIMANAGER, expected)
    return (apimanager.get("spec") or {}).get(part) or {}


def in_s3(root: Path, expected: Digest | None) -> bool:
    """Whether System's files are in S3. The operator copies a claim anyway, and its Job waits for that claim."""
    return (spec_part(root, "system", expected).get("fileStorage") or {}).get("simpleStorageService") is not None


def paths(root: Path) -> list[str]:
    """The object files that the operator writes. The file of zync may be missing if Zync is disabled."""
    zync = spec_part(root, "zync").get("enabled", True)
    secrets = [f"{layout.SECRETS}/{name}.json" for name in installation.SECRETS]
    optional = f"{layout.SECRETS}/{installation.ZYNC_SECRET}.json"
    return [
        layout.APIMANAGER,
        *(path for path in secrets if path != optional or zync or volume.is_there(root, path)),
        *(f"{layout.CONFIGMAPS}/{name}.json" for name in installation.CONFIGMAPS),
    ]


def first_gap(root: Path) -> str:
    """The first missing or invalid file. The operator writes one file after the other, the APIManager's last."""
    first, *others = paths(root)
    return next(finding for path in (*others, first) if (finding := saved.read(root, path, None)[1]))


def findings(root: Path, given: Collection[str], sums: Mapping[str, Digest]) -> Iterator[str]:
    """Yield what is wrong, a line each; `given` are paths that may be missing."""
    yield from layout.folder_findings(root)
    for path in paths(root):
        if path not in given and (finding := saved.read(root, path, sums.get(path), OPENED)[1]):
            yield finding
    if not volume.is_there(root, layout.TREE) and not in_s3(root, sums.get(layout.APIMANAGER)):
        yield f"{layout.TREE} is missing"
    found = volume.look(root, layout.TREE)
    if found is None or not stat.S_ISDIR(found.st_mode):
        return
    tally = Tally()
    for _ in tally.kept(scanning.scan(root / layout.TREE)):
        pass
    yield from (f"{layout.TREE}: {path!r} can't be read" for path in tally.unreadable.first)


def lines(root: Path) -> Iterator[str]:
    """The lines of a tree that has no listing.

    Raises:
        errors.ReadFailed, errors.BackupDamaged: at its end, if an entry could not be listed.

    """
    tally = Tally()
    yield from map(mtree.line, tally.kept(scanning.scan(root)))
    if tally.unreadable:
        raise errors.ReadFailed(tally.unreadable, f"of {layout.TREE}")
    if tally.vanished:
        raise errors.BackupDamaged([f"{len(tally.vanished)} entries of {layout.TREE} vanished while it was listed"])


def stable(line: str) -> bytes:
    """The facts of an entry that only a writer changes. The kubelet may change owners and modes."""
    entry = mtree.entry(line)
    return f"{(entry.path, entry.kind, entry.size, entry.mtime_ns // 10**9, entry.target)!a}\n".encode()


def sums(root: Path) -> dict[str, Digest]:
    """Sizes and digests of the object files that exist, by path."""
    found = {}
    for path in paths(root):
        try:
            data = layout.read(root, path)
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
        else:
            found[path] = Digest(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    return found


def digest(root: Path, sums: Mapping[str, Digest]) -> str:
    """One digest over the object files that exist, and the time when the last of them was written.

    Two backups of an installation usually have the same objects and different files, so the time distinguishes them.
    The time is in whole seconds, because an archive may keep no more.
    """
    total = hashlib.sha256("".join(f"{path} {each.sha256}\n" for path, each in sums.items()).encode())
    total.update(f"{_written(root)}\n".encode())
    return total.hexdigest()


def _written(root: Path) -> int:
    """When the operator's last object file was written, in seconds; 0 if it is missing."""
    try:
        found = volume.look(root, layout.APIMANAGER)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        found = None
    return int(found.st_mtime) if found else 0
