"""The begin marker names the workflow that owns a backup volume. It is the first file written there."""

import os
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from steps import errors
from steps.archive import layout
from steps.archive.layout import APIMANAGER, BEGIN, MANIFEST, SECRETS
from steps.files import permissions, volume, writing
from steps.files.durability import Disk


class Begin(BaseModel):
    """The begin marker: the backup and the workflow that own a volume."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backup: str
    workflow: str
    workflow_uid: str


class VolumeState(Enum):
    """What a phase found on the volume."""

    BEGUN = "begun"
    SEALED = "sealed"


def begin(disk: Disk, who: Begin) -> VolumeState:
    """Claim an empty volume for this workflow, or confirm that it is its own. All that is on the volume is synced.

    Raises:
        errors.VolumeTaken: it holds more than `lost+found` and the backup of this workflow. Nothing changed.

    """
    root = disk.root
    found = marker(root)
    if found is None:
        strange = volume.content(root)
        if BEGIN not in strange:  # else a parallel phase wrote it between the two looks
            if strange:
                raise errors.VolumeTaken(_strange(strange))
            _claim(disk, who)
        found = marker(root)
    if found is None or found.workflow_uid != who.workflow_uid:
        raise errors.VolumeTaken(_holder(root, found))
    disk.sync()  # a parallel phase may have just written the marker, and data without a marker would be refused
    return VolumeState.SEALED if volume.is_there(root, MANIFEST) else VolumeState.BEGUN


def marker(root: Path) -> Begin | None:
    """The begin marker of a volume, None if it has none.

    Raises:
        errors.VolumeTaken: the marker can't be read.

    """
    try:
        with volume.failures(root / BEGIN):
            return Begin.model_validate_json(layout.read(root, BEGIN)) if volume.is_there(root, BEGIN) else None
    except (ValidationError, errors.VolumeFailed) as error:
        raise errors.VolumeTaken(f"a {BEGIN} that can't be read") from error


def _claim(disk: Disk, who: Begin) -> None:
    """Write the begin marker. If several phases start at once, one writes it and all find it."""
    with (
        writing.folder_of(disk.root, disk.descriptor, BEGIN) as (top, own),
        writing.temporary_file(top, layout.as_json(who.model_dump())) as made,
    ):
        disk.sync()  # an empty marker would name no owner
        _place(top, made, own)


def _place(folder: int, temporary: str, name: str) -> None:
    """Give the file its name unless it is taken. Without hard links (SMB) rename it: only our twin competes."""
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError as error:
        if not permissions.is_refusal(error):
            raise
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def _strange(names: list[str]) -> str:
    if APIMANAGER.partition("/")[0] in names or SECRETS in names:
        return "a backup that this tool did not begin (made by the operator?)"
    return f"{len(names)} other entries at its root, the first is {names[0]!r}"


def _holder(root: Path, found: Begin | None) -> str:
    if found is None:
        return f"a {BEGIN} that vanished"
    state = "a finished backup" if volume.is_there(root, MANIFEST) else "an unfinished backup"
    return f"{state} of workflow {found.workflow} (uid {found.workflow_uid})"
