from collections.abc import Iterator
from typing import Any

import pytest

from workflows.access import access
from workflows.phases import Settings

ROLES = {manifest["metadata"]["name"]: manifest for manifest in access(Settings(image="none", namespace="api")) if manifest["kind"] == "Role"}


def grants(role: str) -> Iterator[tuple[str, str, bool]]:
    for rule in ROLES[role]["rules"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield verb, resource, "resourceNames" in rule


@pytest.mark.parametrize("role", ROLES)
def test_argos_executor_may_report(role: str) -> None:
    assert {("create", "workflowtaskresults", False), ("patch", "workflowtaskresults", False)} <= set(grants(role))


@pytest.mark.parametrize("role", ROLES)
def test_nobody_may_delete_or_read_secrets_without_naming_them(role: str) -> None:
    given = set(grants(role))

    assert not any(verb in {"delete", "deletecollection", "update", "*"} for verb, _, _ in given)
    assert not {("get", "secrets", False), ("list", "secrets", False), ("list", "secrets", True)} & given


def test_a_backup_writes_nothing_but_claims() -> None:
    written = {resource for verb, resource, _ in grants("threescale-backup") if verb in {"create", "patch"}}

    assert written == {"persistentvolumeclaims", "workflowtaskresults"}


def test_a_restore_changes_no_object_but_the_claim_of_system() -> None:
    rules: list[dict[str, Any]] = ROLES["threescale-restore"]["rules"]
    patched = {(*rule["resources"], *rule.get("resourceNames", [])) for rule in rules if "patch" in rule["verbs"]}

    assert patched == {("workflowtaskresults",), ("persistentvolumeclaims", "system-storage")}


def test_each_workflow_has_an_account_a_role_and_a_binding_of_its_own() -> None:
    kinds = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in access(Settings(image="none"))]

    assert kinds == [
        (kind, name)
        for name in ("threescale-backup", "threescale-restore")
        for kind in ("ServiceAccount", "Role", "RoleBinding")
    ]
