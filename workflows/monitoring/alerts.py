"""The alarm for those who run Prometheus: a PrometheusRule, whose alerts say what to do.

How old the newest backup is, and its proofs, is asked of the catalogue as the watchdog last saw it; of single runs only
what they alone know, that one has failed. A metric that Argo's controller lost by a restart is looked for in the time
before (`last_over_time`), and one that never comes is an alert of its own: a controller that is down runs no watchdog.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from steps.contract import values
from steps.contract.names import PART_OF
from steps.threescale.installation import SYSTEM_STORAGE
from workflows.monitoring import metrics
from workflows.rendering.document import Manifest

NAME = "threescale-backup"
_FULL = 0.9  # of a claim
_FAILED_FOR_S = 3 * 24 * 3600  # how long a failure is told that no later run makes good
_RUNS = f"{_FAILED_FOR_S}s"
_CLAIMS = f"threescale-backup.*|{SYSTEM_STORAGE}|.+-replaced"  # as they are called where nobody chose a name
_HERE = f"in namespace {{{{ $labels.{metrics.NAMESPACE} }}}}"
_LABELLED = "label_threescale_backup_backup"  # as kube-state-metrics writes our label, where it is told of it


class Thresholds(BaseModel):
    """When an alert fires; None leaves out the one that asks for a proof."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expected_every: timedelta
    verified_every: timedelta | None = None
    proven_every: timedelta | None = None
    silent_for: timedelta = timedelta(hours=3)  # how long the watchdog may tell nothing
    max_shrink: float = Field(default=values.MAX_SHRINK, ge=0, le=1)


class Alert(NamedTuple):
    """One alert: a condition in PromQL, for how long it must hold, and what is said of it."""

    name: str
    expr: str
    lasts: str
    severity: str
    summary: str
    what_to_do: str


def prometheus_rule(namespace: str, thresholds: Thresholds, *, scheduled: bool) -> Manifest:
    """Render all alerts as one object."""
    told = alerts(namespace, thresholds, scheduled=scheduled)
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": NAME, "namespace": namespace, "labels": dict(PART_OF)},
        "spec": {"groups": [{"name": NAME, "rules": [_rule(alert) for alert in told]}]},
    }


def alerts(namespace: str, thresholds: Thresholds, *, scheduled: bool = True) -> list[Alert]:
    """All alerts, what matters most first; `scheduled`: there is a schedule that can be off."""
    seen = _Catalogue(namespace, thresholds.silent_for)
    return [
        *_of_backups(seen, thresholds),
        *([_schedule_off(seen)] if scheduled else []),
        *_of_sizes(seen, thresholds),
        *_of_proofs(seen, thresholds),
        _failed(namespace),
        _nearly_full(namespace),
    ]


class _Catalogue(NamedTuple):
    """What the watchdog told within the time that it may be silent."""

    namespace: str
    window: timedelta

    def chosen(self, name: str, more: str = "") -> str:
        """A selector of this installation's."""
        return f'{metrics.exported(name)}{{{metrics.NAMESPACE}="{self.namespace}"{more}}}[{_s(self.window)}s]'

    def last(self, name: str, more: str = "") -> str:
        """The greatest that each pod of the controller told last.

        Of a moment that is the last one. Of a number it may be, for as long as the window is, the one that the pod told
        which has led before.
        """
        return f"max by ({metrics.NAMESPACE}) (last_over_time({self.chosen(name, more)}))"


def _of_backups(seen: _Catalogue, thresholds: Thresholds) -> Iterator[Alert]:
    yield Alert(
        "ThreescaleBackupOverdue",
        f"time() - {seen.last(metrics.NEWEST)} > {_s(thresholds.expected_every)}",
        "5m",
        "critical",
        f"The newest backup of 3scale {_HERE} is too old, or there is none",
        "Read the sentence of the last threescale-watchdog workflow (argo get), mend what it names, and make a backup "
        "now: argo submit --from workflowtemplate/threescale-backup",
    )
    yield Alert(
        "ThreescaleBackupUnwatched",
        f"time() - {seen.last(metrics.WATCHED)} > {_s(seen.window)} or "
        f"absent_over_time({seen.chosen(metrics.WATCHED)})",
        "15m",
        "critical",
        f"Nobody looks whether 3scale {_HERE} is backed up",
        "See whether Argo's controller runs and Prometheus scrapes it, and what became of CronWorkflow "
        "threescale-watchdog-schedule (argo cron get); until then ask by hand: threescale-backup check",
    )


def _schedule_off(seen: _Catalogue) -> Alert:
    return Alert(
        "ThreescaleBackupScheduleOff",
        f"{seen.last(metrics.SCHEDULED)} == 0",
        "1h",
        "warning",
        f"The schedule of 3scale's backups {_HERE} is suspended or gone",
        "argo cron resume threescale-backup-schedule, or apply again what threescale-backup manifests --schedule "
        "renders",
    )


def _of_sizes(seen: _Catalogue, thresholds: Thresholds) -> Iterator[Alert]:
    yield Alert(
        "ThreescaleBackupShrank",
        " or ".join(
            f"{seen.last(newest)} < {1 - thresholds.max_shrink:g} * {seen.last(before)}"
            for newest, before in (
                (metrics.NEWEST_FILES, metrics.BEFORE_FILES),
                (metrics.NEWEST_BYTES, metrics.BEFORE_BYTES),
            )
        ),
        "5m",
        "warning",
        f"The newest backup of 3scale {_HERE} is much smaller than the one before",
        "Pin the larger backup: threescale-backup pin NAME -n NAMESPACE. Then find out which files are missing in "
        "system-storage. The next backup ends this alert even if files are missing.",
    )
    yield Alert(
        "ThreescaleBackupOutgrowsClaim",
        f"{seen.last(metrics.NEWEST_BYTES)} / {seen.last(metrics.NEWEST_CAPACITY)} > {_FULL:g}",
        "5m",
        "warning",
        f"The newest backup of 3scale {_HERE} nearly fills its claim",
        "Give the next ones more room: render the manifests with a larger --argument storage-request=, and apply them",
    )


def _of_proofs(seen: _Catalogue, thresholds: Thresholds) -> Iterator[Alert]:
    damaged = f',{metrics.STATE}="damaged"'
    yield Alert(
        "ThreescaleBackupDamaged",
        f"{seen.last(metrics.BACKUPS, damaged)} > 0",
        "5m",
        "critical",
        f"A backup of 3scale {_HERE} was found not to be whole",
        "threescale-backup list says which: make a new one at once, then look at the storage; delete the damaged one "
        "when a newer is verified",
    )
    for name, metric, limit, how in (
        ("Verified", metrics.VERIFIED, thresholds.verified_every, "verify"),
        ("Proven", metrics.PROVEN, thresholds.proven_every, "drill -p scratch-namespace=NAMESPACE"),
    ):
        if limit is not None:
            yield Alert(
                f"ThreescaleBackupNot{name}",
                f"time() - {seen.last(metric)} > {_s(limit)}",
                "1h",
                "warning",
                f"No backup of 3scale {_HERE} was {name.lower()} for too long",
                f"argo submit --from workflowtemplate/threescale-{how}, and see why it does not run by schedule",
            )


def _failed(namespace: str) -> Alert:
    """A failure that no later success of the same kind has made good.

    It is a moment, not an increase of the counter: of one that begins anew at one `increase` sees nothing.
    """
    by = f"{metrics.NAMESPACE}, {metrics.OPERATION}"
    chosen = f'{{{metrics.NAMESPACE}="{namespace}",{metrics.OPERATION}!="watchdog"}}'
    failed, good = (
        f"max by ({by}) (max_over_time({metrics.exported(name)}{chosen}[{_RUNS}]))"
        for name in (metrics.FAILURE, metrics.SUCCESS)
    )
    return Alert(
        "ThreescaleBackupRunFailed",
        f"({failed} > time() - {_FAILED_FOR_S}) unless on ({by}) ({good} >= on ({by}) {failed})",
        "1m",
        "warning",
        f"The last {{{{ $labels.operation }}}} of 3scale {_HERE} has failed",
        "argo list --status Failed,Error and argo get NAME: the task report says what failed and what to do next; a "
        "prune may be the last node of the newest backup, which stays Succeeded",
    )


def _nearly_full(namespace: str) -> Alert:
    """A claim is measured while a pod mounts it, so for a backup's within the last day.

    Which claims are ours, their names tell, or their label where kube-state-metrics is told to show it.
    """
    used, capacity = (
        f'max_over_time(kubelet_volume_stats_{what}_bytes{{namespace="{namespace}"}}[1d])'
        for what in ("used", "capacity")
    )
    by = "namespace, persistentvolumeclaim"
    called = f'kubelet_volume_stats_capacity_bytes{{namespace="{namespace}",persistentvolumeclaim=~"{_CLAIMS}"}}[1d]'
    labelled = f'kube_persistentvolumeclaim_labels{{namespace="{namespace}",{_LABELLED}!=""}}'
    return Alert(
        "ThreescaleBackupClaimNearlyFull",
        f"max by ({by}) ({used} / {capacity}) > {_FULL:g} and on ({by}) (max_over_time({called}) or {labelled})",
        "1m",
        "warning",
        "Claim {{ $labels.persistentvolumeclaim }} in namespace {{ $labels.namespace }} was nearly full",
        "system-storage: enlarge it before 3scale can write no more; a backup's: give the next ones more room by "
        "--argument storage-request=",
    )


def _rule(alert: Alert) -> Manifest:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.lasts,
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "what_to_do": alert.what_to_do},
    }


def _s(duration: timedelta) -> int:
    return int(duration.total_seconds())
