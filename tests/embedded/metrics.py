"""What the controller would show under /metrics of the metrics that the manifests ask for.

Source: Argo 4.1.2, `computeMetrics` in workflow/controller/operator.go, workflow/metrics/metrics_custom.go, and
util/telemetry/exporter_prometheus.go for the names. A metric that can't be told is no failure of a workflow, there as
here: Argo puts a condition MetricsError on it, here it is one of `errors`.
"""

import threading
from collections.abc import Mapping
from typing import Any, Final

from workflows.rehearsal import errors
from workflows.rehearsal.argo import expressions, tags

PREFIX: Final = "argo_workflows_"

Sample = tuple[str, tuple[tuple[str, str], ...]]


class Exporter:
    """Keeps what was told since the controller started; a restart is a new one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: dict[Sample, float] = {}
        self._help: dict[str, str] = {}
        self.errors: list[str] = []

    def compute(self, described: Mapping[str, Any] | None, values: tags.Values, where: str) -> None:
        """Tell the metrics of a template or of a workflow that has ended."""
        for metric in (described or {}).get("prometheus") or []:
            try:
                self._tell(tags.substitute(metric, values, where))
            except (errors.UnknownTag, tags.Absent, expressions.Unreadable, ValueError) as error:
                self.errors.append(f"{where}: metric {metric['name']}: {error}")

    def value(self, name: str, **labels: str) -> float | None:
        """The value under an exported name and all of its labels, None where there is none."""
        return self._samples.get((name, tuple(sorted(labels.items()))))

    @property
    def names(self) -> set[str]:
        """All names that are exported now."""
        return {name for name, _ in self._samples}

    def _tell(self, metric: Mapping[str, Any]) -> None:
        if (asked := metric.get("when")) and not expressions.when(asked):
            return
        name = f"{PREFIX}{metric['name']}"
        key = name, tuple(sorted((label["key"], label["value"]) for label in metric.get("labels") or []))
        with self._lock:
            if self._help.setdefault(name, metric["help"]) != metric["help"]:
                raise ValueError(f"help is already set to {self._help[name]}")
            if "counter" in metric:
                self._samples[key] = self._samples.get(key, 0.0) + float(metric["counter"]["value"])
            else:
                self._samples[key] = float(metric["gauge"]["value"])
