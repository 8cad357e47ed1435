"""What the workflows tell Prometheus of their runs."""

from datetime import datetime
from typing import Any

import pytest

from steps.contract.prune_contract import PruneArguments
from tests.builders.crons import WATCHED
from tests.builders.metrics import of_spec
from workflows.manifests import render
from workflows.monitoring import metrics
from workflows.rehearsal.rehearse import SETTINGS

RENDERED = render(SETTINGS, [WATCHED], PruneArguments.model_validate({"keep-daily": "7"}))


ASKED = [metric for manifest in RENDERED if manifest["kind"] == "WorkflowTemplate" for metric in of_spec(manifest)]


def value(exporter: Any, name: str, **labels: str) -> float | None:
    mine = {metrics.OPERATION: "backup", metrics.NAMESPACE: "threescale", **labels}
    found: float | None = exporter.value(metrics.exported(name), **mine)
    return found


def test_a_backup_tells_that_when_and_how_much(sealed: Any) -> None:
    exporter = sealed.metrics

    assert value(exporter, metrics.RUNS, status="Succeeded") == 1
    assert value(exporter, metrics.SUCCESS) == made(sealed.workflow)
    assert value(exporter, metrics.FAILURE) is None
    assert (value(exporter, metrics.DURATION, status="Succeeded") or 0) > 0
    assert value(exporter, metrics.RUN_FILES) == int(sealed.workflow.node("seal").outputs["files"]) == 43
    assert value(exporter, metrics.RUN_BYTES) == int(sealed.workflow.node("seal").outputs["bytes"])
    assert exporter.errors == []


@pytest.mark.thorough
def test_a_failure_is_told_and_a_plan_is_no_run(empty: Any) -> None:
    exporter = empty.engine.metrics
    empty.backup(plan="only")
    after_plan = set(exporter.names)
    failed = empty.backup()

    assert after_plan == set()
    assert value(exporter, metrics.RUNS, status="Failed") == 1
    assert (value(exporter, metrics.SUCCESS), value(exporter, metrics.FAILURE)) == (None, made(failed))
    assert exporter.errors == []


def made(workflow: Any) -> float:
    return datetime.fromisoformat(workflow.metadata["creationTimestamp"]).timestamp()


def test_each_name_has_one_sentence_for_all_workflows() -> None:
    told = {(metric["name"], metric["help"]) for metric in ASKED}

    assert told == set(metrics.HELP.items())


def test_names_and_labels_are_those_that_argo_accepts_and_prometheus_keeps() -> None:
    names = [metric["name"] for metric in ASKED]
    labels = {label["key"] for metric in ASKED for label in metric["labels"]}

    assert all(name.isascii() and name.replace("_", "a").isalnum() for name in names)
    assert all(name.endswith("_total") == ("counter" in metric) for name, metric in zip(names, ASKED, strict=True))
    assert labels == {metrics.NAMESPACE, metrics.OPERATION, metrics.STATUS, metrics.STATE}
    assert not labels & {"namespace", "pod", "job", "instance", "container", "endpoint", "service"}


def test_nothing_is_told_while_a_run_goes_on() -> None:
    gauges = [metric["gauge"] for metric in ASKED if "gauge" in metric]

    assert {gauge["realtime"] for gauge in gauges} == {False}
