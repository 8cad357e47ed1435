"""A containerd of the cluster's own: nothing of a system's containerd is read or touched."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import commands
from . import layout as places
from .errors import ClusterError
from .layout import Layout

_NAMESPACE: Final = "k8s.io"

# restrict_oom_score_adj: without CAP_SYS_RESOURCE no process may lower its own.
# The `opt` plug-in would make a folder in /opt; the snapshotters off are for file systems that are not asked for.
_SETTINGS: Final = """\
version = 2
root = "{folder}/root"
state = "{folder}/run"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.tracing",
]

[grpc]
  address = "{folder}/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{cni}/net.d"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "{folder}/runc"
"""


def command(layout: Layout) -> list[str]:
    """Write the settings, and tell how to start it."""
    settings = layout.settings / "containerd.toml"
    settings.write_text(_SETTINGS.format(folder=layout.containerd, cni=layout.cni, pause=places.PAUSE_IMAGE))
    return ["containerd", "--config", str(settings)]


def ready(layout: Layout) -> bool:
    """Whether its CRI plug-in is up: the socket is there before."""
    try:
        plugins = _ctr(layout, "plugins", "ls")
    except ClusterError:
        return False
    rows = [line.split() for line in plugins.splitlines()]
    return any(row[:2] == ["io.containerd.grpc.v1", "cri"] and "ok" in row for row in rows)


def load(layout: Layout, image: Path) -> list[str]:
    """Bring in the images of an archive (OCI's or Docker's), and return their names."""
    said = _ctr(layout, "images", "import", str(image))
    return [line.split()[1] for line in said.splitlines() if line.startswith("unpacking ")]


def images(layout: Layout) -> list[str]:
    return [name for name in _ctr(layout, "images", "ls", "--quiet").split() if not name.startswith("sha256:")]


def containers(layout: Layout) -> list[str]:
    return _ctr(layout, "containers", "ls", "--quiet").split()


def remove_all(layout: Layout) -> None:
    """End and remove every container: each one's shim ends with its task."""
    for task in _ctr(layout, "tasks", "ls", "--quiet").split():
        commands.succeeds(*_words(layout, "tasks", "delete", "--force", task))
    for container in containers(layout):
        commands.succeeds(*_words(layout, "containers", "delete", container))


def _ctr(layout: Layout, *words: str) -> str:
    return commands.run(*_words(layout, *words))


def _words(layout: Layout, *words: str) -> Sequence[str]:
    return ("ctr", "--address", str(layout.containerd_socket), "--namespace", _NAMESPACE, *words)
