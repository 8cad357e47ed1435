"""All requests to Kubernetes: raw dictionaries in and out, this tool's errors, a time limit on each request.

The typed models of the official client drop unknown fields, and a backup must keep them. So only the client's
connection is used (configuration, tokens, TLS, exec), never its models or generated calls. These take 0.7 s to import,
and the image leaves them out (`images/steps/unused.txt`). `docs/decisions/kubernetes-client.md` compares the client
with other libraries. Nothing is retried here, except once with a token that was read again, because Argo tries a phase
again. Callers that wait anyway retry by themselves.

An answer is checked before it is used. A success must hold the requested object. An object is missing only if a Status
says so about that object. A kind is missing only if the server's own lists lack it. The reasons: proxies stand between
here and the server, and a starting server does not know all kinds yet. Anything else counts as no answer.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Self

import urllib3
from kubernetes import config
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from websocket import WebSocketBadStatusException, WebSocketTimeoutException

from steps import errors
from steps.kubernetes import answers, exchange, remote_command, times
from steps.kubernetes.answers import BY_QUOTA, BY_RIGHTS, PRECONDITION, Answer
from steps.kubernetes.kinds import POD, Kind, Object
from steps.kubernetes.remote_command import RemoteCommand
from steps.process import interruption

_CORE = frozenset({"configmaps", "persistentvolumeclaims", "pods", "secrets"})  # every API server has them
_EVERYWHERE = "authorization.k8s.io"  # a group that every API server has
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_PAGE = 500  # objects, as kubectl requests them
# How to request metadata only: kubernetes.io/docs/reference/using-api/api-concepts, "Fetching metadata"
_META, _PARTIAL = "meta.k8s.io/v1", "PartialObjectMetadata"
_WHOLE = "application/json"
_HEADS = f"application/json;as={_PARTIAL}List;g=meta.k8s.io;v=v1"


class Cluster:
    """The objects of one namespace."""

    def __init__(self, api: ApiClient, namespace: str, request_timeout_s: float, sign_in: Callable[[], object]) -> None:
        self._api = api
        self.namespace = namespace
        self._timeout_s = request_timeout_s
        self._sign_in = sign_in
        self.server = exchange.host(api.configuration.host)

    @classmethod
    def connect(cls, namespace: str, request_timeout_s: float, kubeconfig: str = "", context: str = "") -> Self:
        """Connect with `kubeconfig` or KUBECONFIG if one is set, otherwise as the pod's service account.

        Raises:
            errors.NoConnection: there is no valid configuration.

        """
        configuration = Configuration()
        # passed by name: the client reads the variable only once, when it is imported
        path = kubeconfig or os.environ.get("KUBECONFIG", "")
        load = config.load_kube_config if path else config.load_incluster_config
        told = {"config_file": path, "context": context or None} if path else {}
        sign_in = partial(exchange.sign_in, path, partial(load, client_configuration=configuration, **told))
        sign_in()
        configuration.retries = False
        api = ApiClient(configuration)
        exchange.limit_answers(api.rest_client.pool_manager)
        return cls(api, namespace, request_timeout_s, sign_in)

    def get(self, kind: Kind, name: str) -> Object | None:
        """Read one object. None if the object or its kind does not exist.

        Raises:
            errors.NotAllowed, errors.NoAnswer, errors.Rejected

        """
        answer = self._request("GET", kind, name)
        if answer.status == 404 and self._is_absent("get", kind, name, answer):
            return None
        return self._object("get", kind, name, answer)

    def list(self, kind: Kind, selector: str = "", fields: str = "") -> list[Object]:
        """Read all objects of a kind, or those that a label selector and a field selector choose.

        Raises:
            errors.UnknownResource: the cluster has no such kind. Otherwise as `get`.

        """
        return [*self._pages(kind, selector, f"{kind.name}List", kind, _WHOLE, fields)]

    def each(self, kind: Kind, selector: str = "") -> Iterator[Object]:
        """Read all objects of a kind, or those of a label selector, page by page, to save memory.

        All pages show the state at the time of the first page. A caller that stops early has seen a part of the list.

        Raises:
            errors.NoAnswer: also if the server no longer has that state. Otherwise as `list`.

        """
        return self._pages(kind, selector, f"{kind.name}List", kind, _WHOLE)

    def heads(self, kind: Kind, selector: str = "") -> Iterator[Object]:
        """Read only the metadata of all objects of a kind, or those of a label selector. Raises as `each`."""
        partial_kind = kind._replace(api=f"apis/{_META}", name=_PARTIAL, has_spec=False)
        return self._pages(kind, selector, f"{_PARTIAL}List", partial_kind, _HEADS)

    def serves(self, kind: Kind) -> bool:
        """Return whether the server's own lists have the kind. Every account may read these lists.

        Raises:
            errors.NoAnswer: the lists can't be read or are incomplete.

        """
        return not self._lacks(kind)

    def time(self) -> datetime | None:
        """Return the server's time, to the second, by the head of an answer. None if the head has none.

        Raises:
            errors.NoAnswer

        """
        method, url, headers, body, form = self._serialized("GET", "/version", "")
        try:
            answer = self._api.call_api(method, url, headers, body, form, _request_timeout=self._timeout_s).response
            exchange.read(answer)
        except (urllib3.exceptions.HTTPError, ApiException, ConfigException, OSError, ValueError) as error:
            raise errors.NoAnswer("get", "version", "", exchange.reason(error), self.server) from error
        return times.of_http(answer.headers.get("Date", ""))

    def create(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        """Create an object. The answer may be lost, so the next try must check an object that already exists.

        A dry run checks schema and admission and creates nothing.

        Raises:
            errors.AlreadyExists, errors.QuotaExceeded. errors.NoDryRun by a dry run. Otherwise as `get`.

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
            errors.Rejected: the object does not exist. errors.Conflict: its version is not the one in `body`.
            Otherwise as `get`.

        """
        return self._object("patch", kind, name, self._request("PATCH", kind, name, body=body))

    def replace(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        """Replace the object of the same name and version. A dry run checks the request and changes nothing.

        Raises:
            errors.Conflict: the object has another version. errors.NoDryRun by a dry run. Otherwise as `get`.

        """
        name = obj["metadata"]["name"]
        query = {"dryRun": "All"} if dry_run else None
        return self._object("update", kind, name, self._request("PUT", kind, name, query, obj))

    def delete(self, kind: Kind, name: str, uid: str, version: str = "") -> bool:
        """Delete the object of this name and uid. Return False if it is gone or another object has the name.

        The deletion is confirmed by a Status of success, or by the object with this uid. A server answers with the
        object if a finalizer holds it, and always for claims and pods. An object that was deleted at once has no
        deletionTimestamp in that answer.
        Source: apiserver pkg/registry/generic/registry, Store.Delete and ReturnDeletedObject.

        Raises:
            errors.Conflict: the object does not have the version that is given. Otherwise as `get`.

        """
        wanted = {"uid": uid, "resourceVersion": version}
        preconditions = {key: value for key, value in wanted.items() if value}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        answer = self._request("DELETE", kind, name, body=options)
        if answer.status == 404 and self._is_absent("delete", kind, name, answer):
            return False
        if answer.status == 409 and PRECONDITION.match(str(answer.refusal.get("message", ""))):
            return False
        content = self._judge("delete", kind, name, answer)
        if not answers.is_deleted(content, kind, name, uid) and not (
            answers.is_object(content, kind, self.namespace, name) and content["metadata"]["uid"] == uid
        ):
            raise self._no_answer("delete", kind, name, f"HTTP {answer.status} that does not confirm the deletion")
        return True

    def exec(self, pod: str, container: str, command: Sequence[str], timeout_s: float) -> int:
        """Run a command in a container, discard its output, and return its exit code.

        Raises:
            errors.ResyncUnknown: the connection or the time ended before the exit code was known.
            errors.NotAllowed: the service account has no right to do this.

        """
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        try:
            running = self._open_exec(pod, query)
        except errors.NotKnown:
            self._sign_in_again()
            running = self._open_exec(pod, query)
        try:
            if not remote_command.within(timeout_s, running.over):
                raise errors.ResyncUnknown(pod, "the command is still running", self.server)
        finally:
            running.end()
        ended = running.ended()
        if isinstance(ended, str):
            raise errors.ResyncUnknown(pod, ended, self.server) from running.error
        return ended

    def _open_exec(self, pod: str, query: Sequence[tuple[str, str]]) -> "RemoteCommand":
        """Open a connection that runs a command. A refused connection has not started the command."""
        path = f"/{POD.api}/namespaces/{{namespace}}/{POD.resource}/{{name}}/exec"
        _, url, headers, *_ = self._serialized("GET", path, pod, query_params=list(query))
        running = RemoteCommand(self._api.configuration, url, headers, self._timeout_s)
        running.start()
        is_open = False
        try:
            if not remote_command.within(self._timeout_s, running.opened):
                raise errors.ResyncUnknown(pod, "no connection in time", self.server)
            is_open = running.is_open
            if not is_open:
                raise self._refused(pod, running.error) from running.error
        finally:
            if not is_open:
                running.end()
        return running

    def _refused(self, pod: str, error: Exception | None) -> errors.PhaseError:
        """Return the error for a refused connection. Only a Status proves that a right is missing."""
        if isinstance(error, TimeoutError | WebSocketTimeoutException):
            return errors.ResyncUnknown(pod, "no connection in time", self.server)
        if not isinstance(error, WebSocketBadStatusException):
            return errors.ResyncUnknown(pod, f"no connection, {type(error).__name__}", self.server)
        answer = Answer(error.status_code, answers.content(error.resp_body))
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
    ) -> Answer:
        place = "/namespaces/{namespace}" if kind.namespaced else ""
        path = f"/{kind.api}{place}/{kind.resource}" + ("/{name}" if name else "")
        headers = {"Accept": accept, "User-Agent": "threescale-backup"}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else _WHOLE
        more = {"query_params": list((query or {}).items()), "header_params": headers, "body": body}
        try:
            return self._send(method, path, name, **more)
        except (urllib3.exceptions.HTTPError, ApiException, ConfigException, OSError, ValueError) as error:
            raise self._no_answer(method, kind, name, exchange.reason(error)) from error

    def _send(self, method: str, path: str, name: str = "", **more: Any) -> Answer:
        """Send a request. After HTTP 401, send it once more with the token read again: the kubelet renews the token.

        Raises:
            errors.NotKnown, and the client's own errors

        """
        answer = self._send_once(method, path, name, **more)
        if answer.status == 401:
            self._sign_in_again()
            answer = self._send_once(method, path, name, **more)
        if answer.status == 401:
            raise errors.NotKnown(self.server)
        return answer

    def _sign_in_again(self) -> None:
        """Read the token again, because the kubelet renews it.

        Raises:
            errors.NotKnown: there is no token any more.

        """
        try:
            self._sign_in()
        except errors.NoConnection as error:
            raise errors.NotKnown(self.server) from error

    def _send_once(self, method: str, path: str, name: str, **more: Any) -> Answer:
        method, url, headers, body, form = self._serialized(method, path, name, **more)
        response = self._api.call_api(method, url, headers, body, form, _request_timeout=self._timeout_s)
        return Answer(int(response.status), answers.content(exchange.read(response.response)))

    def _serialized(self, method: str, path: str, name: str, **more: Any) -> Any:
        parts = {"namespace": self.namespace, "name": name}
        return self._api.param_serialize(method, path, path_params=parts, auth_settings=["BearerToken"], **more)

    def _pages(
        self, kind: Kind, selector: str, called: str, of: Kind, accept: str, fields: str = ""
    ) -> Iterator[Object]:
        """Yield the items of a list. `called` is the kind of the list, `of` the kind of its items."""
        asked = {"limit": str(_PAGE), "labelSelector": selector, "fieldSelector": fields, "continue": ""}
        seen = set()
        head = {"apiVersion": of.api_version, "kind": of.name}
        while True:
            interruption.point()
            content = self._page(kind, {key: value for key, value in asked.items() if value}, accept)
            items, metadata = content.get("items"), content.get("metadata") or {}
            if answers.is_empty_of_metadata(content):
                items = []
            if content.get("kind") != called or not isinstance(items, list):
                raise self._no_answer("list", kind, "", f"a success that is not a {called}")
            if not isinstance(metadata, dict):
                raise self._no_answer("list", kind, "", f"a {called} with invalid metadata")
            found = [{**head, **item} if isinstance(item, dict) else {} for item in items]
            if not all(answers.is_object(each, of, self.namespace) for each in found):
                raise self._no_answer("list", kind, "", "a list with an item of another kind or form")
            yield from found
            asked["continue"] = metadata.get("continue") or ""
            if not asked["continue"]:
                return
            if not isinstance(asked["continue"], str) or asked["continue"] in seen:
                raise self._no_answer("list", kind, "", "a list whose continue token is invalid or repeats")
            seen.add(asked["continue"])

    def _page(self, kind: Kind, query: Mapping[str, str], accept: str) -> Object:
        """Return one page of a list."""
        answer = self._request("GET", kind, query=query, accept=accept)
        if answer.status == 404 and self._lacks(kind):
            raise errors.UnknownResource(kind.resource, self.server)
        if answer.status in {404, 410}:  # 410: the state of the first page is too old
            raise self._no_answer("list", kind, "", answer.why)
        return self._judge("list", kind, "", answer)

    def _is_absent(self, verb: str, kind: Kind, name: str, answer: Answer) -> bool:
        """Return whether a 404 says that the object does not exist, or the server's lists lack the kind.

        Raises:
            errors.NoAnswer: neither is the case.

        """
        if answer.is_not_found(kind, name) or (not answer.names_something and self._lacks(kind)):
            return True
        raise self._no_answer(verb, kind, name, answer.why)

    def _lacks(self, kind: Kind) -> bool:
        """Return whether the server's own lists lack the kind.

        Raises:
            errors.NoAnswer: the lists can't be read or are incomplete.

        """
        if kind.group:
            groups = self._discovered("/apis", "APIGroupList", "groups", kind)
            if _EVERYWHERE not in [each["name"] for each in groups]:
                raise self._no_answer("discover", kind, "", "an incomplete list at /apis")
            versions = [each.get("versions") for each in groups if each["name"] == kind.group]
            if not all(isinstance(each, list) and each and all(map(answers.is_version, each)) for each in versions):
                raise self._no_answer("discover", kind, "", f"API group {kind.group} without versions")
            if kind.api_version not in [one["groupVersion"] for each in versions for one in each or ()]:
                return True
        resources = self._discovered(f"/{kind.api}", "APIResourceList", "resources", kind)
        names = {each["name"] for each in resources}
        if not kind.group and not names >= _CORE:
            raise self._no_answer("discover", kind, "", f"an incomplete list at /{kind.api}")
        return kind.resource not in names

    def _discovered(self, path: str, called: str, part: str, kind: Kind) -> Sequence[Object]:
        """Return one of the server's discovery lists."""
        try:
            answer = self._send("GET", path, header_params={"Accept": _WHOLE})
        except (urllib3.exceptions.HTTPError, ApiException, ConfigException, OSError, ValueError) as error:
            raise self._no_answer("discover", kind, "", exchange.reason(error)) from error
        content = answer.content or {}
        found = content.get(part)
        named = isinstance(found, list) and all(isinstance(each, dict) and answers.is_named(each) for each in found)
        of_it = part == "groups" or content.get("groupVersion") == kind.api_version
        if answer.status != 200 or content.get("kind") != called or not named or not of_it:
            raise self._no_answer("discover", kind, "", f"HTTP {answer.status} without a valid {called} at {path}")
        return found or ()

    def _no_answer(self, verb: str, kind: Kind, name: str, reason: str) -> errors.NoAnswer:
        return errors.NoAnswer(verb, kind.resource, name, reason, self.server)

    def _object(self, verb: str, kind: Kind, name: str, answer: Answer, *, tried: bool = False) -> Object:
        """Return the requested object. A success without it counts as no answer, and the next try checks again."""
        content = self._judge(verb, kind, name, answer)
        if not answers.is_object(content, kind, self.namespace, name, tried=tried):
            raise self._no_answer(verb, kind, name, f"HTTP {answer.status} without the object")
        return content

    def _judge(self, verb: str, kind: Kind, name: str, answer: Answer) -> Object:
        """Return the content of a success, or raise the error of a refusal."""
        status = answer.status
        if status < 400:
            if answer.content is None or not 200 <= status < 300:
                raise self._no_answer(verb, kind, name, f"HTTP {status} without an object")
            return answer.content
        is_said = answer.refusal and not (status == 404 and not answer.reason)
        if not is_said and not (status == 404 and self._lacks(kind)):
            raise self._no_answer(verb, kind, name, f"HTTP {status} without a Status that says why")
        raise self._refusal(verb, kind, name, answer)

    def _refusal(self, verb: str, kind: Kind, name: str, answer: Answer) -> errors.PhaseError:
        """Return the error for a refusal of the server."""
        status, message = answer.status, answer.message(kind)
        if status == 403 and BY_QUOTA.match(message):
            return errors.QuotaExceeded(kind.resource, name, self.namespace, message, self.server)
        if status == 403 and (not message or BY_RIGHTS.match(message)):
            return errors.NotAllowed(verb, kind.resource, name, self.namespace, message, self.server)
        if answer.not_asked:
            return errors.NoDryRun(kind.resource, name, answer.not_asked)
        if status in _AGAIN:
            again = errors.Conflict if status == 409 else errors.NoAnswer
            return again(verb, kind.resource, name, answer.why, self.server)
        return errors.Rejected(verb, kind.resource, name, status, message or answer.reason or "no message", self.server)
