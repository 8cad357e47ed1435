"""The hand that strikes phases while they run, from within their containers.

Argo's own process is the first of a container, and no signal from within reaches it; the phase is its child, and has
children of its own while it copies.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from kubernetes.client.exceptions import ApiException

from steps.threescale.installation import SYSTEM_STORAGE
from tests.live.argo.argo import NODE_S, Argo, Node
from tests.live.installation import Installation
from tests.live.kubernetes import Kubernetes, until

LARGE_BYTES: Final = 1 << 28  # to be copied for a while
YOUNG: Final = timedelta(seconds=11)  # a pod that is lost in the first 10 s of its try is made anew, for the same try
_ENLARGE: Final = """
import os, sys
with open(sys.argv[1] + "/zz-large", "wb") as stream:
    for _ in range(int(sys.argv[2]) >> 20):
        stream.write(b"x" * (1 << 20))  # no zeros: of these a copy shows nothing until its end
"""
_PHASE: Final = """
import os, pathlib, re, signal, sys, time

def phase():  # its own process, then those that it has forked
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != "1":
            try:
                words = (folder / "cmdline").read_bytes().split(bytes(1))
            except OSError:
                continue
            if words[1:3] == [b"-m", b"steps"]:
                found.append(int(folder.name))
    return sorted(found)

def wait(look):
    end = time.monotonic() + 20
    while not (seen := look()):
        if time.monotonic() > end:
            sys.exit("nothing came")
        time.sleep(0.001)
    return seen
"""
_AMID_COPY: Final = """
def is_large(path):
    try:
        return path.stat().st_size >= 1 << 20
    except OSError:
        return False

wait(lambda: is_large(pathlib.Path("/backup/system-filestorage-pvc/zz-large")))
"""
_STOP: Final = """
for process in wait(phase):
    os.kill(process, signal.SIGSTOP)
print("sent")
"""
_KILL: Final = """
os.kill(wait(phase)[0], signal.SIGKILL)
"""
_GO_ON: Final = """
def has_come():
    status = pathlib.Path(f"/proc/{wait(phase)[0]}/status").read_text()
    mask = 1 << signal.SIGTERM - 1
    return any(int(pending, 16) & mask for pending in re.findall(r"(?:Sig|Shd)Pnd:\\s*(\\w+)", status))

wait(has_come)
for process in wait(phase):
    os.kill(process, signal.SIGCONT)
"""


class Hand:
    """Strikes the tries of phases."""

    def __init__(self, kubernetes: Kubernetes, namespace: str, argo: Argo) -> None:
        self._kubernetes = kubernetes
        self._namespace = namespace
        self._argo = argo

    def enlarge(self, installation: Installation) -> None:
        """Put a file among System's that takes a while to copy."""
        installation.run(_ENLARGE, "/storage", str(LARGE_BYTES), claims={"/storage": SYSTEM_STORAGE})

    def hold(self, workflow: str, attempt: str, *, amid_copy: bool = False) -> None:
        """Have the processes of a try stand still; `amid_copy` waits until it copies a large file to the backup."""
        code = _PHASE + (_AMID_COPY if amid_copy else "") + _STOP
        pod = self._argo.pod(workflow, attempt)
        said = str(until(f"a process of {attempt}", lambda: self._run(pod, code), NODE_S))
        assert said.strip() == "sent", said

    def go_on(self, workflow: str, attempt: str) -> None:
        """Let processes that stand still go on as soon as the phase was asked to end."""
        self._run(self._argo.pod(workflow, attempt), _PHASE + _GO_ON)

    def kill(self, workflow: str, attempt: str, *, amid_copy: bool = False) -> None:
        """Kill the process of a try; those that it has forked end with it."""
        self.hold(workflow, attempt, amid_copy=amid_copy)
        self._run(self._argo.pod(workflow, attempt), _PHASE + _KILL)

    def lose_pod(self, workflow: str, attempt: str, *, amid_copy: bool = False) -> None:
        """Take the pod of a try away while its process runs and the try is no longer young; wait for nobody."""
        self.hold(workflow, attempt, amid_copy=amid_copy)
        self._argo.wait_until(workflow, f"{attempt} of some age", lambda found: _is_old(found.node(attempt)))
        self._kubernetes.delete("pods", self._namespace, self._argo.pod(workflow, attempt), now=True)

    def _run(self, pod: str, code: str) -> str:
        """Run a program beside the phase and return its words; none while, or as soon as, there is no container."""
        try:
            return self._kubernetes.run(self._namespace, pod, "main", "python", "-c", code)
        except ApiException:
            return ""


def _is_old(attempt: Node) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(attempt.started) > YOUNG
