"""The volumes that a phase may mount, and their paths. A field marked with a volume gets the path."""

from enum import Enum
from typing import Literal, NamedTuple

from steps.contract.names import SYSTEM_STORAGE


class Way(NamedTuple):
    """How a volume is mounted."""

    volume: str
    path: str  # empty: the pod lists the volume and does not mount it
    claim: str = ""  # the input that names the claim; empty: the claim has the name of the volume
    read_only_volume: Literal[True] | None = None
    read_only_mount: Literal[True] | None = None


_BACKUP = Way("backup", "/backup")
_SYSTEM = Way(SYSTEM_STORAGE, "/system-filestorage")


class Mount(Enum):
    """A volume of a phase. It marks the field that gets the path of the mounted volume."""

    BACKUP = _BACKUP  # written
    BACKUP_READ_ONLY = _BACKUP._replace(read_only_mount=True)
    SOURCE = _SYSTEM._replace(read_only_volume=True, read_only_mount=True)  # of a live installation, never changed
    SOURCE_LISTED = _SYSTEM._replace(path="", read_only_volume=True)  # not mounted, but the scheduler must consider it
    TARGET = _SYSTEM  # to be filled
    REPLACED = Way(
        "replaced", "/replaced", "replaced-claim"
    )  # where a restore saves objects and files before it replaces them
    REPOSITORY = Way("repository", "/repository", read_only_mount=True)  # its Secret, in a folder of the same name
    SECOND_REPOSITORY = Way("second-repository", "/second-repository", read_only_mount=True)
    REPOSITORY_CLAIM = Way("repository-claim", "/repository-claim")  # a claim that holds a repository
    PRIVATE = Way("private", "/private")  # in memory, for what restic must get by file
    CREDENTIALS = Way("credentials", "/credentials")  # in memory, for what the clients of databases must get by file
    CACHE = Way("cache", "/cache")  # restic's, and its pack files
    SCRATCH = Way("scratch", "/scratch", "scratch-claim")  # where a drill restores the files for trial


OF_REPOSITORIES = (
    Mount.REPOSITORY,
    Mount.SECOND_REPOSITORY,
    Mount.REPOSITORY_CLAIM,
    Mount.PRIVATE,
    Mount.CACHE,
)  # only where there are some
