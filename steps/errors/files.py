"""Operations that a volume refuses, and files that can't be read."""

from collections.abc import Sequence

from steps.errors.base import Few, Final, TryAgain


def _free(needed_bytes: int | None, free_bytes: int | None) -> str:
    """Report the free space, and what else is used up where that space would be enough."""
    if free_bytes is None:
        return "The volume does not report its free space."
    why = "" if needed_bytes is None or needed_bytes > free_bytes else ", so inodes or a quota ran out"
    return f"The volume has {free_bytes} bytes free{why}."


class NotWritable(Final):
    path: str
    reason: str
    says = (
        "Can't write {path} ({reason}). A new volume often belongs to root, and then the pods need a group. Render "
        "the manifests with `threescale-backup manifests --fs-group N` (on OpenShift the namespace gives a group)."
    )


class ModeNotKept(Final):
    path: str
    found: str
    wanted: str
    use: str
    says = (
        "The volume does not keep file modes. {path} has mode {found} instead of {wanted}, so it could not be {use}. "
        "Mount the volume with modes that the group may use (file_mode and dir_mode of SMB), or use another storage "
        "class."
    )


class LinksNotKept(Final):
    path: str
    says = "The volume does not keep symbolic links, and {path!r} is one. Use a volume of another storage class."


class NameTaken(Final):
    path: str
    says = (
        "The path {path} already exists, created from another name. The volume does not tell the two names apart, by "
        "case or by the Unicode form of a letter. Use a volume that does."
    )


class VolumeReadOnly(Final):
    path: str
    says = (
        "Can't write {path}. The volume is mounted read-only, or its file system has become read-only. Check the "
        "volume, then submit again."
    )


class NotRemovable(Final):
    path: str
    reason: str
    says = (
        "Can't remove {path} ({reason}). Remove it by hand, or use another volume. If the storage created it, "
        "configure the storage to hide it."
    )


class VolumeFull(Final):
    path: str
    needed_bytes: int | None
    free_bytes: int | None

    def compose(self) -> str:
        needed = "" if self.needed_bytes is None else f", {self.needed_bytes} bytes are needed"
        free = _free(self.needed_bytes, self.free_bytes)
        return f"There is not enough space for {self.path}{needed}. {free} Use a larger claim."


class ReadFailed(Final):
    paths: Sequence[str] | Few
    reason: str
    says = (
        "{paths:count} path(s) could not be read ({reason}: {paths}). Check the volume and the permissions, then "
        "submit again."
    )


class VolumeFailed(Final):
    path: str
    reason: str
    says = "The file system failed at {path} ({reason}). Check the volume, then submit again."


class VolumeStale(TryAgain):
    path: str
    says = "The volume's server lost its handle of {path} (ESTALE). Another try opens the path again."
