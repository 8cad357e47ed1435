"""The metrics that the workflows report to Prometheus through Argo's controller, each with its help text.

Argo 4.1.2 exports a metric as `argo_workflows_` and its name. It adds neither a unit nor `_total`
(util/telemetry/exporter_prometheus.go: WithNamespace, UnderscoreEscapingWithoutSuffixes; the namespace is given in
workflow/controller/controller.go). So the names below end as Prometheus wants it.

A metric is in the memory of the leading controller. It is lost when the controller restarts, when another one leads, or
after `metricsTTL` (workflow/metrics/metrics_custom.go). Then a counter begins again at one, which `increase` does not
see, and a gauge is absent until the next run. So the alerts use timestamps, and look for them over some time
(`alerts.py`). The watchdog reports what the catalogue holds; single runs report only the rest.

Argo reports an error for two help texts of one name (matchExistingMetric), so all installations of a cluster use the
same texts. The label is not called `namespace`, because Prometheus uses that for the namespace of the controller's pod.
"""

from collections.abc import Container, Mapping
from types import MappingProxyType
from typing import NamedTuple

from hera.expr import g
from hera.workflows import Counter, Gauge, Label

from steps.contract.arguments import ONLY, PLAN, REFUSED
from steps.contract.values import YES
from steps.contract.watchdog_contract import STATES
from workflows.rendering import conditions
from workflows.rendering.phase import Metric

PREFIX = "argo_workflows_"
NAMESPACE = "threescale_namespace"
OPERATION, STATUS, STATE = "operation", "status", "state"

HELP: dict[str, str] = {}


def _metric(name: str, sentence: str) -> str:
    name = f"threescale_backup_{name}"
    HELP[name] = sentence
    return name


# Of runs, one for each operation.
RUNS = _metric("runs_total", "Runs that have ended, by how they ended.")
DURATION = _metric("duration_seconds", "How long the last run took, by how it ended.")
SUCCESS = _metric("last_success_timestamp_seconds", "When the last run that succeeded was asked for, in Unix time.")
FAILURE = _metric(
    "last_failure_timestamp_seconds", "When the last run that did not succeed was asked for, in Unix time."
)
RUN_FILES = _metric("run_files", "Files of System FileStorage in the last run that copied them.")
RUN_BYTES = _metric("run_bytes", "Bytes of those files.")

# Of the catalogue, from each run of the watchdog.
WATCHED = _metric("watched_timestamp_seconds", "When the watchdog last read the catalogue, in Unix time.")
NEWEST = _metric(
    "newest_timestamp_seconds", "When the newest complete backup began, in Unix time; 0 where there is none."
)
VERIFIED = _metric(
    "verified_timestamp_seconds", "When every byte of a backup was last found right, in Unix time; 0 is never."
)
PROVEN = _metric("proven_timestamp_seconds", "When a backup was last restored for trial, in Unix time; 0 is never.")
NEWEST_FILES = _metric(
    "newest_files", "Files of System FileStorage in the newest complete backup; NaN where nobody counted."
)
NEWEST_BYTES = _metric("newest_bytes", "Bytes of those files; NaN where nobody counted.")
NEWEST_CAPACITY = _metric("newest_capacity_bytes", "Size of the claim of the newest complete backup.")
BEFORE_FILES = _metric("before_files", "The same as newest_files of the complete backup before it.")
BEFORE_BYTES = _metric("before_bytes", "The same as newest_bytes of the complete backup before it.")
BACKUPS = _metric("backups", "Backups in the catalogue, by state; damaged ones count in two.")
PUSHED = _metric(
    "pushed_timestamp_seconds",
    "When the newest backup with a copy in the repositories began, in Unix time; 0 where there is none.",
)
DAMAGED_SNAPSHOTS = _metric("damaged_snapshots", "Snapshots in the repositories that are marked as damaged.")
LOCKED_UNTIL = _metric(
    "repository_locked_until_timestamp_seconds",
    "When the first lock of what the newest copy needs ends, in Unix time; 0 where an object has none, NaN is unknown.",
)
SCHEDULED = _metric("scheduled", "1 while the schedule is there and not suspended, else 0.")

# Output parameters of the watchdog's phase, and the metric that each becomes.
WATCHED_OUTPUT = "watched"
CATALOGUE: Mapping[str, str] = MappingProxyType(
    {
        WATCHED_OUTPUT: WATCHED,
        "newest": NEWEST,
        "verified": VERIFIED,
        "proven": PROVEN,
        "newest-files": NEWEST_FILES,
        "newest-bytes": NEWEST_BYTES,
        "newest-capacity": NEWEST_CAPACITY,
        "before-files": BEFORE_FILES,
        "before-bytes": BEFORE_BYTES,
        "pushed": PUSHED,
        "damaged-snapshots": DAMAGED_SNAPSHOTS,
        "locked-until": LOCKED_UNTIL,
        "scheduled": SCHEDULED,
    }
)


def exported(name: str) -> str:
    """Return the name under which Prometheus finds the metric."""
    return f"{PREFIX}{name}"


def of_runs(operation: str, asked: Container[str]) -> list[Metric]:
    """Report each ended run of a workflow with these arguments once. A run with `plan=only` is not reported."""
    acts = conditions.differ(conditions.or_empty(PLAN), ONLY) if PLAN in asked else ""
    failed = conditions.differ(conditions.or_empty(REFUSED), YES)
    ended = _Tags(f"{g.workflow.status:$}", conditions.status(), f"{g.workflow.duration:$}")
    return _of_runs(operation, ended, acts, failed)


def of_runs_within(operation: str) -> list[Metric]:
    """Report the same for a template that runs an operation inside another workflow.

    The end of that workflow says nothing about the operation.
    """
    return _of_runs(operation, _Tags(f"{g.status:$}", f"{g.status:$}", f"{g.duration:$}"))


class _Tags(NamedTuple):
    """Tags for how something ended, for the value of the label, and for the duration."""

    status: str
    label: str
    duration: str


def _of_runs(operation: str, ended: _Tags, acts: str = "", failed: str = "") -> list[Metric]:
    """`acts`: a condition for all metrics. `failed`: one more condition for the time of the last failure."""
    moment = f"{g.workflow.creationTimestamp.s:$}"
    by_status = [*_labels(operation), Label(key=STATUS, value=ended.label)]
    good, bad = (ask(ended.status, conditions.SUCCEEDED) for ask in (conditions.equal, conditions.differ))
    return [
        Counter(name=RUNS, help=HELP[RUNS], labels=by_status, when=acts or None, value="1"),
        _gauge(DURATION, by_status, ended.duration, acts),
        _gauge(SUCCESS, _labels(operation), moment, good, acts),
        _gauge(FAILURE, _labels(operation), moment, bad, failed, acts),
    ]


def of_files(operation: str) -> list[Metric]:
    """Report the outputs `files` and `bytes` of a phase, if it succeeded and has them."""
    ended_well = conditions.equal(f"{g.status:$}", conditions.SUCCEEDED)
    return [
        _gauge(name, _labels(operation), _output(output), ended_well, conditions.differ(_output(output), ""))
        for output, name in (("files", RUN_FILES), ("bytes", RUN_BYTES))
    ]


def of_catalogue() -> list[Metric]:
    """Report what the watchdog read, also if it fails because of that.

    Without a readable catalogue nothing is reported.
    """
    seen = conditions.differ(_output(WATCHED_OUTPUT), "")
    mine = [Label(key=NAMESPACE, value=f"{g.workflow.namespace:$}")]
    states = [_gauge(BACKUPS, [*mine, Label(key=STATE, value=state)], _output(state), seen) for state in STATES]
    return [*(_gauge(name, mine, _output(output), seen) for output, name in CATALOGUE.items()), *states]


def _gauge(name: str, labels: list[Label], value: str, *when: str) -> Gauge:
    condition = conditions.both(*when)
    return Gauge(name=name, help=HELP[name], labels=labels, when=condition or None, realtime=False, value=value)


def _labels(operation: str) -> list[Label]:
    return [Label(key=OPERATION, value=operation), Label(key=NAMESPACE, value=f"{g.workflow.namespace:$}")]


def _output(name: str) -> str:
    return f"{getattr(g.outputs.parameters, name):$}"
