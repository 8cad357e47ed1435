"""The alerts for Prometheus: a PrometheusRule, whose alerts say what to do.

The age of the newest backup and of its proofs comes from the catalogue, as the watchdog last read it. Single runs only
report that a run failed, because the catalogue does not hold that.

Argo's controller loses its metrics by a restart, so `last_over_time` takes the last value before. A missing metric has
an alert of its own, because a controller that is down starts no watchdog.
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
_FAILED_FOR_S = 3 * 24 * 3600  # how long a failure without a later success is reported
_RUNS = f"{_FAILED_FOR_S}s"
_CLAIMS = f"threescale-backup.*|{SYSTEM_STORAGE}|.+-replaced"  # the default names of claims
_HERE = f"in namespace {{{{ $labels.{metrics.NAMESPACE} }}}}"
_LABELLED = "label_threescale_backup_backup"  # our label in kube-state-metrics, if that is configured to show it


class Thresholds(BaseModel):
    """The limits of the alerts. None leaves out the alert about that proof."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expected_every: timedelta
    verified_every: timedelta | None = None
    proven_every: timedelta | None = None
    pushed_every: timedelta | None = None
    lock_warning: timedelta | None = None  # before the end of a lock
    copied: bool = False  # a repository is configured
    silent_for: timedelta = timedelta(hours=3)  # how long the watchdog may report nothing
    max_shrink: float = Field(default=values.MAX_SHRINK, ge=0, le=1)


class Alert(NamedTuple):
    """One alert: its condition in PromQL, how long the condition must hold, and its texts."""

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
    """Return all alerts, the most important first. `scheduled`: a schedule exists, which can be off."""
    seen = _Catalogue(namespace, thresholds.silent_for)
    return [
        *_of_backups(seen, thresholds),
        *([_schedule_off(seen)] if scheduled else []),
        *_of_sizes(seen, thresholds),
        *_of_proofs(seen, thresholds),
        *_of_copies(seen, thresholds),
        _failed(namespace),
        _nearly_full(namespace),
    ]


class _Catalogue(NamedTuple):
    """The metrics of the watchdog within the time that it may be silent."""

    namespace: str
    window: timedelta

    def chosen(self, name: str, more: str = "") -> str:
        """Return a range selector for this installation."""
        return f'{metrics.exported(name)}{{{metrics.NAMESPACE}="{self.namespace}"{more}}}[{_s(self.window)}s]'

    def last(self, name: str, more: str = "") -> str:
        """Return the largest of the last values that each pod of the controller reported.

        For a timestamp, this is the latest. For a number it may be the value of the pod that led before, for as long as
        the window.
        """
        return f"max by ({metrics.NAMESPACE}) (last_over_time({self.chosen(name, more)}))"


def _of_backups(seen: _Catalogue, thresholds: Thresholds) -> Iterator[Alert]:
    yield Alert(
        "ThreescaleBackupOverdue",
        f"time() - {seen.last(metrics.NEWEST)} > {_s(thresholds.expected_every)}",
        "5m",
        "critical",
        f"The newest backup of 3scale {_HERE} is too old, or no backup exists",
        "Read the message of the last threescale-watchdog workflow (argo get) and fix the problem. Then make a backup "
        "now: argo submit --from workflowtemplate/threescale-backup",
    )
    yield Alert(
        "ThreescaleBackupUnwatched",
        f"time() - {seen.last(metrics.WATCHED)} > {_s(seen.window)} or "
        f"absent_over_time({seen.chosen(metrics.WATCHED)})",
        "15m",
        "critical",
        f"The watchdog has not checked the backups of 3scale {_HERE} for too long",
        "Check that Argo's controller runs and that Prometheus scrapes it. Check the CronWorkflow "
        "threescale-watchdog-schedule (argo cron get). Until the watchdog runs again, check by hand: "
        "threescale-backup check",
    )


def _schedule_off(seen: _Catalogue) -> Alert:
    return Alert(
        "ThreescaleBackupScheduleOff",
        f"{seen.last(metrics.SCHEDULED)} == 0",
        "1h",
        "warning",
        f"The schedule of 3scale's backups {_HERE} is suspended or missing",
        "Resume the schedule: argo cron resume threescale-backup-schedule. If the CronWorkflow is missing, render it "
        "with threescale-backup manifests --schedule and apply it again.",
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
        "Give the next backups larger claims: render the manifests with a larger --argument storage-request=, and "
        "apply them.",
    )


def _of_proofs(seen: _Catalogue, thresholds: Thresholds) -> Iterator[Alert]:
    damaged = f',{metrics.STATE}="damaged"'
    yield Alert(
        "ThreescaleBackupDamaged",
        f"{seen.last(metrics.BACKUPS, damaged)} > 0",
        "5m",
        "critical",
        f"A backup of 3scale {_HERE} is damaged or incomplete",
        "Find the damaged backup with threescale-backup list. Make a new backup now, then check the storage. Delete "
        "the damaged backup when a newer backup is verified.",
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
                f"Run it now: argo submit --from workflowtemplate/threescale-{how}. Then find out why no schedule "
                "runs it.",
            )


def _of_copies(seen: _Catalogue, thresholds: Thresholds) -> Iterator[Alert]:
    if thresholds.pushed_every is not None:
        yield Alert(
            "ThreescaleBackupNotPushed",
            f"time() - {seen.last(metrics.PUSHED)} > {_s(thresholds.pushed_every)}",
            "5m",
            "critical",
            f"The newest copy of 3scale's backups {_HERE} in the repositories is too old, or no copy exists",
            "Read the node push of the last threescale-backup workflow (argo get) and fix the problem. Then copy the "
            "backup now: argo submit --from workflowtemplate/threescale-push",
        )
    if thresholds.copied:
        yield Alert(
            "ThreescaleBackupCopyDamaged",
            f"{seen.last(metrics.DAMAGED_SNAPSHOTS)} > 0",
            "5m",
            "critical",
            f"A copy of 3scale's backups {_HERE} in a repository is damaged",
            "Read the last threescale-verify workflow (argo get), which names the backups. Repair the repository with "
            "the account of prune, then push these backups again.",
        )
    if thresholds.lock_warning is not None:
        yield Alert(
            "ThreescaleBackupLockEnds",
            f"{seen.last(metrics.LOCKED_UNTIL)} - time() < {_s(thresholds.lock_warning)}",
            "5m",
            "critical",
            f"The lock of the newest copy of 3scale's backups {_HERE} ends soon, or objects have no lock",
            "Extend the locks of the objects that threescale-backup repository objects latest prints, with an account "
            "that may. Then run threescale-verify again, which reads the new terms.",
        )


def _failed(namespace: str) -> Alert:
    """Alert about a failure without a later success of the same operation.

    The condition compares timestamps. `increase` would not see a counter that a restart begins again at one.
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
        "Find the workflow with argo list --status Failed,Error, then run argo get NAME. The task report says what "
        "failed and what to do next. A failed prune may be the last node of the newest backup, which stays Succeeded.",
    )


def _nearly_full(namespace: str) -> Alert:
    """Alert about a claim that is nearly full.

    The kubelet measures a claim only while a pod mounts it, so the values of the last day are used. Our claims are
    found by their names, or by their label if kube-state-metrics is configured to show it.
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
        "If the claim is system-storage, enlarge it now: when it is full, 3scale can't write files. If the claim holds "
        "a backup, give the next backups larger claims with --argument storage-request=.",
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
