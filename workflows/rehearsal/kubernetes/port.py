"""The requests of the rehearsal to a cluster. Any cluster that answers them can be used."""

from pathlib import Path
from typing import Any, Protocol

Manifest = dict[str, Any]


class ClusterPort(Protocol):
    """The requests of the rehearsal to a cluster, as its administrator."""

    def kubeconfig(self, path: Path, *, namespace: str, service_account: str | None = None) -> Path:
        """Write a kubeconfig that carries the account's token."""

    def get(self, resource: str, namespace: str, name: str) -> Manifest | None:
        """Return an object, or None if it does not exist."""

    def apply(self, obj: Manifest) -> Manifest:
        """Create or replace an object, status included."""

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Delete an existing object."""
