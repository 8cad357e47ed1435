"""The rendered Roles, what they grant, and a Role that grants less."""

from collections.abc import Iterator
from typing import Any

from workflows.access import access, of_fetch, of_push, of_repository_prune, of_watchdog
from workflows.rendering.settings import Settings

SETTINGS = Settings(image="none", namespace="api", drill_namespace="scratch")


def roles(settings: Settings) -> dict[str, dict[str, Any]]:
    return {manifest["metadata"]["name"]: manifest for manifest in access(settings) if manifest["kind"] == "Role"}


ROLES = roles(SETTINGS)

WATCHDOG = {item["metadata"]["name"]: item for item in of_watchdog(SETTINGS) if item["kind"] == "Role"}

WITH_REPOSITORY = SETTINGS.model_copy(update={"repositories": ("REPOSITORY",)})
OF_REPOSITORIES = {
    item["metadata"]["name"]: item
    for render in (of_push, of_fetch, of_repository_prune)
    for item in render(WITH_REPOSITORY)
    if item["kind"] == "Role"
}


def grants(role: str) -> Iterator[tuple[str, str, bool]]:
    for rule in (ROLES | WATCHDOG | OF_REPOSITORIES)[role]["rules"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield verb, resource, "resourceNames" in rule


def without(stage: Any, name: str, resource: str, *verbs: str, namespace: str = "") -> None:
    """Take verbs from the rules of a resource in a rendered Role, in the stage's namespace or in another."""
    role = stage.kubernetes.get("roles", namespace or stage.namespace, name)
    for rule in role["rules"]:
        if resource in rule["resources"]:
            rule["verbs"] = [verb for verb in rule["verbs"] if verb not in verbs]
    stage.kubernetes.apply(role)
