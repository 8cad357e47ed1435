"""What a person may ask of a verification, and what its phases are told and give."""

from typing import Annotated

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Output, maybe
from steps.contract.told import PLACE, ClaimWait, Placed, ReadBackup


class Sample(Declared):
    sample: Annotated[str, values.OrNothing(values.SHARE)] = ""
    """A share of the bytes to read, for instance 25%: each run reads on from where the last one stopped, until all is
    read. Empty: all of it at once."""


class ToVerify(Declared):
    claim_name: values.ClaimOrNone = ""
    """Claim of the backup to verify. Empty: the newest that is not verified, or the one verified longest ago."""


class VerifyArguments(ToVerify, Sample):
    """Arguments of `threescale-verify`."""


class VerifyChoose(DeclaredPhase, ToVerify, Sample, ClaimWait):
    """Choose the backup, and see that it can be mounted."""

    command = ("verify", "choose")
    judges = True
    gives = (
        Output("claim-name", "Claim of the backup."),
        *PLACE,
        Output("rotation", "How far the nights before have come."),
    )


class _Rotation(Declared):
    rotation: str = ""
    """How far the nights before have come."""


class VerifyRead(ReadBackup, Sample, _Rotation, Placed):
    """Read the backup, hold it against its digests, and say on its claim what was found."""

    command = ("verify", "read")
    gives = (
        maybe("files", "Files that were read."),
        maybe("bytes", "Bytes that were read."),
        maybe("verified", "`yes` where all of a sealed backup is read and right."),
    )
