import json
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from steps import errors, interruption
from steps.cluster import Cluster, quantity
from steps.installation import APIMANAGER, CLAIM, CONFIGMAP, DEPLOYMENT_CONFIG, POD, ROUTE, SECRET, Kind
from workflows.rehearsal import pod_exec
from workflows.rehearsal.cluster import Cluster as Kubernetes
from workflows.rehearsal.cluster import ExecResult

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


def test_an_account_that_nobody_knows_may_nothing(empty):
    empty.kubernetes.refuse_next("get", "secrets", status=401)

    with pytest.raises(errors.NotAllowed, match="Unauthorized"):
        empty.connect().get(SECRET, "zync")


def test_a_quota_is_told_apart_from_a_missing_right(empty):
    empty.kubernetes.quota("secrets", empty.namespace, limit=0, name="small")

    with pytest.raises(errors.QuotaExceeded, match="exceeded quota: small"):
        empty.connect().create(SECRET, SECRET_OBJECT)


def test_a_name_that_is_taken_is_for_the_next_try_to_judge(empty):
    secret(empty, "new")

    with pytest.raises(errors.AlreadyExists, match="secrets 'new'") as error:
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
    """A server between that says in its own words that it has no answer; `status` and `text` are those words."""

    status, text, delay_s = 200, b"", 0.0

    def do_GET(self):
        self.server.asked.set()
        self.server.release.wait(self.delay_s)
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.text)))
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_):
        pass


@pytest.fixture
def through(tmp_path, monkeypatch):
    """Connect to a server that answers as told."""
    servers = []

    def connect(timeout_s=5.0, **answer):
        server = HTTPServer(("127.0.0.1", 0), type("Told", (Proxy,), answer))
        server.asked, server.release = threading.Event(), threading.Event()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
        users = [{"name": "u", "user": {"token": "t"}}]
        config = {"clusters": [cluster], "contexts": [context], "users": users, "current-context": "x"}
        (tmp_path / "kubeconfig").write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config}))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        return Cluster.connect("threescale", timeout_s)

    yield connect
    for server in servers:
        server.release.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, errors.NoAnswer), (403, errors.NotAllowed), (503, errors.NoAnswer), (404, errors.UnknownResource)],
)
def test_an_answer_in_words_instead_of_json_is_judged_by_its_status(through, status, kind):
    door = through(status=status, text=b"<html>a proxy's page</html>")

    with pytest.raises(kind):
        door.list(SECRET)


def test_a_server_that_does_not_answer_in_time_is_tried_again(through):
    door = through(timeout_s=0.05, delay_s=10.0)

    with pytest.raises(errors.NoAnswer, match="Timeout"):
        door.get(SECRET, "zync")


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
        ],
    )
    def test_an_end_without_an_exit_code_is_no_success(self, pod, monkeypatch, words, reason):
        # A mock of the last words on the wire: there is no container runtime here that could fail.
        def end(_result):
            return pod_exec._frame(0x82, bytes([pod_exec.ERROR]) + words) + pod_exec._frame(0x88, b"\x03\xe8")

        monkeypatch.setattr(pod_exec, "end", end)

        with pytest.raises(errors.ResyncUnknown, match=reason):
            self.run(pod())


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
