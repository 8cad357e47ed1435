"""The claim of System FileStorage as a restore makes it, and the mark on it that says how far its files have come."""

from decimal import Decimal
from typing import NamedTuple

from steps import claims, errors, installation, marks
from steps.backup import Backup
from steps.cluster import Cluster, Object, quantity
from steps.installation import CLAIM

_MARGIN = Decimal("1.2")  # over the data, for the file system's own needs


class Asked(NamedTuple):
    """What a person may ask of the new system-storage; empty: as it was."""

    storage_class: str
    access_mode: str
    storage_request: str


AS_IT_WAS = Asked("", "", "")


def wanted(backup: Backup, asked: Asked) -> Object:
    """The claim of System FileStorage as a restore creates it, with the mark and not yet begun.

    Size: the largest of the APIManager's request, the capacity it had, the data with a margin, and 100Mi.

    Raises:
        errors.BadQuantity, errors.RequestTooSmall

    """
    chosen = (
        ((backup.apimanager["spec"].get("system") or {}).get("fileStorage") or {}).get("persistentVolumeClaim")
    ) or {}
    modes = backup.system_storage.access_modes or (installation.SYSTEM_STORAGE_ACCESS_MODE,)
    spec = claims.spec_of(
        asked.access_mode or modes[0],
        _size(backup, asked, str((chosen.get("resources") or {}).get("requests") or "0")),
        asked.storage_class or chosen.get("storageClassName") or backup.system_storage.storage_class,
    )
    return claims.new(installation.SYSTEM_STORAGE, {}, backup.mark.annotations(), spec)


def check(claim: Object, backup: Backup) -> None:
    """See that a system-storage that is there already may take the backup's files.

    Raises:
        errors.ClaimOfAnotherRestore, errors.ClaimTooSmall

    """
    name = claim["metadata"]["name"]
    if marks.annotation(claim, marks.MANIFEST_DIGEST) and not backup.mark.on(claim):
        raise errors.ClaimOfAnotherRestore(name, marks.annotation(claim, marks.RESTORED_FROM) or "another backup")
    capacity = ((claim.get("status") or {}).get("capacity") or {}).get("storage", "")
    if capacity and quantity(capacity) < backup.size_bytes:
        raise errors.ClaimTooSmall(name, capacity, backup.size_bytes)


def mark(cluster: Cluster, backup: Backup, state: str) -> None:
    """Say on system-storage how far the restore of its files has come: begun or complete."""
    annotations = {**backup.mark.annotations(), marks.RESTORE_STATE: state}
    cluster.patch(CLAIM, installation.SYSTEM_STORAGE, {"metadata": {"annotations": annotations}})


def _size(backup: Backup, asked: Asked, request: str) -> str:
    if asked.storage_request:
        if claims.check_size(asked.storage_request, "storage-request") < backup.size_bytes:
            raise errors.RequestTooSmall(asked.storage_request, backup.size_bytes)
        return asked.storage_request
    needed = str(int(backup.size_bytes * _MARGIN))
    return max(request, backup.system_storage.capacity or "0", needed, installation.SYSTEM_STORAGE_FLOOR, key=quantity)
