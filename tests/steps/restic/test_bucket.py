"""An S3 store is asked until when an object is locked, and what it does not tell is said with its reason."""

import http.server
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from steps import errors
from steps.restic.bucket import Bucket
from steps.restic.store import Store
from tests.builders.object_lock import Locked
from tests.stores.s3 import KEY_ID, SECRET

PASSWORD = "a password of twenty characters"  # noqa: S105  of no repository


def store(address, **more):
    keys = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
    return Store("repo", {"RESTIC_REPOSITORY": str(address), "RESTIC_PASSWORD": PASSWORD, **keys, **more})


def why(address, place="config", **more):
    with pytest.raises(errors.LocksNotTold) as raised:
        Bucket(store(address, **more)).locked_until(place)
    assert SECRET not in str(raised.value)
    return raised.value.why


class _Recorder(http.server.BaseHTTPRequestHandler):
    """Tells a lock to everybody, and keeps what it was asked."""

    asked: list[tuple[str, dict[str, str]]]

    def do_GET(self):
        self.asked.append((self.path, dict(self.headers)))
        body = b"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2027-01-01T00:00:00Z</RetainUntilDate></Retention>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Say nothing."""


@contextmanager
def recording():
    handler = type("Handler", (_Recorder,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", handler.asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("address", ["/repository", "sftp:me@host:/repository", "rest:https://host/"])
def test_a_store_of_another_kind_does_not_tell(address):
    assert why(address) == "the store is not S3"


def test_without_keys_in_the_secret_the_store_is_not_asked():
    assert "no AWS_ACCESS_KEY_ID" in why("s3:https://s3.example.com/b", AWS_ACCESS_KEY_ID="")


def test_a_server_that_knows_no_locks_is_unknown_and_not_unlocked(s3):
    bucket = s3.bucket()
    (bucket.folder / "repository").mkdir()
    (bucket.folder / "repository/config").write_text("content")

    assert "does not tell" in why(bucket.repository())


def test_a_refusal_names_the_right_that_is_missing(s3, faults):
    faults.answer(403)

    assert "s3:GetObjectRetention (AccessDenied)" in why(s3.bucket().repository(faults.address))


def test_a_missing_object_is_named(s3, faults):
    faults.answer(404)

    assert why(s3.bucket().repository(faults.address), "data/ab/abcd") == "data/ab/abcd is missing"


def test_a_busy_store_is_asked_again(s3, faults):
    faults.answer(503, times=1)
    faults.answer(404, "NoSuchObjectLockConfiguration")

    assert Bucket(store(s3.bucket().repository(faults.address))).locked_until("config") == ""


@pytest.mark.thorough
def test_a_store_that_is_gone_is_unknown():
    assert "gives no answer" in why("s3:http://127.0.0.1:9/bucket")


def test_only_get_is_sent(s3, faults):
    faults.answer(404, "NoSuchObjectLockConfiguration")
    Bucket(store(s3.bucket().repository(faults.address))).locked_until("config")

    assert {request.method for request in faults.requests} == {"GET"}


def test_session_token_region_and_prefix_are_part_of_the_signed_request():
    with recording() as (host, asked):
        told = store(f"s3:http://{host}/bucket/a/b", AWS_SESSION_TOKEN="the-token", AWS_DEFAULT_REGION="eu-west-9")  # noqa: S106  # of no account
        until = Bucket(told).locked_until("data/ab/abcd")
    ((path, headers),) = asked

    assert until == "2027-01-01T00:00:00Z"
    assert path == "/bucket/a/b/data/ab/abcd?retention"
    assert headers["x-amz-security-token"] == "the-token"
    assert "/eu-west-9/s3/aws4_request" in headers["Authorization"]
    assert "x-amz-security-token" in headers["Authorization"]


def test_a_proxy_of_the_secret_is_used_unless_the_host_is_excepted():
    with recording() as (proxy, asked), recording() as (host, direct):
        address, told = f"s3:http://{host}/bucket", {"HTTP_PROXY": f"http://me:word@{proxy}"}
        Bucket(store(address, **told)).locked_until("config")
        Bucket(store(address, NO_PROXY="127.0.0.1", **told)).locked_until("config")
    ((path, headers),) = asked

    assert path == f"http://{host}/bucket/config?retention"
    assert headers["proxy-authorization"].startswith("Basic ")
    assert len(direct) == 1


def test_a_proxy_of_the_pod_is_not_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with recording() as (host, asked):
        Bucket(store(f"s3:http://{host}/bucket")).locked_until("config")

    assert len(asked) == 1


def test_without_path_style_the_bucket_is_in_the_name_of_the_host():
    with recording() as (proxy, asked):
        told = {"HTTP_PROXY": f"http://{proxy}", "S3_PATH_STYLE": "no"}
        Bucket(store("s3:http://s3.example.com/bucket/a", **told)).locked_until("config")

    assert asked[0][0] == "http://bucket.s3.example.com/a/config?retention"


@pytest.mark.thorough
def test_only_the_authority_of_the_secret_is_trusted(s3_of_own_authority):
    bucket = s3_of_own_authority.bucket()
    ca = s3_of_own_authority.ca.read_text()

    assert "gives no answer (MaxRetryError)" in why(bucket.repository())
    assert "gives no answer" not in why(bucket.repository(), **{"ca.crt": ca})


@pytest.mark.thorough
def test_a_lock_is_told_as_the_store_has_it(versitygw):
    bucket = Locked(versitygw, versitygw.locked_bucket())
    bucket.ask("PUT", "config", body="content")
    asked = Bucket(store(f"s3:{versitygw.address}/{bucket.bucket}"))

    assert asked.locked_until("config") == ""
    until = bucket.lock(["config"], 60)
    assert datetime.fromisoformat(asked.locked_until("config")).astimezone(UTC) == until


@pytest.mark.thorough
def test_a_bucket_without_object_lock_is_not_locked(versitygw):
    versitygw.rclone("mkdir", ":s3:unlocked")
    bucket = Locked(versitygw, "unlocked")
    bucket.ask("PUT", "config", body="content")

    assert Bucket(store(f"s3:{versitygw.address}/unlocked")).locked_until("config") == ""


@pytest.mark.thorough
def test_a_wrong_key_is_refused(versitygw):
    address = f"s3:{versitygw.address}/{versitygw.locked_bucket()}"

    assert "lack s3:GetObjectRetention (" in why(address, AWS_SECRET_ACCESS_KEY="a wrong one")  # noqa: S106  # of no account
