"""Backup volumes that are in use, not sealed, damaged, or of another backup."""

from collections.abc import Sequence

from steps.errors.base import Few, Final


class VolumeTaken(Final):
    holder: str
    says = (
        "The backup volume does not belong to this workflow. It holds {holder}. "
        "Nothing was changed. Back up to another claim."
    )


class FileTooLarge(Final):
    path: str
    size_bytes: int
    largest_bytes: int
    says = (
        "The backup's file {path} would have {size_bytes} bytes, but a restore reads at most {largest_bytes}. "
        "Make the source of this file smaller, then back up again."
    )


class NotABackup(Final):
    reason: str
    says = "This is not a finished backup. {reason:sentence} Use another backup."


class BackupDamaged(Final):
    findings: Sequence[str] | Few
    says = "The backup is damaged, {findings:count} finding(s): {findings:; }. Use another backup or make a new one."


class NoDigests(Final):
    name: str
    says = (
        "Backup {name} has no digests, so damaged files can't be told from whole ones. "
        "Leave out -p file-storage-damage=skip and submit again."
    )


class TreeChanged(Final):
    name: str
    says = (
        "The files of backup {name} have changed since this restore began: names, sizes or times differ. "
        "Find out who writes to its volume, then submit again."
    )


class PhasesMissing(Final):
    phases: Sequence[str]
    says = "Can't seal the backup: the volume has no report of {phases}. Run these phases first."
