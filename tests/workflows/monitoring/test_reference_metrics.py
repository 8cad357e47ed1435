"""The reference page of metrics and alerts, made from their definitions."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import get_args

from steps.contract.names import Operation
from steps.contract.watchdog_contract import STATES
from tests.builders.reference import code, made_by, recorded, table
from workflows.monitoring import metrics
from workflows.monitoring.alerts import Thresholds, alerts
from workflows.rendering.phase import Metric

DAY = timedelta(days=1)
ALERTS = alerts("NAMESPACE", Thresholds(expected_every=DAY, verified_every=DAY, proven_every=DAY))
# When each alert fires, without its expression.
FIRES = {
    "ThreescaleBackupOverdue": "The newest complete backup is older than `--expected-every`, or there is none.",
    "ThreescaleBackupUnwatched": "The watchdog has reported nothing for `--silent-for`. "
    "It does not run, Argo's controller is down, or Prometheus does not scrape the controller.",
    "ThreescaleBackupScheduleOff": "The schedule is suspended or missing. "
    "The newest backup may still be young enough. Rendered with `--schedule` only.",
    "ThreescaleBackupShrank": "The newest backup has fewer files or bytes than the backup before. "
    "The difference is more than `--max-shrink`.",
    "ThreescaleBackupOutgrowsClaim": "System's files fill nine tenths of the newest backup's claim.",
    "ThreescaleBackupDamaged": "A verification or a drill found that a backup is damaged.",
    "ThreescaleBackupNotVerified": "No backup was verified for `--verified-every`. "
    "Rendered only if this time is set. `--verify` sets it.",
    "ThreescaleBackupNotProven": "No backup was restored for trial for `--proven-every`. "
    "Rendered only if this time is set. `--drill` sets it.",
    "ThreescaleBackupRunFailed": "A run of the last three days failed. "
    "No run of the same operation has succeeded since. Failures of the watchdog do not count.",
    "ThreescaleBackupClaimNearlyFull": "`system-storage`, the claim of a backup, or the claim of replaced files "
    "was filled to nine tenths. "
    "The kubelet measured this within the last day, while a pod had the claim mounted.",
}


def of_all() -> Iterator[Metric]:
    yield from metrics.of_runs("backup", ())
    yield from metrics.of_files("backup")
    yield from metrics.of_catalogue()


def labels() -> dict[str, list[str]]:
    """The labels of each metric, in the order in which it is given them."""
    return {metric.name: [label.key for label in metric.labels or ()] for metric in of_all()}


def rows() -> Iterator[tuple[str, str, str, str]]:
    kinds = {metric.name: type(metric).__name__.lower() for metric in of_all()}
    for name, keys in labels().items():
        more = " ".join(code(key) for key in keys if key != metrics.NAMESPACE)
        yield code(metrics.exported(name)), kinds[name], metrics.HELP[name], more or "none"


def page_of_metrics() -> Iterator[str]:
    yield from ("# Metrics and alerts", "", made_by("tests/workflows/monitoring/test_reference_metrics.py"), "")
    yield from ("## Metrics", "")
    yield "Argo's controller exports these metrics on port 9090, under `/metrics`."
    yield f"Each metric has the label {code(metrics.NAMESPACE)}, the namespace of the 3scale installation."
    yield "Prometheus itself sets the label `namespace` to the namespace of Argo's controller."
    yield "The names are those of Argo 4.1.2 (`util/telemetry/exporter_prometheus.go`)."
    yield f"It puts {code(metrics.PREFIX)} before each name and adds no suffix."
    yield from ("", *table("Metric", "Type", "Meaning", "More labels", rows=rows()), "")
    yield from table("Label", "Values", rows=values())
    yield from ("", "`status` is Argo's word for the end of a run.")
    yield "It is `refused` if the arguments of a person's own run were refused."
    yield "Such a run does not count as failed, and no alert fires. A scheduled run with refused arguments has failed."
    yield from ("", "The metrics with the label `operation` are about single runs. A plan does not count as a run.")
    yield "Retention at the end of a scheduled backup counts as a run of `prune`."
    yield "The other metrics are about the catalogue, as the watchdog read it last."
    yield from ("", "All metrics are in the memory of the controller that leads.")
    yield "They are lost when the controller restarts, when another controller leads, or after Argo's `metricsTTL`."
    yield "They are missing until the next run. A counter starts again at 1, and `increase` does not see this."
    yield "So the alerts use times and not increases. They look back a while: three days for a failed run,"
    yield "and `--silent-for` (three hours by default) for the catalogue."
    yield "When another controller leads, the last numbers of the first one still count for that long."
    yield "An alert on a size, a damaged backup or the schedule may start or end so much later."
    yield from ("", "## Alerts", "")
    yield "`manifests --monitoring` renders these alerts as a PrometheusRule."
    yield "Each alert has the annotations `summary` and `what_to_do`, and the label `severity`."
    for alert in ALERTS:
        facts = (
            ("Fires when", FIRES[alert.name]),
            ("For at least", alert.lasts),
            ("Summary", shown(alert.summary)),
            ("What to do", alert.what_to_do),
        )
        yield from ("", f"### {alert.name}", "", *table("Severity", alert.severity, rows=facts))
    yield from ("", "## If an alert never fires", "")
    yield from ("Some installations of Prometheus do not load a rule of every namespace, or need more:", "")
    yield "- If your Prometheus selects rules by a label (`release: ...`), add this label to the PrometheusRule."
    yield "- User workload monitoring on OpenShift lets a rule read metrics of its own namespace only."
    yield "  Put the PrometheusRule into the namespace of Argo's controller."
    yield "  Then only `ThreescaleBackupOutgrowsClaim` reports a claim that is nearly full."
    yield "- `ThreescaleBackupClaimNearlyFull` finds a backup's claim by its default name."
    yield "  It finds a claim with a name of your choice only if kube-state-metrics exports its label:"
    yield "  `--metric-labels-allowlist=persistentvolumeclaims=[threescale-backup/backup]`."
    yield "- Argo's own manifests have no Service for its metrics."
    yield '  Argo\'s documentation shows one, with a ServiceMonitor (Telemetry, "Prometheus Scraping").'


def values() -> Iterator[tuple[str, str]]:
    yield code(metrics.OPERATION), " ".join(map(code, get_args(Operation)))
    yield code(metrics.STATUS), " ".join(map(code, ("Succeeded", "Failed", "Error", "refused")))
    yield code(metrics.STATE), " ".join(map(code, STATES))


def shown(summary: str) -> str:
    """A summary with words in capitals where Prometheus puts the values of labels."""
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda label: label[1].removeprefix("threescale_").upper(), summary)


def test_the_page_of_metrics_is_as_the_code_says() -> None:
    page, made = recorded("metrics.md", page_of_metrics())

    assert page == made


def test_every_metric_with_a_sentence_is_exported() -> None:
    assert labels().keys() == metrics.HELP.keys()
    assert all(metrics.NAMESPACE in keys for keys in labels().values())


def test_every_alert_says_when_it_fires() -> None:
    assert FIRES.keys() == {alert.name for alert in ALERTS}
