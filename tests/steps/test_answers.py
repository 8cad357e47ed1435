"""Whatever a server between says at any moment: no absence that is none, and nothing done that was not."""

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steps import errors
from steps.cluster import Cluster
from steps.installation import CLAIM, CONFIGMAP, ROUTE, SECRET

NAMESPACE, NAME, UID = "threescale", "thing", "uid-1"
KINDS = (SECRET, SECRET, CONFIGMAP, CLAIM, ROUTE)
TIMEOUT_S = 0.25

HEAD = {"name": NAME, "namespace": NAMESPACE, "uid": UID}
STATUS = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
CANARY = "canary"
RIGHTS = 'User "u" cannot get resource "secrets" in API group "" in the namespace "threescale"'


def of(kind, **metadata):
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {**HEAD, **metadata}}


def listed(kind, items, **metadata):
    return {"apiVersion": kind.api_version, "kind": f"{kind.name}List", "metadata": metadata, "items": items}


def whole(verb, kind):
    """What a real server says when it has done what was asked for."""
    if verb == "list":
        return listed(kind, [of(kind)])
    return {**STATUS, "status": "Success", "details": {"name": NAME, "uid": UID}} if verb == "delete" else of(kind)


def discovery(kind):
    """What a real server has, all of the kinds here."""
    group = {"name": ROUTE.group, "versions": [{"groupVersion": ROUTE.api_version}]}
    resources = [{"name": each.resource} for each in KINDS]
    resource_list = {"kind": "APIResourceList", "groupVersion": kind.api_version, "resources": resources}
    return {"/apis": {"kind": "APIGroupList", "groups": [group]}, f"/{kind.api}": resource_list}


VERBS = {
    "get": lambda door, kind: door.get(kind, NAME),
    "list": lambda door, kind: door.list(kind),
    "create": lambda door, kind: door.create(kind, of(kind)),
    "patch": lambda door, kind: door.patch(kind, NAME, {"metadata": {"labels": {"a": "b"}}}),
    "replace": lambda door, kind: door.replace(kind, of(kind)),
    "delete": lambda door, kind: door.delete(kind, NAME, UID),
}
STATUSES = (200, 201, 202, 204, 301, 304, 400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 501, 502, 503, 504)
OFTEN = (*[200] * 8, *[404] * 6, *[403] * 4, 409, 422, 500)  # in which there is most to be mistaken


class Between(BaseHTTPRequestHandler):
    """Says what the server's `said` says: status, headers, body, what becomes of it on the way."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        found = self.server.discovery.get(path)
        if found is not None:
            self.say(200, {}, json.dumps(found).encode(), "whole")
        else:
            self.say(*self.server.said)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  the names that the base class calls

    def say(self, status, headers, body, way):
        self.close_connection = True
        if way == "nothing":
            return
        if way == "late":
            self.server.release.wait(2 * TIMEOUT_S)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body[: len(body) // 2] if way == "cut" else body[:1] if way == "drips" else body)
            for sign in body[1:] if way == "drips" else b"":
                self.wfile.flush()
                if self.server.release.wait(TIMEOUT_S / 3):
                    return
                self.wfile.write(bytes([sign]))

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def between(tmp_path_factory):
    """A server that says anything, and the door to it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # the client is gone, as it may
    server.release = threading.Event()
    server.said, server.discovery = (200, {}, b"", "whole"), {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": CANARY}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = tmp_path_factory.mktemp("between") / "kubeconfig"
    path.write_text(json.dumps(config))
    server.door = Cluster.connect(NAMESPACE, TIMEOUT_S, str(path))
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


MAY_HOLD_DATA = [
    {**STATUS, "status": "Failure", "reason": CANARY, "message": CANARY},
    {**STATUS, "status": "Failure", "message": f'admission webhook "a.b" denied the request: {RIGHTS} {CANARY}'},
    {**STATUS, "status": "Failure", "message": f'secrets "x" is forbidden: exceeded quota: {CANARY}'},
]


@st.composite
def bodies(draw, verb, kind):
    """Something like an answer: the right one, one of another thing, or one with a field that is anything."""
    other = draw(st.sampled_from(KINDS))
    body = draw(
        st.sampled_from(
            [
                *(whole(each, kind) for each in VERBS),
                whole(verb, other),
                of(kind, name="another"),
                of(kind, namespace="elsewhere"),
                of(kind, deletionTimestamp="2026-01-01T00:00:00Z"),
                listed(kind, []),
                listed(kind, [of(other)]),
                {**STATUS, "status": "Failure", "reason": "NotFound"},
                {**STATUS, "status": "Failure", "reason": "NotFound", "details": {"name": NAME, "kind": kind.resource}},
                {**STATUS, "status": "Failure", "reason": "NotFound", "details": {"name": "another"}},
                {**STATUS, "status": "Failure", "reason": "AlreadyExists"},
                *MAY_HOLD_DATA * 5,
            ]
        )
    )
    paths = [("metadata",), ("kind",), ("items",), ("status",), ("reason",), ("details",), ("code",), ("message",)]
    paths += [("metadata", "name"), ("metadata", "labels"), ("data",), ("spec",), ("details", "name")]
    if draw(st.booleans()):
        *above, last = draw(st.sampled_from(paths))
        body = json.loads(json.dumps(body))
        holder = body.get(above[0]) if above else body
        if isinstance(holder, dict):
            holder[last] = draw(JSON)
    return body


@st.composite
def answers(draw):
    """A verb, a kind, and what comes back for it."""
    verb, kind = draw(st.sampled_from(list(VERBS))), draw(st.sampled_from(KINDS))
    obj = draw(bodies(verb, kind)) if draw(st.integers(0, 9)) else draw(JSON)
    told = json.dumps(obj).encode()
    text = draw(st.sampled_from([*[told] * 9, b"", b"404 page not found\n", b"<html>no</html>", b"[" * 9999]))
    headers = draw(
        st.sampled_from(
            [
                *[{}] * 9,
                {"Content-Type": "text/html"},
                {"Retry-After": "1"},
                {"Location": "/elsewhere"},
                {"Content-Length": None},
                {"Content-Encoding": "gzip"},
                {"Content-Length": "99999"},
            ]
        )
    )
    usual = st.sampled_from(["whole"] * 18 + ["cut", "nothing"])
    way = draw(usual if draw(st.integers(0, 39)) else st.sampled_from(["late", "drips"]))
    return verb, kind, (draw(st.sampled_from(OFTEN + STATUSES)), headers, text, way)


def is_right(verb, kind, done, said):
    """Whether what the door says of an answer is what the answer says."""
    status, _, text, _ = said
    content = json.loads(text)
    if done is None or done is False:
        details = content.get("details") or {}
        gone = status == 404 and content["reason"] == "NotFound" and details.get("name", NAME) == NAME
        return gone and verb == ("get" if done is None else "delete")
    if verb == "list":
        return 200 <= status < 300 and len(done) == len(content["items"])
    if done is True:
        metadata = content.get("metadata") or {}
        return 200 <= status < 300 and (content.get("status") == "Success" or "deletionTimestamp" in metadata)
    same = (done["kind"], done["metadata"]["name"]) == (kind.name, NAME)
    return 200 <= status < 300 and same and done == content


def ended(between, verb, kind, said):
    """What the door makes of an answer: what it returns, or the error that it raises."""
    between.said, between.discovery = said, discovery(kind)
    try:
        return VERBS[verb](between.door, kind)
    except errors.PhaseError as error:
        return error


def is_told(kind, error, said):
    """Whether an error says what it may, and that a try more can help wherever the server has not said no."""
    is_final = error.exit_code != 75
    return (
        not (kind == SECRET and CANARY in str(error))
        and not isinstance(error, errors.UnknownResource)
        and not (is_final and said[0] < 400)
    )


def judge(between, verb, kind, said):
    done = ended(between, verb, kind, said)

    assert is_told(kind, done, said) if isinstance(done, errors.PhaseError) else is_right(verb, kind, done, said)


UNTIMED = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@given(answer=answers())
@settings(max_examples=40, **UNTIMED)
def test_no_answer_makes_a_wrong_absence_or_something_done(between, answer):
    judge(between, *answer)


@pytest.mark.thorough
@given(answer=answers())
@settings(max_examples=1_000, **UNTIMED)
def test_none_of_many_answers_does(between, answer):
    judge(between, *answer)
