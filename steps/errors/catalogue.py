"""Backups that are not there, are overdue, or are another than was asked for."""

from collections.abc import Sequence

from steps.errors.base import BadArgument, Final, several


class BadName(BadArgument):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} can't name a backup: a claim that pods mount needs a DNS-1123 label "
            "(a-z, 0-9 and '-', at most 63 characters, a letter or digit first and last); choose another with -p name="
        )


class BadDuration(BadArgument):
    def __init__(self, text: str, argument: str) -> None:
        super().__init__(
            f"{text!r} is no duration for {argument}: write years, months, weeks, days, hours such as 1y6m or 30d"
        )


class BadTimezone(BadArgument):
    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is no time zone of the IANA database, for instance Europe/Madrid or UTC")


class ClaimMissing(Final):
    def __init__(self, name: str, namespace: str, others: Sequence[str] = ()) -> None:
        hint = f"; the backups here are {several(others)}" if others else ""
        super().__init__(f"there is no claim {name!r} in namespace {namespace}{hint}: check the name")


class ClaimTaken(BadArgument):
    def __init__(self, name: str, namespace: str, holder: str) -> None:
        super().__init__(
            f"a claim {name!r} exists already in namespace {namespace} ({holder}): a backup never writes over another "
            "one; choose another with -p name="
        )


class ClaimUnbound(Final):
    def __init__(self, name: str, phase: str) -> None:
        super().__init__(f"claim {name!r} is {phase} and has no volume: it holds no backup; check the name")


class SealLost(Final):
    def __init__(self, claim: str) -> None:
        super().__init__(
            f"claim {claim} holds a backup without manifest.json, and this tool made the claim: its seal is lost; "
            "restore another backup, or say -p made-by=operator if you know that the operator made this one"
        )


class NotSealed(Final):
    def __init__(self, claim: str) -> None:
        super().__init__(
            f"claim {claim} does not say that its backup was sealed, though a manifest.json lies on the volume; "
            "restore another backup, or say -p manifest-sha256=DIGEST if you have kept the digest of this one elsewhere"
        )


class BadSample(BadArgument):
    def __init__(self, sample: str) -> None:
        super().__init__(
            f"{sample!r} is no share for sample: write a percentage above 0% and up to 100%, such as 10%; empty: all"
        )


class NothingToProve(Final):
    def __init__(self, namespace: str, what: str) -> None:
        super().__init__(
            f"there is no complete backup of this tool in namespace {namespace} to {what}: make one, or name a claim "
            "with -p claim-name="
        )


class StillRunning(Final):
    def __init__(self, name: str, by: str) -> None:
        super().__init__(f"backup {name!r} is still being made ({by}): wait until that has ended")
