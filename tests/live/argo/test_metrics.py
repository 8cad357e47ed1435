"""The names that a real Argo exports are those that the alerts ask for."""

import re
import urllib.request
from typing import Final

import pytest

from tests.live.argo.argo import NODE_S, Argo
from tests.live.kubernetes import until
from tests.live.stage import Stage
from workflows import metrics
from workflows.manifests import render

pytestmark = pytest.mark.cluster

URL: Final = "http://127.0.0.1:9090/metrics"  # as Argo comes, but without TLS
NEVER: Final = "0 0 1 1 *"
_LINE: Final = re.compile(r"(\w+)\{(.*)\} (\S+)")


@pytest.fixture
def url() -> str:
    try:
        with urllib.request.urlopen(URL, timeout=5):
            return URL
    except OSError as error:
        pytest.skip(f"no controller on this machine shows its metrics at {URL}: {error}")


def told(url: str, namespace: str) -> set[str]:
    """Return the names of what is told of a namespace."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  the address above
        lines = [found for line in answer.read().decode().splitlines() if (found := _LINE.fullmatch(line))]
    return {name for name, labels, _ in (line.groups() for line in lines) if f'"{namespace}"' in labels}


def test_every_metric_is_exported_by_the_name_that_the_alerts_ask_for(live: Stage, argo: Argo, url: str) -> None:
    live.installation.install()
    for manifest in render(live.settings, watch_cron=NEVER):
        live.kubernetes.apply(manifest)
    assert argo.wait(argo.backup(name="nightly")).phase == "Succeeded"
    assert argo.wait(argo.restore("mistyped")).phase == "Failed"
    argo.wait(argo.submit("threescale-watchdog"))
    wanted = {metrics.exported(name) for name in metrics.HELP}

    until("all metrics", lambda: wanted <= told(url, live.namespace), NODE_S)
