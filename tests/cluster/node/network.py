"""The pods' network: one bridge that leads nowhere else, and one rule that stands for kube-proxy.

Pods reach each other and the API server, and nothing outside this machine: the bridge has no way out, and forwarding
stays as the machine has it.
"""

import json
from pathlib import Path
from typing import Any, Final

from . import commands
from . import layout as places
from .errors import BridgeTaken

_RULE: Final = (
    *("PREROUTING", "--in-interface", places.BRIDGE, "--destination", f"{places.SERVICE_ADDRESS}/32"),
    *("--protocol", "tcp", "--dport", "443", "--match", "comment", "--comment", f"{places.NAME} cluster"),
    *("--jump", "DNAT", "--to-destination", f"{places.NODE_ADDRESS}:{places.API_PORT}"),
)


def create(cni: Path) -> None:
    """Make the bridge and the rule, and tell the container runtime how a pod joins them."""
    if exists():
        raise BridgeTaken(places.BRIDGE)
    width = places.POD_NETWORK.partition("/")[2]
    commands.run("ip", "link", "add", places.BRIDGE, "type", "bridge")
    commands.run("ip", "address", "add", f"{places.NODE_ADDRESS}/{width}", "dev", places.BRIDGE)
    commands.run("ip", "link", "set", places.BRIDGE, "up")
    commands.run("iptables", "--wait", "--table", "nat", "--append", *_RULE)
    settings = cni / "net.d"
    settings.mkdir(exist_ok=True)
    (settings / "10-bridge.conflist").write_text(json.dumps(plugins(cni / "addresses"), indent=1))


def exists() -> bool:
    return Path("/sys/class/net", places.BRIDGE).exists()


def remove() -> None:
    if commands.succeeds("iptables", "--wait", "--table", "nat", "--check", *_RULE):
        commands.run("iptables", "--wait", "--table", "nat", "--delete", *_RULE)
    if exists():
        commands.run("ip", "link", "delete", places.BRIDGE)


def plugins(addresses: Path) -> dict[str, Any]:
    """A pod's end of the bridge. It is no gateway to the plug-in, which would turn on forwarding for the machine."""
    pool = {"subnet": places.POD_NETWORK, "rangeStart": places.FIRST_POD_ADDRESS, "gateway": places.NODE_ADDRESS}
    ipam = {
        "type": "host-local",
        "dataDir": str(addresses),
        "ranges": [[pool]],
        "routes": [{"dst": "0.0.0.0/0", "gw": places.NODE_ADDRESS}],
    }
    bridge = {"type": "bridge", "bridge": places.BRIDGE, "isGateway": False, "ipMasq": False, "ipam": ipam}
    return {"cniVersion": "0.4.0", "name": places.NAME, "plugins": [bridge]}
