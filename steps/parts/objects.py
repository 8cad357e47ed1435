"""What Secrets, ConfigMaps and the APIManager share: how an object is saved and read.

The form on the volume is the operator's: one raw JSON object a file. So fields that this tool does not know survive.
"""

import copy
import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from steps import errors
from steps.archive import layout
from steps.archive.manifest import Digest
from steps.archive.marks import Mark
from steps.contract import values
from steps.contract.names import PREFIX
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import Kind, Object
from steps.parts import controllers
from steps.process import interruption
from steps.threescale import installation
from steps.threescale.references import Reference, names

log = logging.getLogger(__name__)

# Fields that are valid only on their server or cluster. The operator drops some of them. Its restore needs the others
# dropped too: a namespace, a resourceVersion or an owner of another cluster makes a create fail or be undone.
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
_DROPPED_ANNOTATIONS = (installation.LAST_APPLIED, PREFIX)
_DROPPED_LABELS = (installation.WATCHED_SECRET_PREFIX,)


def clean(obj: Object) -> Object:
    """An object as a backup holds it: a deep copy without fields that are valid only on its server or cluster."""
    kept = {key: value for key, value in copy.deepcopy(obj).items() if key != "status"}
    metadata = {key: value for key, value in kept["metadata"].items() if key not in _DROPPED}
    for key, prefixes in (("annotations", _DROPPED_ANNOTATIONS), ("labels", _DROPPED_LABELS)):
        texts = {
            name: value for name, value in (metadata.pop(key, None) or {}).items() if not name.startswith(prefixes)
        }
        if texts:
            metadata[key] = texts
    return {**kept, "metadata": metadata}


def content(obj: Object) -> bytes:
    """The bytes of an object as they are on the volume."""
    return layout.as_json(clean(obj))


def size(obj: Object) -> str:
    """The size of an object on the volume, for a plan."""
    return f"{len(content(obj))} bytes"


def save(root: Path, path: str, obj: Object) -> Digest:
    """Write one object to the volume and return the digest of its bytes."""
    data = content(obj)
    layout.write(root, path, data)
    return Digest(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def absent(cluster: Cluster, references: Iterable[Reference]) -> list[Reference]:
    """The references whose object is missing in the namespace.

    Raises:
        errors.NamesNotAllowed: the Role lacks names; the message lists all of them.

    """
    all_of_them = list(references)
    missing = set()
    for kind in layout.PLACES:
        missing |= {(kind, name) for name in allowed(cluster, kind, names(all_of_them, kind)).missing}
    return [each for each in all_of_them if (each.kind, each.name) in missing]


class Looked(NamedTuple):
    """The objects found by their names, the names that are missing, and those that the server refused to read."""

    found: dict[str, Object]
    missing: list[str]
    refused: dict[str, errors.NotAllowed]


def look(cluster: Cluster, kind: Kind, names: Iterable[str]) -> Looked:
    """Read the objects of these names. An invalid name is not asked for, because it would become part of a URL."""
    looked = Looked({}, [], {})
    for name in names:
        interruption.point()
        if not values.OBJECT.fits(name):
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
    """Read the objects of these names. The Role must allow all of them.

    Raises:
        errors.NamesNotAllowed: the message lists all names that the Role lacks.

    """
    looked = look(cluster, kind, names)
    if looked.refused:
        raise errors.NamesNotAllowed(kind.resource, list(looked.refused), cluster.namespace, cluster.server)
    return looked


def empty_keys(obj: Object, required: Iterable[str]) -> list[str]:
    """The required keys that are missing or empty."""
    data = obj.get("data") or {}
    return [key for key in required if not data.get(key)]


def named(obj: Object) -> str:
    """An object as `Kind name`."""
    return f"{obj['kind']} {obj['metadata']['name']}"


def marked(obj: Object, mark: Mark) -> Object:
    """The object with the annotations of a restore and the labels of a drill, without marks that mean one cluster."""
    cleaned = clean(controllers.without(obj))
    metadata: dict[str, Any] = cleaned["metadata"]
    annotations = {**metadata.get("annotations", {}), **mark.annotations()}
    labels = {**metadata.get("labels", {}), **mark.labels}
    return {
        **cleaned,
        "metadata": {**metadata, **({"labels": labels} if labels else {}), "annotations": annotations},
    }
