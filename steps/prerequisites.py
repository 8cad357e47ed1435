"""What must be true before a backup is written, and before a restore harms anything.

The operator checks next to nothing of this; its documentation asks the person to.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

from steps import (
    apimanager,
    claims,
    configmaps,
    errors,
    installation,
    marks,
    objects,
    references,
    secrets,
    system_storage,
)
from steps.backup import Backup, minor
from steps.claims import Placement, Wanted, Workflow
from steps.cluster import Cluster, Object
from steps.installation import (
    APIMANAGER,
    APIMANAGER_BACKUP,
    CLAIM,
    CONFIGMAP,
    DEPLOYMENT,
    DEPLOYMENT_CONFIG,
    POD,
    SECRET,
    Kind,
)
from steps.result import CREATED, KEPT, Line
from steps.secrets import EXPECTED, Databases
from steps.system_storage import Asked

log = logging.getLogger(__name__)


def check_backup(cluster: Cluster, wanted: Wanted, workflow: Workflow) -> tuple[Object, Placement]:
    """See that this installation can be backed up to this claim; return the APIManager and where the parts must run.

    Raises:
        errors.Final: the first thing that speaks against it.

    """
    claims.check_name(wanted.name)
    claims.check_size(wanted.storage_request, "storage-request")
    found = apimanager.find(cluster)
    apimanager.check(found, external=wanted.external)
    named = references.of(found)
    optional, unneeded_keys = apimanager.optional_secrets(found), apimanager.unneeded_keys(found)
    secrets.check(cluster, optional=optional, unneeded_keys=unneeded_keys, named=named)
    configmaps.check(cluster, named)
    claims.check_free(cluster, wanted.name, workflow)
    if wanted.external:
        log.info("file-storage: %s; it is not in this backup", apimanager.external(cluster, found))
        return found, claims.ANYWHERE
    storage = claims.find(cluster, installation.SYSTEM_STORAGE)
    return found, claims.placement(cluster, storage, workflow)


def check_restore(
    cluster: Cluster,
    claim: str,
    workflow: Workflow,
    claim_wait_s: float,
    *,
    databases: Databases = EXPECTED,
    last_try: bool,
) -> None:
    """See, without the backup mounted, that a restore may begin.

    Raises:
        errors.ClaimMissing and its like: the backup can't be mounted.
        errors.ApiManagerPresent, errors.InstallationLeft (errors.InstallationGoing before the last try)
        errors.ObjectsMissing, errors.KeysMissing: a database Secret, where these are expected.

    """
    digest = marks.annotation(claims.check_mountable(cluster, claim, workflow, claim_wait_s), marks.MANIFEST_DIGEST)
    found = cluster.list(APIMANAGER)
    for obj in found:
        made_from = marks.annotation(obj, marks.MANIFEST_DIGEST)
        if not made_from or (digest and made_from != digest):
            raise errors.ApiManagerPresent(obj["metadata"]["name"], cluster.namespace)
    if not found and (left := _left(cluster)):
        raise (errors.InstallationLeft if last_try else errors.InstallationGoing)(cluster.namespace, left)
    if not databases.restored:
        check_database_secrets(cluster, living(cluster), last_try=last_try)


def check_database_secrets(cluster: Cluster, alive: Collection[str], *, last_try: bool) -> None:
    """See that the user has restored the Secrets with the databases' addresses.

    Raises:
        errors.ObjectsMissing, errors.KeysMissing, errors.ObjectsGoing

    """
    found = {name: cluster.get(SECRET, name) for name in installation.DATABASE_SECRETS}
    if missing := [name for name, obj in found.items() if obj is None]:
        raise errors.ObjectsMissing(SECRET.name, missing, cluster.namespace)
    result = objects.Comparison()
    for name, obj in found.items():
        if obj is not None:
            secrets.check_keys(obj, cluster.namespace)
            if reason := objects.going(obj, alive):
                result.going.append(f"{SECRET.name} {name} {reason}")
    result.refuse(cluster.namespace, last_try=last_try)


def check_whole(cluster: Cluster, backup: Backup) -> None:
    """See that a backup is finished and nothing of it is missing or differs; the tree's bytes are for `file-storage`.

    Raises:
        errors.NotABackup: the operator has not completed it. errors.BackupDamaged
    """
    made_by = cluster.get(APIMANAGER_BACKUP, backup.name) if backup.manifest is None else None
    if made_by and not (made_by.get("status") or {}).get("completed"):
        raise errors.NotABackup(f"APIManagerBackup {backup.name} has not completed it")
    if findings := list(backup.findings(digests=False)):
        raise errors.BackupDamaged(findings)


def check_version(cluster: Cluster, backup: Backup, asked: str) -> None:
    """See that the operator in the namespace is of the backup's 3scale, by major.minor.

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


def prepare_restore(
    cluster: Cluster,
    backup: Backup,
    asked: Asked,
    threescale_version: str,
    *,
    databases: Databases = EXPECTED,
    last_try: bool,
) -> list[Line]:
    """See, with the backup mounted, that it is whole and nothing speaks against it; then create system-storage.

    Returns what became of that claim, nothing where none is needed.

    Raises:
        errors.Final or errors.TryAgain before anything is written; errors.AlreadyExists

    """
    check_whole(cluster, backup)
    check_version(cluster, backup, threescale_version)
    if (made := apimanager.present(cluster, backup.mark)) is not None:
        found, asked_for = (str(obj["spec"].get("wildcardDomain", "")) for obj in (made, backup.apimanager))
        if found != asked_for:
            raise errors.DomainDiffers(made["metadata"]["name"], found, asked_for)
        log.info("this backup's restore made the APIManager already: only the Routes are left to do")
        return []
    of_databases = databases.to_restore(cluster, backup)
    wanted = [*secrets.to_restore(backup), *of_databases]
    _tell_domains(backup, of_databases)
    alive = living(cluster)
    if lacking := [str(each) for each in objects.absent(cluster, backup.named) if not backup.holds(each)]:
        raise errors.ReferencesMissing(lacking, cluster.namespace)
    result = objects.compare(cluster, SECRET, wanted, alive)
    more = objects.compare(cluster, CONFIGMAP, configmaps.to_restore(backup), alive)
    result.differing += more.differing
    result.going += more.going
    existing = None if backup.external else cluster.get(CLAIM, installation.SYSTEM_STORAGE)
    new = system_storage.wanted(backup, asked)
    if existing is not None and (reason := objects.going(existing, alive)):
        held = claims.holders(cluster, installation.SYSTEM_STORAGE)
        by = f" (held by pod {', '.join(held)}, also one that has ended holds it)" if held else ""
        result.going.append(f"{CLAIM.name} {installation.SYSTEM_STORAGE} {reason}{by}")
    if not databases.restored:
        check_database_secrets(cluster, alive, last_try=last_try)
    result.refuse(cluster.namespace, last_try=last_try)
    if backup.external:
        log.info("file-storage: %s; there is nothing to copy", backup.external)
        return []
    if existing is not None:
        system_storage.check(existing, backup)
        log.info("%s %s: kept", CLAIM.name, installation.SYSTEM_STORAGE)
        return [Line(kind=CLAIM.name, name=installation.SYSTEM_STORAGE, done=KEPT)]
    cluster.create(CLAIM, new)
    log.info("%s %s: created", CLAIM.name, installation.SYSTEM_STORAGE)
    return [Line(kind=CLAIM.name, name=installation.SYSTEM_STORAGE, done=CREATED)]


def _tell_domains(backup: Backup, databases: Sequence[Object]) -> None:
    """Say what another wildcard domain changes, and what it leaves."""
    if (move := backup.move) is None:
        return
    original = replace(backup, move=None)
    saved = [original.apimanager, *secrets.to_restore(original), *databases, *configmaps.to_restore(original)]
    for each in (place for obj in saved for place in move.rewrites(obj)):
        log.info("%s: %s becomes %s", each, move.old, move.new)
    for each in (place for obj in saved for place in move.others(obj)):
        log.info("%s: holds %s and stays as it is", each, move.old)
    log.info(move.left_to_do)


def living(cluster: Cluster) -> set[str]:
    """The uids of the APIManagers that exist and stay."""
    found = cluster.list(APIMANAGER)
    return {obj["metadata"]["uid"] for obj in found if not obj["metadata"].get("deletionTimestamp")}


def _left(cluster: Cluster) -> list[str]:
    """What is left of an installation: its workloads and the pods that have not ended."""
    left = []
    for kind in (DEPLOYMENT, DEPLOYMENT_CONFIG, POD):
        left += [
            f"{kind.name} {obj['metadata']['name']}" for obj in _components(cluster, kind) if not claims.ended(obj)
        ]
    return left


def _components(cluster: Cluster, kind: Kind) -> list[Object]:
    try:
        return cluster.list(kind, installation.COMPONENT_LABEL)
    except errors.UnknownResource:
        if kind is DEPLOYMENT_CONFIG:  # only OpenShift has them
            return []
        raise


def _operator_version(cluster: Cluster) -> str:
    """The operator's 3scale version, empty where it runs in another namespace or does not say."""
    for name in installation.OPERATOR_DEPLOYMENTS:
        if found := cluster.get(DEPLOYMENT, name):
            labels = found["spec"]["template"]["metadata"].get("labels") or {}
            return str(labels.get(installation.OPERATOR_VERSION_LABEL, ""))
    return ""
