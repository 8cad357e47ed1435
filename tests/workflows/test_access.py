from typing import Any

import pytest

from tests.builders.roles import ROLES, SETTINGS, grants, roles
from workflows.access import access
from workflows.rendering.settings import Settings

IN_SCRATCH = "threescale-drill-scratch"
READERS = ("threescale-backup", "threescale-restore", IN_SCRATCH)  # of Secrets


@pytest.mark.parametrize("role", sorted(ROLES.keys() - {IN_SCRATCH}))
def test_argos_executor_may_report(role: str) -> None:
    assert {("create", "workflowtaskresults", False), ("patch", "workflowtaskresults", False)} <= set(grants(role))


PRUNE = "threescale-prune"
UPDATED = {"threescale-restore": {("secrets", True), ("configmaps", True)}}
DELETED = {
    PRUNE: {("persistentvolumeclaims", False)},
    "threescale-drill": {("configmaps", True)},
    IN_SCRATCH: {("secrets", True), ("configmaps", True)},
}


@pytest.mark.parametrize("role", ROLES)
def test_only_retention_deletes_claims_and_nobody_reads_secrets_without_naming_them(role: str) -> None:
    given = set(grants(role))

    assert not any(verb in {"deletecollection", "*"} for verb, _, _ in given)
    assert {(resource, named) for verb, resource, named in given if verb == "delete"} == DELETED.get(role, set())
    assert {(resource, named) for verb, resource, named in given if verb == "update"} == UPDATED.get(role, set())
    assert not {("get", "secrets", False), ("list", "secrets", False), ("list", "secrets", True)} & given


def readable(settings: Settings, role: str, resource: str) -> list[str] | None:
    """The names of a kind that a Role lets be read; None for all of them."""
    rules = [rule for rule in roles(settings)[role]["rules"] if rule["resources"] == [resource]]
    (rule,) = (rule for rule in rules if "get" in rule["verbs"])
    names: list[str] | None = rule.get("resourceNames")
    return names


@pytest.mark.parametrize("role", READERS)
def test_what_an_apimanager_names_may_be_read_beside_what_always_may(role: str) -> None:
    settings = SETTINGS.model_copy(update={"secrets": ("my-tls", "zync"), "configmaps": ("mine",)})

    for resource, more in (("secrets", {"my-tls", "zync"}), ("configmaps", {"mine"})):
        before, after = readable(SETTINGS, role, resource), readable(settings, role, resource)
        assert before is not None
        assert after == sorted({*before, *more})


@pytest.mark.parametrize("role", READERS)
def test_every_secret_may_be_read_only_where_that_was_chosen(role: str) -> None:
    assert readable(SETTINGS.model_copy(update={"all_secrets": True}), role, "secrets") is None
    assert readable(SETTINGS.model_copy(update={"all_secrets": True}), role, "configmaps") is not None


def patched(role: str) -> set[tuple[str, ...]]:
    rules: list[dict[str, Any]] = ROLES[role]["rules"]
    return {(*rule["resources"], *rule.get("resourceNames", [])) for rule in rules if "patch" in rule["verbs"]}


def test_a_backup_writes_nothing_but_claims_and_its_evidence() -> None:
    created = {resource for verb, resource, _ in grants("threescale-backup") if verb == "create"}

    assert created == {"persistentvolumeclaims", "workflowtaskresults", "configmaps"}
    assert patched("threescale-backup") == {
        ("workflowtaskresults",),
        ("persistentvolumeclaims",),
        ("configmaps", "threescale-backup-results"),
    }


def test_retention_reads_no_secret_and_creates_nothing() -> None:
    given = set(grants(PRUNE))

    assert not {resource for _, resource, _ in given} & {"secrets", "configmaps"}
    assert {resource for verb, resource, _ in given if verb in {"create", "update"}} == {"workflowtaskresults"}
    assert patched(PRUNE) == {("workflowtaskresults",), ("persistentvolumeclaims",)}


def test_a_restore_changes_no_object_but_the_claim_of_system_and_its_evidence() -> None:
    assert patched("threescale-restore") == {
        ("workflowtaskresults",),
        ("persistentvolumeclaims", "system-storage"),
        ("configmaps", "threescale-restore-results"),
    }


def test_a_restore_may_replace_what_it_may_restore_and_no_evidence() -> None:
    settings = SETTINGS.model_copy(update={"secrets": ("my-tls",), "configmaps": ("mine",)})
    rules = [rule for rule in roles(settings)["threescale-restore"]["rules"] if "update" in rule["verbs"]]
    names = {rule["resources"][0]: set(rule["resourceNames"]) for rule in rules}

    assert names["secrets"] >= {"my-tls", "zync", "system-redis"}
    assert names["configmaps"] == {
        *("apicast-environment", "system-environment", "backend-environment", "system", "mine"),
    }


def test_each_workflow_has_an_account_a_role_and_a_binding_of_its_own() -> None:
    kinds = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in access(Settings(image="none"))]

    assert kinds == [
        (kind, name)
        for name in ("threescale-backup", "threescale-restore", PRUNE, "threescale-verify", "threescale-drill")
        for kind in ("ServiceAccount", "Role", "RoleBinding")
    ]


def test_a_verification_reads_no_secret_and_changes_nothing_but_the_marks_of_claims() -> None:
    given = set(grants("threescale-verify"))

    assert {resource for verb, resource, _ in given if verb in {"create", "patch"}} == {
        "workflowtaskresults",
        "persistentvolumeclaims",
    }
    assert not {resource for _, resource, _ in given} & {"secrets", "configmaps"}


def test_a_drill_reads_no_secret_of_the_installation() -> None:
    assert "secrets" not in {resource for _, resource, _ in grants("threescale-drill")}


def test_what_a_drill_may_elsewhere_is_bound_to_its_account_here() -> None:
    elsewhere = [manifest for manifest in access(SETTINGS) if manifest["metadata"]["namespace"] == "scratch"]
    (binding,) = (manifest for manifest in elsewhere if manifest["kind"] == "RoleBinding")

    assert [manifest["kind"] for manifest in elsewhere] == ["Role", "RoleBinding"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "threescale-drill", "namespace": "api"}]
    assert binding["roleRef"]["name"] == IN_SCRATCH
