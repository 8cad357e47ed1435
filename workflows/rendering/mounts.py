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
    Quantity,
    SecretVolumeSource,
    Volume,
    VolumeMount,
)

from steps.contract.mounts import OF_REPOSITORIES, Mount, Way
from workflows.rendering.parameters import value
from workflows.rendering.settings import Settings

SECRET_PATH = "/secret"  # noqa: S105  a folder: where a Secret of the user's is mounted, in one phase alone
_SECRET_KEYS = ("url", "ca.crt")


_CACHE_SIZE = "8Gi"  # of restic's cache and pack files, measured: docs/explanation/performance.md


_SECRETS = (Mount.REPOSITORY, Mount.SECOND_REPOSITORY)


def present(settings: Settings, mount: Mount) -> bool:
    """Return whether a phase has a mount. Those of repositories are only there where some are configured."""
    if mount in _SECRETS:
        return bool(_secret_of(settings, mount))
    if mount is Mount.REPOSITORY_CLAIM:
        return bool(settings.repository_claim)
    return mount not in OF_REPOSITORIES or bool(settings.repositories)


def volumes(settings: Settings, mounts: Sequence[Mount], claim: str, secret: str) -> list[Volume]:
    """Return the volumes of a pod.

    `claim`: the input that names the backup's claim. `secret`: a Secret to mount, or an empty text.
    """
    return [
        Volume(name="tmp", empty_dir=EmptyDirVolumeSource()),
        *(_volume_of(settings, mount, claim) for mount in mounts),
        *([_secret_volume(secret)] if secret else []),
    ]


def volume_mounts(settings: Settings, mounts: Sequence[Mount], secret: str) -> list[VolumeMount]:
    """Return the mounts of the pod's container."""
    ways = [mount.value._replace(path=path(settings, mount)) for mount in mounts if mount.value.path]
    return [
        VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108  an emptyDir
        *(VolumeMount(name=way.volume, mount_path=way.path, read_only=way.read_only_mount) for way in ways),
        *([VolumeMount(name="secret", mount_path=SECRET_PATH, read_only=True)] if secret else []),
    ]


def of_secret(secret: str) -> list[str]:
    """Return the options that tell the phase where a Secret is mounted."""
    return ["--secret", SECRET_PATH] if secret else []


def path(settings: Settings, mount: Mount) -> str:
    """Return the path of a mount. That of a repository's Secret ends with the name of the Secret."""
    named = _secret_of(settings, mount)
    return f"{mount.value.path}/{named}" if named else mount.value.path


def _secret_of(settings: Settings, mount: Mount) -> str:
    """Return the name of the Secret that is mounted, or an empty text."""
    return dict(zip(_SECRETS, settings.repositories, strict=False)).get(mount, "")


def _volume_of(settings: Settings, mount: Mount, claim: str) -> Volume:
    if named := _secret_of(settings, mount):
        others = dict(zip(settings.repositories, settings.credentials, strict=False))
        return _optional(mount.value.volume, SecretVolumeSource(secret_name=others.get(named, named)))
    if mount in (Mount.PRIVATE, Mount.CREDENTIALS):
        return Volume(name=mount.value.volume, empty_dir=EmptyDirVolumeSource(medium="Memory", size_limit=_size("1Mi")))
    if mount is Mount.CACHE:
        return Volume(name=mount.value.volume, empty_dir=EmptyDirVolumeSource(size_limit=_size(_CACHE_SIZE)))
    if mount is Mount.REPOSITORY_CLAIM:
        source = PersistentVolumeClaimVolumeSource(claim_name=str(settings.repository_claim))
        return Volume(name=mount.value.volume, persistent_volume_claim=source)
    return _volume(mount.value, claim)


def _size(text: str) -> Quantity:
    return Quantity(root=text)


def _volume(way: Way, of_backup: str) -> Volume:
    named = way.claim or (of_backup if way.volume == Mount.BACKUP.value.volume else "")
    claim_name = value(named) if named else way.volume
    source = PersistentVolumeClaimVolumeSource(claim_name=claim_name, read_only=way.read_only_volume)
    return Volume(name=way.volume, persistent_volume_claim=source)


def _secret_volume(name: str) -> Volume:
    keys = [KeyToPath(key=key, path=key) for key in _SECRET_KEYS]
    return _optional("secret", SecretVolumeSource(secret_name=name, items=keys))


def _optional(name: str, source: SecretVolumeSource) -> Volume:
    """Return the volume of a Secret. It is optional, because a pod would wait silently for a missing Secret."""
    source.optional = True
    return Volume(name=name, secret=source)
