"""A 404 that is no NotFound, and what is gone between two phases: neither is an absence."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.builders.nights import backups, nights
from tests.conftest import Stage

NO_STATUS = {"status": 404, "message": "404 page not found", "reason": ""}


def strike_at(stage: Stage, phase: str, act: Callable[[], object]) -> None:
    """Do something once, when the process of a phase starts."""
    waiting = [act]

    def start(name: str, _process: Any) -> None:
        if name.endswith(phase) and waiting:
            waiting.pop()()

    stage.engine.on_start = start


@pytest.mark.thorough
def test_a_404_that_is_no_not_found_loses_no_object_of_a_backup(installed: Stage) -> None:
    door = installed.kubernetes
    strike_at(installed, "configmaps", lambda: door.refuse_next("get", "configmaps", name="system", **NO_STATUS))

    workflow = installed.backup(name="nightly")

    tries = workflow.node("configmaps").attempts
    assert [each.exit_code for each in tries] == [75, 0]
    assert (installed.engine.volume("nightly") / "referenced/configmaps/system.json").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ("configmaps", "system"),
        ("configmaps", "backend-environment"),
        ("secrets", "my-tls"),
    ],
)
def test_what_the_plan_saw_and_a_phase_does_not_is_a_failure(installed: Stage, resource: str, name: str) -> None:
    door = installed.kubernetes
    strike_at(installed, resource, lambda: door.delete(resource, installed.namespace, name))

    workflow = installed.backup(name="nightly")

    assert workflow.phase == "Failed"
    assert name in workflow.node(resource).attempts[-1].message


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ("secrets", "system-seed"),
        ("secrets", "backend-redis"),
        ("configmaps", "backend-environment"),
        ("secrets", "my-tls"),
    ],
)
def test_without_what_was_restored_or_expected_no_apimanager_is_created(lost: Stage, resource: str, name: str) -> None:
    strike_at(lost, "apimanager", lambda: lost.kubernetes.delete(resource, lost.namespace, name))

    workflow = lost.restore("nightly")

    assert workflow.phase == "Failed"
    assert lost.exists("apimanagers") == []
    assert f"{name} is missing" in workflow.node("apimanager").attempts[-1].message


@pytest.mark.thorough
def test_a_404_that_is_no_not_found_does_not_lift_the_brake_of_retention(empty: Stage) -> None:
    nights(empty)
    labels = {"threescale-backup/kind": "backup"}
    spec = {"arguments": {"parameters": [{"name": "plan", "value": "no"}]}}
    head = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": spec, "status": {"phase": "Failed"}}
    empty.kubernetes.apply({**head, "metadata": {"name": "last", "namespace": empty.namespace, "labels": labels}})
    before = backups(empty)
    empty.kubernetes.refuse_next("list", "workflows", times=2, **NO_STATUS)

    done = empty.engine.submit("threescale-prune", {"keep-last": "1", "minimum-redundancy": "1"})

    assert backups(empty) == before
    assert re.search("no usable answer to the request to list workflows", done.node("decide").log)
