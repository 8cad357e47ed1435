"""The Secrets of an installation: thirteen are saved, the nine of the operator's code are restored.

The three with the databases' addresses are the user's to restore, as the documentation says, because a restored
installation may use other databases; system-memcache is saved and never restored, as the operator does.
"""

from collections.abc import Collection
from pathlib import Path

from steps import errors, installation, marks, objects, volume
from steps.backup import Backup
from steps.cluster import Cluster, Object
from steps.installation import SECRET
from steps.manifest import Report


def check(cluster: Cluster, *, optional: Collection[str], unneeded_keys: Collection[str] = ()) -> None:
    """See that every Secret of the set is there and complete.

    Raises:
        errors.ObjectsMissing, errors.KeysMissing

    """
    found = {name: cluster.get(SECRET, name) for name in installation.SECRETS}
    if missing := [name for name, obj in found.items() if obj is None and name not in optional]:
        raise errors.ObjectsMissing(SECRET.name, missing, cluster.namespace)
    for obj in found.values():
        if obj is not None:
            check_keys(obj, cluster.namespace, unneeded_keys)


def check_keys(obj: Object, namespace: str, unneeded: Collection[str] = ()) -> None:
    """See that a Secret has a value under each required key.

    Raises:
        errors.KeysMissing

    """
    name = obj["metadata"]["name"]
    required = [key for key in installation.REQUIRED_KEYS.get(name, ()) if key not in unneeded]
    if empty := objects.empty_keys(obj, required):
        raise errors.KeysMissing(SECRET.name, name, empty, namespace)


def save(cluster: Cluster, root: Path, *, optional: Collection[str]) -> Report:
    """Save the thirteen.

    Raises:
        errors.ObjectsMissing

    """
    saved = objects.save_all(cluster, SECRET, installation.SECRETS, root, volume.SECRETS, optional=optional)
    return Report(objects=saved)


def to_restore(backup: Backup) -> list[Object]:
    """Those of the nine that the backup holds; `zync` may be absent."""
    return backup.objects(volume.SECRETS, installation.RESTORED_SECRETS)


def restore(
    cluster: Cluster, backup: Backup, living: Collection[str], mark: marks.Mark, *, last_try: bool
) -> objects.Comparison:
    """Create the nine, keep those that say the same.

    Raises:
        as `objects.restore`

    """
    return objects.restore(cluster, SECRET, to_restore(backup), living, mark, last_try=last_try)
