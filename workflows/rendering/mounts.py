"""How the volumes of a phase become the volumes of its pod.

Volumes are Hera's plain models, because Hera's own volume classes always make both the volume and the mount read-only.
A source that must not change is read-only in the pod's volume (`persistentVolumeClaim.readOnly`). Then the kubelet also
keeps its ownership. A backup is read-only in the mount alone if the kubelet must give it to the namespace's group.
"""

from collections.abc import Sequence

from hera.workflows.models import (
    EmptyDirVolumeSource,
    KeyToPath,
    PersistentVolumeClaimVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeMount,
)

from steps.contract.mounts import Mount, Way
from workflows.rendering.parameters import value

SECRET_PATH = "/secret"  # noqa: S105  a folder: where a Secret of the user's is mounted, in one phase alone
_SECRET_KEYS = ("url", "ca.crt")


def volumes(mounts: Sequence[Mount], claim: str, secret: str) -> list[Volume]:
    """Return the volumes of a pod.

    `claim`: the input that names the backup's claim. `secret`: a Secret to mount, or an empty text.
    """
    return [
        Volume(name="tmp", empty_dir=EmptyDirVolumeSource()),
        *(_volume(mount.value, claim) for mount in mounts),
        *([_secret_volume(secret)] if secret else []),
    ]


def volume_mounts(mounts: Sequence[Mount], secret: str) -> list[VolumeMount]:
    """Return the mounts of the pod's container."""
    ways = [mount.value for mount in mounts if mount.value.path]
    return [
        VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108  an emptyDir
        *(VolumeMount(name=way.volume, mount_path=way.path, read_only=way.read_only_mount) for way in ways),
        *([VolumeMount(name="secret", mount_path=SECRET_PATH, read_only=True)] if secret else []),
    ]


def of_secret(secret: str) -> list[str]:
    """Return the options that tell the phase where a Secret is mounted."""
    return ["--secret", SECRET_PATH] if secret else []


def _volume(way: Way, of_backup: str) -> Volume:
    named = way.claim or (of_backup if way.volume == Mount.BACKUP.value.volume else "")
    claim_name = value(named) if named else way.volume
    source = PersistentVolumeClaimVolumeSource(claim_name=claim_name, read_only=way.read_only_volume)
    return Volume(name=way.volume, persistent_volume_claim=source)


def _secret_volume(name: str) -> Volume:
    """Return the volume of a Secret. It is optional, because a pod would wait silently for a missing Secret."""
    keys = [KeyToPath(key=key, path=key) for key in _SECRET_KEYS]
    return Volume(name="secret", secret=SecretVolumeSource(secret_name=name, items=keys, optional=True))
