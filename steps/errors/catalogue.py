"""Backups that are missing, unsealed or still running, and invalid names, durations and shares."""

from collections.abc import Sequence

from steps.errors.base import BadArgument, Final, several


class BadName(BadArgument):
    name: str
    says = (
        "{name!r} can't name a backup. Pods mount the claim, so its name must be a DNS-1123 label. "
        "Such a label has at most 63 characters of a-z, 0-9 and '-', with a letter or digit first and last. "
        "Use -p name= to choose another name."
    )


class BadDuration(BadArgument):
    text: str
    argument: str
    says = (
        "{text!r} is an invalid duration for {argument}. Write years, months, weeks, days or hours such as 1y6m or 30d."
    )


class BadTimezone(BadArgument):
    name: str
    says = "{name!r} is not a time zone of the IANA database. Write a name such as Europe/Madrid or UTC."


class ClaimMissing(Final):
    name: str
    namespace: str
    others: Sequence[str] = ()

    def compose(self) -> str:
        hint = f" The backups here are: {several(self.others)}." if self.others else ""
        return f"Namespace {self.namespace} has no claim {self.name!r}.{hint} Check the name."


class ClaimTaken(BadArgument):
    name: str
    namespace: str
    holder: str
    says = (
        "Claim {name!r} already exists in namespace {namespace} ({holder}). A backup never overwrites another one. "
        "Use -p name= to choose another name."
    )


class ClaimUnbound(Final):
    name: str
    phase: str
    says = "Claim {name!r} is {phase} and has no volume, so it holds no backup. Check the name."


class SealLost(Final):
    claim: str
    says = (
        "Claim {claim} holds a backup without manifest.json, but this tool made the claim. The backup's seal is lost. "
        "Restore another backup, or use -p made-by=operator if you know that the operator made this one."
    )


class NotSealed(Final):
    claim: str
    says = (
        "Claim {claim} does not say that its backup was sealed, but its volume holds a manifest.json. "
        "Restore another backup, or use -p manifest-sha256=DIGEST if you have kept the digest of this one elsewhere."
    )


class BadSample(BadArgument):
    sample: str
    says = (
        "{sample!r} is an invalid share for sample. Write a percentage above 0% and up to 100%, such as 10%. "
        "Leave it empty to read all."
    )


class NothingToProve(Final):
    namespace: str
    what: str
    says = (
        "Namespace {namespace} has no complete backup of this tool to {what}. "
        "Make a backup, or use -p claim-name= to name a claim."
    )


class StillRunning(Final):
    name: str
    by: str
    says = "Backup {name!r} is still being made ({by}). Wait until that backup has ended."
