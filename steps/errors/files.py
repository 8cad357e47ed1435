"""What a volume refuses, and trees that change or can not be read."""

from collections.abc import Sequence

from steps.errors.base import Few, Final, TryAgain, several


def _free(needed_bytes: int | None, free_bytes: int | None) -> str:
    """Say what is free, and what else is short where that would do."""
    if free_bytes is None:
        return "the volume does not say how many are free"
    why = "" if needed_bytes is None or needed_bytes > free_bytes else ", so inodes or a quota ran out"
    return f"{free_bytes} bytes are free{why}"


class NotWritable(Final):
    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"can't write {path} ({reason}): a fresh volume often belongs to root, and then needs a group; render with "
            "`threescale-backup manifests --fs-group N` (on OpenShift the namespace gives one)"
        )


class ModeNotKept(Final):
    def __init__(self, path: str, found: str, wanted: str, use: str) -> None:
        super().__init__(
            f"the volume keeps no mode: {path} has {found} instead of {wanted}, so it could not be {use}; "
            "mount the volume with modes that the group may use (file_mode and dir_mode of SMB), or use another class"
        )


class LinksNotKept(Final):
    def __init__(self, path: str) -> None:
        super().__init__(f"the volume keeps no symbolic links, {path!r} is one; use a volume of another class")


class NameTaken(Final):
    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is there already, made from another name: the volume does not tell them apart, by case or by the "
            "form of a letter; use a volume that does"
        )


class VolumeReadOnly(Final):
    def __init__(self, path: str) -> None:
        super().__init__(f"can't write {path}: the volume is mounted read-only or its file system has turned so")


class NotRemovable(Final):
    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"can't remove {path} ({reason}): remove it by hand, or use another volume; "
            "if the storage made it, have the storage hide it"
        )


class VolumeFull(Final):
    def __init__(self, path: str, needed_bytes: int | None, free_bytes: int | None) -> None:
        needed = "" if needed_bytes is None else f"{needed_bytes} bytes are needed, "
        super().__init__(f"no space for {path}: {needed}{_free(needed_bytes, free_bytes)}; use a larger claim")


class ReadFailed(Final):
    def __init__(self, paths: Sequence[str] | Few, reason: str) -> None:
        super().__init__(f"{len(paths)} could not be read ({reason}): {several(paths)}")


class VolumeFailed(Final):
    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the file system failed at {path} ({reason})")


class VolumeStale(TryAgain):
    def __init__(self, path: str) -> None:
        super().__init__(f"the volume's server lost its handle of {path} (ESTALE)")
