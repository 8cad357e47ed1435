"""The ConfigMaps that users edit and the operator would not restore, and those that the APIManager names.

Two of them are in the operator's own backup too. The operator creates two more once and then leaves them to the user;
its own backup skips them. One of these is `system`, with the service discovery.
"""

from collections.abc import Sequence
from pathlib import Path

from steps.archive import layout
from steps.archive.contents import Backup
from steps.archive.manifest import Report
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CONFIGMAP, Object
from steps.parts import conflicts, selection
from steps.parts.conflicts import REFUSED, OnConflict, Standing, Target
from steps.parts.selection import Selection
from steps.threescale import installation
from steps.threescale.references import Reference, names, of_kind


def to_save(named: Sequence[Reference] = ()) -> list[Selection]:
    """The four ConfigMaps, and those that the APIManager names."""
    of_configmaps = of_kind(named, CONFIGMAP)
    made_again = installation.EDITED_CONFIGMAPS  # the operator recreates a missing one
    more = [*made_again, *names(of_configmaps, CONFIGMAP)]
    return [
        Selection(CONFIGMAP, layout.CONFIGMAPS, installation.CONFIGMAPS),
        Selection(CONFIGMAP, layout.REFERENCED_CONFIGMAPS, more, optional=made_again, named=of_configmaps),
    ]


def save(cluster: Cluster, root: Path, named: Sequence[Reference] = ()) -> Report:
    """Save the four ConfigMaps, and those that the APIManager names.

    Raises:
        as `selection.save`

    """
    return Report(objects=selection.save(to_save(named), cluster, root))


def to_restore(backup: Backup) -> list[Object]:
    """The ConfigMaps that the backup holds."""
    known = backup.objects(layout.CONFIGMAPS, installation.CONFIGMAPS)
    return [*known, *backup.referenced(CONFIGMAP)]


def restore(target: Target, backup: Backup, *, last_try: bool, conflict: OnConflict = REFUSED) -> list[Standing]:
    """Create the missing ones and keep the equal ones. `conflict` decides about those that differ.

    Raises:
        as `conflicts.restore`

    """
    return conflicts.restore(target, CONFIGMAP, to_restore(backup), conflict=conflict, last_try=last_try)
