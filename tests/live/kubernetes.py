"""A real cluster under the hand of its administrator, with the verbs that the embedded one has.

Only what is named on the command line is touched: a context of a kubeconfig, and namespaces made here.
"""

import json
import time
from pathlib import Path
from typing import Any, Self

import urllib3
import yaml
from kubernetes import config
from kubernetes.client.api.core_v1_api import CoreV1Api
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.stream import stream

from workflows.rehearsal.kubernetes import kinds
from workflows.rehearsal.kubernetes.kinds import Kind

Object = dict[str, Any]

TOKEN_S = 3600
SERVERS_OWN = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "finalizers", "selfLink")
_ADMISSION = "admissionregistration.k8s.io"
MORE_KINDS = (
    Kind("", "v1", "nodes", "Node", namespaced=False, has_status=True),
    Kind("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False),
    Kind("", "v1", "limitranges", "LimitRange"),
    Kind("", "v1", "resourcequotas", "ResourceQuota"),
    Kind(_ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False),
    Kind(_ADMISSION, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", namespaced=False),
    Kind("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False),
)  # that the embedded cluster has not
_TIMEOUT_S = 30.0
_POLL_S = 0.2
_CONTROLLERS_OWN = {"deployments", "persistentvolumeclaims", "pods"}  # their status is what really is


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, answer: Object) -> None:
        super().__init__(f"{status} {answer.get('reason')}: {answer.get('message')}")
        self.status = status
        self.reason = answer.get("reason")


class NotInTime(Exception):
    """Something that should have come has not."""


class Kubernetes:
    """Makes, reads and removes objects."""

    def __init__(self, api: ApiClient, kubeconfig: Path, context: str) -> None:
        self._api = api
        self._kubeconfig = kubeconfig
        self._context = context

    @classmethod
    def connect(cls, kubeconfig: Path, context: str) -> Self:
        """Connect to the cluster of a context."""
        configuration = Configuration()
        config.load_kube_config(str(kubeconfig), context=context, client_configuration=configuration)
        configuration.retries = urllib3.Retry(3)
        return cls(ApiClient(configuration), kubeconfig, context)

    # --- objects ---

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Read an object, None when it is not there."""
        try:
            return self.call("GET", self._path(kind_named(resource), namespace, name))
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise

    def list(self, resource: str, namespace: str = "", selector: str = "") -> list[Object]:
        """Read the objects that a label selector matches; those of all namespaces without one."""
        kind = kind_named(resource)
        answer = self.call("GET", self._path(kind, namespace), query={"labelSelector": selector} if selector else {})
        named_kind = {"apiVersion": kind.api_version, "kind": kind.name}
        return [{**named_kind, **item} for item in answer["items"]]

    def create(self, obj: Object) -> Object:
        """Create an object without what only a server says of it; its status too where no controller writes it."""
        kind = kind_of(obj)
        namespace = obj["metadata"].get("namespace", "")
        created = self.call("POST", self._path(kind, namespace), _bare(obj))
        if not obj.get("status") or not kind.has_status or kind.resource in _CONTROLLERS_OWN:
            return created
        return self.patch_status(kind.resource, namespace, created["metadata"]["name"], obj["status"])

    def apply(self, obj: Object) -> Object:
        """Create an object, or put it in the place of the one with its name."""
        try:
            return self.create(obj)
        except Refused as refusal:
            if refusal.reason != "AlreadyExists":
                raise
        kind, metadata = kind_of(obj), obj["metadata"]
        path = self._path(kind, metadata.get("namespace", ""), metadata["name"])
        old = self.call("GET", path)
        bare = _bare(obj)
        bare["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        return self.call("PUT", path, bare)

    def dry_run(self, obj: Object) -> None:
        """Have the API server judge an object, each of its fields, without making it."""
        path = self._path(kind_of(obj), obj["metadata"].get("namespace", ""))
        self.call("POST", path, obj, {"dryRun": "All", "fieldValidation": "Strict"})

    def patch(self, resource: str, namespace: str, name: str, merge_patch: Object) -> Object:
        """Merge a patch into an object."""
        return self.call("PATCH", self._path(kind_named(resource), namespace, name), merge_patch)

    def patch_status(self, resource: str, namespace: str, name: str, status: Object) -> Object:
        """Merge a status into an object, where its kind keeps it apart and where not."""
        path = self._path(kind_named(resource), namespace, name)
        try:
            return self.call("PATCH", f"{path}/status", {"status": status})
        except Refused as refusal:
            if refusal.status != 404:
                raise
        return self.call("PATCH", path, {"status": status})

    def delete(self, resource: str, namespace: str, name: str, *, now: bool = False) -> None:
        """Delete an object with what it owns, if it is there; a pod `now` is not waited for."""
        body: Object = {"propagationPolicy": "Background"} | ({"gracePeriodSeconds": 0} if now else {})
        try:
            self.call("DELETE", self._path(kind_named(resource), namespace, name), body)
        except Refused as refusal:
            if refusal.status != 404:
                raise

    def call(self, method: str, path: str, body: Object | None = None, query: dict[str, str] | None = None) -> Object:
        """Ask the API server.

        Raises:
            Refused: it says no.

        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        request = self._api.param_serialize(
            method, path, query_params=list((query or {}).items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        response = self._api.call_api(*request, _request_timeout=_TIMEOUT_S)
        response.read()
        if response.status >= 300:
            raise Refused(response.status, _refusal(response.data))
        answer: Object = json.loads(response.data or b"{}")
        return answer

    @staticmethod
    def _path(kind: Kind, namespace: str, name: str = "") -> str:
        group = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        place = f"/namespaces/{namespace}" if namespace and kind.namespaced else ""
        return f"{group}{place}/{kind.resource}" + (f"/{name}" if name else "")

    # --- who asks ---

    def kubeconfig(self, path: Path, *, namespace: str, service_account: str | None = None) -> Path:
        """Write a kubeconfig of one context: the administrator's own, or one with a token of a ServiceAccount."""
        whole = yaml.safe_load(self._kubeconfig.read_text(encoding="utf-8"))
        context = _pick(whole["contexts"], self._context)["context"]
        cluster, user = _pick(whole["clusters"], context["cluster"]), _pick(whole["users"], context["user"])
        for part in (cluster["cluster"], user["user"]):
            for key in ("certificate-authority", "client-certificate", "client-key"):
                if key in part:
                    part[key] = str(self._kubeconfig.parent / part[key])
        if service_account:
            user = {"name": service_account, "user": {"token": self._token(namespace, service_account)}}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [cluster],
            "users": [user],
            "contexts": [
                {
                    "name": "the-one",
                    "context": {"cluster": cluster["name"], "user": user["name"], "namespace": namespace},
                }
            ],
            "current-context": "the-one",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))
        return path

    def _token(self, namespace: str, service_account: str) -> str:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_S},
        }
        return str(self.call("POST", path, body)["status"]["token"])

    def may(self, user: str, namespace: str, verb: str, resource: str, name: str = "") -> bool:
        """Whether a user has a right, as `kubectl auth can-i` asks; `resource` may be `pods/exec`."""
        plain, _, subresource = resource.partition("/")
        attributes = {"namespace": namespace, "verb": verb, "resource": plain, "group": kind_named(plain).group}
        attributes |= {"subresource": subresource} if subresource else {}
        attributes |= {"name": name} if name else {}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": attributes},
        }
        answer = self.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    # --- pods ---

    def run(self, namespace: str, pod: str, container: str, *command: str) -> str:
        """Run a command in a container and return what it prints."""
        own = CoreV1Api(ApiClient(self._api.configuration))  # stream turns each request of its client into a WebSocket
        connection = stream(
            own.connect_get_namespaced_pod_exec,
            pod,
            namespace,
            container=container,
            command=list(command),
            stdout=True,
            stderr=True,
            _preload_content=False,  # else the client takes JSON for a Python object, and returns that one's repr
            _request_timeout=_TIMEOUT_S,
        )
        try:
            connection.run_forever(timeout=_TIMEOUT_S)
            return str(connection.read_all())
        finally:
            connection.sock.shutdown()

    def log(self, namespace: str, pod: str, container: str) -> str:
        """Return what a container has printed; empty when it never ran."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        request = self._api.param_serialize(
            "GET", path, query_params=[("container", container)], auth_settings=["BearerToken"]
        )
        response = self._api.call_api(*request, _request_timeout=_TIMEOUT_S)
        response.read()
        return response.data.decode(errors="replace") if response.status < 300 else ""


def _refusal(data: bytes) -> Object:
    """The Status of a refusal. A path that is not served yet is refused in plain text."""
    try:
        content = json.loads(data or b"{}")
    except ValueError:
        content = None
    return content if isinstance(content, dict) else {}


def until(what: str, look: Any, timeout_s: float) -> Any:
    """Look until there is something to see, and return it.

    Raises:
        NotInTime: nothing came.

    """
    end = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > end:
            raise NotInTime(f"{what}: not within {timeout_s:g} s")
        time.sleep(_POLL_S)
    return seen


def kind_named(resource: str) -> Kind:
    """Return the kind with that plural."""
    return next((kind for kind in MORE_KINDS if kind.resource == resource), None) or kinds.named(resource)


def kind_of(obj: Object) -> Kind:
    """Return the kind that an object says it is."""
    more = (kind for kind in MORE_KINDS if (kind.api_version, kind.name) == (obj["apiVersion"], obj["kind"]))
    return next(more, None) or kinds.of(obj)


def _pick(entries: list[Object], name: str) -> Object:
    return next(entry for entry in entries if entry["name"] == name)


def _bare(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in SERVERS_OWN}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}
