"""A backup that the operator's APIManagerBackup made: it has no manifest, so its form tells what can be told."""

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

_NO_FILE = {errno.ENOENT, errno.EINVAL, errno.ELOOP, errno.ENOTDIR, errno.EFBIG}  # which is found later
OPENED = "when the backup was opened"


def spec_part(root: Path, part: str, expected: Digest | None = None) -> dict[str, Any]:
    """A part of its APIManager's spec, empty where there is none or it can't be read."""
    apimanager, _ = saved.read(root, layout.APIMANAGER, expected)
    return (apimanager.get("spec") or {}).get(part) or {}


def in_s3(root: Path, expected: Digest | None) -> bool:
    """Whether System's files are in S3: the operator copies them all the same, and its Job waits for a claim."""
    return (spec_part(root, "system", expected).get("fileStorage") or {}).get("simpleStorageService") is not None


def paths(root: Path) -> list[str]:
    """The object files that the operator writes; the one of zync may be absent where Zync is disabled."""
    zync = spec_part(root, "zync").get("enabled", True)
    secrets = [f"{layout.SECRETS}/{name}.json" for name in installation.SECRETS]
    optional = f"{layout.SECRETS}/{installation.ZYNC_SECRET}.json"
    return [
        layout.APIMANAGER,
        *(path for path in secrets if path != optional or zync or volume.is_there(root, path)),
        *(f"{layout.CONFIGMAPS}/{name}.json" for name in installation.CONFIGMAPS),
    ]


def first_gap(root: Path) -> str:
    """Where a run of the operator ended: it writes one file after the other, the APIManager's after all others."""
    first, *others = paths(root)
    return next(finding for path in (*others, first) if (finding := saved.read(root, path, None)[1]))


def findings(root: Path, given: Collection[str], sums: Mapping[str, Digest]) -> Iterator[str]:
    """Say what is wrong, a line each; `given` are paths that need not be there."""
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
        errors.ReadFailed, errors.BackupDamaged: at its end, where an entry could not be listed.

    """
    tally = Tally()
    yield from map(mtree.line, tally.kept(scanning.scan(root)))
    if tally.unreadable:
        raise errors.ReadFailed(tally.unreadable, f"of {layout.TREE}")
    if tally.vanished:
        raise errors.BackupDamaged([f"{len(tally.vanished)} entries of {layout.TREE} vanished while it was listed"])


def stable(line: str) -> bytes:
    """What of an entry nobody but a writer changes; owners and modes are the kubelet's."""
    entry = mtree.entry(line)
    return f"{(entry.path, entry.kind, entry.size, entry.mtime_ns // 10**9, entry.target)!a}\n".encode()


def sums(root: Path) -> dict[str, Digest]:
    """Sizes and digests of the object files that are there."""
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
    """One digest over the object files that are there, and when the last of them was written.

    Two backups of an installation have the same objects, as a rule, and other files: the time tells them apart. Whole
    seconds, because an archive may keep no more.
    """
    total = hashlib.sha256("".join(f"{path} {each.sha256}\n" for path, each in sums.items()).encode())
    total.update(f"{_written(root)}\n".encode())
    return total.hexdigest()


def _written(root: Path) -> int:
    """When the operator's last object file was written, 0 where its folder is none."""
    try:
        found = volume.look(root, layout.APIMANAGER)
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        found = None
    return int(found.st_mtime) if found else 0
