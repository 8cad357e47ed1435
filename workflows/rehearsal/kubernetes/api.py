"""The handling of a request by the API server: authentication, authorization, and the change of the object."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from workflows.rehearsal.kubernetes import kinds, paging, permissions, pod_exec, refusals, routing, selectors
from workflows.rehearsal.kubernetes.kinds import Kind, Object
from workflows.rehearsal.kubernetes.paging import Page, Pages
from workflows.rehearsal.kubernetes.pod_exec import ExecResult, Session
from workflows.rehearsal.kubernetes.refusals import Refused, Unreadable
from workflows.rehearsal.kubernetes.routing import Path, Request
from workflows.rehearsal.kubernetes.store import Store, merge_objects

ANONYMOUS = "system:anonymous"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

ExecCallback = Callable[[Object, str, list[str]], ExecResult]


@dataclass(frozen=True)
class Call:
    """One HTTP request, read completely."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def token(self) -> str:
        """Return the bearer token, or an empty text without one."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else ""

    def asked(self, name: str) -> str:
        """Return a query parameter, or an empty text if it is not given."""
        return self.query.get(name, [""])[0]

    def json(self, wrong: str) -> Object:
        """Return the object in the body. `wrong`: what the error says about a body that is not an object."""
        try:
            obj = json.loads(self.body)
        except ValueError as error:
            raise refusals.bad_request(f"{wrong}: {error}") from error
        if not isinstance(obj, dict):
            raise refusals.bad_request(f"{wrong}: json: cannot unmarshal {type(obj).__name__}")
        return obj

    def of(self, kind: Kind) -> Object:
        """Return the object of this kind in the body."""
        wrong = f"the object provided is unrecognized (must be of type {kind.name})"
        obj = self.json(f"{wrong}: couldn't get version/kind; json parse error")
        return _said_to_be(kind, obj)


@dataclass(frozen=True)
class Answer:
    """The answer: a JSON object, a text, or a session over the same connection."""

    code: int
    content: Object | str | Session
    headers: dict[str, str] = field(default_factory=dict)


def no_such_command(_pod: Object, _container: str, command: list[str]) -> ExecResult:
    """Answer an exec in a pod without a known command: the container runtime finds no such file."""
    name = command[0] if command else ""
    return ExecResult(failure=f'unable to start container process: exec: "{name}": executable file not found in $PATH')


Around = Callable[[Request, Callable[[], Answer]], Answer]  # a wrapper of each answer, such as a recorder


class Api:
    """The server's side of each request."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.pages = Pages()
        self.users: dict[str, str] = {}
        self.kinds = kinds.KINDS
        self.around: Around = lambda _request, answer: answer()
        self.run: ExecCallback = no_such_command

    def answer(self, call: Call) -> Answer:
        """Answer a request."""
        user = self.users.get(call.token, ANONYMOUS)
        path = routing.parse(call.path)
        if path is None:
            return self._discover(call, user)
        request = _request(user, path, call)
        try:
            return self.around(request, lambda: self._handle(request, path, call))
        except Refused as refusal:
            return _refusal(refusal)

    def _check_token(self, call: Call) -> None:
        """Refuse an unknown token. A request without a token is anonymous, with the rights of everybody."""
        if call.token and call.token not in self.users:
            raise refusals.unauthorized()

    def _discover(self, call: Call, user: str) -> Answer:
        try:
            self._check_token(call)
        except Refused as refusal:
            return _refusal(refusal)
        if user == ANONYMOUS:
            return _refusal(refusals.forbidden_path(user, call.path))
        found = kinds.discovery(call.path, self.kinds)
        return Answer(200, found) if found else _nothing_there()

    def _handle(self, request: Request, path: Path, call: Call) -> Answer:
        self._check_token(call)
        permissions.check(self._store, request)
        kind = kinds.served(path.group, path.version, path.resource)
        if path.group in kinds.BUILT_IN_GROUPS and kind is None:
            raise refusals.no_such_path()
        if kind is None or kind not in self.kinds:
            return _nothing_there()
        return self._do(kind, path, request.verb, call)

    def _do(self, kind: Kind, path: Path, verb: str, call: Call) -> Answer:
        if path.subresource not in kind.subresources:
            raise refusals.no_such_path()
        match verb, path.subresource:
            case "get" | "create", "exec":
                return self._exec(kind, path, call)
            case "get", _:
                return Answer(200, self._store.get(kind, path.namespace, path.name))
            case "list", "":
                return self._list(kind, path, call)
            case "create", "" if not path.name:
                return self._create(kind, path, call)
            case "update" | "patch", "" | "status" if path.name:
                return self._write(kind, path, verb, call)
            case "delete", "":
                return self._delete(kind, path, call)
            case _:
                raise refusals.no_such_method()

    def _list(self, kind: Kind, path: Path, call: Call) -> Answer:
        if call.asked("watch") in {"1", "true"}:
            raise refusals.bad_request("the rehearsal's API server serves no watches")
        alone = paging.of_metadata(call.headers.get("accept", ""))
        page = self._page(kind, path, call)
        metadata: Object = {"resourceVersion": page.version}
        if page.token:
            chosen = call.asked("labelSelector") or call.asked("fieldSelector")  # then the rest is not counted
            metadata |= {"continue": page.token} | ({} if chosen else {"remainingItemCount": page.left})
        if alone:
            head = {"kind": f"{paging.PARTIAL}List", "apiVersion": paging.META, "metadata": metadata}
            heads = [paging.partial(obj) for obj in page.items]
            return Answer(200, head | {"items": heads or None})  # Kubernetes 1.34 writes an empty one as null
        items = page.items
        if kind.built_in:  # its items have no kind, as on a real server
            items = [{key: value for key, value in obj.items() if key not in {"apiVersion", "kind"}} for obj in items]
        head = {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": metadata}
        return Answer(200, head | {"items": items})

    def _page(self, kind: Kind, path: Path, call: Call) -> Page:
        if token := call.asked("continue"):
            return self.pages.next(token, call.asked("limit"))
        version = self._store.version()
        items = self._store.list(kind, path.namespace, call.asked("labelSelector"), call.asked("fieldSelector"))
        return self.pages.first(version, items, call.asked("limit"))

    def _create(self, kind: Kind, path: Path, call: Call) -> Answer:
        dry_run = _dry_run("Create", call)
        obj = call.of(kind)
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
        return Answer(201, self._store.create(kind, path.namespace, obj, dry_run=dry_run))

    def _write(self, kind: Kind, path: Path, verb: str, call: Call) -> Answer:
        dry_run = _dry_run(verb.capitalize(), call)
        if verb == "update":
            body = call.of(kind)
            _check_replacement(kind, path, body)
            return Answer(200, self._change(kind, path, body, lambda _old: body, dry_run=dry_run))
        _check_patch_type(kind, call.headers.get("content-type", ""))
        patch = call.json("error decoding patch")
        patched: Object = {}

        def patch_it(old: Object) -> Object:
            patched.update(merge_objects(old, patch))
            _check_place(path, patched)
            _check_uid(kind, old, patched)
            return patched

        try:
            return Answer(200, self._change(kind, path, patch, patch_it, dry_run=dry_run))
        except Unreadable as error:
            raise refusals.unreadable_patch(patched, error.why) from error

    def _change(
        self, kind: Kind, path: Path, body: Object, change: Callable[[Object], Object], *, dry_run: bool
    ) -> Object:
        def checked(old: Object) -> Object:
            new = change(old)
            _check_unchanged(kind, old, body)
            return _placed(kind, path.subresource, old, new)

        return self._store.change(kind, path.namespace, path.name, checked, dry_run=dry_run)

    def _delete(self, kind: Kind, path: Path, call: Call) -> Answer:
        dry_run = _dry_run("Delete", call)
        options = call.json("couldn't get version/kind; json parse error") if call.body else {}
        asked = options.get("preconditions") or {}
        uid, version = asked.get("uid"), asked.get("resourceVersion")
        obj = self._store.delete(kind, path.namespace, path.name, uid, version, dry_run=dry_run)
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
        if not pod_exec.is_running(pod):
            return Answer(101, Session(pod_exec.no_container(container), protocol))
        return Answer(101, Session(self.run(pod, container, call.query.get("command", [])), protocol))


def _request(user: str, path: Path, call: Call) -> Request:
    name = path.name or selectors.exact_name(call.asked("fieldSelector"))
    verb = routing.verb(call.method, path.name)
    if verb == "create" and not path.subresource:
        name = _name_in(call.body)
    dry_run = "dryRun" in call.query
    return Request(user, verb, path.group, path.resource, path.subresource, path.namespace, name, dry_run)


def _name_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["metadata"]["name"])
    except (ValueError, LookupError, TypeError):
        return ""


def _nothing_there() -> Answer:
    """Answer in plain text, as a real server does for an unknown API. Clients make their own message of it."""
    return Answer(404, "404 page not found\n")


def _refusal(refusal: Refused) -> Answer:
    return Answer(refusal.code, refusal.status())


def _dry_run(does: str, call: Call) -> bool:
    asked = call.query.get("dryRun", [])
    if asked and set(asked) != {"All"}:
        raise refusals.unknown_dry_run(does, asked)
    return bool(asked)


def _said_to_be(kind: Kind, obj: Object) -> Object:
    api_version, name = obj.get("apiVersion", kind.api_version), obj.get("kind", kind.name)
    if api_version != kind.api_version:
        message = (
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
        raise refusals.bad_request(message)
    if name != kind.name and not kind.built_in:
        said = dataclasses.replace(kind, name=name)
        metadata = obj.get("metadata") or {}
        problem = f'Invalid value: "{name}": must be {kind.name}'
        raise refusals.invalid(said, metadata.get("name", ""), "kind", problem)
    if name != kind.name:
        message = f'{name} in version "{kind.version}" cannot be handled as a {kind.name}: no kind "{name}" is expected'
        raise refusals.bad_request(message)
    return obj


def _check_patch_type(kind: Kind, content_type: str) -> None:
    accepted = [MERGE_PATCH, STRATEGIC_PATCH] if kind.built_in else [MERGE_PATCH]
    if content_type.partition(";")[0].strip() not in accepted:
        raise refusals.unknown_format(accepted)


def _check_place(path: Path, obj: Object) -> None:
    metadata = obj.get("metadata") or {}
    if not metadata.get("name"):
        message = f"the name of the object ({path.name} based on URL) was undeterminable: name must be provided"
        raise refusals.bad_request(message)
    if metadata["name"] != path.name:
        message = f"the name of the object ({metadata['name']}) does not match the name on the URL ({path.name})"
        raise refusals.bad_request(message)
    if metadata.get("namespace", path.namespace) != path.namespace:
        message = "the namespace of the provided object does not match the namespace sent on the request"
        raise refusals.bad_request(message)


def _check_uid(kind: Kind, old: Object, patched: Object) -> None:
    uid = patched["metadata"].get("uid")
    if uid not in {None, old["metadata"]["uid"]}:
        problem = f'Invalid value: "{uid}": field is immutable'
        raise refusals.invalid(kind, old["metadata"]["name"], "metadata.uid", problem)


def _check_replacement(kind: Kind, path: Path, obj: Object) -> None:
    _check_place(path, obj)
    metadata = obj["metadata"]
    if not kind.built_in and not metadata.get("resourceVersion"):
        problem = "Invalid value: 0: must be specified for an update"
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
    """Keep a write to an object away from its status, and a write to the status away from the rest."""
    if subresource == "status":
        old, new = new, old
    if kind.has_status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    return new
