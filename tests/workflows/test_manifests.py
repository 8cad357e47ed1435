import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from steps.contract.prune_contract import PruneArguments
from tests.builders.crons import WATCHED
from workflows import backup, drill, prune, restore, verify
from workflows.manifests import render
from workflows.rendering.pods import Pods
from workflows.rendering.settings import Settings

IMAGE = "registry.example.com/steps:1"
RULES = PruneArguments.model_validate({"keep-daily": "7"})
TEMPLATES = {m["metadata"]["name"]: m for m in render(Settings(image=IMAGE)) if m["kind"] == "WorkflowTemplate"}
WITH_RULES = backup.backup(Settings(image=IMAGE), RULES).to_dict()
CONTAINERS = [
    (name, template) for name, m in TEMPLATES.items() for template in m["spec"]["templates"] if "container" in template
]
IDS = [f"{name}/{template['name']}" for name, template in CONTAINERS]

# With retries Argo's timeout ends no pod that no node can take. The claim of a failed run may lie on a node that is
# gone, and nobody waits for what it says: the next night looks again. No deadline reaches the exit handler, and it has
# the lock.
ONCE = {"look", "report", "notify"}

each_container = pytest.mark.parametrize(("workflow", "template"), CONTAINERS, ids=IDS)
each_template = pytest.mark.parametrize("template", [template for _, template in CONTAINERS], ids=IDS)


def part(name: str, workflow: str = backup.NAME) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in TEMPLATES[workflow]["spec"]["templates"] if item["name"] == name)
    return found


def _template(spec: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in spec["templates"] if item["name"] == name)
    return found


def test_the_success_path_of_a_backup_is_three_levels_deep() -> None:
    depends = {task["name"]: task.get("depends", "") for task in part("backup")["dag"]["tasks"]}

    assert depends == {
        "prepare": "",
        "secrets": "prepare",
        "configmaps": "prepare",
        "apimanager": "prepare",
        "file-storage": "prepare",
        "external": "prepare",
        "source": "prepare",
        "seal": "source && secrets && configmaps && apimanager && file-storage && external",
    }


def test_where_a_backup_is_only_planned_only_a_look_at_the_source_follows() -> None:
    when = {task["name"]: task.get("when", "") for task in part("backup")["dag"]["tasks"]}

    assert when.pop("prepare") == ""
    plan = "'{{tasks.prepare.outputs.parameters.plan}}'"
    assert when.pop("source").startswith(f"{plan} == 'only' && ")
    assert {asked.partition(" && ")[0] for asked in when.values()} == {f"{plan} != 'only'"}


def conditions_of(part: Any) -> Iterator[str]:
    """Every `when` of a manifest, of tasks and of metrics."""
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "when")
        yield from (found for value in part.values() for found in conditions_of(value))
    elif isinstance(part, list):
        yield from (found for value in part for found in conditions_of(value))


def test_a_condition_compares_in_quotes_what_a_phase_has_put_out_or_argo_s_own_status() -> None:
    told = r"(workflow\.status|status|(tasks\.[-\w]+\.|workflow\.)?outputs\.parameters\.[-\w]+)"
    of_run = r"=\(workflow\?\.outputs\?\.parameters\?\.\w+ \?\? ''\)"
    one = rf"'\{{\{{({told}|{of_run})\}}\}}' [!=]= '[-\w]*'"
    told_elsewhere = Settings.model_validate({"image": IMAGE, "notify_secret": "mine"})
    rendered = render(told_elsewhere, [WATCHED], RULES)

    found = {condition for manifest in rendered for condition in conditions_of(manifest)}
    assert len(found) > 15
    assert [each for each in found if not re.fullmatch(rf"{one}( (&&|\|\|) {one})*", each)] == []


def test_the_first_phase_of_every_workflow_is_told_all_arguments_and_knows_their_names() -> None:
    for manifest in TEMPLATES.values():
        templates = {template["name"]: template for template in manifest["spec"]["templates"]}
        (first,) = [each for each in templates[manifest["spec"]["entrypoint"]]["dag"]["tasks"] if "depends" not in each]
        words = templates[first["template"]]["container"]["args"]
        told = dict(pairwise(words))

        assert told["--arguments"] == "{{workflow.parameters}}"
        assert told["--known"].split(",") == [each["name"] for each in manifest["spec"]["arguments"]["parameters"]]


def test_the_apimanager_is_restored_after_everything_that_the_operator_would_make_up() -> None:
    depends = {task["name"]: task.get("depends", "") for task in part("restore", restore.NAME)["dag"]["tasks"]}

    assert depends == {
        "check": "",
        "plan": "check",
        "approve": "plan",
        "prepare": "approve",
        "set-aside-objects": "prepare.Succeeded",
        "set-aside-files": "prepare.Succeeded",
        "file-storage": "prepare.Succeeded && set-aside-objects && set-aside-files",
        "secrets": "file-storage",
        "configmaps": "file-storage",
        "apimanager": "secrets && configmaps",
        "routes": "apimanager",
    }


@each_container
def test_a_phase_is_fit_for_restricted_namespaces(workflow: str, template: dict[str, Any]) -> None:
    security = template["container"]["securityContext"]

    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert TEMPLATES[workflow]["spec"]["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


@each_container
def test_image_command_and_account_are_no_arguments(workflow: str, template: dict[str, Any]) -> None:
    container = template["container"]

    assert (container["image"], container["command"]) == (IMAGE, ["python", "-m", "steps"])
    assert TEMPLATES[workflow]["spec"]["serviceAccountName"] == workflow


@each_template
def test_every_phase_is_tried_again_and_ends_in_time(template: dict[str, Any]) -> None:
    if template["name"] in ONCE:
        assert "retryStrategy" not in template
        assert "--try" not in template["container"]["args"]
        assert template["timeout"] == "15m"
        return
    retry = template["retryStrategy"]

    assert (retry["limit"], retry["retryPolicy"]) == ("3", "Always")
    assert sorted(retry["backoff"]) == ["cap", "duration", "factor"]
    assert template["timeout"]


@each_template
def test_a_phase_writes_only_to_its_volumes_and_tmp(template: dict[str, Any]) -> None:
    volumes = {item["name"]: item for item in template["volumes"]}

    assert volumes["tmp"] == {"name": "tmp", "emptyDir": {}}


def test_the_live_tree_is_read_only_for_the_kubelet_too() -> None:
    template = part("file-storage")
    volumes = {item["name"]: item for item in template["volumes"]}

    assert volumes["system-storage"]["persistentVolumeClaim"] == {"claimName": "system-storage", "readOnly": True}


@pytest.mark.parametrize("name", ["secrets", "configmaps", "apimanager", "file-storage"])
def test_each_part_lists_both_claims_so_that_the_scheduler_sees_both(name: str) -> None:
    claims = [item["persistentVolumeClaim"]["claimName"] for item in part(name)["volumes"] if "emptyDir" not in item]

    assert claims == ["{{inputs.parameters.backupPersistentVolumeClaimName}}", "system-storage"]


@pytest.mark.parametrize(
    "name",
    [
        *("prepare", "set-aside-objects", "set-aside-files", "file-storage"),
        *("secrets", "configmaps", "apimanager", "routes"),
    ],
)
def test_a_restore_mounts_the_backup_read_only_and_lets_the_kubelet_give_it_the_group(name: str) -> None:
    template = part(name, restore.NAME)
    volume = next(item for item in template["volumes"] if item["name"] == "backup")
    mount = next(item for item in template["container"]["volumeMounts"] if item["name"] == "backup")

    assert "readOnly" not in volume["persistentVolumeClaim"]
    assert mount["readOnly"] is True


def test_backup_restore_and_retention_of_a_namespace_exclude_each_other() -> None:
    locks = {name: manifest["spec"]["synchronization"]["mutexes"] for name, manifest in TEMPLATES.items()}

    assert locks[backup.NAME] == locks[restore.NAME] == locks[prune.NAME] == [{"name": "threescale"}]


def test_what_proves_a_backup_holds_no_backup_back() -> None:
    locks = {name: manifest["spec"]["synchronization"]["mutexes"] for name, manifest in TEMPLATES.items()}

    assert locks["threescale-verify"] == [{"name": "threescale-verify"}]
    assert locks["threescale-drill"] == [{"name": "threescale-drill"}]


def test_a_drill_is_removed_by_its_last_phase_and_where_that_has_not_run_at_the_exit() -> None:
    depends = {task["name"]: task.get("depends", "") for task in part("drill", drill.NAME)["dag"]["tasks"]}
    (_, at_exit) = part("exit", drill.NAME)["dag"]["tasks"]

    assert depends == {
        "choose": "",
        "prepare": "choose",
        "objects": "prepare",
        "file-storage": "prepare",
        "remove": "objects && file-storage",
    }
    assert (at_exit["template"], at_exit["when"]) == ("remove", "'{{workflow.status}}' != 'Succeeded'")


@pytest.mark.parametrize(
    ("workflow", "name"),
    [(verify.NAME, "read"), (drill.NAME, "prepare"), (drill.NAME, "objects"), (drill.NAME, "file-storage")],
)
def test_what_proves_a_backup_mounts_it_read_only(workflow: str, name: str) -> None:
    mount = next(item for item in part(name, workflow)["container"]["volumeMounts"] if item["name"] == "backup")

    assert mount["readOnly"] is True


def test_the_exit_handler_holds_the_lock_for_no_longer_than_its_timeouts() -> None:
    told = Settings(image=IMAGE, notify_secret="mine")  # noqa: S106  the name of a Secret
    rendered = [m for m in render(told, [WATCHED]) if m["kind"] == "WorkflowTemplate"]
    templates = [_template(m["spec"], name) for m in rendered for name in ("report", "notify")]

    assert {(each["timeout"], "retryStrategy" in each) for each in templates} == {("15m", False), ("5m", False)}
    assert [each["affinity"] for each in templates] == [{}] * len(templates)


def test_every_argument_explains_itself() -> None:
    undescribed = [
        item["name"]
        for manifest in TEMPLATES.values()
        for item in manifest["spec"]["arguments"]["parameters"]
        if not item.get("description")
    ]

    assert undescribed == []


def test_the_claims_name_shows_in_the_workflows_outputs() -> None:
    outputs = {item["name"]: item for item in part("prepare")["outputs"]["parameters"]}

    assert outputs["backupPersistentVolumeClaimName"]["globalName"] == "backupPersistentVolumeClaimName"


def test_a_good_run_pays_no_pod_for_its_exit() -> None:
    (task,) = part("exit")["dag"]["tasks"]

    assert task["when"] == "'{{workflow.status}}' != 'Succeeded'"


def test_a_pod_that_has_ended_goes_because_it_keeps_its_claims_from_being_deleted() -> None:
    collected = [manifest["spec"]["podGC"]["strategy"] for manifest in TEMPLATES.values()]

    assert set(collected) == {"OnPodCompletion"}


def test_the_end_of_a_scheduled_backup_can_not_turn_it_red_and_has_no_rights_of_the_backup() -> None:
    templates = {template["name"]: template for template in WITH_RULES["spec"]["templates"]}
    (_, last) = templates["exit"]["dag"]["tasks"]

    assert (last["name"], last["continueOn"]) == ("prune", {"error": True, "failed": True})
    sealed, scheduled = (f"'{{{{workflow.outputs.parameters.{name}}}}}'" for name in ("sealed", "scheduled"))
    assert last["when"] == f"{sealed} == 'yes' && {scheduled} == 'yes'"
    ours = [templates[name] for name in ("decide", "delete", "look", "remove")]
    assert {template["serviceAccountName"] for template in ours} == {prune.NAME}
    assert [template["affinity"] for template in ours] == [{}] * 4  # not the backup's: their claims lie anywhere
    # no deadline of the workflow reaches there, and the lock is held: each pod has to end by its own timeout
    assert [template["timeout"] for template in ours if "retryStrategy" not in template] == ["15m"] * 4


def test_retention_has_one_set_of_rules_by_day_and_by_night() -> None:
    (by_day,) = (
        m for m in render(Settings(image=IMAGE), rules=RULES) if m["metadata"]["name"] == prune.NAME and "spec" in m
    )
    given = {item["name"]: item["value"] for item in by_day["spec"]["arguments"]["parameters"]}
    (dag,) = (template for template in WITH_RULES["spec"]["templates"] if template["name"] == "prune")

    assert given["keep-daily"] == "7"
    assert {item["name"]: item["value"] for item in dag["inputs"]["parameters"]} == given


def test_pods_of_retention_may_run_anywhere() -> None:
    assert "affinity" not in TEMPLATES[prune.NAME]["spec"]


def test_users_and_groups_are_set_only_when_asked_for() -> None:
    asked = render(Settings(image=IMAGE, pods=Pods(fs_group=2000, run_as_user=1234)))
    security = [manifest["spec"]["securityContext"] for manifest in asked if manifest["kind"] == "WorkflowTemplate"]

    assert security[0] == security[1]
    assert security[0] == {
        "runAsNonRoot": True,
        "runAsUser": 1234,
        "fsGroup": 2000,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
