"""The APIManager: facts that it gives about the installation, and how it is saved and restored.

It is restored last: as soon as it exists, the operator fills every missing Secret with fresh random values.
"""

import base64
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steps import errors
from steps.archive import layout
from steps.archive.contents import Backup
from steps.archive.manifest import External, Report, Source, SystemStorage
from steps.archive.marks import Mark
from steps.contract.names import EXTERNAL
from steps.files import writing
from steps.kubernetes import fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.fields import annotation
from steps.kubernetes.kinds import APIMANAGER, CLAIM, SECRET, Object
from steps.parts import objects, readiness, reconciliation, system_storage
from steps.threescale import installation

log = logging.getLogger(__name__)


_S3 = ("spec", "system", "fileStorage", "simpleStorageService")
_BUCKET = ("AWS_BUCKET", "AWS_REGION")
_STORE = ("AWS_HOSTNAME", "AWS_PATH_STYLE")


def find(cluster: Cluster) -> Object:
    """The namespace's one APIManager.

    Raises:
        errors.NoApiManager, errors.SeveralApiManagers

    """
    found = cluster.list(APIMANAGER)
    if not found:
        raise errors.NoApiManager(cluster.namespace)
    if len(found) > 1:
        raise errors.SeveralApiManagers(cluster.namespace, [obj["metadata"]["name"] for obj in found])
    return found[0]


def named(cluster: Cluster, name: str) -> Object:
    """The APIManager of this name.

    Raises:
        errors.NoApiManager: no APIManager has this name any more.

    """
    found = cluster.get(APIMANAGER, name)
    if found is None:
        raise errors.NoApiManager(cluster.namespace)
    return found


def check_databases(apimanager: Object) -> None:
    """Check that the databases are external. No backup holds them, so the user must run and back them up.

    Raises:
        errors.DatabasesNotExternal

    """
    if internal := internal_databases(apimanager["spec"]):
        raise errors.DatabasesNotExternal(apimanager["metadata"]["name"], internal)


def check_files(apimanager: Object, *, external: bool) -> None:
    """Check that System's files are in S3 if `external` is set, and in a claim if not.

    Raises:
        errors.FileStorageInS3, errors.FileStorageInClaim

    """
    if in_s3(apimanager) != external:
        raise (errors.FileStorageInClaim if external else errors.FileStorageInS3)(apimanager["metadata"]["name"])


def in_s3(apimanager: Object) -> bool:
    """Whether System keeps its files in S3. The old `amazonSimpleStorageService` is ignored, as the operator does."""
    return fields.at(apimanager, *_S3) is not None


def internal_databases(spec: Mapping[str, Any]) -> list[str]:
    """The names of those databases that run in the cluster, of the three that a backup leaves to the user.

    The rule is the operator's (IsExternal in apimanager_types.go). If `externalComponents` exists, it alone decides.
    If not, `highAvailability.enabled` means that all three are external.
    """
    external = spec.get("externalComponents")
    if external is None:
        enabled = fields.at(spec, "highAvailability", "enabled") is True
        external = {"system": {"database": enabled, "redis": enabled}, "backend": {"redis": enabled}}
    places = {
        "system database": ("system", "database"),
        "system redis": ("system", "redis"),
        "backend redis": ("backend", "redis"),
    }
    return [name for name, path in places.items() if fields.at(external, *path) is not True]


def optional_secrets(apimanager: Object) -> tuple[str, ...]:
    """Secrets that this installation need not have."""
    return () if readiness.zync_enabled(apimanager) else (installation.ZYNC_SECRET,)


def unneeded_keys(apimanager: Object) -> tuple[str, ...]:
    """Keys that the operator generates only for an internal Zync database."""
    spec = apimanager["spec"]
    external = fields.at(spec, "externalComponents", "zync", "database") is True
    return (
        ("ZYNC_DATABASE_PASSWORD",)
        if external or fields.at(spec, "highAvailability", "externalZyncDatabaseEnabled")
        else ()
    )


def external(cluster: Cluster, apimanager: Object) -> External:
    """Where System's files are in S3, as the Secret says that the APIManager names. Credentials are not read.

    Raises:
        errors.KeysMissing: the bucket, the region or the Secret is missing; errors.NotAllowed

    """
    name = str(fields.at(apimanager, *_S3, "configurationSecretRef", "name") or "")
    secret = (cluster.get(SECRET, name) if name else None) or {}
    data = secret.get("data") or {}
    if missing := [key for key in _BUCKET if not data.get(key)]:
        raise errors.KeysMissing(SECRET.name, name or "of S3", missing, cluster.namespace)
    bucket, region, hostname, path_style = (
        base64.b64decode(data.get(key) or "").decode(errors="replace") for key in (*_BUCKET, *_STORE)
    )
    return External(bucket=bucket, region=region, hostname=hostname, path_style=path_style)


def save(cluster: Cluster, root: Path, name: str, *, is_external: bool = False, planned_routes: int = 0) -> Report:
    """Save the APIManager, and facts that are known only while the installation exists.

    Raises:
        errors.NoApiManager: no APIManager has this name any more; as `check_files`, `external`
        errors.PlannedGone, errors.RoutesGone: the claim of its files or Routes existed in the plan and are missing.

    """
    apimanager = named(cluster, name)
    check_files(apimanager, external=is_external)
    writing.make_folder(root, layout.OF_APIMANAGER)
    writing.clear(root, layout.OF_APIMANAGER)
    saved = objects.save(root, layout.APIMANAGER, apimanager)
    log.info("APIManager %s: saved, %d bytes", name, saved.size)
    source = _source(cluster, apimanager, planned_routes)
    notes = tuple(f"APIManager {name} {each}" for each in source.unreconciled or ())
    return Report(objects={layout.APIMANAGER: saved}, source=source, notes=notes)


def check_same(cluster: Cluster, claim: Object) -> None:
    """Check that the APIManager is still the one for which the claim of the backup was created.

    Raises:
        errors.NoApiManager, errors.ApiManagerReplaced

    """
    name = fields.annotation(claim, installation.APIMANAGER_NAME)
    expected = fields.annotation(claim, installation.APIMANAGER_UID)
    found = named(cluster, name)
    if found["metadata"]["uid"] != expected:
        raise errors.ApiManagerReplaced(name, expected, found["metadata"]["uid"])


def present(cluster: Cluster, mark: Mark) -> Object | None:
    """The APIManager that a restore of this backup has created, None if the namespace has no APIManager.

    Raises:
        errors.ApiManagerPresent: another APIManager exists.

    """
    found = cluster.list(APIMANAGER)
    for obj in found:
        if not mark.on(obj) or len(found) > 1:
            raise errors.ApiManagerPresent(obj["metadata"]["name"], cluster.namespace)
    return found[0] if found else None


def to_restore(backup: Backup, mark: Mark) -> Object:
    """The APIManager as a restore creates it, with a mark."""
    obj = objects.marked(backup.apimanager, mark)
    obj["metadata"]["annotations"].pop(installation.CONFIRMED_REQUIREMENTS, None)
    return obj


def restore(cluster: Cluster, backup: Backup) -> bool:
    """Create the APIManager with the mark of this backup and return True; False if one with the mark exists.

    Raises:
        errors.ApiManagerPresent, errors.AlreadyExists

    """
    if present(cluster, backup.mark) is not None:
        log.info("APIManager %s: unchanged, a restore of this backup created it", backup.apimanager["metadata"]["name"])
        return False
    obj = to_restore(backup, backup.mark)
    cluster.create(APIMANAGER, obj)
    log.info("APIManager %s: created", obj["metadata"]["name"])
    return True


def _source(cluster: Cluster, apimanager: Object, planned_routes: int) -> Source:
    metadata = apimanager["metadata"]
    return Source(
        namespace=cluster.namespace,
        apimanager=metadata["name"],
        apimanager_uid=metadata["uid"],
        threescale_version=annotation(apimanager, installation.THREESCALE_VERSION),
        operator_version=annotation(apimanager, installation.OPERATOR_VERSION),
        wildcard_domain=str(apimanager["spec"].get("wildcardDomain", "")),
        ready=readiness.ready(cluster, apimanager, planned_routes=planned_routes),
        unreconciled=tuple(reconciliation.doubts(apimanager, reconciliation.operator(cluster))) or None,
        **_files(cluster, apimanager),
    )


def _files(cluster: Cluster, apimanager: Object) -> dict[str, Any]:
    if in_s3(apimanager):
        return {"file_storage": EXTERNAL, "external": external(cluster, apimanager)}
    return {"system_storage": _system_storage(cluster)}


def _system_storage(cluster: Cluster) -> SystemStorage:
    claim = cluster.get(CLAIM, installation.SYSTEM_STORAGE)
    if claim is None:
        raise errors.PlannedGone(CLAIM.name, [installation.SYSTEM_STORAGE], cluster.namespace)
    return system_storage.recorded(claim)
