"""What the API server does with a request: who asks, may they, and what becomes of the object.

Each request is recorded, so that a test can compare what a workflow asked for with what its Role allows.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from workflows.rehearsal import faults, kinds, permissions, pod_exec, refusals, routing, selectors
from workflows.rehearsal.faults import Faults
from workflows.rehearsal.kinds import Kind, Object
from workflows.rehearsal.pod_exec import ExecResult, Session
from workflows.rehearsal.refusals import Refused
from workflows.rehearsal.routing import Path, Request
from workflows.rehearsal.store import Store, merge

ANONYMOUS = "system:anonymous"
TOKEN_PREFIX = "/token/"  # noqa: S105 - the start of a path, not a token
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

ExecCallback = Callable[[Object, str, list[str]], ExecResult]


@dataclass(frozen=True)
class Call:
    """One HTTP request, read to its end."""

    method: str
    url_path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> str:
        """Return the token that says who asks."""
        if "authorization" in self.headers:
            return self.headers["authorization"].removeprefix("Bearer ")
        return self.prefix.removeprefix(TOKEN_PREFIX)

    @property
    def prefix(self) -> str:
        """Return what stands before the path of the API: nothing, or a token."""
        if not self.url_path.startswith(TOKEN_PREFIX):
            return ""
        return "/".join(self.url_path.split("/")[:3])

    @property
    def path(self) -> str:
        """Return the path below the prefix."""
        return self.url_path.removeprefix(self.prefix)

    def asked(self, name: str) -> str:
        """Return a query parameter, empty when it is not given."""
        return self.query.get(name, [""])[0]

    def json(self) -> Object:
        """Return the object in the body."""
        try:
            obj = json.loads(self.body or b"{}")
        except ValueError as error:
            raise refusals.bad_request(f"couldn't get version/kind; json parse error: {error}") from error
        if not isinstance(obj, dict):
            raise refusals.bad_request("couldn't get version/kind; json parse error: the body is no object")
        return obj


@dataclass(frozen=True)
class Answer:
    """What goes back: a JSON object, a text, or a session over the same connection."""

    code: int
    content: Object | str | Session
    headers: dict[str, str] = field(default_factory=dict)


def no_such_command(_pod: Object, _container: str, command: list[str]) -> ExecResult:
    """Run a command in a pod that nobody has taught any."""
    return ExecResult(127, stderr=f"sh: {command[0] if command else ''}: command not found\n")


class Api:
    """The server's side of each request."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self.faults = Faults()
        self.users: dict[str, str] = {}
        self.without: set[str] = set()
        self.requests: list[Request] = []
        self.run: ExecCallback = no_such_command

    def answer(self, call: Call) -> Answer:
        """Answer a request, or raise `Dropped` when its connection is to be closed instead."""
        user = self.users.get(call.token, ANONYMOUS)
        path = routing.parse(call.path)
        if path is None:
            return self._discover(call, user)
        request = _request(user, path, call)
        at = self._record(request)
        try:
            answer = self._handle(request, path, call)
        except Refused as refusal:
            answer = _refusal(refusal)
        with self._lock:
            if at < len(self.requests) and self.requests[at] is request:  # else the list was cleared meanwhile
                self.requests[at] = dataclasses.replace(request, status=answer.code)
        return answer

    def _record(self, request: Request) -> int:
        with self._lock:
            self.requests.append(request)
            return len(self.requests) - 1

    def _discover(self, call: Call, user: str) -> Answer:
        if user == ANONYMOUS:
            return _refusal(refusals.unauthorized())
        if call.path.strip("/") == "version":
            return Answer(200, kinds.version())
        found = kinds.discovery(call.path, frozenset(self.without))
        return Answer(200, found) if found else _nothing_there()

    def _handle(self, request: Request, path: Path, call: Call) -> Answer:
        if request.user == ANONYMOUS:
            raise refusals.unauthorized()
        self.faults.strike(faults.BEFORE, request)
        permissions.check(self._store, request)
        kind = kinds.served(path.group, path.version, path.resource)
        if kind is None or path.group in self.without:
            return _nothing_there()
        answer = self._do(kind, path, request.verb, call)
        self.faults.strike(faults.AFTER, request)
        return answer

    def _do(self, kind: Kind, path: Path, verb: str, call: Call) -> Answer:
        match verb, path.subresource:
            case "get", "exec" if kind.name == "Pod":
                return self._exec(kind, path, call)
            case "get", "" | "status":
                return Answer(200, self._store.get(kind, path.namespace, path.name))
            case "list", "":
                return self._list(kind, path, call)
            case "create", "":
                return self._create(kind, path, call)
            case "update" | "patch", "" | "status" if not path.subresource or kind.has_status:
                return self._write(kind, path, verb, call)
            case "delete", "":
                return self._delete(kind, path, call)
            case _:
                message = "the server does not allow this method on the requested resource"
                raise Refused(405, "MethodNotAllowed", message)

    def _list(self, kind: Kind, path: Path, call: Call) -> Answer:
        if call.asked("watch") in {"1", "true"}:
            raise refusals.bad_request("the rehearsal's API server serves no watches")
        version = self._store.version()
        items = self._store.list(kind, path.namespace, call.asked("labelSelector"), call.asked("fieldSelector"))
        if kind.built_in:  # whose items do not say what they are, on a real server too
            items = [{key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}} for obj in items]
        head = {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": {"resourceVersion": version}}
        return Answer(200, head | {"items": items})

    def _create(self, kind: Kind, path: Path, call: Call) -> Answer:
        _refuse_dry_run(call)
        obj = _said_to_be(kind, call.json())
        metadata = obj.setdefault("metadata", {})
        if metadata.get("namespace", path.namespace) != path.namespace and kind.namespaced:
            message = "the namespace of the provided object does not match the namespace sent on the request"
            raise refusals.bad_request(message)
        if metadata.get("resourceVersion", "0") not in {"", "0"}:
            raise Refused(500, "", "resourceVersion should not be set on objects to be created")
        if kind.namespaced:
            self._store.get(kinds.named("namespaces"), "", path.namespace)
        if kind.has_status:
            obj.pop("status", None)
        return Answer(201, self._store.create(kind, path.namespace, obj))

    def _write(self, kind: Kind, path: Path, verb: str, call: Call) -> Answer:
        _refuse_dry_run(call)
        body = call.json()
        if verb == "patch":
            _check_patch_type(kind, call.headers.get("content-type", ""))
        else:
            _said_to_be(kind, body)
            _check_replacement(kind, path, body)

        def change(old: Object) -> Object:
            _check_unchanged(kind, old, body)
            new = merge(old, body) if verb == "patch" else body
            return _placed(kind, path.subresource, old, new if isinstance(new, dict) else {})

        return Answer(200, self._store.change(kind, path.namespace, path.name, change))

    def _delete(self, kind: Kind, path: Path, call: Call) -> Answer:
        _refuse_dry_run(call)
        uid = (call.json().get("preconditions") or {}).get("uid")
        obj = self._store.delete(kind, path.namespace, path.name, uid)
        if obj["metadata"].get("finalizers"):
            return Answer(200, obj)
        details = {"name": path.name, "group": kind.group, "kind": kind.resource, "uid": obj["metadata"]["uid"]}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return Answer(200, status | {"details": {key: value for key, value in details.items() if value}})

    def _exec(self, kind: Kind, path: Path, call: Call) -> Answer:
        pod = self._store.get(kind, path.namespace, path.name)
        container = pod_exec.container_of(pod, call.asked("container"))
        if call.headers.get("upgrade", "").lower() != "websocket":
            raise refusals.bad_request("Upgrade request required")
        protocol = pod_exec.chosen_protocol(call.headers.get("sec-websocket-protocol", ""))
        return Answer(101, Session(self.run(pod, container, call.query.get("command", [])), protocol))


def _request(user: str, path: Path, call: Call) -> Request:
    name = path.name or selectors.exact_name(call.asked("fieldSelector"))
    verb = routing.verb(call.method, path.name)
    if verb == "create" and not path.subresource:
        name = _name_in(call.body)
    return Request(user, verb, path.group, path.resource, path.subresource, path.namespace, name)


def _name_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["metadata"]["name"])
    except (ValueError, LookupError, TypeError):
        return ""


def _nothing_there() -> Answer:
    """Answer in plain text, as a real server does where no API is; clients make their own sentence of it."""
    return Answer(404, "404 page not found\n")


def _refusal(refusal: Refused) -> Answer:
    wait_s = refusal.retry_after_s
    return Answer(refusal.code, refusal.status(), {} if wait_s is None else {"Retry-After": str(wait_s)})


def _refuse_dry_run(call: Call) -> None:
    if call.asked("dryRun"):
        raise refusals.bad_request("the rehearsal's API server serves no dry runs")


def _said_to_be(kind: Kind, obj: Object) -> Object:
    api_version, name = obj.get("apiVersion", kind.api_version), obj.get("kind", kind.name)
    if api_version != kind.api_version:
        message = (
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
        raise refusals.bad_request(message)
    if name != kind.name:
        message = f'{name} in version "{kind.version}" cannot be handled as a {kind.name}: no kind "{name}" is expected'
        raise refusals.bad_request(message)
    return obj


def _check_patch_type(kind: Kind, content_type: str) -> None:
    accepted = [MERGE_PATCH, STRATEGIC_PATCH] if kind.built_in else [MERGE_PATCH]
    if content_type.partition(";")[0].strip() not in accepted:
        raise refusals.unknown_format(accepted)


def _check_replacement(kind: Kind, path: Path, obj: Object) -> None:
    metadata = obj.get("metadata", {})
    if metadata.get("name", path.name) != path.name:
        message = f"the name of the object ({metadata['name']}) does not match the name on the URL ({path.name})"
        raise refusals.bad_request(message)
    if not kind.built_in and not metadata.get("resourceVersion"):
        problem = "Invalid value: 0x0: must be specified for an update"
        raise refusals.invalid(kind, path.name, "metadata.resourceVersion", problem)


def _check_unchanged(kind: Kind, old: Object, body: Object) -> None:
    metadata = body.get("metadata") or {}
    name = old["metadata"]["name"]
    if metadata.get("resourceVersion") not in {None, "", old["metadata"]["resourceVersion"]}:
        raise refusals.conflict(kind, name)
    if metadata.get("uid") not in {None, "", old["metadata"]["uid"]}:
        have = old["metadata"]["uid"]
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {have}"
        raise refusals.conflict(kind, name, why)


def _placed(kind: Kind, subresource: str, old: Object, new: Object) -> Object:
    """Keep a write to an object from its status, and a write to the status from all else."""
    if subresource == "status":
        old, new = new, old
    if kind.has_status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    return new
