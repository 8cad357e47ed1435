"""A result is told as JSON to a URL that nothing else holds."""

import base64
import logging
import socket
import ssl
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from steps import errors
from steps.evidence import notification, result
from steps.evidence.result import Failure, Result
from tests.builders.receiver import receiving
from tests.builders.refusals import refused

CANARY = "canary-in-a-coal-mine"
BEGAN = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """The pause between two tries is next to nothing."""
    monkeypatch.setattr(notification, "_PAUSE_S", 0.001)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


def a_record(**more) -> Result:
    who = {"service_account": "threescale-backup", "workflow": "night-1", "workflow_uid": "u", "namespace": "api"}
    what = {"operation": "backup", "claim": "night-1", "backup": "night-1", "tool_version": "1", "began": BEGAN}
    good = {"outcome": "succeeded", "ended": BEGAN.replace(minute=2), "counts": {"files": 43, "bytes": 190509}}
    return Result.model_validate({**who, **what, **good, **more})


def a_failure() -> Result:
    failures = [Failure(phase="seal", sentence="the volume <of night> & day is full")]
    return a_record(counts={}).failed(failures, ["Pod x: FailedMount"], "Mend it.")


def test_a_webhook_gets_the_record_without_what_is_long_and_a_sentence(receiver):
    notification.post(f"{receiver.base}/{CANARY}", notification.body(a_record(), "webhook"))

    (posted,) = receiver.posted
    assert (posted.method, posted.path, posted.content_type) == ("POST", f"/{CANARY}", "application/json")
    assert posted.json["sentence"] == "backup night-1 in namespace api succeeded: 43 files, 190509 bytes, 120 s"
    assert {name: posted.json[name] for name in ("operation", "outcome", "workflow", "namespace", "claim")} == {
        "operation": "backup",
        "outcome": "succeeded",
        "workflow": "night-1",
        "namespace": "api",
        "claim": "night-1",
    }
    assert posted.json["counts"] == {"files": 43, "bytes": 190509}
    assert (posted.json["began"], posted.json["ended"]) == ("2026-11-02T02:00:00Z", "2026-11-02T02:02:00Z")
    assert (posted.json["failures"], posted.json["advice"]) == ([], "")
    assert not {"objects", "phases"} & posted.json.keys()


def test_slack_gets_text_and_blocks_in_which_nothing_is_taken_for_its_own_signs(receiver):
    notification.post(receiver.base, notification.body(a_failure(), "slack"))

    told = receiver.posted[0].json
    head, facts, rest = told["blocks"]
    assert told["text"] == (
        "backup night-1 in namespace api failed: seal: the volume &lt;of night&gt; &amp; day is full"
    )
    assert head == {"type": "section", "text": {"type": "mrkdwn", "text": f":x: *{told['text']}*"}}
    assert {"type": "mrkdwn", "text": "*workflow*\nnight-1"} in facts["fields"]
    assert rest["text"]["text"].splitlines() == [
        "*seal*: the volume &lt;of night&gt; &amp; day is full",
        "Pod x: FailedMount",
        "Mend it.",
    ]


def test_slack_shows_the_digest_of_the_manifest():
    told = notification._slack(a_failure().model_copy(update={"manifest_sha256": "0" * 64}))

    assert {"type": "mrkdwn", "text": f"*manifest*\nSHA-256 {'0' * 64}"} in told["blocks"][1]["fields"]


def test_what_slack_would_refuse_for_its_length_is_cut():
    long = a_record(counts={}).failed([Failure(phase="seal", sentence="x" * 9000)], [], "y" * 9000)

    texts = [block["text"]["text"] for block in notification._slack(long)["blocks"] if "text" in block]
    assert all(len(text) <= 3000 for text in texts)


@pytest.mark.parametrize("operation", ["restore", "prune", "verify", "drill", "watchdog"])
def test_every_operation_has_its_sentence(operation):
    told = notification.sentence(a_record(operation=operation, claim="", backup="", counts={}))

    assert told == f"{operation} in namespace api succeeded: 120 s"


def test_a_server_that_is_busy_is_asked_again(receiver):
    receiver.answer(503, 429)

    notification.post(receiver.base, b"{}")

    assert len(receiver.posted) == 3


@pytest.mark.parametrize(
    ("status", "headers", "tries", "said"),
    [
        (500, {}, 3, "the server answered HTTP 500"),
        (404, {}, 1, "the server answered HTTP 404"),
        (403, {}, 1, "the server answered HTTP 403"),
        (
            302,
            {"Location": f"ftp://127.0.0.1/{CANARY}"},
            1,
            "the server answered HTTP 302, a redirect, and redirects are not followed",
        ),
        (
            302,
            {"Location": f"/{CANARY}"},
            1,
            "the server answered HTTP 302, a redirect, and redirects are not followed",
        ),
        (
            307,
            {"Location": f"/{CANARY}"},
            1,
            "the server answered HTTP 307, a redirect, and redirects are not followed",
        ),
    ],
)
def test_an_answer_that_is_none_is_told_by_its_number_alone(receiver, status, headers, tries, said):
    receiver.answer(*[status] * 3, **headers)

    with pytest.raises(errors.NotDelivered) as caught:
        notification.post(f"{receiver.base}/{CANARY}", b"{}")

    assert (caught.value.kind, caught.value.tries) == (said, tries)
    assert len(receiver.posted) == tries
    assert CANARY not in repr(caught.value)


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"http://127.0.0.1:{{port}}/{CANARY}", "the connection was refused"),
        (f"http://{CANARY}.invalid/", "the server's name can't be resolved"),
        (f"https://127.0.0.1:{{tls}}/{CANARY}", "the TLS connection failed"),
    ],
)
def test_what_can_not_be_reached_is_told_without_the_url(receiver, url, said):
    there = url.format(port=closed_port(), tls=receiver.base.rpartition(":")[2])

    with pytest.raises(errors.NotDelivered) as caught:
        notification.post(there, b"{}", limit_s=5)

    assert caught.value.kind.startswith(said)
    assert CANARY not in repr(caught.value)


def test_a_server_that_never_ends_its_answer_is_given_up(receiver):
    receiver.drip = True

    with refused(errors.NotDelivered, kind="the server did not answer in time"):
        notification.post(receiver.base, b"{}", limit_s=0.2)

    assert len(receiver.posted) == notification.TRIES


@pytest.fixture
def silent():
    """A port at which each of several addresses takes no connection, and refuses none: their queues are full."""
    with ExitStack() as held:
        first = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = first.getsockname()[1]
        hosts = [f"127.0.0.{number}" for number in range(1, 7)]
        for host in hosts[1:]:
            held.enter_context(socket.create_server((host, port), backlog=0))
        for host in hosts * 2:
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield hosts, port


def test_a_name_with_many_addresses_that_take_no_connection_has_the_time_of_one_try(silent, monkeypatch):
    hosts, port = silent
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    began = time.monotonic()

    with pytest.raises(errors.NotDelivered, match="he server did not answer in time"):
        notification.post(f"http://hooks.example.com:{port}/", b"{}", limit_s=0.3)

    assert time.monotonic() - began < 2 * notification.TRIES * 0.3


@pytest.mark.parametrize("status", [200, 404])
def test_no_log_has_the_url_whatever_the_server_answers(receiver, caplog, status):
    caplog.set_level(logging.DEBUG)
    receiver.answer(status, **{"X-Odd\r\nno header at all\r\nX-More": "1"})

    with suppress(errors.NotDelivered):
        notification.post(f"{receiver.base}/{CANARY}", b"{}")

    assert len(receiver.posted) == 1
    assert CANARY not in caplog.text


@pytest.mark.parametrize("proxy", ["http://[" + CANARY, f"http://me:{CANARY}@h:port/", "http://127.0.0.1:1/" + CANARY])
def test_a_proxy_that_is_none_is_not_quoted(monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)

    with pytest.raises(errors.NotDelivered) as caught:
        notification.post("http://hooks.example.com/", b"{}", limit_s=2)

    assert CANARY not in repr(caught.value)


def test_a_proxy_of_the_environment_is_asked(receiver, monkeypatch):
    monkeypatch.setenv("http_proxy", receiver.base)

    notification.post("http://hooks.example.com/services", b"{}")

    assert receiver.posted[0].path == "http://hooks.example.com/services"


def test_a_certificate_that_is_none_is_said(receiver, tmp_path):
    (tmp_path / "ca.crt").write_text("-----BEGIN")

    with refused(errors.NotDelivered, kind="`ca.crt` holds no certificate"):
        notification.post(receiver.base, b"{}", authority=tmp_path / "ca.crt")

    assert receiver.posted == []


def test_certificates_are_checked():
    opener = notification._opener(None)
    (https,) = [handler for handler in opener.handlers if type(handler).__name__ == "HTTPSHandler"]

    assert https._context.verify_mode is ssl.CERT_REQUIRED
    assert https._context.check_hostname
    assert {type(handler).__name__ for handler in opener.handlers} <= {
        "HTTPDefaultErrorHandler",
        "HTTPErrorProcessor",
        "HTTPHandler",
        "HTTPSHandler",
        "ProxyHandler",  # where the environment names one
    }


def written(folder: Path, text: str) -> Path:
    path = folder / "url"
    path.write_text(text)
    return path


def test_a_url_is_read_without_the_newline_that_an_editor_leaves(tmp_path):
    path = written(tmp_path, "https://hooks.example.com/services/T/B/x\n")

    assert notification.read_url(path) == "https://hooks.example.com/services/T/B/x"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            CANARY,
            f"https://h:0/{CANARY}",
            f"file:///{CANARY}",
            f"ftp://h/{CANARY}",
            f"https:///{CANARY}",
            f"https://h:{CANARY}/",
        ),
        *(f"http://h/{CANARY} x", f"http://h/{CANARY}\nhttp://h", f"http://[{CANARY}", f"https://h:0/{CANARY}é"),
    ],
)
def test_what_is_no_url_is_refused_and_not_quoted(tmp_path, text):
    with pytest.raises(errors.BadUrl) as caught:
        notification.read_url(written(tmp_path, text))

    assert CANARY not in repr(caught.value)


def test_a_secret_that_is_not_there_is_said(tmp_path):
    with pytest.raises(errors.UrlMissing):
        notification.read_url(tmp_path / "url")


def test_a_run_without_an_end_has_a_sentence_too():
    assert notification.sentence(a_record(ended=None, outcome=result.RUNNING)).endswith("in namespace api running")


@pytest.mark.parametrize(
    ("user", "said"),
    [("me:pass", "me:pass"), ("me:p%40ss%2Fw%C3%B6rd", "me:p@ss/w\u00f6rd"), ("me", "me:"), (":token", ":token")],
)
def test_a_user_and_a_password_in_the_url_go_as_basic_authentication(receiver, user, said):
    notification.post(f"{receiver.base}/a?b=c".replace("//", f"//{user}@"), b"{}")

    (posted,) = receiver.posted
    kind, _, value = posted.authorization.partition(" ")
    assert (posted.path, kind, base64.b64decode(value).decode()) == ("/a?b=c", "Basic", said)


def test_without_a_user_none_is_said(receiver):
    notification.post(f"{receiver.base}/me@there", b"{}")

    assert [(posted.path, posted.authorization) for posted in receiver.posted] == [("/me@there", "")]


def test_a_key_larger_than_any_url_is_none(tmp_path):
    with (tmp_path / "url").open("wb") as stream:
        stream.write(b"https://a/")
        stream.truncate(4 << 30)

    with pytest.raises(errors.BadUrl):
        notification.read_url(tmp_path / "url")
