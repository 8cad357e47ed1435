"""What Secrets, ConfigMaps and the APIManager share: how an object is saved, and when one that is there may stay.

The form on the volume is the operator's: one raw JSON object a file, so that a field that nobody here knows survives.
"""

import copy
import hashlib
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from steps import errors, gitops, installation, interruption, marks, volume
from steps.cluster import Cluster, Object
from steps.installation import Kind
from steps.manifest import Digest
from steps.references import Reference, names

log = logging.getLogger(__name__)

# What only the server, or one cluster, can mean. The operator drops some of it, and its restore needs the rest gone too
# (a namespace, a resourceVersion or an owner of another cluster stops or undoes a create).
_DROPPED = (
    "clusterName",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
_DROPPED_ANNOTATIONS = (installation.LAST_APPLIED, marks.PREFIX)
_DROPPED_LABELS = (installation.WATCHED_SECRET_PREFIX,)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LONGEST_NAME = 253  # a DNS-1123 subdomain
_COMPARED = ("data", "binaryData")
# Kubernetes fills the first with the token of an account that the Secret names, and lets in whoever knows the second.
_BARRED = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")


def clean(obj: Object) -> Object:
    """An object as a backup holds it: a deep copy without what only its server or cluster can mean."""
    kept = {key: value for key, value in copy.deepcopy(obj).items() if key != "status"}
    metadata = {key: value for key, value in kept["metadata"].items() if key not in _DROPPED}
    for key, prefixes in (("annotations", _DROPPED_ANNOTATIONS), ("labels", _DROPPED_LABELS)):
        values = {
            name: value for name, value in (metadata.pop(key, None) or {}).items() if not name.startswith(prefixes)
        }
        if values:
            metadata[key] = values
    return {**kept, "metadata": metadata}


def content(obj: Object) -> bytes:
    """An object as it lies on the volume."""
    return volume.as_json(clean(obj))


def size(obj: Object) -> str:
    """How much that is, for a plan."""
    return f"{len(content(obj))} bytes"


def save(root: Path, path: str, obj: Object) -> Digest:
    """Write one object to the volume and return the digest of the bytes as they came from the source."""
    data = content(obj)
    volume.write(root, path, data)
    return Digest(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def save_all(  # noqa: PLR0913  what, from where, to where
    cluster: Cluster,
    kind: Kind,
    names: Sequence[str],
    root: Path,
    folder: str,
    *,
    optional: Collection[str] = (),
    known: Mapping[str, Object] = MappingProxyType({}),
) -> dict[str, Digest]:
    """Save the objects of these names as a folder that holds nothing else; those in `optional` may be absent.

    Those in `known` were read already, by name.

    Raises:
        errors.ObjectsMissing: after all that is there was saved.

    """
    for part in (folder.partition("/")[0], folder):
        volume.make_folder(root, part)
    volume.clear(root, folder)
    saved, missing = {}, []
    for name in names:
        interruption.point()
        obj = known[name] if name in known else cluster.get(kind, name)
        if obj is not None:
            path = f"{folder}/{name}.json"
            saved[path] = save(root, path, obj)
            log.info("%s %s: saved, %d bytes", kind.name, name, saved[path].size)
        elif name in optional:
            log.info("%s %s: absent, as it may be", kind.name, name)
        else:
            missing.append(name)
    if missing:
        raise errors.ObjectsMissing(kind.name, missing, cluster.namespace)
    return saved


def absent(cluster: Cluster, references: Iterable[Reference]) -> list[Reference]:
    """Those that lead to nothing in the namespace.

    Raises:
        errors.NamesNotAllowed: the Role lacks names, all of them are in the sentence.

    """
    all_of_them = list(references)
    missing = set()
    for kind in (installation.SECRET, installation.CONFIGMAP):
        missing |= {(kind, name) for name in allowed(cluster, kind, names(all_of_them, kind)).missing}
    return [each for each in all_of_them if (each.kind, each.name) in missing]


class Looked(NamedTuple):
    """What is there of some names of a kind, and the refusals to say so."""

    found: dict[str, Object]
    missing: list[str]
    refused: dict[str, errors.NotAllowed]


def look(cluster: Cluster, kind: Kind, names: Iterable[str]) -> Looked:
    """Read the objects of these names; one that no object can have is not asked for, it would be part of a URL."""
    looked = Looked({}, [], {})
    for name in names:
        interruption.point()
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
            looked.missing.append(name)
            continue
        try:
            obj = cluster.get(kind, name)
        except errors.NotAllowed as error:
            looked.refused[name] = error
            continue
        if obj is None:
            looked.missing.append(name)
        else:
            looked.found[name] = obj
    return looked


def allowed(cluster: Cluster, kind: Kind, names: Iterable[str]) -> Looked:
    """Read the objects of these names, all of which the Role must let be read.

    Raises:
        errors.NamesNotAllowed: all names that it lacks are in the sentence.

    """
    looked = look(cluster, kind, names)
    if looked.refused:
        raise errors.NamesNotAllowed(kind.resource, list(looked.refused), cluster.namespace, cluster.server)
    return looked


def empty_keys(obj: Object, required: Iterable[str]) -> list[str]:
    """Name the required keys that are absent or empty."""
    data = obj.get("data") or {}
    return [key for key in required if not data.get(key)]


REFUSE = "refuse"
KEEP = "keep"
REPLACE = "replace"


class Conflict(NamedTuple):
    """What becomes of objects that say something else, and what the phases before have told of them."""

    asked: str = REFUSE
    differing: Collection[str] = ()  # names of those that differed when it was planned
    versions: Mapping[str, str] = {}  # resourceVersions of those that were saved, by name
    saved_to: str = ""  # the claim that holds them


REFUSED = Conflict()


class State(Enum):
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
    state: State
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
        return _type(self.obj) if self.obj["kind"] == installation.SECRET.name else ""

    def is_barred(self, asked: str) -> bool:
        """Whether a restore would write a Secret of a type that it never writes."""
        is_written = self.state is State.ABSENT or (self.state is State.DIFFERS and asked == REPLACE)
        return is_written and self.type in _BARRED

    def __str__(self) -> str:
        return named(self.obj)


def named(obj: Object) -> str:
    """An object as `Kind name`."""
    return f"{obj['kind']} {obj['metadata']['name']}"


def compare(
    cluster: Cluster, kind: Kind, saved: Iterable[Object], living: Collection[str], mark: marks.Mark
) -> list[Standing]:
    """Hold saved objects against those in the namespace; `living` are the uids of the APIManagers that exist.

    Raises:
        errors.NamesNotAllowed: the Role lacks names, all of them are in the sentence.

    """
    saved, standings = list(saved), []
    looked = allowed(cluster, kind, [obj["metadata"]["name"] for obj in saved])
    for obj in saved:
        found = looked.found.get(obj["metadata"]["name"])
        also = gitops.owner(found or obj)
        if found is None:
            standings.append(Standing(obj, State.ABSENT, also=also))
        elif reason := going(found, living):
            standings.append(Standing(obj, State.GOING, reason, also, found))
        elif keys := differing_keys(obj, found):
            standings.append(Standing(obj, State.DIFFERS, ", ".join(keys), also, found))
        elif mark.on(found):
            standings.append(Standing(obj, State.MADE, marks.annotation(found, marks.REPLACED), also, found))
        else:
            standings.append(Standing(obj, State.SAME, also=also, found=found))
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
    differing = [each for each in found if each.state is State.DIFFERS]
    if differing and asked == REFUSE:
        raise errors.ObjectsDiffer(namespace, [f"{each}: {each.why}" for each in differing])
    if asked == REPLACE and (fixed := [f"{each}: {each.fixed}" for each in differing if each.fixed]):
        raise errors.NotReplaceable(namespace, fixed)
    if leaving := [f"{each} {each.why}" for each in found if each.state is State.GOING]:
        raise (errors.ObjectsGoingStill if last_try else errors.ObjectsGoing)(namespace, leaving)


def try_replacing(cluster: Cluster, kind: Kind, each: Standing, mark: marks.Mark) -> None:
    """Ask the server whether it would replace an object, before anything is saved or emptied for it.

    Raises:
        errors.NotAllowed, errors.Rejected: the Role lacks `update`, or admission refuses.

    """
    cluster.replace(kind, _replacement(each, mark, ""), dry_run=True)


def going(obj: Object, living: Collection[str]) -> str:
    """Say why an object is about to vanish, empty if it is not.

    The garbage collector takes an object when all its owners are gone. Whether an owner of a kind other than APIManager
    lives can't be asked with the rights of a restore, so such an owner counts as alive.
    """
    metadata = obj["metadata"]
    if metadata.get("deletionTimestamp"):
        return "is being deleted"
    owners = metadata.get("ownerReferences") or []
    if owners and all(owner["kind"] == installation.APIMANAGER.name and owner["uid"] not in living for owner in owners):
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


def restore(  # noqa: PLR0913  where to, what, and what may be there
    cluster: Cluster,
    kind: Kind,
    saved: Iterable[Object],
    living: Collection[str],
    mark: marks.Mark,
    *,
    planned: Collection[str] | None = None,
    conflict: Conflict = REFUSED,
    last_try: bool,
) -> list[Standing]:
    """Create what is absent, with the mark, once nothing speaks against it; keep what says the same.

    What says something else is kept or replaced where that was asked for: by the version that was saved, no other.

    `planned` are the names of those that somebody else had made when the restore was planned; None: nobody knows.

    Raises:
        as `refuse`, before the first object is created; errors.ChangedSincePlan, errors.AlreadyExists

    """
    standings = compare(cluster, kind, saved, living, mark)
    refuse(standings, cluster.namespace, last_try=last_try, asked=conflict.asked)
    changed = [] if planned is None else list(_changes(standings, planned, conflict))
    if conflict.asked == REPLACE:
        changed += _unsaved(standings, conflict.versions)
    if changed:
        raise errors.ChangedSincePlan(cluster.namespace, changed)
    for each in standings:
        interruption.point()
        if each.state is State.ABSENT:
            cluster.create(kind, marked(each.obj, mark))
            log.info("%s: created", each)
        elif each.state is not State.DIFFERS:
            log.info("%s: kept, it says the same", each)
        elif conflict.asked == REPLACE:
            cluster.replace(kind, _replacement(each, mark, conflict.saved_to))
            log.info("%s: replaced (%s), what was there is in claim %s", each, each.why, conflict.saved_to)
        else:
            log.info("%s: kept, though it differs (%s)", each, each.why)
    return standings


def _changes(standings: Iterable[Standing], planned: Collection[str], conflict: Conflict) -> Iterator[str]:
    for each in standings:
        name = each.obj["metadata"]["name"]
        was_there, differed = name in planned, name in conflict.differing
        if each.state is State.SAME and not was_there and not differed:
            yield f"{each} has appeared"
        elif each.state is State.DIFFERS and not differed and conflict.asked != REPLACE:
            yield f"{each} differs now"
        elif (each.state is not State.SAME and was_there) or (each.state is State.ABSENT and differed):
            yield f"{each} is gone"


def _unsaved(standings: Iterable[Standing], versions: Mapping[str, str]) -> Iterator[str]:
    """Name what would be replaced and is not as it was saved."""
    for each in standings:
        if each.state is State.DIFFERS and each.found:
            metadata = each.found["metadata"]
            if metadata["name"] not in versions:
                yield f"{each} differs now"
            elif metadata["resourceVersion"] != versions[metadata["name"]]:
                yield f"{each} has changed after it was saved"


def _replacement(each: Standing, mark: marks.Mark, saved_to: str) -> Object:
    """The object that is there, with the backup's data, and with its labels and annotations beside those there."""
    found, ours = each.found or {}, marked(each.obj, mark)
    metadata = dict(found["metadata"])
    for part, more in (("labels", {}), ("annotations", {marks.REPLACED: each.why, marks.SAVED_TO: saved_to})):
        if values := {**(metadata.get(part) or {}), **(ours["metadata"].get(part) or {}), **more}:
            metadata[part] = values
    kept = {key: value for key, value in found.items() if key not in _COMPARED}
    return {**kept, **{key: ours[key] for key in _COMPARED if ours.get(key)}, "metadata": metadata}


def marked(obj: Object, mark: marks.Mark) -> Object:
    """The object with the annotations of a restore, and the labels of a drill."""
    metadata: dict[str, Any] = clean(obj)["metadata"]
    annotations = {**metadata.get("annotations", {}), **mark.annotations()}
    labels = {**metadata.get("labels", {}), **mark.labels}
    return {
        **clean(obj),
        "metadata": {**metadata, **({"labels": labels} if labels else {}), "annotations": annotations},
    }
