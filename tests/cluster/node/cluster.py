"""Up, down and status: the cluster from beginning to end."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from . import (
    archive,
    certificates,
    commands,
    kubeconfig,
    leftovers,
    network,
    packages,
    parts,
    processes,
    programs,
    readiness,
    runtime,
)
from . import layout as places
from .errors import AlreadyUp, NotRoot, NotUp
from .layout import Layout
from .processes import Process
from .programs import Programs

MANIFESTS: Final = Path(__file__).parent.parent / "manifests"
_STOP_ORDER: Final = ("kubelet", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
Say = Callable[[str], object]


def build(say: Say) -> Programs:
    """Install and build what the cluster needs, where it is missing."""
    installed = packages.install(packages.TO_RUN)
    if installed:
        say(f"installed {', '.join(installed)}")
    say(f"programs in {programs.cache()}")
    return programs.build(say)


def up(layout: Layout, say: Say) -> None:
    """Bring the cluster up: when this returns, pods can be made."""
    _check_absent(layout)
    built = build(say)
    layout.make_folders()
    leftovers.prepare(layout)
    certificates.write(layout.certificates)
    kubeconfig.write(layout.kubeconfig, certificates.ADMIN, layout.certificates)
    network.create(layout.cni)
    containerd = processes.start(layout, "containerd", runtime.command(layout))
    _start_control_plane(layout, built)
    say("control plane is ready")
    readiness.wait(containerd, partial(runtime.ready, layout), layout)
    _load_pause(layout, built)
    kubelet = _start(layout, built, "kubelet", parts.kubelet(layout))
    readiness.wait(kubelet, readiness.kubelet(layout), layout)
    kubectl = partial(_kubectl, layout, built)
    readiness.wait(kubelet, partial(_is_ready, kubectl), layout)
    say("node is ready")


def _check_absent(layout: Layout) -> None:
    if os.geteuid() != 0:
        raise NotRoot
    if layout.folder.exists() and any(layout.folder.iterdir()):
        raise AlreadyUp(layout.folder, [process.name for process in processes.running(layout)])


def _start_control_plane(layout: Layout, built: Programs) -> None:
    etcd = _start(layout, built, "etcd", parts.etcd(layout))
    readiness.wait(etcd, readiness.etcd(layout), layout)
    apiserver = _start(layout, built, "kube-apiserver", parts.apiserver(layout))
    readiness.wait(apiserver, readiness.apiserver(layout), layout)
    manager = _start(layout, built, "kube-controller-manager", parts.controller_manager(layout))
    scheduler = _start(layout, built, "kube-scheduler", parts.scheduler(layout))
    _kubectl(layout, built, "apply", "--server-side", "--filename", str(MANIFESTS))
    readiness.wait(manager, readiness.controller_manager(layout), layout)
    readiness.wait(scheduler, readiness.scheduler(layout), layout)


def _start(layout: Layout, built: Programs, part: str, arguments: list[str]) -> Process:
    return processes.start(layout, part, [built[part], *arguments])


def _load_pause(layout: Layout, built: Programs) -> None:
    path = layout.containerd / "pause.tar"
    settings = {"Entrypoint": ["/pause"], "User": "65535:65535"}
    archive.write(path, places.PAUSE_IMAGE, {"pause": built["pause"]}, settings)
    runtime.load(layout, path)
    path.unlink()


def _kubectl(layout: Layout, built: Programs, *words: str) -> str:
    return commands.run(built["kubectl"], *words, environment=kubectl_environment(layout))


def kubectl_environment(layout: Layout) -> dict[str, str]:
    """Its cache dies with the cluster: the next one at the same address may have other resources."""
    return {"KUBECONFIG": str(layout.kubeconfig), "KUBECACHEDIR": f"{layout.folder}/kubectl", "NO_PROXY": "*"}


def _is_ready(kubectl: Callable[..., str]) -> bool:
    """Whether the node takes pods, and a pod of the default namespace would find its service account."""
    condition = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    node = kubectl("get", "node", places.NAME, "--ignore-not-found", "--output", condition)
    account = kubectl("get", "serviceaccount", "default", "--ignore-not-found", "--output", "name")
    return node == "True" and account != ""


def down(layout: Layout) -> None:
    """Stop what was started here and undo what it did; whatever is gone already is passed over."""
    if os.geteuid() != 0:
        raise NotRoot
    running = {process.name: process for process in processes.running(layout)}
    for part in _STOP_ORDER:
        if part in running:
            running[part].stop()
    leftovers.kill_pods()
    if "containerd" in running:
        runtime.remove_all(layout)
        running["containerd"].stop()
    for shim in processes.with_argument(str(layout.containerd_socket)):
        shim.stop(patience_s=1.0)
    leftovers.unmount(layout.folder)
    network.remove()
    leftovers.remove(layout)


def status(layout: Layout) -> dict[str, str]:
    """Tell of each part whether it runs."""
    recorded = processes.recorded(layout)
    if not recorded:
        raise NotUp(layout.folder)
    return {part.name: f"runs, process {part.pid}" if part.alive else "has ended" for part in recorded}


def load(layout: Layout, image: Path) -> list[str]:
    """Bring an image into the cluster, and return its names."""
    if not any(process.name == "containerd" for process in processes.running(layout)):
        raise NotUp(layout.folder)
    return runtime.load(layout, image)
