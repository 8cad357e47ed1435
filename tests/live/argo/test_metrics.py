"""The names that a real Argo exports are those that the alerts ask for."""

import re
import urllib.request
from typing import Final

import pytest

from tests.live.argo.argo import NODE_S, Argo
from tests.live.argo.nights import KEEP, NEVER
from tests.live.kubernetes import until
from tests.live.stage import Stage
from workflows import schedule
from workflows.manifests import render
from workflows.monitoring import metrics

pytestmark = pytest.mark.cluster

URL: Final = "http://127.0.0.1:9090/metrics"  # as Argo comes, but without TLS
_LINE: Final = re.compile(r"(\w+)\{(.*)\} (\S+)")
_OPERATION: Final = re.compile(rf'{metrics.OPERATION}="(\w+)"')


@pytest.fixture
def url() -> str:
    try:
        with urllib.request.urlopen(URL, timeout=5):
            return URL
    except OSError as error:
        pytest.skip(f"no controller on this machine shows its metrics at {URL}: {error}")


def told(url: str, namespace: str) -> dict[str, set[str]]:
    """Return the names of what is told of a namespace, each with the operations of which it is."""
    found: dict[str, set[str]] = {}
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  the address above
        lines = [_LINE.fullmatch(line) for line in answer.read().decode().splitlines()]
    for name, labels, _ in (line.groups() for line in lines if line):
        if f'{metrics.NAMESPACE}="{namespace}"' in labels:
            found.setdefault(name, set()).update(_OPERATION.findall(labels))
    return found


def test_every_metric_is_exported_by_the_name_that_the_alerts_ask_for(live: Stage, argo: Argo, url: str) -> None:
    live.installation.install()
    for manifest in render(live.settings, [NEVER], KEEP):
        live.kubernetes.apply(manifest)
    assert argo.wait(argo.backup(name="nightly", schedule=schedule.NAME)).phase == "Succeeded"
    assert argo.wait(argo.restore("mistyped")).phase == "Failed"
    argo.wait(argo.submit("threescale-watchdog"))
    wanted = {metrics.exported(name) for name in metrics.HELP}

    until("all metrics", lambda: wanted <= set(told(url, live.namespace)), NODE_S)

    runs = told(url, live.namespace)[metrics.exported(metrics.RUNS)]
    assert runs == {"backup", "prune", "restore", "watchdog"}
