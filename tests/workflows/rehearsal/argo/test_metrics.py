"""The rehearsal tells metrics as Argo's controller does."""

from typing import Any

import pytest

from tests.embedded.metrics import Exporter


def gauge(value: str, **more: Any) -> dict[str, Any]:
    return {"prometheus": [{"name": "age", "help": "An age.", "gauge": {"realtime": False, "value": value}, **more}]}


COUNTER = {"prometheus": [{"name": "runs_total", "help": "Runs.", "counter": {"value": "1"}, "labels": []}]}


@pytest.fixture
def exporter() -> Exporter:
    return Exporter()


def test_a_counter_counts_and_a_gauge_is_the_last(exporter: Exporter) -> None:
    for moment in ("1", "2"):
        exporter.compute(COUNTER, {}, "here")
        exporter.compute(gauge("{{outputs.parameters.age}}"), {"outputs.parameters.age": moment}, "here")

    assert exporter.value("argo_workflows_runs_total") == 2
    assert exporter.value("argo_workflows_age") == 2
    assert exporter.names == {"argo_workflows_runs_total", "argo_workflows_age"}


def test_labels_tell_series_apart(exporter: Exporter) -> None:
    for status in ("Failed", "Succeeded"):
        labels = [{"key": "status", "value": "{{status}}"}]
        exporter.compute(gauge("1", labels=labels), {"status": status}, "here")

    assert exporter.value("argo_workflows_age", status="Failed") == 1
    assert exporter.value("argo_workflows_age") is None


def test_a_condition_that_does_not_hold_tells_nothing(exporter: Exporter) -> None:
    exporter.compute(gauge("1", when="{{status}} == Succeeded"), {"status": "Failed"}, "here")

    assert (exporter.names, exporter.errors) == (set(), [])


@pytest.mark.parametrize("value", ["{{outputs.parameters.age}}", "", "old"])
def test_a_metric_that_can_not_be_told_is_an_error_and_ends_nothing(exporter: Exporter, value: str) -> None:
    exporter.compute(gauge(value), {}, "template x")

    assert exporter.names == set()
    assert exporter.errors[0].startswith("template x: metric age: ")


def test_a_name_keeps_its_first_sentence(exporter: Exporter) -> None:
    exporter.compute(gauge("1"), {}, "here")
    exporter.compute(gauge("2", help="Another."), {}, "here")

    assert exporter.value("argo_workflows_age") == 1
    assert "help is already set" in exporter.errors[0]
