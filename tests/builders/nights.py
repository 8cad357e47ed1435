"""Nights of backups in a namespace, and the workflow that prunes them."""

from typing import Any

from steps.archive import marks
from steps.catalogue import catalogue
from steps.contract.prune_contract import PruneArguments
from tests.builders.claims import laid, sealed
from tests.conftest import Stage
from workflows.rehearsal.argo.engine import Workflow

RULES = {"keep-last": "2", "minimum-redundancy": "1", "failed-after": "0d"}

KEEP = PruneArguments.model_validate(RULES)


def night(stage: Stage, number: int, **labels: str) -> None:
    """Put the claim of a sealed backup there, of a night in November."""
    started = f"2026-11-0{number}T02:00:00Z"
    laid(stage, f"night-{number}", started=started, **sealed(**{marks.SCHEDULE: "nights", **labels}))


def nights(stage: Stage, count: int = 4) -> None:
    """Put the claims of so many nights there, the first one the oldest."""
    for number in range(1, count + 1):
        night(stage, number)


def failed(stage: Stage, name: str) -> Any:
    """Put the claim of a run that failed there; return the folder of its volume."""
    laid(stage, name, started="2026-10-01T02:00:00Z", phase="Failed")
    return stage.engine.volume(name)


def prune(stage: Stage, **more: str) -> Workflow:
    return stage.engine.submit("threescale-prune", {**RULES, **more})


def backups(stage: Stage) -> set[str]:
    """Those that are there, once what was deleted has gone."""
    stage.kubernetes.collect_garbage()
    return {entry.name for entry in catalogue.read(stage.connect())}
