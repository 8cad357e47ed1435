"""The origin: a random ID of an installation, by which a repository tells its snapshots from those of others.

It lies in a ConfigMap of the namespace, so a restore in place keeps it and another cluster gets a new one. The
ConfigMap also records the repositories that this installation has pushed to: such a repository is never made anew.
"""

import logging
import secrets

from steps import errors
from steps.contract.names import ORIGIN, PART_OF
from steps.kubernetes import times
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CONFIGMAP, Object

log = logging.getLogger(__name__)

_ID = "id"
_PUSHED = "pushed-"  # and the name of the Secret


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


def _read(cluster: Cluster) -> Object | None:
    return cluster.get(CONFIGMAP, ORIGIN)


def _create(cluster: Cluster) -> Object:
    new = {
        "apiVersion": "v1",
        "kind": CONFIGMAP.name,
        "metadata": {"name": ORIGIN, "labels": dict(PART_OF)},
        "data": {_ID: secrets.token_hex(8)},
    }
    try:
        made = cluster.create(CONFIGMAP, new)
    except errors.AlreadyExists:
        return _read(cluster) or {}
    log.info("ConfigMap %s: created, origin %s", ORIGIN, new["data"][_ID])
    return made
