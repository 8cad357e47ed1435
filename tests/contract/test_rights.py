"""Rights: what the rendered Roles allow and refuse, and the words of a refusal."""

import base64
import json

import pytest

from steps import errors
from steps.contract import names
from steps.kubernetes.answers import BY_RIGHTS
from steps.kubernetes.kinds import (
    APIMANAGER,
    APIMANAGER_BACKUP,
    CLAIM,
    CONFIGMAP,
    DEPLOYMENT,
    DEPLOYMENT_CONFIG,
    EVENT,
    POD,
    QUOTA,
    ROUTE,
    SECRET,
    WORKFLOW,
)
from steps.threescale import installation
from steps.threescale.installation import SYSTEM_STORAGE
from tests.builders.refusals import Holding, refused
from tests.contract.servers import STRANGER

BACKUP, RESTORE, PRUNE = "threescale-backup", "threescale-restore", "threescale-prune"
VERIFY, DRILL = "threescale-verify", "threescale-drill"
ALL = {BACKUP, RESTORE, PRUNE, VERIFY, DRILL}
DRAWN = "drawn-at-random"
SPEC = {"wildcardDomain": "example.test"}


def asked(cluster, verb, kind, name, account):
    """Ask for something, and tell whether it was refused for want of a right."""
    door = cluster.connect(account)
    try:
        if verb == "get":
            door.get(kind, name)
        elif verb == "list":
            door.list(kind)
        elif verb == "delete":
            door.delete(kind, name, "no-such-uid")
        elif verb == "create":
            door.create(kind, cluster.object(kind.name, name, spec=SPEC))
        elif verb == "delete":
            door.delete(kind, name, "no-such-uid", "1")
        else:
            door.patch(kind, name, {"metadata": {"annotations": {"a": "b"}}})
    except errors.NotAllowed:
        return False
    except errors.PhaseError:
        return True
    return True


@pytest.mark.parametrize(
    ("verb", "kind", "name", "may"),
    [
        ("get", SECRET, "zync", {BACKUP, RESTORE}),
        ("get", SECRET, "system-memcache", {BACKUP}),
        ("get", SECRET, "private", set()),
        ("list", SECRET, "", set()),
        ("create", SECRET, "zync", {RESTORE}),
        ("create", SECRET, "private", {RESTORE}),
        ("patch", SECRET, "zync", set()),
        ("get", CONFIGMAP, "system-environment", {BACKUP, RESTORE}),
        ("get", CONFIGMAP, "private", set()),
        ("create", CONFIGMAP, "system-environment", {BACKUP, RESTORE, DRILL}),
        ("patch", CONFIGMAP, "system-environment", set()),
        ("list", CONFIGMAP, "", set()),
        ("get", CONFIGMAP, names.BACKUP_RESULTS, {BACKUP}),
        ("patch", CONFIGMAP, names.BACKUP_RESULTS, {BACKUP}),
        ("get", CONFIGMAP, names.RESTORE_RESULTS, {RESTORE}),
        ("patch", CONFIGMAP, names.RESTORE_RESULTS, {RESTORE}),
        ("patch", CONFIGMAP, names.DRILL_RESULTS, {DRILL}),
        ("get", CONFIGMAP, names.DRILL_LEDGER, {DRILL}),
        ("delete", CONFIGMAP, names.DRILL_LEDGER, {DRILL}),
        ("delete", CONFIGMAP, names.DRILL_RESULTS, set()),
        ("get", APIMANAGER, "any", {BACKUP, RESTORE}),
        ("list", APIMANAGER, "", {BACKUP, RESTORE}),
        ("create", APIMANAGER, "any", {RESTORE}),
        ("patch", APIMANAGER, "any", set()),
        ("get", CLAIM, "any", ALL),
        ("list", CLAIM, "", ALL),
        ("create", CLAIM, "any", {BACKUP, RESTORE, DRILL}),
        ("patch", CLAIM, "any", {BACKUP, PRUNE, VERIFY, DRILL}),
        ("patch", CLAIM, SYSTEM_STORAGE, ALL),
        ("delete", CLAIM, "any", {PRUNE}),
        ("delete", SECRET, "zync", set()),
        ("delete", APIMANAGER, "any", set()),
        ("list", WORKFLOW, "", {PRUNE, VERIFY, DRILL}),
        ("create", WORKFLOW, "any", set()),
        ("delete", WORKFLOW, "any", set()),
        ("get", APIMANAGER_BACKUP, "any", {RESTORE, PRUNE, VERIFY, DRILL}),
        ("list", POD, "", ALL),
        ("delete", POD, "any", set()),
        ("get", POD, "any", set()),
        ("create", POD, "any", set()),
        ("list", DEPLOYMENT, "", {RESTORE}),
        ("get", DEPLOYMENT, installation.OPERATOR_DEPLOYMENTS[0], {BACKUP, RESTORE}),
        ("list", QUOTA, "", {RESTORE}),
        ("get", DEPLOYMENT, "other", set()),
        ("list", DEPLOYMENT_CONFIG, "", {RESTORE}),
        ("list", ROUTE, "", {BACKUP, RESTORE}),
        ("list", EVENT, "", ALL),
    ],
    ids=lambda value: value.resource if isinstance(value, tuple) else value if isinstance(value, str) else "",
)
def test_the_rendered_roles_allow_what_the_phases_do_and_no_more(cluster, verb, kind, name, may):
    allowed = {account for account in (*ALL, STRANGER) if asked(cluster, verb, kind, name, account)}

    assert allowed == may


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "secrets/private", 'secrets "private" is forbidden: {user} cannot get resource "secrets" {core}'),
        ("GET", "secrets", 'secrets is forbidden: {user} cannot list resource "secrets" {core}'),
        ("POST", "secrets", 'secrets is forbidden: {user} cannot create resource "secrets" {core}'),
        ("PATCH", "secrets/zync", 'secrets "zync" is forbidden: {user} cannot patch resource "secrets" {core}'),
        ("PUT", "secrets/zync", 'secrets "zync" is forbidden: {user} cannot update resource "secrets" {core}'),
        ("DELETE", "secrets/zync", 'secrets "zync" is forbidden: {user} cannot delete resource "secrets" {core}'),
        ("DELETE", "secrets", 'secrets is forbidden: {user} cannot deletecollection resource "secrets" {core}'),
        ("GET", "pods/a/exec", 'pods "a" is forbidden: {user} cannot get resource "pods/exec" {core}'),
        (
            "POST",
            "apimanagers",
            'apimanagers.apps.3scale.net is forbidden: {user} cannot create resource "apimanagers" in API group '
            '"apps.3scale.net" in the namespace "{namespace}"',
        ),
        (
            "GET",
            "/api/v1/secrets",
            'secrets is forbidden: {user} cannot list resource "secrets" in API group "" at the cluster scope',
        ),
        (
            "GET",
            "/apis/no.such.example/v1/namespaces/default/things",
            'things.no.such.example is forbidden: {user} cannot list resource "things" in API group "no.such.example" '
            'in the namespace "default"',
        ),
    ],
)
def test_a_refusal_names_who_asked_for_what(cluster, method, path, said):
    user = f'User "system:serviceaccount:{cluster.namespace}:{STRANGER}"'
    core = f'in API group "" in the namespace "{cluster.namespace}"'

    answer = cluster.ask(method, path, {"metadata": {"name": DRAWN}}, account=STRANGER)

    assert (answer.status, answer.reason) == (403, "Forbidden")
    assert answer.message == said.format(user=user, core=core, namespace=cluster.namespace)
    assert BY_RIGHTS.search(answer.message)


def test_a_refusal_of_rights_never_quotes_what_was_sent(cluster):
    with refused(errors.NotAllowed, verb="create", message=Holding("cannot create resource")) as error:
        cluster.connect(STRANGER).create(SECRET, cluster.object("Secret", DRAWN, data={"k": "Y2FuYXJ5"}))

    assert "Y2FuYXJ5" not in str(error.value)


@pytest.mark.cluster
@pytest.mark.parametrize("cluster", ["real"], indirect=True)  # Pod Security is not played
def test_what_admission_refuses_is_no_missing_right(cluster):
    spec = {"containers": [{"name": "main", "image": "any"}]}

    with refused(errors.Rejected, message=Holding('violates PodSecurity "restricted')):
        cluster.connect().create(POD, cluster.object("Pod", "unlocked", spec=spec))


def test_names_in_a_role_count_in_a_list_by_field_too(cluster):
    query = [("fieldSelector", "metadata.name=zync")]

    answer = cluster.ask("GET", "secrets", query=query, account=BACKUP)

    assert answer.message.startswith('secrets "zync" is forbidden')


def test_the_status_is_another_resource(cluster):
    answer = cluster.ask("PATCH", "persistentvolumeclaims/any/status", {}, account=BACKUP)

    assert (answer.status, 'resource "persistentvolumeclaims/status"' in answer.message) == (403, True)


# --- bindings ---


def bind(cluster, name, rules, *, role=None, **subject):
    rbac = "rbac.authorization.k8s.io"
    head = {"apiVersion": f"{rbac}/v1", "metadata": {"name": name, "namespace": cluster.namespace}}
    reference = {"apiGroup": rbac, "kind": "Role", "name": role or name}
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace, **subject}]
    cluster.hand.apply(cluster.object("ServiceAccount", name))
    if rules:
        cluster.hand.create({**head, "kind": "Role", "rules": rules})
    cluster.hand.create({**head, "kind": "RoleBinding", "roleRef": reference, "subjects": subjects})


def rule(resources, verbs, *names):
    return {"apiGroups": [""], "resources": resources, "verbs": verbs, **({"resourceNames": names} if names else {})}


def test_names_in_a_role_allow_neither_a_create_nor_an_open_list(cluster):
    bind(cluster, "named", [rule(["secrets"], ["create", "list"], "a")])

    created = cluster.ask("POST", "secrets", {"metadata": {"name": "a"}}, account="named")
    listed = cluster.ask("GET", "secrets", account="named")
    by_name = cluster.ask("GET", "secrets", query=[("fieldSelector", "metadata.name=a")], account="named")

    assert [answer.status for answer in (created, listed, by_name)] == [403, 403, 200]


def test_a_binding_means_the_account_of_its_namespace(cluster):
    bind(cluster, "elsewhere", [rule(["secrets"], ["list"])], namespace="elsewhere")

    assert cluster.ask("GET", "secrets", account="elsewhere").status == 403


def test_a_binding_to_a_role_that_is_not_there_says_so(cluster):
    bind(cluster, "hollow", [], role="gone")

    answer = cluster.ask("GET", "secrets", account="hollow")

    assert answer.message.endswith(': RBAC: role.rbac.authorization.k8s.io "gone" not found')


def test_a_wildcard_allows_subresources_too(cluster):
    bind(cluster, "wild", [rule(["*"], ["get", "create"])])

    statuses = [cluster.ask("GET", path, account="wild").status for path in ("secrets/a", "pods/a/exec")]

    assert statuses == [404, 404]


def test_a_right_that_is_given_counts_soon(cluster):
    cluster.create("ServiceAccount", "late")
    before = cluster.ask("GET", "secrets", account="late").status
    bind(cluster, "late", [rule(["secrets"], ["list"])])

    assert (before, cluster.eventually("GET", "secrets", "late", 200)) == (403, True)


# --- tokens ---


@pytest.mark.parametrize("path", ["secrets", "/apis", "/version"])
def test_a_token_that_nobody_knows_is_unauthorized(cluster, path):
    answer = cluster.ask("GET", path, account=STRANGER, headers={"authorization": "Bearer nonsense"})

    assert (answer.status, answer.reason, answer.message) == (401, "Unauthorized", "Unauthorized")


def test_whoever_shows_no_token_is_anonymous_and_may_nothing(cluster):
    answer = cluster.ask("GET", "secrets", account=STRANGER, headers={"authorization": ""})

    assert (answer.status, answer.reason) == (403, "Forbidden")
    assert answer.message.startswith('secrets is forbidden: User "system:anonymous" cannot list resource "secrets"')


def test_a_forged_token_is_not_known_which_is_no_missing_right(cluster, tmp_path, monkeypatch):
    kubeconfig = json.loads(cluster.kubeconfig(STRANGER).read_text())
    token = kubeconfig["users"][0]["user"]["token"]
    kubeconfig["users"][0]["user"]["token"] = token[:-10] + base64.b16encode(b"forge").decode()
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
    monkeypatch.setattr(cluster, "kubeconfig", lambda _account: tmp_path / "kubeconfig")

    with pytest.raises(errors.NotKnown):
        cluster.connect(STRANGER).get(CONFIGMAP, "any")
