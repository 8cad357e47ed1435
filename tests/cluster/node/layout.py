"""Where the cluster keeps its things, and the addresses it takes.

All that it writes lies in one folder, so that taking the cluster down is unmounting and removing that folder. The few
paths that its parts have built in are in `leftovers`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAME: Final = "threescale-backup"  # of the node, the pods' network, the kubeconfig's context and the cgroup
FOLDER: Final = Path("/var/lib/threescale-backup-cluster")
LONGEST_FOLDER: Final = 60  # a Unix socket's path ends at 107 bytes, and the kubelet's lie deep

BRIDGE: Final = "tsbackup0"
POD_NETWORK: Final = "10.213.0.0/24"
NODE_ADDRESS: Final = "10.213.0.1"
FIRST_POD_ADDRESS: Final = "10.213.0.10"
SERVICE_NETWORK: Final = "10.214.0.0/24"
SERVICE_ADDRESS: Final = "10.214.0.1"  # of the API server: the first of the service network
LOOPBACK: Final = "127.0.0.1"

API_PORT: Final = 16443
ETCD_PORT: Final = 12379
ETCD_PEER_PORT: Final = 12380
CONTROLLER_MANAGER_PORT: Final = 11257
SCHEDULER_PORT: Final = 11259
KUBELET_PORT: Final = 11250
KUBELET_HEALTH_PORT: Final = 11248

API_URL: Final = f"https://{NODE_ADDRESS}:{API_PORT}"
PAUSE_IMAGE: Final = "localhost/threescale-backup/pause:1"


@dataclass(frozen=True)
class Layout:
    folder: Path = FOLDER

    def __post_init__(self) -> None:
        if not self.folder.is_absolute() or len(str(self.folder)) > LONGEST_FOLDER:
            raise ValueError(f"{self.folder}: an absolute path of at most {LONGEST_FOLDER} characters is needed")

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def settings(self) -> Path:
        """Configuration files of the parts, and what is to be put back."""
        return self.folder / "settings"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def processes(self) -> Path:
        return self.folder / "processes"

    @property
    def etcd(self) -> Path:
        return self.folder / "etcd"

    @property
    def kubelet(self) -> Path:
        return self.folder / "kubelet"

    @property
    def pod_logs(self) -> Path:
        return self.folder / "pod-logs"

    @property
    def containerd(self) -> Path:
        return self.folder / "containerd"

    @property
    def containerd_socket(self) -> Path:
        return self.containerd / "containerd.sock"

    @property
    def cni(self) -> Path:
        return self.folder / "cni"

    @property
    def volumes(self) -> Path:
        """Folders of the provisioned volumes."""
        return self.folder / "volumes"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def make_folders(self) -> None:
        for folder in (self.folder, self.certificates, self.settings, self.logs, self.processes, self.etcd, self.cni):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.containerd, self.kubelet, self.pod_logs, self.volumes):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
