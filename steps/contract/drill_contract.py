"""What a person may ask of a drill, and what its phases are told and give."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Output, maybe
from steps.contract.mounts import Mount
from steps.contract.told import PLACE, ClaimWait, Placed, ReadBackup


class ToProve(Declared):
    claim_name: values.ClaimOrNone = ""
    """Claim of the backup to restore for trial. Empty: the newest that is not proven, or the one proven longest ago."""


class Scratch(Declared):
    scratch_namespace: Annotated[str, values.NAMESPACE]
    """Namespace that was made for drills and holds nothing else. Required."""


class AskedScratch(Declared):
    """What a person may ask of the scratch claim."""

    storage_class: values.StorageClassOrNone = ""
    """StorageClass of the scratch claim. Empty: that of the backup's claim."""
    storage_request: values.SizeOrNone = ""
    """Size of the scratch claim. Empty: what the data need, with a margin."""


class DrillArguments(ToProve, Scratch, AskedScratch):
    """Arguments of `threescale-drill`."""


class DrillChoose(DeclaredPhase, ToProve, Scratch, ClaimWait):
    """See that the namespace is one of drills, choose the backup, remove what a drill that died has left."""

    command = ("drill", "choose")
    judges = True
    gives = (
        Output("claim-name", "Claim of the backup."),
        *PLACE,
        maybe("chosen", "When `choose` began and ended, for the evidence."),
    )


class _Chosen(Declared):
    chosen: str = ""
    """When `choose` began and ended, for the evidence."""


class DrillPrepare(ReadBackup, Scratch, AskedScratch, _Chosen, Placed, ClaimWait):
    """See that the backup is whole and that nothing stands in its way, then make the scratch claim."""

    command = ("drill", "prepare")
    judges = True
    gives = (
        Output("scratch-claim", "The scratch claim."),
        Output("file-storage", "`external` where System's files are in S3."),
    )


class DrillObjects(ReadBackup, Scratch, Placed):
    """Create the Secrets and ConfigMaps in the scratch namespace, and have the server try the APIManager."""

    command = ("drill", "objects")
    gives = (maybe("created", "Objects that were created."),)


class _ScratchClaim(Declared):
    scratch_claim: Annotated[str, values.CLAIM]
    """The scratch claim."""


class DrillFileStorage(ReadBackup, _ScratchClaim, Placed):
    """Restore the tree to the scratch claim, hold all that was written against the backup, and empty the claim."""

    command = ("drill", "file-storage")
    gives = (maybe("files", "Files that were restored."), maybe("bytes", "Bytes that were restored."))

    scratch: Annotated[Path, Mount.SCRATCH]
    """Where the scratch claim is mounted."""


class DrillRemove(DeclaredPhase, ClaimWait):
    """Remove all that the drill has made; then say on the backup's claim that it is proven, where it is."""

    command = ("drill", "remove")

    claim: values.ClaimOrNone = Field(default="", alias="claim-name")
    """Claim of the backup to restore for trial. Empty: the newest that is not proven, or the one proven longest ago."""

    proven: str = "no"
    """yes: all before this was equal."""
