import gzip
import json
import shutil
import ssl
import subprocess
import threading
import time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from steps import errors
from steps.kubernetes import cluster, exchange
from steps.kubernetes.claims import quantity
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import (
    APIMANAGER,
    APIMANAGER_BACKUP,
    CLAIM,
    CONFIGMAP,
    DEPLOYMENT_CONFIG,
    POD,
    ROUTE,
    SECRET,
    WORKFLOW,
    Kind,
)
from steps.process import interruption
from workflows.rehearsal.kubernetes import pod_exec
from workflows.rehearsal.kubernetes.cluster import Cluster as Kubernetes
from workflows.rehearsal.kubernetes.cluster import ExecResult

SECRET_OBJECT = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "new"}, "data": {"KEY": "dg=="}}
SIDEKIQ = "sidekiq"


def secret(stage, name="zync", **more):
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": stage.namespace}, **more}
    return stage.kubernetes.apply(obj)


def test_what_is_created_is_read_back(empty):
    door = empty.connect()

    created = door.create(SECRET, SECRET_OBJECT)

    assert door.get(SECRET, "new") == created
    assert created["data"] == SECRET_OBJECT["data"]
    assert created["metadata"]["uid"]


def test_what_is_not_there_reads_as_none(empty):
    assert empty.connect().get(SECRET, "zync") is None


def test_an_object_is_read_raw(empty):
    spec = {"fromTheFuture": [1.5, None, {"x": "größe ☃"}]}
    metadata = {"name": "example", "namespace": empty.namespace}
    empty.kubernetes.apply(
        {"apiVersion": APIMANAGER.api_version, "kind": "APIManager", "metadata": metadata, "spec": spec}
    )

    assert empty.connect().get(APIMANAGER, "example")["spec"] == spec


def test_listed_objects_say_what_they_are(empty):
    secret(empty)

    (found,) = empty.connect().list(SECRET)

    assert (found["apiVersion"], found["kind"]) == ("v1", "Secret")


def test_a_selector_chooses(empty):
    secret(empty, "one")
    empty.kubernetes.patch("secrets", empty.namespace, "one", {"metadata": {"labels": {"component": "zync"}}})
    secret(empty, "two")
    door = empty.connect()

    assert [obj["metadata"]["name"] for obj in door.list(SECRET, "component=zync")] == ["one"]
    assert [obj["metadata"]["name"] for obj in door.list(SECRET, fields="metadata.name=two")] == ["two"]


class TestPages:
    """Lists that are read page by page, whole objects or their metadata alone."""

    @pytest.fixture(params=["each", "heads"])
    def read(self, request, monkeypatch):
        monkeypatch.setattr(cluster, "_PAGE", 2)
        return lambda door, kind=SECRET, selector="": getattr(door, request.param)(kind, selector)

    @pytest.fixture
    def five(self, empty):
        for number in range(5):
            secret(empty, f"s-{number}", data={"k": "YQ=="})
        empty.kubernetes.patch("secrets", empty.namespace, "s-3", {"metadata": {"labels": {"done": "true"}}})
        return empty

    def test_all_are_read_a_few_at_once(self, five, read):
        five.kubernetes.clear_requests()

        assert [obj["metadata"]["name"] for obj in read(five.connect())] == [f"s-{number}" for number in range(5)]
        assert len(five.kubernetes.requests) == 3

    def test_a_selector_chooses_those_without_the_label_too(self, five, read):
        found = [obj["metadata"]["name"] for obj in read(five.connect(), SECRET, "done!=true")]

        assert found == ["s-0", "s-1", "s-2", "s-4"]

    def test_metadata_alone_holds_no_data(self, five):
        assert all("data" not in obj for obj in five.connect().heads(SECRET))
        assert all(obj["data"] and obj["kind"] == "Secret" for obj in five.connect().each(SECRET))

    def test_all_pages_show_the_moment_of_the_first(self, five, read):
        found = read(five.connect())
        first = next(found)
        five.kubernetes.delete("secrets", five.namespace, "s-4")
        secret(five, "s-9")

        assert [obj["metadata"]["name"] for obj in (first, *found)] == [f"s-{number}" for number in range(5)]

    def test_a_list_whose_moment_the_server_has_forgotten_is_no_answer(self, five, read):
        found = read(five.connect())
        next(found)
        five.kubernetes.compact()

        with pytest.raises(errors.NoAnswer, match=r"list secrets.*410 Expired"):
            list(found)

    def test_a_right_that_is_missing_is_named(self, five, read):
        with pytest.raises(errors.NotAllowed, match="not allowed to list secrets"):
            list(read(five.connect("threescale-backup")))

    def test_a_kind_that_the_cluster_does_not_know_can_not_be_listed(self, empty, read):
        empty.kubernetes.without("apps.openshift.io")

        with pytest.raises(errors.UnknownResource, match="the cluster knows no deploymentconfigs"):
            list(read(empty.connect(), DEPLOYMENT_CONFIG))


def test_a_patch_is_merged(empty):
    secret(empty, data={"a": "MQ==", "b": "Mg=="})

    empty.connect().patch(SECRET, "zync", {"data": {"b": None, "c": "Mw=="}})

    assert empty.get("secrets", "zync")["data"] == {"a": "MQ==", "c": "Mw=="}


def test_a_patch_of_nothing_is_refused(empty):
    with pytest.raises(errors.Rejected, match="HTTP 404"):
        empty.connect().patch(SECRET, "zync", {"data": {}})


def test_a_kind_that_the_cluster_does_not_know_can_not_be_listed(empty):
    empty.kubernetes.without("apps.openshift.io")

    with pytest.raises(errors.UnknownResource, match="the cluster knows no deploymentconfigs"):
        empty.connect().list(DEPLOYMENT_CONFIG)


def test_an_object_of_a_kind_that_the_cluster_does_not_know_is_not_there(empty):
    empty.kubernetes.without("route.openshift.io")

    assert empty.connect().get(ROUTE, "backend") is None


def test_one_kind_of_a_group_may_be_unknown(empty):
    empty.kubernetes.without("apimanagerbackups.apps.3scale.net")
    door = empty.connect()

    assert door.get(APIMANAGER_BACKUP, "any") is None
    assert door.list(APIMANAGER) == []
    with pytest.raises(errors.UnknownResource, match="the cluster knows no apimanagerbackups"):
        door.list(APIMANAGER_BACKUP)


def test_a_missing_right_names_what_was_asked_and_what_to_apply(empty):
    secret(empty, "private")

    with pytest.raises(
        errors.NotAllowed, match=r"not allowed to get secrets 'private' in namespace threescale"
    ) as error:
        empty.connect("threescale-backup").get(SECRET, "private")

    assert "threescale-backup manifests" in str(error.value)
    assert error.value.exit_code == 1


def test_what_admission_refuses_is_no_missing_right(empty):
    message = 'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi'
    empty.kubernetes.refuse_next("create", "persistentvolumeclaims", status=403, message=message)

    with pytest.raises(errors.Rejected, match="maximum storage usage per PersistentVolumeClaim is 1Gi"):
        empty.connect().create(CLAIM, {"metadata": {"name": "c"}})


def test_who_is_not_known_any_more_is_told_from_who_may_not(empty):
    door = empty.connect()
    host = empty.kubernetes.url.removeprefix("http://")
    empty.kubernetes.refuse_next("get", "secrets", status=401, times=2)

    with pytest.raises(errors.NotKnown, match=f"does not know who asks .HTTP 401; server {host}") as error:
        door.get(SECRET, "zync")

    assert error.value.exit_code == 75


def test_a_token_that_was_renewed_is_read_again_once(empty, tmp_path):
    kubeconfig = empty.kubernetes.kubeconfig(
        tmp_path / "kubeconfig", namespace=empty.namespace, service_account="threescale-backup"
    )
    told = json.loads(kubeconfig.read_text())
    token = told["users"][0]["user"].pop("token")
    told["users"][0]["user"]["tokenFile"] = str(tmp_path / "token")
    kubeconfig.write_text(json.dumps(told))
    (tmp_path / "token").write_text("expired")
    door = Cluster.connect(empty.namespace, 5.0, str(kubeconfig))
    with pytest.raises(errors.NotKnown):
        door.get(SECRET, "zync")
    (tmp_path / "token").write_text(token)
    empty.kubernetes.clear_requests()

    assert door.get(SECRET, "zync") is None
    assert [each.status for each in empty.kubernetes.requests] == [401, 404]


def test_a_quota_is_told_apart_from_a_missing_right(empty):
    empty.kubernetes.quota("secrets", empty.namespace, limit=0, name="small")

    with pytest.raises(errors.QuotaExceeded, match=r"exceeded quota: small.*; server 127\.0\.0\.1:"):
        empty.connect().create(SECRET, SECRET_OBJECT)


def test_a_name_that_is_taken_is_for_the_next_try_to_judge(empty):
    secret(empty, "new")

    with pytest.raises(errors.AlreadyExists, match=r"secrets 'new'.*server 127\.0\.0\.1:") as error:
        empty.connect().create(SECRET, SECRET_OBJECT)

    assert error.value.exit_code == 75


@pytest.mark.parametrize(
    ("verb", "act"),
    [
        ("get", lambda door: door.get(SECRET, "zync")),
        ("list", lambda door: door.list(SECRET)),
        ("create", lambda door: door.create(SECRET, SECRET_OBJECT)),
        ("patch", lambda door: door.patch(SECRET, "zync", {})),
    ],
    ids=["get", "list", "create", "patch"],
)
def test_an_answer_that_may_be_another_one_later_is_tried_again(empty, verb, act):
    secret(empty)
    door = empty.connect()
    for status in (408, 409, 425, 429, 500, 502, 503, 504):
        empty.kubernetes.refuse_next(verb, "secrets", status=status)

        with pytest.raises(errors.NoAnswer, match=f"HTTP {status}") as error:
            act(door)

        assert error.value.exit_code == 75


def test_a_request_that_will_never_do_is_final(empty):
    door = empty.connect()
    for status in (400, 405, 422):
        empty.kubernetes.refuse_next("get", "pods", status=status, message="no such thing")

        with pytest.raises(errors.Rejected, match=f"HTTP {status}: no such thing") as error:
            door.get(POD, "any")

        assert error.value.exit_code == 1


def test_a_rejected_secret_is_never_quoted(empty):
    message = 'Secret in version "v1" cannot be handled: illegal base64 data: canary'
    empty.kubernetes.refuse_next("create", "secrets", status=422, message=message)

    with pytest.raises(errors.Rejected, match=r"HTTP 422: Invalid") as error:
        empty.connect().create(SECRET, SECRET_OBJECT)

    assert "canary" not in str(error.value)


RIGHTS = 'User "system:serviceaccount:x:y" cannot create resource "secrets" in API group "" in the namespace "x"'


@pytest.mark.parametrize("status", [400, 403, 409, 422, 500])
@pytest.mark.parametrize(
    ("message", "refuser"),
    [
        ('admission webhook "no.example.com" denied the request: canary', "no.example.com"),
        (f'admission webhook "no.example.com" denied the request: {RIGHTS} canary', "no.example.com"),
        ('admission webhook "a.b" denied the request: secrets "new" is forbidden: exceeded quota: canary', "a.b"),
        ('Internal error occurred: failed calling webhook "slow.b": canary', "slow.b"),
        (
            "secrets \"new\" is forbidden: ValidatingAdmissionPolicy 'p.b' with binding 'c' denied request: canary",
            "p.b",
        ),
        ("secrets \"new\" is forbidden: ValidatingAdmissionPolicy 'p.b' denied request: canary", "p.b"),
        ("policy 'p.b' with binding 'c' denied request: canary", "admission policy 'p.b'"),
        ('policy "p.b" denied request: canary', "admission policy 'p.b'"),
        ('secrets "new" is forbidden: admission webhook "a.b" denied the request: canary', "a.b"),
        ('Internal error occurred: admission webhook "a.b" denied the request: canary', "a.b"),
        ('admission webhook "a.b" does not support dry run', "a.b"),
        ('Internal error occurred: admission webhook "a.b" attempted to modify the object, canary', "a.b"),
        ("canary policy 'p.b' with binding 'c' denied request: no", ""),
        ('secrets "new" is forbidden: exceeded quota: canary', ""),
        (f"secrets is forbidden: {RIGHTS}: canary", ""),
        (f"canary: {RIGHTS}", ""),
        ('admission webhook "a canary" denied the request: no', ""),
        ('secrets "new" already exists\ncanary', ""),
    ],
)
def test_what_may_hold_a_secrets_data_is_withheld_and_who_refused_is_said(empty, status, message, refuser):
    empty.kubernetes.refuse_next("create", "secrets", status=status, message=message, reason="canary")

    with pytest.raises(errors.PhaseError) as error:
        empty.connect().create(SECRET, SECRET_OBJECT)

    assert "canary" not in str(error.value)
    assert refuser in str(error.value)
    assert not isinstance(error.value, errors.NotAllowed | errors.QuotaExceeded)


def test_a_withheld_message_is_said_to_be_withheld(empty):
    empty.kubernetes.refuse_next("create", "secrets", status=403, message='admission webhook "a.b" denied the request')

    with pytest.raises(errors.Rejected, match="message is withheld, because it may hold a Secret's data"):
        empty.connect().create(SECRET, SECRET_OBJECT)


def test_a_dropped_connection_is_tried_again(empty):
    empty.kubernetes.drop_next("get", "secrets")

    with pytest.raises(errors.NoAnswer) as error:
        empty.connect().get(SECRET, "zync")

    assert error.value.__cause__ is not None


def test_a_create_whose_answer_is_lost_was_done(empty):
    empty.kubernetes.lose_answer_of_next("create", "secrets")

    with pytest.raises(errors.NoAnswer):
        empty.connect().create(SECRET, SECRET_OBJECT)

    assert empty.get("secrets", "new") is not None


def test_nothing_is_retried_in_here(empty):
    empty.kubernetes.drop_next("get", "secrets")
    empty.kubernetes.clear_requests()

    with pytest.raises(errors.NoAnswer):
        empty.connect().get(SECRET, "zync")

    assert len(empty.kubernetes.requests) == 1


def test_a_server_that_is_gone_is_tried_again(tmp_path, monkeypatch):
    with Kubernetes() as kubernetes:
        kubeconfig = kubernetes.kubeconfig(tmp_path / "kubeconfig", namespace="threescale")
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        door = Cluster.connect("threescale", 5.0)

    with pytest.raises(errors.NoAnswer):
        door.get(SECRET, "zync")


class Proxy(BaseHTTPRequestHandler):
    """A server between that says in its own words that it has no answer; `status` and `text` are those words.

    `texts` are other words for some paths, `drip_s` the time before each byte, `more` headers that it adds.
    """

    status, text, delay_s, drip_s, texts, more = 200, b"", 0.0, 0.0, {}, {}

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.set()
        self.server.release.wait(self.delay_s)
        status, text = self.texts.get(self.path, (self.status, self.text))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **self.more}.items():
            self.send_header(name, value)
        self.end_headers()
        for sign in text if self.drip_s else b"":
            if self.server.release.wait(self.drip_s):
                return
            self.wfile.write(bytes([sign]))
            self.wfile.flush()
        if not self.drip_s:
            self.wfile.write(text)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  the names that the base class calls

    def log_message(self, *_):
        pass


@pytest.fixture
def through(tmp_path, monkeypatch):
    """Connect to a server that answers as told."""
    servers = []

    def connect(timeout_s=5.0, tls=(), **answer):
        server = HTTPServer(("127.0.0.1", 0), type("Told", (Proxy,), answer))
        server.handle_error = lambda *_: None  # the client may be gone
        server.asked, server.release = threading.Event(), threading.Event()
        servers.append(server)
        place = {"server": f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"}
        if tls:
            own, trusted = tls
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(own)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            place |= {"certificate-authority": str(trusted)} if trusted else {"insecure-skip-tls-verify": True}
        cluster = {"name": "c", "cluster": place}
        context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
        users = [{"name": "u", "user": {"token": "t"}}]
        config = {"clusters": [cluster], "contexts": [context], "users": users, "current-context": "x"}
        (tmp_path / "kubeconfig").write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config}))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        return Cluster.connect("threescale", timeout_s)

    connect.servers = servers
    yield connect
    for server in servers:
        server.release.set()
        server.shutdown()
        server.server_close()


PAGE = b"<html>a proxy's page</html>"


@pytest.mark.parametrize("text", [PAGE, b"", b'{"kind": "Status", "status": "Success"}', b'{"message": "no"}'])
@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 405, 409, 413, 422, 500, 501, 503, 511, 520, 527])
def test_an_answer_that_is_not_in_the_servers_own_words_is_none(through, status, text):
    door = through(status=status, text=text)

    with pytest.raises(errors.NoAnswer, match=rf"HTTP {status}.*; server 127\.0\.0\.1:") as error:
        door.patch(CONFIGMAP, "new", {})

    assert error.value.exit_code == 75
    assert not isinstance(error.value, errors.Conflict)


@pytest.mark.parametrize("status", [501, 511, 520])
def test_a_refusal_in_the_servers_own_words_is_final_whatever_its_status(through, status):
    said = {"kind": "Status", "status": "Failure", "code": status, "message": "never"}

    with pytest.raises(errors.Rejected, match=f"HTTP {status}: never"):
        through(status=status, text=json.dumps(said).encode()).get(CONFIGMAP, "new")


def test_an_answer_that_is_packed_is_not_unpacked(through):
    packed = gzip.compress(json.dumps(CONFIGMAP_OBJECT).encode())

    with pytest.raises(errors.NoAnswer, match="a compressed answer"):
        through(text=packed, more={"Content-Encoding": "gzip"}).get(CONFIGMAP, "new")


@pytest.mark.parametrize("more", [{}, {"Content-Length": str(10**15)}])
def test_an_answer_is_read_up_to_a_size(through, monkeypatch, more):
    monkeypatch.setattr(exchange, "_LARGEST", 99)

    with pytest.raises(errors.NoAnswer, match="an answer of more than"):
        through(text=json.dumps(CONFIGMAP_OBJECT).encode(), more=more).get(CONFIGMAP, "new")


def test_after_an_answer_that_was_not_read_to_its_end_the_next_one_is_its_own(through, monkeypatch):
    door = through(text=json.dumps(CONFIGMAP_OBJECT).encode())
    with monkeypatch.context() as limited:
        limited.setattr(exchange, "_LARGEST", 99)
        with pytest.raises(errors.NoAnswer):
            door.get(CONFIGMAP, "new")

    assert door.get(CONFIGMAP, "new") == CONFIGMAP_OBJECT


META = {"name": "new", "uid": "uid", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
CONFIGMAP_OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": {"key": "v" * 99}}
VERBS = {
    "get": lambda door: door.get(SECRET, "new"),
    "list": lambda door: door.list(SECRET),
    "create": lambda door: door.create(SECRET, SECRET_OBJECT),
    "patch": lambda door: door.patch(SECRET, "new", {}),
    "replace": lambda door: door.replace(SECRET, SECRET_OBJECT),
    "delete": lambda door: door.delete(SECRET, "new", "uid"),
}
WHOLE_SECRET = {**SECRET_OBJECT, "metadata": META}


def without(*fields, **others):
    """The Secret without some of what the server gives each object, or with something else there."""
    kept = {key: value for key, value in META.items() if key not in fields}
    return {**SECRET_OBJECT, "metadata": {**kept, **others}}


OF_ANOTHER_NAME = without(name="other")
LIST = {"apiVersion": "v1", "kind": "SecretList", "metadata": {}}


def test_what_is_whole_is_an_answer(through):
    door = through(text=json.dumps(WHOLE_SECRET).encode())

    assert door.get(SECRET, "new") == WHOLE_SECRET
    assert through(text=json.dumps({**LIST, "items": [WHOLE_SECRET]}).encode()).list(SECRET) == [WHOLE_SECRET]


def test_only_what_is_created_by_a_dry_run_has_no_version(through):
    door = through(text=json.dumps(without("resourceVersion")).encode())

    assert door.create(SECRET, SECRET_OBJECT, dry_run=True) == without("resourceVersion")
    with pytest.raises(errors.NoAnswer):
        door.create(SECRET, SECRET_OBJECT)
    with pytest.raises(errors.NoAnswer):
        door.replace(SECRET, SECRET_OBJECT, dry_run=True)


@pytest.mark.parametrize("kind", [CLAIM, POD, APIMANAGER, ROUTE, WORKFLOW])
def test_an_object_without_its_spec_is_none(through, kind):
    bare = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": META}
    door = through(text=json.dumps(bare).encode())
    many = through(text=json.dumps({"kind": f"{kind.name}List", "metadata": {}, "items": [bare]}).encode())

    with pytest.raises(errors.NoAnswer):
        door.get(kind, "new")
    with pytest.raises(errors.NoAnswer):
        many.list(kind)


@pytest.mark.parametrize("act", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        PAGE,
        json.dumps(WHOLE_SECRET).encode()[:-1],
        b"[" * 100_000,
        json.dumps(OF_ANOTHER_NAME).encode(),
        json.dumps({**WHOLE_SECRET, "kind": "ConfigMap"}).encode(),
        json.dumps({**WHOLE_SECRET, "data": []}).encode(),
        json.dumps(without(namespace="elsewhere")).encode(),
        *(json.dumps(without(field)).encode() for field in ("uid", "resourceVersion", "creationTimestamp")),
        *(json.dumps(without(uid=value)).encode() for value in (7, "", None)),
        *(json.dumps({**LIST, "items": [item]}).encode() for item in (without("uid"), without(resourceVersion=7))),
        json.dumps(LIST).encode(),
        json.dumps({**LIST, "items": None}).encode(),
        json.dumps({**LIST, "items": [{}]}).encode(),
        json.dumps({**LIST, "items": [], "metadata": {"continue": "more"}}).encode(),
        json.dumps({**LIST, "items": [], "metadata": "none"}).encode(),
        json.dumps({"kind": "Status", "status": "Failure"}).encode(),
    ],
)
def test_a_success_without_what_was_asked_for_is_none(through, act, text):
    door = through(text=text)

    with pytest.raises(errors.NoAnswer) as error:
        act(door)

    assert error.value.exit_code == 75


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "Status", "status": "Success"},
        {"kind": "Status", "status": "Success", "details": {"name": "new", "kind": "secrets", "uid": "uid"}},
        without(deletionTimestamp="2026-01-01T00:00:00Z"),
        WHOLE_SECRET,  # as a server answers that has deleted at once, for claims and pods
    ],
)
def test_a_delete_is_done_when_a_status_or_the_object_says_so(through, answer):
    assert through(text=json.dumps(answer).encode()).delete(SECRET, "new", "uid") is True


@pytest.mark.parametrize(
    "answer",
    [
        without(uid="another"),
        without(uid="another", deletionTimestamp="2026-01-01T00:00:00Z"),
        {"kind": "Status", "status": "Success", "details": {"name": "new", "uid": "another"}},
    ],
)
def test_the_deletion_of_another_object_of_the_name_is_no_answer(through, answer):
    with pytest.raises(errors.NoAnswer):
        through(text=json.dumps(answer).encode()).delete(SECRET, "new", "uid")


def not_found(**details):
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
    return json.dumps({**status, "details": details} if details else status).encode()


AUTHORIZATION = {"name": "authorization.k8s.io", "versions": [{"groupVersion": "authorization.k8s.io/v1"}]}
GROUPS = {"kind": "APIGroupList", "apiVersion": "v1", "groups": [AUTHORIZATION]}
WITH_ROUTES = {
    **GROUPS,
    "groups": [AUTHORIZATION, {"name": ROUTE.group, "versions": [{"groupVersion": ROUTE.api_version}]}],
}
OTHERS = [{"groupVersion": "other/v1"}]
RESOURCES = {"kind": "APIResourceList", "groupVersion": ROUTE.api_version, "resources": [{"name": ROUTE.resource}]}


def discovery(groups=GROUPS, resources=RESOURCES):
    """What the server says it has; None: not even that."""
    said = {"/apis": groups, f"/{ROUTE.api}": resources}
    return {path: (200, json.dumps(text).encode()) for path, text in said.items()}


@pytest.mark.parametrize(
    "text", [not_found(name="backend"), not_found(name="backend", kind="routes", group=ROUTE.group)]
)
def test_a_status_says_that_there_is_no_such_object(through, text):
    assert through(status=404, text=text).get(ROUTE, "backend") is None


@pytest.mark.parametrize(
    "text",
    [
        b"404 page not found",
        PAGE,
        not_found(name="threescale", kind="namespaces"),
        not_found(name="other", kind="routes"),
        not_found(name=["backend"], kind={}),
        not_found(),
        not_found(kind="routes", group=ROUTE.group),
        b'{"reason": "NotFound"}',
        b'{"kind": "Status", "status": "Failure", "reason": ""}',
    ],
)
def test_a_404_of_anything_else_is_no_absence_while_the_kind_is_there(through, text):
    door = through(status=404, text=text, texts=discovery(WITH_ROUTES))

    for act in (lambda: door.get(ROUTE, "backend"), lambda: door.list(ROUTE), lambda: door.delete(ROUTE, "x", "u")):
        with pytest.raises(errors.NoAnswer):
            act()


STORED = {"name": "x", "uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-11-01T02:00:00Z"}
HEAD = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": STORED}
HEADS = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": [HEAD]}


def test_metadata_alone_is_believed_in_the_form_of_the_server(through):
    assert [obj["metadata"] for obj in through(text=json.dumps(HEADS).encode()).heads(SECRET)] == [STORED]


@pytest.mark.parametrize(
    "answer",
    [
        {**HEADS, "kind": "SecretList"},  # a proxy that does not pass on what was asked for
        {**HEADS, "items": None},
        {**HEADS, "items": [{**HEAD, "kind": "Secret"}]},
        {**HEADS, "items": [{**HEAD, "metadata": {"name": "x"}}]},
        {**HEADS, "items": [{**HEAD, "metadata": {**STORED, "namespace": "another"}}]},
        {**HEADS, "items": ["x"]},
        {**HEADS, "metadata": ["x"]},
        {**HEADS, "metadata": {"continue": "for ever"}},
        {**HEADS, "metadata": {"continue": 7}},
        {**HEADS, "items": [{**HEAD, "metadata": {**STORED, "labels": {"a": 1}}}]},
        {**HEADS, "items": [{**HEAD, "metadata": {**STORED, "ownerReferences": "zz"}}]},
        {**HEADS, "items": [{**HEAD, "metadata": {**STORED, "ownerReferences": ["zz"]}}]},
    ],
)
def test_a_page_that_is_none_is_no_answer(through, answer):
    with pytest.raises(errors.NoAnswer, match="list secrets"):
        list(through(text=json.dumps(answer).encode()).heads(SECRET))


@pytest.mark.parametrize(
    ("groups", "resources"),
    [
        (GROUPS, None),
        ({**GROUPS, "groups": [AUTHORIZATION, {"name": "other", "versions": []}]}, None),
        ({**GROUPS, "groups": [AUTHORIZATION, {"name": ROUTE.group, "versions": OTHERS}]}, None),
        (WITH_ROUTES, {**RESOURCES, "resources": [{"name": "others"}]}),
    ],
)
def test_a_kind_is_not_there_when_the_servers_own_lists_lack_it(through, groups, resources):
    door = through(status=404, text=b"404 page not found", texts=discovery(groups, resources))

    assert door.get(ROUTE, "backend") is None
    with pytest.raises(errors.UnknownResource, match="the cluster knows no routes"):
        door.list(ROUTE)


@pytest.mark.parametrize("resources", [[], [{"name": "pods"}]])
def test_a_core_without_a_kind_of_every_core_is_no_answer(through, resources):
    said = {"kind": "APIResourceList", "groupVersion": "v1", "resources": resources}
    door = through(status=404, text=b"404 page not found", texts={"/api/v1": (200, json.dumps(said).encode())})

    with pytest.raises(errors.NoAnswer, match="to discover secrets"):
        door.get(SECRET, "system-seed")


@pytest.mark.parametrize(
    ("groups", "resources"),
    [
        (None, None),
        ({}, None),
        ({**GROUPS, "groups": []}, None),
        ({**GROUPS, "groups": None}, None),
        ({**GROUPS, "groups": [None]}, None),
        ({**GROUPS, "groups": [{}]}, None),
        ({**GROUPS, "kind": "Status"}, None),
        ({**GROUPS, "groups": [AUTHORIZATION, {"name": ROUTE.group}]}, None),
        ({**GROUPS, "groups": [AUTHORIZATION, {"name": ROUTE.group, "versions": []}]}, None),
        ({**GROUPS, "groups": [AUTHORIZATION, {"name": ROUTE.group, "versions": [{}]}]}, None),
        (WITH_ROUTES, None),
        (WITH_ROUTES, {**RESOURCES, "resources": {}}),
        (WITH_ROUTES, {"kind": "APIResourceList", "groupVersion": "other/v1", "resources": []}),
        (WITH_ROUTES, {"kind": "APIResourceList", "resources": []}),
        ({**GROUPS, "groups": [*WITH_ROUTES["groups"], {"name": ROUTE.group, "versions": OTHERS}]}, None),
    ],
)
def test_lists_that_are_none_say_of_no_kind_that_it_is_not_there(through, groups, resources):
    door = through(status=404, text=b"404 page not found", texts=discovery(groups, resources))

    with pytest.raises(errors.NoAnswer, match="to discover routes"):
        door.get(ROUTE, "backend")
    with pytest.raises(errors.NoAnswer, match="to discover routes"):
        door.list(ROUTE)


def test_a_server_that_does_not_answer_in_time_is_tried_again(through):
    door = through(timeout_s=0.05, delay_s=10.0)

    with pytest.raises(errors.NoAnswer, match="Timeout"):
        door.get(SECRET, "zync")


def test_an_answer_that_drips_is_not_waited_for_longer_than_one_that_does_not_come(through):
    door = through(timeout_s=0.3, drip_s=0.1, text=json.dumps(WHOLE_SECRET).encode())
    began = time.monotonic()

    with pytest.raises(errors.NoAnswer):
        door.get(SECRET, "new")

    assert time.monotonic() - began < 1.0


def test_without_a_kubeconfig_and_outside_a_pod_there_is_no_connection(monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(errors.NoConnection, match="set KUBECONFIG"):
        Cluster.connect("threescale", 1.0)


@pytest.mark.parametrize("content", [b"not: [a-token", b"\xff\x00", b"a-token", b"[]", b"users: a-token", b""])
def test_what_is_no_kubeconfig_is_one_sentence_that_names_it_and_nothing_of_it(tmp_path, content):
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)

    with pytest.raises(errors.NoConnection) as raised:
        Cluster.connect("threescale", 1.0, str(path))

    assert "a-token" not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value) or "Invalid kube-config file" in str(raised.value)


def test_a_kubeconfig_that_can_not_be_read_is_one_sentence(tmp_path):
    with pytest.raises(errors.NoConnection, match=r"kubeconfig .* can't be read \(Is a directory\)"):
        Cluster.connect("threescale", 1.0, str(tmp_path))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Two servers' certificates of this address, each with its key, neither signed by the other."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make certificates")
    folder = tmp_path_factory.mktemp("certificates")
    paths = [folder / name for name in ("one", "another")]
    for path in paths:
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=own"]
        words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{path}.key", "-out", f"{path}.crt"]
        subprocess.run(words, check=True, capture_output=True)  # noqa: S603  our own
        path.write_text(path.with_suffix(".key").read_text() + path.with_suffix(".crt").read_text())
    return paths


def ended_with(message):
    """The last words of a command that failed, with an exit code that is anything."""
    return b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": %s}]}}' % message.encode()


class TestExec:
    @pytest.fixture
    def pod(self, empty):
        """A pod that runs, and what a command in it does."""
        empty.kubernetes.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": SIDEKIQ, "namespace": empty.namespace},
                "spec": {"containers": [{"name": "main"}, {"name": "sidecar"}]},
                "status": {"phase": "Running"},
            }
        )
        self.asked = []

        def does(**result):
            def run(_pod, container, command):
                self.asked.append((container, command))
                return ExecResult(**result)

            empty.kubernetes.on_exec(run)
            return empty

        return does

    @staticmethod
    def run(stage, timeout_s=5.0, account=None):
        return stage.connect(account).exec(SIDEKIQ, "main", ["rake", "zync:resync:domains"], timeout_s)

    def test_a_command_that_succeeds_ends_with_0(self, pod):
        assert self.run(pod(stdout="much\n" * 9000, stderr="and more\n")) == 0
        assert self.asked == [("main", ["rake", "zync:resync:domains"])]

    def test_a_command_that_fails_ends_with_its_exit_code(self, pod):
        assert self.run(pod(exit_code=3, stdout="all is well\n")) == 3

    def test_its_output_goes_nowhere(self, pod, capfd, caplog):
        caplog.set_level(0)

        self.run(pod(exit_code=1, stdout="canary-out\n", stderr="canary-err\n"))

        assert "canary" not in "".join(capfd.readouterr()) + caplog.text

    def test_a_dropped_connection_is_no_success(self, pod):
        with pytest.raises(errors.ResyncUnknown, match=SIDEKIQ) as error:
            self.run(pod(stdout="half", dropped=True))

        assert error.value.exit_code == 75

    def test_a_command_that_takes_too_long_is_no_success(self, pod):
        stage = pod(delay_s=60.0)

        with pytest.raises(errors.ResyncUnknown, match="it still runs"):
            self.run(stage, timeout_s=0.01)

    def test_a_sigterm_ends_the_wait(self, pod):
        stage = pod(delay_s=60.0)
        interruption._asked.set()
        try:
            with pytest.raises(errors.Interrupted):
                self.run(stage)
        finally:
            interruption._asked.clear()

    def test_a_missing_right_is_final(self, pod):
        with pytest.raises(errors.NotAllowed, match="exec into pods"):
            self.run(pod(), account="threescale-backup")

    def test_the_restore_has_the_right(self, pod):
        assert self.run(pod(), account="threescale-restore") == 0

    @pytest.mark.parametrize("name", [SIDEKIQ, "sidekiq-403"])
    def test_a_pod_that_is_gone_is_tried_again(self, empty, name):
        with pytest.raises(errors.ResyncUnknown, match="no connection"):
            empty.connect("threescale-restore").exec(name, "main", ["true"], 5.0)

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (b'{"status": "Failure", "message": "no runtime"}', "the container runtime failed"),
            (b'{"half', "JSONDecodeError"),
            (b"", "the connection was dropped"),
            (b"[" * 99_999, "RecursionError"),
            (b"\xff", "UnicodeDecodeError"),
            (b'["Success"]', "words of another form"),
            (b'{"status": ["Success"]}', "the container runtime failed"),
            (b'{"status": "Failure", "details": "none"}', "the container runtime failed"),
            (b'{"status": "Failure", "details": {"causes": "none"}}', "the container runtime failed"),
            (b'{"status": "Failure", "details": {"causes": [null, 7]}}', "the container runtime failed"),
            (ended_with('"many"'), "the container runtime failed"),
            (ended_with("3"), "the container runtime failed"),
            (ended_with('"0"'), "the container runtime failed"),
            (ended_with('"-1"'), "the container runtime failed"),
            (ended_with('"3"').replace(b"Failure", b"Other"), "the container runtime failed"),
            (b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode"}]}}', "the container runtime failed"),
        ],
    )
    def test_an_end_without_an_exit_code_is_no_success(self, pod, monkeypatch, words, reason):
        # A mock of the last words on the wire: there is no container runtime here that could fail.
        def end(_result):
            return pod_exec._frame(0x82, bytes([pod_exec.ERROR]) + words) + pod_exec._frame(0x88, b"\x03\xe8")

        monkeypatch.setattr(pod_exec, "end", end)

        with pytest.raises(errors.ResyncUnknown, match=rf"{reason}; server 127\.0\.0\.1:"):
            self.run(pod())

    def test_half_a_frame_is_not_waited_for_longer_than_the_command(self, pod, monkeypatch):
        monkeypatch.setattr(pod_exec, "output", lambda _result: [b"\x82\x05ab"])
        stage, began = pod(delay_s=3.0), time.monotonic()

        with pytest.raises(errors.ResyncUnknown, match="it still runs"):
            self.run(stage, timeout_s=0.2)

        assert time.monotonic() - began < 2.0

    @pytest.mark.parametrize(
        "answer", [{"delay_s": 10.0}, {"status": 403, "drip_s": 0.1, "text": PAGE}], ids=["silent", "drips"]
    )
    def test_a_server_that_does_not_open_is_not_waited_for_longer_than_for_an_answer(self, through, answer):
        door, began = through(timeout_s=0.3, **answer), time.monotonic()

        with pytest.raises(errors.ResyncUnknown, match=r"no connection in time; server 127\.0\.0\.1:") as error:
            door.exec(SIDEKIQ, "main", ["true"], 5.0)

        assert time.monotonic() - began < 1.0
        assert error.value.exit_code == 75

    def test_a_sigterm_ends_the_wait_for_a_server_that_does_not_open(self, through):
        door, began = through(timeout_s=20.0, delay_s=20.0), time.monotonic()
        threading.Timer(0.1, interruption._asked.set).start()
        try:
            with pytest.raises(errors.Interrupted):
                door.exec(SIDEKIQ, "main", ["true"], 5.0)
        finally:
            interruption._asked.clear()

        assert time.monotonic() - began < 2.0

    def test_a_redirect_is_not_followed(self, through, tmp_path):
        through()
        config = json.loads((tmp_path / "kubeconfig").read_text())
        elsewhere = config["clusters"][0]["cluster"]["server"].replace("http", "ws")
        door = through(status=302, more={"Location": elsewhere})

        with pytest.raises(errors.ResyncUnknown, match="no connection"):
            door.exec(SIDEKIQ, "main", ["true"], 5.0)

        assert not through.servers[0].asked.is_set()
        assert through.servers[1].asked.is_set()

    @pytest.mark.filterwarnings("ignore:.*certificate verification is disabled")
    @pytest.mark.parametrize(
        ("trusted", "reason"), [("one", "HTTP 403"), ("another", "SSLCertVerificationError"), ("", "HTTP 403")]
    )
    def test_only_a_server_that_is_trusted_is_asked_unless_that_is_not_wanted(
        self, through, certificates, trusted, reason
    ):
        authority = certificates[0].with_name(f"{trusted}.crt") if trusted else None
        door = through(status=403, tls=(certificates[0], authority))

        with pytest.raises(errors.ResyncUnknown, match=f"no connection, {reason}"):
            door.exec(SIDEKIQ, "main", ["true"], 5.0)

    @pytest.mark.parametrize("text", [PAGE, b""])
    def test_a_page_is_no_missing_right(self, through, text):
        with pytest.raises(errors.ResyncUnknown, match="no connection, HTTP 403"):
            through(status=403, text=text).exec(SIDEKIQ, "main", ["true"], 5.0)

    def test_who_is_not_known_and_has_no_token_any_more_is_tried_again(self, through, tmp_path):
        door = through(status=401)
        (tmp_path / "kubeconfig").unlink()

        with pytest.raises(errors.NotKnown):
            door.exec(SIDEKIQ, "main", ["true"], 5.0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10Gi", 10 * 2**30),
        ("1.5Gi", 3 * 2**29),
        (".5Ki", 512),
        ("1.", 1),
        ("+1Mi", 2**20),
        ("-1Gi", -(2**30)),
        ("100M", 100_000_000),
        ("1k", 1000),
        ("5m", "0.005"),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("2Ei", 2 * 2**60),
    ],
)
def test_a_quantity_is_read(text, value):
    assert quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "Gi", "10 Gi", "10gi", "10GB", "1K", "ten", "1,5Gi", "1Gi\n", "0x10", "٣Gi", "--1", "1e"]
)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        quantity(text)


@pytest.mark.parametrize(
    ("kind", "api_version", "group"),
    [
        (SECRET, "v1", ""),
        (CONFIGMAP, "v1", ""),
        (CLAIM, "v1", ""),
        (ROUTE, "route.openshift.io/v1", "route.openshift.io"),
    ],
)
def test_a_kind_knows_its_version_and_group(kind, api_version, group):
    assert isinstance(kind, Kind)
    assert (kind.api_version, kind.group) == (api_version, group)


@pytest.mark.parametrize("called", ["ConfigMap", "configmaps"])  # as a real server has it, before and in its storage
def test_an_object_of_another_uid_is_told_by_the_server_s_own_sentence(through, called):
    why = "the UID in the precondition (1) does not match the UID in record (2)"
    said = f'Operation cannot be fulfilled on {called} "mine": {why}.'
    status = {"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409, "message": said}

    assert through(status=409, text=json.dumps(status).encode()).delete(CONFIGMAP, "mine", "1") is False
