"""The scratch space of a drill. A drill restores a backup for trial, compares the result, and removes it.

Secrets and ConfigMaps are created in a scratch namespace, the APIManager in a dry run of the server, and the file tree
on a scratch claim. A pod mounts claims of its own namespace only, so this claim is in the namespace of the backup.

A Role that lets an account delete the scratch claim would let it delete backups too. So no phase deletes the claim. Its
owner is a ConfigMap with a fixed name, the drill's ledger, and the garbage collector deletes the claim with its owner.
The ledger is written first and lists all that the drill may create. So the remains of a dead drill can be removed.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Self

from steps import errors
from steps.archive import layout, marks
from steps.archive.contents import Backup
from steps.archive.marks import Mark
from steps.catalogue import backup_claims, catalogue, proof
from steps.catalogue.catalogue import BackupEntry
from steps.contract.drill_contract import AskedScratch
from steps.contract.names import DRILL_LEDGER, PART_OF
from steps.kubernetes import claims, fields, times
from steps.kubernetes.claims import quantity
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import APIMANAGER, CLAIM, CONFIGMAP, SECRET, Kind, Object
from steps.kubernetes.workflow import Workflow
from steps.parts import apimanager, configmaps, conflicts, objects, secrets, system_storage
from steps.parts.conflicts import ObjectState, OnConflict, Standing, Target
from steps.parts.secrets import Databases
from steps.process import interruption
from steps.threescale import installation

log = logging.getLogger(__name__)

Connect = Callable[[str], Cluster]  # to a namespace
NamesByKind = Mapping[Kind, Sequence[str]]

DATABASES = Databases(restored=True)  # a drill also proves the Secrets that a restore leaves to the user
_LEDGER = DRILL_LEDGER
_SUFFIX = "-drill"
_ENTRY_BYTES = 4096  # space of a small file or a folder
_LOOK_S = 0.5
_NOTHING_THERE = OnConflict(planned=())
_MADE = tuple(layout.PLACES)  # kinds that a drill creates in the scratch namespace
_OF_3SCALE = {
    SECRET: (*installation.RESTORED_SECRETS, *installation.DATABASE_SECRETS),
    CONFIGMAP: (*installation.CONFIGMAPS, *installation.EDITED_CONFIGMAPS),
}


class Ledger(NamedTuple):
    """The objects that a drill may have created, and its backup. `uid`: of the ConfigMap, empty before it exists."""

    workflow: Workflow
    scratch: str
    claim: str
    claim_uid: str
    names: NamesByKind
    uid: str = ""

    @classmethod
    def of(cls, found: Object) -> Self:
        """Read a ledger from its ConfigMap."""
        data = found.get("data") or {}
        names = {kind: tuple(filter(None, data.get(kind.resource, "").split(","))) for kind in _MADE}
        workflow = Workflow(fields.label(found, marks.WORKFLOW), fields.label(found, marks.WORKFLOW_UID))
        scratch, claim, claim_uid = (str(data.get(key, "")) for key in ("scratch-namespace", "claim", "claim-uid"))
        return cls(workflow, scratch, claim, claim_uid, names, found["metadata"]["uid"])

    def as_object(self, namespace: str) -> Object:
        """Return the ledger as a ConfigMap."""
        labels = {**PART_OF, marks.WORKFLOW: self.workflow.name}
        metadata = {"name": _LEDGER, "labels": {**labels, **labels_of(namespace, self.workflow)}}
        listed = {kind.resource: ",".join(names) for kind, names in self.names.items()}
        data = {"scratch-namespace": self.scratch, "claim": self.claim, "claim-uid": self.claim_uid, **listed}
        return {"apiVersion": CONFIGMAP.api_version, "kind": CONFIGMAP.name, "metadata": metadata, "data": data}


def labels_of(namespace: str, workflow: Workflow) -> dict[str, str]:
    """Return the labels of all objects of a drill. Only objects with these labels are removed."""
    return {marks.DRILL: namespace, marks.WORKFLOW_UID: workflow.uid}


def mark_of(backup: Backup, namespace: str, workflow: Workflow) -> Mark:
    """Return the labels and annotations that a drill of this backup puts on each object."""
    return Mark(backup.name, backup.digest, labels_of(namespace, workflow))


def claim_name(workflow: Workflow) -> str:
    """Return the name of a drill's scratch claim."""
    return claims.own_name(workflow, _SUFFIX)


# --- before anything is created ---


def choose(entries: Iterable[BackupEntry], namespace: str) -> BackupEntry:
    """Return the newest backup that is not proven, else the one proven longest ago. Damaged backups are skipped.

    Raises:
        errors.NothingToProve

    """
    whole = [entry for entry in entries if not entry.damaged]
    return proof.due(whole, lambda entry: entry.proven.when if entry.proven else None, namespace, "drill")


def check_scratch(scratch: Cluster, own: str) -> None:
    """Check that a namespace may be used for drills: it has no installation and no backup.

    Raises:
        errors.ScratchIsOwn, errors.ScratchTaken, errors.NotAllowedInScratch

    """
    if scratch.namespace == own:
        raise errors.ScratchIsOwn(own)
    with _needing(scratch, APIMANAGER, ["list", "create"]):
        found = scratch.list(APIMANAGER)
    with _needing(scratch, CLAIM, ["list"]):
        found += [claim for claim in scratch.list(CLAIM) if _is_ours(claim)]
    if found:
        raise errors.ScratchTaken(scratch.namespace, [objects.named(obj) for obj in found])


def _is_ours(claim: Object) -> bool:
    of_3scale = claim["metadata"]["name"] == installation.SYSTEM_STORAGE
    return of_3scale or backup_claims.is_backup(claim) or bool(fields.label(claim, marks.REPLACED))


def check_names(scratch: Cluster, names: NamesByKind, namespace: str, workflow: Workflow) -> None:
    """Check that no object has a name that the drill needs or that 3scale uses, except objects of this drill.

    Raises:
        errors.ScratchTaken, errors.ScratchNotCleared
        errors.NotAllowedInScratch: the message has all names that the Role lacks

    """
    mine, found = labels_of(namespace, workflow), []
    for kind, of_3scale in _OF_3SCALE.items():
        looked = objects.look(scratch, kind, sorted({*names.get(kind, ()), *of_3scale}))
        if looked.refused:
            raise errors.NotAllowedInScratch(
                scratch.namespace, scratch.server, kind.group, kind.resource, ["get", "delete"], list(looked.refused)
            )
        found += [obj for obj in looked.found.values() if not _carries(obj, mine)]
    if strangers := [objects.named(obj) for obj in found if fields.label(obj, marks.DRILL) != namespace]:
        raise errors.ScratchTaken(scratch.namespace, strangers)
    if found:
        raise errors.ScratchNotCleared(scratch.namespace, [objects.named(obj) for obj in found], namespace)


def names_of(scratch: Cluster, backup: Backup) -> dict[Kind, list[str]]:
    """Return the names of the Secrets and ConfigMaps that a restore of the backup creates.

    Raises:
        errors.BackupDamaged, errors.KeysMissing

    """
    wanted = {
        SECRET: [*secrets.to_restore(backup), *DATABASES.to_restore(scratch, backup)],
        CONFIGMAP: configmaps.to_restore(backup),
    }
    return {kind: [str(obj["metadata"]["name"]) for obj in found] for kind, found in wanted.items()}


# --- creation ---


def begin(cluster: Cluster, planned: Ledger) -> Ledger:
    """Write the ledger. A ledger of this workflow is kept.

    Raises:
        errors.DrillRuns, errors.LedgerTaken

    """
    try:
        return Ledger.of(cluster.create(CONFIGMAP, planned.as_object(cluster.namespace)))
    except errors.AlreadyExists:
        if found := own(cluster, planned.workflow):
            return found
        other = read(cluster)
        raise errors.DrillRuns(other.workflow.name if other else "unknown") from None


def create_claim(cluster: Cluster, backup: Backup, ledger: Ledger, asked: AskedScratch) -> str:
    """Create the scratch claim, unless an earlier try has created it. Return its name.

    Raises:
        errors.RequestTooSmall, errors.ScratchClaimTaken, errors.QuotaExceeded, errors.AlreadyExists

    """
    name = claim_name(ledger.workflow)
    try:
        if backup_claims.check_free(cluster, name, ledger.workflow):
            return name
    except errors.ClaimTaken as error:
        raise errors.ScratchClaimTaken(name, cluster.namespace) from error
    size = system_storage.check_request(backup, asked.storage_request or _size(backup))
    storage_class = claims.class_of(asked.storage_class, _class_of(cluster, ledger.claim))
    labels = {marks.WORKFLOW: ledger.workflow.name, **labels_of(cluster.namespace, ledger.workflow)}
    claim = claims.new(name, labels, {marks.STARTED: times.utc(times.now())}, {})
    owner = {"apiVersion": CONFIGMAP.api_version, "kind": CONFIGMAP.name, "name": _LEDGER, "uid": ledger.uid}
    metadata = {**claim["metadata"], "ownerReferences": [owner]}
    spec = claims.spec_of("ReadWriteOnce", size, storage_class)
    cluster.create(CLAIM, {**claim, "metadata": metadata, "spec": spec})
    log.info("PersistentVolumeClaim %s: created, %s, for this drill", name, size)
    return name


def _size(backup: Backup) -> str:
    """Return the size for the files, with a margin. Holes count only if the saved claim had room for them."""
    had = max(backup.system_storage.capacity or "0", installation.SYSTEM_STORAGE_FLOOR, key=quantity)
    needed = (backup.needed_bytes(quantity(had)) + backup.counts.entries * _ENTRY_BYTES) * claims.MARGIN
    return max(str(int(needed)), installation.SYSTEM_STORAGE_FLOOR, key=quantity)


def _class_of(cluster: Cluster, claim: str) -> str | None:
    """Return the class of a claim. A claim of no class counts as the default: no volume waits for the scratch claim."""
    return backup_claims.find(cluster, claim)["spec"].get("storageClassName") or None


def try_objects(scratch: Cluster, backup: Backup, mark: Mark, *, last_try: bool) -> list[Standing]:
    """Create the Secrets and ConfigMaps as a restore does, compare each, and try the APIManager in a dry run.

    Raises:
        errors.DrillDiffers, errors.NotAllowedInScratch, errors.Rejected; as `conflicts.restore`

    """
    made, target = [], Target(scratch, (), mark)
    with _needing(scratch, SECRET, ["create"]):
        made += secrets.restore(target, backup, conflict=_NOTHING_THERE, databases=DATABASES, last_try=last_try)
    with _needing(scratch, CONFIGMAP, ["create"]):
        made += configmaps.restore(target, backup, conflict=_NOTHING_THERE, last_try=last_try)
    found = [
        each
        for kind in _MADE
        for each in conflicts.compare(target, kind, [it.obj for it in made if it.obj["kind"] == kind.name])
    ]
    if wrong := [f"{each}: {each.why or each.state.value}" for each in found if each.state is not ObjectState.MADE]:
        raise errors.DrillDiffers(scratch.namespace, wrong)
    try:
        with _needing(scratch, APIMANAGER, ["list", "create"]):
            scratch.create(APIMANAGER, apimanager.to_restore(backup, mark), dry_run=True)
    except errors.NoDryRun as unknown:
        log.warning("%s: not tried. %s", objects.named(backup.apimanager), unknown)
    else:
        log.info("%s: accepted by the server in a dry run", objects.named(backup.apimanager))
    return made


# --- the end ---


def read(cluster: Cluster) -> Ledger | None:
    """Return the ledger of a drill that is running or has died.

    Raises:
        errors.LedgerTaken: a ConfigMap of this name exists, but no drill of this namespace has written it.

    """
    found = cluster.get(CONFIGMAP, _LEDGER)
    if found is None:
        return None
    if fields.label(found, marks.DRILL) != cluster.namespace or not fields.label(found, marks.WORKFLOW_UID):
        raise errors.LedgerTaken(_LEDGER, cluster.namespace)
    return Ledger.of(found)


def own(cluster: Cluster, workflow: Workflow) -> Ledger | None:
    """Return the ledger of this drill, None if it was removed or never written."""
    found = cluster.get(CONFIGMAP, _LEDGER)
    return Ledger.of(found) if found and _carries(found, labels_of(cluster.namespace, workflow)) else None


def going_on(cluster: Cluster, workflow: Workflow) -> Ledger:
    """Return the ledger of this drill, which must exist. Without it, new objects would never be removed.

    Raises:
        errors.DrillOver

    """
    ledger = own(cluster, workflow)
    if ledger is None:
        raise errors.DrillOver(workflow.name)
    return ledger


def clear(cluster: Cluster, ledger: Ledger, connect: Connect) -> None:
    """Delete the objects of this drill from its scratch namespace, and check that they are deleted.

    Raises:
        errors.NotAllowedInScratch, errors.NotRemoved

    """
    scratch, left = connect(ledger.scratch), []
    own = labels_of(cluster.namespace, ledger.workflow)
    for kind, names in ledger.names.items():
        with _needing(scratch, kind, ["get", "delete"], names):
            for name in names:
                interruption.point()
                if _remove(scratch, kind, name, own):
                    left.append(f"{kind.name} {name}")
    if left:
        raise errors.NotRemoved(scratch.namespace, left)


def close(cluster: Cluster, ledger: Ledger, patience_s: float) -> None:
    """Delete the ledger, and wait until the scratch claim is deleted with it or waits for its pods only."""
    _tell_volume(cluster, ledger)
    cluster.delete(CONFIGMAP, _LEDGER, ledger.uid)
    name = claim_name(ledger.workflow)
    for _ in interruption.looks(patience_s, _LOOK_S):
        found = cluster.get(CLAIM, name)
        if not found or fields.is_going(found):
            log.info("PersistentVolumeClaim %s: %s", name, "will be deleted after its pods" if found else "deleted")
            return
    log.info("PersistentVolumeClaim %s: not deleted yet, the garbage collector will delete it", name)


def clear_left(cluster: Cluster, connect: Connect, workflow: Workflow) -> None:
    """Remove the remains of an earlier drill whose workflow has ended.

    Raises:
        errors.DrillRuns: its workflow is still running. errors.LeftByDrill, errors.LedgerTaken
        errors.UnknownResource: Argo is not installed, so the state of the workflow is unknown.

    """
    ledger = read(cluster)
    if ledger is None or ledger.workflow.uid == workflow.uid:
        return
    if ledger.workflow.uid in catalogue.living(cluster):
        raise errors.DrillRuns(ledger.workflow.name)
    try:
        clear(cluster, ledger, connect)
    except errors.Final as error:
        raise errors.LeftByDrill(ledger.workflow.name, cluster.namespace, ledger.scratch, str(error)) from error
    _tell_volume(cluster, ledger)
    cluster.delete(CONFIGMAP, _LEDGER, ledger.uid)
    log.info("remains of the drill of workflow %s: removed", ledger.workflow.name)


def _tell_volume(cluster: Cluster, ledger: Ledger) -> None:
    """Log the fate of the scratch claim's volume. Its reclaim policy can't be read without cluster-wide rights."""
    claim = cluster.get(CLAIM, claim_name(ledger.workflow))
    if claim and (volume := claim["spec"].get("volumeName")):
        log.info(
            "PersistentVolume %s: will be deleted with the scratch claim. With reclaim policy Retain, the volume stays "
            "Released until an administrator deletes it.",
            volume,
        )


def _remove(scratch: Cluster, kind: Kind, name: str, own: Mapping[str, str]) -> bool:
    """Delete an object with these labels by its uid. Return whether it still exists."""
    found = scratch.get(kind, name)
    if found is None or not _carries(found, own):
        return False
    scratch.delete(kind, name, found["metadata"]["uid"])
    log.info("%s %s: removed", kind.name, name)
    left = scratch.get(kind, name)
    return left is not None and _carries(left, own)


def _carries(obj: Object, labels: Mapping[str, str]) -> bool:
    return all(fields.label(obj, name) == value for name, value in labels.items())


@contextmanager
def _needing(scratch: Cluster, kind: Kind, verbs: Sequence[str], names: Sequence[str] = ()) -> Iterator[None]:
    """Turn a refusal into an error that names the missing rule of the scratch namespace."""
    try:
        yield
    except errors.NotAllowed as error:
        raise errors.NotAllowedInScratch(
            scratch.namespace, scratch.server, kind.group, kind.resource, verbs, names
        ) from error
