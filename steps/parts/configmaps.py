"""The ConfigMaps of an installation that users edit and the operator would not bring back, and those that are named.

Two are the operator's own backup's. Two more are made by the operator once and then left to the user (`system` holds
the service discovery): its backup passes over them.
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
    """The four, and those that the APIManager names."""
    of_configmaps = of_kind(named, CONFIGMAP)
    made_again = installation.EDITED_CONFIGMAPS  # by the operator, where one is gone
    more = [*made_again, *names(of_configmaps, CONFIGMAP)]
    return [
        Selection(CONFIGMAP, layout.CONFIGMAPS, installation.CONFIGMAPS),
        Selection(CONFIGMAP, layout.REFERENCED_CONFIGMAPS, more, optional=made_again, named=of_configmaps),
    ]


def save(cluster: Cluster, root: Path, named: Sequence[Reference] = ()) -> Report:
    """Save the four, and those that the APIManager names.

    Raises:
        as `selection.save`

    """
    return Report(objects=selection.save(to_save(named), cluster, root))


def to_restore(backup: Backup) -> list[Object]:
    """Those that the backup holds."""
    known = backup.objects(layout.CONFIGMAPS, installation.CONFIGMAPS)
    return [*known, *backup.referenced(CONFIGMAP)]


def restore(target: Target, backup: Backup, *, last_try: bool, conflict: OnConflict = REFUSED) -> list[Standing]:
    """Create them, keep those that say the same, do with others as asked.

    Raises:
        as `conflicts.restore`

    """
    return conflicts.restore(target, CONFIGMAP, to_restore(backup), conflict=conflict, last_try=last_try)
