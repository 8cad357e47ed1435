"""What the parts change on the machine outside the cluster's folder: noted or led back into it, and undone."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from . import commands
from . import layout as places
from .errors import StillMounted
from .layout import Layout

PROVISIONED: Final = Path("/tmp/hostpath_pv")
_LOG_LINKS: Final = Path("/var/log/containers")  # built into the kubelet
_CNI_RESULTS: Final = Path("/var/lib/cni/results")  # built into containerd
_DEVICE_SOCKET: Final = Path("/var/lib/kubelet/device-plugins/kubelet.sock")  # built into the kubelet
_FOLDERS: Final = (_LOG_LINKS, _CNI_RESULTS, _DEVICE_SOCKET.parent, Path("/run/containerd/s"))
_CGROUPS: Final = Path("/sys/fs/cgroup")
_ENDING_S: Final = 5.0

# pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables: the kubelet sets these
_TUNABLES: Final = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def prepare(layout: Layout) -> None:
    """Note what will be changed, make the cgroup, and lead provisioned volumes into the cluster's folder."""
    kernel = {name: path.read_text() for name in _TUNABLES if (path := Path("/proc/sys", name)).exists()}
    absent = [str(folder) for built_in in _FOLDERS for folder in (built_in, built_in.parent) if not folder.exists()]
    _before(layout).write_text(json.dumps({"kernel": kernel, "absent": absent}, indent=1))
    if PROVISIONED.is_symlink() and not PROVISIONED.exists():
        PROVISIONED.unlink()  # of a cluster whose folder was removed by hand
    PROVISIONED.symlink_to(layout.volumes)
    for hierarchy in _hierarchies():
        (hierarchy / places.NAME).mkdir(exist_ok=True)


def _before(layout: Layout) -> Path:
    return layout.settings / "before.json"


def _hierarchies() -> list[Path]:
    """The one of cgroup v2, or each controller's of v1."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [path for path in _CGROUPS.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink()]


def kill_pods() -> None:
    """End what runs in the cluster's own cgroup: containers, whoever started them."""
    for hierarchy in _hierarchies():
        for folder, _, _ in os.walk(hierarchy / places.NAME):
            with suppress(OSError):  # a container that ends takes its cgroup along
                for pid in Path(folder, "cgroup.procs").read_text().split():
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)


def unmount(folder: Path) -> None:
    """Unmount all that is mounted below the folder, the deepest first."""
    for point in mounted_below(folder, Path("/proc/self/mountinfo").read_text().splitlines()):
        commands.succeeds("umount", "--lazy", "--", point)
    remaining = mounted_below(folder, Path("/proc/self/mountinfo").read_text().splitlines())
    if remaining:
        raise StillMounted(remaining)


def mounted_below(folder: Path, mountinfo: Iterable[str]) -> list[str]:
    """Read mount points out of /proc/self/mountinfo, the last mounted first; see proc_pid_mountinfo(5)."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo]
    return [point for point in reversed(points) if Path(point).is_relative_to(folder)]


def remove(layout: Layout) -> None:
    """Undo what `prepare` did and what the parts left; the folder itself comes last."""
    if PROVISIONED.is_symlink() and PROVISIONED.readlink() == layout.volumes:
        PROVISIONED.unlink()
    for link in _LOG_LINKS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(layout.pod_logs):
            link.unlink()
    for result in _CNI_RESULTS.glob("*"):
        if f"{layout.folder}/" in result.read_text():  # the path of the pod's network namespace
            result.unlink()
    for hierarchy in _hierarchies():
        _remove_cgroup(hierarchy / places.NAME)
    if _before(layout).exists():
        _put_back(**json.loads(_before(layout).read_text()))
    if layout.folder.exists():
        shutil.rmtree(layout.folder)


def _put_back(kernel: Mapping[str, str], absent: Sequence[str]) -> None:
    for name, value in kernel.items():
        path = Path("/proc/sys", name)
        if path.read_text() != value:
            path.write_text(value)
    if str(_DEVICE_SOCKET.parent) in absent:
        _DEVICE_SOCKET.unlink(missing_ok=True)
    for folder in absent:
        with suppress(OSError):  # another program has used it meanwhile
            Path(folder).rmdir()


def _remove_cgroup(cgroup: Path) -> None:
    """Remove it with those below; one whose last process is just ending is busy for a moment."""
    deadline = time.monotonic() + _ENDING_S
    while cgroup.exists():
        for folder, _, _ in os.walk(cgroup, topdown=False):
            try:
                Path(folder).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
