"""Backups that are not there, are overdue, or are another than was asked for."""

from collections.abc import Sequence

from steps.errors.base import BadArgument, Final, several


class BadName(BadArgument):
    name: str
    says = (
        "{name!r} can't name a backup: a claim that pods mount needs a DNS-1123 label (a-z, 0-9 and '-', at most "
        "63 characters, a letter or digit first and last); choose another with -p name="
    )


class BadDuration(BadArgument):
    text: str
    argument: str
    says = "{text!r} is no duration for {argument}: write years, months, weeks, days, hours such as 1y6m or 30d"


class BadTimezone(BadArgument):
    name: str
    says = "{name!r} is no time zone of the IANA database, for instance Europe/Madrid or UTC"


class ClaimMissing(Final):
    name: str
    namespace: str
    others: Sequence[str] = ()

    def compose(self) -> str:
        hint = f"; the backups here are {several(self.others)}" if self.others else ""
        return f"there is no claim {self.name!r} in namespace {self.namespace}{hint}: check the name"


class ClaimTaken(BadArgument):
    name: str
    namespace: str
    holder: str
    says = (
        "a claim {name!r} exists already in namespace {namespace} ({holder}): a backup never writes over another "
        "one; choose another with -p name="
    )


class ClaimUnbound(Final):
    name: str
    phase: str
    says = "claim {name!r} is {phase} and has no volume: it holds no backup; check the name"


class SealLost(Final):
    claim: str
    says = (
        "claim {claim} holds a backup without manifest.json, and this tool made the claim: its seal is lost; "
        "restore another backup, or say -p made-by=operator if you know that the operator made this one"
    )


class NotSealed(Final):
    claim: str
    says = (
        "claim {claim} does not say that its backup was sealed, though a manifest.json lies on the volume; restore "
        "another backup, or say -p manifest-sha256=DIGEST if you have kept the digest of this one elsewhere"
    )


class BadSample(BadArgument):
    sample: str
    says = "{sample!r} is no share for sample: write a percentage above 0% and up to 100%, such as 10%; empty: all"


class NothingToProve(Final):
    namespace: str
    what: str
    says = (
        "there is no complete backup of this tool in namespace {namespace} to {what}: make one, or name a claim "
        "with -p claim-name="
    )


class StillRunning(Final):
    name: str
    by: str
    says = "backup {name!r} is still being made ({by}): wait until that has ended"
