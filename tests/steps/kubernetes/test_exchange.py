import gzip
import json
import time

import pytest

from steps import errors
from steps.kubernetes import exchange
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CONFIGMAP, SECRET
from tests.builders.refusals import Holding, refused
from tests.builders.stored import CONFIGMAP_OBJECT, WHOLE_SECRET


def test_who_is_not_known_any_more_is_told_from_who_may_not(empty):
    door = empty.connect()
    host = empty.kubernetes.url.removeprefix("http://")
    empty.kubernetes.refuse_next("get", "secrets", status=401, times=2)

    with refused(errors.NotKnown, server=host) as error:
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


def test_an_answer_that_is_packed_is_not_unpacked(through):
    packed = gzip.compress(json.dumps(CONFIGMAP_OBJECT).encode())

    with refused(errors.NoAnswer, reason=Holding("a compressed answer")):
        through(text=packed, more={"Content-Encoding": "gzip"}).get(CONFIGMAP, "new")


@pytest.mark.parametrize("more", [{}, {"Content-Length": str(10**15)}])
def test_an_answer_is_read_up_to_a_size(through, monkeypatch, more):
    monkeypatch.setattr(exchange, "_LARGEST", 99)

    with refused(errors.NoAnswer, reason=Holding("an answer of more than")):
        through(text=json.dumps(CONFIGMAP_OBJECT).encode(), more=more).get(CONFIGMAP, "new")


def test_after_an_answer_that_was_not_read_to_its_end_the_next_one_is_its_own(through, monkeypatch):
    door = through(text=json.dumps(CONFIGMAP_OBJECT).encode())
    with monkeypatch.context() as limited:
        limited.setattr(exchange, "_LARGEST", 99)
        with pytest.raises(errors.NoAnswer):
            door.get(CONFIGMAP, "new")

    assert door.get(CONFIGMAP, "new") == CONFIGMAP_OBJECT


def test_a_server_that_does_not_answer_in_time_is_tried_again(through):
    door = through(timeout_s=0.05, delay_s=10.0)

    with refused(errors.NoAnswer, reason="ReadTimeoutError"):
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

    with refused(errors.NoConnection, reason="Service host/port is not set"):
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
    with refused(errors.NoConnection, reason=Holding("Is a directory")):
        Cluster.connect("threescale", 1.0, str(tmp_path))
