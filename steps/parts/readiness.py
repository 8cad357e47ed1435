"""Whether 3scale is ready. No backup holds the Routes: Zync recreates them when System asks for it.

The resync comes before the wait, because `Available` needs the Routes that it creates.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from steps import errors
from steps.archive.contents import Backup
from steps.archive.manifest import Ready
from steps.kubernetes import fields
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import APIMANAGER, POD, ROUTE, Object
from steps.process import interruption
from steps.threescale import belonging, installation

log = logging.getLogger(__name__)


def zync_enabled(apimanager: Object) -> bool:
    """Whether Zync is enabled. It can be disabled from 3scale 2.16 on."""
    return fields.at(apimanager, "spec", "zync", "enabled") is not False


def ready(cluster: Cluster, apimanager: Object, *, planned_routes: int = 0) -> Ready:
    """What is ready now in an installation. `planned_routes` is the number of Route hosts that a plan found admitted.

    Only Routes of the APIManager and of Zync count.

    Raises:
        errors.RoutesGone: fewer hosts exist now, admitted or not.

    """
    routes = [route for route in _routes(cluster) if belonging.is_route(route)]
    hosts = {route["spec"]["host"] for route in routes}
    if len(hosts) < planned_routes:  # all hosts count: while a router restarts, it admits none
        raise errors.RoutesGone(planned_routes, len(hosts), cluster.namespace)
    return _ready(apimanager, routes)


def _ready(apimanager: Object, routes: Iterable[Object]) -> Ready:
    conditions = fields.at(apimanager, "status", "conditions") or []
    return Ready(
        conditions=tuple(sorted(item["type"] for item in conditions if item.get("status") == "True")),
        deployments=tuple(sorted(fields.at(apimanager, "status", "deployments", "ready") or [])),
        routes=tuple(sorted({route["spec"]["host"] for route in routes if _is_admitted(route)})),
    )


def _routes(cluster: Cluster) -> list[Object]:
    """The Routes with a host; none on a cluster without Routes."""
    try:
        return [route for route in cluster.list(ROUTE) if route["spec"].get("host")]
    except errors.UnknownResource:
        return []


def _is_admitted(route: Object) -> bool:
    ingresses = fields.at(route, "status", "ingress") or []
    return bool(ingresses) and all(
        any(item.get("type") == "Admitted" and item.get("status") == "True" for item in ingress.get("conditions") or [])
        for ingress in ingresses
    )


_LOOK_S = 5.0  # between two looks; the interval of the operator
_AVAILABLE = "Available"
_KILLED = frozenset({137, 143})  # 128 and the signal: exit codes of a command whose container was stopped


class Patience(NamedTuple):
    """How long each wait may take, and how many seconds lie between two looks."""

    wait_minutes: float
    look_s: float = _LOOK_S


def resync(cluster: Cluster, backup: Backup, patience: Patience) -> bool:
    """Wait for System's Sidekiq and let it send all domains to Zync. False if Zync is disabled.

    Raises:
        errors.WaitedInVain, errors.ResyncFailed, errors.ResyncUnknown, errors.ApiManagerGone

    """
    if not zync_enabled(backup.apimanager):
        log.info("Zync is disabled: no domains to resync")
        return False
    pod = _wait(f"a ready pod of {installation.SIDEKIQ}", lambda: _sidekiq(cluster, backup), patience)
    exit_code = cluster.exec(pod, installation.SIDEKIQ, installation.RESYNC_COMMAND, patience.wait_minutes * 60)
    if exit_code in _KILLED:
        raise errors.ResyncUnknown(pod, f"it was killed, exit code {exit_code}", cluster.server)
    if exit_code != 0:
        raise errors.ResyncFailed(pod, exit_code)
    log.info("zync:resync:domains: done in pod %s", pod)
    return True


def wait(cluster: Cluster, backup: Backup, ready: str, patience: Patience) -> None:
    """Wait until the installation is ready: `available`, `deployments`, or `as-before`.

    Raises:
        errors.WaitedInVain: the message says what was missing last.
        errors.ApiManagerGone: 3scale can't become ready without it.

    """
    ready = _asked(backup, ready)
    judge = {"available": _available, "deployments": _deployments, "as-before": _as_before}[ready]
    warning = _wait(f"3scale ({ready})", lambda: judge(_state(cluster, backup), backup.ready), patience)
    log.info(warning or "3scale is ready")


def waits(backup: Backup, ready: str) -> Iterator[str]:
    """What `resync` and `wait` will wait for, one line each."""
    if zync_enabled(backup.apimanager):
        yield f"a ready pod of {installation.SIDEKIQ}, for zync:resync:domains"
    yield f"3scale ({_asked(backup, ready)})"


def _asked(backup: Backup, ready: str) -> str:
    if ready == "as-before" and backup.ready == Ready() and (backup.move or not _tells_available(backup)):
        # the earlier state is unknown, and Available may never come: it needs hosts that only 3scale can change
        return "deployments"
    return ready


def _tells_available(backup: Backup) -> bool:
    """Whether this 3scale has a condition Available: from 2.11 (operator, apimanager_types.go)."""
    return backup.threescale_version not in {"2.9", "2.10"}


class _Missing(NamedTuple):
    """The result of a look that found something missing."""

    what: str


class RouteState(NamedTuple):
    """The state that the APIManager reports."""

    now: Ready
    messages: str
    not_ready: Sequence[str]


def _wait(what: str, look: Callable[[], str | _Missing], patience: Patience) -> str:
    """Look until it is there. If the API server does not answer, look again."""
    for _ in interruption.looks(patience.wait_minutes * 60, patience.look_s):
        try:
            found = look()
        except errors.Unanswered as error:
            found = _Missing(str(error))
        if not isinstance(found, _Missing):
            return found
        missed = found.what
    raise errors.WaitedInVain(what, patience.wait_minutes, missed)


def _sidekiq(cluster: Cluster, backup: Backup) -> str | _Missing:
    """A running and ready pod of System's Sidekiq, by the old labels or the new ones."""
    for key in installation.POD_LABELS:
        for pod in cluster.list(POD, f"{key}={installation.SIDEKIQ}"):
            if _is_ready(pod):
                return str(pod["metadata"]["name"])
    state = _state(cluster, backup)
    return _Missing(state.messages or f"no pod of {installation.SIDEKIQ} is ready")


def _is_ready(pod: Object) -> bool:
    status = pod.get("status") or {}
    conditions = status.get("conditions") or []
    return status.get("phase") == "Running" and any(
        item.get("type") == "Ready" and item.get("status") == "True" for item in conditions
    )


def _state(cluster: Cluster, backup: Backup) -> RouteState:
    name = backup.apimanager["metadata"]["name"]
    found = cluster.get(APIMANAGER, name)
    if found is None:
        raise errors.ApiManagerGone(name, cluster.namespace)
    status = found.get("status") or {}
    deployments = status.get("deployments") or {}
    return RouteState(
        now=_ready(found, _routes(cluster)),  # older backups recorded each Route of the namespace
        messages="; ".join(_messages(status)),
        not_ready=[*(deployments.get("starting") or []), *(deployments.get("stopped") or [])],
    )


def _messages(status: Object) -> list[str]:
    """The operator's messages about conditions that are not True."""
    conditions = [item for item in status.get("conditions") or [] if item.get("status") != "True"]
    return [f"{item['type']}: {item['message']}" for item in conditions if item.get("message")]


def _available(state: RouteState, _before: Ready) -> str | _Missing:
    if _AVAILABLE in state.now.conditions:
        return ""
    return _Missing(state.messages or "the condition Available is not True")


def _deployments(state: RouteState, before: Ready) -> str | _Missing:
    """All Deployments that were ready are ready again. A backup of the operator records none: then all must be."""
    missing = sorted(set(before.deployments) - set(state.now.deployments)) or sorted(state.not_ready)
    if missing or not state.now.deployments:
        return _Missing(f"Deployments not ready: {', '.join(missing) or 'all'}")
    return ""


def _as_before(state: RouteState, before: Ready) -> str | _Missing:
    if _AVAILABLE in state.now.conditions:
        return ""
    if before == Ready():
        return _available(state, before)
    deployments = sorted(set(before.deployments) - set(state.now.deployments))
    routes = sorted(set(before.routes) - set(state.now.routes))
    conditions = sorted(set(before.conditions) - set(state.now.conditions))
    missing = [
        f"{what}: {', '.join(names)}"
        for what, names in (
            ("Deployments not ready", deployments),
            ("Routes not admitted", routes),
            ("conditions not True", conditions),
        )
        if names
    ]
    if missing:
        return _Missing("; ".join([*missing, *filter(None, [state.messages])]))
    return (
        "WARNING: 3scale is not Available, but everything that was ready at backup time is ready again: "
        f"{state.messages}"
    )
