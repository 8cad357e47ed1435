"""Saved objects come to a namespace: created where they are absent, kept or replaced where something else is there."""

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
from steps.parts import gitops, objects
from steps.process import interruption

log = logging.getLogger(__name__)

_COMPARED = ("data", "binaryData")
# Kubernetes fills the first with the token of an account that the Secret names, and lets in whoever knows the second.
_BARRED = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")


REFUSE = "refuse"
KEEP = "keep"
REPLACE = "replace"


class OnConflict(NamedTuple):
    """What becomes of objects that say something else, and what the phases before have told of them."""

    asked: str = REFUSE
    differing: Collection[str] = ()  # names of those that differed when it was planned
    versions: Mapping[str, str] = {}  # resourceVersions of those that were saved, by name
    saved_to: str = ""  # the claim that holds them
    planned: Collection[str] | None = None  # names of those that were somebody else's then; None: nobody knows


REFUSED = OnConflict()


class Target(NamedTuple):
    """Where objects are restored to: a namespace, the uids of the APIManagers in it, and the mark for what is made."""

    cluster: Cluster
    living: Collection[str]
    mark: Mark


class ObjectState(Enum):
    """How a saved object stands to a namespace."""

    ABSENT = "absent"
    MADE = "made"  # by a restore of this backup, and it says the same still
    SAME = "same"  # as somebody else's
    DIFFERS = "differs"
    GOING = "going"


class Standing(NamedTuple):
    """A saved object held against a namespace: the keys that differ, or why it goes; and who else writes it.

    For one that a restore of this backup has replaced `why` names the keys that had differed.
    """

    obj: Object
    state: ObjectState
    why: str = ""
    also: str = ""  # a GitOps controller
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
    """Hold saved objects against those in the namespace.

    Raises:
        errors.NamesNotAllowed: the Role lacks names, all of them are in the sentence.

    """
    saved, standings = list(saved), []
    looked = objects.allowed(target.cluster, kind, [obj["metadata"]["name"] for obj in saved])
    for obj in saved:
        found = looked.found.get(obj["metadata"]["name"])
        also = gitops.owner(found or obj)
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
    """Pass if every object is absent, says the same, or something else is `asked` for those that do not.

    Raises:
        errors.TypesRefused: a Secret is of a type that a restore never writes.
        errors.ObjectsDiffer: another value is there; the keys are named.
        errors.NotReplaceable: it shall be replaced, and can't be.
        errors.ObjectsGoing, on the last try errors.ObjectsGoingStill: one is about to be deleted.

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
    """Say why an object is about to vanish, empty if it is not.

    The garbage collector takes an object when all its owners are gone. Whether an owner of a kind other than APIManager
    lives can't be asked with the rights of a restore, so such an owner counts as alive.
    """
    metadata = obj["metadata"]
    if fields.is_going(obj):
        return "is being deleted"
    owners = metadata.get("ownerReferences") or []
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
    """Create what is absent, with the mark, once nothing speaks against it; keep what says the same.

    What says something else is kept or replaced where that was asked for: by the version that was saved, no other.

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
            log.info("%s: kept, it says the same", each)
        elif conflict.asked == REPLACE:
            cluster.replace(kind, _replacement(each, target.mark, conflict.saved_to))
            log.info("%s: replaced (%s), what was there is in claim %s", each, each.why, conflict.saved_to)
        else:
            log.info("%s: kept, though it differs (%s)", each, each.why)
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
    """Name what would be replaced and is not as it was saved."""
    for each in standings:
        if each.state is ObjectState.DIFFERS and each.found:
            metadata = each.found["metadata"]
            if metadata["name"] not in versions:
                yield f"{each} differs now"
            elif metadata["resourceVersion"] != versions[metadata["name"]]:
                yield f"{each} has changed after it was saved"


def _replacement(each: Standing, mark: Mark, saved_to: str) -> Object:
    """The object that is there, with the backup's data, and with its labels and annotations beside those there."""
    found, ours = each.found or {}, objects.marked(each.obj, mark)
    metadata = dict(found["metadata"])
    for part, more in (("labels", {}), ("annotations", {marks.REPLACED: each.why, marks.SAVED_TO: saved_to})):
        if values := {**(metadata.get(part) or {}), **(ours["metadata"].get(part) or {}), **more}:
            metadata[part] = values
    kept = {key: value for key, value in found.items() if key not in _COMPARED}
    return {**kept, **{key: ours[key] for key in _COMPARED if ours.get(key)}, "metadata": metadata}
