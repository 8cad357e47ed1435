"""The files of a copy of a database on the volume of a backup."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from steps import errors
from steps.archive import seal
from steps.archive.manifest import Digest
from steps.files import beneath, reading, removal, volume, writing
from steps.files.beneath import closed

_FOLDER_MODE = 0o770  # all for the group: the next pod may have another UID


def clear(root: Path, folder: str) -> None:
    """Remove what an earlier try has left, and make the folder anew.

    Raises:
        errors of `removal.drop`

    """
    removal.drop(root, [folder])
    for each in (*reversed(PurePosixPath(folder).parents[:-1]), folder):
        writing.make_folder(root, str(each))


def check(root: Path, files: Mapping[str, Digest]) -> None:
    """Read all files of a copy before a database is filled from it.

    Raises:
        errors.BackupDamaged

    """
    findings = (seal.file_finding(root, path, expected) for path, expected in files.items())
    if wrong := errors.Few.of(filter(None, findings)):
        raise errors.BackupDamaged(wrong)


def finish(root: Path, folder: str) -> dict[str, Digest]:
    """Give the files of a folder to the group, and return size and SHA-256 of each by its path on the volume.

    pg_dump keeps its files to its own user.

    Raises:
        errors.ModeNotKept, errors.Interrupted, and those of `volume.failures`

    """
    found = {}
    with volume.failures(root, folder), closed(volume.open_root(root)) as top:
        with closed(beneath.open_folder(top, folder)) as here:
            os.fchmod(here, _FOLDER_MODE)
            names = sorted(beneath.names(here))
        for path in (f"{folder}/{name}" for name in names):
            with closed(volume.opened(root, path)) as descriptor:
                writing.give_mode(root, path, descriptor)
                size, sha256 = reading.digest(descriptor)
            found[path] = Digest(size=size, sha256=sha256)
    return found
