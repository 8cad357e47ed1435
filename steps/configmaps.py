"""The ConfigMaps of an installation that users edit and the operator would not bring back."""

from collections.abc import Collection
from pathlib import Path

from steps import errors, installation, marks, objects, volume
from steps.backup import Backup
from steps.cluster import Cluster, Object
from steps.installation import CONFIGMAP
from steps.manifest import Report


def check(cluster: Cluster) -> None:
    """See that every ConfigMap of the set is there.

    Raises:
        errors.ObjectsMissing

    """
    if missing := [name for name in installation.CONFIGMAPS if cluster.get(CONFIGMAP, name) is None]:
        raise errors.ObjectsMissing(CONFIGMAP.name, missing, cluster.namespace)


def save(cluster: Cluster, root: Path) -> Report:
    """Save both.

    Raises:
        errors.ObjectsMissing

    """
    return Report(objects=objects.save_all(cluster, CONFIGMAP, installation.CONFIGMAPS, root, volume.CONFIGMAPS))


def to_restore(backup: Backup) -> list[Object]:
    """Those that the backup holds."""
    return backup.objects(volume.CONFIGMAPS, installation.CONFIGMAPS)


def restore(
    cluster: Cluster, backup: Backup, living: Collection[str], mark: marks.Mark, *, last_try: bool
) -> objects.Comparison:
    """Create both, keep those that say the same.

    Raises:
        as `objects.restore`

    """
    return objects.restore(cluster, CONFIGMAP, to_restore(backup), living, mark, last_try=last_try)
