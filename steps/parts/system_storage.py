"""The claim of System FileStorage as a restore creates it, and the mark that says how far its files are restored."""

from collections.abc import Iterator, Mapping
from enum import Enum

from steps import errors
from steps.archive import marks
from steps.archive.contents import Backup
from steps.archive.manifest import SystemStorage
from steps.contract.names import PREFIX
from steps.contract.restore_contract import AskedStorage
from steps.kubernetes import claims, fields, mounting, waiting
from steps.kubernetes.claims import quantity
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, Object
from steps.kubernetes.workflow import Workflow
from steps.parts import controllers
from steps.threescale import installation


class ClaimState(Enum):
    """The state of the claim for a restore of a backup. "Ours" means that a restore of this backup created it."""

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
    """The state of the claim for a restore of this backup. `is_going`: the claim is about to be deleted."""
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
    """The claim of System FileStorage as a restore creates it, with the mark of the backup and no state yet.

    Size: the largest of the APIManager's request, the recorded capacity, the data with a margin, and 100Mi.

    Raises:
        errors.RequestTooSmall

    """
    chosen = fields.at(backup.apimanager, "spec", "system", "fileStorage", "persistentVolumeClaim") or {}
    modes = backup.system_storage.access_modes or (installation.SYSTEM_STORAGE_ACCESS_MODE,)
    source = backup.system_storage
    of_apimanager = chosen.get("storageClassName")
    spec = claims.on_volume(
        asked.access_mode or modes[0],
        _size(backup, asked, str(fields.at(chosen, "resources", "requests") or "0")),
        asked.storage_class,
        asked.volume_name,
        source.class_name if of_apimanager is None else of_apimanager,
    )
    if source.volume_attributes_class and not _other_volume(asked):
        spec["volumeAttributesClassName"] = source.volume_attributes_class
    return claims.new(installation.SYSTEM_STORAGE, _restorable(source.labels), backup.mark.annotations(), spec)


def recorded(claim: Object) -> SystemStorage:
    """What a backup records of the claim."""
    spec = claim["spec"]
    return SystemStorage(
        storage_class=spec.get("storageClassName") or "",
        no_class=spec.get("storageClassName") == "",
        access_modes=tuple(spec.get("accessModes") or ()),
        request=fields.at(spec, "resources", "requests", "storage") or "",
        capacity=claims.capacity(claim),
        labels=_restorable(fields.at(claim, "metadata", "labels") or {}),
        volume_attributes_class=spec.get("volumeAttributesClassName") or "",
        data_source=_reference(spec.get("dataSource")),
        data_source_ref=_reference(spec.get("dataSourceRef")),
    )


def not_restored(backup: Backup, asked: AskedStorage, existing: Object | None) -> Iterator[str]:
    """What the source's claim had and system-storage will not have, each with the reason. `existing`: it is there."""
    source = backup.system_storage
    attributes = source.volume_attributes_class
    if existing:
        there = fields.at(existing, "metadata", "labels") or {}
        if lacking := [name for name, value in sorted(_restorable(source.labels).items()) if there.get(name) != value]:
            yield f"labels of the backed-up claim: {', '.join(lacking)}; the claim exists and is not changed"
        if attributes and existing["spec"].get("volumeAttributesClassName") != attributes:
            yield f"volumeAttributesClassName {attributes}; the claim exists and is not changed"
    elif attributes and _other_volume(asked):
        yield f"volumeAttributesClassName {attributes}; it belongs to the StorageClass of the backed-up claim"
    if origin := source.data_source_ref or source.data_source:
        what = f"{origin.get('kind', '')} {origin.get('name', '')}"
        yield f"data source {what}; the new claim must come empty"


def _reference(found: Object | None) -> dict[str, str]:
    """A reference of Kubernetes without its empty keys: a claim as the source has `apiGroup: null`."""
    return {key: str(value) for key, value in (found or {}).items() if value}


def _other_volume(asked: AskedStorage) -> bool:
    return bool(asked.storage_class or asked.volume_name)


def _restorable(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of a claim without the tool's own, which mean a backup, and without marks that mean one cluster."""
    kept = controllers.without({"metadata": {"labels": dict(labels)}})["metadata"].get("labels", {})
    return {name: value for name, value in kept.items() if not name.startswith(PREFIX)}


def check(claim: Object, backup: Backup, *, replaced: bool = False) -> None:
    """Check that an existing system-storage may take the files of the backup. `replaced`: its own files may go.

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
    """Check that no other pod uses the files that are to be replaced.

    Raises:
        errors.TargetInUse

    """
    if pods := mounting.users(cluster, installation.SYSTEM_STORAGE, workflow):
        raise errors.TargetInUse(installation.SYSTEM_STORAGE, [pod["metadata"]["name"] for pod in pods])


def saved_to(claim: Object, backup: Backup) -> str:
    """The claim to which a restore of this backup saved its previous files, empty if none did."""
    return fields.annotation(claim, marks.SAVED_TO) if backup.mark.on(claim) else ""


def is_set_aside(claim: Object, backup: Backup) -> bool:
    """Whether a restore of this backup saved the files of the claim and is to remove them."""
    return bool(saved_to(claim, backup)) and fields.annotation(claim, marks.RESTORE_STATE) == marks.SET_ASIDE


def is_saved(cluster: Cluster, claim: Object) -> bool:
    """Whether the claim to which its files were saved exists and is not about to be deleted."""
    found = cluster.get(CLAIM, fields.annotation(claim, marks.SAVED_TO))
    return found is not None and not fields.is_going(found)


def left_out(claim: Object, backup: Backup) -> str:
    """The files that a restore of this backup left out of the claim, in a sentence; empty: none, or not filled."""
    is_filled = backup.mark.on(claim) and fields.annotation(claim, marks.RESTORE_STATE) in marks.FILLED
    return fields.annotation(claim, marks.LEFT_OUT) if is_filled else ""


def check_left_out(claim: Object, backup: Backup) -> None:
    """Check that a claim that was filled before is complete, unless files may be left out.

    Raises:
        errors.FilledWithout

    """
    if backup.left_out is None and (lacking := left_out(claim, backup)):
        raise errors.FilledWithout(claim["metadata"]["name"], lacking)


def mark(cluster: Cluster, backup: Backup, state: str, more: Mapping[str, str | None] = {}) -> None:
    """Note on system-storage how far the restore of its files is: set-aside, begun, complete or in-use.

    `more` are further annotations; None removes one.
    """
    annotations = {**backup.mark.annotations(), marks.RESTORE_STATE: state, **more}
    cluster.patch(CLAIM, installation.SYSTEM_STORAGE, {"metadata": {"annotations": annotations}})


def check_filled(cluster: Cluster, backup: Backup) -> None:
    """Check that the claim with the restored files still exists, before 3scale begins to use them.

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
    """Note that 3scale writes to the claim that a restore of this backup filled. Other claims stay unchanged.

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
    """Check that the files of the backup fit into the requested size, and return that size.

    Raises:
        errors.RequestTooSmall

    """
    size = quantity(request)
    if size < (needed := backup.needed_bytes(size)):
        raise errors.RequestTooSmall(request, needed)
    return request
