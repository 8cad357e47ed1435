"""The Grafana dashboard: age of the newest backup and of its proofs, results of runs, and sizes."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from steps.contract.names import PART_OF
from workflows.monitoring import metrics
from workflows.rendering.document import Manifest

Panel = dict[str, Any]

NAME = "threescale-backup-dashboard"  # of the ConfigMap
_NAME = "threescale-backup"
_WIDTH = 24  # of Grafana's grid
_HEIGHT = 7
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_GREEN = [{"color": "green", "value": None}]


def config_map(namespace: str, expected_every: timedelta) -> Manifest:
    """Render the dashboard as the ConfigMap that Grafana's sidecar looks for."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": NAME,
            "namespace": namespace,
            "labels": {**PART_OF, "grafana_dashboard": "1"},
        },
        "data": {f"{_NAME}.json": json.dumps(_dashboard(namespace, expected_every), indent=1)},
    }


def _dashboard(namespace: str, expected_every: timedelta) -> dict[str, Any]:
    """Return the dashboard as Grafana's JSON model. Its variable starts with this namespace."""
    late = {"color": "red", "value": int(expected_every.total_seconds())}
    ages = [
        _age("Newest backup", metrics.NEWEST, [*_GREEN, late]),
        _age("Last verified", metrics.VERIFIED),
        _age("Last proven by a restore", metrics.PROVEN),
        _age("Newest backup with a copy", metrics.PUSHED),
        _age("Last look of the watchdog", metrics.WATCHED),
    ]
    over_time = [
        _series("Runs by how they ended", "none", _runs(), "{{operation}} {{status}}"),
        _series("Duration of runs", "s", _of(metrics.DURATION), "{{operation}} {{status}}"),
        _series("Bytes of System FileStorage", "bytes", _of(metrics.RUN_BYTES), "{{operation}}"),
        _series("Files of System FileStorage", "none", _of(metrics.RUN_FILES), "{{operation}}"),
        _series("Backups in the catalogue", "none", _of(metrics.BACKUPS), "{{state}}"),
        _series(
            "Damaged snapshots in repositories", "none", _of(metrics.DAMAGED_SNAPSHOTS), "{{threescale_namespace}}"
        ),
        _series(
            "Locks of the newest copy end",
            "dateTimeAsIso",
            f"{_of(metrics.LOCKED_UNTIL)} * 1000",
            "{{threescale_namespace}}",
        ),
        _series("Fill of claims while they are mounted", "percentunit", _fill(), "{{persistentvolumeclaim}}"),
    ]
    return {
        "title": "3scale backup",
        "uid": _NAME,
        "tags": [_NAME],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-30d", "to": "now"},
        "templating": {"list": [_datasource(), _namespace(namespace)]},
        "panels": [*_laid(ages, len(ages), 0), *_laid(over_time, 2, _HEIGHT)],
    }


def _datasource() -> Panel:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _namespace(namespace: str) -> Panel:
    query = f"label_values({metrics.exported(metrics.RUNS)}, {metrics.NAMESPACE})"
    return {
        "name": "namespace",
        "type": "query",
        "label": "Namespace",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "namespace"},
        "refresh": 2,
        "current": {"text": namespace, "value": namespace},
    }


def _of(name: str) -> str:
    return f'{metrics.exported(name)}{{{metrics.NAMESPACE}="$namespace"}}'


def _runs() -> str:
    return f"sum by ({metrics.OPERATION}, {metrics.STATUS}) ({_of(metrics.RUNS)})"


def _fill() -> str:
    used, capacity = (f'kubelet_volume_stats_{what}_bytes{{namespace="$namespace"}}' for what in ("used", "capacity"))
    return f"max by (persistentvolumeclaim) ({used} / {capacity})"


def _age(title: str, name: str, steps: Sequence[Panel] = _GREEN) -> Panel:
    """Return a panel with the time since a timestamp. A timestamp of zero means never, and shows nothing."""
    last = f"max(last_over_time({_of(name)}[1d]))"
    panel = _panel("stat", title, "s", f"time() - ({last} > 0)", "")
    panel["fieldConfig"]["defaults"]["thresholds"] = {"mode": "absolute", "steps": list(steps)}
    return panel


def _series(title: str, unit: str, expr: str, legend: str) -> Panel:
    return _panel("timeseries", title, unit, expr, legend)


def _panel(kind: str, title: str, unit: str, expr: str, legend: str) -> Panel:
    return {
        "type": kind,
        "title": title,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{"datasource": _SOURCE, "expr": expr, "legendFormat": legend, "refId": "A"}],
    }


def _laid(panels: Sequence[Panel], columns: int, top: int) -> list[Panel]:
    """Place panels on the grid, this many columns side by side."""
    wide = _WIDTH // columns
    return [
        {
            **panel,
            "id": top * 10 + number + 1,
            "gridPos": {"h": _HEIGHT, "w": wide, "x": number % columns * wide, "y": top + number // columns * _HEIGHT},
        }
        for number, panel in enumerate(panels)
    ]
