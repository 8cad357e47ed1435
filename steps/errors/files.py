"""What a volume refuses, and trees that change or can not be read."""

from collections.abc import Sequence

from steps.errors.base import Few, Final, TryAgain


def _free(needed_bytes: int | None, free_bytes: int | None) -> str:
    """Say what is free, and what else is short where that would do."""
    if free_bytes is None:
        return "the volume does not say how many are free"
    why = "" if needed_bytes is None or needed_bytes > free_bytes else ", so inodes or a quota ran out"
    return f"{free_bytes} bytes are free{why}"


class NotWritable(Final):
    path: str
    reason: str
    says = (
        "can't write {path} ({reason}): a fresh volume often belongs to root, and then needs a group; render with "
        "`threescale-backup manifests --fs-group N` (on OpenShift the namespace gives one)"
    )


class ModeNotKept(Final):
    path: str
    found: str
    wanted: str
    use: str
    says = (
        "the volume keeps no mode: {path} has {found} instead of {wanted}, so it could not be {use}; mount the "
        "volume with modes that the group may use (file_mode and dir_mode of SMB), or use another class"
    )


class LinksNotKept(Final):
    path: str
    says = "the volume keeps no symbolic links, {path!r} is one; use a volume of another class"


class NameTaken(Final):
    path: str
    says = (
        "{path} is there already, made from another name: the volume does not tell them apart, by case or by the "
        "form of a letter; use a volume that does"
    )


class VolumeReadOnly(Final):
    path: str
    says = "can't write {path}: the volume is mounted read-only or its file system has turned so"


class NotRemovable(Final):
    path: str
    reason: str
    says = (
        "can't remove {path} ({reason}): remove it by hand, or use another volume; if the storage made it, have "
        "the storage hide it"
    )


class VolumeFull(Final):
    path: str
    needed_bytes: int | None
    free_bytes: int | None

    def compose(self) -> str:
        needed = "" if self.needed_bytes is None else f"{self.needed_bytes} bytes are needed, "
        return f"no space for {self.path}: {needed}{_free(self.needed_bytes, self.free_bytes)}; use a larger claim"


class ReadFailed(Final):
    paths: Sequence[str] | Few
    reason: str
    says = "{paths:count} could not be read ({reason}): {paths}"


class VolumeFailed(Final):
    path: str
    reason: str
    says = "the file system failed at {path} ({reason})"


class VolumeStale(TryAgain):
    path: str
    says = "the volume's server lost its handle of {path} (ESTALE)"
