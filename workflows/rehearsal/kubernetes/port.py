"""What the rehearsal asks of a cluster, so that any cluster that answers it will do."""

from pathlib import Path
from typing import Any, Protocol

Manifest = dict[str, Any]


class ClusterPort(Protocol):
    """What the rehearsal asks of a cluster, as its administrator."""

    def kubeconfig(self, path: Path, *, namespace: str, service_account: str | None = None) -> Path:
        """Write a kubeconfig that carries the account's token."""

    def get(self, resource: str, namespace: str, name: str) -> Manifest | None:
        """Return an object, None when it is not there."""

    def apply(self, obj: Manifest) -> Manifest:
        """Create or replace an object, status included."""

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Delete an object that is there."""
