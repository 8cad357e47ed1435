"""The one door to Kubernetes: raw dictionaries in and out, our errors, a time limit on each request.

Typed models of the official client drop the fields that they do not know, and a backup must keep them; so only the
client's connection is used (configuration, tokens, TLS, exec), never its models nor its generated calls, which take
0.7 s to import and which the image leaves out (`images/steps/unused.txt`). Nothing is retried in here, except by
callers that wait anyway: Argo tries a phase again.
"""

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Self

import urllib3
from kubernetes import config
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from kubernetes.stream.ws_client import ERROR_CHANNEL, websocket_call
from kubernetes.utils.quantity import parse_quantity
from websocket import WebSocketException

from steps import errors, interruption
from steps.installation import POD, SECRET, Kind

Object = dict[str, Any]

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_BY_RIGHTS = re.compile(r'User "[^"]*" cannot ')  # in the refusal of the authorizer, which knows no more than names
_EXEC_SLICE_S = 0.5
# of the API server, where another object has the name: seen in the record before, or only in its storage
_PRECONDITION = re.compile(r"the UID in the precondition|Precondition failed: UID")
_REFUSED_HANDSHAKE = re.compile(r"Handshake status 403\b")  # kubernetes.stream keeps the status in its sentence only
_QUANTITY = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")


class Cluster:
    """The objects of one namespace."""

    def __init__(self, api: ApiClient, namespace: str, request_timeout_s: float) -> None:
        self._api = api
        self.namespace = namespace
        self._timeout_s = request_timeout_s

    @classmethod
    def connect(cls, namespace: str, request_timeout_s: float, kubeconfig: str = "", context: str = "") -> Self:
        """Connect as `kubeconfig` or KUBECONFIG says where one is set, else as the pod's service account.

        Raises:
            errors.NoConnection: neither is there, or it is none.

        """
        configuration = Configuration()
        try:
            # said by name: the client looks at the variable only once, when imported
            if path := kubeconfig or os.environ.get("KUBECONFIG"):
                config.load_kube_config(config_file=path, context=context or None, client_configuration=configuration)  # type: ignore[no-untyped-call]  # the client types only a part of itself
            else:
                config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # the client types only a part of itself
        except ConfigException as error:
            raise errors.NoConnection(str(error).rstrip(".")) from error
        except OSError as error:
            raise errors.NoConnection(f"kubeconfig {path} can't be read ({error.strerror})") from error
        except Exception as error:  # what the client makes of any file; its words may hold a line of it, a token
            raise errors.NoConnection(f"{path} is no kubeconfig") from error
        configuration.retries = False
        return cls(ApiClient(configuration), namespace, request_timeout_s)

    def get(self, kind: Kind, name: str) -> Object | None:
        """Read one object, None where there is none.

        Raises:
            errors.NotAllowed, errors.NoAnswer, errors.Rejected

        """
        status, answer = self._request("GET", kind, name)
        if status == 404:
            return None
        return self._judge("get", kind, name, status, answer)

    def list(self, kind: Kind, selector: str = "", fields: str = "") -> list[Object]:
        """Read all objects of a kind, or those that a label and a field selector choose.

        Raises:
            errors.UnknownResource: the cluster has no such kind; else as `get`.

        """
        query = {"labelSelector": selector, "fieldSelector": fields}
        status, answer = self._request("GET", kind, query={key: value for key, value in query.items() if value})
        if status == 404:
            raise errors.UnknownResource(kind.resource, self.namespace)
        items: list[Object] = self._judge("list", kind, "", status, answer)["items"]
        return [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in items]

    def create(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        """Create an object; its answer may be lost, so a name that exists already is for the next try to judge.

        A dry run asks whether that would be done, by schema and admission, and creates nothing.

        Raises:
            errors.AlreadyExists, errors.QuotaExceeded; else as `get`.

        """
        name = obj["metadata"]["name"]
        query = {"dryRun": "All"} if dry_run else None
        status, answer = self._request("POST", kind, query=query, body=obj)
        if status == 409 and answer.get("reason") == "AlreadyExists":
            raise errors.AlreadyExists(kind.resource, name)
        return self._judge("create", kind, name, status, answer)

    def patch(self, kind: Kind, name: str, body: Object) -> Object:
        """Merge `body` into an object (RFC 7386).

        Raises:
            errors.Rejected: there is no such object. errors.Conflict: it is not of the version that `body` names.
            Else as `get`.

        """
        status, answer = self._request("PATCH", kind, name, body=body)
        return self._judge("patch", kind, name, status, answer)

    def replace(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        """Put an object in the place of the one of its name and version; a dry run asks whether that would be done.

        Raises:
            errors.Conflict: another version is there. Else as `get`.

        """
        name = obj["metadata"]["name"]
        query = {"dryRun": "All"} if dry_run else None
        status, answer = self._request("PUT", kind, name, query, obj)
        return self._judge("update", kind, name, status, answer)

    def delete(self, kind: Kind, name: str, uid: str, version: str = "") -> bool:
        """Delete the object of this name and uid; one that is gone, or was made anew since, is left alone: False.

        Raises:
            errors.Conflict: it is not of this version, where one is given. Else as `get`.

        """
        wanted = {"uid": uid, "resourceVersion": version}
        preconditions = {key: value for key, value in wanted.items() if value}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        status, answer = self._request("DELETE", kind, name, body=options)
        if status == 404 or (status == 409 and _PRECONDITION.search(str(answer.get("message", "")))):
            return False
        self._judge("delete", kind, name, status, answer)
        return True

    def exec(self, pod: str, container: str, command: Sequence[str], timeout_s: float) -> int:
        """Run a command in a container, drop its output, return its exit code.

        Raises:
            errors.ResyncUnknown: the connection ended, or the time was over, before the exit code was known.
            errors.NotAllowed: the service account may not.

        """
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        request = self._api.param_serialize(
            "GET",
            f"/{POD.api}/namespaces/{{namespace}}/{POD.resource}/{{name}}/exec",
            path_params={"namespace": self.namespace, "name": pod},
            query_params=[*query, *(("command", word) for word in command)],
            auth_settings=["BearerToken"],
        )
        method, url, headers = request[:3]
        try:
            connection = websocket_call(self._api.configuration, method, url, headers=headers, _preload_content=False)  # type: ignore[no-untyped-call]  # as above
        except ApiException as error:
            if _REFUSED_HANDSHAKE.match(str(error.reason)):  # the rest quotes ids and names, with any number in them
                raise errors.NotAllowed("exec into", POD.resource, pod, self.namespace, "forbidden") from error
            raise errors.ResyncUnknown(pod, "no connection") from error
        try:
            return _exit_code(connection, pod, time.monotonic() + timeout_s)
        finally:
            connection.sock.shutdown()  # close() waits 3 s for a polite answer, and leaks a socket that had its own

    def _request(
        self,
        method: str,
        kind: Kind,
        name: str = "",
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> tuple[int, Object]:
        place = "/namespaces/{namespace}" if kind.namespaced else ""
        path = f"/{kind.api}{place}/{kind.resource}" + ("/{name}" if name else "")
        headers = {"Accept": "application/json", "User-Agent": "threescale-backup"}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = self._api.param_serialize(
            method,
            path,
            path_params={"namespace": self.namespace, "name": name},
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = self._api.call_api(*request, _request_timeout=self._timeout_s)
            response.read()  # type: ignore[no-untyped-call]  # the client types only a part of itself
            return int(response.status), _content(response.status, response.data)
        except (urllib3.exceptions.HTTPError, ApiException, OSError, ValueError) as error:
            raise errors.NoAnswer(method, kind.resource, name, type(error).__name__) from error

    def _judge(self, verb: str, kind: Kind, name: str, status: int, answer: Object) -> Object:
        if status < 300:
            return answer
        message = str(answer.get("message", ""))
        if status == 403 and "exceeded quota" in message:
            raise errors.QuotaExceeded(kind.resource, name, self.namespace, message)
        if kind == SECRET and not _BY_RIGHTS.search(message):
            # an admission's message may quote what was sent, and would stand in clear in every log
            message = str(answer.get("reason", ""))
        if status == 401 or (status == 403 and not _by_admission(answer)):
            raise errors.NotAllowed(verb, kind.resource, name, self.namespace, message)
        if status in _AGAIN:
            again = errors.Conflict if status == 409 else errors.NoAnswer
            raise again(verb, kind.resource, name, f"HTTP {status} {answer.get('reason', '')}".strip())
        raise errors.Rejected(verb, kind.resource, name, status, message)


def _by_admission(refusal: Object) -> bool:
    """Whether Kubernetes said no though the rights are there: a limit, a namespace that is going, a webhook."""
    message = str(refusal.get("message", ""))
    return bool(message) and not _BY_RIGHTS.search(message)


def _content(status: int, data: bytes | None) -> Object:
    """The object in an answer; an error may be plain text, as a server says it where an API group is not there."""
    try:
        content: Object = json.loads(data or b"{}")
    except ValueError:
        if status < 300:
            raise
        return {}
    return content


def _exit_code(connection: Any, pod: str, until: float) -> int:
    """Read to the end of an exec; only the error channel tells how it ended.

    Source: kubernetes.stream returns normally after its own time-out and does not look at the exit status.
    """
    try:
        while connection.is_open():
            interruption.point()
            if time.monotonic() > until:
                raise errors.ResyncUnknown(pod, "it still runs")
            connection.update(timeout=_EXEC_SLICE_S)
            connection.read_stdout(timeout=0)
            connection.read_stderr(timeout=0)
        verdict = json.loads(connection.read_channel(ERROR_CHANNEL) or "null")
    except (WebSocketException, OSError, ValueError) as error:
        raise errors.ResyncUnknown(pod, type(error).__name__) from error
    if not isinstance(verdict, dict):
        raise errors.ResyncUnknown(pod, "the connection was dropped")
    if verdict.get("status") == "Success":
        return 0
    causes = (verdict.get("details") or {}).get("causes") or []
    codes = [cause["message"] for cause in causes if cause.get("reason") == "ExitCode"]
    if not codes:
        raise errors.ResyncUnknown(pod, "the container runtime failed")
    return int(codes[0])


def quantity(text: str) -> Decimal:
    """A Kubernetes quantity as a number, bytes where it is a size.

    Raises:
        ValueError: it is none (the API server's own pattern, apimachinery resource.Quantity).

    """
    if not _QUANTITY.fullmatch(text):
        raise ValueError(text)
    return Decimal(parse_quantity(text))  # type: ignore[no-untyped-call]  # as above
