"""What phases of several workflows are told."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Marker, Output
from steps.contract.mounts import Mount


class OfClaim(Declared):
    claim: Annotated[str, values.CLAIM] = Field(alias="claim-name")
    """Claim of the backup."""


class BackupMounted(Declared):
    backup: Annotated[Path, Mount.BACKUP_READ_ONLY]
    """Where the backup is mounted."""


class ReadBackup(DeclaredPhase, OfClaim, BackupMounted):
    """A phase that reads a backup."""


class ClaimWait(Declared):
    claim_wait_s: Annotated[float, values.PAUSE_S, Marker.FIXED] = 30.0
    """How many seconds a claim may take for its volume."""


class WorkersAsked(Declared):
    workers: Annotated[int | None, values.WORKERS] = None
    """How many processes copy System's files side by side. Empty: as suits the processors and the volumes."""


class Placed(Declared):
    """A phase whose pod runs where the claims that it mounts are mounted already."""

    node_operator: Annotated[str, Marker.UNTOLD] = "NotIn"
    """In: only that node; NotIn: any but that one."""
    node: Annotated[str, Marker.UNTOLD] = "no-node"
    """The node that has a ReadWriteOnce claim mounted."""


NODE_OPERATOR, NODE = "node-operator", "node"
PLACE = (
    Output(NODE_OPERATOR, "`In` where the next pods must run on that node, `NotIn` where any node will do."),
    Output(NODE, "The node that has a ReadWriteOnce claim mounted."),
)
