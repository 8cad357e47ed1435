"""Retention of copies and freeing of room as whole workflows."""

from typing import Any

import pytest

from steps.contract import names
from steps.contract.prune_contract import PruneArguments
from steps.repository.ledger import Known
from tests.builders.forged import NAME, OTHER, WITH_REPOSITORY, Forged, configmap, install, know, noted
from tests.conftest import Stage
from workflows.manifests import render
from workflows.rehearsal.rehearse import SETTINGS
from workflows.schedule import Cron

RULES = PruneArguments.model_validate({"repository-keep-last": 1, "repository-minimum-redundancy": 1})
DELETING = WITH_REPOSITORY.model_copy(update={"prune_repositories": ("may-delete",)})


@pytest.fixture
def forged(tmp_path, restic_on_path):
    return Forged(tmp_path, restic_on_path)


def rendered(kind: str, name: str, *more: Any, **told: Any) -> Any:
    every = render(*more, **told)
    return next((each for each in every if (each["kind"], each["metadata"]["name"]) == (kind, name)), None)


def template(manifest: Any, name: str) -> Any:
    return next((each for each in manifest["spec"]["templates"] if each["name"] == name), None)


def secrets_of(container: Any) -> list[str]:
    return [each["secret"]["secretName"] for each in container["volumes"] if "secret" in each]


@pytest.mark.thorough
def test_a_run_forgets_what_no_rule_keeps(empty: Stage, forged: Forged) -> None:
    install(empty, forged, rules=RULES)
    first, *_ = forged.nights(3)
    forged.save("theirs", "2026-10-01 02:00:00", origin=OTHER)
    know(empty, **{first: Known(pinned=True)})

    done = empty.engine.submit("threescale-prune", {})

    assert done.phase == "Succeeded"
    assert forged.backups == ["theirs", "night-1", "night-3"]
    told = done.node("forget").outputs
    assert {name: told[name] for name in ("forgotten", "kept", "others")} == {
        "forgotten": "1", "kept": "2", "others": "1",
    }  # fmt: skip


def test_a_plan_forgets_nothing(empty: Stage, forged: Forged) -> None:
    install(empty, forged, rules=RULES)
    forged.nights(2)
    know(empty, **{"c" * 64: Known(pinned=True)})

    done = empty.engine.submit("threescale-prune", {"plan": "only"})

    assert forged.backups == ["night-1", "night-2"]
    assert list(noted(empty)) == ["c" * 64]
    assert "delete  night-1" in done.node("forget").log
    assert "this run is only a plan, nothing is forgotten" in done.node("forget").log


@pytest.mark.thorough
def test_a_scheduled_backup_ends_with_it(installed: Stage, forged: Forged) -> None:
    install(installed, forged, rules=RULES)
    configmap(installed, names.ORIGIN, {"id": "a" * 16})
    forged.nights(2, files="", bytes="")

    done = installed.backup(schedule="nights", name="newest", push="required")

    assert done.phase == "Succeeded", done.message
    assert forged.backups == ["newest"], done.node("forget").log


def test_without_repositories_or_rules_a_backup_ends_without_it() -> None:
    claims = PruneArguments.model_validate({"keep-last": 1})

    assert template(rendered("WorkflowTemplate", "threescale-backup", SETTINGS, rules=RULES), "forget") is None
    assert template(rendered("WorkflowTemplate", "threescale-backup", WITH_REPOSITORY, rules=claims), "forget") is None
    assert template(rendered("WorkflowTemplate", "threescale-backup", WITH_REPOSITORY, rules=RULES), "forget")
    assert template(rendered("WorkflowTemplate", "threescale-prune", SETTINGS), "forget") is None
    assert template(rendered("WorkflowTemplate", "threescale-prune", WITH_REPOSITORY), "forget")


@pytest.mark.parametrize(
    ("workflow", "phase", "secret"),
    [
        ("threescale-prune", "forget", "may-delete"),
        ("threescale-repository-prune", "free", "may-delete"),
        ("threescale-backup", "forget", "may-delete"),
        ("threescale-backup", "upload", NAME),
    ],
)
def test_only_retention_has_the_credentials_that_may_delete(workflow: str, phase: str, secret: str) -> None:
    made = template(rendered("WorkflowTemplate", workflow, DELETING, rules=RULES), phase)

    assert secrets_of(made) == [secret]
    assert f"/repository/{NAME}" in made["container"]["args"]  # the ledger has the name of the repository's own Secret


def test_room_is_freed_by_a_schedule_of_its_own() -> None:
    crons = [Cron("repository-prune", "0 9 * * 0", {})]

    made = rendered("CronWorkflow", "threescale-repository-prune-schedule", WITH_REPOSITORY, crons)

    assert made["spec"]["schedules"] == ["0 9 * * 0"]
    assert made["spec"]["workflowSpec"]["workflowTemplateRef"]["name"] == "threescale-repository-prune"


def test_a_run_frees_the_room(empty: Stage, forged: Forged) -> None:
    install(empty, forged, DELETING)
    first, _ = forged.nights(2)
    before = len(forged.packs)
    with forged.opened() as restic:
        restic.run("forget", first)

    done = empty.engine.submit("threescale-repository-prune", {})

    assert done.phase == "Succeeded", done.message
    assert done.node("free").outputs["pruned"] == NAME
    assert len(forged.packs) < before


def test_its_account_reads_and_writes_the_ledgers_alone() -> None:
    rules = rendered("Role", "threescale-repository-prune", WITH_REPOSITORY)["rules"]

    assert [(each["resources"], each["verbs"], each.get("resourceNames")) for each in rules] == [
        (["workflowtaskresults"], ["create", "patch"], None),
        (["configmaps"], ["get", "patch"], [names.LEDGER.format(NAME)]),
    ]
