"""Where each file lies on the backup volume, and how large it may be.

The layout is the one of the operator's APIManagerBackup (secrets/, configmaps/, apimanager/, system-filestorage-pvc/),
so that its APIManagerRestore can read it; what is ours lies beside it.
"""

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.files import volume, writing
from steps.files.durability import Disk
from steps.files.volume import NO_WAY
from steps.kubernetes.kinds import CONFIGMAP, SECRET
from steps.threescale import installation

BEGIN = "begin.json"
MANIFEST = "manifest.json"
RESULT = "result.json"
SUMS = "SHA256SUMS"
LISTING = "system-filestorage.mtree"
REPORTS = "reports"
SECRETS = "secrets"
CONFIGMAPS = "configmaps"
REFERENCED = "referenced"  # the operator passes over folders that it does not know
REFERENCED_SECRETS = f"{REFERENCED}/{SECRETS}"
REFERENCED_CONFIGMAPS = f"{REFERENCED}/{CONFIGMAPS}"
APIMANAGER = "apimanager/apimanager-backup.json"  # one fixed name, whatever the APIManager is called
TREE = "system-filestorage-pvc"
OF_APIMANAGER = APIMANAGER.partition("/")[0]
FOLDERS = (TREE, SECRETS, CONFIGMAPS, OF_APIMANAGER, REFERENCED, REFERENCED_SECRETS, REFERENCED_CONFIGMAPS, REPORTS)


class Place(NamedTuple):
    """Where objects of a kind lie: those that the operator saves too, by their names, and all others."""

    names: Sequence[str]
    folder: str
    others: str

    def folder_of(self, name: str) -> str:
        """Where an object of this name lies."""
        return self.folder if name in self.names else self.others


# Of each kind of which a backup holds several objects.
PLACES = {
    SECRET: Place(installation.SECRETS, SECRETS, REFERENCED_SECRETS),
    CONFIGMAP: Place(installation.CONFIGMAPS, CONFIGMAPS, REFERENCED_CONFIGMAPS),
}
# What is read whole is at most so large, and so is what is written to be read so. A marker holds three names. A line of
# a manifest, a report or SHA256SUMS, of an object or a host, takes 600 bytes at most: that is room for 27,000 of them.
# Kubernetes takes objects of 3 MiB; indentation and escaped signs make them longer.
_LARGEST_MARKER_BYTES = 64 << 10
_LARGEST_LIST_BYTES = 16 << 20
_LARGEST_OBJECT_BYTES = 16 << 20


def read(root: Path, path: str) -> bytes:
    """Read a file of the backup that fits into memory.

    Raises:
        OSError: as `opened`; EFBIG where it is larger than any such file is

    """
    largest = _largest_bytes(path)
    with os.fdopen(volume.opened(root, path), "rb") as stream:
        data = stream.read(largest + 1) if os.fstat(stream.fileno()).st_size <= largest else None
    if data is None or len(data) > largest:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    return data


def _largest_bytes(path: str) -> int:
    """How large a file of the backup may be, by its kind."""
    if path == BEGIN:
        return _LARGEST_MARKER_BYTES
    is_list = path in {MANIFEST, RESULT, SUMS} or path.startswith(f"{REPORTS}/")
    return _LARGEST_LIST_BYTES if is_list else _LARGEST_OBJECT_BYTES


def _check_size(path: str, data: bytes) -> None:
    """See that what is to be written can be read."""
    if len(data) > (largest := _largest_bytes(path)):
        raise errors.FileTooLarge(path, len(data), largest)


def unread(error: OSError) -> str:
    """Say of a file of the backup why it was not read."""
    if error.errno == errno.EINVAL:
        return "is not a regular file"
    if error.errno == errno.EFBIG:
        largest = _largest_bytes(str(error.filename))
        shown = f"{largest >> 20} MiB" if largest >> 20 else f"{largest >> 10} KiB"
        return f"has more than {shown} and is too large to read"
    return "is missing" if isinstance(error, FileNotFoundError) else "can not be read"


def folder_findings(root: Path, folders: Iterable[str] = FOLDERS) -> Iterator[str]:
    """Say which folders of a backup are none, or can't be looked at; one that is missing is not told."""
    for folder in folders:
        try:
            found = volume.look(root, folder)
        except OSError as error:
            if error.errno not in NO_WAY:  # else the one above it is told
                yield f"{folder} {unread(error)}"
            continue
        if found and not stat.S_ISDIR(found.st_mode):
            yield f"{folder} is a {'link' if stat.S_ISLNK(found.st_mode) else 'file'}, not a folder"


def write(root: Path, path: str, data: bytes) -> None:
    """Write a file of the backup, as `write_whole`.

    Raises:
        errors.NotWritable and its like, as `failures`; errors.FileTooLarge

    """
    _check_size(path, data)
    writing.write_whole(root, path, data)


def commit(disk: Disk, path: str, data: bytes) -> None:
    """Write the record of a phase, as `Disk.commit`; raises what `write` does."""
    _check_size(path, data)
    disk.commit(path, data)


def as_json(value: object) -> bytes:
    """The form in which the operator writes objects, and we all that is JSON: indent 4, sorted keys, a newline."""
    return (json.dumps(value, indent=4, sort_keys=True) + "\n").encode()
