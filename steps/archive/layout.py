"""The path of each file on the backup volume, and the size that it may have.

The layout is that of the operator's APIManagerBackup (secrets/, configmaps/, apimanager/, system-filestorage-pvc/), so
that its APIManagerRestore can read it. The other files are this tool's own.
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
REFERENCED = "referenced"  # the operator ignores folders that it does not know
REFERENCED_SECRETS = f"{REFERENCED}/{SECRETS}"
REFERENCED_CONFIGMAPS = f"{REFERENCED}/{CONFIGMAPS}"
APIMANAGER = "apimanager/apimanager-backup.json"  # fixed, whatever the name of the APIManager
TREE = "system-filestorage-pvc"
DATABASES = "databases"  # the operator ignores this folder too
OF_APIMANAGER = APIMANAGER.partition("/")[0]
FOLDERS = (TREE, SECRETS, CONFIGMAPS, OF_APIMANAGER, REFERENCED, REFERENCED_SECRETS, REFERENCED_CONFIGMAPS, REPORTS)


class Place(NamedTuple):
    """Folders for objects of a kind: one for the `names` that the operator saves too, one for all others."""

    names: Sequence[str]
    folder: str
    others: str

    def folder_of(self, name: str) -> str:
        """The folder of an object with this name."""
        return self.folder if name in self.names else self.others


# Of each kind of which a backup holds several objects.
PLACES = {
    SECRET: Place(installation.SECRETS, SECRETS, REFERENCED_SECRETS),
    CONFIGMAP: Place(installation.CONFIGMAPS, CONFIGMAPS, REFERENCED_CONFIGMAPS),
}
# Limits for files that are read into memory; the tool writes no larger ones. A marker holds three names. A line of a
# manifest, a report or SHA256SUMS takes 600 bytes at most, so that 27,000 objects or hosts fit. Kubernetes takes
# objects of 3 MiB; indentation and escaped characters make them longer.
_LARGEST_MARKER_BYTES = 64 << 10
_LARGEST_LIST_BYTES = 16 << 20
_LARGEST_OBJECT_BYTES = 16 << 20


def read(root: Path, path: str) -> bytes:
    """Read a file of the backup that fits into memory.

    Raises:
        OSError: as `opened`; EFBIG if it is larger than its limit

    """
    largest = _largest_bytes(path)
    with os.fdopen(volume.opened(root, path), "rb") as stream:
        data = stream.read(largest + 1) if os.fstat(stream.fileno()).st_size <= largest else None
    if data is None or len(data) > largest:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    return data


def _largest_bytes(path: str) -> int:
    """The largest size of a file of the backup, by its kind."""
    if path == BEGIN:
        return _LARGEST_MARKER_BYTES
    is_list = path in {MANIFEST, RESULT, SUMS} or path.startswith(f"{REPORTS}/")
    return _LARGEST_LIST_BYTES if is_list else _LARGEST_OBJECT_BYTES


def _check_size(path: str, data: bytes) -> None:
    """Refuse to write a file that would be too large to read."""
    if len(data) > (largest := _largest_bytes(path)):
        raise errors.FileTooLarge(path, len(data), largest)


def unread(error: OSError) -> str:
    """Why a file of the backup was not read, in words that follow its path."""
    if error.errno == errno.EINVAL:
        return "is not a regular file"
    if error.errno == errno.EFBIG:
        largest = _largest_bytes(str(error.filename))
        shown = f"{largest >> 20} MiB" if largest >> 20 else f"{largest >> 10} KiB"
        return f"has more than {shown} and is too large to read"
    return "is missing" if isinstance(error, FileNotFoundError) else "can not be read"


def folder_findings(root: Path, folders: Iterable[str] = FOLDERS) -> Iterator[str]:
    """Yield folders of a backup that are links or files, or can't be read. A missing folder is no finding."""
    for folder in folders:
        try:
            found = volume.look(root, folder)
        except OSError as error:
            if error.errno not in NO_WAY:  # else the folder above is a finding
                yield f"{folder} {unread(error)}"
            continue
        if found and not stat.S_ISDIR(found.st_mode):
            yield f"{folder} is a {'link' if stat.S_ISLNK(found.st_mode) else 'file'}, not a folder"


def write(root: Path, path: str, data: bytes) -> None:
    """Write a file of the backup, as `write_whole`.

    Raises:
        errors.NotWritable and others of `volume.failures`; errors.FileTooLarge

    """
    _check_size(path, data)
    writing.write_whole(root, path, data)


def commit(disk: Disk, path: str, data: bytes) -> None:
    """Write the record of a phase, as `Disk.commit`; raises what `write` does."""
    _check_size(path, data)
    disk.commit(path, data)


def as_json(value: object) -> bytes:
    """JSON as the operator writes objects: indent 4, sorted keys, a newline. All JSON of a backup has this form."""
    return (json.dumps(value, indent=4, sort_keys=True) + "\n").encode()
