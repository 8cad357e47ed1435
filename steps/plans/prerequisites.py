"""Checks before a restore changes anything.

The operator makes almost none of these checks. Its documentation leaves them to the person.
"""

from collections.abc import Collection

from steps import errors
from steps.archive import layout, marks
from steps.archive.contents import Backup, minor
from steps.catalogue import backup_claims
from steps.kubernetes import fields, mounting
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import (
    APIMANAGER,
    APIMANAGER_BACKUP,
    CONFIGMAP,
    DEPLOYMENT,
    DEPLOYMENT_CONFIG,
    POD,
    SECRET,
    Kind,
    Object,
)
from steps.kubernetes.workflow import Workflow
from steps.parts import configmaps, conflicts, objects, reconciliation, secrets
from steps.parts.conflicts import ObjectState, Standing
from steps.parts.secrets import EXPECTED, Databases
from steps.threescale import belonging, installation, references
from steps.threescale.references import Reference


def check_restore(
    cluster: Cluster,
    claim: str,
    workflow: Workflow,
    claim_wait_s: float,
    *,
    databases: Databases = EXPECTED,
    last_try: bool,
) -> None:
    """Check, before the backup is mounted, that a restore may begin.

    Raises:
        as `backup_claims.check_mountable`: the backup can't be mounted.
        errors.ApiManagerPresent, errors.InstallationLeft (errors.InstallationGoing before the last try)
        errors.ObjectsMissing, errors.KeysMissing: a database Secret, where these are expected.

    """
    digest = fields.annotation(
        backup_claims.check_mountable(cluster, claim, workflow, claim_wait_s), marks.MANIFEST_DIGEST
    )
    found = cluster.list(APIMANAGER)
    for obj in found:
        made_from = fields.annotation(obj, marks.MANIFEST_DIGEST)
        if not made_from or (digest and made_from != digest):
            raise errors.ApiManagerPresent(obj["metadata"]["name"], cluster.namespace)
    if not found:
        check_nothing_left(cluster, last_try=last_try)
    if not databases.restored:
        check_database_secrets(cluster, living(cluster), last_try=last_try)


def check_nothing_left(cluster: Cluster, *, last_try: bool) -> None:
    """Check that no workload of a deleted installation is left.

    Raises:
        errors.InstallationLeft, before the last try errors.InstallationGoing

    """
    if left := _left(cluster):
        raise (errors.InstallationLeft if last_try else errors.InstallationGoing)(cluster.namespace, left)


def check_database_secrets(cluster: Cluster, alive: Collection[str], *, last_try: bool) -> None:
    """Check that the user has created the Secrets with the databases' addresses.

    Raises:
        errors.ObjectsMissing, errors.KeysMissing, errors.ObjectsGoing

    """
    found = {name: cluster.get(SECRET, name) for name in installation.DATABASE_SECRETS}
    if missing := [name for name, obj in found.items() if obj is None]:
        raise errors.ObjectsMissing(SECRET.name, missing, cluster.namespace)
    standings = []
    for obj in found.values():
        if obj is not None:
            secrets.check_keys(obj, cluster.namespace)
            if reason := conflicts.going(obj, alive):
                standings.append(Standing(obj, ObjectState.GOING, reason))
    conflicts.refuse(standings, cluster.namespace, last_try=last_try)


def check_still_there(cluster: Cluster, backup: Backup) -> None:
    """Check that every object of the plan still exists, and every restored object too.

    The operator would create a missing object with new contents.

    Raises:
        errors.ChangedSincePlan, errors.NamesNotAllowed

    """
    restored = [(SECRET, obj) for obj in secrets.to_restore(backup)]
    restored += [(CONFIGMAP, obj) for obj in configmaps.to_restore(backup)]
    wanted = [Reference(kind, obj["metadata"]["name"], "") for kind, obj in restored]
    wanted += [Reference(SECRET, name, "") for name in installation.DATABASE_SECRETS]
    gone = objects.absent(cluster, [*wanted, *references.required(backup.named)])
    if names := sorted({f"{each.kind.name} {each.name} is missing" for each in gone}):
        raise errors.ChangedSincePlan(cluster.namespace, names)


def check_whole(cluster: Cluster, backup: Backup) -> None:
    """Check that a backup is finished, and that nothing in it is missing or damaged.

    The bytes of the file tree are not read here; the phase `file-storage` checks them.

    Raises:
        errors.NotABackup: the operator has not completed this backup. errors.BackupDamaged

    """
    made_by = cluster.get(APIMANAGER_BACKUP, backup.name) if backup.manifest is None else None
    if made_by and not fields.at(made_by, "status", "completed"):
        raise errors.NotABackup(f"APIManagerBackup {backup.name} has not completed this backup")
    if findings := list(backup.findings(digests=False, given=_given(cluster, backup))):
        raise errors.BackupDamaged(findings)


def _given(cluster: Cluster, backup: Backup) -> list[str]:
    """Files that a backup of the operator may lack: that of Zync's Secret, if the user has created the Secret."""
    if backup.manifest or cluster.get(SECRET, installation.ZYNC_SECRET) is None:
        return []
    return [f"{layout.SECRETS}/{installation.ZYNC_SECRET}.json"]


def check_version(cluster: Cluster, backup: Backup, asked: str) -> None:
    """Check that the operator in the namespace has the backup's 3scale version, by major.minor.

    Raises:
        errors.VersionDiffers, errors.VersionUnknown, errors.BackupVersionUnknown

    """
    recorded = backup.threescale_version or minor(asked)
    if not recorded:
        raise errors.BackupVersionUnknown
    if asked and minor(asked) != recorded:
        raise errors.VersionDiffers(recorded, asked, "threescale-version")
    operator = _operator_version(cluster)
    if not operator and not asked:
        raise errors.VersionUnknown(recorded)
    if operator and minor(operator) != recorded:
        raise errors.VersionDiffers(recorded, operator, "the operator in the namespace")


def living(cluster: Cluster) -> set[str]:
    """The uids of the APIManagers that exist and are not being deleted."""
    found = cluster.list(APIMANAGER)
    return {obj["metadata"]["uid"] for obj in found if not fields.is_going(obj)}


def _left(cluster: Cluster) -> list[str]:
    """Remains of an installation: its workloads, and its pods that have not ended. Those of others don't count."""
    workloads = {kind: _listed(cluster, kind) for kind in (DEPLOYMENT, DEPLOYMENT_CONFIG)}
    left = [(kind, obj) for kind, found in workloads.items() for obj in found if belonging.is_workload(obj)]
    left += [(POD, obj) for obj in belonging.pods(cluster.list(POD), workloads) if not mounting.ended(obj)]
    return [f"{kind.name} {obj['metadata']['name']}" for kind, obj in left]


def _listed(cluster: Cluster, kind: Kind) -> list[Object]:
    try:
        return cluster.list(kind)
    except errors.UnknownResource:
        if kind is DEPLOYMENT_CONFIG:  # only OpenShift has them
            return []
        raise


def _operator_version(cluster: Cluster) -> str:
    """The operator's 3scale version. Empty if the operator runs in another namespace or has no version label."""
    found = reconciliation.find_operator(cluster)
    return reconciliation.version(found) if found else ""
