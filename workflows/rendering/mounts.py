"""What a phase may mount, where, and as which option it is told of it.

Volumes are Hera's plain models, because a source that must not be touched is read-only in the pod's volume
(`persistentVolumeClaim.readOnly`, then the kubelet changes no ownership either), and a backup that the kubelet shall
hand to the namespace's group is read-only in the mount alone. Hera's own volume classes always set both.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Literal, NamedTuple

from hera.workflows.models import (
    EmptyDirVolumeSource,
    KeyToPath,
    PersistentVolumeClaimVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeMount,
)

from steps.threescale.installation import SYSTEM_STORAGE
from workflows.rendering.handover import FILE_STORAGE, REPLACED_CLAIM, SCRATCH_CLAIM, value

_SECRET_PATH = "/secret"  # noqa: S105  a folder: where a Secret of the user's is mounted, in one phase alone
_SECRET_KEYS = ("url", "ca.crt")


class _Way(NamedTuple):
    """How a volume is mounted."""

    volume: str
    option: str
    path: str  # empty: it is not
    claim: str = ""  # the input that names it; else it is called as the volume
    read_only_volume: Literal[True] | None = None
    read_only_mount: Literal[True] | None = None


_BACKUP = _Way("backup", "backup", "/backup")
_SYSTEM = _Way(SYSTEM_STORAGE, FILE_STORAGE, "/system-filestorage")


class Mount(Enum):
    """A volume of a phase."""

    BACKUP = _BACKUP  # written
    BACKUP_READ_ONLY = _BACKUP._replace(read_only_mount=True)
    SOURCE = _SYSTEM._replace(read_only_volume=True, read_only_mount=True)  # of a live installation, never touched
    SOURCE_LISTED = _SYSTEM._replace(path="", read_only_volume=True)  # not mounted, but the scheduler shall see it
    TARGET = _SYSTEM  # to be filled
    REPLACED = _Way("replaced", "replaced", "/replaced", REPLACED_CLAIM)  # where a restore saves what it replaces
    SCRATCH = _Way("scratch", "scratch", "/scratch", SCRATCH_CLAIM)  # where a drill restores the tree for trial


def volumes(mounts: Sequence[Mount], claim: str, secret: str) -> list[Volume]:
    """The volumes of a pod; `claim`: the input that names the backup's; `secret`: one that is mounted too."""
    return [
        Volume(name="tmp", empty_dir=EmptyDirVolumeSource()),
        *(_volume(mount.value, claim) for mount in mounts),
        *([_secret_volume(secret)] if secret else []),
    ]


def volume_mounts(mounts: Sequence[Mount], secret: str) -> list[VolumeMount]:
    """Where its container has them."""
    ways = [mount.value for mount in mounts if mount.value.path]
    return [
        VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108  an emptyDir
        *(VolumeMount(name=way.volume, mount_path=way.path, read_only=way.read_only_mount) for way in ways),
        *([VolumeMount(name="secret", mount_path=_SECRET_PATH, read_only=True)] if secret else []),
    ]


def options(mounts: Sequence[Mount], secret: str) -> list[str]:
    """How the phase is told where they are."""
    ways = [mount.value for mount in mounts if mount.value.path]
    told = [word for way in ways for word in (f"--{way.option}", way.path)]
    return [*told, *(["--secret", _SECRET_PATH] if secret else [])]


def _volume(way: _Way, of_backup: str) -> Volume:
    named = way.claim or (of_backup if way.volume == _BACKUP.volume else "")
    claim_name = value(named) if named else way.volume
    source = PersistentVolumeClaimVolumeSource(claim_name=claim_name, read_only=way.read_only_volume)
    return Volume(name=way.volume, persistent_volume_claim=source)


def _secret_volume(name: str) -> Volume:
    """A Secret or none: a pod whose Secret must be there would wait for it in silence."""
    keys = [KeyToPath(key=key, path=key) for key in _SECRET_KEYS]
    return Volume(name="secret", secret=SecretVolumeSource(secret_name=name, items=keys, optional=True))
