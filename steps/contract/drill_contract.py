"""The arguments of a drill, and the inputs and outputs of its phases."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Marker, Output, maybe
from steps.contract.mounts import Mount
from steps.contract.told import PLACE, ClaimWait, Placed, ReadBackup


class ToProve(Declared):
    claim_name: values.ClaimOrNone = ""
    """Restore the backup on the claim of this name for trial. If empty, the newest backup that is not proven is chosen.
    If all backups are proven, the backup that was proven longest ago is chosen."""


class Scratch(Declared):
    scratch_namespace: Annotated[str, values.NAMESPACE]
    """Create the Secrets and ConfigMaps of the trial in this namespace. The namespace must exist for drills only and
    hold nothing else. This argument is required."""


class AskedScratch(Declared):
    """Arguments about the scratch claim."""

    storage_class: values.StorageClassOrNone = ""
    """Restore System's files to a scratch claim of this StorageClass. If empty, the StorageClass of the backup's claim
    is used. Choose `none` for a claim of no StorageClass, which gets a volume that an administrator has made."""
    storage_request: values.SizeOrNone = ""
    """Restore System's files to a scratch claim of this size. If empty, the size is computed from the data, with a
    margin."""


class DrillArguments(ToProve, Scratch, AskedScratch, ClaimWait):
    """Arguments of `threescale-drill`."""


class DrillChoose(DeclaredPhase, ToProve, Scratch, ClaimWait):
    """Check the scratch namespace, remove the remains of an interrupted drill, and choose the backup."""

    command = ("drill", "choose")
    judges = True
    gives = (
        Output("claim-name", "Name of the claim that holds the backup."),
        *PLACE,
        maybe("chosen", "Time when `choose` began and ended, for the result record."),
    )


class _Chosen(Declared):
    chosen: str = ""
    """Time when `choose` began and ended, for the result record."""


class DrillPrepare(ReadBackup, Scratch, AskedScratch, _Chosen, Placed, ClaimWait):
    """Check that the backup is complete and the scratch namespace is free, then create the scratch claim."""

    command = ("drill", "prepare")
    judges = True
    gives = (
        Output("scratch-claim", "Name of the scratch claim, to which the drill restores System's files."),
        Output("file-storage", "`external` if System's files are in S3, `claim` if they are in a claim."),
    )


class DrillObjects(ReadBackup, Scratch, Placed):
    """Create the Secrets and ConfigMaps in the scratch namespace, and try the APIManager in a dry run."""

    command = ("drill", "objects")
    gives = (maybe("created", "Number of objects that were created."),)


class _ScratchClaim(Declared):
    scratch_claim: Annotated[str, values.CLAIM]
    """Name of the scratch claim, to which the drill restores System's files."""


class DrillFileStorage(ReadBackup, _ScratchClaim, Placed):
    """Restore System's files to the scratch claim, compare the restored files with the backup, and empty the claim."""

    command = ("drill", "file-storage")
    gives = (
        maybe("files", "Number of files that were restored."),
        maybe("bytes", "Number of bytes that were restored."),
    )

    scratch: Annotated[Path, Mount.SCRATCH]
    """Folder where the scratch claim is mounted."""


class _GoneWait(Declared):
    gone_wait_s: Annotated[float, values.PAUSE_S, Marker.FIXED] = 30.0
    """Wait this many seconds at most until the scratch claim is deleted."""


class DrillRemove(DeclaredPhase, _GoneWait):
    """Remove everything that the drill created, then mark the backup's claim as proven if the drill succeeded."""

    command = ("drill", "remove")

    claim: values.ClaimOrNone = Field(default="", alias="claim-name")
    """Restore the backup on the claim of this name for trial. If empty, the newest backup that is not proven is chosen.
    If all backups are proven, the backup that was proven longest ago is chosen."""

    proven: str = "no"
    """`yes` if the phases before this one found no difference, else `no`."""
