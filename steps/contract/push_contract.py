"""The arguments of a copy to the repositories, and the inputs and outputs of its phases."""

from pathlib import Path
from typing import Annotated, Literal

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Output, maybe
from steps.contract.mounts import Mount
from steps.contract.told import PLACE, ClaimWait, Placed, ReadBackup

REQUIRED, BEST_EFFORT = "required", "best-effort"


class Repositories(Declared):
    """The mounts of a phase that asks repositories. They are absent where no repository is configured."""

    repository_secret: Annotated[Path | None, Mount.REPOSITORY] = None
    """Folder where the Secret of the repository is mounted. It has the name of the Secret."""
    second_repository_secret: Annotated[Path | None, Mount.SECOND_REPOSITORY] = None
    """Folder where the Secret of the second repository is mounted. It has the name of the Secret."""
    repository_claim: Annotated[Path | None, Mount.REPOSITORY_CLAIM] = None
    """Folder where the claim that holds a repository is mounted."""
    private: Annotated[Path | None, Mount.PRIVATE] = None
    """Folder in memory for the passwords and keys that restic reads."""
    cache: Annotated[Path | None, Mount.CACHE] = None
    """Folder for restic's cache and its temporary files."""


class Init(Declared):
    repository_init: Literal["no", "yes"] = "no"
    """Choose `yes` to create a repository that does not exist yet, with its bucket. A repository that this
    installation has pushed to is never created again."""


class Push(Declared):
    push: Literal["no", "required", "best-effort"] = "no"
    """Copy the sealed backup to each repository. With `required`, the run fails if the copy fails. With `best-effort`,
    only the node of the copy fails. With `no`, nothing is copied."""


class _ToPush(Declared):
    claim_name: values.ClaimOrNone = ""
    """Copy the backup on the claim of this name. If empty, the newest complete backup that is not copied is chosen."""


class PushArguments(_ToPush, Init, ClaimWait):
    """Arguments of `threescale-push`."""


class PushChoose(DeclaredPhase, _ToPush, Init, ClaimWait, Repositories):
    """Choose the backup, check that its claim can be mounted, and that each repository can be opened."""

    command = ("push", "choose")
    judges = True
    gives = (Output("claim-name", "Name of the claim that holds the backup."), *PLACE)


class PushUpload(ReadBackup, Placed, Repositories):
    """Copy a sealed backup to each repository, compare the snapshots with the manifest, and mark the claim."""

    command = ("push", "upload")
    gives = (
        maybe("snapshots", "Repository and ID of each snapshot."),
        maybe("bytes", "Number of bytes that the copy added to the repositories."),
    )
