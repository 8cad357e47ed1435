"""The reference page of permissions, made from the rendered Roles."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders.reference import code, made_by, recorded, table
from tests.builders.roles import OF_REPOSITORIES, ROLES, SETTINGS, WATCHDOG, WITH_REPOSITORY, roles

ALL_ROLES = ROLES | WATCHDOG | OF_REPOSITORIES
MORE_RULES = roles(WITH_REPOSITORY)
EVERY_SECRET = roles(SETTINGS.model_copy(update={"all_secrets": True}))
USED_BY = {
    "threescale-backup": "Makes backups.",
    "threescale-restore": "Restores backups.",
    "threescale-prune": "Deletes the backups that retention no longer keeps. No other account may delete a claim.",
    "threescale-verify": "Verifies backups.",
    "threescale-drill": "Restores backups for trial. Its rights in the scratch namespace have a Role of their own.",
    "threescale-drill-scratch": "The Role of `threescale-drill` in the scratch namespace.\n"
    "Use a namespace that holds nothing else. Then only the objects of a drill are at risk.",
    "threescale-push": "Copies backups to a repository. It is rendered with `--repository REPOSITORY`.",
    "threescale-fetch": "Fetches backups from a repository. It is rendered with `--repository`.",
    "threescale-repository-prune": "Frees the room of forgotten copies. It is rendered with `--repository`.",
    "threescale-watchdog": "Checks how old the newest backup is. It is rendered with `--watchdog`.",
}
# A grant is a verb, a resource, and whether it is limited to names.
ALLOWS = {
    ("create", "workflowtaskresults", False): "Report the outputs of a step to Argo.",
    ("patch", "workflowtaskresults", False): "Change the outputs that a running step has reported.",
    ("get", "secrets", True): "Read the credentials in these Secrets.",
    ("get", "secrets", False): "Read every credential in the namespace.",
    ("update", "secrets", True): "Overwrite the credentials in these Secrets.",
    ("update", "secrets", False): "Overwrite every credential in the namespace.",
    ("create", "secrets", False): "Add a Secret of any name. A workload may be waiting for such a Secret. "
    "A Secret of type `kubernetes.io/service-account-token` receives the token of any service account. "
    "The account can read this token if it may read a Secret of this name.",
    ("delete", "secrets", True): "Delete these Secrets.",
    ("delete", "secrets", False): "Delete every Secret in the namespace.",
    ("get", "configmaps", True): "Read these ConfigMaps.",
    ("update", "configmaps", True): "Overwrite the configuration in these ConfigMaps.",
    ("create", "configmaps", False): "Add a ConfigMap of any name. A workload may be waiting for such a ConfigMap.",
    ("patch", "configmaps", True): "Add evidence of a run that never took place. Change or remove evidence.",
    ("delete", "configmaps", True): "Delete these ConfigMaps.",
    ("get", "apimanagers", False): "Read every APIManager.",
    ("list", "apimanagers", False): "List all APIManagers with their content.",
    ("create", "apimanagers", False): "Add an APIManager. The 3scale operator then installs 3scale.",
    ("get", "apimanagerbackups", False): "Read every APIManagerBackup.",
    ("get", "persistentvolumeclaims", False): "Read every claim, with its labels and annotations. "
    "This right does not show the files.",
    ("list", "persistentvolumeclaims", False): "List all claims with their labels and annotations.",
    ("create", "persistentvolumeclaims", False): "Fill the storage quota of the namespace.",
    ("patch", "persistentvolumeclaims", False): "Remove the label of a backup. "
    "Mark a backup as complete, verified, proven or damaged. "
    "Make a claim larger if its StorageClass allows it.",
    ("patch", "persistentvolumeclaims", True): "Remove the mark of a restore. "
    "Make this claim larger if its StorageClass allows it.",
    ("delete", "persistentvolumeclaims", False): "**Delete every claim.** "
    "All backups can be lost, and `system-storage` as soon as no pod uses it.",
    ("list", "pods", False): "See how each pod is set up, with its environment variables.",
    ("get", "pods/exec", False): "**Run any command in any pod of the namespace**, with the rights of this pod. "
    "A restore needs this to resync Zync.",
    ("create", "pods/exec", False): "The same, as Kubernetes 1.35 and later ask for it.",
    ("get", "deployments", True): "Read the Deployment of the 3scale operator.",
    ("list", "deployments", False): "See how each Deployment is set up, with its environment variables.",
    ("list", "deploymentconfigs", False): "See how each DeploymentConfig is set up, with its environment variables.",
    ("list", "routes", False): "See all Routes and their hosts.",
    ("list", "events", False): "Read all events.",
    ("list", "resourcequotas", False): "See the quotas of the namespace and how much is used.",
    ("list", "appliedclusterresourcequotas", False): "See OpenShift's quotas over several namespaces, where this "
    "namespace belongs to them.",
    ("get", "workflows", False): "Read the arguments and outputs of every Workflow.",
    ("list", "workflows", False): "List all Workflows with their arguments and outputs.",
    ("get", "cronworkflows", True): "Read the schedule of the backups.",
}
# Where the names make a difference.
ALLOWS_ON = {
    ("delete", "configmaps", "threescale-drill"): "Delete the record of the objects that a drill has made. "
    "The next drill then leaves these objects. The scratch claim is deleted with the record.",
}


def permissions() -> Iterator[str]:
    yield from ("# Permissions", "")
    yield "Each workflow runs with a service account and a Role of its own."
    yield "A person who may create pods or Workflows in the namespace can use every one of these accounts."
    yield "Give that right only to people who may administer the namespace."
    yield from ("", "Kubernetes limits `get`, `update`, `patch` and `delete` to names. It cannot limit `create`.")
    yield "These Roles never limit `list` to names, because the names of the backups are not known in advance."
    yield "`manifests` adds the names that you give with `--from-apimanager`, `--secret` and `--configmap`."
    yield made_by("tests/workflows/test_reference_permissions.py")
    for name, role in ALL_ROLES.items():
        yield from ("", f"## {name}", "", USED_BY[name], "")
        yield from table("Resource", "Verbs", "Names", "A person with this right can", rows=map(cells, role["rules"]))
    yield from ("", "## With --repository", "")
    yield "With `manifests --repository REPOSITORY`, other accounts get these rules, too."
    more = [(code(name), *cells(rule)) for name, role in MORE_RULES.items() for rule in new_in(name, role)]
    yield from ("", *table("Account", "Resource", "Verbs", "Names", "A person with this right can", rows=more))
    yield from ("", "## With --all-secrets", "")
    yield "With `manifests --all-secrets`, these rules take the place of the rules for named Secrets."
    yield "A Secret that the APIManager names later can then be backed up without a new Role."
    rows = [(code(name), *cells(rule)) for name, role in EVERY_SECRET.items() for rule in new_in(name, role)]
    yield from ("", *table("Account", "Resource", "Verbs", "Names", "A person with this right can", rows=rows))


def new_in(name: str, role: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for rule in role["rules"] if rule not in ROLES[name]["rules"]]


def cells(rule: dict[str, Any]) -> Iterator[str]:
    """A rule of a Role as a row."""
    (resource,), (group,) = rule["resources"], rule["apiGroups"]
    yield code(f"{resource}.{group}" if group else resource)
    yield " ".join(map(code, rule["verbs"]))
    yield " ".join(map(code, sorted(rule.get("resourceNames", [])))) or "all"
    yield " ".join(sentence for _, sentence in sentences(rule))


def sentences(rule: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """What each verb of a rule lets a person do, with the key of the sentence."""
    (resource,), names = rule["resources"], rule.get("resourceNames", [])
    for verb in rule["verbs"]:
        by_name = (verb, resource, *names)
        general = (verb, resource, bool(names))
        yield (by_name, ALLOWS_ON[by_name]) if by_name in ALLOWS_ON else (general, ALLOWS.get(general, ""))


RULES = [
    (name, rule)
    for several in (ALL_ROLES, MORE_RULES, EVERY_SECRET)
    for name, role in several.items()
    for rule in role["rules"]
]


def test_the_page_of_permissions_is_as_the_roles_say() -> None:
    page, made = recorded("permissions.md", permissions())

    assert page == made


@pytest.mark.parametrize("role", ALL_ROLES)
def test_no_grant_lacks_a_sentence(role: str) -> None:
    untold = [key for name, rule in RULES for key, sentence in sentences(rule) if name == role and not sentence]

    assert untold == []


def test_no_sentence_is_of_a_grant_that_is_not_given() -> None:
    given = {key for _, rule in RULES for key, _ in sentences(rule)}

    assert given == ALLOWS.keys() | ALLOWS_ON.keys()
    assert ALL_ROLES.keys() == USED_BY.keys()
