"""Inputs that phases of several workflows share."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Marker, Output
from steps.contract.mounts import Mount


class OfClaim(Declared):
    claim: Annotated[str, values.CLAIM] = Field(alias="claim-name")
    """Name of the claim that holds the backup."""


class BackupMounted(Declared):
    backup: Annotated[Path, Mount.BACKUP_READ_ONLY]
    """Folder where the backup is mounted."""


class ReadBackup(DeclaredPhase, OfClaim, BackupMounted):
    """A phase that reads a backup."""


class ClaimWait(Declared):
    claim_wait: Annotated[int, values.WHOLE_MINUTES] = 10
    """Wait at most this many minutes until the claims of a phase have their volumes. The time limit of the phase
    follows this argument."""

    @property
    def claim_wait_s(self) -> float:
        """The limit in seconds."""
        return self.claim_wait * 60.0


CLAIM_WAIT = "claim-wait"


class WorkersAsked(Declared):
    workers: Annotated[int | None, values.WORKERS] = None
    """Copy System's files with this many processes in parallel. If empty, the number depends on the processors and on
    the type of the volumes."""


class Placed(Declared):
    """A phase whose pod must run on the node where its claims are mounted already."""

    node_operator: Annotated[str, Marker.UNTOLD] = "NotIn"
    """`In` runs the pod on the named node only. `NotIn` runs the pod on any other node."""
    node: Annotated[str, Marker.UNTOLD] = "no-node"
    """Name of the node where a ReadWriteOnce claim is mounted."""


NODE_OPERATOR, NODE = "node-operator", "node"
PLACE = (
    Output(NODE_OPERATOR, "`In` if the next pods must run on the named node, `NotIn` if any node will do."),
    Output(NODE, "Name of the node where a ReadWriteOnce claim is mounted."),
)
