"""How each part of Kubernetes is started."""

import json
from pathlib import Path

from . import kubeconfig
from . import layout as places
from .certificates import APISERVER, APISERVER_CLIENT, CONTROLLER_MANAGER, LOOPBACK, NODE, SCHEDULER, Identity
from .layout import Layout


def etcd(layout: Layout) -> list[str]:
    """Its data is as short-lived as the cluster: nothing waits for the disk."""
    client = f"https://{places.LOOPBACK}:{places.ETCD_PORT}"
    peer = f"http://{places.LOOPBACK}:{places.ETCD_PEER_PORT}"
    files = layout.certificates
    return [
        f"--data-dir={layout.etcd}/data",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--cert-file={files}/{LOOPBACK.file}.crt",
        f"--key-file={files}/{LOOPBACK.file}.key",
        f"--trusted-ca-file={files}/authority.crt",
        "--client-cert-auth",
        "--unsafe-no-fsync",
    ]


def apiserver(layout: Layout) -> list[str]:
    files = layout.certificates
    return [
        f"--bind-address={places.NODE_ADDRESS}",
        f"--advertise-address={places.NODE_ADDRESS}",
        f"--secure-port={places.API_PORT}",
        f"--service-cluster-ip-range={places.SERVICE_NETWORK}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--etcd-servers=https://{places.LOOPBACK}:{places.ETCD_PORT}",
        f"--etcd-cafile={files}/authority.crt",
        f"--etcd-certfile={files}/{APISERVER_CLIENT.file}.crt",
        f"--etcd-keyfile={files}/{APISERVER_CLIENT.file}.key",
        f"--client-ca-file={files}/authority.crt",
        f"--tls-cert-file={files}/{APISERVER.file}.crt",
        f"--tls-private-key-file={files}/{APISERVER.file}.key",
        f"--kubelet-certificate-authority={files}/authority.crt",
        f"--kubelet-client-certificate={files}/{APISERVER_CLIENT.file}.crt",
        f"--kubelet-client-key={files}/{APISERVER_CLIENT.file}.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={files}/service-accounts.pub",
        f"--service-account-signing-key-file={files}/service-accounts.key",
    ]


def controller_manager(layout: Layout) -> list[str]:
    """Volumes are folders of this machine, made by the provisioner that Kubernetes has for trying things out."""
    files = layout.certificates
    return [
        f"--kubeconfig={_kubeconfig(CONTROLLER_MANAGER, layout)}",
        *_serves_on_loopback(layout, places.CONTROLLER_MANAGER_PORT),
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={files}/service-accounts.key",
        f"--root-ca-file={files}/authority.crt",
        "--enable-hostpath-provisioner=true",
        f"--flex-volume-plugin-dir={layout.kubelet}/volume-plugins",
    ]


def scheduler(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={_kubeconfig(SCHEDULER, layout)}",
        *_serves_on_loopback(layout, places.SCHEDULER_PORT),
        "--leader-elect=false",
    ]


def kubelet(layout: Layout) -> list[str]:
    settings = layout.settings / "kubelet.json"
    settings.write_text(json.dumps(kubelet_settings(layout), indent=1))
    return [
        f"--config={settings}",
        f"--kubeconfig={_kubeconfig(NODE, layout)}",
        f"--root-dir={layout.kubelet}",
        f"--cert-dir={layout.kubelet}/pki",
        f"--hostname-override={places.NAME}",
        f"--node-ip={places.NODE_ADDRESS}",
    ]


def kubelet_settings(layout: Layout) -> dict[str, object]:
    """For a machine without systemd, with cgroup v1 or v2, swap or none, and without CAP_SYS_RESOURCE."""
    files = layout.certificates
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": places.NODE_ADDRESS,
        "port": places.KUBELET_PORT,
        "healthzBindAddress": places.LOOPBACK,
        "healthzPort": places.KUBELET_HEALTH_PORT,
        "tlsCertFile": f"{files}/{NODE.file}.crt",
        "tlsPrivateKeyFile": f"{files}/{NODE.file}.key",
        "authentication": {"x509": {"clientCAFile": f"{files}/authority.crt"}},
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{places.NAME}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "oomScoreAdj": 0,
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,  # images come by hand here: none is to go by itself
        "makeIPTablesUtilChains": False,
        "podLogsDir": str(layout.pod_logs),
        "resolvConf": "",
        "volumePluginDir": f"{layout.kubelet}/volume-plugins",
    }


def _kubeconfig(identity: Identity, layout: Layout) -> Path:
    return kubeconfig.write(layout.settings / f"{identity.file}.kubeconfig", identity, layout.certificates)


def _serves_on_loopback(layout: Layout, port: int) -> list[str]:
    return [
        f"--bind-address={places.LOOPBACK}",
        f"--secure-port={port}",
        f"--tls-cert-file={layout.certificates}/{LOOPBACK.file}.crt",
        f"--tls-private-key-file={layout.certificates}/{LOOPBACK.file}.key",
    ]
