"""A restore saves what it replaces to a claim of its own first, so that a person can put it back.

The claim is not a backup: the catalogue does not list it and no restore opens it. Its volume has the layout of a
backup, but objects are complete, as the server gave them.
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.archive import layout, marks, seal
from steps.archive.contents import Backup
from steps.archive.manifest import Report
from steps.catalogue import backup_claims
from steps.files import comparison, durability, volume, writing
from steps.kubernetes import claims, times
from steps.kubernetes.claims import quantity
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, Kind, Object
from steps.kubernetes.workflow import NOBODY, Workflow
from steps.parts import file_storage, system_storage
from steps.parts.file_storage import Progress
from steps.parts.system_storage import ClaimState
from steps.process import interruption
from steps.threescale import installation

log = logging.getLogger(__name__)

_SUFFIX = "-replaced"
_TO_COME = Workflow("threescale-restore-to-come", "to-come")
# States of a claim whose files must be saved before they are replaced. A storage may put files into a new claim.
UNSAVED = (ClaimState.THEIRS, ClaimState.FRESH, ClaimState.SAVE_LOST, ClaimState.IN_USE)


class SetAsideClaim(NamedTuple):
    """The claim for replaced objects and files. The class None means the cluster's default."""

    size: str
    storage_class: str | None


def wanted(storage: Object | None, *, files: bool) -> SetAsideClaim:
    """The claim has the class of system-storage, and its size with a margin if files are saved too.

    If system-storage has no class, the claim has the cluster's default: nobody has made a second volume for it.
    """
    if storage is None:
        return SetAsideClaim(installation.SYSTEM_STORAGE_FLOOR, None)
    storage_class = storage["spec"].get("storageClassName") or None
    if not files:
        return SetAsideClaim(installation.SYSTEM_STORAGE_FLOOR, storage_class)
    held = quantity(claims.capacity(storage) or storage["spec"]["resources"]["requests"]["storage"])
    return SetAsideClaim(
        str(int(max(held * claims.MARGIN, quantity(installation.SYSTEM_STORAGE_FLOOR)))), storage_class
    )


def claim_name(workflow: Workflow) -> str:
    """The name of the claim of a restore."""
    return claims.own_name(workflow, _SUFFIX)


def new(cluster: Cluster, asked: SetAsideClaim, workflow: Workflow) -> Object | None:
    """Return the claim of this workflow, to be created. None if an earlier try created it.

    A person's plan has no workflow yet, so it gets the claim of a workflow to come.

    Raises:
        errors.ReplacedClaimTaken, errors.ClaimGoingAway

    """
    workflow = _TO_COME if workflow == NOBODY else workflow
    name = claim_name(workflow)
    try:
        if backup_claims.check_free(cluster, name, workflow):
            return None
    except errors.ClaimTaken as error:
        raise errors.ReplacedClaimTaken(name, cluster.namespace) from error
    labels = {marks.REPLACED: "true", marks.WORKFLOW: workflow.name, marks.WORKFLOW_UID: workflow.uid}
    annotations = {marks.STARTED: times.utc(times.now())}
    spec = claims.spec_of("ReadWriteOnce", asked.size, asked.storage_class)
    return claims.new(name, labels, annotations, spec)


def create(cluster: Cluster, asked: SetAsideClaim, workflow: Workflow) -> str:
    """Create the claim of this workflow, unless an earlier try did; return its name.

    Raises:
        as `new`; errors.QuotaExceeded, errors.AlreadyExists

    """
    if claim := new(cluster, asked, workflow):
        cluster.create(CLAIM, claim)
        log.info(
            "PersistentVolumeClaim %s: created, %s, for replaced objects and files",
            claim["metadata"]["name"],
            asked.size,
        )
    return claim_name(workflow)


def save_objects(cluster: Cluster, kind: Kind, names: Iterable[str], root: Path) -> dict[str, str]:
    """Save complete objects, as they are now; return the resourceVersion of each by name.

    Raises:
        errors.ChangedSincePlan: an object is gone.

    """
    versions = {}
    for name in names:
        interruption.point()
        found = cluster.get(kind, name)
        if found is None:
            raise errors.ChangedSincePlan(cluster.namespace, [f"{kind.name} {name} is gone"])
        folder = layout.PLACES[kind].folder_of(name)
        for part in (folder.partition("/")[0], folder):
            writing.make_folder(root, part)
        layout.write(root, f"{folder}/{name}.json", layout.as_json(found))
        versions[name] = str(found["metadata"]["resourceVersion"])
        log.info("%s %s: saved to %s/%s.json", kind.name, name, folder, name)
    return versions


def save_files(  # noqa: PLR0913  from where, to where, and who
    cluster: Cluster,
    backup: Backup,
    source: Path,
    root: Path,
    workflow: Workflow,
    progress: Progress,
    workers: int | None = None,
) -> Report | None:
    """Save the files of system-storage, verify the copy, and note on system-storage that its files may be removed.

    None if this is already done, or if a claim that this restore created is empty.

    Raises:
        errors.TargetInUse, errors.SavedDiffers; as `file_storage.save`

    """
    claim = backup_claims.find(cluster, installation.SYSTEM_STORAGE)
    state = system_storage.state(cluster, claim, backup)
    if state not in UNSAVED:
        log.info("PersistentVolumeClaim %s: nothing to save, a restore has begun", installation.SYSTEM_STORAGE)
        return None
    if state is ClaimState.FRESH and not volume.content(source):
        log.info("PersistentVolumeClaim %s: nothing to save, it is empty", installation.SYSTEM_STORAGE)
        return None
    system_storage.check_unused(cluster, workflow)
    passed = volume.passed_over(source)
    unsaved = ",".join(volume.snapshots(passed)) or None
    with durability.durable(root):
        saved = file_storage.save(source, root, progress, workers, passed)
        listing = saved.file_storage.listing if saved.file_storage else None
        findings = comparison.compare(seal.listed(root, listing), root / layout.TREE, digests=True, workers=workers)
        if wrong := errors.Few.of(findings):
            raise errors.SavedDiffers(installation.SYSTEM_STORAGE, wrong)
    system_storage.check_unused(cluster, workflow)
    system_storage.mark(
        cluster, backup, marks.SET_ASIDE, {marks.SAVED_TO: claim_name(workflow), marks.NOT_SAVED: unsaved}
    )
    return saved
