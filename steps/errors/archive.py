"""Volumes of backups: taken, not sealed, damaged, or of another backup."""

from collections.abc import Sequence

from steps.errors.base import Few, Final, several


class VolumeTaken(Final):
    def __init__(self, holder: str) -> None:
        super().__init__(
            f"the backup volume is not this workflow's own: it holds {holder}; nothing was changed, "
            "back up to another claim"
        )


class FileTooLarge(Final):
    def __init__(self, path: str, size_bytes: int, largest_bytes: int) -> None:
        super().__init__(
            f"{path} of the backup would have {size_bytes} bytes, and no restore reads more than {largest_bytes}: "
            "make what it comes from smaller, then back up again"
        )


class NotABackup(Final):
    def __init__(self, reason: str) -> None:
        super().__init__(f"this is no finished backup: {reason}")


class BackupDamaged(Final):
    def __init__(self, findings: Sequence[str] | Few) -> None:
        super().__init__(f"the backup is not whole, {len(findings)} finding(s): {several(findings, '; ')}")


class NoDigests(Final):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"backup {name} has no digests, so nothing tells which of its files are damaged; submit without "
            "file-storage-damage=skip"
        )


class TreeChanged(Final):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"the files of backup {name} have other names, sizes or times than when this restore began; see who writes "
            "to its volume, then submit again"
        )


class PhasesMissing(Final):
    def __init__(self, phases: Sequence[str]) -> None:
        super().__init__(f"can't seal: no report of {several(phases)} on the volume; run these phases first")
