"""The ConfigMaps of an installation that users edit and the operator would not bring back, and those that are named.

Two are the operator's own backup's. Two more are made by the operator once and then left to the user (`system` holds
the service discovery): its backup passes over them.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from steps import errors, installation, marks, objects, volume
from steps.backup import Backup
from steps.cluster import Cluster, Object
from steps.installation import CONFIGMAP
from steps.manifest import Report
from steps.objects import REFUSED, Conflict, Standing
from steps.references import Reference, names, of_kind


def check(cluster: Cluster, named: Sequence[Reference] = ()) -> None:
    """See that every ConfigMap of the set is there, and those that the APIManager names.

    Raises:
        errors.ObjectsMissing; as `objects.check`

    """
    if missing := [name for name in installation.CONFIGMAPS if cluster.get(CONFIGMAP, name) is None]:
        raise errors.ObjectsMissing(CONFIGMAP.name, missing, cluster.namespace)
    objects.check(cluster, of_kind(named, CONFIGMAP))


def save(cluster: Cluster, root: Path, named: Sequence[Reference] = ()) -> Report:
    """Save the four, and those that the APIManager names.

    Raises:
        errors.ObjectsMissing; as `objects.check`

    """
    objects.check(cluster, of_kind(named, CONFIGMAP))
    saved = objects.save_all(cluster, CONFIGMAP, installation.CONFIGMAPS, root, volume.CONFIGMAPS)
    more = [*installation.EDITED_CONFIGMAPS, *names(named, CONFIGMAP)]
    made_again = installation.EDITED_CONFIGMAPS  # by the operator, where one is gone
    return Report(
        objects=saved
        | objects.save_all(cluster, CONFIGMAP, more, root, volume.REFERENCED_CONFIGMAPS, optional=made_again)
    )


def to_restore(backup: Backup) -> list[Object]:
    """Those that the backup holds."""
    known = backup.objects(volume.CONFIGMAPS, installation.CONFIGMAPS)
    return [*known, *backup.all_objects(volume.REFERENCED_CONFIGMAPS)]


def restore(  # noqa: PLR0913  where to, what, and what may be there
    cluster: Cluster,
    backup: Backup,
    living: Collection[str],
    mark: marks.Mark,
    *,
    last_try: bool,
    planned: Collection[str] | None = None,
    conflict: Conflict = REFUSED,
) -> list[Standing]:
    """Create them, keep those that say the same, do with others as asked.

    Raises:
        as `objects.restore`

    """
    wanted = to_restore(backup)
    return objects.restore(
        cluster, CONFIGMAP, wanted, living, mark, planned=planned, conflict=conflict, last_try=last_try
    )
