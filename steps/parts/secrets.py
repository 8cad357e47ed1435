"""The Secrets of an installation. Thirteen are saved, and those that the APIManager names; nine and these are restored.

By default the user restores the three Secrets with the addresses of the databases, because a restored installation may
use other databases. On request they come from the backup. system-memcache is saved and never restored, as the operator
does.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from steps import errors
from steps.archive import layout
from steps.archive.contents import Backup
from steps.archive.manifest import Report
from steps.contract.restore_contract import AskedDatabases
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import SECRET, Object
from steps.parts import conflicts, objects, selection
from steps.parts.conflicts import REFUSED, OnConflict, Standing, Target
from steps.parts.selection import Selection
from steps.threescale import installation
from steps.threescale.references import Reference, defaults, names, of_kind


def to_save(optional: Collection[str], named: Sequence[Reference] = ()) -> list[Selection]:
    """The thirteen Secrets, of which `optional` ones may be missing, and those that the APIManager names."""
    of_secrets = of_kind(named, SECRET)
    return [
        Selection(SECRET, layout.SECRETS, installation.SECRETS, optional),
        Selection(SECRET, layout.REFERENCED_SECRETS, names(of_secrets, SECRET), defaults(of_secrets), named=of_secrets),
    ]


def check_keys(obj: Object, namespace: str, unneeded: Collection[str] = ()) -> None:
    """Check that a Secret has a value under each required key.

    Raises:
        errors.KeysMissing

    """
    name = obj["metadata"]["name"]
    required = [key for key in installation.REQUIRED_KEYS.get(name, ()) if key not in unneeded]
    if empty := objects.empty_keys(obj, required):
        raise errors.KeysMissing(SECRET.name, name, empty, namespace)


def save(cluster: Cluster, root: Path, *, optional: Collection[str], named: Sequence[Reference] = ()) -> Report:
    """Save the thirteen Secrets, and those that the APIManager names.

    Raises:
        as `selection.save`

    """
    return Report(objects=selection.save(to_save(optional, named), cluster, root))


def to_restore(backup: Backup) -> list[Object]:
    """Those of the nine Secrets that the backup holds (`zync` may be missing), and those that its APIManager names."""
    known = backup.objects(layout.SECRETS, installation.RESTORED_SECRETS)
    return [*known, *backup.referenced(SECRET)]


def data(cluster: Cluster, name: str) -> dict[str, str]:
    """The values of a Secret by their keys, in base64.

    Raises:
        errors.ObjectsMissing, errors.NamesNotAllowed

    """
    try:
        found = cluster.get(SECRET, name)
    except errors.NotAllowed as error:
        raise errors.NamesNotAllowed(SECRET.resource, [name], cluster.namespace, cluster.server) from error
    if found is None:
        raise errors.ObjectsMissing(SECRET.name, [name], cluster.namespace)
    return found.get("data") or {}


class Databases(NamedTuple):
    """Where the Secrets with the databases' addresses come from: the user, or the backup with a Secret of overrides."""

    restored: bool = False
    overrides: str = ""  # name of a Secret with keys SECRET.KEY, whose values replace the backup's

    @classmethod
    def of(cls, asked: AskedDatabases) -> "Databases":
        """Read the arguments of a restore.

        Raises:
            errors.OverridesWithoutRestore

        """
        restored = asked.database_secrets == "restore"
        if asked.database_overrides and not restored:
            raise errors.OverridesWithoutRestore
        return cls(restored, asked.database_overrides)

    def to_restore(self, cluster: Cluster, backup: Backup) -> list[Object]:
        """The database Secrets that come from the backup, with the overrides applied.

        Raises:
            errors.ObjectsMissing, errors.NamesNotAllowed, errors.BadOverride, errors.KeysMissing, errors.BackupDamaged

        """
        if not self.restored:
            return []
        saved = {obj["metadata"]["name"]: obj for obj in backup.objects(layout.SECRETS, installation.DATABASE_SECRETS)}
        for key, value in self._read(cluster).items():
            name, _, own = key.partition(".")
            if name not in saved or not own:
                raise errors.BadOverride(self.overrides, key, sorted(saved))
            saved[name] = {**saved[name], "data": {**(saved[name].get("data") or {}), own: value}}
        for obj in saved.values():
            check_keys(obj, f"{cluster.namespace}, as it would be restored,")
        return list(saved.values())

    def _read(self, cluster: Cluster) -> dict[str, str]:
        return data(cluster, self.overrides) if self.overrides else {}


EXPECTED = Databases()


def restore(
    target: Target, backup: Backup, *, last_try: bool, conflict: OnConflict = REFUSED, databases: Databases = EXPECTED
) -> list[Standing]:
    """Create the missing ones and keep the equal ones. `conflict` decides about those that differ.

    Raises:
        as `conflicts.restore`, `Databases.to_restore`

    """
    wanted = [*to_restore(backup), *databases.to_restore(target.cluster, backup)]
    return conflicts.restore(target, SECRET, wanted, conflict=conflict, last_try=last_try)
