"""Storage: the class of the backups' claims, the claim of System's files, and the room that quotas leave."""

from collections.abc import Iterator
from decimal import Decimal

from steps.contract import values
from steps.kubernetes import claims, fields, quotas
from steps.kubernetes.kinds import CLAIM, STORAGE_CLASS, Object
from steps.threescale import installation
from workflows.doctor.finding import Examination, Finding, Patient, State

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_OLD_DEFAULT = "storageclass.beta.kubernetes.io/is-default-class"  # Kubernetes still reads it
_GIB = 1 << 30
_FIELD = "backup.arguments storage-class"


def storage_class(patient: Patient) -> Iterator[Finding]:
    """StorageClass of backups: it exists, and what happens to a backup if its claim is deleted."""
    what, asked = "StorageClass of backups", patient.wanted.storage_class
    if asked == values.NO_CLASS:
        told = "The claims have no class, so each backup needs a PersistentVolume without a class."
        yield Finding(State.OK, what, told)
        return
    found = patient.cluster.list(STORAGE_CLASS)
    defaults = [each for each in found if is_default(each)]
    chosen = [each for each in found if each["metadata"]["name"] == asked] if asked else defaults
    if not chosen:
        yield _no_class(patient, asked, [each["metadata"]["name"] for each in found])
        return
    if not asked and len(defaults) > 1:
        names = ", ".join(each["metadata"]["name"] for each in defaults)
        told = f"Several classes are the default: {names}. Kubernetes takes the newest one."
        yield Finding(State.WARNING, what, told, f"Name one in {_FIELD} of {patient.file}.")
    newest = max(chosen, key=lambda each: str(each["metadata"].get("creationTimestamp")))
    yield from _reclaim(patient, newest)


def is_default(of_class: Object) -> bool:
    """Return whether claims that name no class get this one."""
    return any(fields.annotation(of_class, name) == "true" for name in (_DEFAULT, _OLD_DEFAULT))


def binding_mode(of_class: Object) -> str:
    """Return when a claim of this class gets its volume."""
    return str(of_class.get("volumeBindingMode") or "Immediate")  # Kubernetes' own default


def reclaim_policy(of_class: Object) -> str:
    """Return what happens to a volume whose claim is deleted."""
    return str(of_class.get("reclaimPolicy") or "Delete")  # Kubernetes' own default


def _no_class(patient: Patient, asked: str, names: list[str]) -> Finding:
    told = f"There is no StorageClass {asked}." if asked else "The cluster has no default StorageClass."
    known = f"The classes are: {', '.join(sorted(names))}." if names else "The cluster has no StorageClass."
    remedy = f"Name a class in {_FIELD} of {patient.file}."
    return Finding(State.ERROR, "StorageClass of backups", f"{told} {known}", remedy)


def _reclaim(patient: Patient, of_class: Object) -> Iterator[Finding]:
    name = of_class["metadata"]["name"]
    mode, policy = binding_mode(of_class), reclaim_policy(of_class)
    told = f"Class {name} binds volumes by mode {mode} and has the reclaim policy {policy}."
    if policy != "Delete":
        yield Finding(State.OK, "StorageClass of backups", told)
        return
    yield Finding(
        State.WARNING,
        "StorageClass of backups",
        f"{told} If you delete the namespace, you delete the backups.",
        f"For each backup NAME that must survive: pv=$(kubectl get pvc NAME -n {patient.namespace} "
        "-o jsonpath='{.spec.volumeName}'); kubectl patch pv $pv -p "
        """'{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'""",
    )


def system_storage(patient: Patient) -> Iterator[Finding]:
    """Claim of System's files: where pods can mount it."""
    what, name = "Claim of System's files", installation.SYSTEM_STORAGE
    claim = patient.cluster.get(CLAIM, name)
    if claim is None:
        told = f"There is no claim {name}. A restore creates it, and an installation with its files in S3 has none."
        yield Finding(State.NOT_TRIED, what, told)
        return
    modes = claim["spec"].get("accessModes") or []
    told = f"Claim {name} has the access mode {', '.join(modes)}."
    if modes == ["ReadWriteOncePod"]:
        told = f"{told} No other pod can mount it while a pod of System uses it."
        yield Finding(State.WARNING, what, told, "Use a claim with ReadWriteMany or ReadWriteOnce for System's files.")
    elif "ReadWriteMany" in modes:
        yield Finding(State.OK, what, told)
    else:
        yield Finding(State.OK, what, f"{told} The pods that copy it must run on the node of System's pods.")


def room(patient: Patient) -> Iterator[Finding]:
    """Room for a backup: what quotas leave for its claim."""
    what, asked = "Room for a backup", patient.wanted
    of_class = claims.class_of(asked.storage_class)
    spec = claims.spec_of("ReadWriteOnce", asked.storage_request, of_class)
    needs = quotas.needed([(CLAIM, claims.new("new", {}, {}, spec))])
    limits = [each for kind in quotas.KINDS for each in quotas.limits(patient.cluster, kind)]
    counted = [each for each in limits if each.resource in needs]
    short = [each for each in counted if each.hard - each.used < needs[each.resource]]
    for each in short:
        free, need = (_amount(each.resource, number) for number in (each.hard - each.used, needs[each.resource]))
        told = f"{each.quota} leaves {free} of {each.resource}, and a backup needs {need}."
        remedy = "Raise the quota, delete old backups, or set a smaller backup.arguments storage-request."
        yield Finding(State.ERROR, what, told, remedy)
    if not short:
        told = f"Quotas leave room for a claim of {asked.storage_request}." if counted else "No quota counts claims."
        yield Finding(State.OK, what, told)


def _amount(resource: str, number: Decimal | int) -> str:
    """Write a number of objects, or bytes in GiB."""
    return f"{float(number) / _GIB:.1f} GiB" if resource.endswith("requests.storage") else str(number)


EXAMINATIONS: tuple[Examination, ...] = (storage_class, system_storage, room)
