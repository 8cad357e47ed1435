"""The rules and the dashboard: they ask for what is exported, they are PromQL, and promtool sees them fire and rest."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests import documents
from tests.builders.commands import IMAGE, run
from tests.builders.crons import BY_NIGHT, WATCHED_BY_NIGHT
from tests.builders.metrics import of_spec
from tests.embedded.metrics import PREFIX
from workflows.manifests import render
from workflows.monitoring import metrics
from workflows.monitoring.alerts import Thresholds
from workflows.rendering.settings import Settings

HOUR = 3600
THRESHOLDS = Thresholds(
    expected_every=timedelta(hours=26),
    verified_every=timedelta(days=8),
    proven_every=timedelta(days=35),
    pushed_every=timedelta(hours=30),
    copied=True,
)
RENDERED = render(Settings(image=IMAGE, namespace="api"), [BY_NIGHT, WATCHED_BY_NIGHT], thresholds=THRESHOLDS)
OTHERS = {
    "kubelet_volume_stats_used_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "kube_persistentvolumeclaim_labels",
}
(RULE,) = [manifest for manifest in RENDERED if manifest["kind"] == "PrometheusRule"]
(CONFIGMAP,) = [manifest for manifest in RENDERED if manifest["kind"] == "ConfigMap"]
ALERTS = {rule["alert"]: rule for rule in RULE["spec"]["groups"][0]["rules"]}
DASHBOARD = json.loads(CONFIGMAP["data"]["threescale-backup.json"])
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def labels_of() -> dict[str, set[str]]:
    """What Argo exports of the rendered templates: names, each with its labels."""
    found: dict[str, set[str]] = {}
    for manifest in RENDERED:
        for metric in of_spec(manifest) if manifest["kind"] == "WorkflowTemplate" else []:
            found.setdefault(f"{PREFIX}{metric['name']}", set()).update(label["key"] for label in metric["labels"])
    return found


EXPORTED = labels_of()


def selectors(expr: str) -> Iterator[Any]:
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expr), pre_visit=lambda node: found.append(node) or None)
    yield from (node for node in found if isinstance(node, promql_parser.VectorSelector))


@pytest.mark.parametrize("expr", [*(rule["expr"] for rule in ALERTS.values()), *QUERIES])
def test_what_is_asked_for_is_what_argo_exports(expr: str) -> None:
    asked = list(selectors(expr))

    assert asked != []
    for selector in asked:
        assert selector.name in {*EXPORTED, *OTHERS}
        if selector.name in EXPORTED:
            assert {matcher.name for matcher in selector.matchers.matchers} <= EXPORTED[selector.name]
            assert metrics.NAMESPACE in {matcher.name for matcher in selector.matchers.matchers}


def test_what_groups_and_what_is_shown_are_labels_that_there_are() -> None:
    known = {*set().union(*EXPORTED.values()), "namespace", "persistentvolumeclaim"}
    grouped = {
        word.strip()
        for expr in [*QUERIES, *(rule["expr"] for rule in ALERTS.values())]
        for words in re.findall(r"\b(?:by|on) \(([^)]*)\)", expr)
        for word in words.split(",")
    }
    shown = set(re.findall(r"\$labels\.(\w+)", json.dumps(ALERTS)))
    legends = set(re.findall(r"\{\{(\w+)\}\}", json.dumps(DASHBOARD)))

    assert (grouped | shown | legends) - known == set()


def test_no_metric_is_exported_that_nobody_looks_at() -> None:
    asked = {
        selector.name
        for expr in [*QUERIES, *(rule["expr"] for rule in ALERTS.values())]
        for selector in selectors(expr)
    }

    assert EXPORTED.keys() - asked == set()


@pytest.mark.parametrize("rule", ALERTS.values(), ids=ALERTS)
def test_each_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) == {"summary", "what_to_do"}
    assert all("\n" not in text and text for text in rule["annotations"].values())
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["for"]


def test_the_dashboard_is_what_grafanas_sidecar_looks_for() -> None:
    assert CONFIGMAP["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "namespace"]


def alerts_of(*words: str) -> dict[str, str]:
    asked = ["manifests", "--image", IMAGE, "--namespace", "api", "--watchdog", "17 * * * *", "--monitoring"]
    code, out, err = run(*asked, *words)
    assert code == 0, err
    (rule,) = [item for item in documents.read(out) if item["kind"] == "PrometheusRule"]
    return {item["alert"]: item["expr"] for item in rule["spec"]["groups"][0]["rules"]}


def test_thresholds_are_those_that_were_said() -> None:
    told = ["--verified-every", "9d", "--proven-every", "", "--max-shrink", "0.2", "--silent-for", "8h"]
    found = alerts_of("--expected-every", "2d", *told)

    assert found["ThreescaleBackupOverdue"].endswith(f"> {48 * HOUR}")
    assert "ThreescaleBackupNotProven" not in found
    assert found["ThreescaleBackupNotVerified"].endswith(f"> {9 * 24 * HOUR}")
    assert "0.8 * " in found["ThreescaleBackupShrank"]
    assert f"[{8 * HOUR}s]" in found["ThreescaleBackupUnwatched"]


def test_no_alert_asks_for_what_is_not_rendered() -> None:
    alone = alerts_of()
    scheduled = alerts_of("--schedule", "0 2 * * *", "--verify", "0 4 * * *")
    drilled = alerts_of("--drill", "0 5 * * 0", "--drill-namespace", "drills")

    of_copies = {"ThreescaleBackupNotPushed", "ThreescaleBackupCopyDamaged"}
    assert alone.keys() & of_copies == set()
    of_what_runs = {f"ThreescaleBackup{name}" for name in ("ScheduleOff", "NotVerified", "NotProven")}
    assert alone.keys() & of_what_runs == set()
    assert scheduled.keys() & of_what_runs == {"ThreescaleBackupScheduleOff", "ThreescaleBackupNotVerified"}
    assert scheduled["ThreescaleBackupNotVerified"].endswith(f"> {8 * 24 * HOUR}")
    assert drilled.keys() & of_what_runs == {"ThreescaleBackupNotProven"}
    assert drilled["ThreescaleBackupNotProven"].endswith(f"> {35 * 24 * HOUR}")


def test_a_watchdog_that_looks_once_a_day_may_be_silent_for_longer() -> None:
    found = alerts_of("--watchdog", "17 6 * * *", "--silent-for", "27h")

    assert f"[{27 * HOUR}s]" in found["ThreescaleBackupUnwatched"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--monitoring", "--watchdog", "17 * * * *"], "Add --namespace"),
        (["--monitoring", "--namespace", "api"], "Add --watchdog"),
        (["--watchdog", "17 * * *"], "five fields"),
        (["--expected-every", "1m"], "--expected-every '1m' is not valid. Write weeks, days and hours"),
        (["--silent-for", "0h"], "--silent-for '0h' is not valid. Write weeks, days and hours"),
        (
            ["--monitoring", "--namespace", "api", "--watchdog", "17 6 * * *"],
            "--watchdog '17 6 * * *' runs once in 1 d",
        ),
        (["--monitoring", "--namespace", "api", "--watchdog", "17 */3 * * *"], "--silent-for 3h: --watchdog"),
        (["--notify-secret", "My_Secret"], "--notify-secret 'My_Secret'"),
    ],
)
def test_what_can_not_be_watched_is_refused_in_one_sentence(arguments: list[str], named: str) -> None:
    code, out, err = run("manifests", "--image", IMAGE, *arguments)

    assert (code, out) == (1, "")
    assert named in err
    assert err.count("\n") == 1


# --- promtool, where it is there ---

EVERY = 300  # seconds between two samples
API = 'threescale_namespace="api"'


def series(name: str, values: str, labels: str = "", pod: str = "a") -> dict[str, str]:
    prefix = "" if name in OTHERS else PREFIX
    return {"series": f'{prefix}{name}{{{labels or API},pod="{pod}"}}', "values": values}


def steady(value: float, hours: float) -> str:
    return f"{value:g}+0x{int(hours * HOUR / EVERY)}"


def fires(alert: str, at_h: float, *, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """What must be so at an hour; `labels` None: the alert rests."""
    text = json.dumps(ALERTS[alert]["annotations"])
    told = {"severity": ALERTS[alert]["labels"]["severity"], **(labels or {})}
    for name, value in (labels or {}).items():
        text = text.replace(f"{{{{ $labels.{name} }}}}", value)
    expected = [] if labels is None else [{"exp_labels": told, "exp_annotations": json.loads(text)}]
    return {"eval_time": f"{int(at_h * 60)}m", "alertname": alert, "exp_alerts": expected}


OF_API = {"threescale_namespace": "api"}
OF_BACKUP = {**OF_API, "operation": "backup"}
BACKUP = f'{API},operation="backup"'
CLAIM = 'namespace="api",persistentvolumeclaim="{}"'
LATE = 26 + 1  # the backup of hour 1 is too old
CASES = {
    "a backup in time, and one that is late": (
        [series(metrics.NEWEST, steady(HOUR, 40)), series(metrics.WATCHED, f"0+{EVERY}x480")],
        [
            fires("ThreescaleBackupOverdue", LATE - 0.5),
            fires("ThreescaleBackupOverdue", LATE + 0.5, labels=OF_API),
            fires("ThreescaleBackupUnwatched", LATE),
        ],
    ),
    "no backup ever": (
        [series(metrics.NEWEST, steady(0, 40))],
        [fires("ThreescaleBackupOverdue", 30, labels=OF_API)],
    ),
    "a controller that restarts between two looks, and one that stays down": (
        [
            series(metrics.NEWEST, f"{steady(30 * HOUR, 31)} _x400"),
            series(metrics.WATCHED, f"0+{EVERY}x372 _x400"),
            series(metrics.NEWEST, f"_x384 {steady(30 * HOUR, 2)} _x400", pod="b"),
            series(metrics.WATCHED, f"_x384 {384 * EVERY}+{EVERY}x24 _x400", pod="b"),
        ],
        [
            fires("ThreescaleBackupUnwatched", 31.9),
            fires("ThreescaleBackupOverdue", 31.9),
            fires("ThreescaleBackupUnwatched", 33),
            fires("ThreescaleBackupUnwatched", 38, labels=OF_API),
        ],
    ),
    "nothing is exported at all": (
        [series(metrics.WATCHED, "1 1", labels='threescale_namespace="another"')],
        [fires("ThreescaleBackupUnwatched", 1, labels=OF_API), fires("ThreescaleBackupOverdue", 1)],
    ),
    "a watchdog that looks no more while the controller lives": (
        [series(metrics.WATCHED, steady(HOUR, 40))],
        [fires("ThreescaleBackupUnwatched", 3.9), fires("ThreescaleBackupUnwatched", 4.5, labels=OF_API)],
    ),
    "a proof, and none for too long": (
        [
            series(metrics.VERIFIED, f"0+0x{30 * 288}"),
            series(metrics.PROVEN, f"0+0x{40 * 288}"),
        ],
        [
            fires("ThreescaleBackupNotVerified", 24 * 8 - 1),
            fires("ThreescaleBackupNotVerified", 24 * 8 + 2, labels=OF_API),
            fires("ThreescaleBackupNotProven", 24 * 35 - 1),
            fires("ThreescaleBackupNotProven", 24 * 35 + 2, labels=OF_API),
        ],
    ),
    "a failed run that the next makes good": (
        [
            series(metrics.SUCCESS, f"{steady(HOUR, 5)} {10 * HOUR}+0x400", labels=BACKUP),
            series(metrics.FAILURE, f"_x24 {2 * HOUR}+0x400", labels=BACKUP),
        ],
        [
            fires("ThreescaleBackupRunFailed", 1.5),
            fires("ThreescaleBackupRunFailed", 3, labels=OF_BACKUP),
            fires("ThreescaleBackupRunFailed", 11),
        ],
    ),
    "a failed run without a success in memory, through a restart": (
        [series(metrics.FAILURE, f"_x24 {steady(2 * HOUR, 1)} _x2000", labels=BACKUP)],
        [
            fires("ThreescaleBackupRunFailed", 20, labels=OF_BACKUP),
            fires("ThreescaleBackupRunFailed", 24 * 3 + 3),
        ],
    ),
    "a failed run that was tried again and succeeded": (
        [
            series(metrics.FAILURE, steady(2 * HOUR, 40), labels=BACKUP),
            series(metrics.SUCCESS, f"_x48 {2 * HOUR}+0x400", labels=BACKUP),
        ],
        [
            fires("ThreescaleBackupRunFailed", 3, labels=OF_BACKUP),
            fires("ThreescaleBackupRunFailed", 5),
        ],
    ),
    "a watchdog that fails is told by its own alerts": (
        [series(metrics.FAILURE, steady(HOUR, 40), labels=f'{API},operation="watchdog"')],
        [fires("ThreescaleBackupRunFailed", 2)],
    ),
    "a backup that shrank, in bytes": (
        [
            series(metrics.NEWEST_FILES, steady(10, 40)),
            series(metrics.BEFORE_FILES, steady(10, 40)),
            series(metrics.NEWEST_BYTES, "1000+0x24 400+0x400"),
            series(metrics.BEFORE_BYTES, steady(1000, 40)),
        ],
        [fires("ThreescaleBackupShrank", 1.5), fires("ThreescaleBackupShrank", 6, labels=OF_API)],
    ),
    "numbers that nobody knows": (
        [
            series(name, "NaN NaN NaN NaN")
            for name in (metrics.NEWEST_FILES, metrics.BEFORE_FILES, metrics.NEWEST_BYTES, metrics.BEFORE_BYTES)
        ],
        [fires("ThreescaleBackupShrank", 0.5), fires("ThreescaleBackupOutgrowsClaim", 0.5)],
    ),
    "a damaged backup": (
        [series(metrics.BACKUPS, steady(1, 5), labels=f'{API},state="damaged"')],
        [fires("ThreescaleBackupDamaged", 1, labels=OF_API)],
    ),
    "backups without damage": (
        [
            series(metrics.BACKUPS, steady(0, 5), labels=f'{API},state="damaged"'),
            series(metrics.BACKUPS, steady(7, 5), labels=f'{API},state="complete"'),
        ],
        [fires("ThreescaleBackupDamaged", 1)],
    ),
    "a copy in time, and one that is late": (
        [series(metrics.PUSHED, steady(HOUR, 40))],
        [
            fires("ThreescaleBackupNotPushed", 1 + 30 - 0.5),
            fires("ThreescaleBackupNotPushed", 1 + 30 + 0.5, labels=OF_API),
        ],
    ),
    "no copy ever": (
        [series(metrics.PUSHED, steady(0, 40))],
        [fires("ThreescaleBackupNotPushed", 31, labels=OF_API)],
    ),
    "no repository": (
        [
            series(metrics.PUSHED, " ".join(["NaN"] * 480)),
            series(metrics.DAMAGED_SNAPSHOTS, " ".join(["NaN"] * 480)),
        ],
        [fires("ThreescaleBackupNotPushed", 31), fires("ThreescaleBackupCopyDamaged", 31)],
    ),
    "a damaged copy, until it is whole again": (
        [series(metrics.DAMAGED_SNAPSHOTS, "0+0x12 2+0x12 0+0x24")],
        [
            fires("ThreescaleBackupCopyDamaged", 0.9),
            fires("ThreescaleBackupCopyDamaged", 1.5, labels=OF_API),
            fires("ThreescaleBackupCopyDamaged", 3),
        ],
    ),
    "a schedule that is off": (
        [series(metrics.SCHEDULED, "1+0x24 0+0x400")],
        [fires("ThreescaleBackupScheduleOff", 2), fires("ThreescaleBackupScheduleOff", 8, labels=OF_API)],
    ),
    "a backup that nearly fills its claim": (
        [series(metrics.NEWEST_BYTES, steady(95, 5)), series(metrics.NEWEST_CAPACITY, steady(100, 5))],
        [fires("ThreescaleBackupOutgrowsClaim", 1, labels=OF_API)],
    ),
    "claims that are nearly full while they are mounted": (
        [
            *(
                series(f"kubelet_volume_stats_{what}_bytes", f"{value}+0x4 _x400", labels=CLAIM.format(claim))
                for claim, used in (("threescale-backup-schedule-1", 95), ("system-storage", 50), ("mysql", 99))
                for what, value in (("used", used), ("capacity", 100))
            ),
            *(
                series(f"kubelet_volume_stats_{what}_bytes", f"{value}+0x4 _x400", labels=CLAIM.format("mine"))
                for what, value in (("used", 97), ("capacity", 100))
            ),
            series(
                "kube_persistentvolumeclaim_labels",
                steady(1, 40),
                labels=CLAIM.format("mine") + ',label_threescale_backup_backup="mine"',
                pod="ksm",
            ),
        ],
        [
            {
                **fires("ThreescaleBackupClaimNearlyFull", 2),
                "exp_alerts": [
                    fires(
                        "ThreescaleBackupClaimNearlyFull",
                        2,
                        labels={"namespace": "api", "persistentvolumeclaim": claim},
                    )["exp_alerts"][0]
                    for claim in ("threescale-backup-schedule-1", "mine")
                ],
            },
            fires("ThreescaleBackupClaimNearlyFull", 27),
        ],
    ),
}


@pytest.fixture
def promtool(tmp_path: Path) -> Path:
    """The rules as a file that promtool reads."""
    if not shutil.which("promtool"):
        pytest.skip("no promtool, which judges the rules (Debian's package is prometheus)")
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(RULE["spec"]))
    return path


def judged(*words: str | Path) -> str:
    done = subprocess.run(  # noqa: S603  as found on the PATH
        [str(shutil.which("promtool")), *map(str, words)], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_promtool_takes_the_rules(promtool: Path) -> None:
    assert judged("check", "rules", promtool) == ""


def test_promtool_sees_each_alert_fire_and_rest(promtool: Path) -> None:
    tests = [
        {"name": name, "interval": f"{EVERY}s", "input_series": given, "alert_rule_test": expected}
        for name, (given, expected) in CASES.items()
    ]
    path = promtool.with_name("tests.yaml")
    path.write_text(yaml.safe_dump({"rule_files": [promtool.name], "evaluation_interval": "5m", "tests": tests}))

    assert judged("test", "rules", path) == ""


def test_each_alert_is_seen_to_fire_and_to_rest() -> None:
    expected = [(item["alertname"], bool(item["exp_alerts"])) for _, wanted in CASES.values() for item in wanted]

    assert set(expected) == {(name, fired) for name in ALERTS for fired in (True, False)}
