"""Who may reach the API server, as a file that holds all it needs."""

import base64
import json
from pathlib import Path

from . import layout
from .certificates import Identity


def write(path: Path, identity: Identity, certificates: Path) -> Path:
    """Write a kubeconfig (JSON is YAML), readable by its owner only."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(_config(identity, certificates), indent=1))
    return path


def _config(identity: Identity, certificates: Path) -> dict[str, object]:
    def content(file: str) -> str:
        return base64.b64encode((certificates / file).read_bytes()).decode()

    user = {
        "client-certificate-data": content(f"{identity.file}.crt"),
        "client-key-data": content(f"{identity.file}.key"),
    }
    cluster = {"server": layout.API_URL, "certificate-authority-data": content("authority.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": layout.NAME, "cluster": cluster}],
        "users": [{"name": identity.user, "user": user}],
        "contexts": [{"name": layout.NAME, "context": {"cluster": layout.NAME, "user": identity.user}}],
        "current-context": layout.NAME,
    }
