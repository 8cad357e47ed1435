import json
import threading
from pathlib import Path

import pytest
import urllib3
from kubernetes import config
from kubernetes.client.api.core_v1_api import CoreV1Api
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from websocket import WebSocketException

from tests.embedded.kubernetes import Cluster
from workflows.rehearsal.kubernetes.cluster import ExecResult

PATIENCE_S = 5
SECRETS = "/api/v1/namespaces/src/secrets"
CLAIMS = "/api/v1/namespaces/src/persistentvolumeclaims"
MANAGERS = "/apis/apps.3scale.net/v1alpha1/namespaces/src/apimanagers"
MERGE = "application/merge-patch+json"


class Client:
    """Raw requests of the official client, as one account."""

    def __init__(self, kubeconfig: Path):
        configuration = Configuration()
        config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        configuration.retries = False
        self.api = ApiClient(configuration)

    def ask(self, method, path, body=None, *, query=(), content_type="application/json"):
        headers = {"Accept": "application/json", "Content-Type": content_type}
        request = self.api.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        response = self.api.call_api(*request, _request_timeout=PATIENCE_S)
        response.read()
        text = response.data.decode()
        return response.status, json.loads(text) if text.startswith("{") else text

    def exec(self, *command, pod="sidekiq", container="system-sidekiq"):
        session = stream(
            CoreV1Api(self.api).connect_get_namespaced_pod_exec,
            pod,
            "src",
            container=container,
            command=list(command),
            stdout=True,
            stderr=True,
            _preload_content=False,
        )
        try:
            session.run_forever(timeout=PATIENCE_S)
            return session.read_stdout(), session.read_stderr(), session.read_channel(3)
        finally:
            session.close()
            session.sock.shutdown()  # which `close` leaves open when the server closed first

    @property
    def token(self):
        return self.api.configuration.api_key["BearerToken"].removeprefix("Bearer ")

    def close(self):
        self.api.rest_client.pool_manager.clear()


class Changes:
    """What a cluster told about its objects, to wait for."""

    def __init__(self, cluster):
        self._seen = []
        self._more = threading.Condition()
        cluster.on_change(self._see)

    def _see(self, event, obj):
        with self._more:
            self._seen.append((event, obj["kind"], obj["metadata"]["name"]))
            self._more.notify_all()

    def wait(self, event, kind, name):
        with self._more:
            return self._more.wait_for(lambda: (event, kind, name) in self._seen, PATIENCE_S)


@pytest.fixture
def cluster():
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def clients(cluster, tmp_path):
    made = []

    def client(service_account=None):
        path = tmp_path / f"{service_account}.kubeconfig"
        made.append(Client(cluster.kubeconfig(path, namespace="src", service_account=service_account)))
        return made[-1]

    yield client
    for each in made:
        each.close()


@pytest.fixture
def admin(clients):
    return clients()


def secret(name="a", **fields):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "src"}, **fields}


def configmap(name="a", **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "src", **metadata}}


def manager(**fields):
    metadata = {"name": "m", "namespace": "src"}
    return {"apiVersion": "apps.3scale.net/v1alpha1", "kind": "APIManager", "metadata": metadata, "spec": {}, **fields}


def claim(name="c", **spec):
    metadata = {"name": name, "namespace": "src"}
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "256Mi"}}} | spec
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def pod(phase="Running", **fields):
    metadata = {"name": "sidekiq", "namespace": "src", "labels": {"deployment": "system-sidekiq"}}
    volumes = [{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]
    spec = {"containers": [{"name": "system-sidekiq"}], "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": phase}, **fields}


def role(*rules, name="may"):
    rules = [dict(zip(("apiGroups", "resources", "verbs", "resourceNames"), rule, strict=False)) for rule in rules]
    metadata = {"name": name, "namespace": "src"}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}


def binding(account="backup", role="may", **subject):
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{account}-{role}", "namespace": "src"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, **subject}],
    }


def allow(cluster, *rules):
    cluster.apply(role(*rules))
    cluster.apply(binding())


# --- objects ---


def test_a_created_object_gets_the_fields_that_only_a_server_writes(admin):
    status, made = admin.ask("POST", MANAGERS, manager())

    assert status == 201
    assert set(made["metadata"]) == {"name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation"}


def test_a_create_of_an_existing_name_is_a_conflict(cluster, admin):
    cluster.apply(secret())

    status, answer = admin.ask("POST", SECRETS, secret())

    assert (status, answer["reason"], answer["message"]) == (409, "AlreadyExists", 'secrets "a" already exists')


def test_an_object_that_is_not_there_is_not_found(admin):
    status, answer = admin.ask("GET", f"{MANAGERS}/m")

    assert (status, answer["reason"]) == (404, "NotFound")
    assert answer["message"] == 'apimanagers.apps.3scale.net "m" not found'
    assert answer["details"] == {"name": "m", "group": "apps.3scale.net", "kind": "apimanagers"}


def test_unknown_fields_come_back_as_they_were(admin):
    odd = {"größe": "☃", "deep": [1, None, {"on": True}]}

    admin.ask("POST", MANAGERS, manager(spec=odd))

    assert admin.ask("GET", f"{MANAGERS}/m")[1]["spec"] == odd


def test_a_name_is_generated_where_only_its_start_is_given(admin):
    _, first = admin.ask("POST", SECRETS, {"metadata": {"generateName": "a-"}})
    _, second = admin.ask("POST", SECRETS, {"metadata": {"generateName": "a-"}})

    assert first["metadata"]["name"].startswith("a-")
    assert first["metadata"]["name"] != second["metadata"]["name"]


@pytest.mark.parametrize("name", ["Capital", "under_score", "-dash", "a..b", "x" * 254])
def test_a_name_that_kubernetes_does_not_allow_is_invalid(admin, name):
    status, answer = admin.ask("POST", SECRETS, secret(name))

    assert (status, answer["reason"]) == (422, "Invalid")
    assert answer["message"].startswith(f'Secret "{name}" is invalid: metadata.name: Invalid value: ')


def test_an_object_with_a_resource_version_cannot_be_created(admin):
    body = secret()
    body["metadata"]["resourceVersion"] = "7"

    status, answer = admin.ask("POST", SECRETS, body)

    assert status == 500
    assert answer["message"] == "resourceVersion should not be set on objects to be created"


def test_an_object_of_another_namespace_cannot_be_created(admin):
    body = secret() | {"metadata": {"name": "a", "namespace": "elsewhere"}}

    status, answer = admin.ask("POST", SECRETS, body)

    assert (status, answer["reason"]) == (400, "BadRequest")
    assert answer["message"] == "the namespace of the provided object does not match the namespace sent on the request"


def test_nothing_can_be_created_in_a_namespace_that_is_not_there(admin):
    status, answer = admin.ask("POST", SECRETS.replace("src", "elsewhere"), {"metadata": {"name": "a"}})

    assert (status, answer["message"]) == (404, 'namespaces "elsewhere" not found')


def test_a_body_that_is_no_json_is_a_bad_request(cluster, admin):
    headers = {"Authorization": f"Bearer {admin.token}"}

    with urllib3.PoolManager() as pool:
        answer = pool.request("POST", cluster.url + SECRETS, body=b"{oh", headers=headers)

    assert answer.status == 400


def test_an_object_of_another_kind_is_a_bad_request(admin):
    status, _ = admin.ask("POST", SECRETS, configmap())

    assert status == 400


def test_plain_values_of_a_secret_become_base64(admin):
    _, made = admin.ask("POST", SECRETS, secret(stringData={"key": "ü"}, data={"other": "YQ=="}))

    assert made["data"] == {"key": "w7w=", "other": "YQ=="}
    assert "stringData" not in made
    assert made["type"] == "Opaque"


@pytest.mark.parametrize("value", ["not base64!", "YQ", "YQ=", 7])
def test_a_secret_that_is_not_base64_is_refused(admin, value):
    status, answer = admin.ask("POST", SECRETS, secret(data={"key": value}))

    assert status == 400
    assert answer["message"].startswith('Secret in version "v1" cannot be handled as a Secret: ')


def test_a_key_with_a_slash_is_invalid(admin):
    status, _ = admin.ask("POST", SECRETS, secret(data={"a/b": "YQ=="}))

    assert status == 422


def test_a_secret_of_more_than_a_mebibyte_is_invalid(admin):
    status, answer = admin.ask("POST", SECRETS, secret(stringData={"key": "x" * (1024 * 1024 + 1)}))

    assert (status, answer["reason"]) == (422, "Invalid")


def test_an_immutable_secret_stays_as_it_is(cluster, admin):
    cluster.apply(secret(data={"key": "YQ=="}, immutable=True))

    status, answer = admin.ask("PATCH", f"{SECRETS}/a", {"data": {"key": "Yg=="}}, content_type=MERGE)

    assert status == 422
    assert "field is immutable when `immutable` is set" in answer["message"]


def test_the_type_of_a_secret_stays_as_it_is(cluster, admin):
    cluster.apply(secret())

    status, _ = admin.ask("PATCH", f"{SECRETS}/a", {"type": "kubernetes.io/tls"}, content_type=MERGE)

    assert status == 422


# --- lists ---


def test_a_list_names_its_kind_and_version_and_its_items_do_not(cluster, admin):
    cluster.apply(secret())

    _, answer = admin.ask("GET", SECRETS)

    assert (answer["kind"], answer["apiVersion"]) == ("SecretList", "v1")
    assert answer["metadata"]["resourceVersion"] == answer["items"][0]["metadata"]["resourceVersion"]
    assert "kind" not in answer["items"][0]


def test_the_items_of_a_list_of_custom_resources_name_their_kind(cluster, admin):
    cluster.apply(manager())

    _, answer = admin.ask("GET", MANAGERS)

    assert answer["items"][0]["kind"] == "APIManager"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=one", ["a"]),
        ("app==one,tier=x", ["a"]),
        ("app!=one", ["b", "c"]),
        ("app", ["a", "b"]),
        ("!app", ["c"]),
        ("app in (one, two)", ["a", "b"]),
        ("app notin (one,two),!tier", ["c"]),
        ("", ["a", "b", "c"]),
    ],
)
def test_a_label_selector_chooses(cluster, admin, selector, names):
    cluster.apply(configmap("a", labels={"app": "one", "tier": "x"}))
    cluster.apply(configmap("b", labels={"app": "two"}))
    cluster.apply(configmap("c"))

    _, answer = admin.ask("GET", "/api/v1/namespaces/src/configmaps", query=[("labelSelector", selector)])

    assert [item["metadata"]["name"] for item in answer["items"]] == names
    assert [obj["metadata"]["name"] for obj in cluster.list("configmaps", "src", selector)] == names


def test_a_field_selector_chooses(cluster, admin):
    cluster.apply(secret("a"))
    cluster.apply(secret("b"))

    _, answer = admin.ask("GET", SECRETS, query=[("fieldSelector", "metadata.name=b")])

    assert [item["metadata"]["name"] for item in answer["items"]] == ["b"]


def test_an_unknown_field_selector_is_a_bad_request(cluster, admin):
    cluster.apply(secret())

    status, answer = admin.ask("GET", SECRETS, query=[("fieldSelector", "data.x=y")])

    assert (status, answer["message"]) == (400, "field label not supported: data.x")


# --- changes ---


def test_a_merge_patch_adds_replaces_and_removes(cluster, admin):
    cluster.apply(secret(data={"keep": "YQ==", "change": "YQ==", "drop": "YQ=="}))

    patch = {"data": {"change": "Yg==", "drop": None, "new": "Yw=="}}
    status, answer = admin.ask("PATCH", f"{SECRETS}/a", patch, content_type=MERGE)

    assert status == 200
    assert answer["data"] == {"keep": "YQ==", "change": "Yg==", "new": "Yw=="}


def test_a_patch_of_a_stale_version_is_a_conflict(cluster, admin):
    stale = cluster.apply(secret())["metadata"]["resourceVersion"]
    cluster.patch("secrets", "src", "a", {"data": {"key": "YQ=="}})

    body = {"metadata": {"resourceVersion": stale}, "data": {"key": "Yg=="}}
    status, answer = admin.ask("PATCH", f"{SECRETS}/a", body, content_type=MERGE)

    assert (status, answer["reason"]) == (409, "Conflict")
    assert "the object has been modified" in answer["message"]


def test_a_custom_resource_takes_no_strategic_patch(cluster, admin):
    cluster.apply(manager())

    status, _ = admin.ask("PATCH", f"{MANAGERS}/m", {}, content_type="application/strategic-merge-patch+json")

    assert status == 415


def test_a_write_that_changes_nothing_keeps_the_version(cluster, admin):
    before = cluster.apply(secret(data={"key": "YQ=="}))

    _, after = admin.ask("PATCH", f"{SECRETS}/a", {"data": {"key": "YQ=="}}, content_type=MERGE)

    assert after == before


def test_only_a_change_of_the_spec_counts_as_a_generation(cluster, admin):
    cluster.apply(manager())

    admin.ask("PATCH", f"{MANAGERS}/m", {"metadata": {"labels": {"a": "b"}}}, content_type=MERGE)
    admin.ask("PATCH", f"{MANAGERS}/m", {"spec": {"tenantName": "acme"}}, content_type=MERGE)

    assert cluster.get("apimanagers", "src", "m")["metadata"]["generation"] == 2


def test_the_status_of_an_object_is_written_only_by_its_subresource(cluster, admin):
    admin.ask("POST", MANAGERS, manager(status={"forged": True}))
    admin.ask("PATCH", f"{MANAGERS}/m", {"status": {"forged": True}}, content_type=MERGE)
    body = {"spec": {"forged": True}, "status": {"written": True}}
    admin.ask("PATCH", f"{MANAGERS}/m/status", body, content_type=MERGE)

    found = cluster.get("apimanagers", "src", "m")

    assert (found["spec"], found["status"]) == ({}, {"written": True})


def test_a_replacement_of_a_stale_version_is_a_conflict(cluster, admin):
    stale = cluster.apply(secret())
    cluster.patch("secrets", "src", "a", {"data": {"key": "YQ=="}})

    status, answer = admin.ask("PUT", f"{SECRETS}/a", stale)

    assert (status, answer["reason"]) == (409, "Conflict")


def test_a_replacement_leaves_the_servers_fields(cluster, admin):
    before = cluster.apply(secret())

    _, after = admin.ask("PUT", f"{SECRETS}/a", secret(data={"key": "YQ=="}))

    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]


def test_a_custom_resource_is_not_replaced_without_its_version(cluster, admin):
    cluster.apply(manager())

    status, answer = admin.ask("PUT", f"{MANAGERS}/m", manager())

    assert status == 422
    assert "must be specified for an update" in answer["message"]


def test_a_replacement_under_another_name_is_a_bad_request(cluster, admin):
    cluster.apply(secret())

    status, _ = admin.ask("PUT", f"{SECRETS}/a", secret("b"))

    assert status == 400


def test_a_delete_takes_an_object_away(cluster, admin):
    made = cluster.apply(secret())

    status, answer = admin.ask("DELETE", f"{SECRETS}/a")

    assert (status, answer["status"]) == (200, "Success")
    assert answer["details"]["uid"] == made["metadata"]["uid"]
    assert cluster.get("secrets", "src", "a") is None


def test_a_delete_of_another_uid_is_a_conflict(cluster, admin):
    cluster.apply(secret())

    status, answer = admin.ask("DELETE", f"{SECRETS}/a", {"preconditions": {"uid": "another"}})

    assert (status, answer["reason"]) == (409, "Conflict")
    assert cluster.get("secrets", "src", "a")


def test_a_finalizer_holds_an_object_until_it_is_gone(cluster):
    cluster.apply(configmap(finalizers=["example.test/hold"]))

    cluster.delete("configmaps", "src", "a")
    held = cluster.get("configmaps", "src", "a")
    cluster.patch("configmaps", "src", "a", {"metadata": {"finalizers": []}})

    assert held["metadata"]["deletionTimestamp"]
    assert cluster.get("configmaps", "src", "a") is None


def test_an_object_made_again_is_another_one(cluster):
    first = cluster.apply(secret())
    cluster.delete("secrets", "src", "a")
    second = cluster.apply(secret())

    assert first["metadata"]["uid"] != second["metadata"]["uid"]


def test_what_the_administrator_is_handed_is_a_copy(cluster):
    cluster.apply(secret(data={"key": "YQ=="}))["data"]["key"] = "changed"
    cluster.get("secrets", "src", "a")["data"]["key"] = "changed"
    cluster.list("secrets", "src")[0]["data"]["key"] = "changed"

    assert cluster.get("secrets", "src", "a")["data"] == {"key": "YQ=="}


def test_whoever_listens_is_told_of_each_write(cluster):
    told = []
    cluster.on_change(lambda event, obj: told.append((event, obj["metadata"]["name"])))

    cluster.apply(secret())
    cluster.patch("secrets", "src", "a", {"data": {"key": "YQ=="}})
    cluster.delete("secrets", "src", "a")

    assert told == [("ADDED", "src"), ("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_writers_side_by_side_lose_nothing(cluster):
    cluster.apply(configmap())

    def write(number):
        cluster.patch("configmaps", "src", "a", {"data": {f"key-{number}": "x"}})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(cluster.get("configmaps", "src", "a")["data"]) == 20


# --- what a cluster has ---


@pytest.mark.parametrize("path", ["/apis/apps.3scale.net/v1alpha1/namespaces/src/a", "/apis/no.such/v1/things/a"])
def test_a_resource_that_no_api_serves_is_a_404_in_plain_text(admin, path):
    assert admin.ask("GET", path) == (404, "404 page not found\n")


def test_an_api_group_can_be_switched_off(cluster, admin):
    cluster.without("apps.openshift.io")

    status, _ = admin.ask("GET", "/apis/apps.openshift.io/v1/namespaces/src/deploymentconfigs")
    _, groups = admin.ask("GET", "/apis")

    assert status == 404
    assert "apps.openshift.io" not in [group["name"] for group in groups["groups"]]


def test_a_collection_cannot_be_deleted_at_once(admin):
    status, answer = admin.ask("DELETE", SECRETS)

    assert (status, answer["reason"]) == (405, "MethodNotAllowed")


def test_what_is_not_served_is_refused_rather_than_overlooked(admin):
    status, _ = admin.ask("GET", SECRETS, query=[("watch", "true")])

    assert status == 400


# --- who may do what ---


def test_a_kubeconfig_can_be_read_by_its_owner_only(cluster, tmp_path):
    path = cluster.kubeconfig(tmp_path / "kubeconfig", namespace="src", service_account="backup")

    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [({"Authorization": "Bearer forged"}, 401, "Unauthorized"), ({}, 403, "Forbidden")],
)
@pytest.mark.parametrize("path", [SECRETS, "/apis"])
def test_a_forged_token_is_unauthorized_and_none_may_nothing(cluster, path, headers, status, reason):
    with urllib3.PoolManager() as pool:
        answer = pool.request("GET", cluster.url + path, headers=headers)

    assert (answer.status, answer.json()["reason"]) == (status, reason)
    assert all(request.user == "system:anonymous" for request in cluster.requests)


def test_an_account_may_do_nothing_by_itself(cluster, clients):
    cluster.apply(secret("x"))

    status, answer = clients("backup").ask("GET", f"{SECRETS}/x")

    assert (status, answer["reason"]) == (403, "Forbidden")
    assert answer["message"] == (
        'secrets "x" is forbidden: User "system:serviceaccount:src:backup" cannot get resource "secrets"'
        ' in API group "" in the namespace "src"'
    )


@pytest.mark.parametrize(
    ("method", "path", "start"),
    [
        ("GET", SECRETS, "secrets is forbidden: User"),
        ("POST", MANAGERS, "apimanagers.apps.3scale.net is forbidden: User"),
        ("PATCH", f"{MANAGERS}/m/status", 'apimanagers.apps.3scale.net "m" is forbidden: User'),
        ("GET", "/api/v1/secrets", "secrets is forbidden: User"),
    ],
)
def test_a_forbidden_request_is_named_as_kubernetes_names_it(clients, method, path, start):
    status, answer = clients("backup").ask(method, path, {"metadata": {"name": "m"}}, content_type=MERGE)

    assert status == 403
    assert answer["message"].startswith(start)


def test_an_account_may_do_what_its_role_allows(cluster, clients):
    allow(cluster, ([""], ["secrets"], ["get", "create"]))
    client = clients("backup")

    assert client.ask("POST", SECRETS, secret())[0] == 201
    assert client.ask("GET", f"{SECRETS}/a")[0] == 200
    assert client.ask("DELETE", f"{SECRETS}/a")[0] == 403


def test_a_role_in_one_group_allows_nothing_in_another(cluster, clients):
    allow(cluster, ([""], ["apimanagers"], ["list"]))

    assert clients("backup").ask("GET", MANAGERS)[0] == 403


def test_names_in_a_role_allow_these_names_only(cluster, clients):
    cluster.apply(secret("a"))
    cluster.apply(secret("b"))
    allow(cluster, ([""], ["secrets"], ["get"], ["a"]))
    client = clients("backup")

    assert client.ask("GET", f"{SECRETS}/a")[0] == 200
    assert client.ask("GET", f"{SECRETS}/b")[0] == 403


def test_names_in_a_role_allow_no_create_and_no_open_list(cluster, clients):
    allow(cluster, ([""], ["secrets"], ["create", "list"], ["a"]))
    client = clients("backup")

    assert client.ask("POST", SECRETS, secret())[0] == 403
    assert client.ask("GET", SECRETS)[0] == 403
    assert client.ask("GET", SECRETS, query=[("fieldSelector", "metadata.name=a")])[0] == 200


@pytest.mark.parametrize(("subject", "status"), [({"namespace": "src"}, 200), ({"namespace": "other"}, 403), ({}, 200)])
def test_a_binding_means_the_account_of_its_namespace(cluster, clients, subject, status):
    cluster.apply(role(([""], ["secrets"], ["list"])))
    cluster.apply(binding(**subject))

    assert clients("backup").ask("GET", SECRETS)[0] == status


def test_another_account_is_not_meant(cluster, clients):
    allow(cluster, ([""], ["secrets"], ["list"]))

    assert clients("restore").ask("GET", SECRETS)[0] == 403


def test_a_binding_to_a_role_that_is_not_there_says_so(cluster, clients):
    cluster.apply(binding(role="gone"))

    _, answer = clients("backup").ask("GET", SECRETS)

    assert answer["message"].endswith(': RBAC: role.rbac.authorization.k8s.io "gone" not found')


def test_an_account_may_read_its_namespace_when_a_role_there_says_so(cluster, clients):
    allow(cluster, ([""], ["namespaces"], ["get"]))

    assert clients("backup").ask("GET", "/api/v1/namespaces/src")[0] == 200


# --- what was asked ---


def test_each_request_is_recorded_with_what_became_of_it(cluster, clients):
    allow(cluster, (["apps.3scale.net"], ["apimanagers"], ["create"]))
    clients("backup").ask("POST", MANAGERS, manager())
    clients("backup").ask("GET", MANAGERS)

    seen = [(r.user, r.verb, r.group, r.resource, r.namespace, r.name, r.status) for r in cluster.requests]

    user = "system:serviceaccount:src:backup"
    assert seen == [
        (user, "create", "apps.3scale.net", "apimanagers", "src", "m", 201),
        (user, "list", "apps.3scale.net", "apimanagers", "src", "", 403),
    ]


def test_writes_are_told_from_reads(cluster, admin):
    admin.ask("GET", SECRETS)
    admin.ask("POST", SECRETS, secret())
    admin.ask("GET", f"{SECRETS}/a")
    admin.ask("DELETE", f"{SECRETS}/a")

    assert [request.verb for request in cluster.writes()] == ["create", "delete"]


def test_recorded_requests_can_be_forgotten(cluster, admin):
    admin.ask("GET", SECRETS)

    cluster.clear_requests()

    assert cluster.requests == []


# --- what goes wrong on purpose ---


def test_the_next_request_can_be_refused(cluster, admin):
    cluster.refuse_next("create", "secrets")

    first, _ = admin.ask("POST", SECRETS, secret())
    second, _ = admin.ask("POST", SECRETS, secret())

    assert (first, second) == (500, 201)


def test_a_refusal_waits_for_the_name_it_is_for(cluster, admin):
    cluster.refuse_next("create", "secrets", name="b", status=403, message="no")

    assert admin.ask("POST", SECRETS, secret("a"))[0] == 201
    assert admin.ask("POST", SECRETS, secret("b")) == (403, admin_status(403, "Forbidden", "no"))


def admin_status(code, reason, message):
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return head | {"message": message, "reason": reason, "code": code}


def test_refusals_come_as_often_as_asked_for(cluster, admin):
    cluster.refuse_next("list", "secrets", times=2, status=503)

    assert [admin.ask("GET", SECRETS)[0] for _ in range(3)] == [503, 503, 200]


def test_each_of_two_refusals_meets_a_request_of_its_own(cluster, admin):
    cluster.refuse_next("list", "secrets", status=503)
    cluster.refuse_next("list", "secrets", status=500)

    assert [admin.ask("GET", SECRETS)[0] for _ in range(3)] == [503, 500, 200]


def test_a_server_with_too_much_to_do_says_when_to_come_back(cluster, admin):
    cluster.refuse_next("list", "secrets", status=429, retry_after_s=7)

    _, answer = admin.ask("GET", SECRETS)

    assert (answer["reason"], answer["details"]["retryAfterSeconds"]) == ("TooManyRequests", 7)


def test_a_dropped_request_has_no_answer_and_no_effect(cluster, admin):
    cluster.drop_next("create", "secrets")

    with pytest.raises((urllib3.exceptions.HTTPError, ApiException, OSError)):
        admin.ask("POST", SECRETS, secret())

    assert cluster.get("secrets", "src", "a") is None
    assert cluster.requests[-1].status == 0


def test_a_lost_answer_has_had_its_effect(cluster, admin):
    cluster.lose_answer_of_next("create", "secrets")

    with pytest.raises((urllib3.exceptions.HTTPError, ApiException, OSError)):
        admin.ask("POST", SECRETS, secret())

    assert cluster.get("secrets", "src", "a")
    assert admin.ask("POST", SECRETS, secret())[0] == 409


def test_the_world_can_change_just_before_a_request(cluster, admin):
    cluster.before_next("create", "secrets", lambda request: cluster.apply(secret(request.name)))

    assert admin.ask("POST", SECRETS, secret())[0] == 409
    assert admin.ask("POST", SECRETS, secret("b"))[0] == 201


def test_the_world_can_change_just_after_a_request(cluster, admin):
    cluster.after_next("create", "secrets", lambda request: cluster.delete("secrets", "src", request.name))

    assert admin.ask("POST", SECRETS, secret())[0] == 201
    assert cluster.get("secrets", "src", "a") is None


def test_a_full_quota_refuses_one_more(cluster, admin):
    cluster.quota("persistentvolumeclaims", "src", limit=1, name="storage")
    admin.ask("POST", CLAIMS, claim("a"))

    status, answer = admin.ask("POST", CLAIMS, claim("b"))

    assert (status, answer["reason"]) == (403, "Forbidden")
    assert answer["message"] == (
        'persistentvolumeclaims "b" is forbidden: exceeded quota: storage, requested: persistentvolumeclaims=1,'
        " used: persistentvolumeclaims=1, limited: persistentvolumeclaims=1"
    )


# --- what a cluster does by itself ---


def owner_of(obj):
    keys = {"apiVersion": obj["apiVersion"], "kind": obj["kind"]}
    return keys | {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}


def test_what_has_lost_its_owner_is_collected(cluster):
    changes = Changes(cluster)
    owner = cluster.apply(manager())
    cluster.apply(configmap(ownerReferences=[owner_of(owner)]))

    cluster.delete("apimanagers", "src", "m")

    assert changes.wait("DELETED", "ConfigMap", "a")


def test_what_is_created_with_a_dead_owner_is_collected(cluster, admin):
    changes = Changes(cluster)
    dead = {"apiVersion": "v1", "kind": "Secret", "name": "x", "uid": "dead"}

    status, _ = admin.ask("POST", "/api/v1/namespaces/src/configmaps", configmap(ownerReferences=[dead]))

    assert status == 201
    assert changes.wait("DELETED", "ConfigMap", "a")


def test_what_has_one_living_owner_is_left_alone(cluster):
    owner = cluster.apply(manager())
    dead = owner_of(owner) | {"uid": "dead"}
    cluster.apply(configmap(ownerReferences=[dead, owner_of(owner)]))

    cluster.collect_garbage()

    assert cluster.get("configmaps", "src", "a")


def test_an_owner_in_another_namespace_is_none(cluster):
    owner = manager()
    owner["metadata"]["namespace"] = "other"
    cluster.gc_delay_s = float("inf")
    cluster.apply(configmap(ownerReferences=[owner_of(cluster.apply(owner))]))

    cluster.collect_garbage()

    assert cluster.get("configmaps", "src", "a") is None


def test_orphans_are_left_alone_as_long_as_the_collector_is_told_to(cluster):
    changes = Changes(cluster)
    cluster.gc_delay_s = float("inf")
    dead = {"apiVersion": "v1", "kind": "Secret", "name": "x", "uid": "dead"}
    cluster.apply(configmap(ownerReferences=[dead]))
    before = cluster.get("configmaps", "src", "a")

    cluster.gc_delay_s = 0

    assert before
    assert changes.wait("DELETED", "ConfigMap", "a")


def test_a_claim_is_bound_at_once(admin):
    admin.ask("POST", CLAIMS, claim())

    _, found = admin.ask("GET", f"{CLAIMS}/c")

    assert found["status"] == {
        "phase": "Bound",
        "accessModes": ["ReadWriteMany"],
        "capacity": {"storage": "256Mi"},
    }
    assert found["spec"]["storageClassName"] == "standard"
    assert found["spec"]["volumeName"] == f"pvc-{found['metadata']['uid']}"


def test_a_claim_of_an_unknown_class_stays_pending_and_an_event_says_why(cluster, admin):
    admin.ask("POST", CLAIMS, claim(storageClassName="fast"))

    found = cluster.get("persistentvolumeclaims", "src", "c")
    query = [("fieldSelector", f"involvedObject.uid={found['metadata']['uid']}")]
    _, events = admin.ask("GET", "/api/v1/namespaces/src/events", query=query)

    assert found["status"] == {"phase": "Pending"}
    assert [(event["reason"], event["message"]) for event in events["items"]] == [
        ("ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')
    ]


def test_a_claim_can_wait_for_the_first_pod_that_mounts_it(cluster):
    cluster.storage_classes["lazy"] = "WaitForFirstConsumer"
    cluster.apply(claim(storageClassName="lazy"))
    before = cluster.get("persistentvolumeclaims", "src", "c")

    cluster.apply(pod())

    assert before["status"]["phase"] == "Pending"
    assert cluster.get("persistentvolumeclaims", "src", "c")["status"]["phase"] == "Bound"


@pytest.mark.parametrize("spec", [{"accessModes": []}, {"resources": {}}])
def test_a_claim_without_a_mode_or_a_size_is_invalid(admin, spec):
    status, answer = admin.ask("POST", CLAIMS, claim(**spec))

    assert (status, answer["reason"]) == (422, "Invalid")


def test_a_bound_claim_can_only_grow(cluster, admin):
    cluster.apply(claim())

    grown = {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    moved = {"spec": {"volumeName": "another"}}

    assert admin.ask("PATCH", f"{CLAIMS}/c", grown, content_type=MERGE)[0] == 200
    assert admin.ask("PATCH", f"{CLAIMS}/c", moved, content_type=MERGE)[0] == 422


def test_a_claim_goes_only_when_no_pod_holds_it(cluster):
    changes = Changes(cluster)
    cluster.apply(claim())
    cluster.apply(pod())
    cluster.delete("persistentvolumeclaims", "src", "c")
    cluster.collect_garbage()
    held = cluster.get("persistentvolumeclaims", "src", "c")

    cluster.delete("pods", "src", "sidekiq")

    assert held["metadata"]["deletionTimestamp"]
    assert changes.wait("DELETED", "PersistentVolumeClaim", "c")


def test_a_finished_pod_holds_its_claim_as_long_as_it_is_there(cluster):
    changes = Changes(cluster)
    cluster.apply(claim())
    cluster.apply(pod("Succeeded"))
    cluster.delete("persistentvolumeclaims", "src", "c")
    cluster.collect_garbage()
    held = cluster.get("persistentvolumeclaims", "src", "c")

    cluster.delete("pods", "src", "sidekiq")

    assert held["metadata"]["deletionTimestamp"]
    assert changes.wait("DELETED", "PersistentVolumeClaim", "c")


def test_a_pod_that_no_node_has_holds_no_claim(cluster):
    changes = Changes(cluster)
    cluster.apply(claim())
    cluster.apply(pod("Pending"))

    cluster.delete("persistentvolumeclaims", "src", "c")

    assert changes.wait("DELETED", "PersistentVolumeClaim", "c")


# --- commands in pods ---


def test_a_command_in_a_pod_gives_its_output_and_its_end(cluster, admin):
    cluster.apply(pod())
    cluster.on_exec(lambda _pod, container, command: ExecResult(stdout=f"{container} {command}", stderr="ü"))

    out, err, end = admin.exec("bundle", "exec rake")

    assert (out, err) == ("system-sidekiq ['bundle', 'exec rake']", "ü")
    assert json.loads(end)["status"] == "Success"


@pytest.mark.parametrize("size", [124, 125, 126, 70_000])
def test_output_of_any_size_comes_whole(cluster, admin, size):
    cluster.apply(pod())
    cluster.on_exec(lambda *_: ExecResult(stdout="x" * size))

    assert len(admin.exec("cat")[0]) == size


def test_a_command_that_fails_says_so_at_its_end(cluster, admin):
    cluster.apply(pod())
    cluster.on_exec(lambda *_: ExecResult(3))

    end = json.loads(admin.exec("false")[2])

    assert end["status"] == "Failure"
    assert end["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


def test_a_command_that_nobody_has_taught_a_pod_is_not_found(cluster, admin):
    cluster.apply(pod())

    end = json.loads(admin.exec("bundle")[2])

    assert end["reason"] == "InternalError"
    assert 'exec: "bundle": executable file not found in $PATH' in end["message"]


def test_a_dropped_command_never_tells_its_end(cluster, admin):
    cluster.apply(pod())
    cluster.on_exec(lambda *_: ExecResult(stdout="half", dropped=True))

    with pytest.raises((WebSocketException, OSError)):
        admin.exec("cat")


@pytest.mark.parametrize(
    ("there", "container", "said"),
    [
        (None, "system-sidekiq", "404"),
        (pod(), "other", "400"),
        (pod("Pending"), "system-sidekiq", "400"),
        (pod(spec={"containers": [{"name": "a"}, {"name": "b"}]}), "", "400"),
    ],
)
def test_a_command_needs_a_pod_on_a_node_and_one_of_its_containers(cluster, admin, there, container, said):
    if there:
        cluster.apply(there)

    with pytest.raises(ApiException, match=said):
        admin.exec("true", container=container)


def test_a_command_in_a_container_that_does_not_run_has_no_exit_code(cluster, admin):
    cluster.apply(pod("Failed"))

    end = json.loads(admin.exec("true")[2])

    assert (end["reason"], "causes" in end["details"]) == ("InternalError", True)
    assert 'container not found ("system-sidekiq")' in end["message"]


def test_a_command_goes_into_the_only_container_when_none_is_named(cluster, admin):
    cluster.apply(pod())
    cluster.on_exec(lambda _pod, container, _command: ExecResult(stdout=container))

    assert admin.exec("true", container="")[0] == "system-sidekiq"


@pytest.mark.parametrize("verbs", [[], ["get"], ["create"]])
def test_an_account_needs_both_verbs_to_run_a_command(cluster, clients, verbs):
    cluster.apply(pod())
    allow(cluster, ([""], ["pods/exec"], verbs), ([""], ["pods"], ["get", "create"]))

    with pytest.raises(ApiException, match="403"):
        clients("backup").exec("true")


def test_an_account_with_both_verbs_runs_a_command(cluster, clients):
    cluster.apply(pod())
    allow(cluster, ([""], ["pods/exec"], ["get", "create"]))

    clients("backup").exec("true")

    assert (cluster.requests[-1].verb, cluster.requests[-1].target) == ("get", "pods/exec")


def test_a_command_can_be_refused_by_its_subresource(cluster, admin):
    cluster.apply(pod())
    cluster.refuse_next("get", "pods/exec", status=503)

    with pytest.raises(ApiException, match="503"):
        admin.exec("true")


# --- its end ---


def test_a_stopped_cluster_leaves_no_thread_behind(tmp_path):
    before = threading.active_count()

    with Cluster() as cluster:
        client = Client(cluster.kubeconfig(tmp_path / "kubeconfig", namespace="src"))
        client.ask("GET", SECRETS)
    client.close()

    assert threading.active_count() == before


def test_the_objects_outlive_the_cluster():
    with Cluster() as cluster:
        cluster.apply(secret())

    assert cluster.get("secrets", "src", "a")
