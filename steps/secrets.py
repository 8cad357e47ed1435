"""The Secrets of an installation: thirteen are saved, and those that the APIManager names; nine and these are restored.

The three with the databases' addresses are the user's to restore, as the documentation says, because a restored
installation may use other databases; system-memcache is saved and never restored, as the operator does.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from steps import errors, installation, marks, objects, volume
from steps.backup import Backup
from steps.cluster import Cluster, Object
from steps.installation import SECRET
from steps.manifest import Report
from steps.references import Reference, names, of_kind


def check(
    cluster: Cluster,
    *,
    optional: Collection[str],
    unneeded_keys: Collection[str] = (),
    named: Sequence[Reference] = (),
) -> None:
    """See that every Secret of the set is there and complete, and those that the APIManager names are there.

    Raises:
        errors.ObjectsMissing, errors.KeysMissing; as `objects.check`

    """
    found = {name: cluster.get(SECRET, name) for name in installation.SECRETS}
    if missing := [name for name, obj in found.items() if obj is None and name not in optional]:
        raise errors.ObjectsMissing(SECRET.name, missing, cluster.namespace)
    for obj in found.values():
        if obj is not None:
            check_keys(obj, cluster.namespace, unneeded_keys)
    objects.check(cluster, of_kind(named, SECRET))


def check_keys(obj: Object, namespace: str, unneeded: Collection[str] = ()) -> None:
    """See that a Secret has a value under each required key.

    Raises:
        errors.KeysMissing

    """
    name = obj["metadata"]["name"]
    required = [key for key in installation.REQUIRED_KEYS.get(name, ()) if key not in unneeded]
    if empty := objects.empty_keys(obj, required):
        raise errors.KeysMissing(SECRET.name, name, empty, namespace)


def save(cluster: Cluster, root: Path, *, optional: Collection[str], named: Sequence[Reference] = ()) -> Report:
    """Save the thirteen, and those that the APIManager names.

    Raises:
        errors.ObjectsMissing; as `objects.check`

    """
    objects.check(cluster, of_kind(named, SECRET))
    saved = objects.save_all(cluster, SECRET, installation.SECRETS, root, volume.SECRETS, optional=optional)
    more = objects.save_all(cluster, SECRET, names(named, SECRET), root, volume.REFERENCED_SECRETS)
    return Report(objects=saved | more)


def to_restore(backup: Backup) -> list[Object]:
    """Those of the nine that the backup holds (`zync` may be absent), and those that its APIManager names."""
    known = backup.objects(volume.SECRETS, installation.RESTORED_SECRETS)
    return [*known, *backup.all_objects(volume.REFERENCED_SECRETS)]


def restore(
    cluster: Cluster, backup: Backup, living: Collection[str], mark: marks.Mark, *, last_try: bool
) -> objects.Comparison:
    """Create them, keep those that say the same.

    Raises:
        as `objects.restore`

    """
    return objects.restore(cluster, SECRET, to_restore(backup), living, mark, last_try=last_try)
