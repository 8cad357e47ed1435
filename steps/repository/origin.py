"""The origin: a random ID of an installation, by which a repository tells its snapshots from those of others.

It lies in a ConfigMap of the namespace, so a restore in place keeps it and another cluster gets a new one. The
ConfigMap also records the repositories that this installation has pushed to: such a repository is never made anew.
"""

import logging
import secrets

from steps import errors
from steps.contract.names import ORIGIN
from steps.kubernetes import configmap_writes, fields, times
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CONFIGMAP, Object

log = logging.getLogger(__name__)

_ID = "id"
_PUSHED = "pushed-"  # and the name of the Secret
_ADOPTED = "adopted"  # other origins, whose snapshots retention counts as those of this one


def of(cluster: Cluster) -> str:
    """Return the origin of the namespace, and make it the first time.

    Raises:
        errors.NoOrigin: somebody emptied the ConfigMap. Otherwise as `Cluster.get` and `Cluster.create`.

    """
    found = _read(cluster) or _create(cluster)
    if not (origin := (found.get("data") or {}).get(_ID)):
        raise errors.NoOrigin(ORIGIN, cluster.namespace)
    return str(origin)


def known(cluster: Cluster) -> str:
    """Return the origin of the namespace, empty if it has none yet."""
    return str(((_read(cluster) or {}).get("data") or {}).get(_ID, ""))


def has_pushed(cluster: Cluster, repository: str) -> str:
    """Return when this installation first pushed to a repository, empty: never."""
    return str(((_read(cluster) or {}).get("data") or {}).get(_PUSHED + repository, ""))


def pushed(cluster: Cluster, repository: str) -> None:
    """Record that this installation has pushed to a repository."""
    if not has_pushed(cluster, repository):
        cluster.patch(CONFIGMAP, ORIGIN, {"data": {_PUSHED + repository: times.utc(times.now())}})


def adopted(cluster: Cluster) -> tuple[str, ...]:
    """Return the adopted origins of the namespace."""
    return _adopted(_read(cluster) or {})


def adopt(cluster: Cluster, other: str) -> None:
    """Record another origin, so that retention counts its snapshots as those of this installation.

    Raises:
        errors.Conflict: somebody has changed the ConfigMap meanwhile. Otherwise as `of`.

    """
    of(cluster)
    found = _read(cluster) or {}
    told = ",".join(dict.fromkeys([*_adopted(found), other]))
    metadata = {"resourceVersion": fields.at(found, "metadata", "resourceVersion")}
    cluster.patch(CONFIGMAP, ORIGIN, {"metadata": metadata, "data": {_ADOPTED: told}})


def _adopted(found: Object) -> tuple[str, ...]:
    told = str((found.get("data") or {}).get(_ADOPTED, ""))
    return tuple(each for each in (part.strip() for part in told.split(",")) if each)


def _read(cluster: Cluster) -> Object | None:
    return cluster.get(CONFIGMAP, ORIGIN)


def _create(cluster: Cluster) -> Object:
    new = configmap_writes.new(ORIGIN, {_ID: secrets.token_hex(8)})
    try:
        made = cluster.create(CONFIGMAP, new)
    except errors.AlreadyExists:
        return _read(cluster) or {}
    log.info("ConfigMap %s: created, origin %s", ORIGIN, new["data"][_ID])
    return made
