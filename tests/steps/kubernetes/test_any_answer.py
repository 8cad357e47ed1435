"""Whatever a server between says at any moment: no absence that is none, and nothing done that was not."""

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steps import errors
from steps.kubernetes.cluster import Cluster
from steps.kubernetes.kinds import CLAIM, CONFIGMAP, POD, ROUTE, SECRET
from workflows.rehearsal.kubernetes import pod_exec

NAMESPACE, NAME, UID = "threescale", "thing", "uid-1"
KINDS = (SECRET, SECRET, CONFIGMAP, CLAIM, ROUTE)
WITH_SPEC = (CLAIM, ROUTE)
CORE = {"configmaps", "persistentvolumeclaims", "pods", "secrets"}
TIMEOUT_S = 0.25

OWN = {"uid": UID, "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
HEAD = {"name": NAME, "namespace": NAMESPACE, **OWN}
STATUS = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
CANARY = "canary"
RIGHTS = 'User "u" cannot get resource "secrets" in API group "" in the namespace "threescale"'


def of(kind, **metadata):
    spec = {"spec": {}} if kind in WITH_SPEC else {}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {**HEAD, **metadata}, **spec}


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
    resources = [{"name": each.resource} for each in (*KINDS, POD)]
    resource_list = {"kind": "APIResourceList", "groupVersion": kind.api_version, "resources": resources}
    return {"/apis": {"kind": "APIGroupList", "groups": [group]}, f"/{kind.api}": resource_list}


def told(obj):
    """An answer that arrives."""
    return 200, {}, json.dumps(obj).encode(), "whole"


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
        if path.endswith("/exec"):
            self.run(*self.server.said)
        else:
            self.say(*self.server.discovery.get(path, self.server.said))

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

    def run(self, status, headers, body, way):
        """Open a connection to a command, or not, and send bytes as its frames."""
        if status != 101:
            self.say(status, headers, body, way)
            return
        self.close_connection = True
        self.send_response(status)
        key = pod_exec.accept_key(self.headers.get("Sec-WebSocket-Key", ""))
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": key}
        for name, value in {**upgrade, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body[: len(body) // 2] if way == "cut" else body)
            self.wfile.flush()
            if way == "late":
                self.server.release.wait(2 * TIMEOUT_S)
            self.connection.settimeout(TIMEOUT_S)
            self.rfile.read(1)  # a close that is answered overtakes nothing

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
    paths += [("metadata", each) for each in OWN]
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
        whole_ones = all(is_whole(kind, each) for each in done)
        return 200 <= status < 300 and len(done) == len(content["items"]) and whole_ones
    if done is True:
        metadata = content.get("metadata") or {}
        return 200 <= status < 300 and (content.get("status") == "Success" or metadata.get("uid") == UID)
    same = (done["kind"], done["metadata"]["name"]) == (kind.name, NAME)
    return 200 <= status < 300 and same and done == content and is_whole(kind, done)


def is_whole(kind, obj):
    """Whether it has what the phases look for in each object."""
    own = all(isinstance(obj["metadata"][each], str) for each in OWN)
    return own and (kind not in WITH_SPEC or isinstance(obj["spec"], dict))


def is_refusal(said):
    """Whether the server itself says no."""
    with suppress(ValueError, RecursionError):
        content = json.loads(said[2])
        is_status = isinstance(content, dict) and content.get("kind") == "Status"
        return said[0] >= 400 and is_status and content.get("status", "Failure") == "Failure"
    return False


def ended(between, verb, kind, said):
    """What the door makes of an answer: what it returns, or the error that it raises."""
    between.said = said
    between.discovery = {path: told(obj) for path, obj in discovery(kind).items()}
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
        and not (is_final and not is_refusal(said))
    )


def judge(between, verb, kind, said):
    done = ended(between, verb, kind, said)

    assert is_told(kind, done, said) if isinstance(done, errors.PhaseError) else is_right(verb, kind, done, said)


UNTIMED = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.mark.thorough
@given(answer=answers())
@settings(max_examples=40, **UNTIMED)
def test_no_answer_makes_a_wrong_absence_or_something_done(between, answer):
    judge(between, *answer)


@pytest.mark.thorough
@given(answer=answers())
@settings(max_examples=1_000, **UNTIMED)
def test_none_of_many_answers_does(between, answer):
    judge(between, *answer)


# --- what the server says it has ---


@st.composite
def lists(draw):
    """A verb, a kind, and lists of what the server has, one of which is not quite one; without it nothing is there."""
    verb, kind = draw(st.sampled_from(["get", "list", "delete"])), draw(st.sampled_from(KINDS))
    said = {path: told(obj) for path, obj in discovery(kind).items()}
    path = draw(st.sampled_from(list(said) if kind.group else [f"/{kind.api}"]))
    content = json.loads(said[path][2])
    change_list(draw, content, "groups" if path == "/apis" else "resources")
    body = json.dumps(content).encode()
    body = draw(
        st.sampled_from([*[body] * 12, b"", b"404 page not found\n", b"[" * 9999, json.dumps([body.decode()]).encode()])
    )
    status = draw(st.sampled_from([*[200] * 12, 206, 302, 403, 404, 500, 503]))
    headers = draw(st.sampled_from([*[{}] * 9, {"Content-Encoding": "gzip"}, {"Content-Length": "99999"}]))
    said[path] = status, headers, body, draw(st.sampled_from([*["whole"] * 18, "cut", "nothing"]))
    return verb, kind, said


def change_list(draw, content, part):
    """Change one thing in a list of what the server has: a field, an entry, a field of an entry."""
    entries = content[part]
    number = draw(st.integers(0, len(entries) - 1))
    match draw(st.integers(0, 6)):
        case 0:
            content[draw(st.sampled_from(["kind", "groupVersion", part, "other"]))] = draw(JSON)
        case 1:
            content.pop(draw(st.sampled_from(list(content))))
        case 2:
            entries.pop(number)
        case 3:
            entries[number] = draw(JSON)
        case 4:
            entries[number][draw(st.sampled_from(["name", "versions"]))] = draw(JSON)
        case 5:
            versions = draw(st.sampled_from([[], [{}], [{"groupVersion": "another/v1"}], [{"groupVersion": 7}]]))
            entries.append({**entries[number], "versions": versions})
        case 6:
            entries[number] = {"name": draw(st.sampled_from(["", "another"])), "versions": [{"groupVersion": "a/v1"}]}


def entries_of(said, called, part):
    """The entries of a list that is one."""
    status, headers, body, way = said
    content = json.loads(body)
    assert (status, headers, way, content["kind"]) == (200, {}, "whole", called)
    assert all(isinstance(each["name"], str) and each["name"] for each in content[part])
    return content


def is_lacking(kind, said):
    """Whether the lists are whole and say that there is no such kind."""
    try:
        if kind.group:
            groups = entries_of(said["/apis"], "APIGroupList", "groups")["groups"]
            mine = [each for each in groups if each["name"] == kind.group]
            versions = [version["groupVersion"] for each in mine for version in each["versions"]]
            if not mine or (all(each["versions"] for each in mine) and kind.api_version not in versions):
                return True
        content = entries_of(said[f"/{kind.api}"], "APIResourceList", "resources")
        names = {each["name"] for each in content["resources"]}
        is_its_own = content["groupVersion"] == kind.api_version
        return is_its_own and kind.resource not in names and (bool(kind.group) or names >= CORE)
    except (AssertionError, ValueError, KeyError, TypeError, RecursionError):
        return False


def judge_lists(between, verb, kind, said):
    between.said, between.discovery = (404, {}, b"404 page not found\n", "whole"), said
    try:
        done = VERBS[verb](between.door, kind)
    except errors.PhaseError as error:
        done = error

    lacks = is_lacking(kind, said)
    assert lacks if done in (None, False) or isinstance(done, errors.UnknownResource) else done.exit_code == 75


@given(told=lists())
@settings(max_examples=40, **UNTIMED)
def test_no_list_of_what_the_server_has_makes_a_wrong_absence(between, told):
    judge_lists(between, *told)


@pytest.mark.thorough
@given(told=lists())
@settings(max_examples=1_000, **UNTIMED)
def test_none_of_many_lists_does(between, told):
    judge_lists(between, *told)


# --- commands ---


@st.composite
def verdicts(draw):
    """Something like the last words of a command."""
    code = draw(st.sampled_from(["3", "0", "-1", "many", "", "4711", "\u0663"]))
    failed = {"reason": "ExitCode", "message": draw(st.sampled_from([code, 3, None]))}
    causes = draw(st.sampled_from([[failed], [failed, failed], [{"message": "no"}], [None], None, "none"]))
    details = draw(st.sampled_from([{"causes": causes}] * 5 + [None, [], "none"]))
    status = draw(st.sampled_from([*["Failure"] * 6, *["Success"] * 3, "Other", None, ["Success"]]))
    content = draw(st.sampled_from([{"metadata": {}, "status": status, "details": details}] * 9 + [status, details]))
    text = json.dumps(content).encode()
    return draw(st.sampled_from([*[text] * 9, b"", text[:-1], text + text, b"\xff", b"[" * 99_999]))


@st.composite
def commands(draw):
    """What becomes of a connection to a command, and what the command's end was."""
    said = draw(verdicts())
    frames = b"".join(pod_exec._frame(0x82, bytes([draw(st.sampled_from([1, 2, 255]))]) + b"text") for _ in range(2))
    frames += pod_exec._frame(0x82, bytes([draw(st.sampled_from([3, 3, 3, 3, 1, 4]))]) + said)
    frames += draw(st.sampled_from([*[b"\x88\x02\x03\xe8"] * 5, b"", b"\x82\x7f", b"\xf3\x00"]))
    upgraded = 101, draw(st.sampled_from([*[{}] * 9, {"Sec-WebSocket-Accept": "no"}, {"Upgrade": "no"}])), frames
    status = draw(st.sampled_from([200, 302, 400, 401, 403, 403, 404, 500, 503]))
    status_of = {**STATUS, "status": "Failure", "code": status, "message": f"pods is forbidden: {RIGHTS}"}
    body = draw(st.sampled_from([json.dumps(status_of).encode(), b"<html>no</html>", b""]))
    refused = status, draw(st.sampled_from([{}, {"Location": "ws://127.0.0.1:9/"}, {"Content-Length": "x"}])), body
    chosen = draw(st.sampled_from([upgraded, upgraded, upgraded, refused]))
    usual = st.sampled_from(["whole"] * 18 + ["cut"])
    return *chosen, draw(usual if draw(st.integers(0, 39)) else st.sampled_from(["late", "nothing"])), said


def is_code(code, status, said):
    """Whether a command's last words hold this exit code."""
    verdict = json.loads(said)
    causes = [] if verdict["status"] == "Success" else verdict["details"]["causes"]
    told = verdict["status"] == "Success" if code == 0 else {"reason": "ExitCode", "message": str(code)} in causes
    return status == 101 and told


def judge_command(between, status, headers, body, way, said):
    between.said = status, headers, body, way
    try:
        done = between.door.exec("pod", "main", ["true"], TIMEOUT_S)
    except (errors.ResyncUnknown, errors.NotKnown, errors.NotAllowed) as error:
        done = error

    is_final = isinstance(done, errors.NotAllowed)
    assert is_code(done, status, said) if isinstance(done, int) else is_refusal(between.said) or not is_final


@given(told=commands())
@settings(max_examples=40, **UNTIMED)
def test_no_end_of_a_command_makes_a_wrong_exit_code(between, told):
    judge_command(between, *told)


@pytest.mark.thorough
@given(told=commands())
@settings(max_examples=1_000, **UNTIMED)
def test_none_of_many_ends_does(between, told):
    judge_command(between, *told)
