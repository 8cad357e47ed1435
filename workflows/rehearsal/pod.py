"""The part of scheduler and kubelet: finds the volumes of a pod, runs its container, and says how it ended.

A pod whose claim is not there stays Pending, as in a cluster; nobody wants to wait as long as in a cluster, so after
`pending_s` the clock is put forward to whatever would end the waiting. Each pod is an object of the cluster too, for
the code that looks at pods.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from weakref import finalize

from workflows.rehearsal import container, errors
from workflows.rehearsal.container import Mount
from workflows.rehearsal.nodes import Phase

Manifest = dict[str, Any]
NODE_NAME: Final = "rehearsal"
TERMINATION_LOG: Final = "/dev/termination-log"
GRACE_S: Final = 30.0  # terminationGracePeriodSeconds, unless set
ACTIVE_TOO_LONG: Final = "Pod was active on the node longer than the specified deadline"
STEP_DEADLINE: Final = "Step exceeded its deadline"
_FALLBACK_BYTES: Final = 2048  # kubelet: MaxContainerTerminationMessageLogLength
_POLL_S: Final = 0.02


class ClusterPort(Protocol):
    """What the rehearsal asks of a cluster, as its administrator."""

    def kubeconfig(self, path: Path, *, namespace: str, service_account: str | None = None) -> Path:
        """Write a kubeconfig that carries the account's token."""

    def get(self, resource: str, namespace: str, name: str) -> Manifest | None:
        """Return an object, None when it is not there."""

    def apply(self, obj: Manifest) -> Manifest:
        """Create or replace an object, status included."""

    def list(self, resource: str, namespace: str, selector: str = "") -> list[Manifest]:
        """Return the objects that a label selector matches."""

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Delete an object."""


class Limit:
    """Says when work has to stop: at the workflow's deadline, or because a person stops it."""

    def __init__(self, deadline: float | None = None) -> None:
        self._deadline = deadline
        self._reason = ""

    def reason(self) -> str:
        """Return why work has to stop, empty while it may go on."""
        if not self._reason and self._deadline is not None and time.monotonic() > self._deadline:
            self._reason = STEP_DEADLINE
        return self._reason

    def stop(self, reason: str) -> None:
        """Stop the work; the first reason stays."""
        self._reason = self._reason or reason

    def put_forward(self) -> str:
        """Put the clock forward to the deadline; return its reason, empty when there is no deadline."""
        if self._deadline is not None:
            self.stop(STEP_DEADLINE)
        return self._reason


@dataclass(frozen=True)
class Order:
    """One try of a node: the template has all its tags replaced; times are those of the rehearsal."""

    workflow: str
    path: str
    pod: str
    node: str
    node_id: str
    template: Mapping[str, Any]
    volumes: tuple[Mapping[str, Any], ...]
    service_account: str
    timeout_s: float | None = None
    pending_timeout_s: float | None = None

    @property
    def where(self) -> str:
        """Name it in an error."""
        return f"template {self.template['name']}"


@dataclass(frozen=True)
class Ending:
    """How a try ended."""

    phase: Phase
    message: str = ""
    exit_code: int | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    log: str = ""


class Kubelet:
    """Runs pods in one namespace; what it writes lies below `folder`, the rest in a folder that goes with it."""

    def __init__(
        self,
        cluster: ClusterPort,
        folder: Path,
        namespace: str,
        *,
        user: int | None,
        time_scale: float,
        pending_s: float,
    ) -> None:
        self._cluster = cluster
        self._folder = folder
        self._namespace = namespace
        self._user = user
        self._time_scale = time_scale
        self._pending_s = pending_s
        self._home = Path(tempfile.mkdtemp(prefix="rehearsal-"))
        self._home.chmod(0o750)
        self._lock = threading.Lock()
        self._writers = Writers()
        self.on_start: Callable[[str, subprocess.Popen[bytes]], None] | None = None
        finalize(self, shutil.rmtree, self._home, ignore_errors=True)

    def volume(self, claim: str) -> Path:
        """Return the folder of a claim, made on first use so that group 0 can write."""
        folder = self._folder / self._namespace / claim
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o2770)
        return folder

    def run(self, order: Order, limit: Limit, tell: Callable[[Phase, str], None]) -> Ending:
        """Run a pod to its end."""
        started = time.monotonic()
        if "" in _claims(order):
            return Ending("Error", f'Pod "{order.pod}" is invalid: persistentVolumeClaim.claimName: Required value')
        pod = self._create(order)
        ending = self._wait_for_claims(order, pod, limit, tell)
        if ending is None:
            self._set_phase(pod, "Running")
            tell("Running", "")
            with self._try_folder() as folder:
                ending = self._run_container(order, folder, limit, started)
        self._set_phase(pod, "Succeeded" if ending.phase == "Succeeded" else "Failed")
        return ending

    # --- the container ---

    def _run_container(self, order: Order, folder: Path, limit: Limit, started: float) -> Ending:
        mounts = self._mounts(order, folder)
        command = self._command(order, mounts, folder)
        with self._writers.watch(mounts, order.where):
            process = container.start(command)
            if process is None:
                return self._ending(order, mounts, command, container.NO_SUCH_COMMAND, "")
            if self.on_start:
                self.on_start(order.node, process)
            late = started + order.timeout_s if order.timeout_s is not None else None
            reason = container.wait(process, lambda: limit.reason() or _too_late(late), self._grace_s)
        return self._ending(order, mounts, command, container.exit_code(process), reason)

    @property
    def _grace_s(self) -> float:
        return max(GRACE_S * self._time_scale, 1.0)

    def _command(self, order: Order, mounts: list[Mount], folder: Path) -> container.Command:
        described = order.template["container"]
        working = _new_folder(folder / "work", 0o750)
        variables = self._environment(order, mounts, working)
        words = [str(word) for word in (*described["command"], *described.get("args", []))]
        argv = [container.translate(container.expand(word, variables), mounts, order.where) for word in words]
        argv[0] = container.interpreter(argv[0])
        return container.Command(argv, variables, working, folder / "log", self._user)

    def _environment(self, order: Order, mounts: list[Mount], working: Path) -> dict[str, str]:
        variables = container.environment(working, mounts) | {
            "KUBECONFIG": str(self._kubeconfig(order.service_account)),
            "ARGO_NODE_ID": order.node_id,
            "ARGO_WORKFLOW_NAME": order.workflow,
            "ARGO_CONTAINER_NAME": "main",
            "ARGO_PROGRESS_FILE": str(_new_folder(working.parent / "progress", 0o777) / "progress"),
        }
        if order.timeout_s is not None:
            variables["ARGO_DEADLINE"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + order.timeout_s))
        for entry in order.template["container"].get("env", []):
            value = container.expand(self._variable(entry, order), variables)
            variables[entry["name"]] = container.translate(value, mounts, order.where)
        return variables

    def _variable(self, entry: Mapping[str, Any], order: Order) -> str:
        if "valueFrom" not in entry:
            return str(entry.get("value", ""))
        facts = {"metadata.namespace": self._namespace, "metadata.name": order.pod, "spec.nodeName": NODE_NAME}
        path = entry["valueFrom"]["fieldRef"]["fieldPath"]
        if path not in facts:
            raise errors.UnknownField(order.where, f"env.{entry['name']}.valueFrom.fieldRef.fieldPath {path}")
        return facts[path]

    def _ending(self, order: Order, mounts: list[Mount], command: container.Command, code: int, reason: str) -> Ending:
        log = command.log.read_text(errors="replace")
        outputs, missing = _outputs(order, mounts)
        if reason:
            return Ending("Failed", reason, code, outputs, log)
        if code:
            return Ending("Failed", _message(order, mounts, command, code), code, outputs, log)
        if missing:
            message = f"wait: Error (exit code 1): open {missing}: no such file or directory"
            return Ending("Error", message, code, outputs, log)
        return Ending("Succeeded", "", code, outputs, log)

    # --- volumes ---

    def _mounts(self, order: Order, folder: Path) -> list[Mount]:
        described = order.template["container"]
        volumes = {volume["name"]: volume for volume in order.volumes}
        mounts = [self._mount(mount, volumes, folder, order.where) for mount in described.get("volumeMounts", [])]
        message = _new_folder(folder / "message", 0o777) / "termination-log"
        message.touch()
        message.chmod(0o666)
        return [*mounts, Mount(_termination_log(order), message)]

    def _mount(self, mount: Mapping[str, Any], volumes: Mapping[str, Any], folder: Path, where: str) -> Mount:
        if mount["name"] not in volumes:
            raise errors.UnknownName("volume", mount["name"], where)
        volume = volumes[mount["name"]]
        claim = volume.get("persistentVolumeClaim")
        if claim is None:
            root = _new_folder(folder / "volumes" / mount["name"], 0o777)
        else:
            root = self.volume(claim["claimName"])
        place = root / mount.get("subPath", "")
        place.mkdir(parents=True, exist_ok=True)
        read_only = bool(mount.get("readOnly") or (claim or {}).get("readOnly"))
        return Mount(mount["mountPath"].rstrip("/"), place, read_only, str(root) if claim else "")

    def _wait_for_claims(
        self, order: Order, pod: Manifest, limit: Limit, tell: Callable[[Phase, str], None]
    ) -> Ending | None:
        """Wait until all claims are there; return how the pod ended when they never are."""
        missing = self._missing_claim(order)
        if not missing:
            return None
        message = f'persistentvolumeclaim "{missing}" not found'
        self._cluster.apply(_unschedulable(pod, message))
        tell("Pending", f"Unschedulable: {message}")
        until = time.monotonic() + min(self._pending_s, order.pending_timeout_s or self._pending_s)
        while (missing := self._missing_claim(order)) and not limit.reason() and time.monotonic() < until:
            time.sleep(_POLL_S)
        if not missing:
            return None
        if not limit.reason() and order.pending_timeout_s is not None:
            return Ending("Failed", "timeout")
        return Ending("Failed", limit.reason() or limit.put_forward() or _for_ever(missing, order))

    def _missing_claim(self, order: Order) -> str:
        for claim in _claims(order):
            if self._cluster.get("persistentvolumeclaims", self._namespace, claim) is None:
                return claim
        return ""

    # --- what lies around a pod ---

    def _create(self, order: Order) -> Manifest:
        """Show the pod to the cluster; volumes and container are those of the manifest."""
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": order.pod,
                "namespace": self._namespace,
                "labels": {"workflows.argoproj.io/workflow": order.workflow},
                "annotations": {
                    "workflows.argoproj.io/node-name": order.path,
                    "workflows.argoproj.io/node-id": order.node_id,
                },
            },
            "spec": {
                "serviceAccountName": order.service_account,
                "volumes": [dict(volume) for volume in order.volumes],
                "containers": [{**order.template["container"], "name": "main"}],
                "restartPolicy": "Never",
            },
            "status": {"phase": "Pending"},
        }
        self._cluster.apply(pod)
        return pod

    def _set_phase(self, pod: Manifest, phase: str) -> None:
        pod["spec"]["nodeName"] = NODE_NAME
        pod["status"] = {"phase": phase}
        self._cluster.apply(pod)

    def _kubeconfig(self, account: str) -> Path:
        file = self._home / f"{account}.kubeconfig"
        with self._lock:
            if not file.exists():
                self._cluster.kubeconfig(file, namespace=self._namespace, service_account=account)
                if self._user is not None:
                    os.chown(file, self._user, 0)
        return file

    @contextmanager
    def _try_folder(self) -> Iterator[Path]:
        """Make the folder of one try, and remove it after the try."""
        folder = Path(tempfile.mkdtemp(prefix="try-", dir=self._home))
        folder.chmod(0o750)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class Writers:
    """Finds out who writes below a read-only mount, though other pods may write to the same volume meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: Counter[str] = Counter()
        self._writing: Counter[str] = Counter()

    @contextmanager
    def watch(self, mounts: list[Mount], where: str) -> Iterator[None]:
        """Compare the read-only volumes before and after, where nobody had the right to write in between."""
        written = {mount.claim for mount in mounts if mount.claim and not mount.read_only}
        watched = [mount for mount in mounts if mount.claim and mount.read_only and mount.claim not in written]
        with self._lock:
            quiet = {mount: self._started[mount.claim] for mount in watched if not self._writing[mount.claim]}
            self._started.update(written)
            self._writing.update(written)
        before = {mount: container.snapshot(mount.folder) for mount in quiet}
        try:
            yield
        finally:
            with self._lock:
                self._writing.subtract(written)
                still = [mount for mount in quiet if self._started[mount.claim] == quiet[mount]]
        for mount in still:
            if names := container.changes(before[mount], container.snapshot(mount.folder)):
                raise errors.WrittenReadOnly(mount.path, names, where)


def _too_late(late: float | None) -> str:
    return ACTIVE_TOO_LONG if late is not None and time.monotonic() > late else ""


def _for_ever(claim: str, order: Order) -> str:
    raise errors.PendingForEver(claim, order.where)


def _claims(order: Order) -> list[str]:
    """Name the claims of a pod; a volume that nothing mounts has to be there too."""
    volumes = [volume["persistentVolumeClaim"] for volume in order.volumes if "persistentVolumeClaim" in volume]
    return [str(claim["claimName"]) for claim in volumes]


def _unschedulable(pod: Manifest, message: str) -> Manifest:
    metadata = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.unschedulable", "namespace": metadata["namespace"]},
        "involvedObject": {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"]},
        "reason": "FailedScheduling",
        "message": message,
        "type": "Warning",
    }


def _new_folder(folder: Path, mode: int) -> Path:
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(mode)
    return folder


def _termination_log(order: Order) -> str:
    return str(order.template["container"].get("terminationMessagePath", TERMINATION_LOG))


def _message(order: Order, mounts: list[Mount], command: container.Command, code: int) -> str:
    """Write what the controller makes of a failed container and its termination message."""
    said = container.tail(
        container.real_path(_termination_log(order), mounts, order.where), container.MESSAGE_LIMIT_BYTES
    )
    if not said and order.template["container"].get("terminationMessagePolicy") == "FallbackToLogsOnError":
        said = container.tail(command.log, _FALLBACK_BYTES)
    if not said and code == container.NO_SUCH_COMMAND and not Path(command.argv[0]).exists():
        said = f'failed to find name in PATH: exec: "{command.argv[0]}": executable file not found in $PATH'
    return f"main: Error (exit code {code})" + (f": {said}" if said else "")


def _outputs(order: Order, mounts: list[Mount]) -> tuple[dict[str, str], str]:
    """Read the output parameters; also return the first path that has neither a file nor a default."""
    outputs, missing = {}, ""
    for parameter in order.template.get("outputs", {}).get("parameters", []):
        source = parameter["valueFrom"]
        file = container.real_path(source["path"], mounts, order.where)
        if file.is_file():
            outputs[parameter["name"]] = file.read_text().removesuffix("\n")
        elif "default" in source:
            outputs[parameter["name"]] = str(source["default"])
        else:
            missing = missing or source["path"]
    return outputs, missing
