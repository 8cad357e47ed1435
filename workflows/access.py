"""Access rights: a ServiceAccount, a Role and a RoleBinding for each workflow, with no right that its phases don't use.

Kubernetes can't limit `create` and `list` by name, and nobody knows the names of backups' claims beforehand. All other
rights are given by name, also for the objects that an APIManager names.
"""

from collections.abc import Sequence

from steps.contract import names
from steps.contract.names import PART_OF
from steps.kubernetes.kinds import (
    APIMANAGER,
    APIMANAGER_BACKUP,
    CLAIM,
    CLUSTER_QUOTA,
    CONFIGMAP,
    CRON_WORKFLOW,
    DEPLOYMENT,
    DEPLOYMENT_CONFIG,
    EVENT,
    POD,
    QUOTA,
    ROUTE,
    SECRET,
    WORKFLOW,
    Kind,
)
from steps.threescale import installation
from workflows import backup, drill, fetch, prune, push, repository_prune, restore, schedule, verify, watchdog
from workflows.rendering.document import Manifest
from workflows.rendering.settings import Settings

_RESTORED = (*installation.RESTORED_SECRETS, *installation.DATABASE_SECRETS)
_RBAC = "rbac.authorization.k8s.io"


def access(settings: Settings) -> list[Manifest]:
    """Render a ServiceAccount, a Role and a RoleBinding for each workflow, and the rights of a drill elsewhere."""
    return [
        *_account(settings, backup.NAME, _backup_rules(settings)),
        *_account(settings, restore.NAME, _restore_rules(settings)),
        *_account(settings, prune.NAME, _prune_rules(settings)),
        *_account(settings, verify.NAME, [_argo(), *_catalogue(), *_origin(settings)]),
        *_account(settings, drill.NAME, _drill_rules()),
        *_in_scratch(settings),
    ]


def of_watchdog(settings: Settings) -> list[Manifest]:
    """Render the ServiceAccount, Role and RoleBinding of the watchdog, which only reads."""
    return _account(settings, watchdog.NAME, [*_watchdog_rules(), *_ledgers(settings, read_only=True)])


def of_push(settings: Settings) -> list[Manifest]:
    """Render the ServiceAccount, Role and RoleBinding of the copy to the repositories."""
    return _account(settings, push.NAME, [_argo(), *_catalogue(), *_origin(settings)])


def of_fetch(settings: Settings) -> list[Manifest]:
    """Render the ServiceAccount, Role and RoleBinding of the fetch from a repository."""
    rules = [
        _argo(),
        _rule(CLAIM, ["get", "list", "create", "patch"]),  # patch: the state of the claim that it makes
        _rule(CONFIGMAP, ["get"], [names.ORIGIN]),
        _rule(POD, ["list"]),
        _rule(EVENT, ["list"]),
    ]
    return _account(settings, fetch.NAME, rules)


def of_repository_prune(settings: Settings) -> list[Manifest]:
    """Render the ServiceAccount, Role and RoleBinding of the freeing of room in the repositories."""
    return _account(settings, repository_prune.NAME, [_argo(), *_ledgers(settings)])


def _backup_rules(settings: Settings) -> list[Manifest]:
    return [
        _argo(),
        _rule(SECRET, ["get"], _secrets(settings, installation.SECRETS)),
        _rule(CONFIGMAP, ["get"], _configmaps(settings, names.BACKUP_RESULTS)),
        *_evidence(names.BACKUP_RESULTS),
        _rule(APIMANAGER, ["get", "list"]),
        _rule(CLAIM, ["get", "list", "create", "patch"]),  # patch: the state of the backup's own claim
        _rule(DEPLOYMENT, ["get"], installation.OPERATOR_DEPLOYMENTS),  # whether the operator runs
        _rule(POD, ["list"]),  # who mounts system-storage, why a pod does not start
        _rule(ROUTE, ["list"]),  # which are admitted
        _rule(EVENT, ["list"]),
        *_origin(settings),
    ]


def _restore_rules(settings: Settings) -> list[Manifest]:
    return [
        _argo(),
        _rule(SECRET, ["get", "update"], _secrets(settings, _RESTORED)),  # update: with on-conflict=replace
        _rule(SECRET, ["create"]),
        _rule(CONFIGMAP, ["get"], _configmaps(settings, names.RESTORE_RESULTS)),
        _rule(CONFIGMAP, ["update"], _configmaps(settings)),
        *_evidence(names.RESTORE_RESULTS),  # create: also for the restored ConfigMaps
        _rule(APIMANAGER, ["get", "list", "create"]),
        _rule(APIMANAGER_BACKUP, ["get"]),  # whether a backup of the operator had completed
        _rule(CLAIM, ["get", "list", "create"]),
        _rule(CLAIM, ["patch"], [installation.SYSTEM_STORAGE]),
        _rule(DEPLOYMENT, ["list"]),
        _rule(DEPLOYMENT, ["get"], installation.OPERATOR_DEPLOYMENTS),  # the operator's version
        _rule(DEPLOYMENT_CONFIG, ["list"]),
        _rule(QUOTA, ["list"]),  # whether there is room for all that is created
        _rule(CLUSTER_QUOTA, ["list"]),
        _rule(POD, ["list"]),
        _rule(POD, ["get", "create"], subresource="exec"),  # get: how the Python client opens it; create: from 1.35
        _rule(ROUTE, ["list"]),
        _rule(EVENT, ["list"]),
    ]


def _watchdog_rules() -> list[Manifest]:
    return [
        _argo(),
        _rule(CLAIM, ["list"]),
        _rule(WORKFLOW, ["get", "list"]),  # whether a backup is running; whether the last run failed
        _rule(CRON_WORKFLOW, ["get"], [schedule.NAME]),
        _rule(APIMANAGER_BACKUP, ["get"]),  # whether a backup of the operator had completed
        _rule(POD, ["list"]),  # why its own pod does not start
        _rule(EVENT, ["list"]),
    ]


def _drill_rules() -> list[Manifest]:
    own = [names.DRILL_LEDGER, names.DRILL_RESULTS]
    return [
        _argo(),
        *_catalogue(),
        _rule(CLAIM, ["create"]),  # the scratch claim; deleted with its owner, the ledger, so no right to delete
        _rule(CONFIGMAP, ["get"], own),
        *_evidence(names.DRILL_RESULTS),
        _rule(CONFIGMAP, ["delete"], [names.DRILL_LEDGER]),
    ]


def _catalogue() -> list[Manifest]:
    """Rules to choose a backup from the catalogue, and to record the result on its claim."""
    return [
        _rule(CLAIM, ["get", "list", "patch"]),
        _rule(WORKFLOW, ["list"]),  # whether a backup is running
        _rule(APIMANAGER_BACKUP, ["get"]),
        _rule(POD, ["list"]),  # who mounts the claim, why a pod does not start
        _rule(EVENT, ["list"]),
    ]


def _prune_rules(settings: Settings) -> list[Manifest]:
    return [
        _argo(),
        _rule(CLAIM, ["get", "list", "patch", "delete"]),  # patch: a lost label; delete: only this account may
        _rule(WORKFLOW, ["get", "list"]),  # which runs have ended; whether the last run failed
        _rule(APIMANAGER_BACKUP, ["get"]),  # whether a backup of the operator had completed
        _rule(POD, ["list"]),  # who mounts a claim
        _rule(EVENT, ["list"]),
        *_ledgers(settings, names.ORIGIN),
    ]


def _in_scratch(settings: Settings) -> list[Manifest]:
    """Render the rights of a drill in its scratch namespace: create what a restore creates, and remove it."""
    if settings.drill_namespace is None:
        return []
    rules = [
        _rule(SECRET, ["create"]),
        _rule(SECRET, ["get", "delete"], _secrets(settings, _RESTORED)),
        _rule(CONFIGMAP, ["create"]),
        _rule(CONFIGMAP, ["get", "delete"], _configmaps(settings)),
        _rule(APIMANAGER, ["list", "create"]),  # create: for a dry run, which needs the same right
        _rule(CLAIM, ["list"]),  # whether the namespace holds a backup
    ]
    return _role(f"{drill.NAME}-scratch", rules, settings.drill_namespace, _subject(settings, drill.NAME))


def _secrets(settings: Settings, known: Sequence[str]) -> Sequence[str]:
    """Return the names of the Secrets that may be read. An empty result means all Secrets."""
    return () if settings.all_secrets else sorted({*known, installation.DEFAULT_PULL_SECRET, *settings.secrets})


def _configmaps(settings: Settings, *evidence: str) -> Sequence[str]:
    return sorted({*installation.CONFIGMAPS, *installation.EDITED_CONFIGMAPS, *settings.configmaps, *evidence})


def _origin(settings: Settings) -> list[Manifest]:
    """Rules to make the ID of the installation in its repositories, and to record what is known of these."""
    if not settings.repositories:
        return []
    own = [names.ORIGIN, *(names.LEDGER.format(each) for each in settings.repositories)]
    return [_rule(CONFIGMAP, ["create"]), _rule(CONFIGMAP, ["get", "patch"], own)]


def _ledgers(settings: Settings, *others: str, read_only: bool = False) -> list[Manifest]:
    """Rules to read what is known of the repositories, and to change it unless `read_only`."""
    if not settings.repositories:
        return []
    own = [names.LEDGER.format(each) for each in settings.repositories]
    read = [_rule(CONFIGMAP, ["get"], list(others))] if others else []
    return [*read, _rule(CONFIGMAP, ["get"] if read_only else ["get", "patch"], own)]


def _evidence(name: str) -> list[Manifest]:
    return [_rule(CONFIGMAP, ["create"]), _rule(CONFIGMAP, ["patch"], [name])]


def _argo() -> Manifest:
    """Rule that Argo's executor needs in each pod to report outputs and progress."""
    return {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}


def _rule(kind: Kind, verbs: Sequence[str], names: Sequence[str] = (), subresource: str = "") -> Manifest:
    resource = f"{kind.resource}/{subresource}" if subresource else kind.resource
    rule: Manifest = {"apiGroups": [kind.group], "resources": [resource], "verbs": list(verbs)}
    return {**rule, "resourceNames": list(names)} if names else rule


def _account(settings: Settings, workflow: str, rules: list[Manifest]) -> list[Manifest]:
    metadata = _metadata(settings.account(workflow), settings.namespace)
    if annotations := settings.annotations(workflow):
        metadata["annotations"] = annotations
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    return [account, *_role(workflow, rules, settings.namespace, _subject(settings, workflow))]


def _role(name: str, rules: list[Manifest], namespace: str | None, subject: Manifest) -> list[Manifest]:
    metadata = _metadata(name, namespace)
    return [
        {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
            "subjects": [subject],
        },
    ]


def _metadata(name: str, namespace: str | None) -> Manifest:
    return {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(PART_OF)}


def _subject(settings: Settings, workflow: str) -> Manifest:
    place = {"namespace": settings.namespace} if settings.namespace else {}
    return {"kind": "ServiceAccount", "name": settings.account(workflow), **place}
