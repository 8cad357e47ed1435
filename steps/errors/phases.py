"""What a phase is told, and can not do."""

from collections.abc import Sequence

from steps.errors.base import Final


class NoBackup(Final):
    def __init__(self, namespace: str, why: Sequence[str]) -> None:
        super().__init__("; ".join([f"there is no complete backup in namespace {namespace}", *why]))


class BackupOverdue(Final):
    def __init__(self, name: str, namespace: str, age: str, limit: str, why: Sequence[str]) -> None:
        seen = f"the newest complete backup in namespace {namespace}, {name}, began {age} ago, more than {limit}"
        super().__init__("; ".join([seen, *why]))


class NoManifest(Final):
    def __init__(self, claim: str) -> None:
        super().__init__(
            f"claim {claim} holds a backup without manifest.json, and does not say that the operator made it; restore "
            "another backup, or say -p made-by=operator if you know that it did"
        )


class NotTheOperators(Final):
    def __init__(self, claim: str) -> None:
        super().__init__(
            f"claim {claim} holds a manifest.json, so the operator did not make this backup; submit without "
            "made-by=operator"
        )


class OtherManifest(Final):
    def __init__(self, asked: str, found: str) -> None:
        super().__init__(
            f"manifest-sha256 asks for the backup {asked}, and this volume holds "
            f"{found or 'one without manifest.json'}; nothing was changed; see whether the claim is the right one"
        )


class MarkedDamaged(Final):
    def __init__(self, claim: str, when: str, damage: str) -> None:
        super().__init__(
            f"claim {claim} is marked as damaged since {when}: {damage or 'nobody wrote down why'}; if it was mended, "
            "have threescale-verify read all of it again, which takes the mark away; else -p file-storage-damage=skip "
            "restores all files that are whole"
        )


class BackupChanged(Final):
    def __init__(self, name: str, planned: str, found: str) -> None:
        super().__init__(
            f"backup {name} is another one than this restore began with: its digest was {planned} and is {found}; see "
            "who writes to its volume, then submit again, which plans anew"
        )


class MoreDamaged(Final):
    def __init__(self, left_out: str) -> None:
        super().__init__(
            f"the plan is another one now, for other files are damaged than it said: {left_out}; no file was restored; "
            "plan again, and submit again if that is what you want"
        )


class TooLittleTime(Final):
    def __init__(self, phase: str, needed_s: int, left_s: int) -> None:
        super().__init__(
            f"{phase} needs {needed_s} s at the least and has {left_s} s left until the deadline: not begun; "
            "submit again, what this workflow made is kept"
        )
