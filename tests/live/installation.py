"""The sample installation on a real cluster, and the operator's part where none runs.

What needs images of 3scale is left out: its Deployments have no replicas, and of its pods there is one, System's
Sidekiq, in which a stub stands for `bundle` and tells its own log how it was called.
"""

import inspect
import json
import threading
from types import TracebackType
from typing import Any, Final, Self

from steps.threescale.installation import SYSTEM_STORAGE
from tests.live.kubernetes import Kubernetes, Object, Refused, until
from tests.live.pods import ANYWHERE, LOCKED, WITHIN_A_QUOTA, run_python
from workflows.rehearsal import comparison
from workflows.rehearsal.comparison import Node, Snapshot
from workflows.rehearsal.kubernetes.store import now
from workflows.rehearsal.threescale import file_storage, objects
from workflows.rehearsal.threescale import installation as threescale

SIDEKIQ: Final = "system-sidekiq"
CALLED: Final = "bundle was called: "
ACCESS_MODE: Final = "ReadWriteOnce"  # any cluster has it
_STUB: Final = f"""
mkdir -p /tmp/bin
printf '#!/bin/sh\\necho "{CALLED}$*" >/proc/1/fd/1\\n' >/tmp/bin/bundle
chmod +x /tmp/bin/bundle
trap 'exit 0' TERM
while :; do sleep 1 & wait; done
"""
_WRITE: Final = inspect.getsource(file_storage) + "\nimport sys\nwrite(Path(sys.argv[1]))\n"
_TREE: Final = inspect.getsource(comparison) + "\nimport json, sys\nprint(json.dumps(tree(Path(sys.argv[1]))))\n"
_PATH: Final = "/storage"


class Installation:
    """The sample in one namespace."""

    def __init__(self, kubernetes: Kubernetes, namespace: str, image: str, security: Object) -> None:
        self._kubernetes = kubernetes
        self.namespace = namespace
        self._image = image
        self.security = security
        self.storage: Object = {}  # more of the spec of System's claim

    def install(self) -> None:
        """Put the installation there, its files and its Sidekiq too."""
        self.install_operator()
        secrets = [self._kubernetes.create(secret) for secret in threescale.sample_secrets(self.namespace)]
        apimanager = self._kubernetes.create(threescale.sample_apimanager(self.namespace, secrets))
        for configmap in objects.sample("configmaps", self.namespace):
            self._kubernetes.create(objects.owned(configmap, apimanager))
        for name, data in threescale.EDITS.items():
            self._kubernetes.patch("configmaps", self.namespace, name, {"data": data})
        self._kubernetes.create(objects.owned(self._storage(), apimanager))
        self.run(_WRITE, _PATH, claims={_PATH: SYSTEM_STORAGE})
        for deployment in objects.sample("deployments", self.namespace):
            deployment["spec"]["replicas"] = 0
            self._kubernetes.create(objects.owned(deployment, apimanager))
        self.start_sidekiq(apimanager)
        self.report(apimanager)

    def install_operator(self) -> None:
        """Put the operator's Deployment there, which carries its version and has no pod."""
        deployment = objects.operator_deployment(self.namespace)
        deployment["spec"]["replicas"] = 0
        self._kubernetes.create(deployment)

    def give_database_secrets(self) -> None:
        """Create the three Secrets of the databases, as the administrator does before a restore."""
        for secret in objects.sample("secrets", self.namespace):
            if secret["metadata"]["name"] in objects.DATABASE_SECRETS:
                self._kubernetes.create(secret)

    def lose(self) -> None:
        """Lose the APIManager with all that it owns, and the Secrets."""
        for name in (*objects.SECRETS, *objects.REFERENCED_SECRETS, objects.DERIVED_SECRET):
            self._kubernetes.delete("secrets", self.namespace, name)
        self._kubernetes.delete("apimanagers", self.namespace, threescale.NAME)
        until("the garbage collector", self._all_gone, 60)

    def _all_gone(self) -> bool:
        kinds = ("configmaps", "deployments", "persistentvolumeclaims", "pods")
        here = [obj for kind in kinds for obj in self._kubernetes.list(kind, self.namespace)]
        return not any(obj["metadata"].get("ownerReferences") for obj in here)

    def look(self) -> Snapshot:
        """Take down what a restore must bring back."""
        return Snapshot(comparison.objects(self._kubernetes, self.namespace), self.tree(SYSTEM_STORAGE))

    def tree(self, claim: str) -> dict[str, Node]:
        """Take down the entries of a claim's volume."""
        said = self.run(_TREE, _PATH, claims={_PATH: claim})
        return {name: Node(*node) for name, node in json.loads(said).items()}

    def run(self, code: str, *arguments: str, claims: dict[str, str]) -> str:
        """Run a program in a pod, with claims at paths."""
        return run_python(
            self._kubernetes, self.namespace, self._image, code, *arguments, claims=claims, security=self.security
        )

    def _storage(self) -> Object:
        (claim,) = (c for c in objects.sample("claims", self.namespace) if c["metadata"]["name"] == SYSTEM_STORAGE)
        claim["metadata"].pop("annotations", None)
        claim["spec"] = {"accessModes": [ACCESS_MODE], "resources": claim["spec"]["resources"], **self.storage}
        return claim

    # --- what the operator does ---

    def start_sidekiq(self, apimanager: Object) -> None:
        """Start System's Sidekiq, and wait until it is ready."""
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{SIDEKIQ}-1",
                "namespace": self.namespace,
                "labels": {"deployment": SIDEKIQ, **objects.labels("system")},
            },
            "spec": {
                "securityContext": self.security,
                "terminationGracePeriodSeconds": 2,
                "tolerations": ANYWHERE,
                "containers": [
                    {
                        "name": SIDEKIQ,
                        "image": self._image,
                        "command": ["bash", "-c", _STUB],
                        "env": [{"name": "PATH", "value": "/tmp/bin:/usr/bin:/bin"}],
                        "securityContext": LOCKED,
                        "resources": WITHIN_A_QUOTA,
                        "volumeMounts": [
                            {"name": "tmp", "mountPath": "/tmp"},
                            {"name": SYSTEM_STORAGE, "mountPath": "/opt/system/public/system"},
                        ],
                    }
                ],
                "volumes": [
                    {"name": "tmp", "emptyDir": {}},
                    {"name": SYSTEM_STORAGE, "persistentVolumeClaim": {"claimName": SYSTEM_STORAGE}},
                ],
            },
        }
        self._kubernetes.create(objects.owned(pod, apimanager))
        until(f"pod {SIDEKIQ}-1 ready", self._sidekiq_is_ready, 120)

    def stop_sidekiq(self) -> None:
        """Stop System's Sidekiq, so that nobody has System's claim mounted."""
        self._kubernetes.delete("pods", self.namespace, f"{SIDEKIQ}-1", now=True)

    def _sidekiq_is_ready(self) -> bool:
        pod = self._kubernetes.get("pods", self.namespace, f"{SIDEKIQ}-1") or {}
        conditions = pod.get("status", {}).get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def bundle_calls(self) -> list[str]:
        """Tell how Sidekiq's `bundle` was called."""
        lines = self._kubernetes.log(self.namespace, f"{SIDEKIQ}-1", SIDEKIQ).splitlines()
        return [line.removeprefix(CALLED) for line in lines if line.startswith(CALLED)]

    def make_routes(self, apimanager: Object) -> None:
        """Make the Routes that the operator and Zync make; a router admits them, or the test where there is none."""
        for route in [objects.backend_route(apimanager), *objects.zync_routes(apimanager, apimanager)]:
            self._kubernetes.create(route | {"status": objects.admitted(route)})

    def report(self, apimanager: Object) -> None:
        """Say in the APIManager's status that all is there."""
        condition = {"type": "Available", "status": "True", "lastTransitionTime": now()}
        ready = objects.expected_deployments(apimanager)
        status: dict[str, Any] = {"conditions": [condition], "deployments": {"ready": ready}}
        self._kubernetes.patch_status("apimanagers", self.namespace, threescale.NAME, status)


class Operator:
    """Brings an APIManager up for the length of a `with` block: Sidekiq, then after the resync Routes and status."""

    def __init__(self, kubernetes: Kubernetes, installation: Installation) -> None:
        self._kubernetes = kubernetes
        self._installation = installation
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name="threescale-operator", daemon=True)
        self.failure: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        if self.failure and not error:
            raise self.failure

    def run(self) -> None:
        """Bring one APIManager up."""
        try:
            apimanager = self._wait_for(self._apimanager)
            if apimanager:
                self._installation.start_sidekiq(apimanager)
            if self._wait_for(self._installation.bundle_calls):
                self._installation.make_routes(apimanager)
                self._installation.report(apimanager)
        except Exception as failure:  # noqa: BLE001  raised again where the test can see it
            self.failure = failure

    def _apimanager(self) -> Object | None:
        return self._kubernetes.get("apimanagers", self._installation.namespace, threescale.NAME)

    def _wait_for(self, look: Any) -> Any:
        while not self._stopping.wait(0.3):
            try:
                if seen := look():
                    return seen
            except Refused:
                continue
        return None
