"""The embedded Kubernetes and a real one, each with a namespace in which the same can be done and asked."""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from kubernetes import config
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration

from steps.kubernetes.cluster import Cluster
from tests.live.kubernetes import until
from tests.live.pods import LOCKED, OF_TESTS
from workflows.access import access
from workflows.rehearsal.kubernetes import kinds
from workflows.rehearsal.kubernetes.cluster import ExecResult
from workflows.rendering.settings import Settings

Object = dict[str, Any]

STRANGER = "stranger"  # an account that no RoleBinding names
MERGE = "application/merge-patch+json"
REQUEST_TIMEOUT_S = 20.0
PATIENCE_S = 60.0
_SHELL = "trap 'exit 0' TERM; while :; do sleep 1 & wait; done"
_NEVER = {"no-such-node": "true"}


class Answer(NamedTuple):
    """What a server says to one request."""

    status: int
    content: Any

    @property
    def reason(self) -> str:
        return str(self.content.get("reason", "")) if isinstance(self.content, dict) else ""

    @property
    def message(self) -> str:
        return str(self.content.get("message", "")) if isinstance(self.content, dict) else str(self.content)


@dataclass
class Contract:
    """A namespace of either server: the administrator's hand, the phases' door, and plain requests."""

    hand: Any  # tests.live.kubernetes.Kubernetes, or the rehearsal's Cluster with the same verbs
    namespace: str
    folder: Path
    _clients: dict[str | None, ApiClient] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the namespace, the accounts of the workflows with their rights, and one without any."""
        head = {"name": self.namespace, "labels": dict(OF_TESTS)}
        self.hand.create({"apiVersion": "v1", "kind": "Namespace", "metadata": head})
        for manifest in access(Settings(image="none", namespace=self.namespace)):
            self.hand.create(manifest)
        self.create("ServiceAccount", STRANGER)

    # --- who asks ---

    def kubeconfig(self, account: str | None = None) -> Path:
        path = self.folder / f"kubeconfig-{account}"
        if not path.exists():
            self.hand.kubeconfig(path, namespace=self.namespace, service_account=account)
        return path

    def connect(self, account: str | None = None, namespace: str = "") -> Cluster:
        """Connect the phases' own door, with the rights of an account or the administrator's."""
        with mock.patch.dict(os.environ, KUBECONFIG=str(self.kubeconfig(account))):
            return Cluster.connect(namespace or self.namespace, REQUEST_TIMEOUT_S)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        account: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request as it is; a path that begins with no slash lies in the namespace."""
        path = path if path.startswith("/") else self.path(path)
        kind = MERGE if method == "PATCH" else "application/json"
        sent = {"Accept": "application/json", "Content-Type": kind, **(headers or {})}
        api = self._client(account)
        _, url, ready, *_ = api.param_serialize(
            method, path, query_params=list(query), header_params=sent, auth_settings=["BearerToken"]
        )
        ready |= headers or {}
        ready = {name: value for name, value in ready.items() if value}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        pool = api.rest_client.pool_manager
        response = pool.request(method, url, body=data, headers=ready, timeout=REQUEST_TIMEOUT_S, retries=False)
        text = response.data.decode()
        return Answer(response.status, json.loads(text) if text.startswith("{") else text)

    def path(self, rest: str) -> str:
        """Spell a path in the namespace: `secrets/zync`, or `apps/v1/deployments` for a group."""
        known = {"deployments": "apps/v1", "apimanagers": "apps.3scale.net/v1alpha1", "routes": "route.openshift.io/v1"}
        parts = rest.split("/")
        group = known.get(parts[0], "")
        return f"{f'/apis/{group}' if group else '/api/v1'}/namespaces/{self.namespace}/{rest}"

    def _client(self, account: str | None) -> ApiClient:
        if account not in self._clients:
            configuration = Configuration()
            config.load_kube_config(str(self.kubeconfig(account)), client_configuration=configuration)
            self._clients[account] = ApiClient(configuration)
        return self._clients[account]

    def eventually(self, method: str, path: str, account: str, status: int) -> bool:
        """Ask until the answer has a status; an authorizer hears of new rights a moment later."""
        until(f"status {status}", lambda: self.ask(method, path, account=account).status == status, PATIENCE_S)
        return True

    def close(self) -> None:
        for client in self._clients.values():
            client.rest_client.pool_manager.clear()

    # --- what is there ---

    def create(self, kind: str, name: str, metadata: Object | None = None, **fields: Any) -> Object:
        """Create an object as it is; the administrator's hand leaves out what another cluster said of it."""
        obj = self.object(kind, name, metadata, **fields)
        answer = self.ask("POST", kinds.of(obj).resource, obj)
        assert answer.status == 201, answer.message
        made: Object = answer.content
        return made

    def object(self, kind: str, name: str, metadata: Object | None = None, **fields: Any) -> Object:
        versions = {"APIManager": "apps.3scale.net/v1alpha1", "Route": "route.openshift.io/v1", "Deployment": "apps/v1"}
        head = {"name": name, "namespace": self.namespace, **(metadata or {})}
        return {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": head, **fields}

    def claim(self, name: str, **spec: Any) -> Object:
        """Make a claim of 1Mi."""
        asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
        return self.create("PersistentVolumeClaim", name, spec=asked | spec)

    def find(self, resource: str, name: str) -> Object | None:
        found: Object | None = self.hand.get(resource, self.namespace, name)
        return found

    def gone(self, resource: str, name: str) -> bool:
        """Wait until an object is gone."""
        until(f"the end of {resource} {name}", lambda: self.find(resource, name) is None, PATIENCE_S)
        return True

    def stays(self, resource: str, name: str) -> bool:
        """See that a controller, which had the time to take another object, leaves this one."""
        return self.find(resource, name) is not None

    # --- what each server does in its own way ---

    def pod(self, name: str, state: str, *containers: str, claim: str = "") -> None:
        """Have a pod that is `running`, `ended`, `without image` or `unscheduled`; commands really run in it."""
        raise NotImplementedError

    def end(self, pod: str) -> None:
        """Remove a pod."""
        self.hand.delete("pods", self.namespace, pod)

    def quota(self, limits: dict[str, int]) -> None:
        """Have a quota `small` that counts the objects of some resources."""
        raise NotImplementedError

    def knows(self, group: str) -> bool:
        """Say whether an API group is served."""
        return bool(self.ask("GET", f"/apis/{group}").status == 200)


class Embedded(Contract):
    """The rehearsal's own server; its pods are this machine."""

    def pod(self, name: str, state: str, *containers: str, claim: str = "") -> None:
        phase = {"running": "Running", "ended": "Succeeded"}.get(state, "Pending")
        spec = self._spec(containers, claim) | ({} if state == "unscheduled" else {"nodeName": "here"})
        self.hand.create(self.object("Pod", name, spec=spec, status={"phase": phase}))
        self.hand.on_exec(lambda _pod, _container, command: _run(command))

    @staticmethod
    def _spec(containers: Sequence[str], claim: str) -> Object:
        volumes = [{"name": "claim", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
        return {"containers": [{"name": each} for each in containers or ["main"]], "volumes": volumes}

    def stays(self, resource: str, name: str) -> bool:
        self.hand.collect_garbage()
        return super().stays(resource, name)

    def quota(self, limits: dict[str, int]) -> None:
        for resource, limit in limits.items():
            self.hand.quota(resource, self.namespace, limit=limit, name="small")


def _run(command: list[str]) -> ExecResult:
    try:
        ended = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  the tests' own
    except OSError as error:
        return ExecResult(failure=f"exec: {error}")
    code = ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
    return ExecResult(code, ended.stdout.decode(), ended.stderr.decode())


class Real(Contract):
    """The cluster that the command line names."""

    image = ""

    def pod(self, name: str, state: str, *containers: str, claim: str = "") -> None:
        command = ["true"] if state == "ended" else ["sh", "-c", _SHELL]
        image = "localhost/no-such-image:none" if state == "without image" else self.image
        mounts = [{"name": "claim", "mountPath": "/claim"}] if claim else []
        container = {"image": image, "command": command, "securityContext": LOCKED, "volumeMounts": mounts}
        spec = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": each, **container} for each in containers or ["main"]],
            "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": claim}}] if claim else [],
            "nodeSelector": _NEVER if state == "unscheduled" else {},
        }
        self.create("Pod", name, spec=spec)
        phase = {"running": "Running", "ended": "Succeeded"}.get(state, "Pending")
        until(f"pod {name} to be {state}", lambda: self._is(name, phase, scheduled=state != "unscheduled"), PATIENCE_S)

    def _is(self, name: str, phase: str, *, scheduled: bool) -> bool:
        pod = self.find("pods", name) or {"status": {}, "spec": {}}
        return pod["status"].get("phase") == phase and bool(pod["spec"].get("nodeName")) == scheduled

    def end(self, pod: str) -> None:
        self.hand.delete("pods", self.namespace, pod, now=True)

    def quota(self, limits: dict[str, int]) -> None:
        counted = {
            "persistentvolumeclaims": "persistentvolumeclaims",
            "apimanagers": "count/apimanagers.apps.3scale.net",
        }
        hard = {counted.get(resource, f"count/{resource}"): str(limit) for resource, limit in limits.items()}
        path = self.path("resourcequotas")
        self.hand.call("POST", path, {"metadata": {"name": "small"}, "spec": {"hard": hard}})
        until("the quota", lambda: self.hand.call("GET", f"{path}/small").get("status", {}).get("hard"), PATIENCE_S)

    def stays(self, resource: str, name: str) -> bool:
        time.sleep(1.0)  # longer than a controller takes for what it does take
        return super().stays(resource, name)
