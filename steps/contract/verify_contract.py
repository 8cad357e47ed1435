"""The arguments of a verification, and the inputs and outputs of its phases."""

from typing import Annotated

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Marker, Output, maybe
from steps.contract.push_contract import Repositories
from steps.contract.told import PLACE, ClaimWait, Placed, ReadBackup
from steps.contract.value_kinds import OrNothing


class Sample(Declared):
    sample: Annotated[str, OrNothing(values.SHARE)] = ""
    """Read this share of the backup's bytes in one run, for instance 25%. Each run continues where the last run
    stopped, until all bytes are read. If empty, one run reads the whole backup."""


class Nights(Declared):
    repository_nights: Annotated[int | None, values.NIGHTS] = None
    """Read the data of each repository in this many runs, an equal share in each. 0 reads none. If empty, the number
    is 30, or 0 if `claim-name` names a claim. Without a repository this has no effect."""


class ToVerify(Declared):
    claim_name: values.ClaimOrNone = ""
    """Verify the backup on the claim of this name. If empty, the newest backup that is not verified is chosen. If all
    backups are verified, the backup that was verified longest ago is chosen."""


class VerifyArguments(ToVerify, Sample, Nights, ClaimWait):
    """Arguments of `threescale-verify`."""


class VerifyChoose(DeclaredPhase, ToVerify, Sample, ClaimWait):
    """Choose the backup, and check that its claim can be mounted."""

    repositories: Annotated[str, Marker.FIXED] = ""
    """Choose no claim if all backups are in the repositories of these Secrets alone, separated by commas."""

    command = ("verify", "choose")
    judges = True
    gives = (
        Output("claim-name", "Name of the claim that holds the backup."),
        *PLACE,
        Output("rotation", "Position that earlier runs have reached when the backup is verified in shares."),
    )


class _Rotation(Declared):
    rotation: str = ""
    """Position that earlier runs have reached when the backup is verified in shares."""


class VerifyRead(ReadBackup, Sample, _Rotation, Placed):
    """Read the backup, compare its files and objects with their digests, and record the result on its claim."""

    command = ("verify", "read")
    gives = (
        maybe("files", "Number of files that were read."),
        maybe("bytes", "Number of bytes that were read."),
        maybe("verified", "`yes` if every byte of a sealed backup was read and is correct."),
    )


class VerifyRepository(DeclaredPhase, ToVerify, Nights, Repositories):
    """Read a share of each repository's data, and mark the snapshots that use damaged data."""

    @property
    def nights(self) -> int:
        """The number of shares. 0: none is read. Who verifies one claim does not ask for a share of all others."""
        if self.repository_nights is not None:
            return self.repository_nights
        return 0 if self.claim_name else values.REPOSITORY_NIGHTS

    command = ("verify", "repository")
    gives = (
        maybe("repository-share", "Share of the data that was read, by repository."),
        maybe("locked-until", "Until when the store locks the newest backup, by repository."),
        maybe("repository-damaged", "Number of snapshots of backups that are marked as damaged."),
    )
