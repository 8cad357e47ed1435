"""Restores saved objects to a namespace: missing ones are created, and those that differ are kept or replaced."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from steps import errors
from steps.archive import marks
from steps.archive.marks import Mark
from steps.kubernetes import fields, kinds
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import Kind, Object
from steps.parts import controllers, objects
from steps.process import interruption

log = logging.getLogger(__name__)

_COMPARED = ("data", "binaryData")
# Kubernetes writes the token of an account into the first. Whoever knows the second may sign in to the cluster.
_BARRED = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")


REFUSE = "refuse"
KEEP = "keep"
REPLACE = "replace"


class OnConflict(NamedTuple):
    """What to do with objects that differ from the backup, and what earlier phases reported about them."""

    asked: str = REFUSE
    differing: Collection[str] = ()  # names of the objects that differed in the plan
    versions: Mapping[str, str] = {}  # resourceVersions of the saved objects, by name
    saved_to: str = ""  # the claim that holds the saved objects
    planned: Collection[str] | None = None  # names of equal objects that the plan found; None: unknown


REFUSED = OnConflict()


class Target(NamedTuple):
    """Where objects are restored to: a namespace, the uids of its APIManagers, and the mark for created objects."""

    cluster: Cluster
    living: Collection[str]
    mark: Mark


class ObjectState(Enum):
    """How a saved object compares with the namespace."""

    ABSENT = "absent"
    MADE = "made"  # by a restore of this backup, and still equal to the backup
    SAME = "same"  # not made by a restore of this backup, but equal to it
    DIFFERS = "differs"
    GOING = "going"


class Standing(NamedTuple):
    """A saved object compared with the namespace. `why` names the keys that differ, or why the object vanishes.

    If a restore of this backup has replaced the object, `why` names the keys that differed before.
    """

    obj: Object
    state: ObjectState
    why: str = ""
    also: tuple[str, ...] = ()  # warnings of other controllers that may write it too
    found: Object | None = None

    @property
    def fixed(self) -> str:
        """Why it can't be replaced in place, empty where it can."""
        if (self.found or {}).get("immutable"):
            return "immutable"
        return "of another type" if _type(self.obj) != _type(self.found or self.obj) else ""

    @property
    def type(self) -> str:
        """The type of a Secret, empty for other kinds."""
        return _type(self.obj) if self.obj["kind"] == kinds.SECRET.name else ""

    def is_barred(self, asked: str) -> bool:
        """Whether a restore would write a Secret of a type that it never writes."""
        is_written = self.state is ObjectState.ABSENT or (self.state is ObjectState.DIFFERS and asked == REPLACE)
        return is_written and self.type in _BARRED

    def __str__(self) -> str:
        return objects.named(self.obj)


def compare(target: Target, kind: Kind, saved: Iterable[Object]) -> list[Standing]:
    """Compare saved objects with those in the namespace.

    Raises:
        errors.NamesNotAllowed: the Role lacks names, all of them are in the sentence.

    """
    saved, standings = list(saved), []
    looked = objects.allowed(target.cluster, kind, [obj["metadata"]["name"] for obj in saved])
    for obj in saved:
        found = looked.found.get(obj["metadata"]["name"])
        also = tuple(controllers.warnings(found or obj))
        if found is None:
            standings.append(Standing(obj, ObjectState.ABSENT, also=also))
        elif reason := going(found, target.living):
            standings.append(Standing(obj, ObjectState.GOING, reason, also, found))
        elif keys := differing_keys(obj, found):
            standings.append(Standing(obj, ObjectState.DIFFERS, ", ".join(keys), also, found))
        elif target.mark.on(found):
            standings.append(Standing(obj, ObjectState.MADE, fields.annotation(found, marks.REPLACED), also, found))
        else:
            standings.append(Standing(obj, ObjectState.SAME, also=also, found=found))
    return standings


def refuse(standings: Iterable[Standing], namespace: str, *, last_try: bool, asked: str = REFUSE) -> None:
    """Pass if every object is missing or equal, or if `asked` allows those that differ.

    Raises:
        errors.TypesRefused: a Secret is of a type that a restore never writes.
        errors.ObjectsDiffer: an object has other values; the keys are named.
        errors.NotReplaceable: an object is to be replaced, and can't be.
        errors.ObjectsGoing, on the last try errors.ObjectsGoingStill: an object is about to be deleted.

    """
    found = list(standings)
    if barred := [f"{each} (type {each.type})" for each in found if each.is_barred(asked)]:
        raise errors.TypesRefused(namespace, barred)
    differing = [each for each in found if each.state is ObjectState.DIFFERS]
    if differing and asked == REFUSE:
        raise errors.ObjectsDiffer(namespace, [f"{each}: {each.why}" for each in differing])
    if asked == REPLACE and (fixed := [f"{each}: {each.fixed}" for each in differing if each.fixed]):
        raise errors.NotReplaceable(namespace, fixed)
    if leaving := [f"{each} {each.why}" for each in found if each.state is ObjectState.GOING]:
        raise (errors.ObjectsGoingStill if last_try else errors.ObjectsGoing)(namespace, leaving)


def try_replacing(cluster: Cluster, kind: Kind, each: Standing, mark: Mark) -> Object:
    """Ask the server whether it would replace an object, before anything is saved or emptied for it.

    Raises:
        errors.NotAllowed, errors.Rejected: the Role lacks `update`, or admission refuses. errors.NoDryRun

    """
    return cluster.replace(kind, _replacement(each, mark, ""), dry_run=True)


def going(obj: Object, living: Collection[str]) -> str:
    """Why an object is about to be deleted, empty if it is not.

    The garbage collector deletes an object when all its owners are gone. A restore may read no owners of other kinds
    than APIManager, so those count as alive.
    """
    if fields.is_going(obj):
        return "is being deleted"
    owners = fields.owners(obj)
    if owners and all(owner["kind"] == kinds.APIMANAGER.name and owner["uid"] not in living for owner in owners):
        return f"belongs to APIManager {owners[0]['name']}, which is gone"
    return ""


def differing_keys(saved: Object, found: Object) -> list[str]:
    """Name what differs in type, data and binaryData."""
    keys = ["type"] if _type(saved) != _type(found) else []
    for part in _COMPARED:
        ours, theirs = saved.get(part) or {}, found.get(part) or {}
        keys += [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
    return keys


def _type(obj: Object) -> str:
    return str(obj.get("type", "Opaque"))


def restore(
    target: Target, kind: Kind, saved: Iterable[Object], *, conflict: OnConflict = REFUSED, last_try: bool
) -> list[Standing]:
    """Check all objects, then create the missing ones with the mark. Equal objects stay unchanged.

    An object that differs is kept or replaced as asked. It is replaced only in the version that was saved.

    Raises:
        as `refuse`, before the first object is created; errors.ChangedSincePlan, errors.AlreadyExists

    """
    cluster, standings = target.cluster, compare(target, kind, saved)
    refuse(standings, cluster.namespace, last_try=last_try, asked=conflict.asked)
    changed = [] if conflict.planned is None else list(_changes(standings, conflict.planned, conflict))
    if conflict.asked == REPLACE:
        changed += _unsaved(standings, conflict.versions)
    if changed:
        raise errors.ChangedSincePlan(cluster.namespace, changed)
    for each in standings:
        interruption.point()
        if each.state is ObjectState.ABSENT:
            cluster.create(kind, objects.marked(each.obj, target.mark))
            log.info("%s: created", each)
        elif each.state is not ObjectState.DIFFERS:
            log.info("%s: unchanged, its data equals the backup", each)
        elif conflict.asked == REPLACE:
            cluster.replace(kind, _replacement(each, target.mark, conflict.saved_to))
            log.info("%s: replaced (%s), the previous contents are in claim %s", each, each.why, conflict.saved_to)
        else:
            log.info("%s: not replaced, although it differs (%s)", each, each.why)
    return standings


def _changes(standings: Iterable[Standing], planned: Collection[str], conflict: OnConflict) -> Iterator[str]:
    for each in standings:
        name = each.obj["metadata"]["name"]
        was_there, differed = name in planned, name in conflict.differing
        if each.state is ObjectState.SAME and not was_there and not differed:
            yield f"{each} has appeared"
        elif each.state is ObjectState.DIFFERS and not differed and conflict.asked != REPLACE:
            yield f"{each} differs now"
        elif (each.state is not ObjectState.SAME and was_there) or (each.state is ObjectState.ABSENT and differed):
            yield f"{each} is gone"


def _unsaved(standings: Iterable[Standing], versions: Mapping[str, str]) -> Iterator[str]:
    """The objects that would be replaced and have changed since they were saved, or were not saved."""
    for each in standings:
        if each.state is ObjectState.DIFFERS and each.found:
            metadata = each.found["metadata"]
            if metadata["name"] not in versions:
                yield f"{each} differs now"
            elif metadata["resourceVersion"] != versions[metadata["name"]]:
                yield f"{each} has changed after it was saved"


def _replacement(each: Standing, mark: Mark, saved_to: str) -> Object:
    """The existing object with the data of the backup, and with the labels and annotations of both."""
    found, ours = each.found or {}, objects.marked(each.obj, mark)
    metadata = dict(found["metadata"])
    for part, more in (("labels", {}), ("annotations", {marks.REPLACED: each.why, marks.SAVED_TO: saved_to})):
        if values := {**(metadata.get(part) or {}), **(ours["metadata"].get(part) or {}), **more}:
            metadata[part] = values
    kept = {key: value for key, value in found.items() if key not in _COMPARED}
    return {**kept, **{key: ours[key] for key in _COMPARED if ours.get(key)}, "metadata": metadata}
