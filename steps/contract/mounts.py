"""The volumes that a phase may mount: where, and by which option it is told of it."""

from enum import Enum
from typing import Literal, NamedTuple

from steps.contract.names import SYSTEM_STORAGE


class Way(NamedTuple):
    """How a volume is mounted."""

    volume: str
    path: str  # empty: the pod lists the volume and does not mount it
    claim: str = ""  # the input that names the claim; else it is called as the volume
    read_only_volume: Literal[True] | None = None
    read_only_mount: Literal[True] | None = None


_BACKUP = Way("backup", "/backup")
_SYSTEM = Way(SYSTEM_STORAGE, "/system-filestorage")


class Mount(Enum):
    """A volume of a phase; it marks the field that is told where the volume is mounted."""

    BACKUP = _BACKUP  # written
    BACKUP_READ_ONLY = _BACKUP._replace(read_only_mount=True)
    SOURCE = _SYSTEM._replace(read_only_volume=True, read_only_mount=True)  # of a live installation, never touched
    SOURCE_LISTED = _SYSTEM._replace(path="", read_only_volume=True)  # not mounted, but the scheduler shall see it
    TARGET = _SYSTEM  # to be filled
    REPLACED = Way("replaced", "/replaced", "replaced-claim")  # where a restore saves what it replaces
    SCRATCH = Way("scratch", "/scratch", "scratch-claim")  # where a drill restores the tree for trial
