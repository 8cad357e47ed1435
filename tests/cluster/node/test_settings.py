"""What the parts are told: addresses, certificates, the network, and what is undone."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.cluster.node import archive, certificates, commands, kubeconfig, layout, leftovers, network, packages, parts
from tests.cluster.node.layout import Layout


def test_a_folder_too_long_for_a_socket_is_refused():
    with pytest.raises(ValueError, match="at most 60 characters"):
        Layout(Path("/", "x" * 60))


def test_a_relative_folder_is_refused():
    with pytest.raises(ValueError, match="an absolute path"):
        Layout(Path("cluster"))


def test_every_part_listens_on_loopback_or_the_bridge_only():
    settings = parts.kubelet_settings(Layout())
    api = parts.apiserver(Layout())

    assert {settings["address"], settings["healthzBindAddress"]} == {layout.NODE_ADDRESS, layout.LOOPBACK}
    assert f"--bind-address={layout.NODE_ADDRESS}" in api
    assert all("127.0.0.1" in word for word in parts.etcd(Layout()) if word.startswith("--listen"))


def test_the_bridge_is_no_gateway_to_the_plug_in_which_would_turn_on_forwarding():
    [bridge] = network.plugins(Path("/addresses"))["plugins"]

    assert bridge["isGateway"] is False
    assert bridge["ipMasq"] is False
    assert bridge["ipam"]["routes"] == [{"dst": "0.0.0.0/0", "gw": layout.NODE_ADDRESS}]


def test_only_what_is_mounted_below_the_folder_is_unmounted_the_last_first():
    mountinfo = [
        "22 1 254:0 / / rw - ext4 /dev/vda rw",
        "30 22 0:40 / /var/lib/cluster/kubelet/pods/1/volumes/token rw - tmpfs tmpfs rw",
        "31 22 0:41 / /var/lib/cluster/a\\040b rw - overlay overlay rw",
        "32 22 0:42 / /var/lib/cluster-other rw - tmpfs tmpfs rw",
    ]

    assert leftovers.mounted_below(Path("/var/lib/cluster"), mountinfo) == [
        "/var/lib/cluster/a b",
        "/var/lib/cluster/kubelet/pods/1/volumes/token",
    ]


def test_a_missing_program_is_named_by_its_package(tmp_path):
    (tmp_path / "runc").touch(mode=0o755)
    needed = {"runc": "runc", "/usr/lib/cni/no-such": "containernetworking-plugins", "ctr-no-such": "containerd"}

    assert packages.missing(needed, path=str(tmp_path)) == ["containerd", "containernetworking-plugins"]


def test_an_image_archive_holds_its_programs_and_is_the_same_each_time(tmp_path):
    program = tmp_path / "pause"
    program.write_bytes(b"static")
    for name in ("one.tar", "two.tar"):
        archive.write(tmp_path / name, "localhost/pause:1", {"pause": program}, {"Entrypoint": ["/pause"]})
    with tarfile.open(tmp_path / "one.tar") as image:
        [manifest] = json.loads(image.extractfile("manifest.json").read())
        config = json.loads(image.extractfile(manifest["Config"]).read())

    assert manifest["RepoTags"] == ["localhost/pause:1"]
    assert config["config"] == {"Entrypoint": ["/pause"]}
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


@pytest.mark.parametrize(
    ("host", "name"),
    [("127.0.0.1", "IP:127.0.0.1"), ("localhost", "DNS:localhost"), ("kubernetes.default", "DNS:kubernetes.default")],
)
def test_a_host_is_an_address_or_a_name(host, name):
    assert certificates.alternative_name(host) == name


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_the_authority_signs_each_identity_and_the_kubeconfig_is_for_its_owner_only(tmp_path):
    certificates.write(tmp_path)
    path = kubeconfig.write(tmp_path / "kubeconfig", certificates.ADMIN, tmp_path)
    text = commands.run("openssl", "x509", "-in", tmp_path / "apiserver.crt", "-noout", "-text")
    files = [tmp_path / f"{identity.file}.crt" for identity in certificates.ALL]
    commands.run("openssl", "verify", "-x509_strict", "-CAfile", tmp_path / "authority.crt", *files)

    assert f"IP Address:{layout.SERVICE_ADDRESS}" in text
    assert "DNS:kubernetes.default.svc.cluster.local" in text
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["current-context"] == layout.NAME
