"""The cluster's own authority, and who is who: one certificate an identity, made by the openssl command."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import commands, layout

_DAYS: Final = "365"
_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_SERVICE = "kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class Identity:
    """A name, its groups, and the hosts that it serves as, if it serves."""

    file: str
    user: str
    group: str = ""
    hosts: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        return (f"/O={self.group}" if self.group else "") + f"/CN={self.user}"


APISERVER: Final = Identity(
    "apiserver",
    "kube-apiserver",
    hosts=(
        *(_SERVICE.rsplit(".", dots)[0] for dots in (4, 3, 2)),
        _SERVICE,
        "localhost",
        layout.LOOPBACK,
        layout.NODE_ADDRESS,
        layout.SERVICE_ADDRESS,
    ),
)
LOOPBACK: Final = Identity("loopback", "loopback", hosts=("localhost", layout.LOOPBACK))
APISERVER_CLIENT: Final = Identity("apiserver-client", "kube-apiserver-kubelet-client", "system:masters")
NODE: Final = Identity("node", f"system:node:{layout.NAME}", "system:nodes", hosts=(layout.NAME, layout.NODE_ADDRESS))
CONTROLLER_MANAGER: Final = Identity("controller-manager", "system:kube-controller-manager")
SCHEDULER: Final = Identity("scheduler", "system:kube-scheduler")
ADMIN: Final = Identity("admin", "admin", "system:masters")
ALL: Final = (APISERVER, LOOPBACK, APISERVER_CLIENT, NODE, CONTROLLER_MANAGER, SCHEDULER, ADMIN)


def write(folder: Path) -> None:
    """Write the authority, each identity's certificate and key, and the key that signs service account tokens."""
    _write_authority(folder)
    for identity in ALL:
        _write(identity, folder)
    key = folder / "service-accounts.key"
    commands.run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    commands.run("openssl", "pkey", "-in", key, "-pubout", "-out", folder / "service-accounts.pub")


def _write_authority(folder: Path) -> None:
    settings = folder / "authority.cnf"
    settings.write_text(extensions(["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]))
    _request(folder, "authority", f"/CN={layout.NAME}-authority")


def _write(identity: Identity, folder: Path) -> None:
    (folder / f"{identity.file}.cnf").write_text(extensions(list(_lines(identity))))
    signer = ("-CA", folder / "authority.crt", "-CAkey", folder / "authority.key")
    _request(folder, identity.file, identity.subject, *signer)


def _lines(identity: Identity) -> Iterator[str]:
    yield "basicConstraints=critical,CA:FALSE"
    yield "authorityKeyIdentifier=keyid"
    yield "keyUsage=critical,digitalSignature"
    yield "extendedKeyUsage=clientAuth" + (",serverAuth" if identity.hosts else "")
    if identity.hosts:
        yield "subjectAltName=" + ",".join(alternative_name(host) for host in identity.hosts)


def alternative_name(host: str) -> str:
    return f"IP:{host}" if host.replace(".", "").isdigit() else f"DNS:{host}"


def extensions(lines: list[str]) -> str:
    """An openssl configuration of its own: the machine's may add extensions that contradict these."""
    head = ["[req]", "distinguished_name=name", "x509_extensions=own", "[name]", "[own]", "subjectKeyIdentifier=hash"]
    return "\n".join([*head, *lines, ""])


def _request(folder: Path, file: str, subject: str, *signer: str | Path) -> None:
    commands.run(
        *("openssl", "req", "-x509", "-sha256", "-days", _DAYS, *_KEY, "-subj", subject, *signer),
        *("-config", folder / f"{file}.cnf", "-keyout", folder / f"{file}.key", "-out", folder / f"{file}.crt"),
    )
