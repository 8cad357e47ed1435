"""The arguments of a fetch from a repository, and the inputs and outputs of its phases."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Output, maybe
from steps.contract.mounts import Mount
from steps.contract.push_contract import Repositories
from steps.contract.told import PLACE, ClaimWait, Placed
from steps.contract.value_kinds import OrNothing

LATEST = "latest"


class AskedFetch(Declared):
    """Arguments that choose a snapshot, and those of the new claim."""

    backup: Annotated[str, values.SNAPSHOT] = LATEST
    """Fetch this backup: its name, the ID of its snapshot, or `latest`. `latest` is the newest proved backup of this
    installation, or of the only installation that the repository knows."""
    repository: Annotated[str, OrNothing(values.SECRET)] = ""
    """Fetch from the repository of this Secret. If empty, the first repository is used."""
    name: Annotated[str, OrNothing(values.BACKUP)] = ""
    """Create the claim with this name, a DNS-1123 label. If empty, the claim has the name of the backup."""
    storage_request: values.SizeOrNone = ""
    """Create the claim with this size. If empty, the size follows from the manifest of the backup."""
    storage_class: values.StorageClassOrNone = ""
    """Create the claim with this StorageClass. If empty, the cluster's default StorageClass is used. Choose `none` for
    a claim of no StorageClass, which gets a volume that an administrator has made."""
    volume_name: Annotated[str, OrNothing(values.VOLUME)] = ""
    """Fetch the backup to this existing, empty PersistentVolume."""


class FetchArguments(AskedFetch, ClaimWait):
    """Arguments of `threescale-fetch`."""


class FetchPrepare(DeclaredPhase, AskedFetch, ClaimWait, Repositories):
    """Choose the snapshot, read the manifest of its backup, and create a claim for the backup."""

    command = ("fetch", "prepare")
    judges = True
    gives = (
        Output("claim-name", "Name of the claim for the backup."),
        Output("from", "Secret of the repository from which the backup is fetched."),
        Output("snapshot", "ID of the snapshot."),
        *PLACE,
    )


class FetchDownload(DeclaredPhase, Placed, Repositories):
    """Fetch the backup from the repository to its claim, compare all bytes with the manifest, and mark the claim."""

    command = ("fetch", "download")
    gives = (
        maybe("files", "Number of files of System FileStorage that were fetched."),
        maybe("bytes", "Number of bytes of these files."),
    )

    claim: Annotated[str, values.CLAIM] = Field(alias="claim-name")
    """Name of the claim for the backup."""
    source: Annotated[str, values.SECRET] = Field(alias="from")
    """Secret of the repository from which the backup is fetched."""
    snapshot: Annotated[str, values.SNAPSHOT]
    """ID of the snapshot."""
    backup: Annotated[Path, Mount.BACKUP]
    """Folder where the claim is mounted."""
