"""The one door to Kubernetes: raw dictionaries in and out, our errors, a time limit on each request.

Typed models of the official client drop the fields that they do not know, and a backup must keep them; so only the
client's connection is used (configuration, tokens, TLS, exec), never its models nor its generated calls, which take
0.7 s to import and which the image leaves out (`images/steps/unused.txt`). Nothing is retried in here, except by
callers that wait anyway, and once with a token that was read again: Argo tries a phase again.

An answer is believed only when it is one. A success holds the object that was asked for. There is no such object where
a Status says so of that very one, and no such kind where the server's own lists lack it: between here and the server
stand proxies, and a server that starts knows less than it will. Anything else is no answer.
"""

import http.client
import io
import json
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import urllib3
from kubernetes import config
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from kubernetes.stream.ws_client import (
    ERROR_CHANNEL,
    V4_CHANNEL_PROTOCOL,
    V5_CHANNEL_PROTOCOL,
    get_websocket_url,
    websocket_proxycare,
)
from kubernetes.utils.quantity import parse_quantity
from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketTimeoutException

from steps import errors, interruption, values
from steps.installation import (
    APIMANAGER,
    CLAIM,
    CRON_WORKFLOW,
    DEPLOYMENT,
    DEPLOYMENT_CONFIG,
    POD,
    ROUTE,
    SECRET,
    VOLUME,
    WORKFLOW,
    Kind,
)

Object = dict[str, Any]

_CORE = frozenset({"configmaps", "persistentvolumeclaims", "pods", "secrets"})  # which every API server has
_EVERYWHERE = "authorization.k8s.io"  # a group that every API server has
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_NAME = r'"[-a-z0-9.:]*"'
# The refusal of the authorizer, which knows no more than names; a webhook's begins with its own words.
_BY_RIGHTS = re.compile(rf'([-a-z0-9.]+ ({_NAME} )?is )?forbidden: User "[^"]*" cannot ')
_BY_QUOTA = re.compile(rf"[-a-z0-9.]+ {_NAME} is forbidden: exceeded quota: ")
_COUNTS = r"[-a-z0-9./]+=[0-9]+[a-zA-Z]{0,2}(,[-a-z0-9./]+=[0-9]+[a-zA-Z]{0,2})*"
# What the API server itself says of a Secret, whole, in words that can't hold a value of it: names and counts only.
_SAFE = tuple(
    re.compile(form)
    for form in (
        "Unauthorized",
        rf"secrets ({_NAME} )?is forbidden: User {_NAME} cannot [a-z]+ resource \"secrets\" in API group \"\""
        rf" in the namespace {_NAME}",
        rf"secrets {_NAME} is forbidden: exceeded quota: [-a-z0-9.]+, requested: {_COUNTS}, used: {_COUNTS},"
        rf" limited: {_COUNTS}",
        rf"secrets {_NAME} is forbidden: unable to create new content in namespace [-a-z0-9]+ because it is being"
        r" terminated",
        rf"(object is being deleted: )?secrets {_NAME} already exists",
        rf"(secrets|namespaces) {_NAME} not found",
        rf"Operation cannot be fulfilled on secrets {_NAME}: the object has been modified; please apply your changes"
        r" to the latest version and try again",
        rf"Secret {_NAME} is invalid: data: Forbidden: field is immutable when `immutable` is set",
    )
)
_REASONS = re.compile(  # apimachinery meta/v1; a webhook may write any other word here
    "AlreadyExists|BadRequest|Conflict|Expired|Forbidden|Gone|InternalError|Invalid|MethodNotAllowed|NotAcceptable|"
    "NotFound|RequestEntityTooLarge|ServerTimeout|ServiceUnavailable|StorageReadError|Timeout|TooManyRequests|"
    "Unauthorized|UnsupportedMediaType"
)
_REFUSER = r"(?P<who>[-a-z0-9.]{1,253})"
_FORBIDDEN = rf"[-a-z0-9.]+ {_NAME} is forbidden: "
_INTERNAL = "Internal error occurred: "
# apiserver pkg/admission/plugin: webhook/errors, webhook/mutating, policy/validating; policy/generic for a
# MutatingAdmissionPolicy, whose kind it does not say
_REFUSERS = tuple(
    (re.compile(form), word)
    for form, word in (
        (rf'({_FORBIDDEN}|{_INTERNAL})?admission webhook "{_REFUSER}" denied the request', "admission webhook"),
        (rf'admission webhook "{_REFUSER}" does not support dry run', "admission webhook"),
        (rf'{_INTERNAL}admission webhook "{_REFUSER}" attempted to modify the object,', "admission webhook"),
        (rf'{_INTERNAL}failed calling webhook "{_REFUSER}":', "admission webhook"),
        (
            rf"{_FORBIDDEN}ValidatingAdmissionPolicy '{_REFUSER}' (with binding|denied request:)",
            "ValidatingAdmissionPolicy",
        ),
        (rf"policy '{_REFUSER}' with binding '[-a-z0-9.]*' denied request:", "admission policy"),
        (rf'policy "{_REFUSER}" denied request:', "admission policy"),
    )
)
_EXEC_SLICE_S = 0.5
# Bytes of an answer: a list of 10,000 claims has a third of it, and a pod has memory for little more.
_LARGEST = 64 * 2**20
_PIECE = 2**20
_TOO_LARGE = f"an answer of more than {_LARGEST // 2**20} MiB"
_PACKED = "a compressed answer, which was not asked for"
_SERVERS_OWN = ("uid", "resourceVersion", "creationTimestamp")  # what each object has that is stored
# Which are nothing without a spec, and have one on every server.
_WITH_SPEC = frozenset({APIMANAGER, CLAIM, CRON_WORKFLOW, DEPLOYMENT, DEPLOYMENT_CONFIG, POD, ROUTE, VOLUME, WORKFLOW})
_EXIT_CODE = re.compile("[1-9][0-9]{0,2}")
_PAGE = 500  # objects at once, as kubectl asks for them
# How metadata alone is asked for: kubernetes.io/docs/reference/using-api/api-concepts, "Fetching metadata"
_META, _PARTIAL = "meta.k8s.io/v1", "PartialObjectMetadata"
_WHOLE = "application/json"
_HEADS = f"application/json;as={_PARTIAL}List;g=meta.k8s.io;v=v1"
_TEXTS = ("data", "binaryData")  # of Secrets and ConfigMaps
_MAPS = ("spec", "status")
# of the API server, where another object has the name: seen in the record before, or only in its storage
_PRECONDITION = re.compile(
    rf"Operation cannot be fulfilled on [-A-Za-z0-9.]+ {_NAME}: "  # the kind, or from its storage the resource
    r"(the UID in the precondition |(StorageError: invalid object, .*)?Precondition failed: UID in precondition: )"
)
_QUANTITY = re.compile(f"[+-]?{values.QUANTITY}")


class _Answer(NamedTuple):
    """What the server said; None where its body is no JSON object."""

    status: int
    content: Object | None

    @property
    def refusal(self) -> Object:
        """The Status of an answer that is no success, empty where a proxy or another path said no."""
        found = self.content or {}
        is_one = found.get("kind") == "Status" and found.get("status", "Failure") == "Failure"
        return found if is_one and found.get("code", self.status) == self.status else {}

    @property
    def reason(self) -> str:
        """The reason of the Status, if it is one of Kubernetes' own words."""
        reason = str(self.refusal.get("reason", ""))
        return reason if _REASONS.fullmatch(reason) else ""

    @property
    def why(self) -> str:
        """What may be said of a refusal by anybody: its status, its reason, and whose it is."""
        refuser = _refuser(self.refusal)
        return f"HTTP {self.status} {self.reason}".strip() + (f", {refuser}" if refuser else "")

    def message(self, kind: Kind) -> str:
        """The server's message; one that may hold a Secret's data only in a form that can't."""
        message = str(self.refusal.get("message", ""))
        if kind != SECRET or not message or any(form.fullmatch(message) for form in _SAFE):
            return message
        return errors.withheld(self.reason, _refuser(self.refusal))

    @property
    def names_something(self) -> bool:
        """Whether a refusal is of one object, and none of the kind or the path."""
        return bool(self.reason and self.refusal.get("details"))

    def is_not_found(self, kind: Kind, name: str) -> bool:
        """Whether it says that there is no object of this name, which a server does by name.

        Source: apimachinery, api/errors, NewNotFound.
        """
        if self.status != 404 or self.reason != "NotFound":
            return False
        return _names(self.refusal.get("details"), kind, name)


class Cluster:
    """The objects of one namespace."""

    def __init__(self, api: ApiClient, namespace: str, request_timeout_s: float, sign_in: Callable[[], object]) -> None:
        self._api = api
        self.namespace = namespace
        self._timeout_s = request_timeout_s
        self._sign_in = sign_in
        self.server = _host(api.configuration.host)

    @classmethod
    def connect(cls, namespace: str, request_timeout_s: float, kubeconfig: str = "", context: str = "") -> Self:
        """Connect as `kubeconfig` or KUBECONFIG says where one is set, else as the pod's service account.

        Raises:
            errors.NoConnection: neither is there, or it is none.

        """
        configuration = Configuration()
        # said by name: the client looks at the variable only once, when imported
        path = kubeconfig or os.environ.get("KUBECONFIG", "")
        load = config.load_kube_config if path else config.load_incluster_config
        told = {"config_file": path, "context": context or None} if path else {}
        sign_in = partial(_sign_in, path, partial(load, client_configuration=configuration, **told))
        sign_in()
        configuration.retries = False
        api = ApiClient(configuration)
        _limit_answers(api.rest_client.pool_manager)
        return cls(api, namespace, request_timeout_s, sign_in)

    def get(self, kind: Kind, name: str) -> Object | None:
        """Read one object, None where there is none, or no such kind.

        Raises:
            errors.NotAllowed, errors.NoAnswer, errors.Rejected

        """
        answer = self._request("GET", kind, name)
        if answer.status == 404 and self._is_absent("get", kind, name, answer):
            return None
        return self._object("get", kind, name, answer)

    def list(self, kind: Kind, selector: str = "", fields: str = "") -> list[Object]:
        """Read all objects of a kind, or those that a label and a field selector choose.

        Raises:
            errors.UnknownResource: the cluster has no such kind; else as `get`.

        """
        return [*self._pages(kind, selector, f"{kind.name}List", kind, _WHOLE, fields)]

    def each(self, kind: Kind, selector: str = "") -> Iterator[Object]:
        """Read all objects of a kind, or those of a label selector, page by page, so that never all are in memory.

        All pages show the moment of the first; who gives up before the end has seen a part of the list.

        Raises:
            errors.NoAnswer: also where the server no longer knows that moment. Else as `list`.

        """
        return self._pages(kind, selector, f"{kind.name}List", kind, _WHOLE)

    def heads(self, kind: Kind, selector: str = "") -> Iterator[Object]:
        """Read nothing but the metadata of all objects of a kind, or those of a label selector; raises as `each`."""
        partial_kind = kind._replace(api=f"apis/{_META}", name=_PARTIAL)
        return self._pages(kind, selector, f"{_PARTIAL}List", partial_kind, _HEADS)

    def create(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        """Create an object; its answer may be lost, so a name that exists already is for the next try to judge.

        A dry run asks whether that would be done, by schema and admission, and creates nothing.

        Raises:
            errors.AlreadyExists, errors.QuotaExceeded; else as `get`.

        """
        name = obj["metadata"]["name"]
        query = {"dryRun": "All"} if dry_run else None
        answer = self._request("POST", kind, query=query, body=obj)
        if answer.status == 409 and answer.reason == "AlreadyExists":
            raise errors.AlreadyExists(kind.resource, name, self.server)
        return self._object("create", kind, name, answer, tried=dry_run)

    def patch(self, kind: Kind, name: str, body: Object) -> Object:
        """Merge `body` into an object (RFC 7386).

        Raises:
            errors.Rejected: there is no such object. errors.Conflict: it is not of the version that `body` names.
            Else as `get`.

        """
        return self._object("patch", kind, name, self._request("PATCH", kind, name, body=body))

    def replace(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        """Put an object in the place of the one of its name and version; a dry run asks whether that would be done.

        Raises:
            errors.Conflict: another version is there. Else as `get`.

        """
        name = obj["metadata"]["name"]
        query = {"dryRun": "All"} if dry_run else None
        return self._object("update", kind, name, self._request("PUT", kind, name, query, obj))

    def delete(self, kind: Kind, name: str, uid: str, version: str = "") -> bool:
        """Delete the object of this name and uid; one that is gone, or was made anew since, is left alone: False.

        Done is what a Status of success says, or the object of this uid. A server answers with the object where a
        finalizer holds it, and for claims and pods always; what was deleted at once has no deletionTimestamp then.
        Source: apiserver pkg/registry/generic/registry, Store.Delete and ReturnDeletedObject.

        Raises:
            errors.Conflict: it is not of this version, where one is given. Else as `get`.

        """
        wanted = {"uid": uid, "resourceVersion": version}
        preconditions = {key: value for key, value in wanted.items() if value}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        answer = self._request("DELETE", kind, name, body=options)
        if answer.status == 404 and self._is_absent("delete", kind, name, answer):
            return False
        if answer.status == 409 and _PRECONDITION.match(str(answer.refusal.get("message", ""))):
            return False
        content = self._judge("delete", kind, name, answer)
        if not _is_deleted(content, kind, name, uid) and not (
            _is_object(content, kind, self.namespace, name) and content["metadata"]["uid"] == uid
        ):
            raise self._no_answer("delete", kind, name, f"HTTP {answer.status} that does not say it was deleted")
        return True

    def exec(self, pod: str, container: str, command: Sequence[str], timeout_s: float) -> int:
        """Run a command in a container, drop its output, return its exit code.

        Raises:
            errors.ResyncUnknown: the connection ended, or the time was over, before the exit code was known.
            errors.NotAllowed: the service account may not.

        """
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        try:
            running = self._open_exec(pod, query)
        except errors.NotKnown:
            self._sign_in_again()
            running = self._open_exec(pod, query)
        try:
            if not _within(timeout_s, running.over):
                raise errors.ResyncUnknown(pod, "it still runs", self.server)
        finally:
            running.end()
        ended = running.ended()
        if isinstance(ended, str):
            raise errors.ResyncUnknown(pod, ended, self.server) from running.error
        return ended

    def _open_exec(self, pod: str, query: Sequence[tuple[str, str]]) -> "_Command":
        """Open a connection to a command; one that was refused has started none."""
        path = f"/{POD.api}/namespaces/{{namespace}}/{POD.resource}/{{name}}/exec"
        _, url, headers, *_ = self._serialized("GET", path, pod, query_params=list(query))
        running = _Command(self._api.configuration, url, headers, self._timeout_s)
        running.start()
        is_open = False
        try:
            if not _within(self._timeout_s, running.opened):
                raise errors.ResyncUnknown(pod, "no connection in time", self.server)
            is_open = running.is_open
            if not is_open:
                raise self._refused(pod, running.error) from running.error
        finally:
            if not is_open:
                running.end()
        return running

    def _refused(self, pod: str, error: Exception | None) -> errors.PhaseError:
        """Why there is no connection; only a Status tells that there is no right to one."""
        if isinstance(error, TimeoutError | WebSocketTimeoutException):
            return errors.ResyncUnknown(pod, "no connection in time", self.server)
        if not isinstance(error, WebSocketBadStatusException):
            return errors.ResyncUnknown(pod, f"no connection, {type(error).__name__}", self.server)
        answer = _Answer(error.status_code, _content(error.resp_body))
        if answer.status == 401:
            return errors.NotKnown(self.server)
        if answer.status == 403 and answer.refusal:
            return self._refusal("exec into", POD, pod, answer)
        return errors.ResyncUnknown(pod, f"no connection, {answer.why}", self.server)

    def _request(
        self,
        method: str,
        kind: Kind,
        name: str = "",
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        accept: str = _WHOLE,
    ) -> _Answer:
        place = "/namespaces/{namespace}" if kind.namespaced else ""
        path = f"/{kind.api}{place}/{kind.resource}" + ("/{name}" if name else "")
        headers = {"Accept": accept, "User-Agent": "threescale-backup"}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else _WHOLE
        more = {"query_params": list((query or {}).items()), "header_params": headers, "body": body}
        try:
            return self._send(method, path, name, **more)
        except (urllib3.exceptions.HTTPError, ApiException, ConfigException, OSError, ValueError) as error:
            raise self._no_answer(method, kind, name, _reason(error)) from error

    def _send(self, method: str, path: str, name: str = "", **more: Any) -> _Answer:
        """Send a request; who is not known gets a second try with the token as it is now, which the kubelet renews.

        Raises:
            errors.NotKnown, and what the client raises

        """
        answer = self._send_once(method, path, name, **more)
        if answer.status == 401:
            self._sign_in_again()
            answer = self._send_once(method, path, name, **more)
        if answer.status == 401:
            raise errors.NotKnown(self.server)
        return answer

    def _sign_in_again(self) -> None:
        """Read the token again, which the kubelet renews.

        Raises:
            errors.NotKnown: there is none any more.

        """
        try:
            self._sign_in()
        except errors.NoConnection as error:
            raise errors.NotKnown(self.server) from error

    def _send_once(self, method: str, path: str, name: str, **more: Any) -> _Answer:
        method, url, headers, body, form = self._serialized(method, path, name, **more)
        response = self._api.call_api(method, url, headers, body, form, _request_timeout=self._timeout_s)
        return _Answer(int(response.status), _content(_read(response.response)))

    def _serialized(self, method: str, path: str, name: str, **more: Any) -> Any:
        parts = {"namespace": self.namespace, "name": name}
        return self._api.param_serialize(method, path, path_params=parts, auth_settings=["BearerToken"], **more)

    def _pages(
        self, kind: Kind, selector: str, called: str, of: Kind, accept: str, fields: str = ""
    ) -> Iterator[Object]:
        """The items of a list that is `called` so, each of the kind `of`."""
        asked = {"limit": str(_PAGE), "labelSelector": selector, "fieldSelector": fields, "continue": ""}
        seen = set()
        head = {"apiVersion": of.api_version, "kind": of.name}
        while True:
            interruption.point()
            content = self._page(kind, {key: value for key, value in asked.items() if value}, accept)
            items, metadata = content.get("items"), content.get("metadata") or {}
            if content.get("kind") != called or not isinstance(items, list):
                raise self._no_answer("list", kind, "", "a success without a list of them")
            if not isinstance(metadata, dict):
                raise self._no_answer("list", kind, "", "a list of another form")
            found = [{**head, **item} if isinstance(item, dict) else {} for item in items]
            if not all(_is_object(each, of, self.namespace) for each in found):
                raise self._no_answer("list", kind, "", "what is none of them in the list")
            yield from found
            asked["continue"] = metadata.get("continue") or ""
            if not asked["continue"]:
                return
            if not isinstance(asked["continue"], str) or asked["continue"] in seen:
                raise self._no_answer("list", kind, "", "a list that does not come to its end")
            seen.add(asked["continue"])

    def _page(self, kind: Kind, query: Mapping[str, str], accept: str) -> Object:
        """One page of a list, as the server gives it."""
        answer = self._request("GET", kind, query=query, accept=accept)
        if answer.status == 404 and self._lacks(kind):
            raise errors.UnknownResource(kind.resource, self.server)
        if answer.status in {404, 410}:  # 410: the moment that the first page has shown is too long ago
            raise self._no_answer("list", kind, "", answer.why)
        return self._judge("list", kind, "", answer)

    def _is_absent(self, verb: str, kind: Kind, name: str, answer: _Answer) -> bool:
        """Whether a 404 says that there is no such object, or the server's lists that there is no such kind.

        Raises:
            errors.NoAnswer: neither does.

        """
        if answer.is_not_found(kind, name) or (not answer.names_something and self._lacks(kind)):
            return True
        raise self._no_answer(verb, kind, name, answer.why)

    def _lacks(self, kind: Kind) -> bool:
        """Whether the server's own lists say that it has no such kind.

        Raises:
            errors.NoAnswer: they say nothing, or it is there.

        """
        if kind.group:
            groups = self._discovered("/apis", "APIGroupList", "groups", kind)
            if _EVERYWHERE not in [each["name"] for each in groups]:
                raise self._no_answer("discover", kind, "", "HTTP 200 to /apis that is no whole list")
            versions = [each.get("versions") for each in groups if each["name"] == kind.group]
            if not all(isinstance(each, list) and each and all(map(_is_version, each)) for each in versions):
                raise self._no_answer("discover", kind, "", "a group without versions")
            if kind.api_version not in [one["groupVersion"] for each in versions for one in each or ()]:
                return True
        resources = self._discovered(f"/{kind.api}", "APIResourceList", "resources", kind)
        names = {each["name"] for each in resources}
        if not kind.group and not names >= _CORE:
            raise self._no_answer("discover", kind, "", f"HTTP 200 to /{kind.api} that is no whole list")
        return kind.resource not in names

    def _discovered(self, path: str, called: str, part: str, kind: Kind) -> Sequence[Object]:
        """One of the lists of what the server has."""
        try:
            answer = self._send("GET", path, header_params={"Accept": _WHOLE})
        except (urllib3.exceptions.HTTPError, ApiException, ConfigException, OSError, ValueError) as error:
            raise self._no_answer("discover", kind, "", _reason(error)) from error
        content = answer.content or {}
        found = content.get(part)
        named = isinstance(found, list) and all(isinstance(each, dict) and _is_named(each) for each in found)
        of_it = part == "groups" or content.get("groupVersion") == kind.api_version
        if answer.status != 200 or content.get("kind") != called or not named or not of_it:
            raise self._no_answer("discover", kind, "", f"HTTP {answer.status} to {path} that is no {called}")
        return found or ()

    def _no_answer(self, verb: str, kind: Kind, name: str, reason: str) -> errors.NoAnswer:
        return errors.NoAnswer(verb, kind.resource, name, reason, self.server)

    def _object(self, verb: str, kind: Kind, name: str, answer: _Answer, *, tried: bool = False) -> Object:
        """The object that was asked for; a success without it is none, and the next try looks what is there."""
        content = self._judge(verb, kind, name, answer)
        if not _is_object(content, kind, self.namespace, name, tried=tried):
            raise self._no_answer(verb, kind, name, f"HTTP {answer.status} without the object")
        return content

    def _judge(self, verb: str, kind: Kind, name: str, answer: _Answer) -> Object:
        """What a success holds."""
        status = answer.status
        if status < 400:
            if answer.content is None or not 200 <= status < 300:
                raise self._no_answer(verb, kind, name, f"HTTP {status} without an object")
            return answer.content
        is_said = answer.refusal and not (status == 404 and not answer.reason)
        if not is_said and not (status == 404 and self._lacks(kind)):
            raise self._no_answer(verb, kind, name, f"HTTP {status} without a Status that says why")
        raise self._refusal(verb, kind, name, answer)

    def _refusal(self, verb: str, kind: Kind, name: str, answer: _Answer) -> errors.PhaseError:
        """What a refusal in the server's own words says."""
        status, message = answer.status, answer.message(kind)
        if status == 403 and _BY_QUOTA.match(message):
            return errors.QuotaExceeded(kind.resource, name, self.namespace, message, self.server)
        if status == 403 and (not message or _BY_RIGHTS.match(message)):
            return errors.NotAllowed(verb, kind.resource, name, self.namespace, message, self.server)
        if status in _AGAIN:
            again = errors.Conflict if status == 409 else errors.NoAnswer
            return again(verb, kind.resource, name, answer.why, self.server)
        return errors.Rejected(verb, kind.resource, name, status, message or answer.reason or "no message", self.server)


def _sign_in(path: str, load: Callable[[], object]) -> None:
    """Read who asks, and whom, into the client's configuration.

    Raises:
        errors.NoConnection

    """
    try:
        load()
    except ConfigException as error:
        raise errors.NoConnection(str(error).rstrip(".")) from error
    except OSError as error:
        what = f"kubeconfig {path}" if path else "the service account's token"
        raise errors.NoConnection(f"{what} can't be read ({error.strerror})") from error
    except Exception as error:  # what the client makes of any file; its words may hold a line of it, a token
        raise errors.NoConnection(f"{path} is no kubeconfig") from error


class _Timed(io.RawIOBase):
    """What is read from a server until a moment, however slowly it comes: a socket's own limit begins at each byte."""

    def __init__(self, connection: socket.socket, inner: io.BufferedReader) -> None:
        self._connection = connection
        self._inner = inner
        limit_s = connection.gettimeout()
        self._until = None if limit_s is None else time.monotonic() + limit_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._until is not None:
            left_s = self._until - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._connection.settimeout(left_s)
        return self._inner.raw.readinto(buffer)

    def close(self) -> None:
        self._inner.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer whose head and body together have the time of the request."""

    def __init__(self, sock: socket.socket, *arguments: Any, **more: Any) -> None:
        super().__init__(sock, *arguments, **more)
        self.fp = io.BufferedReader(_Timed(sock, self.fp))


def _limit_answers(manager: urllib3.PoolManager) -> None:
    """Have each connection of a client read answers with a limit for the whole."""
    manager.pool_classes_by_scheme = {scheme: _timed(pool) for scheme, pool in manager.pool_classes_by_scheme.items()}


def _timed(pool: Any) -> Any:
    """The same class of connections, whose answers have a limit."""
    connection = type("TimedConnection", (pool.ConnectionCls,), {"response_class": _TimedResponse})
    return type("TimedPool", (pool,), {"ConnectionCls": connection})


def _host(url: str) -> str:
    """A server's address without what else a URL may carry."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _refuser(refusal: Object) -> str:
    """Who of the admission refused, as a word and a name; empty where nobody says so in the server's own form."""
    message = str(refusal.get("message", ""))
    for form, word in _REFUSERS:
        if found := form.match(message):
            return f"{word} {found['who']!r}"
    return ""


def _reason(error: Exception) -> str:
    """Why there is no answer; the words of other errors may hold what was sent."""
    return str(error) if type(error) is urllib3.exceptions.HTTPError else type(error).__name__


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    """A whole answer, as it is; nobody has asked for a compressed one, and a small one can unpack to any size.

    Raises:
        urllib3.exceptions.HTTPError

    """
    pieces, size = [], 0
    try:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise urllib3.exceptions.HTTPError(_PACKED)
        for piece in response.stream(_PIECE, decode_content=False):
            size += len(piece)
            if size > _LARGEST:
                raise urllib3.exceptions.HTTPError(_TOO_LARGE)
            pieces.append(piece)
    finally:
        response.close()  # a connection whose answer was read to the end is in the pool again by now
    return b"".join(pieces)


def _content(data: bytes | None) -> Object | None:
    """The object in an answer, None where it is plain text or a proxy's page, or cut off."""
    try:
        content = json.loads(data or b"")
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _is_object(content: Object, kind: Kind, namespace: str, name: str = "", *, tried: bool = False) -> bool:
    """Whether this is an object of a kind and namespace, in the shape of any object; of this name, where one is given.

    One that was only tried to be created has no version yet. Source: apimachinery meta/v1, ObjectMeta.
    """
    metadata = content.get("metadata")
    if (content.get("apiVersion"), content.get("kind")) != (kind.api_version, kind.name):
        return False
    if not isinstance(metadata, dict) or not _is_named(metadata):
        return False
    own = [metadata.get(key) for key in _SERVERS_OWN if not (tried and key == "resourceVersion")]
    is_here = not kind.namespaced or bool(metadata.get("namespace", namespace) == namespace)
    return (
        is_here
        and name in {"", metadata["name"]}
        and all(isinstance(each, str) and each for each in own)
        and (kind not in _WITH_SPEC or content.get("spec") is not None)
        and _has_shape(content, metadata)
    )


def _has_shape(content: Object, metadata: Object) -> bool:
    """Whether what we read of an object has the types that each object has."""
    texts = [metadata.get("labels"), metadata.get("annotations"), *(content.get(key) for key in _TEXTS)]
    owners = metadata.get("ownerReferences") or []
    return (
        all(each is None or isinstance(each, dict) for each in (*texts, *(content.get(key) for key in _MAPS)))
        and all(isinstance(value, str) for each in texts for value in (each or {}).values())
        and isinstance(owners, list)
        and all(isinstance(each, dict) for each in owners)
    )


def _is_named(part: Object) -> bool:
    """Whether it has a name."""
    return isinstance(part.get("name"), str) and part["name"] != ""


def _is_version(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("groupVersion"), str)


def _is_deleted(content: Object, kind: Kind, name: str, uid: str) -> bool:
    """Whether a Status says that the object of this name and uid was deleted."""
    if (content.get("kind"), content.get("status")) != ("Status", "Success"):
        return False
    details = content.get("details") or {"name": name}  # a success without them is one all the same
    return _names(details, kind, name) and details.get("uid", uid) == uid


def _names(details: Any, kind: Kind, name: str) -> bool:
    """Whether the details of a Status are of this object."""
    if not isinstance(details, dict) or details.get("name") != name:
        return False
    given = {"kind": (kind.resource, kind.name), "group": (kind.group,)}
    return all(details[key] in ones for key, ones in given.items() if details.get(key) is not None)


class _Command(threading.Thread):
    """A command in a container, over a WebSocket; only the error channel tells how it ended, its output is dropped.

    A thread of its own talks to the server: one that accepts and says nothing, or drips, or stops within a frame, holds
    up nobody who looks at the clock and at a SIGTERM meanwhile. A redirect is not followed: it would take the token.
    """

    def __init__(self, configuration: Configuration, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        super().__init__(daemon=True)  # nobody waits for a server that does not answer
        self._url = get_websocket_url(url)  # type: ignore[no-untyped-call]  # the client types only a part of itself
        own = [f"{name}: {value}" for name, value in headers.items() if name.lower() == "authorization"]
        protocols = f"sec-websocket-protocol: {V5_CHANNEL_PROTOCOL},{V4_CHANNEL_PROTOCOL}"
        options = {"header": [*own, protocols], "timeout": timeout_s, "redirect_limit": 0}
        self._options = websocket_proxycare(options, configuration, url, headers)  # type: ignore[no-untyped-call]  # as above
        self._socket = WebSocket(sslopt=_tls(configuration))
        self._said = b""
        self._is_abandoned = False
        self.is_open = False
        self.opened, self.over = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Read to the end."""
        try:
            self._socket.connect(self._url, **self._options)  # type: ignore[no-untyped-call]  # as above
            self.is_open = not self._is_abandoned
            self.opened.set()
            self._socket.settimeout(None)
            while self.is_open and not self._is_ended():
                pass
        except Exception as error:  # noqa: BLE001  whatever a server brings about is no exit code
            self.error = error
        finally:
            self._socket.shutdown()  # type: ignore[no-untyped-call]  # as above
            self.opened.set()
            self.over.set()

    def _is_ended(self) -> bool:
        """Read one frame."""
        code, frame = self._socket.recv_data_frame(control_frame=True)
        if code in {ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY} and frame.data[:1] == bytes([ERROR_CHANNEL]):
            self._said += frame.data[1:]
        return bool(code == ABNF.OPCODE_CLOSE) or len(self._said) > _PIECE

    def end(self) -> None:
        """Close the connection, also one that is about to open."""
        self._is_abandoned = True
        connection = self._socket.sock
        if connection is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def ended(self) -> int | str:
        """The exit code, or why there is none.

        Source: apimachinery remotecommand, NonZeroExitCodeReason; a runtime that could not start it tells no code.
        """
        if not self._said:
            return "the connection was dropped" if self.error is None else type(self.error).__name__
        try:
            verdict = json.loads(self._said)
        except (ValueError, RecursionError) as error:
            return type(error).__name__
        if not isinstance(verdict, dict):
            return "words of another form"
        if verdict.get("status") == "Success":
            return 0
        code = _exit_code(verdict)
        return code if code is not None else "the container runtime failed"


def _exit_code(verdict: Object) -> int | None:
    """The exit code in the Status of a command that failed."""
    details = verdict.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    if verdict.get("status") != "Failure" or not isinstance(causes, list):
        return None
    codes = [each.get("message") for each in causes if isinstance(each, dict) and each.get("reason") == "ExitCode"]
    known = [int(code) for code in codes if isinstance(code, str) and _EXIT_CODE.fullmatch(code)]
    return known[0] if len(known) == 1 else None


def _tls(configuration: Configuration) -> dict[str, Any]:
    """The client's own way to trust a server and to be known to it, as options of a WebSocket."""
    told: dict[str, Any] = {
        "ca_certs": configuration.ssl_ca_cert,
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    if not configuration.verify_ssl:
        return {"cert_reqs": ssl.CERT_NONE, **{key: told[key] for key in told if told[key] and key != "ca_certs"}}
    if configuration.assert_hostname is not None:
        told["check_hostname"] = configuration.assert_hostname
    return {"cert_reqs": ssl.CERT_REQUIRED, **{key: value for key, value in told.items() if value is not None}}


def _within(limit_s: float, event: threading.Event) -> bool:
    """Wait for an event, and wake for a SIGTERM."""
    until = time.monotonic() + limit_s
    while not event.is_set():
        interruption.point()
        left_s = until - time.monotonic()
        if left_s <= 0:
            return False
        event.wait(min(left_s, _EXEC_SLICE_S))
    return True


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity as a number, bytes where it is a size.

    Raises:
        ValueError: it is none.

    """
    if not _QUANTITY.fullmatch(text):
        raise ValueError(text)
    return Decimal(parse_quantity(text))  # type: ignore[no-untyped-call]  # as above
