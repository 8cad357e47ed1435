"""The claim of System FileStorage as a restore makes it, and the mark on it that says how far its files have come."""

from collections.abc import Mapping
from enum import Enum

from steps import errors
from steps.archive import marks
from steps.archive.contents import Backup
from steps.contract.restore_contract import AskedStorage
from steps.kubernetes import claims, fields, mounting, waiting
from steps.kubernetes.claims import quantity
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, Object
from steps.kubernetes.workflow import Workflow
from steps.threescale import installation


class ClaimState(Enum):
    """How the claim stands to a restore of a backup; "ours" is what a restore of that backup has made."""

    ABSENT = "The claim does not exist."
    THEIRS = "Somebody else made the claim, or a restore of another backup."
    THEIRS_GOING = "The claim is somebody else's, and is about to be deleted."
    FRESH = "The claim is ours. No file of the backup is in it yet."
    SET_ASIDE = "The files that the claim held are saved. They may be removed."
    SAVE_LOST = "The files that the claim held were saved, but the claim that holds them is gone."
    BEGUN = "We have begun to fill the claim."
    FILLED = "The claim holds the files of the backup."
    IN_USE = "The claim held the files of the backup. Since then a 3scale writes to it."
    IN_USE_GOING = "A 3scale has written to the claim since we filled it. The claim is about to be deleted."


def state(cluster: Cluster, claim: Object | None, backup: Backup, *, is_going: bool = False) -> ClaimState:
    """Find out how the claim stands to a restore of this backup. The caller knows whether the claim `is_going`."""
    if claim is None:
        return ClaimState.ABSENT
    if not backup.mark.on(claim):
        return ClaimState.THEIRS_GOING if is_going else ClaimState.THEIRS
    if is_set_aside(claim, backup):
        return ClaimState.SET_ASIDE if is_going or is_saved(cluster, claim) else ClaimState.SAVE_LOST
    in_use = ClaimState.IN_USE_GOING if is_going else ClaimState.IN_USE
    known = {"": ClaimState.FRESH, marks.COMPLETE: ClaimState.FILLED, marks.IN_USE: in_use}
    return known.get(fields.annotation(claim, marks.RESTORE_STATE), ClaimState.BEGUN)


def wanted(backup: Backup, asked: AskedStorage) -> Object:
    """The claim of System FileStorage as a restore creates it, with the mark and not yet begun.

    Size: the largest of the APIManager's request, the capacity it had, the data with a margin, and 100Mi.

    Raises:
        errors.RequestTooSmall

    """
    chosen = fields.at(backup.apimanager, "spec", "system", "fileStorage", "persistentVolumeClaim") or {}
    modes = backup.system_storage.access_modes or (installation.SYSTEM_STORAGE_ACCESS_MODE,)
    spec = claims.spec_of(
        asked.access_mode or modes[0],
        _size(backup, asked, str(fields.at(chosen, "resources", "requests") or "0")),
        asked.storage_class or chosen.get("storageClassName") or backup.system_storage.storage_class,
    )
    return claims.new(installation.SYSTEM_STORAGE, {}, backup.mark.annotations(), spec)


def check(claim: Object, backup: Backup, *, replaced: bool = False) -> None:
    """See that a system-storage that is there already may take the backup's files; its own may be `replaced`.

    Raises:
        errors.ClaimOfAnotherRestore, errors.ClaimTooSmall

    """
    name = claim["metadata"]["name"]
    if fields.annotation(claim, marks.MANIFEST_DIGEST) and not backup.mark.on(claim) and not replaced:
        raise errors.ClaimOfAnotherRestore(name, fields.annotation(claim, marks.RESTORED_FROM) or "another backup")
    capacity = claims.capacity(claim)
    if capacity and quantity(capacity) < (needed := backup.needed_bytes(quantity(capacity))):
        raise errors.ClaimTooSmall(name, capacity, needed)


def check_unused(cluster: Cluster, workflow: Workflow) -> None:
    """See that nobody else has the files that are to be replaced.

    Raises:
        errors.TargetInUse

    """
    if pods := mounting.users(cluster, installation.SYSTEM_STORAGE, workflow):
        raise errors.TargetInUse(installation.SYSTEM_STORAGE, [pod["metadata"]["name"] for pod in pods])


def saved_to(claim: Object, backup: Backup) -> str:
    """The claim to which a restore of this backup has saved what it held, empty where none has."""
    return fields.annotation(claim, marks.SAVED_TO) if backup.mark.on(claim) else ""


def is_set_aside(claim: Object, backup: Backup) -> bool:
    """Whether what it holds is saved by a restore of this backup, and is to be removed."""
    return bool(saved_to(claim, backup)) and fields.annotation(claim, marks.RESTORE_STATE) == marks.SET_ASIDE


def is_saved(cluster: Cluster, claim: Object) -> bool:
    """Whether the claim to which its files were saved is there, and stays."""
    found = cluster.get(CLAIM, fields.annotation(claim, marks.SAVED_TO))
    return found is not None and not fields.is_going(found)


def left_out(claim: Object, backup: Backup) -> str:
    """What a restore of this backup has not brought to what it filled, in a sentence; empty: nothing, or not filled."""
    is_filled = backup.mark.on(claim) and fields.annotation(claim, marks.RESTORE_STATE) in marks.FILLED
    return fields.annotation(claim, marks.LEFT_OUT) if is_filled else ""


def check_left_out(claim: Object, backup: Backup) -> None:
    """See that what was filled before lacks nothing, unless something may be left out.

    Raises:
        errors.FilledWithout

    """
    if backup.left_out is None and (lacking := left_out(claim, backup)):
        raise errors.FilledWithout(claim["metadata"]["name"], lacking)


def mark(cluster: Cluster, backup: Backup, state: str, more: Mapping[str, str | None] = {}) -> None:
    """Say on system-storage how far the restore of its files has come: set-aside, begun, complete or in-use.

    `more` annotations go with it; None takes one away.
    """
    annotations = {**backup.mark.annotations(), marks.RESTORE_STATE: state, **more}
    cluster.patch(CLAIM, installation.SYSTEM_STORAGE, {"metadata": {"annotations": annotations}})


def check_filled(cluster: Cluster, backup: Backup) -> None:
    """See that the files which a restore of this backup has restored are there still, before a 3scale begins with them.

    Raises:
        errors.ClaimGone, errors.ClaimGoingAway, errors.RestoredGone

    """
    if backup.external:
        return
    claim = waiting.still_there(cluster, installation.SYSTEM_STORAGE)
    if not backup.mark.on(claim):
        raise errors.RestoredGone(installation.SYSTEM_STORAGE, cluster.namespace, "it lacks the mark of its restore")
    if (state := fields.annotation(claim, marks.RESTORE_STATE)) not in marks.FILLED:
        raise errors.RestoredGone(installation.SYSTEM_STORAGE, cluster.namespace, f"it is {state or 'not begun'}")


def use(cluster: Cluster, backup: Backup) -> None:
    """Say that a 3scale writes to what a restore of this backup has filled; another claim of this name is let alone.

    Raises:
        errors.ClaimGone, errors.ClaimGoingAway

    """
    if backup.external:
        return
    claim = waiting.still_there(cluster, installation.SYSTEM_STORAGE)
    if backup.mark.on(claim) and fields.annotation(claim, marks.RESTORE_STATE) == marks.COMPLETE:
        mark(cluster, backup, marks.IN_USE)


def _size(backup: Backup, asked: AskedStorage, request: str) -> str:
    if asked.storage_request:
        return check_request(backup, asked.storage_request)
    recorded = max(request, backup.system_storage.capacity or "0", installation.SYSTEM_STORAGE_FLOOR, key=quantity)
    needed = str(int(backup.needed_bytes(quantity(recorded) / claims.MARGIN) * claims.MARGIN))
    return max(recorded, needed, key=quantity)


def check_request(backup: Backup, request: str) -> str:
    """See that a size that is asked for takes the backup's files, and return it.

    Raises:
        errors.RequestTooSmall

    """
    size = quantity(request)
    if size < (needed := backup.needed_bytes(size)):
        raise errors.RequestTooSmall(request, needed)
    return request
