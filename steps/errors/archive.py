"""Volumes of backups: taken, not sealed, damaged, or of another backup."""

from collections.abc import Sequence

from steps.errors.base import Few, Final


class VolumeTaken(Final):
    holder: str
    says = (
        "the backup volume is not this workflow's own: it holds {holder}; nothing was changed, back up to another claim"
    )


class FileTooLarge(Final):
    path: str
    size_bytes: int
    largest_bytes: int
    says = (
        "{path} of the backup would have {size_bytes} bytes, and no restore reads more than {largest_bytes}: make "
        "what it comes from smaller, then back up again"
    )


class NotABackup(Final):
    reason: str
    says = "this is no finished backup: {reason}"


class BackupDamaged(Final):
    findings: Sequence[str] | Few
    says = "the backup is not whole, {findings:count} finding(s): {findings:; }"


class NoDigests(Final):
    name: str
    says = (
        "backup {name} has no digests, so nothing tells which of its files are damaged; submit without "
        "file-storage-damage=skip"
    )


class TreeChanged(Final):
    name: str
    says = (
        "the files of backup {name} have other names, sizes or times than when this restore began; see who writes "
        "to its volume, then submit again"
    )


class PhasesMissing(Final):
    phases: Sequence[str]
    says = "can't seal: no report of {phases} on the volume; run these phases first"
